"""What the recipes of the four papers cost, without their corpora: runs, steps, audio, time here and on one A100.

usage: python -m benchmarks.paper_costs [RECIPE ...]      from the root of the repository; without names all recipes

Writes docs/papers_costs.yaml, from which `python -m ser.bin.docs docs` makes tables of docs/papers.md; recipes that
are not named stay as they are there. All take about a quarter of an hour of one core, and 5 GB of memory.

- Lists: releases of full size in the grammar of the real ones (tests/fakes), parsed and split as the real ones are.
  Stage 1's counts are held against those that ser/corpora declares, stage 2's against those of the label maps. What
  is not published (who says which emotion, in IEMOCAP's and MSP-IMPROV's sessions) is drawn there.
- Lengths: drawn, log-normal, with the mean that a corpus' declared hours give.
- Time here: a step of each size in processor time of one thread, on drawn features, or on silence by encoders of base
  size with random weights, times all steps. `--dry_run true` does the same of one's own corpora.
- One A100: operations of these steps at an assumed rate, see `ser.cost.base`.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from benchmarks import base_models
from ser.corpora import CORPORA
from ser.cost import base
from ser.cost.base import Measured
from ser.data.audio import RATE_HZ
from ser.data.data_dir import write_data_dir
from ser.data.maps import read_map
from ser.docs.papers import COSTS
from ser.features.config import FeatureConfig
from ser.recipe.cost import costs
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.recipe.sharing import trainers
from ser.splits.make import make_splits
from ser.system.files import write_text
from ser.training.run_data import RunData
from tests.fakes import aesdd, cafe, casia, emodb, iemocap, msp_improv, ravdess, savee, urdu

ROOT = Path(__file__).parents[1]

RELEASES: Mapping[str, Callable[[Path], object]] = {
    "iemocap": lambda root: iemocap.write_release(root, iemocap.full_release()),
    "msp_improv": lambda root: msp_improv.write_release(root, msp_improv.full_release()),
    "savee": savee.write_release,
    "emodb": emodb.write_release,
    "ravdess": ravdess.write_release,
    "casia": casia.write_release,
    "cafe": cafe.write_release,
    "aesdd": aesdd.write_release,
    "urdu": urdu.write_release,
}

SPREAD = 0.45
"""Deviation of the logarithm of lengths: between EMO-DB's, 0.4, and that of IEMOCAP's four classes, 0.7."""

VECTORS = {"fbank_no_cmvn": 480, "byol_s": 512, "egemaps": 88}
"""Feature -> dimensions."""

FRAMES = {"byol_s_frames": (512, 5), "hubert_base_frames": (768, 50), "wavlm_base_plus_frames": (768, 50)}
"""Feature -> dimensions, and frames in a second."""

ENCODERS = {
    "wav2vec2_base": ("wav2vec2_local", base_models.wav2vec2_base),
    "hubert_base_frames": ("hubert_local", base_models.hubert_base),
    "wavlm_base_plus_frames": ("wavlm_local", base_models.wavlm_base),
}
"""Feature -> its upstream from a file, and what writes one of its size."""


# ---- Corpora of full size ---------------------------------------------------------------------------------------


def write_corpus(name: str, data: Path) -> None:
    """Write a data directory of full size, with silence for audio.

    Raises:
        SystemExit: if the counts are not those that the corpus' file declares.
    """
    corpus, rng = CORPORA[name], np.random.default_rng(0)
    release = data.parent / "releases" / name
    RELEASES[name](release)
    utterances = corpus.parse(release).utterances
    found = Counter(utterance.emotion for utterance in utterances)
    if found != Counter(corpus.counts):
        sys.exit(f"{name}: {dict(found)}, and not {dict(corpus.counts)} as ser/corpora/{name}.py declares")
    drawn = rng.lognormal(sigma=SPREAD, size=len(utterances))
    lengths = 3600 * corpus.hours * drawn / drawn.sum()
    audio = data.parent / "audio" / name
    audio.mkdir(parents=True)
    complete = []
    for utterance, seconds in zip(utterances, lengths.tolist(), strict=True):
        wav = _write_silence(audio / f"{utterance.utt_id}.wav", round(seconds * RATE_HZ))
        ratings = {rating: getattr(utterance, rating) or rng.uniform(1, 5) for rating in ("arousal", "valence")}
        complete.append(replace(utterance, wav=str(wav), duration=seconds, audio_hash=utterance.utt_id, **ratings))
    write_data_dir(data / name, complete, {"corpus": name, "release": "full"})


def _write_silence(path: Path, n_samples: int) -> Path:
    """Write a WAV file whose samples take no disk."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 2 * n_samples, b"WAVE", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16,
        b"data", 2 * n_samples,
    )  # fmt: skip
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + 2 * n_samples)
    return path


class DrawnFrames(Mapping[str, torch.Tensor]):
    """As `ser.features.frames.Frames`, with numbers that are drawn when they are asked for."""

    def __init__(self, lengths: Mapping[str, int], frame_shape: tuple[int, ...]):
        self.lengths, self.frame_shape = lengths, frame_shape

    def __getitem__(self, utt: str) -> torch.Tensor:
        return torch.randn(self.lengths[utt], *self.frame_shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.lengths)

    def __len__(self) -> int:
        return len(self.lengths)


