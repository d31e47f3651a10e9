"""scores.tsv against scikit-learn on each group of predictions by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser.metrics.classification import macro_f1, uar, wa
from ser.scoring.tidy import ALL, join_scores, scores_table, write_table

CLASSES = ["angry", "happy", "sad"]


def predictions(seed: int = 0) -> pd.DataFrame:
    """Two folds of three speakers and two corpora, two draws of one size, without `sad` of one speaker."""
    rng = np.random.default_rng(seed)
    lines = []
    for split, speakers in (("fold1", ["a-1", "a-2"]), ("fold2", ["b-1"])):
        for draw in (1, 2):
            for speaker in speakers:
                for i in range(7):
                    true = CLASSES[i % (2 if speaker == "a-2" else 3)]
                    lines.append((split, 5, draw, f"{speaker}-{i}", true, rng.choice(CLASSES)))
    return pd.DataFrame(lines, columns=["split", "shots", "draw", "utt_id", "true", "pred"])


def test_every_line_is_that_of_its_predictions():
    table = predictions()
    speaker_of = {utt: utt.rpartition("-")[0] for utt in table["utt_id"]}
    found = scores_table(table, CLASSES, speaker_of, seed=3)
    assert len(found) == 2 * (2 + 1) + 2 * (1 + 1) and set(found["seed"]) == {3}
    for line in found.itertuples():
        own = table[(table["split"] == line.split) & (table["draw"] == line.draw)]
        if line.speaker != ALL:
            own = own[own["utt_id"].map(speaker_of) == line.speaker]
        assert own["utt_id"].str.startswith(f"{line.corpus}-").all()
        assert (line.utterances, line.classes, line.shots) == (len(own), own["true"].nunique(), 5)
        for name, measure in (("uar", uar), ("wa", wa), ("macro_f1", macro_f1)):
            assert getattr(line, name) == pytest.approx(measure(list(own["true"]), list(own["pred"])))


def test_lines_of_all_seeds_stand_in_one_file(tmp_path):
    for seed in (1, 2):
        table = predictions(seed)
        own = scores_table(table, CLASSES, dict.fromkeys(table["utt_id"], "a-1"), seed)
        (tmp_path / f"seed{seed}").mkdir()
        write_table(tmp_path / f"seed{seed}" / "scores.tsv", own)
    join_scores(tmp_path, [tmp_path / "seed1", tmp_path / "seed2"])
    joined = pd.read_csv(tmp_path / "scores.tsv", sep="\t")
    assert joined["seed"].value_counts().to_dict() == {1: 8, 2: 8}
    assert joined["uar"].tolist() == [
        x for seed in (1, 2) for x in pd.read_csv(tmp_path / f"seed{seed}" / "scores.tsv", sep="\t")["uar"]
    ]
