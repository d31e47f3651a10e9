"""Measures as entries: an entry of `MEASURES` is all that is known of a column of scores.

RESULTS.json (`ser.results.record`), the tables in Markdown and in the terminal (`ser.results.render`), those of the
report (`ser.report`) and the definitions below tables follow from the entries: a new measure is one more of them.
Formulas live in `ser.metrics`. Not here: words that are about a whole table (`ser.results.words`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser.results.fits import Scored as ScoredFit
    from ser.results.scores import Scored

Row = Mapping[str, Any]
"""One row of a table in RESULTS.json."""

PAGE, TERMINAL, REPORT, SUMMARY = "RESULTS.md", "terminal", "report.html", "egs/RESULTS.md"
"""Where a column may stand."""


# ---- Formats --------------------------------------------------------------------------------------------------


def percent(share: float | None) -> str:
    """Print a share in [0, 1] in per cent, nothing for None.

    Example:
        >>> percent(0.5), percent(None)
        ('50.0', '')
    """
    return "" if share is None else f"{100 * share:.1f}"


def signed(points: float | None) -> str:
    """Print a difference that is in points.

    Example:
        >>> signed(2.25), signed(-3)
        ('+2.2', '-3.0')
    """
    return "" if points is None else f"{points:+.1f}"


def span(bounds: Sequence[float] | None, few: bool = False) -> str:
    """Print an interval of shares in per cent, marked where it is of few speakers.

    Example:
        >>> span([0.425, 0.5], few=True)
        '42.5-50.0 ‡'
    """
    return "" if bounds is None else f"{percent(bounds[0])}-{percent(bounds[1])}{FEW if few else ''}"


def p_value(p: float | None) -> str:
    """Print a p.

    Example:
        >>> p_value(0.0312), p_value(0.0002)
        ('0.031', '<0.001')
    """
    return "" if p is None else f"{p:.3f}" if p >= 0.001 else "<0.001"


def number(value: float | None) -> str:
    """Print a number that is no share.

    Example:
        >>> number(0.456), number(None)
        ('0.46', '')
    """
    return "" if value is None else f"{value:.2f}"


def brackets(bounds: Sequence[float] | None, sign: str = "") -> str:
    """Print an interval of numbers that are no shares.

    Example:
        >>> brackets([-0.1, 0.256], "+")
        '[-0.10, +0.26]'
    """
    return "" if bounds is None else f"[{bounds[0]:{sign}.2f}, {bounds[1]:{sign}.2f}]"


FEW = " ‡"


# ---- Entries --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    """A column of scores.

    Attributes:
        key: in RESULTS.json, where it is a number, a text, some numbers, or a number for each class.
        name: of the column, or with `{}` of one column for each class; "" for a value without a column.
        of: gives the value from a scored line, None where there is none; None for what a paper printed.
        format: prints the value.
        cell: prints the cell, if it has more than the value.
        definition: what the value is, below the tables.
        tables: where the column stands.
    """

    key: str
    name: str = ""
    of: Callable[[Any], Any] | None = None
    format: Callable[[Any], str] = percent
    cell: Callable[[Row], str] | None = None
    definition: str = ""
    tables: Collection[str] = (PAGE,)

    @property
    def is_by_class(self) -> bool:
        return "{}" in self.name

    def columns(self, classes: Sequence[str]) -> list[str]:
        """Name its columns."""
        return [self.name.replace("{}", name) for name in classes] if self.is_by_class else [self.name]

    def cells(self, row: Row, classes: Sequence[str]) -> list[str]:
        """Print its cells, "" where the row has no value."""
        if self.is_by_class:
            return [self.format(row.get(self.key, {}).get(name)) for name in classes]
        if self.cell is not None:
            return [self.cell(row)]
        return [self.format(row[self.key]) if row.get(self.key) is not None else ""]


def columns_of(measures: Sequence[Measure], table: str, classes: Sequence[str] = ()) -> list[str]:
    """Name the columns of one kind of table."""
    return [name for measure in measures if table in measure.tables for name in measure.columns(classes)]


def cells_of(measures: Sequence[Measure], table: str, row: Row, classes: Sequence[str] = ()) -> dict[str, str]:
    """Print a row's cells in one kind of table, by column."""
    cells = [cell for measure in measures if table in measure.tables for cell in measure.cells(row, classes)]
    return dict(zip(columns_of(measures, table, classes), cells, strict=True))


