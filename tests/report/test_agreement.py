"""A number is one value in RESULTS.json, printed alike in RESULTS.md, egs/RESULTS.md and report.html; measures follow
from their entries in all of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from ser.report import markdown as all_recipes
from ser.report.collect import Found, find_results, systems_of
from ser.report.page import page
from ser.results import answers, measures, panels, render, sections
from ser.results.measures import EVERYWHERE, MEASURES, Measure, percent
from ser.results.record import condition_of, read_record
from ser.results.words import definitions
from tests.results.tables import CLASSES, FIVE, cells_of_pipes, entries, line, scored, table_of
from tests.test_house import ROOT

RECIPES = sorted(path.parent.name for path in ROOT.glob("egs/*/RESULTS.json"))


class Tables(HTMLParser):
    """Reads the tables of scores of the report: id of a table's place -> its rows, cells as text."""

    def __init__(self, text: str):
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self.place, self.cell, self.in_scores = "", None, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        about = dict(attrs)
        if tag == "details" and about.get("class") == "result":
            self.place = about["id"]
        elif tag == "table":
            self.in_scores = about.get("class") == "scores" and self.place not in self.found
            if self.in_scores:
                self.found[self.place] = []
        elif tag == "tr" and self.in_scores:
            self.found[self.place].append([])
        elif tag in ("td", "th") and self.in_scores:
            self.cell = ""
        elif tag in ("span", "mark") and self.cell is not None:
            self.cell += " "

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self.cell is not None:
            self.found[self.place][-1].append(self.cell.strip())
            self.cell = None
        elif tag == "table":
            self.in_scores = False


def plain(cell: str) -> str:
    """Undo what the report sets otherwise."""
    return cell.replace("−", "-").replace("–", "-")


@pytest.fixture(scope="module")
def committed() -> list[Found]:
    return [found for found in find_results(ROOT / "egs") if not found.is_own]


@pytest.fixture(scope="module")
def html(committed) -> dict[str, list[list[str]]]:
    records = [found.record for found in committed if found.record is not None]
    return Tables(page(committed, systems_of(records))).found


