"""From counts to a table: every number on the line it belongs to, holes told, Markdown well-formed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ser.metrics.statistics import holm, mean_scores, paired_speaker_test
from ser.results import lines as results
from ser.results.lines import (
    Line,
    Scored,
    confusion_shares,
    line_of,
    markdown_table,
    overview,
    published_lines,
    reference_lines,
    score_lines,
)
from ser.results.published import Published
from ser.system.environment import Environment

CLASSES = ("angry", "happy", "sad")
N_TRUE = np.array([[4, 2, 2], [4, 3, 1], [3, 1, 4], [4, 4, 2], [2, 2, 2], [5, 1, 3]])  # (S, C)
SPEAKERS = [f"t-{i}" for i in range(len(N_TRUE))]
THEIRS = [[80, 15.5, 4.5], [20.25, 50.5, 29.25], [0, 33.33, 66.67]]
PAPER = Published(
    source="A 2020, Table 1",
    uar={"btl": {5: 40.25}, "emofsl": {5: 65.72, 10: 70}},
    confusion={"emofsl": {5: THEIRS}},
    confusion_source="A 2020, Fig. 2",
    note="The note.",
)


def counts_of(skill: float, seed: int, draws: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shares = (1 - skill) / 3 + skill * np.eye(3)
    return np.array(
        [[[rng.multinomial(n, shares[c]) for c, n in enumerate(row)] for row in N_TRUE] for _ in range(draws)]
    )


def line(label: str, skill: float = 0.5, seed: int = 0, versus: str | None = None, **more) -> Line:
    return Line(label, "byol", 5, ("k-shot",), counts_of(skill, seed), SPEAKERS, cells=6, versus=versus, **more)


def run_of(counts: np.ndarray, folds: float | None = 0.5, one_class: int = 0, episodic: float | None = 0.5) -> dict:
    """Make a seed's `metrics.json`, as far as tables use it."""
    of_shots = {
        "counts": counts.tolist(),
        "speakers": SPEAKERS,
        "uar_mean_of_folds": folds,
        "episodic": {"uar": episodic},
        "one_class_cells": one_class,
        "cells": 2 * len(counts),
    }
    conditions = {"5": of_shots, "10": of_shots | {"counts": (2 * counts).tolist()}}
    return {"target_data": ["k-shot"], "conditions": conditions}


def cell(entry, column: str, published: Published | None = None) -> str:
    names, texts = results.header(CLASSES, published), results.cells(entry, CLASSES, published)
    return dict(zip(names, texts, strict=True))[column]


def cells_of(table: str) -> list[list[str]]:
    """Read a Markdown table."""
    return [[c.strip() for c in row.split("|")[1:-1]] for row in table.splitlines()]


# ---- Lines ----------------------------------------------------------------------------------------------------


def test_line_joins_seeds():
    one, two = counts_of(0.5, 1), counts_of(0.5, 2)
    runs = [run_of(one, 0.4, 1, 0.3), run_of(two, 0.5, 2, 0.6)]
    five, ten = line_of("EMOFSL", "byol", "BTL", runs, "emofsl", ["stamp"])
    assert (five.label, five.feature, five.condition, five.versus) == ("EMOFSL", "byol", 5, "BTL")
    assert np.array_equal(five.counts, np.concatenate([one, two]))
    assert (five.published, five.stamps) == ("emofsl", ["stamp"])
    assert five.folds == pytest.approx(0.45)
    assert five.episodic == pytest.approx(0.45)
    assert (five.one_class, five.cells) == (3, 12)
    assert (five.target_data, five.speakers) == (["k-shot"], SPEAKERS)
    assert ten.condition == 10
    assert np.array_equal(ten.counts, 2 * five.counts)


def test_line_has_no_mean_of_folds_where_a_fold_lacks_a_class():
    [line, _] = line_of("BTL", "byol", None, [run_of(counts_of(0.5, 1), None, episodic=None)])
    assert (line.folds, line.episodic) == (None, None)


