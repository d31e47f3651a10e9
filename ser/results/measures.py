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

PAGE, DETAIL, TERMINAL, REPORT, SUMMARY = "RESULTS.md", "detail", "terminal", "report.html", "egs/RESULTS.md"
"""Where a column may stand; `detail` is the second table of a page, of all that is measured besides."""

SIGNIFICANT = 0.05
"""A corrected p below it is a difference."""

BEST, TIE = "★", "="
"""The marks: the best system of a table, and those of another kind that are not significantly worse than it."""


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


def span(bounds: Sequence[float] | None) -> str:
    """Print an interval of shares in per cent.

    Example:
        >>> span([0.425, 0.5])
        '42.5-50.0'
    """
    return "" if bounds is None else f"{percent(bounds[0])}-{percent(bounds[1])}"


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
    tables: Collection[str] = (DETAIL,)

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
    if row.get("hole"):
        return f"not run: {row['hole']}"
    return "not run" if "hole" in row else ""


def _folds(row: Row) -> str:
    spread = f" ± {percent(row['folds_sd'])}" if row.get("folds_sd") is not None else ""
    return percent(row.get("folds")) + spread if row.get("folds") is not None else ""


def _difference(row: Row) -> str:
    if row.get("difference") is None:
        return ""
    value, bounds = signed(100 * row["difference"]), row.get("difference_interval")
    between = f" [{', '.join(signed(100 * bound) for bound in bounds)}]" if bounds else ""
    seeds = f", {n} seed{'s' * (n > 1)}" if (n := len(row.get("difference_seeds", ()))) else ""
    return f"{value}{between} ({row['versus']}{seeds})"


def _seeds(row: Row) -> str:
    if "uar" not in row or "seeds" not in row:
        return ""
    return str(row["seeds"]) if row.get("is_random", True) else "-"


def _source_only(row: Row) -> str:
    if (found := row.get("source_only")) is None:
        return ""
    return f"{signed(100 * found['difference'])} ({found['label']}, p {p_value(found['p'])})"


def notes(row: Row) -> str:
    """Print what a reader has to know of a system besides its numbers: a mark where it is among the best, then words.

    Example:
        >>> notes({"is_best_of_all": True, "one_training": True})
        '★ one training'
        >>> notes({"best": {"label": "fstl", "is_tie": True, "p": 0.2}})
        'not worse than fstl'
        >>> notes({"worse": True, "versus": "btl", "one_class": 2, "cells": 15})
        'worse than btl; predicts one class in 2 of 15'
    """
    is_tie = bool((row.get("best_of_all") or {}).get("is_tie"))
    mark = BEST if row.get("is_best_of_all") else TIE if is_tie else ""
    found = ["best of its kind"] if row.get("is_best") and not row.get("is_best_of_all") else []
    if (best := row.get("best")) and best.get("is_tie"):
        found.append(f"not worse than {best['label']}")
    if row.get("worse"):
        found.append(f"worse than {row['versus']}")
    if (before := row.get("source_only")) and before.get("worse"):
        found.append(f"worse than {before['label']}")
    if row.get("one_training"):
        found.append("one training")
    if row.get("one_class"):
        found.append(f"predicts one class in {row['one_class']} of {row['cells']}")
    return " ".join(filter(None, (mark, "; ".join(dict.fromkeys(found)))))


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
        "seeds", "seeds", lambda scored: len(scored.line.seeds) if scored.line.cells else None, cell=_seeds,
        tables=(PAGE, SUMMARY),
        definition="trainings that differ in nothing but their random numbers; -: nothing is random.",
    ),
    Measure(
        "interval", "95 %", lambda scored: scored.interval, tables=EVERYWHERE, format=span,
        definition="""interval of the method's UAR, with speakers, seeds and support draws as random factors: a
        delete-one-speaker jackknife on the logit of UAR plus a two-way layout of seeds and draws, with
        Satterthwaite's degrees of freedom. Of one training of a random method it is about that training only. Empty
        where one speaker has all utterances of a class.""",
    ),
    Measure(
        "sd", "sd", lambda scored: scored.scores["uar_sd"],
        definition="standard deviation over draws, seeds and, where each tests all utterances, fold models.",
    ),
    Measure("folds", "folds", _measured("uar_mean_of_folds"), cell=_folds,
            definition="mean (± standard deviation) of the UARs of single folds, as papers print it."),
    Measure("folds_sd", "", _measured("uar_sd_of_folds"), tables=()),
    Measure("minus_published", "folds - published", None, signed, tables=(DETAIL, SUMMARY)),
    Measure(
        "episodic", "episodic", _measured("episodic"),
        definition="""UAR by the paper's sampling of test utterances: 5 random queries per class in each of
        floor(n / 10) episodes of a fold with n test utterances, the same for all systems with support sets. It
        estimates what UAR estimates, with more noise.""",
    ),
    Measure("wa", "WA", lambda scored: scored.scores["wa"], definition="accuracy."),
    Measure("macro_f1", "F1", lambda scored: scored.scores["macro_f1"], definition="mean of the classes' F1."),
    Measure(
        "recall", "{}", lambda scored: scored.by_class("recall"), tables=(DETAIL, REPORT),
        definition="one column for each class: the share of its utterances that was recognized.",
    ),
    Measure("ece", "ECE", _measured("ece"), number, tables=()),
    Measure("nll", "NLL", _measured("nll"), number, tables=()),
    Measure("brier", "Brier", _measured("brier"), number, tables=()),
    Measure("risk_coverage", "", lambda scored: list(scored.line.risks), tables=()),
    Measure("f1", "F1 of {}", lambda scored: scored.by_class("f1"), tables=()),
    Measure(
        "difference", "difference", lambda scored: scored.against and scored.against.value, cell=_difference,
        tables=(PAGE, TERMINAL, REPORT),
        definition="""UAR minus that of the system named, on the same utterances, support sets and seeds; of unequal
        numbers of seeds, on those that both have, whose number is in the brackets. Its interval counts speakers,
        seeds and draws as random and is corrected for the number of systems held against the same one (Bonferroni),
        so that all of these hold at once.""",
    ),
    Measure("difference_interval", "", lambda scored: scored.against and scored.against.interval, tables=()),
    Measure("detectable", "", lambda scored: scored.against and scored.against.detectable, tables=()),
    Measure(
        "p", "p", lambda scored: scored.against and scored.against.p, p_value, tables=(PAGE, TERMINAL, REPORT),
        definition="""two-sided t test of the difference with the same variance and the same correction: below 0.05
        exactly where the interval excludes 0. None of one training of a random method.""",
    ),
    Measure("source_only", "against source only", cell=_source_only, tables=(REPORT,)),
    Measure("notes", "notes", cell=notes, tables=(PAGE, REPORT)),
)  # fmt: skip
"""Of a table of scores, in the order of its columns."""