def systems_in(text: str, heading: str) -> dict[tuple[str, str], dict[str, str]]:
    """Read all tables of a section: system without flags, and feature -> column -> cell."""
    section = re.split(r"^#+ ", text.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    found: dict[tuple[str, str], dict[str, str]] = {}
    for table in re.findall(r"(?:^\|.*\n)+", section, re.M):
        names, _, *rows = cells_of_pipes(table)
        for row in rows:
            cells = dict(zip(names, row, strict=True))
            own = found.setdefault((cells["system"].split(" [")[0], cells["feature"]), {})
            assert all(own.get(name, cell) == cell for name, cell in cells.items())
            own |= cells
    return found


@pytest.mark.parametrize("name", RECIPES)
def test_the_page_and_the_report_print_the_same(name, html):
    record = read_record(ROOT / "egs" / name / "RESULTS.json")
    text = (ROOT / "egs" / name / "RESULTS.md").read_text()
    n = 0
    for table in record["tables"] if record["environment"] else ():
        condition = condition_of(table)
        place = re.sub(r"[^A-Za-z0-9_]+", "-", f"{name}-{condition}").strip("-")
        head, *rows = html[place]
        ours = systems_in(text, str(condition))
        for row in (row for row in rows if len(row) == len(head)):
            cells = ours[row[0].split("  ")[0], row[1] or "-"]
            for column, cell in zip(head[3:], row[3:], strict=True):
                if column in cells:
                    assert plain(cell) == cells[column], (condition, cells["system"], column)
                    n += bool(cell)
    assert n > 10 or record["environment"] is None or record.get("matrices")


@pytest.mark.parametrize("name", RECIPES)
def test_the_headline_repeats_the_tables(name):
    """At most ten rows, each with the digits that its system has in its table."""
    record = read_record(ROOT / "egs" / name / "RESULTS.json")
    if (found := answers.headline(record)) is None:
        return
    head, _, *rows = cells_of_pipes(render.headline_table(record, found))
    assert 0 < len(rows) == len(found.rows) <= answers.MAX_ROWS
    ours = systems_in((ROOT / "egs" / name / "RESULTS.md").read_text(), str(found.condition))
    for row, printed in zip(found.rows, rows, strict=True):
        cells = ours[row["label"], row["feature"]]
        own = dict(zip(head, printed, strict=True))
        interval = f" [{cells['95 %']}]" if cells.get("95 %") else ""
        assert own["UAR [95 %]"] == cells["UAR"] + interval
        assert (own.get("difference [95 %]", ""), own.get("p", "")) == (
            cells.get("difference", ""),
            cells.get("p", ""),
        )


def test_the_page_of_all_recipes_prints_the_same(committed):
    """Each system's line there is, but for columns that it has not, its line on its own page."""
    systems = systems_of([found.record for found in committed if found.record is not None])
    text = all_recipes.markdown(committed, systems)
    assert text == (ROOT / "egs" / "RESULTS.md").read_text()
    lines = {line for line in text.splitlines() if line.startswith("| ")}
    n = 0
    for system in systems:
        if system.is_shown_first and system.uar is not None and system.row["kind"] != "reference":
            own = systems_in((ROOT / "egs" / system.recipe["recipe"] / "RESULTS.md").read_text(), str(system.tested))
            cells = own[system.label, system.feature]
            where = f"| {system.recipe['recipe']}, {system.condition} |"
            name = f"| {system.label} | {system.feature} |"
            found = [row for row in lines if where in row and name in row and f"| {cells['UAR']} |" in row]
            bounds = cells.get("95 %")
            assert any(not bounds or f"| {cells['seeds']} | {bounds} |" in row for row in found), (where, name)
            n += 1
    assert n > 250


@pytest.mark.parametrize("name", RECIPES)
def test_committed_pages_are_rendered_from_the_numbers_beside_them(name):
    for numbers in (ROOT / "egs" / name).glob("RESULTS.json"):
        record = read_record(numbers)
        assert numbers.with_suffix(".md").read_text() == render.markdown(record)
        figure = numbers.with_suffix(".svg")
        assert (figure.read_text() if figure.exists() else None) == panels.figure(record)


def test_committed_mistakes_are_rendered_from_the_numbers_beside_them():
    from ser.mistakes.render import FORMAT, markdown

    paths = list(ROOT.glob("egs/*/MISTAKES.md"))
    assert paths
    for path in paths:
        assert path.read_text() == markdown(read_record(path.with_suffix(".json"), FORMAT))


# ---- A measure is one entry -----------------------------------------------------------------------------------

WORST = Measure(
    "worst_class", "worst class", lambda entry: entry.scores["recall"].min(), percent,
    definition="the lowest recall.", tables=EVERYWHERE,
)  # fmt: skip
F1_BY_CLASS = Measure("f1_by_class", "F1 {}", lambda entry: {name: 0.123 for name in entry.classes})
STAGE_5 = Measure("mce", "MCE", lambda entry: entry.line.measured.get("mce"), measures.number, definition="an error.")


@pytest.fixture
def more_measures(monkeypatch):
    """Three more entries, which is all that a new measure takes."""
    monkeypatch.setattr(measures, "MEASURES", (*MEASURES, WORST, F1_BY_CLASS, STAGE_5))


def test_a_new_entry_shows_in_the_record_and_on_every_page(more_measures):
    from tests.report.records import record

    [found] = scored(line("BTL", measured={"mce": 0.0712}))
    table = table_of([found])
    [row] = table["rows"]
    worst = min(found.scores["recall"])
    assert row["worst_class"] == pytest.approx(worst, abs=5e-7)
    assert row["f1_by_class"] == dict.fromkeys(CLASSES, 0.123)
    assert row["mce"] == 0.0712

    text = f"{100 * worst:.1f}"
    head, _, cells = cells_of_pipes(sections.markdown_table(table))
    on_page = dict(zip(head, cells, strict=True))
    assert (on_page["worst class"], on_page["F1 sad"], on_page["MCE"]) == (text, "12.3", "0.07")
    terminal = sections.text_table(table).splitlines()
    assert terminal[1][terminal[0].index("worst class") :].startswith(text)
    assert "MCE" not in terminal[0]

    own = record("a2b", [table], definitions=definitions(), corpora={"t": {"title": "T"}})
    assert ["worst class", "the lowest recall."] in own["definitions"]["tables"]
    systems = systems_of([own])
    [rows] = Tables(page([Found("a2b", own)], systems)).found.values()
    in_report = dict(zip(*rows, strict=True))
    assert in_report["worst class"] == text and "MCE" not in in_report
    summary = all_recipes.markdown([Found("a2b", own)], systems)
    assert "worst class |" in summary and f"| {text} |" in summary


def test_an_old_record_without_the_measure_has_no_column(more_measures):
    table = table_of(entries())
    for row in table["rows"]:
        for key in ("worst_class", "f1_by_class", "mce"):
            row.pop(key, None)
    head = cells_of_pipes(sections.markdown_table(table))[0]
    assert not {"worst class", "F1 sad", "MCE"} & set(head)
    assert condition_of(table) == FIVE


def test_keys_and_columns_of_entries_are_unlike():
    for entries_of_table in (MEASURES, measures.FIT_MEASURES):
        keys = [measure.key for measure in entries_of_table]
        names = [measure.name for measure in entries_of_table if measure.name]
        assert len(keys) == len(set(keys)) and len(names) == len(set(names))