def test_chance_and_majority():
    chance, majority = (score_lines([entry], 1)[0] for entry in reference_lines(line("BTL"), CLASSES, "angry"))
    assert chance.scores["uar"] == pytest.approx(1 / 3)
    assert chance.scores["wa"] == pytest.approx(1 / 3)
    assert chance.scores["recall"] == pytest.approx([1 / 3] * 3)
    share = 22 / N_TRUE.sum()
    assert majority.line.label == "majority (angry)"
    assert majority.scores["uar"] == pytest.approx(1 / 3)
    assert majority.scores["wa"] == pytest.approx(share)
    assert majority.scores["macro_f1"] == pytest.approx(2 * share / (share + 1) / 3)
    assert majority.scores["recall"].tolist() == [1, 0, 0]
    for entry in (chance, majority):
        assert [cell(entry, name) for name in ("UAR", "95 %", "sd", "folds", "episodic", "target data", "p")] == [
            "33.3", "", "", "", "", "none", "",
        ]  # fmt: skip


# ---- Scores and tests -----------------------------------------------------------------------------------------


def test_differences_and_p_values_stand_on_the_lines_they_belong_to():
    lines = [
        line("EMOFSL", 0.9, 1, versus="BTL"),
        line("source only", 0.2, 2),
        Line("needs a corpus", "byol", 5, hole="corpus missing", versus="BTL"),
        line("BTL", 0.4, 3),
        line("FSTL", 0.45, 4, versus="BTL"),
        line("LR", 0.6, 5, versus="BTL"),
    ]
    scored = score_lines(lines, 1)
    assert [entry if isinstance(entry, Line) else entry.line for entry in scored] == lines
    btl = lines[3].counts
    tested = [0, 4, 5]
    raw = [paired_speaker_test(lines[i].counts, btl, np.random.default_rng()) for i in tested]  # exact: six speakers
    assert len(set(raw)) > 1
    for i, p in zip(tested, holm(np.array(raw)), strict=True):
        difference = mean_scores(lines[i].counts)["uar"] - mean_scores(btl)["uar"]
        assert scored[i].p == pytest.approx(p)
        assert scored[i].difference == pytest.approx(difference)
        low, high = (100 * bound for bound in scored[i].difference_interval)
        assert low <= 100 * difference <= high
        mark = " ▼" if difference <= -0.0005 else ""
        assert cell(scored[i], "difference") == f"{100 * difference:+.1f} [{low:+.1f}, {high:+.1f} ‡] (BTL){mark}"
        assert cell(scored[i], "p") == f"{p:.3f}"
    for i in (1, 3):
        assert (scored[i].p, scored[i].difference) == (None, None)
        assert (cell(scored[i], "difference"), cell(scored[i], "p")) == ("", "")


def test_other_features_do_not_change_a_corrected_p():
    """Holm's family is the tests of one feature: listing another one must not move significance."""
    own = [line("BTL", 0.4, 3), line("FSTL", 0.6, 4, versus="BTL")]
    other = [dataclasses.replace(entry, feature="other") for entry in own]
    assert score_lines([*own, *other], 1)[1].p == score_lines(own, 1)[1].p


def test_a_line_is_tested_against_its_own_feature_and_never_against_a_hole():
    other_feature = Line("BTL", "fbank", 5, (), counts_of(0.9, 7), SPEAKERS, cells=6)
    missing = Line("BTL", "byol", 5, hole="not trained")
    tested = line("EMOFSL", 0.5, 1, versus="BTL")
    assert score_lines([other_feature, missing, tested], 1)[2].difference is None
    own = line("BTL", 0.4, 3)
    difference = score_lines([other_feature, tested, own], 1)[1].difference
    assert difference == pytest.approx(mean_scores(tested.counts)["uar"] - mean_scores(own.counts)["uar"])