# ---- Recipes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DrawnRecipe(Recipe):
    """A recipe whose features are drawn."""

    checkpoints: Path = Path()
    _read: dict[str, RunData] = field(default_factory=dict)

    def _made_from(self, row: Row) -> dict[str, Any]:
        return {"drawn": row.feature}

    def run_data(self, row: Row, scoring: bool) -> RunData:
        if row.reads not in self._read:
            self._read[row.reads] = self._drawn(row)
        return self._read[row.reads]

    def _drawn(self, row: Row) -> RunData:
        splits, folders = self.splits_of(row.task), [self.data / name for name in self.corpora]
        if row.finetunes:
            upstream, write = ENCODERS[row.feature]
            path = self.checkpoints / f"{upstream}.pt"
            if not path.exists():
                write(path)
            return RunData.of_audio(splits, folders, FeatureConfig(upstream=upstream, ckpt=str(path)), False)
        data = RunData.of_audio(splits, folders, FeatureConfig(upstream="none"), False)
        if row.feature in VECTORS:
            x = np.random.default_rng(0).normal(size=(len(data.utts), VECTORS[row.feature]))
            ratings = {
                name: {utt: float(v) for of in folders for utt, v in read_map(of / file).items()}
                for name, file in (("activation", "utt2aro"), ("valence", "utt2val"))
            }
            return replace(data, x=x.astype(np.float32), audio={}, ratings=ratings)
        segments = self.feature_config(row.feature).segment_settings
        if segments is not None:
            shape, rate = segments.shape, RATE_HZ / segments.segment_hop_samples
        else:
            dim, rate = FRAMES[row.feature]
            shape = (dim,)
        seconds = {utt: float(s) for of in folders for utt, s in read_map(of / "utt2dur").items()}
        lengths = {utt: max(1, round(s * rate)) for utt, s in seconds.items()}
        return replace(data, frames=DrawnFrames(lengths, shape), audio={})


def costs_of(recipe: Recipe, measured: dict[Hashable, Measured | str]) -> dict[str, dict[str, float | int | bool]]:
    """Add up each system's runs over seeds and tasks, those apart that take over the training of another task.

    Returns:
        System and feature -> `runs`, `steps`, hours of `audio`, hours `here` and on one `a100`, and whether dev may
        stop some earlier (`at_most`).
    """
    every = {(row.name, seed) for row in recipe.rows for seed in row.seeds}
    trained = {run for run, by in trainers(recipe, every).items() if run == by}
    found = {}
    for label, feature in dict.fromkeys((row.label, row.feature) for row in recipe.rows):
        names = {row.name for row in recipe.rows if (row.label, row.feature) == (label, feature)}
        todo = {run for run in trained if run[0] in names}
        cost = costs(recipe, todo, "cpu", is_timed=True, measured=measured)
        if cost.uncounted:
            sys.exit(f"{recipe.folder.name}: {cost.uncounted}")
        if untimed := [kind.untimed for kind in cost.kinds.values() if kind.untimed]:
            sys.exit(f"{recipe.folder.name}: {label} on {feature}: {untimed[0]}")
        if cost.kinds:
            found[f"{label} {feature}"] = {
                "runs": len(todo),
                "steps": sum(kind.steps for kind in cost.kinds.values()),
                "audio": _rounded(sum(kind.audio for kind in cost.kinds.values()) / 3600),
                "here": _rounded(cost.seconds / 3600),
                **({"a100": _rounded(cost.a100)} if cost.a100 else {}),
                **({"at_most": True} if cost.may_stop else {}),
            }
            print(f"{recipe.folder.name}: {label} on {feature}", flush=True)
    return found


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def main(asked: list[str]) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    base.clock = time.process_time  # other programs may run here
    recipes = sorted(path.parents[1].name for path in ROOT.glob("egs/*/conf/published.yaml"))
    if unknown := set(asked) - set(recipes):
        sys.exit(f"{min(unknown)}: not a recipe of a paper; choose from {', '.join(recipes)}")
    measured: dict[str, dict[Hashable, Measured | str]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = folder / "data"
        for name in asked or recipes:
            own = ROOT / "egs" / name
            splits = folder / "splits" / name
            recipe = DrawnRecipe(own, data, folder / "dump", splits, folder / "exp" / name, (), False, finetune=True,
                                 checkpoints=folder)  # fmt: skip
            recipe = replace(recipe, features=recipe.settings.features)
            for corpus in recipe.settings.protocol.corpora:
                if not (data / corpus).exists():
                    write_corpus(corpus, data)
            with contextlib.redirect_stdout(None):
                make_splits(own / "conf" / "recipe.yaml", data, splits)
            table = recipe.table.read_text(encoding="utf-8")  # recipes with one table have steps of the same sizes
            found = costs_of(recipe, measured.setdefault(table, {}))
            known = yaml.safe_load(COSTS.read_text(encoding="utf-8")) or {} if COSTS.exists() else {}
            _write({**known, name: found})


def _write(found: Mapping[str, Mapping[str, object]]) -> None:
    """Write a line for each system."""
    lines = ["# Written by `python -m benchmarks.paper_costs`, whose docstring says what the numbers are."]
    for recipe, systems in sorted(found.items()):
        lines.append(f"{recipe}:")
        for system, of in systems.items():
            cells = ", ".join(f"{key}: {str(value).lower()}" for key, value in of.items())
            lines.append(f"  {system}: {{{cells}}}")
    write_text(COSTS, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
