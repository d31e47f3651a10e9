"""Tables of latent spaces against ratings: numbers by hand, paired intervals, published values, holes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser.config import build
from ser.errors import ConfigError
from ser.metrics import adjusted_r2
from ser.results.fits import Fit, FitLine, fit_of, left_out, r2_of_models, score
from ser.results.published import Published
from ser.results.record import fit_record
from ser.results.sections import fit_overview, fit_table
from ser.scoring.score import fits
from ser.types import Condition

T = Condition("four", "t")
N_SPEAKERS, PER_SPEAKER, MODELS = 5, 8, 3


def predictions(noise: float, seed: int = 1) -> tuple[pd.DataFrame, dict[str, float], dict[str, str]]:
    """Three models' latent vectors of one corpus, the ratings, and who speaks; one utterance has no rating, and one
    is an outlier to the first model."""
    rng = np.random.default_rng(seed)
    utts = [f"t-{s}-{i}" for s in range(N_SPEAKERS) for i in range(PER_SPEAKER)]
    rating = rng.integers(2, 11, len(utts)) / 2
    parts = []
    for model in range(MODELS):
        z = np.stack([rating, -rating], axis=1) + noise * rng.normal(size=(len(utts), 2))
        z[3] = np.nan if model == 0 else z[3]
        parts.append(pd.DataFrame({"split": f"fold{model}", "draw": 0, "utt_id": utts, "z1": z[:, 0], "z2": z[:, 1]}))
    ratings = dict(zip(utts[1:], rating[1:].tolist(), strict=True))
    return pd.concat(parts, ignore_index=True), ratings, {utt: utt.rpartition("-")[0] for utt in utts}


def run(noise: float, seed: int = 1) -> dict:
    table, ratings, speaker_of = predictions(noise, seed)
    return {"fits": fits({Condition(corpus="t"): table}, {"activation": ratings, "valence": {}}, speaker_of)}


def table(lines: list[FitLine], scored: dict, condition: Condition, published: Published | None) -> list[list[str]]:
    """Print the cells of a table, names first."""
    found = fit_record(condition, lines, scored, published)
    return fit_table(found) if found else []


def overview(lines: list[FitLine], scored: dict) -> list[list[str]]:
    return fit_overview([fit_record(T, lines, scored, None)])


def line(label: str, noise: float, **fields) -> FitLine:
    return FitLine(label, "f", ("none",), fits=fit_of([run(noise, seed) for seed in (1, 2)], T, (1, 2)), **fields)


def test_fits_are_those_of_each_model_on_what_is_rated_and_no_outlier():
    predicted, ratings, speaker_of = predictions(1.0)
    found = fits({Condition(corpus="t"): predicted}, {"activation": ratings, "valence": {}}, speaker_of)["t"]
    assert set(found) == {"activation"}  # nothing has a valence
    fit = fit_of([{"fits": {"t": found}}], T, (1,))["activation"]
    for model in range(MODELS):
        own = predicted[(predicted["split"] == f"fold{model}") & predicted["utt_id"].isin(ratings)].dropna()
        assert len(own) == N_SPEAKERS * PER_SPEAKER - 1 - (model == 0)
        y, z = own["utt_id"].map(ratings).to_numpy(), own[["z1", "z2"]].to_numpy()
        assert r2_of_models(fit.moments)[0, model] == pytest.approx(adjusted_r2(y, z))
        i, j = np.triu_indices(len(y), 1)
        distances = np.sqrt(((z[i] - z[j]) ** 2).sum(1))
        assert fit.distances[model] == pytest.approx(adjusted_r2(distances, abs(y[i] - y[j])))


def test_rows_without_a_latent_space_have_no_fits():
    predicted, ratings, speaker_of = predictions(1.0)
    assert (
        fits({Condition(corpus="t"): predicted.drop(columns=["z1", "z2"])}, {"activation": ratings}, speaker_of) == {}
    )
    assert fit_of([{"fits": {}}], T, (1,)) == {}


def test_scores_join_models_and_seeds():
    runs = [run(1.0, seed) for seed in (1, 2)]
    fit = fit_of(runs, T, (1, 2))["activation"]
    values = np.concatenate([r2_of_models(fit_of([r], T, (1,))["activation"].moments).ravel() for r in runs])
    (found,) = score([FitLine("a", "f", fits={"activation": fit})])["activation"].values()
    assert found.r2 == pytest.approx(values.mean())
    assert found.sd == pytest.approx(values.std(ddof=1))
    assert found.interval.low < found.r2 < found.interval.high
    assert found.is_significant and not found.one_training


def test_a_speaker_is_left_out_of_every_model():
    fit = fit_of([run(1.0)], T, (1,))["activation"]
    assert fit.speakers == tuple(f"t-{s}" for s in range(N_SPEAKERS))
    predicted, ratings, speaker_of = predictions(1.0)
    rated = predicted[predicted["utt_id"].isin(ratings)].dropna()
    for place, speaker in enumerate(fit.speakers):
        rest = rated[rated["utt_id"].map(speaker_of) != speaker]
        expected = [adjusted_r2(own["utt_id"].map(ratings), own[["z1", "z2"]]) for _, own in rest.groupby("split")]
        assert left_out(fit.moments)[place] == pytest.approx(np.mean(expected))


def test_folds_that_test_a_speaker_each_are_no_further_source_of_variance():
    """Their differences are those of their speakers."""
    whole = fit_of([run(1.0), run(1.0, 2)], T, (1, 2))["activation"]
    own = np.zeros((2, N_SPEAKERS, *whole.moments.shape[2:]))
    for place in range(N_SPEAKERS):
        own[:, place, place] = whole.moments[:, 0, place]
    parts = dataclasses.replace(whole, moments=own)
    (found,) = score([FitLine("a", "f", fits={"activation": parts})])["activation"].values()
    r2 = r2_of_models(own)
    deviations = left_out(own) - left_out(own).mean()
    se = np.sqrt((N_SPEAKERS - 1) / N_SPEAKERS * (deviations**2).sum() + r2.mean(1).var(ddof=1) / 2)
    assert found.r2 == pytest.approx(r2.mean())
    assert np.ptp(found.interval) >= 2 * 2.776 * se * 0.999  # t of four degrees of freedom, or of a few more
    assert np.ptp(found.interval) <= 2 * 12.71 * se


def test_a_row_is_compared_on_the_same_speakers_and_seeds():
    lines = [line("clear", 0.3), line("dim", 3.0, versus="clear"), line("same", 0.3, versus="clear")]
    scored = score(lines)["activation"]
    assert scored["clear", "f"].difference is None
    assert scored["dim", "f"].difference == pytest.approx(scored["dim", "f"].r2 - scored["clear", "f"].r2)
    assert scored["dim", "f"].difference_interval.high < 0
    assert scored["dim", "f"].p < 0.05 and scored["same", "f"].p == 1
    assert tuple(scored["same", "f"].difference_interval) == (0, 0)


def test_one_seed_has_an_interval_of_its_own_and_no_p():
    one = FitLine("one", "f", fits=fit_of([run(1.0)], T, (1,)))
    other = FitLine("other", "f", versus="one", fits=fit_of([run(3.0)], T, (1,)))
    scored = score([one, other])["activation"]
    assert scored["one", "f"].one_training and scored["other", "f"].p is None
    rows = table([one, other], {"activation": scored}, T, None)
    assert "one training" in dict(zip(rows[0], rows[1], strict=True))["activation: 95 %"]
    fixed = [dataclasses.replace(own, is_random=False) for own in (one, other)]
    assert score(fixed)["activation"]["other", "f"].p is not None


def without_speaker(whole: Fit, name: str) -> Fit:
    """What stage 5 writes where none of a speaker's utterances is left."""
    kept = [i for i, speaker in enumerate(whole.speakers) if speaker != name]
    speakers = tuple(whole.speakers[i] for i in kept)
    return dataclasses.replace(whole, speakers=speakers, moments=whole.moments[:, :, kept])


