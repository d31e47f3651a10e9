"""How a matrix of sources and targets looks: tables of text, for pages in Markdown, the terminal, LaTeX and CSV."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from ser.results.measures import percent, signed, span

Json = Mapping[str, Any]
Table = list[list[str]]
"""Header and rows of cells."""

KINDS = {
    "pairs": "one corpus to another",
    "others": "all others to each",
    "joint": "several corpora to another",
}
"""Kinds of sources, in the order of a page."""

AS_THEY_ARE = "as they are"

SHORTCUT = "shortcut"
"""Feature of the systems that hear only duration, level and silence."""

HELD_AGAINST = {"support": "support only", "shortcut": "shortcut"}


def name_of(row: Json) -> str:
    """Name a system: label, feature, number of shots."""
    return ", ".join([row["label"], row["feature"], *([f"{row['shots']} shots"] if row["shots"] else [])])


def heading(matrix: Json) -> str:
    """Say what was tested."""
    tested = []
    for name, about in matrix["targets"].items():
        text = f"{name} {about['n_utterances']} utterances of {about['n_speakers']} speakers"
        if about["one_class_speakers"]:
            text += f", {about['one_class_speakers']} of them with one class only"
        tested.append(text)
    chance = percent(1 / len(matrix["classes"]))
    return f"Classes: {', '.join(matrix['classes'])} (chance {chance}). Tested: {'; '.join(tested)}."


def headline(matrix: Json) -> str | None:
    """Say in sentences how the system did that the recipe names to be read first; None where it names none."""
    row = next((row for row in matrix["rows"] if row.get("headline")), None)
    if row is None:
        return None
    sentences = [f"The system {name_of(row)}, is the one that the recipe names to be read first."]
    for kind, mean in _means(row):
        text = f"From {KINDS[kind]}, its mean UAR is {_with_interval(mean)} over {mean['n']} directions"
        if gain := mean.get("gain"):
            text += f", {_difference(gain)} against {row['against']['gain']}"
        sentences.append(f"{text}.")
        below = [
            f"{row['against'][key]} in {own['below']} of {own['n']}"
            for key in ("gain", *HELD_AGAINST)
            if (own := mean.get(key))
        ]
        if below:
            sentences.append(f"It is below {', '.join(below)}.")
        drawn = [
            f"{_with_interval(own)} ({how})"
            for how, own in mean.get("test_speakers", {}).items()
            if how != AS_THEY_ARE
        ]
        if drawn:
            sentences.append(f"On tested speakers whose utterances are drawn anew: {', '.join(drawn)}.")
    return " ".join(sentences)


def heat_map(matrix: Json, row: Json) -> Table:
    """Lay out the UARs of a system, sources by targets; of a corpus by itself stands the ceiling, in brackets."""
    cells = {(cell["source"], cell["target"]): cell for cell in row["cells"]}
    ceiling = _ceiling(matrix, row["feature"])
    table = [["source \\ target", *matrix["targets"]]]
    for source in dict.fromkeys((*matrix["sources"], *matrix["targets"])):
        own = [
            _with_interval(cells[source, target])
            if (source, target) in cells
            else f"({percent(ceiling.get(target))})"
            if source == target and target in ceiling
            else ""
            for target in matrix["targets"]
        ]
        if any(own):
            table.append([source, *own])
    return table


def _ceiling(matrix: Json, feature: str) -> dict[str, float]:
    """Find the UAR of the system that is trained on a target's own labels."""
    return {
        cell["target"]: cell["uar"]
        for row in matrix["rows"]
        if row["feature"] == feature and list(row["target_data"]) == ["labelled"]
        for cell in row["cells"]
    }


