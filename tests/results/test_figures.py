"""Figures: what is drawn, read back from the axes, and files that are the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser.metrics.statistics import Interval
from ser.results import figures
from ser.results.figures import Curve, confusion_figure, curves, draw, uar_by_shots_figure
from ser.results.training import band, similarity_record

CLASSES = ("angry", "happy", "sad")
SHARES = np.array([[0.812, 0.188, 0], [0.25, 0.5, 0.25], [0.00456, 0.1, 0.89544]])


def curve(label: str, uar: list[float], published: dict[int, float] | None = None, level: bool = False) -> Curve:
    points = dict(zip((5, 10), uar, strict=True))
    intervals = {k: Interval(v - 0.03, v + 0.02) for k, v in points.items()}
    return Curve(label, points, intervals, published or {}, level)


CURVES = [
    curve("source only", [0.3, 0.3], level=True),
    curve("BTL", [0.4, 0.5], {5: 0.45}),
    curve("EMOFSL", [0.5, 0.6]),
]


@pytest.fixture
def drawn(monkeypatch):
    """The axes of the last figure that was written."""
    axes = []
    write = figures.write_figure
    monkeypatch.setattr(
        figures, "write_figure", lambda figure, path: (axes.append(figure.axes[0]), write(figure, path))
    )
    return axes


def test_confusion_figure_prints_per_cent_with_two_decimals_true_classes_downwards(tmp_path, drawn):
    confusion_figure(tmp_path / "a.png", SHARES, CLASSES, "BTL", {"angry": 127, "happy": 71, "sad": 62})
    texts = {text.get_position(): text for text in drawn[0].texts}
    assert len(texts) == 9
    for (i, j), share in np.ndenumerate(SHARES):
        assert texts[j + 0.5, i + 0.5].get_text() == f"{100 * share:.2f}"
    assert [t.get_text() for t in drawn[0].get_yticklabels()] == ["angry (127)", "happy (71)", "sad (62)"]
    assert (drawn[0].get_xlabel(), drawn[0].get_ylabel()) == ("predicted", "true")
    assert drawn[0].yaxis_inverted()
    assert texts[0.5, 0.5].get_color() == "white" and texts[2.5, 0.5].get_color() != "white"


def test_uar_figure_has_curves_levels_intervals_and_published_points(tmp_path, drawn):
    uar_by_shots_figure(tmp_path / "a.png", CURVES, "A to B")
    [axes] = drawn
    [level] = [line for line in axes.lines if set(line.get_ydata()) == {30.0} and len(line.get_ydata()) == 2]
    assert level.get_linestyle() == "--"
    for container, one in zip(axes.containers, CURVES[1:], strict=True):
        line, _, [bars] = container
        assert line.get_ydata() == pytest.approx([100 * v for v in one.uar.values()])
        assert line.get_xdata().tolist() == [5, 10]
        for k, segment in zip((5, 10), bars.get_segments(), strict=True):
            assert segment[:, 1] == pytest.approx([100 * bound for bound in one.interval[k]])
    [published] = [line for line in axes.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert published.get_ydata() == pytest.approx([45])
    assert published.get_color() == axes.containers[0][0].get_color()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["EMOFSL", "BTL", "source only", "hollow: published"]


def test_nothing_is_said_of_published_points_where_there_are_none(tmp_path, drawn):
    uar_by_shots_figure(tmp_path / "a.png", [CURVES[0], CURVES[2]], "A to B")
    assert [text.get_text() for text in drawn[0].get_legend().get_texts()] == ["EMOFSL", "source only"]


@pytest.mark.parametrize("draw", [
    lambda path: confusion_figure(path, SHARES, CLASSES, "BTL"),
    lambda path: uar_by_shots_figure(path, CURVES, "A to B"),
])  # fmt: skip
def test_figures_are_png_and_the_same_every_time(tmp_path: Path, draw):
    for name in ("a é.png", "b.png"):
        draw(tmp_path / "figures" / name)
    one, two = ((tmp_path / "figures" / name).read_bytes() for name in ("a é.png", "b.png"))
    assert one[:8] == b"\x89PNG\r\n\x1a\n"
    assert one[-8:-4] == b"IEND"
    assert one == two
    assert len(list((tmp_path / "figures").iterdir())) == 2


def latent(n: int, seed: int) -> list[list[float]]:
    """Latent vectors and activations of some utterances."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.normal(size=(n, 2)), rng.uniform(1, 5, n)]).round(4).tolist()