def test_rows_of_unlike_speakers_are_compared_on_all_of_them():
    whole = fit_of([run(1.0), run(1.0, 2)], T, (1, 2))["activation"]
    part = without_speaker(whole, "t-1")
    zeros = whole.moments.copy()
    zeros[:, :, 1] = 0
    padded = dataclasses.replace(whole, moments=zeros)
    lines = [
        FitLine("whole", "f", fits={"activation": whole}),
        FitLine("part", "f", versus="whole", fits={"activation": part}),
        FitLine("padded", "f", versus="whole", fits={"activation": padded}),
    ]
    scored = score(lines)["activation"]
    for name in ("difference", "difference_interval", "p", "r2"):
        assert getattr(scored["part", "f"], name) == pytest.approx(getattr(scored["padded", "f"], name))
    assert score(lines[1:])["activation"]["part", "f"].r2 == scored["part", "f"].r2


def test_seeds_of_unlike_speakers_are_joined_by_name():
    one, other = run(1.0, 1), run(1.0, 2)
    fit = other["fits"]["t"]["activation"]
    fit["moments"] = [of_model[1:] for of_model in fit["moments"]]
    fit["speakers"] = fit["speakers"][1:]
    joined = fit_of([other, one], T, (1, 2))["activation"]
    assert joined.speakers == tuple(f"t-{s}" for s in range(N_SPEAKERS))
    assert (joined.moments[0, :, 0] == 0).all()
    np.testing.assert_array_equal(joined.moments[0, :, 1:], fit["moments"])
    np.testing.assert_array_equal(joined.moments[1], one["fits"]["t"]["activation"]["moments"])


