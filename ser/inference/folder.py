"""The model folder of a recipe's run: what the recipe knows of the row, its card, and what `predict` needs."""

from __future__ import annotations

from typing import Any

from ser.data.maps import read_map
from ser.inference.card import model_card
from ser.inference.write import write_model
from ser.methods.base import State
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.results.lines import line_of, row_stamps
from ser.results.scores import score_lines
from ser.results.words import SPEAKER_DEPENDENT
from ser.scoring.runs import ScoredRun
from ser.system.files import read_json, write_text
from ser.training.run_data import RunData


def write_folder(
    recipe: Recipe, row: Row, seed: int, data: RunData, state: State, scored: ScoredRun, device: str
) -> dict[str, Any]:
    """Write what others need to use a row, and its card; return what stands in `model.json`.

    Args:
        recipe, row, seed: which run.
        data, state, device: as for `method.predict`.
        scored: its scores.
    """
    folder = recipe.run_dir(row, seed)
    durations = {utt: float(s) for c in recipe.corpora for utt, s in read_map(recipe.data / c / "utt2dur").items()}
    about = _about(recipe, row, seed, scored.result)
    again = None
    if row.init is None or recipe.has_weights(parent := recipe.row(row.init), seed):
        again = (seed, None if row.init is None else recipe.weights(parent, seed))
    info = write_model(folder, about, row.method, row.config, data, state, scored.predicted, durations, device, again)
    lines = score_lines(
        line_of(
            row.label, row.feature, None, [scored.result], task=row.task, seeds=[seed], is_random=row.about.is_random
        )
    )
    write_text(folder / "README.md", model_card(info, lines, read_json(folder / "env.json")))
    return info


def _about(recipe: Recipe, row: Row, seed: int, result: dict) -> dict[str, Any]:
    """Collect what the recipe knows of a row."""
    splits, feature = recipe.splits_of(row.task).about, recipe.feature_config(row.feature)
    if not row.finetunes:  # a configuration may leave its precision to the machine
        first = {part: read_json(recipe.dump_dir(part, recipe.corpora[0]) / "feats.json") for part in row.parts}
        feature = feature.with_precision({part: of["precision"] for part, of in first.items() if "precision" in of})
    identity, labels = feature.identity(), splits["made_from"]["labels"]
    corpora = {name: read_json(recipe.data / name / "corpus.json") for name in recipe.corpora}
    of_kind = {kind: sorted(c for c in corpora if splits["releases"][c] == kind) for kind in ("subset", "mini")}
    stamps = [
        *splits.get("stamps", []),
        *row_stamps(row.adaptation, splits.get("one_class_speakers", {})),
        *([f"{SPEAKER_DEPENDENT}: {', '.join(result['speaker_dependent'])}"] if result["speaker_dependent"] else []),
        *([f"PARTIAL CORPUS: {', '.join(of_kind['subset'])}"] if of_kind["subset"] else []),
        *(f"CONVERTED COPY: {name} ({'; '.join(why)})" for name, why in sorted(splits.get("copies", {}).items())),
        *(["MINIATURE CORPORA: synthetic audio; it knows nothing of real speech"] if of_kind["mini"] else []),
        *([f"VARIANT: {', '.join(recipe.overrides)}"] if row.variant_of else []),
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
