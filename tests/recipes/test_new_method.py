"""A new method is one file, one YAML and a line of runs.tsv: trained, scored, described, used, nothing else touched.

Its settings have names of their own, so that nothing can be known of it but what it declares.
"""

from __future__ import annotations

import json

import pytest

METHOD = '''"""Class means of a corpus; an utterance belongs to the nearest."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ser.adaptation.base import Normalization, sees
from ser.config import ConfigModel
from ser.methods.base import About, Prediction

ABOUT = About(paper="Nobody 2026", needs_torch=False, is_random=False, adaptation="bring_together")


class Config(ConfigModel):
    method: Literal["class_means"]
    fit_on: Literal["there", "here"]
    bring_together: Normalization
    sharpness: float


def trained_on(config, split):
    return split.train if config.fit_on == "there" else split.labelled


def target_data(config, is_source=False):
    labels = {"labelled"} if config.fit_on == "here" or is_source else set()
    return frozenset(labels | sees(config.bring_together))


def train(config, data, seed, init, job):
    means = []
    for split in data.splits:
        labelled = trained_on(config, split)
        x, y = data.normalized(split, config.bring_together)[data.rows(labelled)], data.targets(labelled)
        means.append(np.stack([x[y == c].mean(0) for c in range(len(data.classes))]))
    return {"means": np.stack(means)}, [{"models": len(means)}]


def predict(config, data, state, device):
    predictions = []
    for split, means in zip(data.splits, state["means"], strict=True):
        x = data.normalized(split, config.bring_together)[data.rows(split.test)]
        distances = ((x[:, None] - means) ** 2).mean(-1)
        scores = (-config.sharpness * distances).astype(np.float32)
        predictions.append(Prediction(split.name, 0, 0, list(split.test), scores, are_posteriors=False))
    return predictions
'''

CONF = """method: class_means
fit_on: there
bring_together: corpus
sharpness: 1.0
"""

RUNS = [
    ["row", "conf", "feature", "seeds", "init", "versus", "published", "set"],
    ["of_source", "class_means.yaml", "fbank_no_cmvn", "1", "-", "-", "-", "-"],
    ["of_target", "class_means.yaml", "fbank_no_cmvn", "1", "-", "of_source", "-", "fit_on=here"],
]

LABELLED = {"of_source": "ravdess", "of_target": "emodb"}


def test_a_new_method_is_trained_scored_described_and_used(own):
    (own.root / "ser" / "methods" / "class_means.py").write_text(METHOD)
    (own.root / "conf" / "methods" / "class_means.yaml").write_text(CONF)
    (own.recipe / "conf" / "runs.tsv").write_text("".join("\t".join(cells) + "\n" for cells in RUNS))
    result = own.run("--stage", "4")
    assert result.returncode == 0, result.stdout + result.stderr
    page = json.loads((own.exp / "RESULTS.json").read_text())
    assert page["paper"] == "Nobody 2026"
    rows = {row["label"]: row for table in page["tables"] for row in table["rows"] if row["label"] in LABELLED}
    wav = next((own.root / "data_mini" / "corpora").rglob("*.wav"))
    for name, corpus in LABELLED.items():
        folder = own.exp / f"{name}-fbank_no_cmvn" / "seed1"
        about = json.loads((folder / "model.json").read_text())
        card = (folder / "README.md").read_text()
        on_target = corpus == "emodb"
        assert rows[name]["uar"] > 0.3
        assert rows[name]["sources"] == about["trained_on"] == [corpus]
        assert rows[name]["target_data"] == about["target_data"] == ["labelled"] * on_target + ["unlabelled-train"]
        assert f"labelled training data from: {corpus}; tested on: emodb" in card
        # dev utterances are of the source: they calibrate what is trained on the source, and nothing else
        assert about["calibration"]["corpora"] == ([] if on_target else ["ravdess"])
        assert bool(about["temperatures"]) != on_target
        assert ("Probabilities are NOT calibrated" in card) == on_target
        result = own.python("predict", "--model", folder, wav)
        assert result.returncode == 0, result.stderr
        (line,) = map(json.loads, result.stdout.splitlines())
        assert line["label"] in about["classes"] and sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert bool(line["calibrated_on"]) != on_target
    before = own.files(own.exp)
    result = own.run("--stage", "4")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "rows: up to date" in result.stdout and own.files(own.exp) == before
