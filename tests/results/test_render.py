"""From RESULTS.json to pages: every number on its line, holes with their reason, Markdown well-formed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ser.metrics.statistics import mean_scores
from ser.results import answers, panels, render, sections
from ser.results.lines import Line, confusion_shares, reference_lines
from ser.results.measures import DETAIL, MEASURES, PAGE, columns_of
from ser.results.published import Published
from ser.results.record import FORMAT, probe_records
from ser.results.words import definitions, notes_of
from ser.types import Condition
from tests.results.tables import (
    CLASSES,
    FIVE,
    PAPER,
    SPEAKERS,
    TEN,
    cell,
    cells_of_pipes,
    counts_of,
    entries,
    hole,
    line,
    scored,
    table_of,
)


def test_cells_are_per_cent():
    entry = scored(line("BTL", measured={"uar_mean_of_folds": 0.4567, "episodic": 0.4321}))[0]
    scores = mean_scores(entry.line.repetitions)
    for column, value in (("UAR", scores["uar"]), ("sd", scores["uar_sd"]), ("WA", scores["wa"]),
                          ("F1", scores["macro_f1"]), *zip(CLASSES, scores["recall"], strict=True)):  # fmt: skip
        assert cell(entry, column) == f"{100 * value:.1f}", column
    low, high = entry.interval
    assert cell(entry, "95 %") == f"{100 * low:.1f}-{100 * high:.1f}"
    assert (cell(entry, "folds"), cell(entry, "episodic")) == ("45.7", "43.2")
    assert [cell(entry, name) for name in ("system", "feature", "sees")] == ["BTL", "byol", "k labels per class"]


def test_a_row_that_predicts_a_single_class_says_so():
    assert "predicts one class in 2 of 6" in cell(scored(line("BTL", one_class=2))[0], "notes")
    assert "predicts" not in cell(scored(line("BTL"))[0], "notes")


def test_markdown_has_one_row_per_line_with_as_many_cells_as_columns():
    for published in (None, PAPER):
        rows = cells_of_pipes(sections.markdown_table(table_of(entries(), published), bool(published)))
        empty = ["folds", "episodic"]  # columns that no row fills are left out
        empty += [] if published else ["published", "folds - published"]
        names = [*sections.NAMES, *columns_of(MEASURES, PAGE, CLASSES), *columns_of(MEASURES, DETAIL, CLASSES)]
        assert rows[0] == [name for name in names if name not in empty]
        assert set("".join(rows[1])) == {"-", ":"}
        assert {len(row) for row in rows} == {len(rows[0])}
        labels = ["chance", "majority (angry)", "BTL", "EMOFSL", "LR", "FSTL", "EMOFSL"]
        assert [row[0] for row in rows[2:]] == labels


def test_holes_are_printed_with_their_reason():
    assert cell(entries()[-2], "UAR") == "not run: no s3prl"
    assert "not run: no s3prl" in sections.markdown_table(table_of(entries()))
    assert "not run: no s3prl" in sections.text_table(table_of(entries()))


@pytest.mark.parametrize("published", [None, PAPER])
def test_text_table_is_aligned(published):
    text = sections.text_table(table_of(entries(), published), bool(published)).splitlines()
    assert len(text) == 1 + 7
    for name in ("UAR", "published") if published else ("UAR",):
        column = text[0].index(name)
        for row, entry in zip(text[1:], entries(), strict=True):
            assert row[column:].startswith(cell(entry, name, published))
            assert row == row.rstrip()
    assert ("published" in text[0]) == bool(published)


# ---- The paper's numbers --------------------------------------------------------------------------------------


def test_published_values_stand_with_ours_and_the_difference_of_unrounded_numbers():
    found = entries()
    columns = ("published", "folds - published")
    uar = [100 * entry.uar_as_printed for entry in found[2:4]]
    assert uar == [100 * entry.scores["uar"] for entry in found[2:4]]  # they have no folds
    assert [cell(found[2], name, PAPER) for name in columns] == ["40.25", f"{uar[0] - 40.25:+.1f}"]
    assert [cell(found[3], name, PAPER) for name in columns] == ["65.72", f"{uar[1] - 65.72:+.1f}"]
    for entry in (found[0], found[4]):  # chance, and a row that is none of the paper's
        assert [cell(entry, name, PAPER) for name in columns] == ["", ""]
    assert [cell(found[-1], name, PAPER) for name in columns] == ["65.72", ""]
    assert cell(found[-1], "UAR", PAPER) == "not run: no GPU"


def test_published_values_are_held_against_the_mean_of_folds():
    [found] = scored(line("BTL", measured={"uar_mean_of_folds": 0.4567}, published="btl"))
    assert cell(found, "folds - published", PAPER) == f"{45.67 - 40.25:+.1f}"


def test_published_values_are_those_of_the_same_number_of_shots():
    btl, emofsl = entries(TEN)[2:4]
    assert cell(btl, "published", PAPER, TEN) == cell(btl, "folds - published", PAPER, TEN) == ""
    assert cell(emofsl, "published", PAPER, TEN) == "70.00"
    assert cell(emofsl, "published", PAPER, Condition(corpus="t", shots=10)) == "70.00"  # of the recipe's target


def test_stamps_stand_beside_the_label_and_leave_it_to_be_found():
    lines = [line("BTL", stamps=["speaker ~ emotion"]), line("FSTL", 0.6, 4, versus="BTL", one_class=1, stamps=["x"])]
    btl, fstl = scored(*lines)
    assert cell(btl, "system") == "BTL [speaker ~ emotion]"
    assert cell(fstl, "system") == "FSTL [x]"
    assert fstl.against.p is not None and cell(fstl, "difference").endswith("(BTL)")


# ---- Confusion matrices ---------------------------------------------------------------------------------------


def test_confusion_is_in_per_cent_of_each_true_class():
    [entry] = scored(line("BTL", published="btl"))
    shares = confusion_shares(entry.line)
    slow = np.zeros((3, 3))
    for draw in entry.line.repetitions:
        for speaker in draw:
            slow += speaker
    for i in range(3):
        assert shares[i] == pytest.approx(slow[i] / slow[i].sum())
    [text] = sections.confusions(table_of([entry]), None)
    rows = cells_of_pipes(text.split("\n\n")[1])
    assert rows[0] == ["true \\ predicted", *CLASSES]
    assert rows[2:5] == [[name, *(f"{100 * v:.2f}" for v in shares[i])] for i, name in enumerate(CLASSES)]


def test_confusion_of_the_paper_stands_beneath_ours():
    theirs = """\