def values_of(measures: Sequence[Measure], scored: Any) -> dict[str, Any]:
    """Compute every measure of a scored line, by key."""
    return {measure.key: measure.of(scored) for measure in measures if measure.of is not None}


def definitions_of(measures: Sequence[Measure]) -> list[list[str]]:
    """List the terms of measures with their definitions."""
    return [
        [m.name.replace("{}", "").strip() or m.key, " ".join(m.definition.split())] for m in measures if m.definition
    ]


def _uar(row: Row) -> str:
    if row.get("uar") is not None:
        return percent(row["uar"])
    return f"not run: {row['hole']}" if row.get("hole") else ""


def _folds(row: Row) -> str:
    spread = f" ± {percent(row['folds_sd'])}" if row.get("folds_sd") is not None else ""
    return percent(row.get("folds")) + spread if row.get("folds") is not None else ""


def _difference(row: Row) -> str:
    if row.get("difference") is None:
        return ""
    low, high = (signed(100 * bound) for bound in row["difference_interval"])
    worse = " ▼" if row.get("worse") else ""
    few = FEW if row.get("few_speakers") else ""
    return f"{signed(100 * row['difference'])} [{low}, {high}{few}] ({row['versus']}){worse}"


def _source_only(row: Row) -> str:
    if (found := row.get("source_only")) is None:
        return ""
    worse = " ▽" if found.get("worse") else ""
    return f"{signed(100 * found['difference'])} ({found['label']}, p {p_value(found['p'])}){worse}"


def _measured(key: str) -> Callable[[Scored], float | None]:
    return lambda scored: scored.line.measured.get(key)


EVERYWHERE = (PAGE, TERMINAL, REPORT, SUMMARY)

MEASURES = (
    Measure("published_text", "published", None, str, tables=EVERYWHERE),
    Measure(
        "uar", "UAR", lambda scored: scored.scores["uar"], cell=_uar, tables=EVERYWHERE,
        definition="""mean of the per-class recalls. Every test utterance counts once; all folds of one support draw
        and source seed are scored together (a fold that lacks a class is never scored on its own); then UAR is
        averaged over draws and seeds.""",
    ),
    Measure(
        "interval", "95 %", lambda scored: scored.interval if scored.line.cells else None, tables=EVERYWHERE,
        cell=lambda row: span(row.get("interval"), bool(row.get("few_speakers"))),
        definition="""percentile bootstrap of that mean over test speakers (10,000 resamples; those that lack a class
        are left out). ‡: fewer than 8 speakers, so that the interval is too narrow: in a simulation, intervals of two
        speakers held the true value in 56 % of all cases, of four speakers in 80 %, of ten in 90 %.""",
    ),
    Measure(
        "sd", "sd", lambda scored: scored.scores["uar_sd"],
        definition="standard deviation over draws, seeds and, where each tests all utterances, fold models.",
    ),
    Measure("folds", "folds", _measured("uar_mean_of_folds"), cell=_folds,
            definition="mean (± standard deviation) of the UARs of single folds, as papers print it."),
    Measure("folds_sd", "", _measured("uar_sd_of_folds"), tables=()),
    Measure("minus_published", "folds - published", None, signed, tables=(PAGE, SUMMARY)),
    Measure(
        "episodic", "episodic", _measured("episodic"),
        definition="""UAR by the paper's sampling of test utterances: 5 random queries per class in each of
        floor(n / 10) episodes of a fold with n test utterances, the same for all systems with support sets. It
        estimates what UAR estimates, with more noise.""",
    ),
    Measure("wa", "WA", lambda scored: scored.scores["wa"], definition="accuracy."),
    Measure("macro_f1", "F1", lambda scored: scored.scores["macro_f1"], definition="mean of the classes' F1."),
    Measure(
        "recall", "{}", lambda scored: scored.by_class("recall"), tables=(PAGE, REPORT),
        definition="one column for each class: the share of its utterances that was recognized.",
    ),
    Measure(
        "difference", "difference", lambda scored: scored.difference, cell=_difference,
        tables=(PAGE, TERMINAL, REPORT),
        definition="""UAR minus that of the system named, with an interval of its own from the same resamples.
        Intervals are not corrected for the number of comparisons: among many systems some exclude 0 by chance. ▼:
        worse than the system named.""",
    ),
    Measure("difference_interval", "", lambda scored: scored.difference_interval, tables=()),
    Measure(
        "p", "p", lambda scored: scored.p, p_value, tables=(PAGE, TERMINAL, REPORT),
        definition="""two-sided paired permutation test of the difference, which swaps the two systems' results
        speaker by speaker; Holm-corrected over the tests of one feature. Before correction p cannot be below 2 / 2^S
        with S speakers. Above 0.05 the test finds no difference.""",
    ),
    Measure("source_only", "against source only", cell=_source_only, tables=(REPORT,)),
    Measure("marks", "marks", lambda scored: scored.standing.marks, str, tables=(PAGE, REPORT, SUMMARY)),
)  # fmt: skip
"""Of a table of scores, in the order of its columns."""


