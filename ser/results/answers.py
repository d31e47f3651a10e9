"""What a reader wants to know first of a recipe: its headline table of at most ten rows, and three sentences.

Everything is read from RESULTS.json. Rules that do not look at scores choose the table and its systems; only the
winner that the sentences name, and the best of all systems, which the table adds, are chosen by them. Not here: how
tables look (`ser.results.render`) and the headline of a matrix (`ser.results.matrix_page`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ser.results.measures import SIGNIFICANT, p_value, percent, signed, span
from ser.results.record import condition_of
from ser.results.words import SPEAKER_DEPENDENT
from ser.types import Condition

Json = Mapping[str, Any]

MAX_ROWS = 10
"""Of a headline table."""

ENOUGH_SPEAKERS = 8
"""A table with fewer is a recipe's headline only where all have fewer."""

SEES = {
    "labelled": "labels",
    "k-shot": "k labels per class",
    "unlabelled-train": "audio",
    "unlabelled-test": "test audio",
}
"""Data of the tested corpus that a system has seen before the test, as tables print it, from most to least."""


@dataclass(frozen=True)
class Headline:
    """The table that a page begins with.

    Attributes:
        table: of RESULTS.json.
        feature: of its systems.
        rows: the paper's systems, the best of all systems, then references; at most ten.
        paper: those of them that the recipe is about.
    """

    table: Json
    feature: str
    rows: Sequence[Json]
    paper: Sequence[Json]

    @property
    def condition(self) -> Condition:
        return condition_of(self.table)


@dataclass(frozen=True)
class Comparison:
    """The winner of the systems that a recipe is about, against another one of them.

    Attributes:
        winner, other: rows of the table.
        difference: UAR of the winner minus the other's, in [-1, 1].
        interval: of the difference, None where nobody has tested the two against each other.
        p: of the test, corrected for the number of its family; None without one.
    """

    winner: Json
    other: Json
    difference: float
    interval: tuple[float, float] | None = None
    p: float | None = None

    @property
    def is_significant(self) -> bool:
        return self.p is not None and self.p < SIGNIFICANT


# ---- The choice -----------------------------------------------------------------------------------------------


def headline(record: Json) -> Headline | None:
    """Choose the headline table of a recipe, None where nothing was scored or where it is a matrix.

    The first table that no system of the paper enters with a flag for shared speakers, of at least eight speakers if
    there is one; in it the last of the features for which the paper's systems have scores, but one with systems of a
    single training only where all have them.
    """
    tables = [table for table in record["tables"] if _of_paper(table)]
    if not tables:
        return None
    table = min(tables, key=_doubts)
    feature = min(reversed(_of_paper(table)), key=lambda row: row.get("one_training", False))["feature"]
    paper = [row for row in _of_paper(table) if row["feature"] == feature]
    around = [row for row in table["rows"] if "uar" in row and row not in paper]
    start = [row for row in around if row["kind"] == "beside" and row["feature"] == feature and not sees_labels(row)]
    shots_only = [row for row in start if not row.get("sources")]
    ends = sorted((row for row in around if _is_reference(row, feature)), key=_place)
    best = [row for row in around if row.get("is_best_of_all") and row not in (*start, *ends)]
    beside = [row for row in start if row not in shots_only and not row.get("target_data")]
    last = [*best, *shots_only, *ends]
    paper = paper[: MAX_ROWS - len(last)]
    beside = beside[: MAX_ROWS - len(last) - len(paper)]
    return Headline(table, feature, [*beside, *paper, *last], paper)


def _of_paper(table: Json) -> list[Json]:
    return [row for row in table["rows"] if row["kind"] == "paper" and "uar" in row]


def _doubts(table: Json) -> tuple[bool, bool]:
    is_dependent = any(SPEAKER_DEPENDENT in row.get("stamps", ()) for row in _of_paper(table)[:1])
    return is_dependent, table.get("n_speakers", 0) < ENOUGH_SPEAKERS


def sees_labels(row: Json) -> bool:
    """Decide whether a system is trained on labels of the tested corpus beyond k shots."""
    return "labelled" in row.get("target_data", ())


def _is_reference(row: Json, feature: str) -> bool:
    """Decide whether a row is the ceiling of the feature, the shortcut, or chance."""
    if row["kind"] == "reference":
        return row["label"] == "chance"
    return row["kind"] == "shortcut" or (row["kind"] == "beside" and row["feature"] == feature and sees_labels(row))