def test_scores_do_not_depend_on_the_other_lines_and_repeat():
    alone, again = score_lines([line("BTL")], 1)[0], score_lines([line("EMOFSL", 0.9, 1), line("BTL")], 1)[1]
    assert alone.interval == again.interval
    assert alone.scores["uar"] == again.scores["uar"]
    assert len({score_lines([line("BTL")], seed)[0].interval for seed in range(5)}) > 1


def test_small_p_values():
    scored = Scored(line("BTL"), mean_scores(counts_of(0.5, 0)), results.Interval(0, 1))
    texts = {None: "", 0.0004: "<0.001", 0.0014: "0.001", 0.03: "0.030", 1.0: "1.000"}
    for p, text in texts.items():
        assert cell(results.dataclasses.replace(scored, p=p), "p") == text


# ---- Printing -------------------------------------------------------------------------------------------------


def test_cells_are_per_cent():
    entry = score_lines([line("BTL", folds=0.4567, episodic=0.4321)], 1)[0]
    scores = mean_scores(entry.line.counts)
    for column, value in (("UAR", scores["uar"]), ("sd", scores["uar_sd"]), ("WA", scores["wa"]),
                          ("F1", scores["macro_f1"]), *zip(CLASSES, scores["recall"], strict=True)):  # fmt: skip
        assert cell(entry, column) == f"{100 * value:.1f}", column
    low, high = entry.interval
    assert cell(entry, "95 %") == f"{100 * low:.1f}-{100 * high:.1f} ‡"  # of six speakers
    assert (cell(entry, "folds"), cell(entry, "episodic")) == ("45.7", "43.2")
    assert [cell(entry, name) for name in ("row", "feature", "target data")] == ["BTL", "byol", "k-shot"]


def test_intervals_of_few_speakers_are_marked():
    wide = dataclasses.replace(
        line("BTL"), speakers=[f"t-{i}" for i in range(8)], counts=counts_of(0.5, 0)[:, [0] * 8]
    )
    for entry, mark in ((line("BTL"), " ‡"), (wide, "")):
        [other, scored] = score_lines(
            [dataclasses.replace(entry, label="LR"), dataclasses.replace(entry, versus="LR")], 1
        )
        assert ("‡" in cell(scored, "95 %")) == bool(mark)
        assert ("‡" in cell(scored, "difference")) == bool(mark)
        assert ("‡" in overview({5: [other, scored]})) == bool(mark)


def test_a_row_that_predicts_a_single_class_is_marked():
    assert cell(score_lines([line("BTL", one_class=2)], 1)[0], "row") == "BTL †2/6"
    assert cell(score_lines([line("BTL")], 1)[0], "row") == "BTL"


def entries(shots: int = 5) -> list[Scored | Line]:
    lines = [
        line("BTL", published="btl"),
        line("EMOFSL", 0.9, 1, versus="BTL", one_class=1, published="emofsl"),
        line("LR", 0.6, 5, versus="BTL"),
        Line("FSTL", "wav2vec2", 5, hole="no s3prl"),
        Line("EMOFSL", "wav2vec2", 5, hole="no GPU", published="emofsl"),
    ]
    lines = [dataclasses.replace(one, condition=shots) for one in lines]
    return score_lines([*reference_lines(lines[0], CLASSES, "angry"), *lines], 1)


def test_markdown_has_one_row_per_line_with_as_many_cells_as_columns():
    for published in (None, PAPER):
        rows = cells_of(results.markdown_table(entries(), CLASSES, published))
        empty = ("folds", "episodic", "marks")  # columns that no row fills are left out
        assert rows[0] == [name for name in results.header(CLASSES, published) if name not in empty]
        assert set("".join(rows[1])) == {"-", ":"}
        assert {len(row) for row in rows} == {len(rows[0])}
        labels = ["chance", "majority (angry)", "BTL", "EMOFSL †1/6", "LR", "FSTL", "EMOFSL"]
        assert [row[0] for row in rows[2:]] == labels


