"""The report: what it reads, what it groups, what it prints; every number on the line it belongs to."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from ser.errors import DataError
from ser.report import charts, transfer, words
from ser.report.cards import cards, read_papers
from ser.report.collect import anchor, find_results, systems_of
from ser.report.compare import choices, groups, marks, matrices
from ser.report.markdown import EMPTY, markdown
from ser.report.page import heat, page
from ser.results.figures import COLORS
from ser.types import Condition
from tests.report.records import CHANCE, CLASSES, record, row, table, write
from tests.test_house import ROOT


def report_on(egs, *options: str):
    return subprocess.run(
        [sys.executable, "-m", "ser.bin.report", str(egs), *options], capture_output=True, text=True, cwd=ROOT
    )


# ---- Reading --------------------------------------------------------------------------------------------------


def test_reads_recipes_alone_and_tells_which_have_no_numbers(tmp_path):
    egs = write(tmp_path, record("a2b", [table("b", [row("dann", 0.6)])]))
    for name in ("old2b", "new2b"):
        (egs / name).mkdir()
        (egs / name / "run.sh").touch()
    (egs / "old2b" / "RESULTS.md").touch()
    (egs / "no_recipe").mkdir()
    found = find_results(egs)
    assert [(one.name, one.record is None, one.is_old) for one in found] == [
        ("a2b", False, False), ("new2b", True, False), ("old2b", True, True)
    ]  # fmt: skip
    assert "old2b" in markdown(found, [])
    assert "run stage 6 again): `old2b`" in markdown(found, systems_of([found[0].record]))


def test_runs_of_this_machine_stand_next_to_what_is_published(tmp_path):
    """Unless they are the same; variants of settings are found, too."""
    published = record("a2b", [table("b", [row("dann", 0.6)])], made_from="1")
    mine = record("a2b", [table("b", [row("dann", 0.65)])], made_from="2", environment={"date": "2026-01-02"})
    variant = record("a2b", [table("b", [row("dann x=1", 0.5)])], made_from="3", variant=" --set x=1")
    write(tmp_path, published)
    write(tmp_path, published, place="exp")
    assert [one.name for one in find_results(tmp_path)] == ["a2b"]
    write(tmp_path, mine, place="exp")
    write(tmp_path, variant, place="exp/variants/x=1")
    found = find_results(tmp_path)
    names = ["a2b", "a2b (this machine, 2026-01-02)", "a2b (this machine, 2026-01-01, --set x=1)"]
    assert [(one.name, one.is_own) for one in found] == list(zip(names, [False, True, True], strict=True))
    systems = systems_of([one.record for one in found])
    assert len({system.anchor for system in systems}) == 3
    text = markdown(found, systems)
    assert "[a2b](a2b/RESULTS.md)" in text and "(a2b/exp/variants/x%3D1/RESULTS.md)" in text
    assert find_results(tmp_path, mini=True)[0].record is None


@pytest.mark.parametrize(
    "text, said", [("{", "no JSON"), ('{"format": 0}', "format '0', this version reads 2"), ("[]", "format 'None'")]
)
def test_a_file_that_is_none_of_ours_is_named(tmp_path, text, said):
    write(tmp_path, record("a2b", []))
    (tmp_path / "a2b" / "RESULTS.json").write_text(text)
    with pytest.raises(DataError, match=rf"a2b/RESULTS\.json: .*{said}.*run stage 6"):
        find_results(tmp_path)


def test_with_no_results_anywhere_there_is_one_sentence(tmp_path):
    (tmp_path / "a2b").mkdir()
    (tmp_path / "a2b" / "run.sh").touch()
    result = report_on(tmp_path)
    assert (result.returncode, result.stdout) == (0, EMPTY + "\n")
    assert not list(tmp_path.glob("*.md"))


# ---- Systems --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more, regime, pair",
    [
        ({}, "none", "A → B"),
        ({"target_data": ["unlabelled-test"]}, "unlabelled", "A → B"),
        ({"target_data": ["k-shot", "unlabelled-train"]}, "k-shot", "A → B"),
        ({"target_data": ["k-shot"], "sources": []}, "k-shot", "support set → B"),
        ({"target_data": ["labelled"], "sources": ["b"]}, "labelled", "B → B"),
        ({"target_data": ["labelled"], "sources": ["a", "b"]}, "labelled", "A + B → B"),
        ({"kind": "reference"}, "", "B"),
        ({"kind": "cited"}, "", "B"),
    ],
)
def test_regime_and_pair(more, regime, pair):
    [system] = systems_of([record("a2b", [table("b", [row("dann", 0.6, **more)])])])
    assert (system.regime, system.pair) == (regime, pair)


def test_a_matrix_opens_with_the_system_that_was_named_in_advance():
    """Sources and targets by their titles, colored from chance (one of two classes) to everything right."""

    def cell(source, target, uar, **more):
        return {"source": source, "target": target, "uar": uar} | more

    named = {"label": "lr", "feature": "f", "shots": 5, "target_data": [], "stamps": [], "means": {}, "against": {},
             "headline": True, "cells": [cell("a", "b", 0.75, interval=[0.7, 0.8]), cell("others", "b", 0.4),
                                         cell("a+b", "c", 1.0)]}  # fmt: skip
    other = named | {"label": "no", "headline": False}
    matrix = {"task": "t", "classes": CLASSES, "sources": ["a", "b", "others", "a+b"], "holes": [],
              "targets": {n: {"n_utterances": 4, "n_speakers": 2, "one_class_speakers": 0} for n in "bc"},
              "rows": [other, named]}  # fmt: skip
    [found] = transfer.heat_maps([record("a2b", []), record("m", [], matrices=[matrix])])
    assert (found.recipe, found.system, found.targets) == ("m", "lr, f, 5 shots", ["B", "C"])
    [(a, a_cells), (others, other_cells), (ab, ab_cells)] = found.rows  # nothing was trained on b alone
    assert (a, others, ab) == ("A", "all others", "A + B")
    assert (a_cells[0].share, a_cells[0].interval, a_cells[1]) == (0.5, [0.7, 0.8], None)
    assert (other_cells[0].share, other_cells[0].interval) == (pytest.approx(-0.2), None)
    assert [one and one.share for one in ab_cells] == [None, 1.0]


def test_a_row_that_knows_no_shots_stands_once():
    tables = [
        table("b", [CHANCE, row("source_only", 0.4, any_condition=True), row("btl", 0.5 + k / 100)], shots=k)
        for k in (5, 10)
    ]
    systems = systems_of([record("a2b", tables)])
    assert [(s.label, s.condition) for s in systems] == [
        ("chance", "any number of shots"), ("source_only", "any number of shots"), ("btl", "5 shots"),
        ("btl", "10 shots"),
    ]  # fmt: skip


def test_groups_hold_systems_tested_on_the_same_utterances_the_best_first():
    one = record("a2b", [table("b", [CHANCE, row("dann", 0.6), row("hole", None)])])
    two = record("c2b", [table("b", [CHANCE, row("better", 0.7)]), table("c", [row("else", 0.9)])])
    fewer = record("d2b", [table("b", [row("subset", 0.8)], n_true={"high": 3, "low": 4})])
    found = groups(systems_of([one, two, fewer]))
    assert [(g.corpus, sum(g.n_true.values()), [s.label for s in g.systems]) for g in found] == [
        ("B", 48, ["better", "dann", "hole", "chance"]), ("B", 7, ["subset"]), ("C", 48, ["else"])
    ]  # fmt: skip


def test_the_matrix_has_the_best_of_each_pair_and_says_what_is_missing():
    one = record("a2b", [table("b", [
        row("low", 0.6), row("high", 0.7), row("stamped", 0.95, stamps=["SPEAKER-DEPENDENT"]),
        row("ceiling", 0.9, target_data=["labelled"], sources=["b"]), CHANCE])])  # fmt: skip
    two = record("a2c", [table("c", [row("dann", None, published=66.5), row("dann_2", None, published=70.25)])],
                 needs="IEMOCAP")  # fmt: skip
    three = record("c2b", [table("b", [row("alone", 0.8, sources=["c"], stamps=["SPEAKER-DEPENDENT"])])])
    systems = systems_of([one, two, three])
    found = {matrix.choice: matrix for matrix in matrices(systems)}
    best = found["regime:none"]
    assert (best.sources, best.targets) == (["A", "C"], ["B", "C"])
    assert best.cells["A", "B"].best.label == "high"
    assert not best.cells["A", "B"].is_stamped
    assert (best.cells["A", "C"].needs, best.cells["A", "C"].published) == ("IEMOCAP", 70.25)
    assert best.cells["C", "B"].is_stamped
    assert ("C", "C") not in best.cells
    assert found["regime:labelled"].cells["B", "B"].best.label == "ceiling"
    assert set(found) <= set(choices(systems))
    assert "regime:k-shot" not in found


# ---- Words and charts -----------------------------------------------------------------------------------------


def test_cells_are_set_with_minus_signs_and_dashes():
    cells = {
        "-0.5 [-1.0, +0.1] (source-only) ▼": "−0.5 [−1.0, +0.1] (source-only) ▼",
        "42.5-50.0 ¹": "42.5–50.0 ¹",
        "+0.0": "+0.0",
        "emodb-2 <b>": "emodb-2 &lt;b&gt;",
    }
    assert {cell: str(words.typographic(cell)) for cell in cells} == cells


def test_definitions_that_differ_name_their_recipes():
    one, two, three = (record(name, []) for name in ("a2b", "c2b", "d2b"))
    two["definitions"] = {"tables": [["UAR", "another one."], ["sd", "spread."]]}
    for own in (one, three):
        own["definitions"] = {"tables": [["UAR", "mean of recalls."]]}
    assert words.definitions([one, two, three], "tables") == [
        ("UAR (a2b, d2b)", "mean of recalls."), ("UAR (c2b)", "another one."), ("sd", "spread.")
    ]  # fmt: skip
    assert words.definitions([one, three], "tables") == [("UAR", "mean of recalls.")]


def test_the_page_has_the_colors_of_the_figures():
    style = (ROOT / "ser" / "report" / "style.css").read_text()
    light = style.partition("@media")[0]
    assert tuple(re.findall(r"--c\d: (#[0-9a-f]{6})", light)) == COLORS
    assert len(COLORS) == charts.N_COLORS


def test_an_interval_lies_where_its_numbers_are():
    assert charts.interval(0.5, [0.42, 0.6], 0.25) == '<i class="iv" style="--u:50%;--c:25%;--l:42%;--w:18%"></i>'
    assert 'style="--u:50%;--c:25%"' in charts.interval(0.5, None, 0.25)


def test_differences_lie_where_their_numbers_are():
    svg = charts.differences([("a > b", 4.0, (-2.0, 10.0)), ("c", -10.0, None)], "title")
    x = [float(v) for v in re.findall(r'class="point" cx="([\d.]+)"', svg)]
    zero = float(re.search(r'class="axis" d="M([\d.]+) ', svg)[1])
    low, high = map(float, re.search(r'class="whisker" d="M([\d.]+) \d+H([\d.]+)"', svg).groups())
    unit = (x[0] - zero) / 4
    assert (x[1], low, high) == pytest.approx((zero - 10 * unit, zero - 2 * unit, zero + 10 * unit), abs=0.2)
    assert "a &gt; b" in svg and "−10.0" in svg and "+4.0" in svg


def test_lines_lie_where_their_numbers_are():
    """Ticks and points share one scale: a point at a tick's value is drawn at the tick's height."""
    svg = charts.lines([charts.Series("dann", [1, 2, 3], [0.2, None, 0.8], hollow=[(2, 0.4)])], "x", "y", "title")
    ticks = {text: float(y) - 4 for y, text in re.findall(r'y="([\d.]+)" text-anchor="end">([\d.]+)<', svg)}
    path = re.search(r'<path class="line c0" d="M([\d.]+) ([\d.]+)M([\d.]+) ([\d.]+)"/>', svg)
    hollow = re.search(r'<circle class="hollow c0" cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert [float(path[2]), float(path[4]), float(hollow[2])] == pytest.approx(
        [ticks["0.2"], ticks["0.8"], ticks["0.4"]], abs=0.1
    )
    assert float(hollow[1]) == pytest.approx((float(path[1]) + float(path[3])) / 2, abs=0.1)


def test_text_in_charts_is_escaped():
    svg = charts.lines([charts.Series("<b>&", [1], [1.0])], "<x>", "<y>", '"<t>"')
    assert "<b>" not in svg
    assert "<x>" not in svg
    assert "&lt;b&gt;&amp;" in svg
    assert "&#34;&lt;t&gt;" in svg
    assert "<t>" not in charts.scatter({"<t>": [(0, 0)]}, "<t>")


def test_heat_has_eleven_steps():
    assert [heat(share) for share in (-1, 0, 0.44, 0.5, 1, 2)] == ["h0", "h0", "h4", "h5", "h10", "h10"]


def test_anchors_are_ids():
    assert anchor("ravdess_emodb", "text: emodb, rotation") == "ravdess_emodb-text-emodb-rotation"


# ---- Pages ----------------------------------------------------------------------------------------------------

EVIL = '</script><img src=x onerror="alert(1)">'


class Reader(HTMLParser):
    """Gathers tags with their attributes, and checks that what is opened is closed."""

    VOID = {"meta", "link", "input", "br", "img", "path", "circle", "rect", "wbr"}

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag == "option" or tag not in self.VOID:
            assert self.open.pop() == tag


def full_record() -> dict:
    """A recipe with everything that a section can show, and names that would break a careless page."""
    rows = [CHANCE, row(EVIL, 0.6, published=65.5, published_text="65.50", minus_published=-5.5, is_best_of_all=True,
                        confusion=[[0.6, 0.4], [0.3, 0.7]], published_confusion=[[50, 50], [25, 75]]),
            row("source_only", 0.4, kind="beside", any_condition=True)]  # fmt: skip
    tables = [table("b", rows, shots=5), table("b", rows, shots=10)]
    about = {"task": "", "label": EVIL, "feature": "byol"}
    curve = [[0.1, 0.2], [0.0, 0.1], [0.2, 0.3]]
    return record(
        "a2b", tables, title=EVIL, note=EVIL, stamps=[f"STAMP: {EVIL}"], confusion_source="F", source="S",
        features={"byol": EVIL},
        learning=[{**about, "name": "k 5", "epochs": [1, 2], "loss": [2.0, 1.0], "dev_uar": [None, 0.5]}],
        planes=[{**about, "corpora": ["a", "b"], "classes": ["high", "low"],
                 "points": [[0, 0, 0.0, 1.0], [1, 1, 2.0, 3.0]]}],
        latent=[{"task": "", "label": EVIL, "corpora": {"a": [[0.0, 1.0, 1.5], [2.0, 3.0, 4.5]]}}],
        similarity=[{**about, "curves": {"before.raw.positive_same": curve}}],
        fits=[{"condition": Condition("four", "a").json, "ratings": ["activation"], "rows": [
            {"label": EVIL, "feature": "byol", "is_run": True, "ratings": {"activation": {
                "n": 3.0, "r2": 0.5, "interval": [0.1, 0.9], "is_significant": False}}}]}],
        probes=[{"task": "arousal", "label": EVIL, "feature": "byol", "proxy_a_distance": None,
                 "probes": {"corpus": {"uar": 0.7, "sd": 0.1, "chance": 0.5}}}],
    )  # fmt: skip


def test_page_escapes_everything_and_closes_what_it_opens(tmp_path):
    found = find_results(write(tmp_path, full_record()))
    text = page(found, systems_of([found[0].record]))
    reader = Reader(text)
    assert not [tag for tag, _ in reader.tags if tag == "img"]
    assert sum(tag == "script" for tag, _ in reader.tags) == 1
    assert text.count("&lt;/script&gt;&lt;img") > 10
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] for tag, attrs in reader.tags if tag == "a"]
    assert {link[1:] for link in links} <= set(ids)  # every link leads somewhere
    assert not [value for _, attrs in reader.tags for key, value in attrs.items()
                if key in ("src", "href") and not value.startswith(("#", "data:"))]  # fmt: skip
    assert "@import" not in text
    assert "url(" not in text


def test_page_shows_what_a_recipe_has(tmp_path):
    found = find_results(write(tmp_path, full_record()))
    text = page(found, systems_of([found[0].record]))
    expected = (
        *('class="panels"', "Embeddings in the plane", "Latent planes", "Similarity by layer"),
        *("Ratings on the latent space", "Domains in the embeddings", "published, F", "−5.5", "50.0–70.0"),
        *("cd egs/a2b &amp;&amp; ./run.sh --db_root DIR", "2026-01-01"),
    )
    for told in expected:
        assert told in text, told
    assert re.search(r'<td class="h6">60\.0</td><td class="h4">40\.0</td>', text)  # confusion, rows true
    assert '<td class="h5">50.0</td><td class="h5">50.0</td>' in text  # the paper's


def test_best_without_labels_is_neither_chance_nor_a_row_with_shots_or_labels(tmp_path):
    rows = [CHANCE, row("ceiling", 0.9, target_data=["labelled"]), row("btl", 0.7, target_data=["k-shot"])]
    seeing_none = [row("dann", 0.45, target_data=["unlabelled-test"]), row("baseline", 0.4)]
    for own, told in ((rows + seeing_none, ["45.0"]), (rows, [])):
        found = find_results(write(tmp_path, record("a2b", [table("b", own)])))
        text = page(found, systems_of([found[0].record]))
        assert re.findall(r"best without labels of the target ([\d.]+)", text) == told


def test_page_of_holes_says_what_they_need(tmp_path):
    hole = record("a2b", [table("b", [row("dann", None, published=66.5, published_text="66.50")], n_true={})],
                  needs="IEMOCAP", environment=None)  # fmt: skip
    del hole["tables"][0]["n_utterances"], hole["tables"][0]["n_true"]
    found = find_results(write(tmp_path, hole))
    systems = systems_of([found[0].record])
    html = page(found, systems)
    Reader(html)
    assert "needs IEMOCAP" in html
    assert "66.50" in html
    assert "| needs IEMOCAP |" in markdown(found, systems)


def test_markdown_puts_every_number_on_its_row(tmp_path):
    printed = {"published": 65.5, "published_text": "65.50", "minus_published": -4.3}
    dann = row("dann", 0.612, sample=sample(0.612), target_data=["unlabelled-test"], **printed)
    rows = [CHANCE, dann, row("variant", 0.9, kind="variant")]
    found = find_results(write(tmp_path, record("a2b", [table("b", rows)])))
    text = markdown(found, systems_of([found[0].record]))
    lines = text.split("<b>B: high, low (48 utterances, 8 speakers)</b></summary>")[1].strip().splitlines()
    cells = [dict(zip(lines[0].split(" | "), line.split(" | "), strict=True)) for line in lines[2:4]]
    assert cells[0]["| trained on"] == "| A"
    assert (cells[0]["system"], cells[0]["UAR"], cells[0]["95 %"]) == ("dann", "61.2", "51.2-71.2")
    assert (cells[0]["sees"], cells[0]["notes |"]) == ("test audio", "★ |")
    assert (cells[0]["published"], cells[0]["folds - published"]) == ("65.50", "-4.3")
    assert (cells[1]["system"], cells[1]["UAR"], cells[1]["95 %"]) == ("chance", "50.0", "")
    assert "variant" not in "".join(lines)
    for one in re.findall(r"(?:^\|.*\n)+", text, re.M):  # all tables are well-formed
        assert len({line.count("|") for line in one.splitlines()}) == 1


def sample(uar: float, spread: float = 0.01, seeds: int = 3) -> dict:
    """What tests need of eight speakers and some seeds, who differ from the mean by a little."""
    left_out = [round(uar + spread * (-1) ** i / 7, 6) for i in range(8)]
    return {"seeds": list(range(1, seeds + 1)), "uars": [[uar]] * seeds, "left_out": [left_out] * seeds}


def test_marks_are_of_the_systems_of_a_group(tmp_path):
    """Two recipes test the same utterances: there is one best, whatever each of their pages calls best."""

    def systems(*rows: dict) -> dict[str, str]:
        records = [record(f"{letter}2b", [table("b", [own])]) for letter, own in zip("ac", rows, strict=True)]
        [group] = groups(systems_of(records))
        told = marks(group)
        return {system.label: told.get(id(system), "") for system in group.systems}

    one = row("one", 0.7, sample=sample(0.7), interval=[0.6, 0.8], marks="★")
    worse = row("other", 0.6, sample=sample(0.6), interval=[0.55, 0.7], marks="★")
    assert systems(one, worse) == {"one": "★", "other": ""}
    near = row("other", 0.699, sample=sample(0.699, -0.01), interval=[0.6, 0.8])
    assert systems(one, near) == {"one": "★", "other": "="}
    once = row("other", 0.699, sample=sample(0.699, seeds=1), interval=[0.6, 0.8])
    assert systems(one, once) == {"one": "★", "other": "?"}
    flagged = row("other", 0.9, sample=sample(0.9), interval=[0.85, 0.95], stamps=["SPEAKER-DEPENDENT"])
    assert systems(one, flagged) == {"other": "", "one": "★"}
    chance = row("one", 0.7, sample=sample(0.7), interval=[0.45, 0.8], marks="★")
    assert systems(chance, worse) == {"one": "", "other": ""}


def test_command_writes_both_and_says_so(tmp_path):
    write(tmp_path, record("a2b", [table("b", [row("dann", 0.6)])]))
    result = report_on(tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("1 recipes, 1 systems: wrote ")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["RESULTS.md", "report.html"]


def test_a_broken_file_is_one_sentence(tmp_path):
    write(tmp_path, record("a2b", []))
    (tmp_path / "a2b" / "RESULTS.json").write_text("{")
    result = report_on(tmp_path)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


def test_the_report_needs_neither_torch_nor_figures():
    code = "import sys, ser.bin.report; print([m for m in ('torch', 'matplotlib', 'pandas') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


def test_the_committed_page_is_made_from_the_committed_numbers():
    """Run `./run.sh --report` again and commit what it writes."""
    found = find_results(ROOT / "egs")
    committed = [one for one in found if not one.is_own]
    text = markdown(committed, systems_of([one.record for one in committed if one.record]))
    assert (ROOT / "egs" / "RESULTS.md").read_text() == text


# ---- What holds ------------------------------------------------------------------------------------------------


def test_every_paper_of_a_recipe_has_a_claim():
    papers = {found.record["paper"] for found in find_results(ROOT / "egs") if found.record} - {None}
    assert papers == set(read_papers())


def test_a_card_counts_over_all_tables_and_shows_the_headline():
    def rows(difference: float, p: float, shortcut: float) -> list[dict]:
        tested = {
            "versus": "baseline",
            "difference": difference,
            "difference_interval": [difference - 0.1, difference],
        }
        return [CHANCE, row("baseline", 0.5), row("dann_2_center", 0.5 + difference, p=p, **tested),
                row("shortcut", shortcut, kind="shortcut")]  # fmt: skip

    twin = record(
        "a2b", [table("b", rows(0.2, 0.01, 0.4)), table("c", rows(-0.1, 0.2, 0.45))], title="A to B, binary"
    )
    printed = [row(label, None, published=value) for label, value in (("baseline", 60.0), ("dann_2_center", 62.5))]
    paper = record("i2b", [table("b", printed, n_true={})], needs="IEMOCAP", environment=None)
    [card] = cards([twin, paper])
    assert (card.name, card.systems, card.printed) == ("Gao et al. 2022", ["dann_2_center", "baseline"], [2.5])
    assert card.published == "dann_2_center against baseline: +2.5 points, ahead in 1 of 1 tables."
    assert card.holds == (
        "dann_2_center is ahead of baseline in 1 of 2 tables, significantly in 1. It is below shortcut in 1 of 2."
    )
    [result] = card.results
    assert (result.recipe, result.where) == ("a2b", "A to B, arousal")
    assert (result.compared.difference, result.compared.interval) == (0.2, (0.1, 0.2))
    [alone] = cards([paper])
    assert alone.holds == "Nothing was run on open corpora."


def test_variants_of_further_tables_are_left_to_the_page_of_their_recipe(tmp_path):
    """But for the best of a table, and those that stand for a printed value."""
    rows = [row("ours", 0.6), row("variant", 0.5, "variant")]
    more = [row("best", 0.7, "variant", is_best=True), row("printed", 0.4, "variant", published=41)]
    found = find_results(write(tmp_path, record("a2b", [table("b", rows), table("c", [*rows, *more])])))
    text = page(found, systems_of([one.record for one in found])).replace("<wbr>", "")
    for named in (r'<th scope="row"><a href="#\S+">(\w+)</a>', r'<th scope="row">(\w+)</th>'):  # systems, recipes
        labels = re.findall(named, text)
        assert [labels.count(name) for name in ("ours", "variant", "best", "printed")] == [2, 1, 1, 1], named