def _r2(row: Row) -> str:
    if "n" not in row:
        return "not run"
    text = number(row.get("r2"))
    return text if row.get("is_significant", True) or not text else f"{text} (n.s.)"


def _r2_interval(row: Row) -> str:
    text = brackets(row.get("interval"))
    return f"{text} (one training)" if text and row.get("one_training") else text


def _fit_difference(row: Row) -> str:
    if row.get("difference") is None:
        return ""
    return f"{row['difference']:+.2f} {brackets(row.get('difference_interval'), '+')}".strip() + f" ({row['versus']})"


def _of(name: str) -> Callable[[ScoredFit], Any]:
    return lambda scored: getattr(scored, name)


FIT_MEASURES = (
    Measure("n", "n", _of("n"), lambda n: f"{n:.0f}", tables=(PAGE, REPORT),
            definition="the number of these utterances, mean over models."),
    Measure(
        "r2", "R2", _of("r2"), cell=_r2, tables=(PAGE, REPORT),
        definition="""adjusted R2 of the ordinary least squares fit of a rating on the latent space, l ~ 1 + z1 + z2,
        over the rated utterances that a model was tested on, without outliers; mean over fold models and seeds.
        n.s.: for at least half of the models no dependence is found at the 5 % level (Hotelling's test of the slopes,
        whose covariance is that of a delete-one-speaker jackknife).""",
    ),
    Measure("is_significant", "", _of("is_significant"), tables=()),
    Measure("one_training", "", _of("one_training"), tables=()),
    Measure(
        "interval", "95 %", _of("interval"), cell=_r2_interval, tables=(PAGE, REPORT),
        definition="""interval of that mean with speakers, seeds and fold models as random factors (delete-one-speaker
        jackknife, two-way layout, Satterthwaite's degrees of freedom).""",
    ),
    Measure("sd", "sd", _of("sd"), number, tables=(PAGE,),
            definition="standard deviation of R2 over fold models and seeds."),
    Measure("published_text", "published", None, str, tables=(PAGE, REPORT)),
    Measure(
        "difference", "difference", _of("difference"), cell=_fit_difference, tables=(PAGE, REPORT),
        definition="""R2 minus that of the system named, on the seeds that both have, with an interval that is
        corrected for the number of systems held against the same one (Bonferroni).""",
    ),
    Measure("difference_interval", "", _of("difference_interval"), tables=()),
    Measure("p", "", _of("p"), tables=()),
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