def test_holes_are_printed_with_their_reason():
    hole = entries()[-2]
    assert cell(hole, "UAR") == "not run: no s3prl"
    assert "not run: no s3prl" in results.markdown_table(entries(), CLASSES)
    assert "not run: no s3prl" in results.text_table(entries(), CLASSES)


def test_a_table_without_scores_has_only_the_columns_that_can_be_filled():
    table = results.markdown_table(entries()[-2:], CLASSES, PAPER)
    assert cells_of(table) == [
        ["row", "feature", "published", "UAR"],
        ["---", "---", "---:", "---:"],
        ["FSTL", "wav2vec2", "", "not run: no s3prl"],
        ["EMOFSL", "wav2vec2", "65.72", "not run: no GPU"],
    ]


@pytest.mark.parametrize("published", [None, PAPER])
def test_text_table_is_aligned(published):
    text = results.text_table(entries(), CLASSES, published).splitlines()
    assert len(text) == 1 + 7
    for name in ("UAR", "published") if published else ("UAR",):
        column = text[0].index(name)
        for row, entry in zip(text[1:], entries(), strict=True):
            assert row[column:].startswith(cell(entry, name, published))
            assert row == row.rstrip()
    assert ("published" in text[0]) == bool(published)


# ---- The paper's numbers --------------------------------------------------------------------------------------


def test_published_values_stand_beside_ours_with_the_difference_of_unrounded_numbers():
    scored = entries()
    columns = ("published", "folds - published")
    uar = [100 * (entry.scores["uar"] if entry.line.folds is None else entry.line.folds) for entry in scored[2:4]]
    assert [cell(scored[2], name, PAPER) for name in columns] == ["40.25", f"{uar[0] - 40.25:+.1f}"]
    assert [cell(scored[3], name, PAPER) for name in columns] == ["65.72", f"{uar[1] - 65.72:+.1f}"]
    for entry in (scored[0], scored[4]):  # chance, and a row that is none of the paper's
        assert [cell(entry, name, PAPER) for name in columns] == ["", ""]
    assert [cell(scored[-1], name, PAPER) for name in columns] == ["65.72", ""]
    assert cell(scored[-1], "UAR", PAPER) == "not run: no GPU"


def test_published_values_are_held_against_the_mean_of_folds():
    [scored] = score_lines([line("BTL", folds=0.4567, published="btl")], 1)
    assert cell(scored, "folds - published", PAPER) == f"{45.67 - 40.25:+.1f}"


def test_published_values_are_those_of_the_same_number_of_shots():
    btl, emofsl = entries(10)[2:4]
    assert cell(btl, "published", PAPER) == cell(btl, "folds - published", PAPER) == ""
    assert cell(emofsl, "published", PAPER) == "70.00"


def test_without_a_paper_no_column_is_about_it():
    assert not [name for name in results.header(CLASSES) if "published" in name]


# ---- Stamps of rows -------------------------------------------------------------------------------------------


def test_speaker_statistics_are_stamped_where_most_speakers_have_one_class():
    counted = {"ravdess": [0, 24], "urdu": [26, 29]}
    assert results.row_stamps("speaker", counted) == ["speaker ~ emotion"]
    assert results.row_stamps("corpus", counted) == []
    assert results.row_stamps("none", counted) == []
    assert results.row_stamps("speaker", {"half": [5, 10]}) == []
    assert results.row_stamps("speaker", {}) == []
    [explained] = results.page_stamps(counted)
    assert explained.startswith("speaker ~ emotion: 26 of 29 speakers of urdu ")
    assert results.page_stamps({"half": [5, 10]}) == []


def test_stamps_stand_beside_the_label_and_leave_it_to_be_found():
    lines = [line("BTL", stamps=["speaker ~ emotion"]), line("FSTL", 0.6, 4, versus="BTL", one_class=1, stamps=["x"])]
    btl, fstl = score_lines(lines, 1)
    assert cell(btl, "row") == "BTL [speaker ~ emotion]"
    assert cell(fstl, "row") == "FSTL †1/6 [x]"
    assert fstl.p is not None and cell(fstl, "difference").endswith("(BTL)")


