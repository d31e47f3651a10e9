"""Stage 5 of one run: from weights to predictions.tsv and what metrics.json holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ser.data.maps import read_map
from ser.errors import DataError
from ser.recipe.recipe import METRICS, SIMILARITY, Recipe
from ser.recipe.rows import Row
from ser.splits.lists import as_listed
from ser.system.files import changed_files, hash_files, is_sealed, read_json, replacing, sealed, write_json

if TYPE_CHECKING:
    import pandas as pd

    from ser.methods.base import State
    from ser.training.run_data import RunData
    from ser.types import Condition


class ScoredRun(NamedTuple):
    """A scored run.

    Attributes:
        result: content of metrics.json.
        predicted: names of the splits that the row predicts.
        summary: a line for the terminal.
        parts: predictions by condition.
        are_posteriors: whether their scores are probabilities.
    """

    result: dict[str, Any]
    predicted: list[str]
    summary: str
    parts: Mapping[Condition, pd.DataFrame]
    are_posteriors: bool

    def calibrate(self, temperatures: Mapping[str, float]) -> None:
        """Add to the result how far probabilities can be trusted.

        Args:
            temperatures: number of shots -> temperature, as a model folder has them.
        """
        from ser.scoring.score import calibration

        for condition, part in self.parts.items():
            temperature = temperatures.get(str(condition.shots or 0))
            own = calibration(part, self.result["classes"], self.are_posteriors, temperature)
            self.result["conditions"][condition.key] |= own


def metrics_path(recipe: Recipe, row: Row, seed: int) -> Path:
    """Name the file of a run's scores; it is written last."""
    return recipe.run_dir(row, seed) / METRICS


def is_scored(recipe: Recipe, row: Row, seed: int) -> bool:
    """Whether a run's scores are those of its weights, its lists and the code as they are."""
    if not recipe.is_scored(row, seed):
        return False
    path = metrics_path(recipe, row, seed)
    if edited := edited_files(path.parent, read_json(path)):
        print(f"{path.parent / edited[0]}: was changed after it was written; scored again")
    return not edited


PREDICTIONS = "predictions.tsv"


def write_scores(folder: Path, result: dict[str, Any]) -> None:
    """Write metrics.json, with its own hash and that of predictions.tsv."""
    write_json(folder / METRICS, sealed({**result, "files": hash_files(folder, [PREDICTIONS])}))


def read_scores(folder: Path) -> dict[str, Any]:
    """Read metrics.json.

    Raises:
        DataError: if it or predictions.tsv is not what stage 5 wrote.
    """
    found = read_json(folder / METRICS)
    if edited := edited_files(folder, found):
        raise DataError(f"{folder / edited[0]}: was changed after stage 5 wrote it; run stage 5 again")
    return found


def edited_files(folder: Path, found: dict[str, Any]) -> list[str]:
    """Name the files of a scored run that are not what stage 5 wrote."""
    return [*([] if is_sealed(found) else [METRICS]), *changed_files(folder, found.get("files", {}))]


