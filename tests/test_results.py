"""From counts to a table: every number on the line it belongs to, holes told, Markdown well-formed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ser import results
from ser.environment import Environment
from ser.figures import confusion_figure
from ser.metrics.statistics import holm, mean_scores, paired_speaker_test
from ser.results import Line, Scored, line_of, reference_lines, score_lines

CLASSES = ("angry", "happy", "sad")
N_TRUE = np.array([[4, 2, 2], [4, 3, 1], [3, 1, 4], [4, 4, 2], [2, 2, 2], [5, 1, 3]])  # (S, C)
SPEAKERS = [f"t-{i}" for i in range(len(N_TRUE))]


def counts_of(skill: float, seed: int, draws: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shares = (1 - skill) / 3 + skill * np.eye(3)
    return np.array(
        [[[rng.multinomial(n, shares[c]) for c, n in enumerate(row)] for row in N_TRUE] for _ in range(draws)]
    )


def line(label: str, skill: float = 0.5, seed: int = 0, versus: str | None = None, **more) -> Line:
    return Line(label, "byol", 5, ("k-shot",), counts_of(skill, seed), SPEAKERS, cells=6, versus=versus, **more)


def run_of(counts: np.ndarray, folds: float | None = 0.5, one_class: int = 0) -> dict:
    """Make a seed's `metrics.json`, as far as tables use it."""
    of_shots = {
        "counts": counts.tolist(),
        "speakers": SPEAKERS,
        "uar_mean_of_folds": folds,
        "one_class_cells": one_class,
        "cells": 2 * len(counts),
    }
    return {"target_data": ["k-shot"], "shots": {"5": of_shots, "10": of_shots | {"counts": (2 * counts).tolist()}}}


def cell(entry, column: str) -> str:
    return dict(zip(results.header(CLASSES), results.cells(entry, CLASSES), strict=True))[column]


# ---- Lines ----------------------------------------------------------------------------------------------------


def test_line_joins_seeds():
    one, two = counts_of(0.5, 1), counts_of(0.5, 2)
    five, ten = line_of("EMOFSL", "byol", "BTL", [run_of(one, 0.4, 1), run_of(two, 0.5, 2)])
    assert (five.label, five.feature, five.shots, five.versus) == ("EMOFSL", "byol", 5, "BTL")
    assert np.array_equal(five.counts, np.concatenate([one, two]))
    assert five.folds == pytest.approx(0.45)
    assert (five.one_class, five.cells) == (3, 12)
    assert (five.target_data, five.speakers) == (["k-shot"], SPEAKERS)
    assert ten.shots == 10
    assert np.array_equal(ten.counts, 2 * five.counts)


