"""Predict the test utterances with every trained row, score them, and make its folder one that `predict` can use.

usage: python -m ser.bin.score RECIPE_OPTIONS
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.data.data_dir import read_map
from ser.errors import SerError, run_cli
from ser.mistakes.simulate import Simulated
from ser.recipe.recipe import SIMILARITY, Recipe
from ser.recipe.rows import Row
from ser.system.files import read_json, replacing, write_json, write_text

if TYPE_CHECKING:
    import pandas as pd

    from ser.methods.base import State
    from ser.training.run_data import RunData


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

    from ser.scoring.score import by_corpus, by_shots, fits, metrics, predictions_table

    folder = recipe.run_dir(row, seed)
    _path(recipe, row, seed).unlink(missing_ok=True)
    state = recipe.weights(row, seed)
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
        "speaker_dependent": sorted(c.key for c, part in conditions.items() if _knows_speakers(part, data)),
    }
    if not isinstance(recipe, Simulated):  # nobody is to use what a mistake made
        _write_model(recipe, row, seed, data, state, table["split"].unique().tolist(), device, result)
    write_json(_path(recipe, row, seed), result)
    uars = ", ".join(
        f"{100 * result['conditions'][c.key]['uar']:.1f} {'on' if c.shots is None else 'at'} {c}" for c in conditions
    )
    print(f"{row.name} seed {seed}: UAR {uars}", flush=True)


def _write_model(
    recipe: Recipe,
    row: Row,
    seed: int,
    data: RunData,
    state: State,
    predicted: Sequence[str],
    device: str,
    result: dict,
) -> None:
    """Write what others need to use a row: see `ser.inference.model`, and its card."""
    from ser.inference.card import model_card
    from ser.inference.write import write_model
    from ser.results.lines import line_of
    from ser.results.scores import score_lines

    folder = recipe.run_dir(row, seed)
    durations = {utt: float(s) for c in recipe.corpora for utt, s in read_map(recipe.data / c / "utt2dur").items()}
    about = _about(recipe, row, seed, result)
    info = write_model(folder, about, row.method, row.config, data, state, predicted, durations, device)
    scored = score_lines(line_of(row.label, row.feature, None, [result], task=row.task), seed=1)
    write_text(folder / "README.md", model_card(info, scored, read_json(folder / "env.json")))


def _about(recipe: Recipe, row: Row, seed: int, result: dict) -> dict[str, Any]:
    """Collect what the recipe knows of a row."""
    from ser.results.lines import row_stamps
    from ser.results.words import SPEAKER_DEPENDENT

    splits, feature = recipe.splits_of(row.task).about, recipe.feature_config(row.feature)
    if not row.finetunes:  # a configuration may leave its precision to the machine
        info = read_json(recipe.dump_dir(row.feature, recipe.corpora[0]) / "feats.json")
        feature = feature.model_copy(update={"precision": info.get("precision", feature.precision)})
    identity, labels = feature.identity(), splits["made_from"]["labels"]
    corpora = {name: read_json(recipe.data / name / "corpus.json") for name in recipe.corpora}
    of_kind = {kind: sorted(c for c in corpora if splits["releases"][c] == kind) for kind in ("subset", "mini")}
    stamps = [
        *splits.get("stamps", []),
        *row_stamps(row.adaptation, splits.get("one_class_speakers", {})),
        *([f"{SPEAKER_DEPENDENT}: {', '.join(result['speaker_dependent'])}"] if result["speaker_dependent"] else []),
        *([f"PARTIAL CORPUS: {', '.join(of_kind['subset'])}"] if of_kind["subset"] else []),
        *(["MINIATURE CORPORA: synthetic audio; it knows nothing of real speech"] if of_kind["mini"] else []),
        *([f"OVERRIDDEN: {', '.join(recipe.overrides)}"] if recipe.overrides else []),
    ]
    told = ("title", "licence", "page", "release", "n_utterances", "n_speakers")
    return {
        "recipe": recipe.folder.name,
        "row": row.label,
        "name": row.name,
        "task": row.task,
        "seed": seed,
        "method": row.values["method"],
        "config": row.config.model_dump(),
        "finetunes": row.finetunes,
        "protocol": splits["protocol"]["protocol"],
        "stamps": stamps,
        "corpora": {name: {key: info.get(key, "not told") for key in told} for name, info in corpora.items()},
        "labels": {name: labels[name]["map"] for name in corpora if name in labels},
        "feature": {
            "name": row.feature,
            "config": feature.model_dump(),
            "made_from": identity,
            "ckpt_hash": identity["ckpt_hash"],
        },
    }


def _probe(row: Row, seed: int, data: RunData, state: State, device: str, folder: Path) -> dict:
    """Probe the embeddings of the first split; lay those of the paper's rows out in the plane, for the first seed."""
    from ser.scoring.probing import domain_measures, embedded_utts, plane_table

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