def means(matrix: Json, kind: str, features: Collection[str] | None = None) -> Table:
    """Lay out the means over directions of every system, its gain, and how often it is below others.

    Args:
        matrix: of RESULTS.json.
        kind: one of `KINDS`.
        features: whose systems; by default all.
    """
    n_directions = max((row["means"][kind]["n"] for row in matrix["rows"] if kind in row["means"]), default=0)
    columns = ["gain", "against", "below", *(f"below {name}" for name in HELD_AGAINST.values())]
    drawn = drawn_speakers(matrix)
    table = [["system", "feature", "shots", "target data", "UAR [95 %]", *drawn, *columns]]
    for row in matrix["rows"]:
        if (mean := row["means"].get(kind)) is None or not (features is None or row["feature"] in features):
            continue
        of_drawn = mean.get("test_speakers", {})
        few = [f"{mean['n']} of {n_directions} directions"] if mean["n"] < n_directions else []
        stamps = "".join(f" [{stamp}]" for stamp in (*few, *row["stamps"]))
        gain = mean.get("gain")
        table.append(
            [
                ("**{}**" if row.get("headline") else "{}").format(row["label"]) + stamps,
                row["feature"],
                str(row["shots"] or ""),
                ", ".join(row["target_data"]) or "none",
                _with_interval(mean),
                *(_with_interval(of_drawn[how]) if how in of_drawn else "" for how in drawn),
                _difference(gain) if gain else "",
                row["against"].get("gain", "") if gain else "",
                _below(gain),
                *(_below(mean.get(key)) for key in HELD_AGAINST),
            ]
        )
    for row in matrix["holes"]:
        if not (features is None or row["feature"] in features):
            continue
        table.append(
            [row["label"], row["feature"], "", "", f"not run: {row['hole']}", *[""] * len([*drawn, *columns])]
        )
    return table


def drawn_speakers(matrix: Json) -> list[str]:
    """List how utterances of tested speakers were drawn anew, beside those that their corpora have."""
    means_of = [mean for row in matrix["rows"] for mean in row["means"].values()]
    names = dict.fromkeys(how for mean in means_of for how in mean.get("test_speakers", {}))
    return [how for how in names if how != AS_THEY_ARE]


def directions(matrix: Json, what: str = "uar", features: Collection[str] | None = None) -> Table:
    """Lay out systems by direction: `uar`, or a difference from what they are held against; as `means`."""
    names = [(source, target) for source in matrix["sources"] for target in matrix["targets"]]
    known = {(cell["source"], cell["target"]) for row in matrix["rows"] for cell in row["cells"]}
    names = [name for name in names if name in known]
    table = [["system", *(f"{source} > {target}" for source, target in names)]]
    for row in matrix["rows"]:
        if not (features is None or row["feature"] in features):
            continue
        cells = {(cell["source"], cell["target"]): cell for cell in row["cells"]}
        if what == "uar":
            own = [_with_interval(cells[name]) if name in cells else "" for name in names]
        else:
            own = [_difference(cells[name][what]) if what in cells.get(name, {}) else "" for name in names]
        if any(own):
            table.append([name_of(row), *own])
    return table


def asymmetry(matrix: Json, row: Json) -> Table:
    """Lay out UAR in both directions of each pair of corpora, which were tested on different speakers."""
    uar = {(cell["source"], cell["target"]): cell["uar"] for cell in row["cells"]}
    table = [["pair", "there", "back", "difference"]]
    for (source, target), there in uar.items():
        if source < target and (target, source) in uar:
            back = uar[target, source]
            table.append([f"{source} > {target}", percent(there), percent(back), signed(100 * (there - back))])
    return table


def tables(matrix: Json) -> dict[str, Table]:
    """Give every table of a matrix by a name for its file."""
    task = matrix["task"]
    found = {f"{task}-means-{kind}": means(matrix, kind) for kind in KINDS if _has(matrix, kind)}
    found |= {f"{task}-directions-{what}": directions(matrix, what) for what in ("uar", "gain", *HELD_AGAINST)}
    for row in matrix["rows"]:
        found[f"{task}-matrix-{name_of(row).replace(', ', '-').replace(' ', '_')}"] = heat_map(matrix, row)
    return {name: table for name, table in found.items() if len(table) > 1}


def _has(matrix: Json, kind: str) -> bool:
    return any(kind in row["means"] for row in matrix["rows"])


def _means(row: Json) -> list[tuple[str, Json]]:
    return [(kind, row["means"][kind]) for kind in KINDS if kind in row["means"]]


def _with_interval(found: Json) -> str:
    return f"{percent(found['uar'])} [{span(found['interval'])}]" if found["interval"] else percent(found["uar"])


def _difference(found: Json) -> str:
    if not found["interval"]:
        return signed(100 * found["difference"])
    low, high = (signed(100 * bound) for bound in found["interval"])
    return f"{signed(100 * found['difference'])} [{low}, {high}]"


