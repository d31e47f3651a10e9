"""Predict the test utterances with every trained row and score them.

usage: python -m ser.bin.score RECIPE_OPTIONS
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.build import SIMILARITY, Recipe, Row
from ser.errors import SerError, run_cli
from ser.files import read_json, replacing, write_json

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from ser.training.data import RunData


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    runs = [(row, seed) for row in recipe.rows if row.needs is None for seed in row.seeds]
    trained = [(row, seed) for row, seed in runs if recipe.train_done(row, seed).holds()]
    runs = [(row, seed) for row, seed in runs if recipe.left_out(row) is None or (row, seed) in trained]
    stale = [(row, seed) for row, seed in trained if not _is_scored(recipe, row, seed)]
    data = {}
    for row, seed in sorted(stale, key=lambda run: run[0].reads):  # so that features and lists are read once
        if row.reads not in data:
            data = {row.reads: recipe.run_data(row, scoring=True)}
        _score(recipe, row, seed, data[row.reads], args.device)
    print(f"scored {len(stale)} of {len(runs)} runs" if stale else "scores: up to date")
    if len(trained) < len(runs):
        missing = sorted({row.name for row, seed in runs if (row, seed) not in trained})
        raise SerError(f"{len(runs) - len(trained)} runs are not trained ({', '.join(missing)}); run stage 4")


def _path(recipe: Recipe, row: Row, seed: int) -> Path:
    return recipe.run_dir(row, seed) / "metrics.json"


def _is_scored(recipe: Recipe, row: Row, seed: int) -> bool:
    path = _path(recipe, row, seed)
    return path.exists() and read_json(path)["made_from"] == recipe.score_inputs(row, seed)


def _score(recipe: Recipe, row: Row, seed: int, data: RunData, device: str) -> None:
    import numpy as np
    from safetensors.torch import load_file

    from ser.scoring import by_corpus, by_shots, fits, metrics, predictions_table

    folder = recipe.run_dir(row, seed)
    _path(recipe, row, seed).unlink(missing_ok=True)
    state = load_file(folder / "model.safetensors")
    predictions = row.method.predict(row.config, data, state, device)
    table = predictions_table(predictions, data)
    with replacing(folder / "predictions.tsv") as path:
        table.to_csv(path, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    if hasattr(row.method, "similarity") and (curves := row.method.similarity(row.config, data, state, device)):
        with replacing(folder / SIMILARITY) as path, open(path, "wb") as file:
            np.savez(file, **curves)
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    domains = {}
    if hasattr(row.method, "embeddings"):
        domains["domains"] = _probe(row, seed, data, state, device, folder)
    conditions = (by_corpus if row.task else by_shots)(table)
    result = {
        "made_from": recipe.score_inputs(row, seed),
        "classes": list(data.classes),
        "target_data": sorted(row.method.target_data(row.config)),
        "notes": _notes(folder / "history.tsv"),
        **domains,
        "conditions": metrics(conditions, data.classes, speaker_of, not row.task),
        "fits": fits(conditions, data.ratings, speaker_of),
        "speaker_dependent": sorted(name for name, part in conditions.items() if _knows_speakers(part, data)),
    }
    write_json(_path(recipe, row, seed), result)
    names = {c: f"at {c} shots" if c.isdigit() else f"on {c}" for c in result["conditions"]}
    uars = ", ".join(f"{100 * s['uar']:.1f} {names[c]}" for c, s in result["conditions"].items())
    print(f"{row.name} seed {seed}: UAR {uars}", flush=True)


def _probe(row: Row, seed: int, data: RunData, state: Mapping[str, Tensor], device: str, folder: Path) -> dict:
    """Probe the embeddings of the first split; lay those of the paper's rows out in the plane, for the first seed."""
    from ser.probing import domain_measures, embedded_utts, plane_table

    split = data.splits[0]
    utts = embedded_utts(split)
    h = row.method.embeddings(row.config, data, state, split, utts, device).numpy()
    corpus_of = data.factors["corpus"]
    if row.published and seed == row.seeds[0]:
        with replacing(folder / "plane.tsv") as path:
            table = plane_table(h, utts, split, corpus_of, seed)
            table.to_csv(path, sep="\t", index=False, float_format="%.4g", lineterminator="\n")
    return domain_measures(h, utts, data.factors, {corpus_of[utt] for utt in split.train})


def _notes(history: Path) -> list[str]:
    """Gather what training left out."""
    import pandas as pd

    table = pd.read_csv(history, sep="\t", keep_default_na=False, dtype=str) if history.stat().st_size else {}
    told = {text for cell in table["left_out"] for text in cell.split("; ")} if "left_out" in table else set()
    return sorted(text for text in told if text)


def _knows_speakers(table: pd.DataFrame, data: RunData) -> bool:
    """Tell whether a tested speaker stands in the training part of the split that tests them."""
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    for split in data.splits:
        known = {speaker_of[utt] for utt in (*split.train, *split.labelled)}
        if any(speaker_of[utt] in known for utt in table.loc[table["split"] == split.name, "utt_id"]):
            return True
    return False


if __name__ == "__main__":
    run_cli(main)
