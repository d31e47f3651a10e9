"""Figures: what is drawn, read back from the axes, and files that are the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser.metrics.statistics import Interval
from ser.results import figures
from ser.results.figures import confusion_figure, uar_by_shots_figure
from ser.results.lines import Curve

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
    write = figures._write
    monkeypatch.setattr(figures, "_write", lambda figure, path: (axes.append(figure.axes[0]), write(figure, path)))
    return axes


def test_confusion_figure_prints_per_cent_with_two_decimals_true_classes_downwards(tmp_path, drawn):
    confusion_figure(tmp_path / "a.png", SHARES, CLASSES, "BTL")
    texts = {text.get_position(): text for text in drawn[0].texts}
    assert len(texts) == 9
    for (i, j), share in np.ndenumerate(SHARES):
        assert texts[j + 0.5, i + 0.5].get_text() == f"{100 * share:.2f}"
    assert [t.get_text() for t in drawn[0].get_yticklabels()] == list(CLASSES)
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
        assert np.round(line.get_xdata()).tolist() == [5, 10]
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


def test_latent_planes_share_their_axes_within_a_model(tmp_path, monkeypatch):
    written = []
    write = figures._write
    monkeypatch.setattr(figures, "_write", lambda figure, path: (written.append(figure), write(figure, path)))
    rng = np.random.default_rng(1)
    planes = {c: figures.Plane(rng.normal(size=(n, 2)), rng.uniform(1, 5, n)) for c, n in (("src", 30), ("tgt", 9))}
    figures.latent_figure(tmp_path / "a.png", {"one": planes, "two": {"tgt": planes["tgt"]}}, "title")
    one_src, one_tgt, two_src, two_tgt, colors = written[0].axes
    assert [len(a.collections[0].get_offsets()) for a in (one_src, one_tgt, two_tgt)] == [30, 9, 9]
    assert not two_src.collections
    assert np.array_equal(one_tgt.collections[0].get_array(), planes["tgt"].activation)
    assert one_src.get_xlim() == one_tgt.get_xlim() != two_tgt.get_xlim()
    assert (one_src.get_title(), one_src.get_ylabel(), colors.get_ylabel()) == ("src", "one\nDim 2", "activation")
    figures.latent_figure(tmp_path / "b.png", {"one": planes, "two": {"tgt": planes["tgt"]}}, "title")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# ---- Similarity by layer ------------------------------------------------------------------------------------------


def similarity_curves() -> dict[str, np.ndarray]:
    g = np.random.default_rng(0)
    kinds = [f"{side}_{where}" for side in ("positive", "negative") for where in ("same", "cross")]
    names = [f"{when}.{v}.{kind}" for when in ("before", "after") for v in ("raw", "centered") for kind in kinds]
    return {name: (0.1 * i + g.normal(0, 0.01, (3, 40))).astype(np.float32) for i, name in enumerate(names)}


def test_a_band_holds_the_mean_and_leaves_out_batches_without_a_value():
    values = np.array([[0.1, 0.3, np.nan], [0.5, 0.5, np.nan]])
    mean, low, high = figures.band(values)
    assert mean.tolist() == pytest.approx([0.2, 0.5])
    assert low.tolist() == pytest.approx([0.1, 0.5]) and high.tolist() == pytest.approx([0.3, 0.5])


def test_similarity_has_four_panels_of_four_curves(tmp_path, monkeypatch):
    panels, write = [], figures._write
    monkeypatch.setattr(figures, "_write", lambda figure, path: (panels.extend(figure.axes), write(figure, path)))
    curves = similarity_curves()
    curves["after.raw.positive_cross"][:] = np.nan  # no batch had such a pair
    figures.similarity_figure(tmp_path / "x.png", curves, "title")
    assert [len(axes.lines) for axes in panels] == [4, 3, 4, 4]
    first = panels[0].lines[0]
    assert first.get_label() == "positive, same corpus"
    assert first.get_ydata().tolist() == pytest.approx(curves["before.raw.positive_same"].mean(1).tolist(), abs=1e-6)
    figures.similarity_figure(tmp_path / "y.png", curves, "title")
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "y.png").read_bytes()


def test_curves_are_read_as_they_were_written(tmp_path):
    np.savez(tmp_path / "x.npz", **similarity_curves())
    found = figures.read_curves(tmp_path / "x.npz")
    assert found.keys() == similarity_curves().keys()
    assert all(np.array_equal(found[name], value) for name, value in similarity_curves().items())