def test_line_has_no_mean_of_folds_where_a_fold_lacks_a_class():
    assert line_of("BTL", "byol", None, [run_of(counts_of(0.5, 1), None)])[0].folds is None


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
        assert [cell(entry, name) for name in ("UAR", "95 %", "sd", "folds", "target data", "p")] == [
            "33.3", "", "", "", "none", "",
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
        assert cell(scored[i], "difference") == f"{100 * difference:+.1f} [{low:+.1f}, {high:+.1f}] (BTL)"
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
    entry = score_lines([line("BTL", folds=0.4567)], 1)[0]
    scores = mean_scores(entry.line.counts)
    for column, value in (("UAR", scores["uar"]), ("sd", scores["uar_sd"]), ("WA", scores["wa"]),
                          ("F1", scores["macro_f1"]), *zip(CLASSES, scores["recall"], strict=True)):  # fmt: skip
        assert cell(entry, column) == f"{100 * value:.1f}", column
    low, high = entry.interval
    assert cell(entry, "95 %") == f"{100 * low:.1f}-{100 * high:.1f}"
    assert cell(entry, "folds") == "45.7"
    assert [cell(entry, name) for name in ("row", "feature", "target data")] == ["BTL", "byol", "k-shot"]


def test_a_row_that_predicts_a_single_class_is_marked():
    assert cell(score_lines([line("BTL", one_class=2)], 1)[0], "row") == "BTL †2/6"
    assert cell(score_lines([line("BTL")], 1)[0], "row") == "BTL"


def entries() -> list[Scored | Line]:
    lines = [
        line("BTL"),
        line("EMOFSL", 0.9, 1, versus="BTL", one_class=1),
        Line("FSTL", "wav2vec2", 5, hole="no s3prl"),
    ]
    return score_lines([*reference_lines(lines[0], CLASSES, "angry"), *lines], 1)


def test_markdown_has_one_row_per_line_with_as_many_cells_as_columns():
    table = results.markdown_table(entries(), CLASSES)
    rows = [[c.strip() for c in row.split("|")[1:-1]] for row in table.splitlines()]
    assert rows[0] == results.header(CLASSES)
    assert set("".join(rows[1])) == {"-", ":"}
    assert len(rows) == 2 + 5
    assert {len(row) for row in rows} == {len(results.header(CLASSES))}
    assert [row[0] for row in rows[2:]] == ["chance", "majority (angry)", "BTL", "EMOFSL †1/6", "FSTL"]


def test_holes_are_printed_with_their_reason():
    hole = entries()[-1]
    assert cell(hole, "UAR") == "not run: no s3prl"
    assert "not run: no s3prl" in results.markdown_table(entries(), CLASSES)
    assert "not run: no s3prl" in results.text_table(entries(), CLASSES)


def test_text_table_is_aligned():
    text = results.text_table(entries(), CLASSES).splitlines()
    assert len(text) == 1 + 5
    column = text[0].index("UAR")
    for row, entry in zip(text[1:], entries(), strict=True):
        assert row[column:].startswith(cell(entry, "UAR"))
        assert row == row.rstrip()


def test_confusion_is_in_per_cent_of_each_true_class():
    entry = score_lines([line("BTL")], 1)[0]
    shares = results.confusion_shares(entry.line)
    slow = np.zeros((3, 3))
    for draw in entry.line.counts:
        for speaker in draw:
            slow += speaker
    for i in range(3):
        assert shares[i] == pytest.approx(slow[i] / slow[i].sum())
    rows = [[c.strip() for c in row.split("|")[1:-1]] for row in results.confusion_text(entry, CLASSES).splitlines()]
    assert rows[0] == ["true \\ predicted", *CLASSES]
    assert rows[2:] == [[name, *(f"{100 * v:.1f}" for v in shares[i])] for i, name in enumerate(CLASSES)]


def test_page():
    environment = Environment("2023-10-31", "3.10.1", "Linux x86_64", "0.1", "abc (2023-10-30)", {"torch": "2.8.0"})
    page = results.markdown(
        title="A to B",
        made_from="0123abcd",
        stamps=["PARTIAL CORPUS: a"],
        environment=environment,
        features=["feature `byol`"],
        corpora=["corpus `a`"],
        tables={"5 shots": entries(), "10 shots": entries()},
        classes=CLASSES,
    )
    lines = page.splitlines()
    assert "0123abcd" in lines[0]
    assert lines[2] == "# A to B"
    for text in ("**PARTIAL CORPUS: a**", "- date: 2023-10-31", "- python 3.10.1, Linux x86_64, torch 2.8.0",
                 "- ser 0.1, commit abc (2023-10-30)", "- corpus `a`", "- feature `byol`"):  # fmt: skip
        assert text in lines
    assert page.count(results.markdown_table(entries(), CLASSES)) == 2
    assert page.count("<details>") == page.count("</details>") == 4  # BTL and EMOFSL; chance and holes have none
    for entry in entries()[2:4]:
        assert page.count(results.confusion_text(entry, CLASSES)) == 2


def test_confusion_figure_is_a_png_and_the_same_every_time(tmp_path):
    shares = results.confusion_shares(line("BTL"))
    for name in ("a é.png", "b.png"):
        confusion_figure(tmp_path / "figures" / name, shares, CLASSES, "BTL")
    one, two = ((tmp_path / "figures" / name).read_bytes() for name in ("a é.png", "b.png"))
    assert one[:8] == b"\x89PNG\r\n\x1a\n"
    assert one[-8:-4] == b"IEND"
    assert one == two
    assert len(list((tmp_path / "figures").iterdir())) == 2