# ---- Confusion matrices ---------------------------------------------------------------------------------------


def test_confusion_is_in_per_cent_of_each_true_class():
    entry = score_lines([line("BTL")], 1)[0]
    shares = results.confusion_shares(entry.line)
    slow = np.zeros((3, 3))
    for draw in entry.line.counts:
        for speaker in draw:
            slow += speaker
    for i in range(3):
        assert shares[i] == pytest.approx(slow[i] / slow[i].sum())
    rows = cells_of(results.confusion_text(shares, CLASSES))
    assert rows[0] == ["true \\ predicted", *CLASSES]
    assert rows[2:] == [[name, *(f"{100 * v:.2f}" for v in shares[i])] for i, name in enumerate(CLASSES)]


def test_confusion_of_the_paper_stands_beneath_ours():
    theirs = """\
| true \\ predicted | angry | happy | sad |
| --- | ---: | ---: | ---: |
| angry | 80.00 | 15.50 | 4.50 |
| happy | 20.25 | 50.50 | 29.25 |
| sad | 0.00 | 33.33 | 66.67 |
"""
    scored = entries()
    btl, emofsl = results.confusions(scored, 5, CLASSES, PAPER)
    ours = [results.confusion_text(results.confusion_shares(entry.line), CLASSES) for entry in scored[2:4]]
    assert btl == f"<details><summary>BTL, byol</summary>\n\n{ours[0]}\n</details>"
    assert emofsl.startswith("<details><summary>EMOFSL, byol</summary>")
    assert emofsl.index(ours[1]) < emofsl.index("Published (A 2020, Fig. 2):") < emofsl.index(theirs)
    assert (
        len(results.confusions(scored, 10, CLASSES, PAPER)) == len(results.confusions(scored, 5, CLASSES, None)) == 2
    )
    assert "Published" not in "".join(results.confusions(scored, 10, CLASSES, PAPER))
    [alone] = results.confusions(scored[-2:], 5, CLASSES, PAPER)  # nothing was run
    assert alone.startswith("<details><summary>emofsl, published (A 2020, Fig. 2)</summary>")
    assert theirs in alone


# ---- Against shots --------------------------------------------------------------------------------------------


def sweep() -> dict[int, list[Scored | Line]]:
    """Tables of 5 and 10 shots: rows with shots, one without, one that was not run."""
    source_only = Line("source only", "byol", 0, (), counts_of(0.2, 2), SPEAKERS, cells=6)
    tables = {}
    for shots, skill in ((5, 0.4), (10, 0.8)):
        lines = [
            source_only,
            line("BTL", skill, shots, published="btl"),
            line("EMOFSL", skill, shots + 1, published="emofsl"),
            Line("LR", "byol", shots, hole="not trained"),
            Line("EMOFSL", "wav2vec2", shots, hole="no GPU", published="emofsl"),
        ]
        lines = [dataclasses.replace(one, condition=shots) if one.condition else one for one in lines]
        tables[shots] = score_lines([*reference_lines(source_only, CLASSES, "angry"), *lines], 1)
    return tables


def test_uar_against_shots():
    tables = sweep()

    def text(shots: int, place: int) -> str:
        uar, (low, high) = tables[shots][place].scores["uar"], tables[shots][place].interval
        return f"{100 * uar:.1f} [{100 * low:.1f}-{100 * high:.1f} ‡]"

    rows = cells_of(results.overview(tables, PAPER))
    assert rows[0] == ["row", "feature", "5 shots", "10 shots", "published"]
    assert rows[2:] == [
        ["source only", "byol", text(5, 2), text(5, 2), ""],
        ["BTL", "byol", text(5, 3), text(10, 3), "40.25 / -"],
        ["EMOFSL", "byol", text(5, 4), text(10, 4), "65.72 / 70.00"],
        ["EMOFSL", "wav2vec2", "not run", "not run", "65.72 / 70.00"],
    ]
    assert cells_of(results.overview(tables))[2:] == [row[:4] for row in rows[2:5]]