| true \\ predicted | angry | happy | sad |
| --- | ---: | ---: | ---: |
| angry | 80.00 | 15.50 | 4.50 |
| happy | 20.25 | 50.50 | 29.25 |
| sad | 0.00 | 33.33 | 66.67 |
"""
    source = PAPER.confusion_source
    btl, emofsl = sections.confusions(table_of(entries(), PAPER), source)
    ours = [
        sections.confusion_text(np.round(100 * confusion_shares(entry.line), 4).tolist(), CLASSES)
        for entry in entries()[2:4]
    ]
    assert btl == f"<details><summary>BTL, byol</summary>\n\n{ours[0]}\n</details>"
    assert emofsl.startswith("<details><summary>EMOFSL, byol</summary>")
    assert emofsl.index(ours[1]) < emofsl.index("Published (A 2020, Fig. 2):") < emofsl.index(theirs)
    elsewhere = sections.confusions(table_of(entries(TEN), PAPER, TEN), source)
    assert len(elsewhere) == len(sections.confusions(table_of(entries()), None)) == 2
    assert "Published" not in "".join(elsewhere)
    [alone] = sections.confusions(table_of(entries()[-2:], PAPER), source)  # nothing was run
    assert alone.startswith("<details><summary>emofsl, published (A 2020, Fig. 2)</summary>")
    assert theirs in alone
    [uncalled] = sections.confusions(table_of([], PAPER), source)  # no row is that method
    assert uncalled == alone


# ---- Against shots --------------------------------------------------------------------------------------------


def sweep() -> list[dict]:
    """Tables of 5 and 10 shots: rows with shots, one without, one that was not run."""
    source_only = Line("source only", "byol", counts=counts_of(0.2, 2)[None], seeds=(1,), speakers=SPEAKERS, cells=6)
    tables = []
    for condition, skill in ((FIVE, 0.4), (TEN, 0.8)):
        lines = [
            source_only,
            line("BTL", skill, condition.shots, published="btl"),
            line("EMOFSL", skill, condition.shots + 1, published="emofsl"),
            hole("LR", "byol", "not trained"),
            hole("EMOFSL", "wav2vec2", "no GPU", published="emofsl"),
        ]
        lines = [one if one.is_everywhere else dataclasses.replace(one, condition=condition) for one in lines]
        found = scored(*reference_lines(source_only, CLASSES, "angry"), *lines)
        tables.append(table_of(found, PAPER, condition))
    return tables


def test_uar_against_shots():
    tables = sweep()

    def text(shots: int, place: int) -> str:
        row = tables[shots // 10]["rows"][place]
        low, high = row["interval"]
        return f"{100 * row['uar']:.1f} [{100 * low:.1f}-{100 * high:.1f}]"

    rows = cells_of_pipes(sections.overview(tables, True))
    assert rows[0] == ["system", "feature", "5 shots", "10 shots", "published"]
    assert rows[2:] == [
        ["source only", "byol", text(5, 2), text(5, 2), ""],
        ["BTL", "byol", text(5, 3), text(10, 3), "40.25 / -"],
        ["EMOFSL", "byol", text(5, 4), text(10, 4), "65.72 / 70.00"],
        ["EMOFSL", "wav2vec2", "not run", "not run", "65.72 / 70.00"],
    ]


def test_corpora_have_a_mean():
    found = scored(line("BTL"), line("LR", 0.9, 1))
    tables = [table_of(found, condition=Condition("t", corpus)) for corpus in "ab"]
    tables[1]["rows"][0]["uar"] = 0.25
    rows = cells_of_pipes(sections.overview(tables))
    assert rows[0] == ["system", "feature", "t: a", "t: b", "mean"]
    assert rows[2][-1] == f"{100 * (found[0].scores['uar'] + 0.25) / 2:.1f}"
    tables[1]["rows"] = tables[1]["rows"][:1]  # LR was not made for b
    assert cells_of_pipes(sections.overview(tables))[3][-2:] == ["", ""]


# ---- Page -----------------------------------------------------------------------------------------------------

ENVIRONMENT = {"date": "2023-10-31", "python": "3.10.1", "machine": "Linux x86_64", "ser": "0.1",
               "commit": "abc (2023-10-30)", "packages": {"torch": "2.8.0"}}  # fmt: skip


def record_of(tables: list[dict], environment: dict | None = ENVIRONMENT, published: Published | None = None, **more):
    """Make a RESULTS.json, as far as a page needs it."""
    corpus = {"title": "Corpus A", "release": "full", "n_utterances": 2, "n_speakers": 1, "formats": {"16 kHz": 2}}
    return {
        "format": FORMAT,
        "made_from": "0123abcd",
        "recipe": "a2b",
        "command": "cd egs/a2b && ./run.sh",
        "paper": "A 2020",
        "mini": False,
        "variant": None,
        "title": "A to B",
        "stamps": ["PARTIAL CORPUS: a"],
        "environment": environment,
        "needs": None if environment else "IEMOCAP",
        "features": {"byol": "feature `byol`"} if environment else {},
        "corpora": {"b": {"title": "B", "missing": "B"}, "a": corpus if environment else {"title": "A"}},
        "source": published and published.source,
        "note": published and published.note,
        "confusion_source": published and published.confusion_source,
        "definitions": definitions(),
        "tables": tables,
        "fits": [],
        "probes": [],
    } | more


def test_page():
    tables = [table_of(entries(c), PAPER, c) for c in (FIVE, TEN)]
    page = render.markdown(record_of(tables))
    lines = page.splitlines()
    assert lines[0] == "<!-- Written by `python -m ser.bin.results` from 0123abcd; do not edit. -->"
    assert lines[2] == "# A to B"
    for text in ("**PARTIAL CORPUS: a**", "- date: 2023-10-31", "- python 3.10.1, Linux x86_64, torch 2.8.0",
                 "- ser 0.1, commit abc (2023-10-30)",
                 "- corpus `a`: Corpus A, full release, 2 utterances, 1 speakers, 16 kHz",
                 "- feature `byol`", "## 5 shots", "## 10 shots", "## UAR against shots"):  # fmt: skip
        assert text in lines
    # folded: both tables with two matrices each, all shots side by side, and the environment
    assert page.count("<details>") == page.count("</details>") == 2 * 3 + 1 + 1
    assert sections.overview(tables).strip() in page
    assert render.holds_scores(page)


def test_what_is_read_first_is_not_folded_and_terms_are_defined_elsewhere():
    page = render.markdown(record_of([table_of(entries(), PAPER)], published=PAPER))
    first = page.partition("<details>")[0]
    assert " ".join(answers.sentences(record_of([table_of(entries(), PAPER)]))) in first.replace("\n", " ")
    assert "(../../docs/reading-tables.md)" in first and "![" in first
    assert "jackknife" not in page and len(first.split()) < 250


def test_pages_that_lie_deeper_link_as_far_up():
    for about in ({"mini": True}, {"variant": "--set x=1"}):
        assert "(../../../docs/reading-tables.md)" in render.markdown(record_of([table_of(entries())], **about))


def test_page_with_one_number_of_shots_has_no_sweep():
    assert "UAR against shots" not in render.markdown(record_of([table_of(entries())]))


def test_page_names_the_paper_and_where_it_contradicts_itself():
    page = render.markdown(record_of([table_of(entries(), PAPER)], published=PAPER))
    assert "Published values: A 2020, Table 1. The note." in page


def test_systems_stand_by_the_question_that_they_answer():
    table = table_of(entries())
    for row in table["rows"]:
        row["kind"] = "variant" if row["label"] in ("LR", "EMOFSL") else row["kind"]
    questions = {"Does the classifier matter?": ["LR", "absent"], "And that?": ["absent"]}
    groups = sections.groups_of_rows(table, questions)
    labels = {name: [row["label"] for row in rows] for name, rows in groups.items()}
    assert labels == {
        sections.OWN: ["chance", "majority (angry)", "BTL"],
        "Does the classifier matter?": ["LR"],
        sections.OTHERS: ["EMOFSL"],
    }
    page = render.markdown(record_of([table], questions={"Does the classifier matter?": ["LR"]}))
    asked = page.split("**Does the classifier matter?**")[1]
    assert cells_of_pipes(asked.strip().split("\n\n")[0])[2][0] == "LR"
    assert "Not run: `FSTL` on wav2vec2: no s3prl." in page and "| not run" not in page


def test_page_of_what_was_not_run_is_the_published_table_and_a_sentence():
    holes = [entry for entry in entries() if isinstance(entry, Line)]
    tables = [table_of(holes, PAPER, condition) for condition in (FIVE, TEN)]
    record = record_of(tables, environment=None, published=PAPER)
    page = render.markdown(record)
    shown = page.partition("<details>")[0]
    assert cells_of_pipes("\n".join(line for line in shown.splitlines() if line.startswith("|"))) == [
        ["system", "5 shots", "10 shots"], ["---", "---:", "---:"], ["emofsl", "65.72", "70.00"]
    ]  # fmt: skip
    sentence = "Not run here: it needs IEMOCAP (`cd egs/a2b && ./run.sh`); these are the UARs of A 2020, Table 1"
    assert f"{sentence}, in per cent." in shown.replace("\n", " ")
    assert "emofsl, published (A 2020, Fig. 2)" in page and "The note." in page
    for text in ("## Environment", "jackknife", "corpus `a`", "feature `byol`"):
        assert text not in page
    assert not render.holds_scores(page)
    assert render.text(record) == "A to B: not run, needs IEMOCAP\n"


def test_published_columns_that_agree_are_one():
    holes = [entry for entry in entries() if isinstance(entry, Line)]
    tables = [table_of(holes, PAPER, FIVE), table_of(holes, PAPER, TEN)]
    for table, task in zip(tables, "xy", strict=True):
        table["condition"] = Condition(task, "b").json
    tables[1]["rows"] = tables[0]["rows"]
    assert render.published(record_of(tables, environment=None))[0] == ["system", "b"]


def test_a_page_is_written_only_where_it_changed(tmp_path: Path):
    from ser.results.record import text_of

    numbers = tmp_path / "RESULTS.json"
    numbers.write_text(text_of(record_of([table_of(entries())])))
    assert render.write_page(numbers)
    assert not render.write_page(numbers)
    for name in ("RESULTS.md", "RESULTS.svg"):
        (tmp_path / name).write_text("<!-- Written by `us` -->")
        assert render.write_page(numbers)
    assert (tmp_path / "RESULTS.md").read_text() == render.markdown(record_of([table_of(entries())]))
    assert (tmp_path / "RESULTS.svg").read_text() == panels.figure(record_of([table_of(entries())]))


def test_probes_are_means_and_deviations_over_seeds():
    def seed(corpus: float, distance: float | None) -> dict:
        probes = {"speaker": {"uar": 0.25, "chance": 0.02}, "corpus": {"uar": corpus, "chance": 0.5}}
        return {"n_utts": 600, "probes": probes, "proxy_a_distance": distance}

    def table_of_seeds(*seeds: dict) -> list[list[str]]:
        return cells_of_pipes(sections.probe_table(probe_records([("t", "baseline", "byol", seeds)])))

    table = table_of_seeds(seed(0.9, 1.6), seed(0.7, 0.8))
    head = ["system", "feature", "speaker (2.0 by chance)", "corpus (50.0 by chance)", "proxy A-distance"]
    assert table[0] == head
    assert table[2] == ["baseline", "byol", "25.0 ± 0.0", "80.0 ± 14.1", "1.20"]
    alone = table_of_seeds(seed(0.9, None))
    assert alone[0] == head[:-1] and alone[2][2:] == ["25.0", "90.0"]


def test_heads_that_were_left_out_are_told_once_for_all_their_rows():
    runs = {
        "baseline": [],
        "dann_1": ["corpus: ravdess alone"],
        "dann_2": ["corpus: ravdess alone", "language: not known"],
    }
    rows = [(label, [{"notes": notes}]) for label, notes in runs.items()]
    note = "No head for corpus (ravdess alone) in dann_1, dann_2. No head for language (not known) in dann_2."
    assert notes_of(rows) == note
    assert notes_of(rows[:1]) == ""


def test_notes_and_probes_stand_with_the_tables_of_their_task():
    notes = {"arousal": "No head.", "valence": ""}
    tables = [
        table_of(entries(), condition=Condition(task, corpus), notes=notes[task]) for task in notes for corpus in "ab"
    ]
    probe = {"task": "arousal", "label": "x", "feature": "f", "probes": {}, "proxy_a_distance": 1.0}
    page = render.markdown(record_of(tables, probes=[probe]))
    parts = {part.split("\n")[0]: part for part in page.split("\n## ")}
    assert "### Domains, arousal" in parts["arousal"] and "### Domains" not in parts["valence"]
    names = [f"{task}: {corpus}" for task in notes for corpus in "ab"]
    assert ["No head." in parts[name] for name in names] == [True, True, False, False]
    assert list(parts)[1:] == ["arousal", "valence", *names, "Environment"]


def test_the_headline_is_in_color_for_the_terminal():
    table = table_of(entries())
    lines = render.headline_text(record_of([table])).splitlines()
    assert lines[0] == "5 shots, byol: UAR in per cent"
    row = next(row for row in table["rows"] if row["label"] == "BTL")
    own = next(line for line in lines if "BTL" in line)
    assert own.startswith(render.BOLD) and own.endswith(render.PLAIN) and f"{100 * row['uar']:.1f}" in own
    assert next(line for line in lines if "chance" in line).startswith("  chance")
    assert render.headline_text(record_of([table_of(entries()[-2:])], environment=None)) == ""


def test_a_uar_without_an_interval_has_no_brackets():
    """Results whose intervals have to be computed anew printed `[]`."""
    rows = [{"uar": 0.5}, {"uar": 0.5, "interval": [0.4, 0.61]}, {"hole": "no GPU"}, {}]
    assert [sections._uar_with_interval(row) for row in rows] == ["50.0", "50.0 [40.0-61.0]", "not run", ""]


def row_of_one(label: str, feature: str, uar: float, **more) -> dict:
    return {"kind": "paper", "label": label, "feature": feature, "uar": uar} | more


def test_the_headline_has_a_feature_with_several_trainings_if_there_is_one():
    """A twin's page began with spectrogram systems of one training each instead of three seeds on frames."""
    rows = [
        row_of_one("a", "fbank", 0.6),
        row_of_one("a", "byol", 0.7),
        row_of_one("a", "spec", 0.5, one_training=True),
    ]
    table = {"condition": {"task": "", "corpus": "t", "shots": None, "rotation": False}, "rows": rows}
    assert answers.headline({"tables": [table]}).feature == "byol"
    alone = table | {"rows": rows[2:]}
    assert answers.headline({"tables": [alone]}).feature == "spec"


def test_a_difference_of_nothing_has_no_sign_when_it_is_turned():
    other = row_of_one("b", "byol", 0.5, difference=0.0, difference_interval=[0.0, 0.0], versus="a")
    turned = answers.held(row_of_one("a", "byol", 0.5), other)
    assert f"{turned.difference} {turned.interval}" == "0.0 (0.0, 0.0)"