def test_tells_how_many_utterances_a_fit_stands_on():
    lines = [line("a", 1.0)]
    rows = table(lines, score(lines), T, None)
    n = (
        3 * (N_SPEAKERS * PER_SPEAKER - 1) - 1
    ) / 3  # in each seed; one has no rating, one is an outlier to one model of three
    assert dict(zip(*rows, strict=True))["activation: n"] == f"{n:.0f}"


def test_where_nothing_can_be_fitted_cells_are_empty():
    fit = fit_of([run(1.0)], T, (1,))["activation"]
    one = fit.moments[:, :, :1] * 0
    one[..., 0, 0] = 1
    nan = np.full(MODELS, np.nan)
    lines = [
        line("clear", 0.3),
        FitLine("none", "f", versus="clear", fits={"activation": Fit(("t-0",), one, nan, (1,))}),
    ]
    scored = score(lines)
    columns = dict(zip(*np.array(table(lines, scored, T, None))[[0, 2]].tolist(), strict=True))
    assert columns.pop("activation: n") == "1"
    assert set(list(columns.values())[3:]) == {""}
    assert overview(lines, scored)[2][2] == ""


def test_what_explains_nothing_says_so():
    lines = [line("clear", 0.3), line("noise", 1e6)]
    scored = score(lines)
    assert [s.is_significant for s in scored["activation"].values()] == [True, False]
    rows = table(lines, scored, T, None)
    assert rows[0][:5] == ["system", "feature", "sees", "activation: n", "activation: R2"]
    assert ["(n.s.)" in row[4] for row in rows[1:]] == [False, True]
    assert ["(n.s.)" in row[2] for row in overview(lines, scored)[1:]] == [False, True]


PUBLISHED = {
    "source": "someone",
    "uar": {"act": {"four: t": 50.0}},
    "uar_sd": {"act": {"four: t": 4.0}},
    "r2": {"act": {"four: t": {"activation": [[0.31, 0.05], [0.3, 0.04]]}}},
    "distances": {"act": {"four: t": {"activation": [[0.2, 0.01]]}}},
}


def test_published_values_stand_beside_ours_and_alone():
    published = build(Published, PUBLISHED, "published.yaml")
    ours = [line("metric_act", 0.3, published="act"), line("other", 0.3)]
    rows = table(ours, score(ours), T, published)
    columns = dict(zip(rows[0], rows[1], strict=True))
    assert columns["activation: published"] == "0.31 ± 0.05, 0.30 ± 0.04"
    assert columns["activation: published distances"] == "0.20 ± 0.01"
    assert len(rows) == 3
    holes = [FitLine("metric_act", "f", published="act"), FitLine("other", "f")]
    assert table(holes, {}, T, published) == [
        ["system", "feature", "activation: R2", "activation: published", "activation: published distances"],
        ["metric_act", "f", "not run", "0.31 ± 0.05, 0.30 ± 0.04", "0.20 ± 0.01"],
    ]
    assert table(holes, {}, Condition("four", "u"), published) == []
    assert published.uar_text("act", T) == "50.00 ± 4.00"


def test_published_values_come_with_their_deviations():
    with pytest.raises(ConfigError, match=r"r2.act.four: t.activation.0: .*at least 2"):
        build(Published, PUBLISHED | {"r2": {"act": {"four: t": {"activation": [[0.31]]}}}}, "published.yaml")
