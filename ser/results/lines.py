"""Stage 6: from `metrics.json` files to one table with intervals and paired tests, as Markdown and as plain text.

No number is typed by hand: everything comes from the counts that stage 5 wrote, and from what a paper printed.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from ser.adaptation.base import find
from ser.metrics.statistics import (
    Interval,
    difference_bootstrap,
    holm,
    mean_scores,
    paired_speaker_test,
    resample_speakers,
    speaker_bootstrap,
)
from ser.randomness import rng
from ser.results.published import Condition, Published
from ser.system.environment import Environment

DEFINITIONS = """
UAR: mean of the per-class recalls, every test utterance once, all folds of one support draw and source seed scored
together (a fold that lacks a class is never scored alone), then averaged over draws and seeds. Interval: 95 %
percentile bootstrap of that mean, resampling test speakers (10,000 times; resamples that lack a class are left out).
‡: an interval of fewer than 8 speakers, which is too narrow: in a simulation 56 % of those of two speakers held the
true value, 80 % of four and 90 % of ten. sd: standard deviation over draws, seeds and, where each tests all
utterances, fold models. Folds: mean (± standard deviation) of the UARs of single folds, as papers print it. Episodic:
the paper's sampling of test utterances, 5 random queries per class in each of floor(n / 10) episodes of a fold with n
test utterances, the same for all rows with support sets; it estimates what UAR estimates, with more noise. WA:
accuracy. F1: mean of the classes' F1. Recall: share of a class that was recognized. Difference: UAR minus that of the
row named, with its own interval from the same resamples, and the p of a two-sided paired permutation test that swaps
the two rows' results speaker by speaker, Holm-corrected over the tests of one feature; before correction p cannot be
below 2 / 2^S with S speakers. Intervals are not corrected: among many rows some exclude 0 by chance, and where p is
above 0.05 the rows are not told apart. Target data: what of the tested corpus a row has seen before it is tested;
labelled are utterances of other folds; unlabelled data are utterances of the task's classes for `corpus` statistics
and all of a speaker's for `speaker` statistics; where domains are adversaries, unlabelled-test is the audio of the
test utterances in the domain loss. Chance guesses evenly; majority always says the source's most frequent class;
shortcut sees duration, level and silence alone. ▼: worse than the row it is compared with. †: in that many of all
folds and draws only one class was predicted. Marks: rows that are alike in feature, target data and stamps are held
against the best of them by the same paired test, Holm-corrected over these rows; ☆ the best of them, = not
significantly worse at the 5 % level, which is not to say as good, ? not to be told, since with so few speakers and so
many rows no difference could be significant. ★: the best of all that have no stamp which others lack and are not
declared as trained on labels of the target beyond k shots, or of all where every row is; =★ and ?★ mark those best
rows of other kinds that are not significantly worse. The best are chosen by the scores themselves, so ties are rather
too few. ▽: adapted, and worse than the feature's first row that has seen nothing of the target.
""".strip()

PROBE_DEFINITIONS = """
Balanced accuracy, per cent, of a logistic regression that reads a domain from the embeddings of other utterances
(five folds; for all but the speaker, of other speakers), mean ± standard deviation over seeds; on up to 400
utterances of training and test. Proxy A-distance between source and target: 2 where they can be told apart without
error, 0 where only by guessing. baseline is before adaptation.
""".strip()


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a table; scores are None where the row was not run.

    Attributes:
        label, feature: what was run.
        condition: what was tested: a number of shots, 0 for rows without support sets, or `<task>: <corpus>`.
        target_data: what of the target it has seen.
        counts: confusion counts, (R, S, C, C), over draws and seeds, or None.
        speakers: (S,) names.
        folds: mean over folds of their own UARs, or None where a fold lacks a class; `folds_sd` their sd.
        one_class, cells: in how many (fold, draw, seed) cells only one class was predicted, of how many.
        versus: label of the row that it is tested against.
        published: its name in the paper's numbers; only such lines have confusion matrices and figures.
        episodic: UAR of the paper's sampling, mean over draws and seeds.
        stamps: what has to stand beside its label.
        hole: why there are no scores; None for a system that stands here as its paper printed it.
    """

    label: str
    feature: str
    condition: Condition
    target_data: Sequence[str] = ()
    counts: np.ndarray | None = None
    speakers: Sequence[str] = ()
    folds: float | None = None
    folds_sd: float | None = None
    one_class: int = 0
    cells: int = 0
    versus: str | None = None
    published: str | None = None
    episodic: float | None = None
    stamps: Sequence[str] = ()
    hole: str | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A row beside another one of its table.

    Attributes:
        label, feature: of the other row.
        difference: UAR minus that of the other row, in [-1, 1], with its interval.
        p: of the paired test, Holm-corrected over its family.
        can_tell: whether so few speakers could have given a p below 5 % in so large a family.
    """

    label: str
    feature: str
    difference: float
    interval: Interval
    p: float
    can_tell: bool

    @property
    def is_tie(self) -> bool:
        """Whether the test has not told the rows apart, and could have if all speakers differed alike."""
        return self.can_tell and self.p >= SIGNIFICANT

    @property
    def mark(self) -> str:
        """`=` for one not significantly worse, `?` where nothing could be told, nothing for a row that is worse."""
        return "=" if self.is_tie else "" if self.can_tell else "?"


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where a row stands in its table.

    Attributes:
        is_best: whether no row with the same rights (see `ser.results.standings`) has a higher UAR, of at least two.
        is_best_of_all: whether no row without labels of the tested corpus beyond k shots has, nor stamps of its own.
        best: beside the best row with the same rights, for others than that.
        best_of_all: beside the best of all, for the best rows of other rights.
        source_only: beside the row that has seen nothing of the target, for rows that have.
    """

    is_best: bool = False
    is_best_of_all: bool = False
    best: Comparison | None = None
    best_of_all: Comparison | None = None
    source_only: Comparison | None = None

    @property
    def marks(self) -> str:
        """What a table shows of it, see `DEFINITIONS`."""
        marks = ["★" if self.is_best_of_all else "☆" if self.is_best else ""]
        if self.best:
            marks.append(self.best.mark)
        if self.best_of_all and self.best_of_all.mark:
            marks.append(f"{self.best_of_all.mark}★")
        if self.source_only and is_worse(self.source_only.difference):
            marks.append("▽")
        return " ".join(filter(None, marks))