def test_curves():
    tables = sweep()
    level, btl, emofsl = results.curves(tables, "byol", ["source only", "BTL", "LR", "EMOFSL"], PAPER)
    assert (level.label, level.level, level.published) == ("source only", True, {})
    assert level.uar[5] == level.uar[10]
    assert (btl.label, btl.level, btl.published) == ("BTL", False, {5: 0.4025})
    assert btl.uar == {shots: pytest.approx(tables[shots][3].scores["uar"]) for shots in (5, 10)}
    assert btl.interval == {shots: tables[shots][3].interval for shots in (5, 10)}
    assert emofsl.published == {5: pytest.approx(0.6572), 10: 0.7}
    assert results.curves(tables, "wav2vec2", ["EMOFSL"], PAPER) == []


# ---- Page -----------------------------------------------------------------------------------------------------

ENVIRONMENT = Environment("2023-10-31", "3.10.1", "Linux x86_64", "0.1", "abc (2023-10-30)", {"torch": "2.8.0"})


def page_of(
    tables: dict, environment: Environment | None = ENVIRONMENT, published: Published | None = None, **more
) -> str:
    return results.markdown(
        title="A to B",
        made_from="0123abcd",
        stamps=["PARTIAL CORPUS: a"],
        environment=environment,
        features=["feature `byol`"],
        corpora=["corpus `a`"],
        tables=tables,
        classes_of=dict.fromkeys(tables, CLASSES),
        published=published,
        **more,
    )


def test_page():
    page = page_of({5: entries(), 10: entries(10)})
    lines = page.splitlines()
    assert lines[0] == "<!-- Written by `python -m ser.bin.results` from 0123abcd; do not edit. -->"
    assert lines[2] == "# A to B"
    for text in ("**PARTIAL CORPUS: a**", "- date: 2023-10-31", "- python 3.10.1, Linux x86_64, torch 2.8.0",
                 "- ser 0.1, commit abc (2023-10-30)", "- corpus `a`", "- feature `byol`"):  # fmt: skip
        assert text in lines
    assert page.count(results.markdown_table(entries(), CLASSES)) == 2
    assert page.count("<details>") == page.count("</details>") == 4  # BTL and EMOFSL, the rows of the paper
    for entry in entries()[2:4]:
        assert page.count(results.confusion_text(results.confusion_shares(entry.line), CLASSES)) == 2
    assert "Published" not in page
    assert results.overview({5: entries(), 10: entries(10)}) in page
    assert results.holds_scores(page)


def test_page_with_one_number_of_shots_has_no_sweep():
    assert "UAR against shots" in page_of(sweep())
    assert "UAR against shots" not in page_of({5: entries()})


def test_page_names_the_paper_and_what_contradicts_itself():
    page = page_of({5: entries()}, published=PAPER)
    told = "Folds - published: our mean over folds, or our UAR where a fold lacks a class, minus it."
    assert f"Published: UAR of A 2020, Table 1. {told} The note." in page.replace("\n", " ")
    assert results.markdown_table(entries(), CLASSES, PAPER) in page


def test_page_of_what_was_not_run_shows_the_paper_alone():
    holes = [entry for entry in entries() if isinstance(entry, Line)]
    page = page_of({5: holes}, environment=None, published=PAPER)
    assert "| EMOFSL | wav2vec2 | 65.72 | not run: no GPU |" in page.splitlines()
    assert "emofsl, published (A 2020, Fig. 2)" in page
    assert "Published: UAR of A 2020, Table 1. The note." in page
    for text in ("## Environment", "bootstrap", "corpus `a`", "feature `byol`"):
        assert text not in page
    assert not results.holds_scores(page)