def score_run(recipe: Recipe, row: Row, seed: int, data: RunData, state: State, device: str) -> ScoredRun:
    """Predict the test utterances with a trained row, and score them.

    It writes predictions.tsv and, where the method gives them, similarities by layer and embeddings in the plane.
    """
    import numpy as np

    from ser.scoring.score import by_condition, fits, metrics, predictions_table
    from ser.scoring.tidy import SCORES, scores_table, write_table

    folder = recipe.run_dir(row, seed)
    (folder / METRICS).unlink(missing_ok=True)
    predictions = row.method.predict(row.config, data, state, device)
    table = predictions_table(predictions, data)
    with replacing(folder / PREDICTIONS) as path:
        table.to_csv(path, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    if hasattr(row.method, "similarity") and (curves := row.method.similarity(row.config, data, state, device)):
        with replacing(folder / SIMILARITY) as path, open(path, "wb") as file:
            np.savez(file, **curves)
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    write_table(folder / SCORES, scores_table(table, data.classes, speaker_of, seed))
    domains = {}
    if hasattr(row.method, "embeddings"):
        domains["domains"] = _probe(row, seed, data, state, device, folder, recipe.mini)
    protocol = recipe.settings.protocol
    conditions = by_condition(table, protocol.condition)
    result = {
        "made_from": recipe.score_inputs(row, seed),
        "classes": list(data.classes),
        "is_random": row.about.is_random,
        "speaker_factors": _speaker_factors(recipe, speaker_of),
        "target_data": sorted(as_listed(row.method.target_data(row.config), data.splits)),
        "notes": _notes(folder / "history.tsv"),
        **domains,
        "conditions": metrics(conditions, data.classes, speaker_of, protocol.has_episodes),
        "fits": fits(conditions, data.ratings, speaker_of),
        "speaker_dependent": sorted(c.key for c, part in conditions.items() if _knows_speakers(part, data)),
    }
    of = {condition: 100 * result["conditions"][condition.key]["uar"] for condition in conditions}
    uars = ", ".join(f"{uar:.1f} {'on' if c.shots is None else 'at'} {c}" for c, uar in of.items())
    if protocol.is_matrix:
        uars = f"{np.mean(list(of.values())):.1f}, mean of {len(of)} conditions"
    summary = f"{row.name} seed {seed}: UAR {uars}"
    are_posteriors = all(p.are_posteriors for p in predictions)
    return ScoredRun(result, table["split"].unique().tolist(), summary, conditions, are_posteriors)


def _probe(row: Row, seed: int, data: RunData, state: State, device: str, folder: Path, mini: bool) -> dict:
    """Probe the embeddings of the first split; lay those of the paper's rows out in the plane, for the first seed."""
    from ser.scoring.probing import FULL, MINI, domain_measures, embedded_utts, plane_table

    split, effort = data.splits[0], MINI if mini else FULL
    utts = embedded_utts(split, effort.n_utts)
    h = row.method.embeddings(row.config, data, state, split, utts, device).numpy()
    corpus_of = data.factors["corpus"]
    if row.published and seed == row.seeds[0]:
        with replacing(folder / "plane.tsv") as path:
            table = plane_table(h, utts, split, corpus_of, seed, effort.n_iterations)
            table.to_csv(path, sep="\t", index=False, float_format="%.4g", lineterminator="\n")
    sources = {corpus_of[utt] for utt in split.train}
    return domain_measures(h, utts, data.factors, sources, effort.n_folds)


def _speaker_factors(recipe: Recipe, speaker_of: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """List what speakers are: gender and language -> speaker -> its own, where it is known and one."""
    genders, languages = {}, {}
    for corpus in recipe.corpora:
        for name, found in (("spk2gender", genders), ("utt2lang", languages)):
            if (path := recipe.data / corpus / name).exists():
                found |= read_map(path)
    of_speaker: dict[str, set[str]] = {}
    for utt, name in languages.items():
        if utt in speaker_of and name != "und":  # undetermined
            of_speaker.setdefault(speaker_of[utt], set()).add(name)
    speakers = sorted(set(speaker_of.values()))
    return {
        "gender": {speaker: genders[speaker] for speaker in speakers if speaker in genders},
        "language": {s: next(iter(of_speaker[s])) for s in speakers if len(of_speaker.get(s, ())) == 1},
    }


def _notes(history: Path) -> list[str]:
    """Gather what training left out."""
    import pandas as pd

    table = pd.read_csv(history, sep="\t", keep_default_na=False, dtype=str) if history.stat().st_size else {}
    told = {text for cell in table["left_out"] for text in cell.split("; ")} if "left_out" in table else set()
    return sorted(text for text in told if text)


def _knows_speakers(table: pd.DataFrame, data: RunData) -> bool:
    """Check whether a tested speaker is in the training part of the split that tests them."""
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    split_of = {split.name: split for split in data.splits}
    for name, utts in table.groupby("split")["utt_id"]:
        known = {speaker_of[utt] for utt in (*split_of[name].train, *split_of[name].labelled)}
        if any(speaker_of[utt] in known for utt in utts.unique()):
            return True
    return False
