"""A matrix of sources and targets: which systems are held against which, means and marks by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ser.errors import ConfigError
from ser.metrics.uncertainty import Cell, mean_estimate, uar_difference, uar_estimate
from ser.recipe.settings import Headline
from ser.results import matrix_page
from ser.results.matrix import System, _alike, _headline, _row, kind_of
from ser.results.measures import span

CLASSES = ["high", "low"]
N_SPEAKERS = {"a": 3, "b": 4}


def counts(hits: float, target: str, n_seeds: int = 1, n_draws: int = 1, seed: int = 0) -> np.ndarray:
    """Twenty utterances of each class and speaker, of which about a share is right."""
    rng = np.random.default_rng(seed)
    right = rng.binomial(20, hits, size=(n_seeds, n_draws, N_SPEAKERS[target], 2))
    made = np.zeros((*right.shape, 2), int)
    for c in (0, 1):
        made[..., c, c], made[..., c, 1 - c] = right[..., c], 20 - right[..., c]
    return made


def system(
    label, hits, shots=0, sources=("b",), seen=(), versus=None, feature="byol", directions=("b>a", "a>b"), **more
):
    about = SimpleNamespace(is_random=more.get("n_seeds", 1) > 1)
    row = SimpleNamespace(
        label=label, feature=feature, versus=versus, about=about, seeds=(1,), values={"method": "m"}
    )
    shapes = {"n_seeds": more.get("n_seeds", 1), "n_draws": more.get("n_draws", 1)}
    own = {tuple(d.split(">")): counts(hits, d[-1], **shapes, seed=len(label) + i) for i, d in enumerate(directions)}
    return System(row, shots, own, sources, seen)


SOURCE = system("lr_source", 0.5)
SUPPORT = system("support_only", 0.8, 5, sources=(), seen=("k-shot",), n_draws=2)
SHORTCUT = system("shortcut", 0.6, 5, sources=(), seen=("k-shot",), feature="shortcut", n_draws=2)
SHORTCUT_SOURCE = system("shortcut_source", 0.55, feature="shortcut")
SHORTCUT_15 = system("shortcut", 0.9, 15, sources=(), seen=("k-shot",), feature="shortcut", n_draws=2)
ADAPTED = system("btl", 0.7, 5, seen=("k-shot",), versus="lr_source", n_seeds=3, n_draws=2)
UNLABELLED = system("lr_corpus", 0.75, seen=("unlabelled-train",), versus="lr_source")
CEILING = system("in_domain", 0.95, sources=("a",), seen=("labelled",))
SYSTEMS = [SOURCE, SUPPORT, ADAPTED, UNLABELLED, CEILING, SHORTCUT, SHORTCUT_SOURCE, SHORTCUT_15]


def uar(of: np.ndarray) -> float:
    pooled = of.sum(2)
    return float((np.diagonal(pooled, axis1=-2, axis2=-1) / pooled.sum(-1)).mean())


def matrix() -> dict:
    targets = {t: {"n_utterances": 40 * n, "n_speakers": n, "one_class_speakers": n == 4 and 2} for t, n in
               N_SPEAKERS.items()}  # fmt: skip
    rows = [_row(one, SYSTEMS, []) | ({"headline": True} if one is ADAPTED else {}) for one in SYSTEMS]
    holes = [{"label": "lost", "feature": "byol", "hole": "no GPU"}]
    return {
        "task": "arousal",
        "classes": CLASSES,
        "sources": ["a", "b"],
        "targets": targets,
        "rows": rows,
        "holes": holes,
    }


def test_systems_are_held_against_those_of_their_regime_and_shots():
    rows = {(row["label"], row["shots"]): row for row in matrix()["rows"]}
    assert rows["btl", 5]["against"] == {"gain": "lr_source", "support": "support_only", "shortcut": "shortcut"}
    assert rows["lr_corpus", 0]["against"] == {"gain": "lr_source", "shortcut": "shortcut_source"}
    assert rows["lr_source", 0]["against"] == {"shortcut": "shortcut_source"}
    assert rows["support_only", 5]["against"] == {"shortcut": "shortcut"}
    assert rows["shortcut", 15]["against"] == {}
    speaker = system("support_only_speaker", 0.7, 5, sources=(), seen=("k-shot", "unlabelled-test"), n_draws=2)
    assert _row(SUPPORT, [*SYSTEMS, speaker], [])["against"] == {"shortcut": "shortcut"}
    cell = next(cell for cell in rows["btl", 5]["cells"] if cell["target"] == "a")
    expected = uar(ADAPTED.counts["b", "a"]) - uar(SHORTCUT.counts["b", "a"])
    assert cell["shortcut"]["difference"] == pytest.approx(expected, abs=1e-6)  # with 5 shots, not 15


def test_cells_have_the_uar_and_the_paired_difference_of_their_counts():
    row = _row(ADAPTED, SYSTEMS, [])
    for cell in row["cells"]:
        a, b = (one.counts[cell["source"], cell["target"]] for one in (ADAPTED, SOURCE))
        assert cell["uar"] == pytest.approx(uar(a), abs=1e-6)
        assert cell["interval"] == pytest.approx(uar_estimate(a, True).interval, abs=1e-6)
        found = uar_difference(a, np.tile(b, (3, 2, 1, 1, 1)), True, paired=True)
        assert cell["gain"]["difference"] == pytest.approx(uar(a) - uar(b), abs=1e-6)
        assert cell["gain"]["interval"] == pytest.approx(found.interval, abs=1e-6)


def test_means_are_over_directions_and_count_those_below():
    mean = _row(ADAPTED, SYSTEMS, [])["means"]["pairs"]
    gains = [uar(ADAPTED.counts[d]) - uar(SOURCE.counts[d]) for d in ADAPTED.counts]
    assert mean["n"] == mean["gain"]["n"] == 2
    assert mean["uar"] == pytest.approx(np.mean([uar(of) for of in ADAPTED.counts.values()]), abs=1e-6)
    assert mean["gain"]["difference"] == pytest.approx(np.mean(gains), abs=1e-6)
    assert (mean["gain"]["below"], mean["gain"]["surely_below"]) == (0, 0)
    assert mean["support"]["below"] == 2
    cells = [cell["support"] for cell in _row(ADAPTED, SYSTEMS, [])["cells"]]
    assert mean["support"]["surely_below"] == sum(cell["interval"][1] < 0 for cell in cells)


def test_a_mean_of_one_direction_is_that_direction():
    a, b = ADAPTED.counts["b", "a"], SUPPORT.counts["b", "a"]
    pair = _alike(a, b)
    found, expected = mean_estimate([Cell("a", *pair)], True), uar_difference(*pair, True, paired=True)
    for name in ("value", "p", "se_speakers", "se_repetitions"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name)), name
    assert found.interval == pytest.approx(expected.interval)
    assert mean_estimate([Cell("a", a)], True).value == pytest.approx(uar_estimate(a, True).value)


def test_variances_of_targets_add_up_and_those_of_sources_of_one_target_do_not():
    one, other = counts(0.6, "a", seed=1), counts(0.7, "b", seed=2)
    parts = [mean_estimate([Cell(name, own)], False) for name, own in (("a", one), ("b", other))]
    both = mean_estimate([Cell("a", one), Cell("b", other)], False)
    assert both.value == pytest.approx((parts[0].value + parts[1].value) / 2)
    assert both.se_speakers == pytest.approx(np.hypot(*(part.se_speakers for part in parts)) / 2)
    twice = mean_estimate([Cell("a", one), Cell("a", one)], False)  # the same speakers: nothing is gained
    assert twice.se_speakers == pytest.approx(parts[0].se_speakers)


def test_seeds_of_all_directions_are_one_factor():
    """A seed that is better everywhere does not average out over directions."""
    good, bad = counts(0.9, "a", seed=3), counts(0.5, "a", seed=4)
    cells = [Cell(name, np.concatenate([good, bad])) for name in ("x", "y", "z")]
    assert mean_estimate(cells, True).se_repetitions == pytest.approx(mean_estimate(cells[:1], True).se_repetitions)
    assert mean_estimate([Cell("a", good)], True).one_training


def test_a_class_of_one_speaker_has_no_interval():
    poor = counts(0.6, "a")
    poor[:, :, 1:, 0] = 0
    assert mean_estimate([Cell("a", poor)], False).interval is None


def test_kinds_of_sources():
    assert [kind_of(name) for name in ("emodb", "a+b", "others")] == ["pairs", "joint", "others"]


# ---- Its look -------------------------------------------------------------------------------------------------


def test_the_heat_map_has_sources_in_rows_and_the_ceiling_on_the_diagonal():
    found = matrix()
    row = next(row for row in found["rows"] if row["label"] == "btl")
    table = matrix_page.heat_map(found, row)
    assert table[0] == ["source \\ target", "a", "b"]
    assert [line[0] for line in table[1:]] == ["a", "b"]
    cells = {(cell["source"], cell["target"]): f"{100 * cell['uar']:.1f}" for cell in row["cells"]}
    assert table[1][2].startswith(f"{cells['a', 'b']} [")
    assert table[2][1].startswith(f"{cells['b', 'a']} [")
    assert table[1][1] == f"({100 * uar(CEILING.counts['b', 'a']):.1f})"


def test_the_page_names_the_system_of_the_recipe_and_never_the_best():
    text = matrix_page.headline(matrix())
    assert text.startswith(
        "The system btl, byol, 5 shots, is the one that the recipe names to be read first. "
        "From one corpus to another, its mean UAR is "
    )
    assert " against lr_source. It is below lr_source in 0 of 2, support_only in 2 of 2, shortcut in 0 of 2." in text
    assert matrix_page.headline(matrix() | {"rows": []}) is None


def test_tables_say_what_is_missing_and_who_has_one_class():
    found = matrix()
    means = matrix_page.means(found, "pairs")
    assert means[-1][:5] == ["lost", "byol", "", "", "not run: no GPU"]
    assert len({len(row) for row in means}) == 1
    assert matrix_page.heading(found).endswith(
        "Tested: a 120 utterances of 3 speakers; b 160 utterances of 4 speakers, 2 of them with one class only."
    )
    names = matrix_page.tables(found)
    assert "arousal-means-pairs" in names and "arousal-directions-gain" in names
    assert names["arousal-directions-support"][0] == ["system", "a > b", "b > a"]


def chooser(label: str, uars: dict[str, float], seen: tuple[str, ...] = (), shots: int = 0) -> dict:
    cells = [{"source": d.split(">")[0], "target": d.split(">")[1], "uar": uar} for d, uar in uars.items()]
    return {"label": label, "feature": "byol", "shots": shots, "target_data": list(seen), "cells": cells}


def test_a_system_is_chosen_for_a_target_by_the_directions_without_it():
    """Of three corpora, two directions are left for each target; `others` and partial systems are no votes."""
    a = {"b>c": 0.9, "c>b": 0.7, "a>b": 0.1, "a>c": 0.1, "b>a": 0.3, "c>a": 0.5, "others>a": 0.99}
    b = {"b>c": 0.6, "c>b": 0.6, "a>b": 0.8, "a>c": 0.6, "b>a": 0.8, "c>a": 0.8}
    rows = [
        chooser("one", a),
        chooser("two", b),
        chooser("part", {"b>c": 1.0, "b>a": 1.0}),
        chooser("ceiling", dict.fromkeys(a, 1.0), ("labelled",)),
        chooser("few", b, ("k-shot",), 5),
    ]
    found = matrix_page.chosen_elsewhere({"rows": rows, "targets": {"a": {}, "b": {}, "c": {}}})
    assert found[1] == ["nothing", "a", "one, byol", "40.0", "80.0, two, byol"]  # 0.8 and 0.6 on b>c and c>b
    assert found[2] == ["nothing", "b", "two, byol", "70.0", "the same"]  # a>c and c>a: 0.3 and 0.7
    assert found[3] == ["nothing", "c", "two, byol", "60.0", "the same"]  # a>b and b>a: 0.2 and 0.8
    assert found[4] == ["5 shots", "a", "few, byol", "80.0", "the same"]


def test_other_features_than_the_headline_s_are_folded():
    found = matrix()
    assert [s.title for s in matrix_page.sections(found) if s.is_folded] == ["UAR by direction", "Gain by direction"]
    other = _row(system("lr_source", 0.55, feature="egemaps", directions=("b>a",)), SYSTEMS, [])
    found["rows"].append(other)
    folded = {s.title: s.content for s in matrix_page.sections(found) if s.is_folded}
    assert folded.keys() == {
        "Means, one corpus to another, egemaps", "UAR by direction", "Gain by direction", "UAR by direction, egemaps",
    }  # fmt: skip
    _, line = folded["Means, one corpus to another, egemaps"]
    assert line[:2] == ["lr_source [1 of 2 directions]", "egemaps"]  # whose mean is that of another set
    assert [line[0] for line in folded["UAR by direction, egemaps"][1:]] == ["lr_source, egemaps"]
    shown = [
        line[1]
        for s in matrix_page.sections(found)
        if s.title == "Means, one corpus to another"
        for line in s.content
    ]
    assert {*shown} == {"feature", "byol", "shortcut"}


def test_a_figure_has_the_numbers_of_the_table(tmp_path):
    from ser.results.figures import draw

    nothing = {name: [] for name in ("fits", "tables", "planes", "similarity", "latent", "learning")}
    draw(nothing | {"title": "T", "matrices": [matrix()]}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["matrix-arousal.png"]
    first = (tmp_path / "matrix-arousal.png").read_bytes()
    draw(nothing | {"title": "T", "matrices": [matrix()]}, tmp_path)
    assert (tmp_path / "matrix-arousal.png").read_bytes() == first


DRAWN = f"51.2 [{span([0.4, 0.625])}]"


def test_tested_speakers_that_were_drawn_anew_stand_beside_the_mean_and_in_the_headline():
    found = matrix()
    row = next(row for row in found["rows"] if row.get("headline"))
    plain = matrix_page.means(found, "pairs")
    row["means"]["pairs"]["test_speakers"] = {
        "as they are": {"uar": 0.7, "interval": [0.6, 0.8]}, "skewed 16": {"uar": 0.512, "interval": [0.4, 0.625]},
    }  # fmt: skip
    table = matrix_page.means(found, "pairs")
    place = table[0].index("skewed 16")
    assert place == table[0].index("UAR [95 %]") + 1 and "as they are" not in table[0]
    assert {line[0].strip("*"): line[place] for line in table[1:]}["btl"] == DRAWN
    assert [line[:place] + line[place + 1 :] for line in table] == plain  # an empty cell in all other rows
    assert f"whose utterances are drawn anew: {DRAWN} (skewed 16)." in matrix_page.headline(found)


def test_a_part_of_the_rows_may_lack_the_headline_and_a_wrong_name_is_an_error():
    recipe = SimpleNamespace(settings=SimpleNamespace(headline=Headline(row="lr_corpus")), rows=[], features=["f"],
                             all_rows=[SimpleNamespace(label="lr_corpus")], folder="egs/m")  # fmt: skip
    assert _headline(recipe, "four_class", []) is None  # run.sh --rows has left it out
    recipe.settings.headline = Headline(row="lr_corpu")
    with pytest.raises(ConfigError, match="headline: row unknown 'lr_corpu'; did you mean 'lr_corpus'"):
        _headline(recipe, "four_class", [])