@dataclasses.dataclass(frozen=True)
class Scored:
    """A line with everything that is printed of it; scores in [0, 1]."""

    line: Line
    scores: Mapping[str, np.ndarray]
    interval: Interval
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    standing: Standing = Standing()

    @property
    def too_narrow(self) -> str:
        """Mark of intervals that have few speakers."""
        return " ‡" if len(self.line.speakers) < FEW_SPEAKERS else ""

    @property
    def uar_as_printed(self) -> float:
        """UAR as papers print it, the mean over folds, where every fold has all classes; else UAR."""
        return float(self.scores["uar"]) if self.line.folds is None else self.line.folds


FEW_SPEAKERS = 8
"""Intervals of fewer are marked."""

SIGNIFICANT = 0.05
"""Rows whose corrected p is below are told apart."""


def is_worse(difference: float) -> bool:
    """Tell whether a difference is negative as it is printed."""
    return difference <= -0.0005


def line_of(
    label: str,
    feature: str,
    versus: str | None,
    runs: Sequence[Mapping[str, Any]],
    published: str | None = None,
    stamps: Sequence[str] = (),
    task: str = "",
) -> list[Line]:
    """Join the seeds of a row, for each condition.

    Args:
        label, feature, versus, published, stamps, task: of the row.
        runs: `metrics.json` of each seed.
    """
    return [
        Line(
            label=label,
            feature=feature,
            condition=f"{task}: {name}" if task else int(name),
            target_data=runs[0]["target_data"],
            counts=np.concatenate([run["conditions"][name]["counts"] for run in runs]),
            speakers=first["speakers"],
            folds=_mean_over_seeds([run["conditions"][name]["uar_mean_of_folds"] for run in runs]),
            folds_sd=_mean_over_seeds([run["conditions"][name].get("uar_sd_of_folds") for run in runs]),
            episodic=first["episodic"]
            and _mean_over_seeds([run["conditions"][name]["episodic"]["uar"] for run in runs]),
            one_class=sum(run["conditions"][name]["one_class_cells"] for run in runs),
            cells=sum(run["conditions"][name]["cells"] for run in runs),
            versus=versus,
            published=published,
            stamps=[*stamps, *([SPEAKER_DEPENDENT] if name in runs[0].get("speaker_dependent", ()) else [])],
        )
        for name, first in runs[0]["conditions"].items()
    ]