def test_latent_planes_share_their_axes_within_a_model(tmp_path, monkeypatch):
    written = []
    write = figures.write_figure
    monkeypatch.setattr(figures, "write_figure", lambda figure, path: (written.append(figure), write(figure, path)))
    planes = {"src": latent(30, 1), "tgt": latent(9, 2)}
    figures.latent_figure(tmp_path / "a.png", {"one": planes, "two": {"tgt": planes["tgt"]}}, "title")
    one_src, one_tgt, two_src, two_tgt, colors = written[0].axes
    assert [len(a.collections[0].get_offsets()) for a in (one_src, one_tgt, two_tgt)] == [30, 9, 9]
    assert not two_src.collections
    assert one_tgt.collections[0].get_array().tolist() == [activation for _, _, activation in planes["tgt"]]
    assert one_src.get_xlim() == one_tgt.get_xlim() != two_tgt.get_xlim()
    assert (one_src.get_title(), one_src.get_ylabel(), colors.get_ylabel()) == ("src", "one\nDim 2", "activation")
    figures.latent_figure(tmp_path / "b.png", {"one": planes, "two": {"tgt": planes["tgt"]}}, "title")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_planes_are_drawn_by_emotion_and_by_corpus(tmp_path, monkeypatch):
    panels, write = [], figures.write_figure
    monkeypatch.setattr(
        figures, "write_figure", lambda figure, path: (panels.extend(figure.axes), write(figure, path))
    )
    plane = {
        "corpora": ["a", "b"],
        "classes": ["high", "low"],
        "points": [[0, 1, 0.5, 1.5], [1, 1, 2, 3], [1, 0, 4, 5]],
    }
    figures.plane_figure(tmp_path / "x.png", plane, "title")
    found = [{c.get_label(): c.get_offsets().tolist() for c in axes.collections} for axes in panels]
    assert found == [{"high": [[4, 5]], "low": [[0.5, 1.5], [2, 3]]}, {"a": [[0.5, 1.5]], "b": [[2, 3], [4, 5]]}]


def similarity_curves() -> dict[str, np.ndarray]:
    g = np.random.default_rng(0)
    kinds = [f"{side}{where}" for side in ("positive", "negative") for where in ("", "_same", "_cross")]
    names = [f"{when}.{v}.{kind}" for when in ("before", "after") for v in ("raw", "centered") for kind in kinds]
    return {name: (0.1 * i + g.normal(0, 0.01, (3, 40))).astype(np.float32) for i, name in enumerate(names)}


def test_a_band_holds_the_mean_and_leaves_out_batches_without_a_value():
    values = np.array([[0.1, 0.3, np.nan], [0.5, 0.5, np.nan]])
    mean, low, high = band(values)
    assert mean.tolist() == pytest.approx([0.2, 0.5])
    assert low.tolist() == pytest.approx([0.1, 0.5]) and high.tolist() == pytest.approx([0.3, 0.5])