def _r2(row: Row) -> str:
    if "n" not in row:
        return "not run"
    text = number(row.get("r2"))
    return text if row["is_significant"] or not text else f"{text}*"


def _fit_difference(row: Row) -> str:
    if row.get("difference") is None:
        return ""
    return f"{row['difference']:+.2f} {brackets(row['difference_interval'], '+')} ({row['versus']})"


def _of(name: str) -> Callable[[ScoredFit], Any]:
    return lambda scored: getattr(scored, name)


FIT_MEASURES = (
    Measure("n", "n", _of("n"), lambda n: f"{n:.0f}", tables=(PAGE, REPORT),
            definition="the number of these utterances, mean over models."),
    Measure(
        "r2", "R2", _of("r2"), cell=_r2, tables=(PAGE, REPORT),
        definition="""adjusted R2 of the ordinary least squares fit of a rating on the latent space, l ~ 1 + z1 + z2,
        over the rated utterances that a model was tested on, without outliers; mean over fold models and seeds. *:
        for at least half of the models an F-test finds no dependence at the 5 % level.""",
    ),
    Measure("is_significant", "", _of("is_significant"), tables=()),
    Measure(
        "interval", "95 %", _of("interval"), brackets, tables=(PAGE, REPORT),
        definition="""percentile bootstrap of that mean over test speakers (1,000 resamples), but neither over folds
        nor over seeds; shifted so that the resamples' mean is the value measured, since a speaker drawn twice counts
        as new utterances and raises adjusted R2.""",
    ),
    Measure("sd", "sd", _of("sd"), number, definition="standard deviation of R2 over fold models and seeds."),
    Measure("published_text", "published", None, str, tables=(PAGE, REPORT)),
    Measure(
        "difference", "difference", _of("difference"), cell=_fit_difference, tables=(PAGE, REPORT),
        definition="""R2 minus that of the system named, with its interval from the same resamples, shifted
        likewise.""",
    ),
    Measure("difference_interval", "", _of("difference_interval"), tables=()),
    Measure(
        "distances", "distances", _of("distances"), tables=(PAGE, REPORT),
        cell=lambda row: " ± ".join(filter(None, (number(row.get("distances")), number(row.get("distances_sd"))))),
        definition="""adjusted R2 of z_d on l_d, the Euclidean distances of latent vectors on the distances of ratings
        over all pairs of utterances; mean and sd over models.""",
    ),
    Measure("distances_sd", "", _of("distances_sd"), tables=()),
    Measure("published_distances", "published distances", None, str, tables=(PAGE, REPORT)),
)  # fmt: skip
"""Of one rating in a table of fits (`ser.results.fits`)."""
