"""Comparable systems: tested on the same utterances of the same classes; the best by source and target."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from ser.report.collect import REGIMES, System


@dataclasses.dataclass(frozen=True)
class Group:
    """Systems that were tested on the same utterances of one corpus with the same classes.

    Attributes:
        corpus: the tested one.
        classes: of the task.
        n_true: class -> utterances; empty where nothing was run.
        n_speakers: tested.
        systems: the best first, references and holes last.
    """

    corpus: str
    classes: tuple[str, ...]
    n_true: Mapping[str, int]
    n_speakers: int
    systems: Sequence[System]


def groups(systems: Sequence[System]) -> list[Group]:
    """Group what may be compared; chance and each majority class stand once."""
    found: dict[tuple, list[System]] = {}
    for system in systems:
        n_true = tuple(system.table.get("n_true", {}).items())
        found.setdefault((system.corpus, tuple(system.table["classes"]), n_true), []).append(system)
    made = []
    for (corpus, classes, n_true), own in found.items():
        references = {s.label: s for s in own if s.row["kind"] == "reference"}
        others = [s for s in own if s.row["kind"] != "reference"]
        others.sort(key=lambda s: -1.0 if s.uar is None else s.uar, reverse=True)
        n_speakers = own[0].table.get("n_speakers", 0)
        made.append(Group(corpus, classes, dict(n_true), n_speakers, [*others, *references.values()]))
    return sorted(made, key=lambda group: (not group.n_true, group.corpus.lower(), group.classes))


def marks(group: Group) -> dict[int, str]:
    """Find who is best in a group, and who is not significantly worse: id of a system -> ★, = or ?.

    Ranked are the systems that may be used where a target's labels are few: no ceilings, unless all are, and none
    with a flag that others lack. The best has ★ if its interval is above chance. Tests against it are corrected for
    their number; ? is where there is none, since one of the two was trained once. Nothing is taken from the tables of
    recipes, which rank fewer systems.
    """
    from ser.metrics.uncertainty import corrected, difference
    from ser.results.record import sample_of_record
    from ser.results.scores import SIGNIFICANT

    trained = [system for system in group.systems if system.regime and system.uar is not None]
    has_others = any(system.regime != "labelled" for system in trained)
    flags = [set(system.row.get("stamps", ())) for system in trained]
    common = set.intersection(*flags) if flags else set()
    ranked = [
        system
        for system, own in zip(trained, flags, strict=True)
        if not (has_others and system.regime == "labelled") and own <= common
    ]
    if not ranked:
        return {}
    top = max(ranked, key=lambda system: system.uar)
    chance = 1 / sum(n > 0 for n in group.n_true.values())
    if "sample" not in top.row or "interval" not in top.row or top.row["interval"][0] <= chance:
        return {}
    n = sum(group.n_true.values())
    others = [system for system in ranked if system is not top and "sample" in system.row]
    best = sample_of_record(top.row, n)
    found = corrected([difference(sample_of_record(system.row, n), best) for system in others])
    told = {id(top): "★"}
    for system, one in zip(others, found, strict=True):
        if one is None or one.p is None:
            told[id(system)] = "?"
        elif one.p >= SIGNIFICANT:
            told[id(system)] = "="
    return told


@dataclasses.dataclass(frozen=True)
class Cell:
    """Best system of a source and a target.

    Attributes:
        best: by UAR; None where nothing was run.
        needs: what is missing, where nothing was run.
        published: the highest UAR that a paper printed, in per cent, where nothing was run.
        is_stamped: whether there are only flagged systems, which are comparable with nothing else.
    """

    best: System | None = None
    needs: str | None = None
    published: float | None = None
    is_stamped: bool = False


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Sources against targets, for one set of classes and one choice of systems.

    Attributes:
        classes: of the task.
        choice: key of `choices`.
        sources, targets: names of rows and columns.
        cells: source and target -> cell.
    """

    classes: tuple[str, ...]
    choice: str
    sources: Sequence[str]
    targets: Sequence[str]
    cells: Mapping[tuple[str, str], Cell]


def choices(systems: Sequence[System]) -> dict[str, str]:
    """List what a matrix may be about: the best of a regime, or of a method in a regime; key -> name.

    Systems that have seen different data of the target never share a matrix.
    """
    regimes = {f"regime:{key}": f"best: {name}" for key, name in REGIMES.items()}
    methods = sorted({system.row["method"] for system in systems if "method" in system.row})
    by_method = {f"method:{name}, {regime}": f"{name}, {REGIMES[regime]}" for name in methods for regime in REGIMES}
    return regimes | by_method


def _test_of(choice: str) -> Callable[[System], bool]:
    kind, _, name = choice.partition(":")
    if kind == "regime":
        return lambda system: system.regime == name
    method, _, regime = name.partition(", ")
    return lambda system: system.row.get("method") == method and system.regime == regime


def matrices(systems: Sequence[System]) -> list[Matrix]:
    """Make every matrix that has a cell, by classes in the order of how many systems have them."""
    trained = [system for system in systems if system.regime]
    by_classes: dict[tuple[str, ...], list[System]] = {}
    for system in trained:
        by_classes.setdefault(tuple(system.table["classes"]), []).append(system)
    made = []
    for classes, own in sorted(by_classes.items(), key=lambda both: -len(both[1])):
        for choice in choices(systems):
            chosen = [system for system in own if _test_of(choice)(system)]
            if chosen:
                made.append(_matrix(classes, choice, chosen))
    return made


def _matrix(classes: tuple[str, ...], choice: str, systems: Sequence[System]) -> Matrix:
    of_cell: dict[tuple[str, str], list[System]] = {}
    for system in systems:
        of_cell.setdefault((" + ".join(system.sources) or "support set", system.corpus), []).append(system)
    sources = sorted(
        {source for source, _ in of_cell}, key=lambda name: (name == "support set", name.count("+"), name)
    )
    targets = sorted({target for _, target in of_cell})
    return Matrix(classes, choice, sources, targets, {place: _cell(own) for place, own in of_cell.items()})


def _cell(systems: Sequence[System]) -> Cell:
    scored = [system for system in systems if system.uar is not None]
    if not scored:
        printed = [system.row["published"] for system in systems if "published" in system.row]
        needs = next((system.recipe["needs"] for system in systems if system.recipe["needs"]), None)
        return Cell(None, needs, max(printed, default=None))
    clean = [system for system in scored if not system.row.get("stamps")]
    return Cell(max(clean or scored, key=lambda system: system.uar), is_stamped=not clean)


def in_order(systems: Sequence[System]) -> list[System]:
    """Put what may be compared side by side, the best first; of what was not run, only what a paper printed.

    A published value stands once for all the features that its system would be trained on.
    """
    found: dict[object, System] = {}
    for system in (system for group in groups(systems) for system in group.systems):
        if system.uar is not None:
            found[id(system)] = system
        elif "published" in system.row:
            name = (system.recipe["recipe"], str(system.tested), system.row.get("published_as", system.label))
            found.setdefault(name, system)
    return list(found.values())