def test_similarity_has_four_panels_of_six_curves(tmp_path, monkeypatch):
    panels, write = [], figures.write_figure
    monkeypatch.setattr(
        figures, "write_figure", lambda figure, path: (panels.extend(figure.axes), write(figure, path))
    )
    batches = similarity_curves()
    batches["after.raw.positive_cross"][:] = np.nan  # no batch had such a pair
    np.savez(tmp_path / "x.npz", **batches)
    record = similarity_record(tmp_path / "x.npz")
    assert record.keys() == batches.keys() - {"after.raw.positive_cross"}
    paper = {"after": {"nearer_from": 2, "positive": 0.9, "negative": 0.4}, "before": {"nearer_from": None}}
    figures.similarity_figure(tmp_path / "x.png", record, "title", paper)
    assert [len(axes.lines) for axes in panels] == [6, 5 + 3, 6, 6]  # with the paper's checkpoints
    thick, thin, *_ = panels[0].lines
    assert (thick.get_label(), thin.get_label()) == ("positive, all pairs", "positive, same corpus")
    assert thick.get_linewidth() > 2 * thin.get_linewidth()
    assert thick.get_ydata().tolist() == pytest.approx(batches["before.raw.positive"].mean(1).tolist(), abs=1e-4)
    assert thin.get_ydata().tolist() == pytest.approx(batches["before.raw.positive_same"].mean(1).tolist(), abs=1e-4)
    marks = [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in panels[1].lines
             if line.get_marker() == "o"]  # fmt: skip
    assert marks == [(2, 0.9), (2, 0.4)]
    assert [line.get_xdata()[0] for line in panels[1].lines if line.get_linestyle() == ":"] == [1]
    figures.similarity_figure(tmp_path / "y.png", record, "title", paper)
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "y.png").read_bytes()


# ---- From RESULTS.json ----------------------------------------------------------------------------------------


def shots_record() -> dict:
    """Two tables of a few-shot recipe: the paper's row, one beside it, one without shots, and others."""
    tables = []
    for shots, uar in ((5, 0.4), (10, 0.5)):
        rows = [
            {"kind": "reference", "label": "chance", "feature": "-", "uar": 0.25},
            {"kind": "beside", "label": "source_only", "feature": "byol", "uar": 0.3, "interval": [0.2, 0.4],
             "any_condition": True, "cells": 2},
            {"kind": "paper", "label": "btl", "feature": "byol", "published_as": "btl", "uar": uar,
             "interval": [uar - 0.1, uar + 0.1], "confusion": [[0.5, 0.5], [0, 1]], "cells": 2}
            | ({"published": 45.0} if shots == 5 else {}),
            {"kind": "variant", "label": "btl_sum", "feature": "byol", "uar": 0.6, "interval": [0.5, 0.7]},
            {"kind": "shortcut", "label": "shortcut", "feature": "shortcut", "uar": 0.3, "interval": [0.2, 0.4]},
        ]  # fmt: skip
        condition = {"task": "", "corpus": "b", "shots": shots, "rotation": False}
        tables.append({"condition": condition, "classes": ["high", "low"], "rows": rows})
    return {"title": "A to B", "tables": tables} | dict.fromkeys(("fits", "planes", "latent", "similarity"), [])


def test_curves_are_of_the_papers_rows_and_those_beside_them():
    [(feature, [level, btl])] = curves(shots_record()).items()
    assert feature == "byol"
    assert (level.label, level.level, level.uar, level.published) == ("source_only", True, {5: 0.3, 10: 0.3}, {})
    assert (btl.label, btl.level, btl.uar, btl.published) == ("btl", False, {5: 0.4, 10: 0.5}, {5: 0.45})
    assert btl.interval == {5: [0.4 - 0.1, 0.5], 10: [0.4, 0.6]}
    assert curves(shots_record() | {"tables": shots_record()["tables"][:1]}) == {}


def test_all_figures_of_a_record_are_drawn(tmp_path):
    record = shots_record()
    about = {"task": "t", "label": "btl", "feature": "byol"}
    plane = {"corpora": ["a"], "classes": ["high"], "points": [[0, 0, 1.0, 2.0]]}
    record |= {
        "planes": [about | plane],
        "similarity": [about | {"curves": {"after.raw.positive_same": [[0.1, 0.2], [0.0, 0.1], [0.2, 0.3]]}}],
        "latent": [{"task": "t", "label": "btl, byol", "corpora": {"a": latent(9, 1)}}],
    }
    draw(record, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "btl-byol-5.png", "btl-byol-10.png", "plane-btl-byol-t.png", "similarity-t-btl-byol.png", "latent-t.png",
        "uar-by-shots-byol.png",
    }  # fmt: skip