def _place(row: Json) -> int:
    """Order references from the highest to the lowest that one expects: the ceiling, the shortcut, chance."""
    return 2 if row["kind"] == "reference" else int(row["kind"] == "shortcut")


def comparison(found: Headline) -> Comparison | None:
    """Hold the best of the recipe's systems against the one that it is tested against, None where it is the only one.

    A system that nothing was named for is held against the best of those that are tested against it, else against the
    second best, without a test. Systems with labels of the tested corpus only take part where all have them.
    """
    without = [row for row in found.paper if not sees_labels(row)]
    rows = without if len(without) > 1 else list(found.paper)
    if len(rows) < 2:
        return None
    winner, *others = sorted(rows, key=lambda row: -row["uar"])
    by_label = {row["label"]: row for row in found.rows if row["feature"] == winner["feature"]}
    if winner.get("difference") is not None and winner["versus"] in by_label:
        return held(winner, by_label[winner["versus"]])
    tested = [row for row in others if row.get("difference") is not None and row["versus"] == winner["label"]]
    return held(winner, (tested or others)[0])


def elsewhere(record: Json, found: Headline, compared: Comparison) -> list[Comparison]:
    """Hold the same two systems against each other in every table of the recipe that has both."""
    pairs = []
    for table in record["tables"]:
        rows = {row["label"]: row for row in table["rows"] if row["feature"] == found.feature and "uar" in row}
        winner, other = (rows.get(row["label"]) for row in (compared.winner, compared.other))
        if winner is not None and other is not None:
            pairs.append(held(winner, other))
    return pairs


def held(winner: Json, other: Json) -> Comparison:
    """Hold a system against another one of its table, by the test of them if there is one."""
    if winner.get("difference") is not None and winner["versus"] == other["label"]:
        return _tested(winner, other, winner, 1)
    if other.get("difference") is not None and other["versus"] == winner["label"]:
        return _tested(winner, other, other, -1)
    return Comparison(winner, other, winner["uar"] - other["uar"])


def _tested(winner: Json, other: Json, row: Json, sign: int) -> Comparison:
    bounds = row.get("difference_interval")
    ends = None if bounds is None else sorted(sign * bound + 0.0 for bound in bounds)  # no -0.0
    interval = None if ends is None else (ends[0], ends[-1])
    return Comparison(winner, other, sign * row["difference"] + 0.0, interval, row.get("p"))


# ---- Words ----------------------------------------------------------------------------------------------------


def sees(row: Json, shots: int | None = None) -> str:
    """Name the data of the tested corpus that a system has seen before the test.

    Args:
        row: of a table.
        shots: of the table, where it has one number of them.

    Example:
        >>> sees({"uar": 0.5, "target_data": ["k-shot", "unlabelled-train"]}), sees({"uar": 0.5}), sees({})
        ('k labels per class, audio', 'nothing', '')
    """
    seen = row.get("target_data", ())
    text = ", ".join(SEES[name] for name in SEES if name in seen) or ("nothing" if "uar" in row else "")
    return text.replace("k labels", f"{shots} labels") if shots else text


def _saw(row: Json, shots: int | None, corpus: str) -> str:
    """Say the same as the object of a sentence."""
    words = {
        "labelled": f"the labels of {corpus}'s other speakers",
        "k-shot": f"{shots or 'k'} labelled utterances per class of {corpus}",
        "unlabelled-train": f"unlabelled audio of {corpus}'s training speakers",
        "unlabelled-test": f"unlabelled audio of the tested speakers of {corpus}",
    }
    seen = [words[name] for name in words if name in row.get("target_data", ())]
    return " and ".join([", ".join(seen[:-1]), seen[-1]] if len(seen) > 1 else seen) or f"nothing of {corpus}"


def where(record: Json, condition: Condition) -> str:
    """Name a table as a sentence does: the tested corpus, the task, the number of shots."""
    corpus = record["corpora"].get(condition.corpus, {}).get("title", condition.corpus).partition(":")[0]
    text = about(condition)
    return f"{corpus} ({text})" if corpus and text else corpus or text


def about(condition: Condition) -> str:
    """Name what a table is about, apart from its corpus.

    Example:
        >>> about(Condition("four_class", "urdu", rotation=True)), about(Condition("", "urdu", 5))
        ('four class, rotation', '5 shots')
    """
    parts = [condition.task.replace("_", " "), f"{condition.shots} shots" if condition.shots else "",
             "rotation" if condition.rotation else ""]  # fmt: skip
    return ", ".join(filter(None, parts))


