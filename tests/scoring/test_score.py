"""From predictions to counts and metrics, against slow rewrites on a table that is small enough to read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from ser.methods.base import Prediction
from ser.metrics import macro_f1, uar, wa
from ser.scoring.score import (
    by_corpus,
    by_pair,
    by_shots,
    calibration,
    confusion_counts,
    metrics,
    predictions_table,
)
from ser.splits.lists import Split
from ser.training.run_data import RunData
from ser.types import Condition

CLASSES = ("angry", "happy", "sad")
TEST = {
    "f0": {"t-1-a": "angry", "t-1-b": "happy", "t-1-c": "sad", "t-2-a": "sad"},
    "f1": {"t-3-a": "angry", "t-3-b": "happy", "t-3-c": "sad", "t-4-a": "happy", "t-4-b": "angry"},
}
SPEAKER_OF = {utt: utt[:3] for fold in TEST.values() for utt in fold}


def run_data() -> RunData:
    splits = [Split(name, {}, {}, [], test) for name, test in TEST.items()]
    utts = list(SPEAKER_OF)
    return RunData(utts, np.zeros((len(utts), 2), np.float32), [SPEAKER_OF[u] for u in utts], splits, CLASSES)


def predictions(seed=0, shots=(1, 2), draws=2) -> list[Prediction]:
    g = torch.Generator().manual_seed(seed)
    return [
        Prediction(fold, k, draw, list(test), torch.randn(len(test), len(CLASSES), generator=g).numpy())
        for k in shots for draw in range(draws) for fold, test in TEST.items()
    ]  # fmt: skip


def table_of(rows: str) -> pd.DataFrame:
    """Read `split draw utt_id true pred` lines."""
    columns = ["split", "draw", "utt_id", "true", "pred"]
    return pd.DataFrame([line.split() for line in rows.strip().splitlines()], columns=columns).assign(shots=5)


def test_predictions_table():
    p = predictions()
    table = predictions_table(p, run_data())
    assert list(table.columns) == ["split", "shots", "draw", "utt_id", "true", "pred", *CLASSES]
    assert len(table) == 2 * 2 * 9
    lines = iter(table.to_dict("records"))
    for one in p:
        for utt, scores in zip(one.utts, one.scores.tolist(), strict=True):
            assert next(lines) == {
                "split": one.split,
                "shots": one.k,
                "draw": one.draw,
                "utt_id": utt,
                "true": TEST[one.split][utt],
                "pred": max(zip(scores, CLASSES, strict=True))[1],
                **dict(zip(CLASSES, scores, strict=True)),
            }


@pytest.mark.parametrize(
    "changes",
    [
        {"utts": ["t-1-a", "t-1-b", "t-1-c"], "scores": np.zeros((3, 3))},
        {"utts": ["t-1-b", "t-1-a", "t-1-c", "t-2-a"]},
        {"scores": np.zeros((4, 2))},
        {"scores": np.zeros((3, 3))},
    ],
)
def test_predictions_that_are_not_one_line_per_test_utterance_are_refused(changes):
    wrong = dataclasses.replace(predictions()[0], **changes)
    with pytest.raises(ValueError, match="f0: predictions are not one line per test utterance"):
        predictions_table([wrong], run_data())


def test_confusion_counts_equal_a_slow_rewrite():
    table = predictions_table(predictions(shots=(2,), draws=3), run_data())
    counts, draws, speakers = confusion_counts(table, CLASSES, SPEAKER_OF)
    assert (draws, speakers) == ([0, 1, 2], ["t-1", "t-2", "t-3", "t-4"])
    assert counts.shape[1:] == (3, 4, 3, 3)
    for (r, s, i, j), count in np.ndenumerate(counts.sum(0)):
        expected = 0
        for line in table.to_dict("records"):
            key = (line["draw"], SPEAKER_OF[line["utt_id"]], line["true"], line["pred"])
            expected += key == (r, speakers[s], CLASSES[i], CLASSES[j])
        assert count == expected
    assert counts.sum() == len(table)


def test_metrics_equal_scores_of_labels():
    table = predictions_table(predictions(), run_data())
    result = metrics(by_shots(table), CLASSES, SPEAKER_OF)
    assert list(result) == ["1", "2"]
    for shots, of_shots in result.items():
        part = table[table["shots"] == int(shots)]
        pooled = [(d["true"].tolist(), d["pred"].tolist()) for _, d in part.groupby("draw")]
        for name, score in (("uar", uar), ("wa", wa), ("macro_f1", macro_f1)):
            assert of_shots[name] == pytest.approx(np.mean([score(*both) for both in pooled]))
        folds = [uar(d["true"].tolist(), d["pred"].tolist()) for _, d in part.groupby(["split", "draw"])]
        assert of_shots["uar_mean_of_folds"] == pytest.approx(np.mean(folds))
        for name in CLASSES:
            of_class = part[part["true"] == name]
            assert of_shots["recall"][name] == pytest.approx((of_class["pred"] == name).mean())
        assert of_shots["cells"] == 4
        assert np.array(of_shots["counts"]).shape == (2, 4, 3, 3)


def test_cells_with_a_single_predicted_class_are_counted():
    table = table_of("""
        f0 0 t-1-a angry angry
        f0 0 t-1-b happy angry
        f1 0 t-3-a angry angry
        f1 0 t-3-b happy happy
        f0 1 t-1-a angry happy
        f0 1 t-1-b happy happy
        f1 1 t-3-a angry sad
        f1 1 t-3-b happy sad
    """)
    result = metrics(by_shots(table), CLASSES, SPEAKER_OF)["5"]
    assert (result["one_class_cells"], result["cells"]) == (3, 4)


def test_a_fold_without_a_class_is_not_scored_alone():
    rows = """
        f0 0 t-1-a angry angry
        f0 0 t-1-b happy angry
        f1 0 t-3-a angry angry
        f1 0 t-3-b happy happy
        f1 0 t-3-c sad sad
    """
    result = metrics(by_shots(table_of(rows)), CLASSES, SPEAKER_OF)["5"]
    assert result["uar_mean_of_folds"] is None
    assert result["uar"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    whole = metrics(by_shots(table_of(rows + "f0 0 t-1-c sad angry")), CLASSES, SPEAKER_OF)["5"]
    assert whole["uar_mean_of_folds"] == pytest.approx((1 / 3 + 1) / 2)


def test_recalls_of_speakers():
    table = table_of("""
        f0 0 t-1-a angry angry
        f0 1 t-1-a angry happy
        f0 0 t-1-c sad sad
        f0 1 t-1-c sad sad
        f0 0 t-2-a sad angry
        f0 1 t-2-a sad angry
    """)
    assert metrics(by_shots(table), CLASSES, SPEAKER_OF)["5"]["recall_per_speaker"] == {
        "t-1": {"angry": 0.5, "happy": None, "sad": 1.0},
        "t-2": {"angry": None, "happy": None, "sad": 0.0},
    }


# ---- The paper's sampled scorer -------------------------------------------------------------------------------


def fold_lines(sizes: dict[str, int], draws: int, skill: float, seed: int = 0) -> tuple[pd.DataFrame, dict[str, str]]:
    """Predictions of some folds whose utterances take turns in class; two speakers in each."""
    g = np.random.default_rng(seed)
    lines, speaker_of = [], {}
    for fold, n in sizes.items():
        speaker_of |= {f"t-{fold}{i % 2}-{i:03d}": f"t-{fold}{i % 2}" for i in range(n)}
        for draw in range(1, draws + 1):
            for i in range(n):
                true = CLASSES[i % 3]
                pred = true if g.random() < skill else CLASSES[g.integers(3)]
                lines.append((fold, 5, draw, f"t-{fold}{i % 2}-{i:03d}", true, pred))
    return pd.DataFrame(lines, columns=["split", "shots", "draw", "utt_id", "true", "pred"]), speaker_of


def test_episodic_scores_have_the_paper_s_denominators_and_are_those_of_their_counts():
    table, speaker_of = fold_lines({"f0": 48, "f1": 39}, draws=3, skill=0.5)
    episodic = metrics(by_shots(table), CLASSES, speaker_of)["5"]["episodic"]
    counts = np.array(episodic["counts"])
    assert counts.shape == (3, 3, 3)
    assert (counts.sum(-1) == 5 * (4 + 3)).all()
    recalls = counts[:, range(3), range(3)] / 35
    assert episodic["uar"] == pytest.approx(recalls.mean(1).mean())
    assert episodic["uar_mean_of_folds"] != pytest.approx(episodic["uar"])  # 20 queries here, 15 there


def test_episodic_mean_of_folds():
    """One fold is always right, the other never, and its episodes are fewer."""
    table, speaker_of = fold_lines({"f0": 48, "f1": 39}, draws=2, skill=1)
    wrong = table["split"] == "f1"
    table.loc[wrong, "pred"] = table.loc[wrong, "true"].map(
        dict(zip(CLASSES, CLASSES[1:] + CLASSES[:1], strict=True))
    )
    episodic = metrics(by_shots(table), CLASSES, speaker_of)["5"]["episodic"]
    assert episodic["uar"] == pytest.approx(4 / 7)
    assert episodic["uar_mean_of_folds"] == pytest.approx(1 / 2)


def test_rows_seeds_and_shots_are_compared_on_the_same_queries():
    """Where one row is right the other is wrong: their hits add up to all queries, in every draw."""
    one, speaker_of = fold_lines({"f0": 60}, draws=4, skill=0.5)
    other = one.copy()
    right = one["true"] == one["pred"]
    other["pred"] = np.where(
        right, one["true"].map(dict(zip(CLASSES, CLASSES[1:] + CLASSES[:1], strict=True))), one["true"]
    )
    hits = [np.diagonal(metrics(by_shots(t), CLASSES, speaker_of)[k]["episodic"]["counts"], axis1=1, axis2=2)
            for t, k in ((one, "5"), (other.assign(shots=10), "10"))]  # fmt: skip
    assert (hits[0] + hits[1] == 5 * 6).all()
    assert len({tuple(of_draw) for of_draw in hits[0].tolist()}) > 1  # but not from draw to draw


def test_episodic_scores_of_folds_that_lack_a_class_or_are_too_small():
    table, speaker_of = fold_lines({"f0": 30, "f1": 30}, draws=1, skill=1)
    table = table[(table["split"] == "f0") | (table["true"] != "sad")]
    episodic = metrics(by_shots(table), CLASSES, speaker_of)["5"]["episodic"]
    assert (episodic["uar"], episodic["uar_mean_of_folds"]) == (1, None)
    assert np.array(episodic["counts"])[0].sum(-1).tolist() == [25, 25, 15]
    tiny, speaker_of = fold_lines({"f0": 9}, draws=1, skill=1)
    episodic = metrics(by_shots(tiny), CLASSES, speaker_of)["5"]["episodic"]
    assert (episodic["uar"], episodic["uar_mean_of_folds"]) == (None, None)


def test_a_class_that_is_not_of_the_task_is_refused():
    with pytest.raises(ValueError, match="'bored' is none of"):
        confusion_counts(table_of("f0 0 t-1-a angry bored"), CLASSES, SPEAKER_OF)


def test_folds_that_test_the_same_utterances_are_repetitions():
    rows = "f0 0 t-1-a angry angry\nf0 0 t-2-a sad sad\nf1 0 t-1-a angry sad\nf1 0 t-2-a sad sad"
    found = metrics(
        {Condition(corpus="t"): table_of(rows)}, CLASSES, {"t-1-a": "t-1", "t-2-a": "t-2"}, episodic=False
    )["t"]
    assert np.shape(found["counts"]) == (2, 2, 3, 3)  # two models, two speakers
    assert found["uar"] == pytest.approx((1 + 0.5) / 2)
    apart = "f0 0 t-1-a angry angry\nf0 0 t-1-b happy happy\nf1 0 t-2-a angry happy\nf1 0 t-2-b happy happy"
    speaker_of = {f"t-{s}-{u}": f"t-{s}" for s in (1, 2) for u in "ab"}
    found = metrics({Condition(corpus="t"): table_of(apart)}, CLASSES, speaker_of, episodic=False)["t"]
    assert np.shape(found["counts"]) == (1, 2, 3, 3)
    assert found["uar"] == pytest.approx((0.5 + 1) / 2)


def test_folds_have_a_standard_deviation_unless_there_is_one_or_one_lacks_a_class():
    rows = "f0 0 t-1-a angry angry\nf0 0 t-1-b sad sad\nf1 0 t-2-a angry sad\nf1 0 t-2-b sad sad"
    speaker_of = {f"t-{s}-{u}": f"t-{s}" for s in (1, 2) for u in "ab"}
    two = ("angry", "sad")
    found = metrics({Condition(corpus="t"): table_of(rows)}, two, speaker_of, episodic=False)["t"]
    assert found["uar_sd_of_folds"] == pytest.approx(np.std([1.0, 0.5], ddof=1))
    for part in (rows.splitlines()[:2], rows.splitlines()[:3]):
        found = metrics({Condition(corpus="t"): table_of("\n".join(part))}, two, speaker_of, episodic=False)["t"]
        assert found["uar_sd_of_folds"] is None


def test_a_class_that_a_corpus_does_not_have_is_not_asked_of_its_folds():
    rows = "f0 0 t-1-a angry angry\nf0 0 t-1-b sad sad\nf1 0 t-2-a angry sad\nf1 0 t-2-b sad sad"
    speaker_of = {f"t-{s}-{u}": f"t-{s}" for s in (1, 2) for u in "ab"}
    found = metrics({Condition(corpus="t"): table_of(rows)}, CLASSES, speaker_of, episodic=False)["t"]
    assert found["uar_mean_of_folds"] == pytest.approx((1.0 + 0.5) / 2)
    assert found["uar_sd_of_folds"] == pytest.approx(np.std([1.0, 0.5], ddof=1))
    lacking = rows.replace("f1 0 t-2-b sad sad", "f1 0 t-2-b angry angry")
    found = metrics({Condition(corpus="t"): table_of(lacking)}, CLASSES, speaker_of, episodic=False)["t"]
    assert found["uar_mean_of_folds"] is None  # the second fold has no sad


def test_latent_vectors_are_columns_of_their_own():
    p = [dataclasses.replace(one, latent=np.arange(2.0 * len(one.utts)).reshape(-1, 2)) for one in predictions()]
    table = predictions_table(p, run_data())
    assert list(table.columns[-2:]) == ["z1", "z2"]
    assert table["z2"].tolist()[:4] == [1.0, 3.0, 5.0, 7.0]


# ---- Parts of a table that are scored on their own ------------------------------------------------------------


def test_folds_of_a_source_a_target_and_a_number_of_shots_are_pooled():
    lines = [
        (f"{source}-{target}.{fold}", shots, 1, f"{target}-{fold}-x", "sad", "sad")
        for source, target in (("b", "a"), ("a+c", "b"), ("a", "b"))
        for fold in ("f2", "f1")
        for shots in (5, 15)
    ]
    table = pd.DataFrame(lines, columns=["split", "shots", "draw", "utt_id", "true", "pred"])
    parts = by_pair(table)
    assert list(parts) == [
        Condition(source=source, corpus=target, shots=shots)
        for source, target in (("a", "b"), ("a+c", "b"), ("b", "a"))
        for shots in (5, 15)
    ]
    found = parts[Condition(source="a+c", corpus="b", shots=15)]
    assert found["split"].tolist() == ["a+c-b.f2", "a+c-b.f1"]  # in the order of the table
    assert found["shots"].tolist() == [15, 15]
    assert sum(map(len, parts.values())) == len(table)


def test_a_rotation_tests_each_utterance_once_and_apart_from_other_splits():
    lines = [(split, 0, 1, utt, "sad", "sad") for split, utts in (
        ("canonical", ["t-1-a", "u-1-a"]), ("rotation1", ["t-1-a", "u-1-a"]), ("rotation2", ["t-2-a", "u-1-a"]),
    ) for utt in utts]  # fmt: skip
    parts = by_corpus(pd.DataFrame(lines, columns=["split", "shots", "draw", "utt_id", "true", "pred"]))
    assert {c.key: part["split"].tolist() for c, part in parts.items()} == {
        "t": ["canonical"], "t, rotation": ["rotation1", "rotation2"],
        "u": ["canonical"], "u, rotation": ["rotation1"],
    }  # fmt: skip


def test_calibration_by_hand():
    """Four utterances of two classes with confidences 0.9, 0.8, 0.6 and 0.6, of which the second is wrong."""
    table = pd.DataFrame({"true": ["a", "b", "b", "a"], "a": [0.9, 0.8, 0.4, 0.6], "b": [0.1, 0.2, 0.6, 0.4]})
    found = calibration(table, ["a", "b"], True, None)
    assert found["nll"] == pytest.approx(-np.log([0.9, 0.2, 0.6, 0.6]).mean())
    assert found["brier"] == pytest.approx((2 * 0.1**2 + 2 * 0.8**2 + 2 * 2 * 0.4**2) / 4)
    assert found["ece"] == pytest.approx((0.1 + 0.8 + 0.4 + 0.4) / 4)  # each is a bin of its own
    # one answered: no error; two: one of two; the equal last two come together: one of four
    assert found["risk_coverage"] == pytest.approx([0, 0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25])


def test_a_temperature_flattens_and_raw_scores_need_one():
    table = pd.DataFrame({"true": ["a"], "a": [2.0], "b": [0.0]})
    assert calibration(table, ["a", "b"], False, None) == {}
    assert calibration(table, ["a", "b"], False, 2.0)["nll"] == pytest.approx(np.log(1 + np.exp(-1)))