def test_probes_are_means_and_deviations_over_seeds():
    def seed(corpus: float, distance: float | None) -> dict:
        probes = {"speaker": {"uar": 0.25, "chance": 0.02}, "corpus": {"uar": corpus, "chance": 0.5}}
        return {"n_utts": 600, "probes": probes, "proxy_a_distance": distance}

    table = cells_of(results.probe_table([("baseline", "byol", [seed(0.9, 1.6), seed(0.7, 0.8)])]))
    head = ["row", "feature", "speaker (2.0 by chance)", "corpus (50.0 by chance)", "proxy A-distance"]
    assert table[0] == head
    assert table[2] == ["baseline", "byol", "25.0 ± 0.0", "80.0 ± 14.1", "1.20"]
    alone = cells_of(results.probe_table([("baseline", "byol", [seed(0.9, None)])]))
    assert alone[0] == head[:-1] and alone[2][2:] == ["25.0", "90.0"]


def test_heads_that_were_left_out_are_told_once_for_all_their_rows():
    runs = {
        "baseline": [],
        "dann_1": ["corpus: ravdess alone"],
        "dann_2": ["corpus: ravdess alone", "language: not known"],
    }
    rows = [(label, [{"notes": notes}]) for label, notes in runs.items()]
    note = "No head for corpus (ravdess alone) in dann_1, dann_2. No head for language (not known) in dann_2."
    assert results.notes_of(rows) == note
    assert results.notes_of(rows[:1]) == ""


def test_notes_and_what_is_told_beside_stand_with_the_tables_of_their_task():
    tables = {
        f"{task}: {corpus}": [entry for entry in entries() if isinstance(entry, Line)]
        for task in ("arousal", "valence")
        for corpus in ("a", "b")
    }
    page = page_of(tables, notes={"arousal": "No head."}, beside={"arousal": ["| probe |"]})
    parts = {part.split("\n")[0]: part for part in page.split("\n## ")}
    assert "| probe |" in parts["arousal"] and "| probe |" not in parts["valence"]
    assert ["No head." in parts[name] for name in tables] == [True, True, False, False]


# ---- Corpora that lack classes, and what a paper cites ------------------------------------------------------------


def test_classes_that_a_corpus_lacks_are_no_part_of_its_references_and_leave_cells_empty():
    counts = counts_of(0.5, 1)
    counts[..., 2, :] = 0  # no utterance of the third class
    lacking = Line("BTL", "byol", 5, (), counts, SPEAKERS, cells=6)
    chance, majority = reference_lines(lacking, CLASSES, CLASSES[0])
    n_present = len(CLASSES) - 1
    scored = score_lines([chance, majority, lacking], 1)
    assert [cell(entry, "UAR") for entry in scored[:2]] == [f"{100 / n_present:.1f}"] * 2
    assert cell(scored[2], CLASSES[2]) == "" and cell(scored[2], CLASSES[0]) != ""
    assert not np.isnan(confusion_shares(lacking)).any()


def test_systems_that_a_paper_cites_stand_in_the_tables_of_their_corpora_alone():
    paper = Published.model_validate(
        {"source": "X", "tasks": ["t"], "uar": {"own": {"a": 70.0, "b": 80.0}, "other": {"a": 60.0}}}
    )
    (cited,) = published_lines(paper, {"own", None}, "t: a")
    assert (cited.label, cited.hole, cited.condition) == ("other", None, "t: a")
    assert published_lines(paper, {"own"}, "t: b") == published_lines(paper, {"own"}, "u: a") == []
    assert published_lines(None, set(), "t: a") == []
    table = markdown_table([line("own", published="own"), cited], CLASSES, paper)
    (row,) = [text for text in table.splitlines() if text.startswith("| other")]
    assert "60.00" in row and "not run" not in row
    tables = {c: [line("own", published="own"), *published_lines(paper, {"own"}, c)] for c in ("t: a", "t: b")}
    assert "other" not in overview({c: score_lines(entries, 1) for c, entries in tables.items()}, paper)