def _below(found: Json | None) -> str:
    if not found:
        return ""
    surely = f" ({found['surely_below']})" if found["surely_below"] else ""
    return f"{found['below']}{surely} of {found['n']}"


def _regime(row: Json) -> str | None:
    """Name what a system may see of a target; None for those that need its labels, or are no system to choose."""
    seen = set(row["target_data"])
    if "labelled" in seen or row["feature"] == SHORTCUT:
        return None
    if "k-shot" in seen:
        return f"{row['shots']} shots"
    return "unlabelled audio" if seen else "nothing"


def chosen_elsewhere(matrix: Json) -> Table:
    """Lay out which system the other corpora would choose for each target, and what it has there.

    For a target, the system with the best mean over the directions between single other corpora is taken, of those
    that have all of these directions; what was seen of the target has no part in it.
    """
    regimes: dict[str, list[Json]] = {}
    for row in matrix["rows"]:
        if (regime := _regime(row)) is not None:
            regimes.setdefault(regime, []).append(row)
    table = [["sees", "target", "chosen by the others", "UAR", "best of all"]]
    for regime, rows in regimes.items():
        for target in matrix["targets"]:
            elsewhere = [_of_pairs(row, lambda c, t=target: t not in (c["source"], c["target"])) for row in rows]
            here = [_of_pairs(row, lambda c, t=target: c["target"] == t) for row in rows]
            most = max(map(len, elsewhere), default=0)
            known = [i for i, (own, of) in enumerate(zip(elsewhere, here, strict=True)) if of and len(own) == most]
            if most and known:
                mean = [sum(own) / len(own) if own else 0.0 for own in here]
                chosen = max(known, key=lambda i: sum(elsewhere[i]) / most)
                best = max(known, key=lambda i: mean[i])
                names = [name_of({**rows[i], "shots": 0}) for i in (chosen, best)]
                best_text = "the same" if best == chosen else f"{percent(mean[best])}, {names[1]}"
                table.append([regime, target, names[0], percent(mean[chosen]), best_text])
    return table


def _of_pairs(row: Json, wanted: Callable[[Json], bool]) -> list[float]:
    """List the UARs of a system in the directions between single corpora that are wanted."""
    cells = [cell for cell in row["cells"] if cell["source"] != "others" and "+" not in cell["source"]]
    return [cell["uar"] for cell in cells if wanted(cell)]


class Section(NamedTuple):
    """A heading, what stands below it (a text, or a table), and whether it is folded."""

    title: str
    content: str | Table
    is_folded: bool = False


def sections(matrix: Json) -> list[Section]:
    """List the sections of a matrix; means of other features than the headline's, and wide tables, are folded."""
    found = [Section("", heading(matrix))]
    row = next((row for row in matrix["rows"] if row.get("headline")), None)
    if row is not None:
        found += [
            Section("", headline(matrix) or ""),
            Section(f"{name_of(row)}: UAR by source and target", heat_map(matrix, row)),
        ]
        if len(table := asymmetry(matrix, row)) > 1:
            found.append(Section(f"{name_of(row)}: both directions", table))
    if len(table := chosen_elsewhere(matrix)) > 1:
        found.append(Section("Chosen for each target by the other corpora", table))
    first, others = _groups(matrix, row)
    kinds = [kind for kind in KINDS if _has(matrix, kind)]
    found += [Section(f"Means, {KINDS[kind]}", means(matrix, kind, first)) for kind in kinds]
    for feature in others:
        found += [Section(f"Means, {KINDS[kind]}, {feature}", means(matrix, kind, [feature]), True) for kind in kinds]
    found.append(Section("UAR by direction", directions(matrix, "uar", first), True))
    if len(table := directions(matrix, "gain", first)) > 1:
        found.append(Section("Gain by direction", table, True))
    found += [Section(f"UAR by direction, {name}", directions(matrix, "uar", [name]), True) for name in others]
    return found


def _groups(matrix: Json, headline: Json | None) -> tuple[list[str], list[str]]:
    """Divide features: the headline's with the shortcut, and the others; without a headline none is folded."""
    order = list(dict.fromkeys(row["feature"] for row in (*matrix["rows"], *matrix["holes"])))
    others = [name for name in order if headline and name not in (headline["feature"], SHORTCUT)]
    return [name for name in order if name not in others], others