def sentences(record: Json) -> list[str]:
    """Say which system won by how much over which, whether a test confirms it, and what it has seen of the target.

    Args:
        record: RESULTS.json.

    Returns:
        What won, whether that is certain, and what it has seen, in Markdown; nothing where there is no headline.
    """
    found = headline(record)
    if found is None:
        return []
    compared = comparison(found)
    winner = compared.winner if compared else found.paper[0]
    return [
        _won(record, found, winner, compared),
        _sure(record, found, winner, compared),
        _seen(record, found, winner),
    ]


def _won(record: Json, found: Headline, winner: Json, compared: Comparison | None) -> str:
    whose = f"the systems of {record['paper']}" if record["paper"] else "the recipe's systems"
    text = f"Tested on {where(record, found.condition)}, **{winner['label']}** has the highest UAR of {whose}: "
    text += f"**{percent(winner['uar'])} %**{_within(winner.get('interval'))}"
    if compared is None:
        return text + "."
    interval = "" if compared.interval is None else " [{}, {}]".format(*(signed(100 * b) for b in compared.interval))
    text = f"{text}. It is {100 * compared.difference:.1f} points{interval} above {compared.other['label']}"
    differences = [one.difference for one in elsewhere(record, found, compared)]
    if len(differences) > 1:
        text += f" and ahead of it in {sum(100 * d >= 0.05 for d in differences)} of {len(differences)} tables"
    return f"{text}."


def _within(bounds: Sequence[float] | None) -> str:
    return f" [{span(bounds)}]" if bounds else ""


def _sure(record: Json, found: Headline, winner: Json, compared: Comparison | None) -> str:
    n = found.table.get("n_speakers")
    of_speakers = f"{n} speakers" if n else ""
    if compared is None or compared.p is None:
        text = "No test was made of this difference" if compared else "There is no other system to test it against"
    else:
        pairs = [one for one in elsewhere(record, found, compared) if one.p is not None]
        n_more = sum(one.is_significant and one.difference > 0 for one in pairs)
        in_all = f"significantly ahead in {n_more} of {len(pairs)} tables" if len(pairs) > 1 else ""
        about = ", ".join(filter(None, (f"p = {p_value(compared.p)}".replace("= <", "< "), of_speakers, in_all)))
        other = compared.other["label"]
        finding = f"The difference from {other} is significant"
        text = f"{finding if compared.is_significant else f'No difference from {other} can be shown'} ({about})"
    others = [row for row in found.rows if row not in found.paper and _is_end(row)]
    points = {row["label"]: 100 * (winner["uar"] - row["uar"]) for row in others}
    above = [f"{value:.1f} points above {name}" for name, value in points.items() if value >= 0]
    below = [f"{-value:.1f} points below {name}" for name, value in points.items() if value < 0]
    held = ", but ".join(filter(None, (_and(above), _and(below))))
    return f"{text}. {winner['label']} is {held}." if held else f"{text}."


def _is_end(row: Json) -> bool:
    return row["kind"] in ("shortcut", "reference") or (row["kind"] == "beside" and not row.get("sources"))


def _seen(record: Json, found: Headline, winner: Json) -> str:
    corpus = where(record, Condition(corpus=found.condition.corpus))
    text = f"Before the test it has seen {_saw(winner, found.condition.shots, corpus)}"
    more = []
    is_ceiling = [sees_labels(row) and row["kind"] == "beside" for row in found.rows]
    ceiling = next((row for row, is_it in zip(found.rows, is_ceiling, strict=True) if is_it), None)
    if ceiling is not None:
        more.append(f"{ceiling['label']}, trained on the labels of the other speakers, reaches "
                    f"{percent(ceiling['uar'])} %{_within(ceiling.get('interval'))}")  # fmt: skip
    best = next((row for row in found.rows if row.get("is_best_of_all")), None)
    if best is not None and best not in found.paper:
        n = sum("uar" in row and row["kind"] != "reference" for row in found.table["rows"])
        name = f"best of all {n} systems, {best['label']} on {best['feature']},"
        more.append(
            f"the {name} {percent(best['uar'])} %" if more else f"The {name} reaches {percent(best['uar'])} %"
        )
    return f"{text}. {_and(more)}." if more else f"{text}."


def _and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""