def probe_table(rows: Sequence[tuple[str, str, Sequence[Mapping[str, Any]]]]) -> str:
    """Lay out what embeddings tell of domains.

    Args:
        rows: label, feature and `domains` of each seed's `metrics.json`, see `ser.scoring.probing.domain_measures`.
    """
    first = rows[0][2][0]
    heads = [f"{factor} ({_percent(probe['chance'])} by chance)" for factor, probe in first["probes"].items()]
    table = [["row", "feature", *heads, *([] if first["proxy_a_distance"] is None else ["proxy A-distance"])]]
    for label, feature, seeds in rows:
        shares = [[100 * seed["probes"][factor]["uar"] for seed in seeds] for factor in first["probes"]]
        cells = [f"{np.mean(of_seed):.1f}{_plus_minus(of_seed)}" for of_seed in shares]
        if first["proxy_a_distance"] is not None:
            cells.append(f"{np.mean([seed['proxy_a_distance'] for seed in seeds]):.2f}")
        table.append([label, feature, *cells])
    return pipes(table, 2)


def _plus_minus(values: Sequence[float]) -> str:
    """Print a sample standard deviation, where there is one."""
    return f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""


def notes_of(rows: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> str:
    """Tell which factors had no domain head, as training told of each row; "" where all had one.

    Args:
        rows: label and `metrics.json` of each seed.
    """
    labels: dict[str, list[str]] = {}
    for label, seeds in rows:
        for note in seeds[0]["notes"]:
            labels.setdefault(note, []).append(label)
    heads = {note.partition(": ")[::2]: ", ".join(own) for note, own in labels.items()}
    return wrapped(" ".join(f"No head for {name} ({why}) in {own}." for (name, why), own in heads.items()))


def _mean_over_seeds(scores: Sequence[float | None]) -> float | None:
    """Average a score that the test utterances either have, for all seeds, or have not."""
    return None if scores[0] is None else float(np.mean(scores))


SPEAKER_DEPENDENT = "SPEAKER-DEPENDENT"
"""Beside rows some of whose tested speakers were trained on."""

SPEAKER_TELLS = "speaker ~ emotion"


def published_lines(published: Published | None, claimed: Collection[str | None], condition: Condition) -> list[Line]:
    """List the systems that a paper cites, as lines without scores.

    Args:
        published: what the paper printed.
        claimed: names that rows of the recipe have.
        condition: the table.
    """
    names = published.uar if published else ()
    return [
        Line(name, "-", condition, published=name)
        for name in names
        if name not in claimed and published.uar_of(name, condition) is not None
    ]


def row_stamps(adaptation: str, one_class_speakers: Mapping[str, Sequence[int]]) -> list[str]:
    """Tell what has to stand beside a row whatever it scores.

    Statistics of speakers who have one class alone are statistics of that class: where most speakers of a corpus are
    such, a row that uses them sees the emotion through the speaker.

    Args:
        adaptation: what brings corpora together before the row's method sees them, a file of `ser.adaptation`.
        one_class_speakers: corpus -> number of its speakers who have one class alone, and of all its speakers.
    """
    return [SPEAKER_TELLS] if find(adaptation).GROUP == "speaker" and _mostly(one_class_speakers) else []


def page_stamps(one_class_speakers: Mapping[str, Sequence[int]]) -> list[str]:
    """Explain the stamps of rows, for the head of a page."""
    return [
        f"{SPEAKER_TELLS}: {n} of {n_all} speakers of {corpus} have one class alone; rows marked so use statistics "
        "of speakers, which tell the emotion there"
        for corpus, (n, n_all) in _mostly(one_class_speakers).items()
    ]


def _mostly(one_class_speakers: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    return {corpus: both for corpus, both in one_class_speakers.items() if 2 * both[0] > both[1]}


def reference_lines(line: Line, classes: Sequence[str], majority: str) -> list[Line]:
    """Make the rows for chance and for the majority class, from the test utterances of any other row."""
    n_true = line.counts[0].sum(-1, keepdims=True)  # (S, C, 1)
    occurs = n_true.any((0, 2))  # (C,); a corpus may lack classes of another
    always = np.zeros(len(classes))
    always[list(classes).index(majority)] = 1
    return [
        Line("chance", "-", 0, (), (n_true * occurs / occurs.sum())[None], line.speakers),
        Line(f"majority ({majority})", "-", 0, (), (n_true * always)[None], line.speakers),
    ]


def score_lines(lines: Sequence[Line], seed: int) -> list[Scored | Line]:
    """Score one table's lines, with intervals and Holm-corrected paired tests; holes stay lines."""
    scored: list[Scored | Line] = []
    tests: dict[str, list[tuple[int, float]]] = {}
    resamples = cache(lambda n_speakers: resample_speakers(n_speakers, rng("bootstrap", seed)))  # one for all rows
    for line in lines:
        if line.counts is None:
            scored.append(line)
            continue
        key = (line.label, line.feature, line.condition)
        drawn = resamples(line.counts.shape[1])
        result = Scored(line, mean_scores(line.counts), speaker_bootstrap(line.counts, drawn))
        other = _versus(line, lines)
        if other is not None:
            p = paired_speaker_test(line.counts, other.counts, rng("paired test", seed, *key))
            tests.setdefault(line.feature, []).append((len(scored), p))
            result = dataclasses.replace(
                result,
                difference=float(result.scores["uar"] - mean_scores(other.counts)["uar"]),
                difference_interval=difference_bootstrap(line.counts, other.counts, drawn),
            )
        scored.append(result)
    for family in tests.values():  # one feature's rows answer one question; what else is listed does not matter
        for (place, _), p in zip(family, holm(np.array([p for _, p in family])), strict=True):
            scored[place] = dataclasses.replace(scored[place], p=float(p))
    return scored


def _versus(line: Line, lines: Sequence[Line]) -> Line | None:
    """Find the line that a line is tested against, among those of one table: the same feature."""
    for other in lines:
        if other.label == line.versus and other.feature == line.feature and other.counts is not None:
            return other
    return None


# ---- Rendering ------------------------------------------------------------------------------------------------

IN_TERMINAL = ("row", "feature", "target data", "published", "UAR", "95 %", "difference", "p")
"""Columns that fit a terminal."""

WITHOUT_SCORES = ("row", "feature", "published", "UAR")
"""Columns of a table in which nothing was run."""


def header(classes: Sequence[str], published: Published | None = None) -> list[str]:
    """Column names of a table; the paper's stand before ours."""
    names = ["row", "feature", "target data", "published", "UAR", "95 %", "sd", "folds", "folds - published",
             "episodic", "WA", "F1", *classes, "difference", "p", "marks"]  # fmt: skip
    return [name for name in names if published or "published" not in name]


def cells(entry: Scored | Line, classes: Sequence[str], published: Published | None = None) -> list[str]:
    """Print one line's cells in the order of `header`, scores in per cent."""
    of_column = _hole_cells(entry) if isinstance(entry, Line) else _scored_cells(entry, classes)
    line = entry if isinstance(entry, Line) else entry.line
    value = published and published.uar_of(line.published, line.condition)
    if value is not None:
        of_column["published"] = published.uar_text(line.published, line.condition)
        if isinstance(entry, Scored):
            of_column["folds - published"] = f"{100 * entry.uar_as_printed - value:+.1f}"
    return [of_column.get(name, "") for name in header(classes, published)]


def _hole_cells(line: Line) -> dict[str, str]:
    return {"row": line.label, "feature": line.feature, "UAR": f"not run: {line.hole}" if line.hole else ""}


def _scored_cells(entry: Scored, classes: Sequence[str]) -> dict[str, str]:
    line, scores = entry.line, entry.scores
    mark = f" †{line.one_class}/{line.cells}" if line.one_class else ""
    mark += "".join(f" [{stamp}]" for stamp in line.stamps)
    of_column = {
        "row": line.label + mark,
        "feature": line.feature,
        "target data": ", ".join(line.target_data) or "none",
        "UAR": _percent(scores["uar"]),
        "WA": _percent(scores["wa"]),
        "F1": _percent(scores["macro_f1"]),
    }
    recalls = zip(classes, scores["recall"], strict=True)
    of_column |= {name: _percent(recall) for name, recall in recalls if not np.isnan(recall)}
    if line.cells:  # chance and majority: nothing to resample
        of_column["95 %"] = f"{_percent(entry.interval.low)}-{_percent(entry.interval.high)}{entry.too_narrow}"
    if not np.isnan(scores["uar_sd"]):
        of_column["sd"] = _percent(scores["uar_sd"])
    of_column |= {
        name: _percent(v) for name, v in (("folds", line.folds), ("episodic", line.episodic)) if v is not None
    }
    if line.folds is not None and line.folds_sd is not None:
        of_column["folds"] += f" ± {_percent(line.folds_sd)}"
    if entry.difference is not None:
        low, high = (100 * bound for bound in entry.difference_interval)
        worse = " ▼" if is_worse(entry.difference) else ""
        between = f"[{low:+.1f}, {high:+.1f}{entry.too_narrow}]"
        of_column["difference"] = f"{100 * entry.difference:+.1f} {between} ({line.versus}){worse}"
    if entry.p is not None:
        of_column["p"] = f"{entry.p:.3f}" if entry.p >= 0.001 else "<0.001"
    of_column["marks"] = entry.standing.marks
    return of_column


def _percent(share: float | np.ndarray) -> str:
    return f"{100 * float(share):.1f}"


def _columns(
    names: Sequence[str], entries: Sequence[Scored | Line], classes: Sequence[str], published: Published | None
) -> list[list[str]]:
    """Print some columns of a table, names first."""
    rows = [header(classes, published), *(cells(entry, classes, published) for entry in entries)]
    kept_empty = ("UAR", "difference", "p")  # other columns that no row fills say nothing
    filled = [name for name, *column in zip(*rows, strict=True) if name in kept_empty or any(column)]
    keep = [rows[0].index(name) for name in names if name in filled]
    return [[row[i] for i in keep] for row in rows]


def pipes(rows: Sequence[Sequence[str]], n_texts: int) -> str:
    """Lay out a Markdown table whose first row is its header and whose first columns hold text."""
    lines = [rows[0], ["---"] * n_texts + ["---:"] * (len(rows[0]) - n_texts), *rows[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def markdown_table(
    entries: Sequence[Scored | Line], classes: Sequence[str], published: Published | None = None
) -> str:
    """Lay out a pipe table; without any score, only the columns that can be filled."""
    any_scores = any(isinstance(entry, Scored) for entry in entries)
    names = header(classes, published) if any_scores else WITHOUT_SCORES
    return pipes(_columns(names, entries, classes, published), 3 if any_scores else 2)


def text_table(entries: Sequence[Scored | Line], classes: Sequence[str], published: Published | None = None) -> str:
    """Lay out the columns that fit a terminal."""
    rows = _columns(IN_TERMINAL, entries, classes, published)
    place = rows[0].index("UAR")  # a hole's reason runs over the empty cells to its right
    scored = [row for row in rows if not row[place].startswith("not run")]
    widths = [max(len(row[i]) for row in (rows if i < place else scored)) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def confusion_text(shares: np.ndarray, classes: Sequence[str]) -> str:
    """Print a confusion matrix, (C, C) shares of each true class, in per cent as Yue 2023 does (Figs. 3 and 4)."""
    rows = [["true \\ predicted", *classes]]
    rows += [[name, *(f"{100 * share:.2f}" for share in row)] for name, row in zip(classes, shares, strict=True)]
    return pipes(rows, 1)


def confusion_shares(line: Line) -> np.ndarray:
    """Average confusion over draws and seeds, as shares of each true class (zeros if absent), (C, C), rows true."""
    total = line.counts.sum((0, 1)).astype(float)
    return total / np.maximum(total.sum(-1, keepdims=True), 1)


def paper_rows(entries: Sequence[Scored | Line]) -> list[Scored]:
    """Choose the scored rows that stand for a method of the paper."""
    return [entry for entry in entries if isinstance(entry, Scored) and entry.line.published]


def confusions(
    entries: Sequence[Scored | Line], condition: Condition, classes: Sequence[str], published: Published | None
) -> list[str]:
    """Print our confusion matrices of the paper's methods, each with the paper's own beneath it where there is one.

    A matrix of the paper whose method has no scores here stands alone.
    """
    texts = []
    ours = paper_rows(entries)
    for entry in ours:
        text = confusion_text(confusion_shares(entry.line), classes)
        theirs = published and published.confusion_of(entry.line.published, condition)
        if theirs is not None:
            text += f"\nPublished ({published.confusion_source}):\n\n{confusion_text(theirs, classes)}"
        texts.append(_details(f"{entry.line.label}, {entry.line.feature}", text))
    for name in published.confusion if published else ():
        theirs = published.confusion_of(name, condition)
        if theirs is not None and name not in {entry.line.published for entry in ours}:
            texts.append(
                _details(f"{name}, published ({published.confusion_source})", confusion_text(theirs, classes))
            )
    return texts


def _details(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text}\n</details>"


@dataclasses.dataclass(frozen=True)
class Curve:
    """UAR of one row against the number of shots.

    Attributes:
        label: of the row.
        uar: number of shots -> UAR, in [0, 1].
        interval: number of shots -> its interval.
        published: number of shots -> the paper's UAR, in [0, 1].
        level: whether the row knows no shots, so that all its points are one.
    """

    label: str
    uar: Mapping[int, float]
    interval: Mapping[int, Interval]
    published: Mapping[int, float]
    level: bool


def curves(
    tables: Mapping[int, Sequence[Scored | Line]], feature: str, labels: Sequence[str], published: Published | None
) -> list[Curve]:
    """Collect some rows of one feature over all tables, in the order of the labels, those without scores left out."""
    found = []
    for label in labels:
        of_row = {
            shots: entry
            for shots, entries in tables.items()
            for entry in entries
            if isinstance(entry, Scored) and (entry.line.label, entry.line.feature) == (label, feature)
        }
        if of_row:
            line = next(iter(of_row.values())).line
            theirs = {shots: published and published.uar_of(line.published, shots) for shots in tables}
            found.append(
                Curve(
                    label,
                    {shots: float(entry.scores["uar"]) for shots, entry in of_row.items()},
                    {shots: entry.interval for shots, entry in of_row.items()},
                    {shots: value / 100 for shots, value in theirs.items() if value is not None},
                    line.condition == 0,
                )
            )
    return found


def overview(tables: Tables, published: Published | None = None) -> str:
    """Lay out UAR and interval of several conditions, one line per row, with the paper's UARs beside them.

    Corpora have a mean column, the plain mean of their UARs. Left out are chance and majority, rows without scores
    that the paper does not have, and systems that it cites.
    """
    tables = {
        c: [e for e in entries if not (isinstance(e, Line) and e.hole is None)] for c, entries in tables.items()
    }
    are_corpora = any(isinstance(condition, str) for condition in tables)
    rows = [["row", "feature", *map(heading, tables), *(["mean"] if are_corpora else [])]]
    if published:
        rows[0].append("published")
    lines_of = [{(_line(e).label, _line(e).feature): e for e in entries} for entries in tables.values()]
    for key in dict.fromkeys(key for of_table in lines_of for key in of_table):
        # a row that was not made for a corpus, as a reference of another one, is empty there
        of_row = [of_table.get(key, Line(*key, 0)) for of_table in lines_of]
        lines = [_line(entry) for entry in of_row]
        theirs = [published and published.uar_of(lines[0].published, condition) for condition in tables]
        if any(line.cells for line in lines) or any(value is not None for value in theirs):
            texts = [f"{value:.2f}" if value is not None else "-" for value in theirs]
            rows.append([lines[0].label, lines[0].feature, *map(_uar_with_interval, of_row)])
            if are_corpora:
                rows[-1].append(_mean_uar(of_row))
            if published:
                rows[-1].append(" / ".join(texts) if set(texts) != {"-"} else "")
    return pipes(rows, 2)


def _line(entry: Scored | Line) -> Line:
    return entry if isinstance(entry, Line) else entry.line


def _is_cited(entry: Scored | Line) -> bool:
    return isinstance(entry, Line) and entry.hole is None


def _mean_uar(entries: Sequence[Scored | Line]) -> str:
    if any(isinstance(entry, Line) for entry in entries):
        return ""
    return _percent(np.mean([entry.scores["uar"] for entry in entries]))


def _uar_with_interval(entry: Scored | Line) -> str:
    if isinstance(entry, Line):
        return "not run" if entry.hole else ""
    low, high = map(_percent, entry.interval)
    return f"{_percent(entry.scores['uar'])} [{low}-{high}{entry.too_narrow}]"


Tables = Mapping[Condition, Sequence[Scored | Line]]
"""What was tested -> scored lines."""


def heading(condition: Condition) -> str:
    """Name a table."""
    return f"{condition} shots" if isinstance(condition, int) else condition


def groups(tables: Tables) -> dict[str, Tables]:
    """Gather the tables that are read together: all numbers of shots, or a task's corpora on one kind of split."""
    found: dict[str, dict[Condition, Sequence[Scored | Line]]] = {}
    for condition, entries in tables.items():
        task, _, corpus = heading(condition).partition(": ")
        name = "UAR against shots" if isinstance(condition, int) else task
        if corpus.endswith(", rotation"):
            name += ", rotation over held-out speakers"
        found.setdefault(name, {})[condition] = entries
    return found


ENVIRONMENT = "## Environment"


def holds_scores(page: str) -> bool:
    """Tell whether a RESULTS.md has scores, or only what a paper printed."""
    return ENVIRONMENT in page.splitlines()


def markdown(
    *,
    title: str,
    made_from: str,
    stamps: Sequence[str],
    environment: Environment | None,
    features: Sequence[str],
    corpora: Sequence[str],
    tables: Tables,
    classes_of: Mapping[Condition, Sequence[str]],
    published: Published | None = None,
    notes: Mapping[str, str] = MappingProxyType({}),
    beside: Mapping[Condition | str, Sequence[str]] = MappingProxyType({}),
) -> str:
    """Write a recipe's RESULTS.md.

    Args:
        title: of the recipe.
        made_from: fingerprint of the inputs, kept in the first line.
        stamps: warnings that hold for every row.
        environment: where the table was made; None where nothing was run.
        features, corpora: one description a line.
        tables: scored lines.
        classes_of: names of each table's classes in the order of their indices.
        published: what the paper printed.
        notes: task -> what has to be known of single rows, below each of its tables.
        beside: what else is told of a condition, below its table, or of a group, below its overview.
    """
    parts = [
        f"<!-- Written by `python -m ser.bin.results` from {made_from}; do not edit. -->",
        f"# {title}",
        *(f"**{stamp}**" for stamp in stamps),
    ]
    if environment:
        packages = ", ".join(f"{name} {number}" for name, number in environment.packages.items())
        parts += [
            ENVIRONMENT,
            f"- date: {environment.date}\n- python {environment.python}, {environment.machine}, {packages}\n"
            f"- ser {environment.ser}, commit {environment.commit}",
            "\n".join(f"- {text}" for text in (*corpora, *features)),
        ]
    definitions = _definitions(environment is not None, published)
    for name, group in groups(tables).items():
        if len(group) > 1 and isinstance(next(iter(group)), str):  # what one comes to read stands first
            parts += [f"## {name}", "UAR [95 %].", overview(group, published)]
        parts += beside.get(name, ())
    for condition, entries in tables.items():
        classes = classes_of[condition]
        own = notes.get(heading(condition).partition(": ")[0])
        parts += [f"## {heading(condition)}", markdown_table(entries, classes, published)]
        parts += [*([own] if own else []), *definitions]
        if matrices := confusions(entries, condition, classes, published):
            parts += [f"### Confusion matrices, {heading(condition)}", "Per cent of each true class.", *matrices]
        parts += beside.get(condition, ())
    for name, group in groups(tables).items():
        if len(group) > 1 and isinstance(next(iter(group)), int):
            text = "UAR [95 %]; rows without support sets have one value."
            parts += [f"## {name}", text, overview(group, published)]
    return "\n\n".join(parts) + "\n"


def _definitions(any_scores: bool, published: Published | None) -> list[str]:
    """Explain a table, one paragraph about our scores and one about the paper's."""
    paragraphs = [DEFINITIONS] if any_scores else []
    if published:
        difference = " Folds - published: our mean over folds, or our UAR where a fold lacks a class, minus it."
        told = f"Published: UAR of {published.source}.{difference if any_scores else ''} {published.note or ''}"
        paragraphs.append(told)
    return [wrapped(text) for text in paragraphs]


def wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 118))
