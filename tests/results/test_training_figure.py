"""The figure of learning curves: where points lie, what is left out, and that names cannot break it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from ser.results import render, training_figure
from ser.results.record import read_record
from ser.results.training_figure import BOTTOM, COLUMNS, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, figure
from tests.test_house import ROOT


def curve(name: str = "", epochs=(1, 2, 3), **columns) -> dict:
    return {"task": "", "label": "btl", "feature": "f", "name": name, "epochs": list(epochs)} | columns


def lines(svg: str) -> dict[str, list[tuple[float, float]]]:
    """Read the curves, not the key's: classes -> points."""
    found = re.findall(r'<path class="((?:loss|dev) w\d)" d="M([\d. L]+)"', svg)
    return {names: [tuple(map(float, point.split())) for point in path.split("L")] for names, path in found}


def test_points_lie_where_the_numbers_say():
    """Loss falls from 3 over 2 to 1, UAR rises from 0.5 to 0.7 without a value in between."""
    svg = figure([Chart("a", [curve(loss=[3.0, 2.0, 1.0], dev_uar=[0.5, None, 0.7])])], "T")
    left, right, top, base = LEFT + 4, WIDTH - RIGHT - 4, TOP + 4, HEIGHT - BOTTOM - 4
    middle = ((left + right) / 2, (top + base) / 2)
    assert lines(svg) == {"loss w0": [(left, top), middle, (right, base)], "dev w0": [(left, base), (right, top)]}
    assert re.findall(r'<text class="(\w+)"[^>]*>([^<]+)</text>', svg)[-4:] == [
        ("loss", "1"), ("loss", "3"), ("dev", "50.0"), ("dev", "70.0")
    ]  # fmt: skip
    assert "epoch 3" in svg and "UAR on dev" in svg


def test_shots_differ_in_width_and_a_constant_lies_in_the_middle():
    svg = figure([Chart("a", [curve("k 5", loss=[1.0, 1.0, 1.0]), curve("k 10", loss=[1.0, 1.0, 1.0])])], "T")
    assert set(lines(svg)) == {"loss w0", "loss w1"}
    assert {y for _, y in lines(svg)["loss w0"]} == {(TOP + HEIGHT - BOTTOM) / 2}
    assert "from thin to thick: k 5, k 10" in svg and "UAR on dev utterances (%)" not in svg


def test_charts_fill_rows_and_those_without_epochs_are_left_out():
    charts = [Chart(str(i), [curve(loss=[1.0, 2.0, 3.0])]) for i in range(COLUMNS + 1)]
    svg = figure([Chart("nothing", []), *charts, Chart("empty", [curve(loss=[None] * 3)])], "<&> T")
    root = ElementTree.fromstring(svg)
    assert (root.get("width"), root.get("height")) == (str(COLUMNS * WIDTH), str(2 * HEIGHT + 30))
    assert root[0].text == "<&> T: training loss and UAR on dev utterances by epoch"
    assert "nothing" not in svg and "empty" not in svg
    assert (
        figure([Chart("nothing", [])], "T") is None
        and training_figure.of_record({"title": "T", "learning": []}) is None
    )


def test_a_record_has_a_chart_for_each_system():
    record = {"title": "T", "learning": [curve("k 5", loss=[1.0, 2.0, 3.0]), curve("k 10", loss=[1.0, 2.0, 3.0]),
                                         curve(loss=[1.0, 2.0, 3.0]) | {"label": "fstl"}]}  # fmt: skip
    heads = re.findall(r'class="head"[^>]*>([^<]+)<', training_figure.of_record(record))
    assert heads == ["btl", "fstl"]  # all of one feature


@pytest.mark.parametrize("numbers", sorted(ROOT.glob("egs/*/RESULTS.json")), ids=lambda path: path.parent.name)
def test_committed_figures_are_those_of_their_numbers(numbers):
    record = read_record(numbers)
    drawn, file = training_figure.of_record(record), numbers.with_name(render.TRAINING)
    assert (drawn is None) == (not file.exists()) == (render.TRAINING not in render.markdown(record))
    if drawn is not None:
        assert file.read_text() == drawn, "renew it: ./run.sh --render"
