"""Decide the settings of a new transfer recipe: classes, folds and shots that suit corpora of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.config import build, load, read
from ser.data.data_dir import read_data_dir
from ser.errors import ConfigError, DataError, ProtocolError, unknown
from ser.methods import load as load_method
from ser.methods.base import answer
from ser.recipe.rows import COLUMNS
from ser.splits.labels import CorpusLabels, LabelMap
from ser.splits.protocols.transfer import TransferProtocol
from ser.system.files import read_json
from ser.training.run_data import RATING_FILES
from ser.types import Utterance

COMMON = "common"
"""Task whose classes are the emotions that all corpora have."""

TASKS = {"four_class": "four_class", "arousal": "binary_arousal", "valence": "binary_valence", COMMON: COMMON}
"""Task -> label map."""

REFERENCES = ("lr_source", "support_only", "in_domain", "shortcut_source", "shortcut")
"""Rows that every matrix has, whatever its methods are."""

HEADLINES = ("emofsl_corpus", "lr_corpus", "svc_corpus", "lr_source")
"""Rows that a new recipe names in advance: the first of these that it has."""

RATED, FOUR_CLASSES = "transfer_metric.tsv", "transfer_emofsl.tsv"
"""Of `TABLES`, with rows for sources that have ratings, and rows whose loss is about four classes."""

TABLES = ("transfer_adapted.tsv", "transfer.tsv", "transfer_more.tsv", RATED, FOUR_CLASSES)
"""Of `conf/rows/`."""

NO_CLASS = ("other", "unknown")

Json = dict[str, Any]


def protocol_settings(
    root: Path, train: Sequence[str], test: Sequence[str], tasks: Sequence[str]
) -> tuple[Json, dict[str, Json]]:
    """Decide folds, shots and label maps.

    Args:
        root: of the repository.
        train, test: as in a recipe.
        tasks: keys of `TASKS`.

    Returns:
        What the recipe says beyond the shared protocol, and label map -> what its file has to hold.

    Raises:
        ConfigError: for settings that no protocol has.
        DataError: for a corpus that is not prepared.
        ProtocolError: for corpora that do not fit.
    """
    for task in tasks:
        if task not in TASKS:
            raise ConfigError(f"--tasks: {unknown(task, TASKS)}")
    wanted = {task: TASKS[task] for task in tasks}
    shared, _ = read(root / "conf" / "protocols" / "transfer.yaml")
    values = shared | {"train": list(train), "test": list(test), "tasks": wanted}
    values.pop("mini", None)
    protocol = build(TransferProtocol, values, "new_recipe").with_own_folds()
    corpora = {name: _read(root, name) for name in protocol.corpora}
    labels, files = {}, {}
    for task, name in wanted.items():
        label_map, own = _common(corpora) if task == COMMON else _label_map(root, name, corpora)
        labels[task] = {
            utt: label
            for corpus, utterances in corpora.items()
            for utt, label in label_map.apply(corpus, utterances, _release(root, corpus)).items()
        }
        if own:
            files[name] = own
    folds, n_shots = {}, len(protocol.shots)
    for target in test:
        rule, n = _rule(protocol, target, corpora[target], labels)
        folds |= {target: rule} if rule else {}
        n_shots = min(n_shots, n)
    recipe: Json = {"train": list(train), "test": list(test)}
    recipe["tasks"] = {**({} if "four_class" in wanted else {"four_class": None}), **wanted}
    recipe |= {"folds": folds} if folds else {}
    recipe |= {"shots": protocol.shots[:n_shots]} if n_shots < len(protocol.shots) else {}
    return recipe, files


def _read(root: Path, name: str) -> list[Utterance]:
    if not (root / "data" / name / "corpus.json").exists():
        raise DataError(f"data/{name}: no data directory; python -m ser.bin.prepare_corpus makes it")
    return read_data_dir(root / "data" / name)


def _release(root: Path, name: str) -> str:
    return read_json(root / "data" / name / "corpus.json")["release"]


# ---- Classes --------------------------------------------------------------------------------------------------


def _label_map(root: Path, name: str, corpora: Mapping[str, Sequence[Utterance]]) -> tuple[LabelMap, Json]:
    """Extend a shared label map: an emotion of a new corpus belongs to the class that most known corpora give it."""
    shared = load(root / "conf" / "labels" / f"{name}.yaml", LabelMap)
    votes: dict[str, Counter[str]] = {}
    for own in shared.corpora.values():
        for class_name, emotions in own.map.items():
            for emotion in emotions:
                votes.setdefault(emotion, Counter())[class_name] += 1
    class_of = {emotion: sorted(counted, key=lambda c: (-counted[c], c))[0] for emotion, counted in votes.items()}
    new = {
        corpus: _labels(corpus, utterances, class_of, shared.classes)
        for corpus, utterances in corpora.items()
        if corpus not in shared.corpora
    }
    content = {corpus: labels.model_dump(exclude_defaults=True) for corpus, labels in new.items()}
    return LabelMap(classes=shared.classes, corpora={**shared.corpora, **new}), (
        {"base": f"../../../../conf/labels/{name}.yaml", "corpora": content} if new else {}
    )


def _labels(
    name: str, corpus: Sequence[Utterance], class_of: Mapping[str, str], classes: Sequence[str]
) -> CorpusLabels:
    found = Counter(u.emotion for u in corpus)
    of_class = {c: sorted(emotion for emotion in found if class_of.get(emotion) == c) for c in classes}
    if missing := [c for c, emotions in of_class.items() if not emotions]:
        raise ProtocolError(
            f"data/{name}: no utterance is '{missing[0]}'; found {', '.join(sorted(found))}; choose other --tasks: "
            f"{', '.join(TASKS)}"
        )
    return CorpusLabels(
        map=of_class,
        drop=sorted(emotion for emotion in found if emotion not in class_of),
        expected={c: sum(found[emotion] for emotion in emotions) for c, emotions in of_class.items()},
    )


def _common(corpora: Mapping[str, Sequence[Utterance]]) -> tuple[LabelMap, Json]:
    """Make a label map of the emotions that all corpora have."""
    found = {name: {u.emotion for u in own} for name, own in corpora.items()}
    classes = sorted(set.intersection(*found.values()) - set(NO_CLASS))
    if len(classes) < 2:
        raise ProtocolError(f"--tasks common: {', '.join(corpora)} have {len(classes)} emotion(s) in common")
    label_map = LabelMap(
        classes=classes,
        corpora={name: _labels(name, own, {c: c for c in classes}, classes) for name, own in corpora.items()},
    )
    return label_map, label_map.model_dump(exclude_defaults=True)


# ---- Folds and shots ------------------------------------------------------------------------------------------


def _rule(
    protocol: TransferProtocol, target: str, utterances: Sequence[Utterance], labels: Mapping[str, Mapping[str, str]]
) -> tuple[Json, int]:
    """Choose folds of a target whose own file declares none, and how many of the shots every fold can give.

    Raises:
        ProtocolError: if no rule fits.
    """
    rules: list[Json] = [{"rule": "stratified_speakers", "folds": n} for n in (5, 4, 3, 2)]
    if any(u.session for u in utterances):
        rules.insert(0, {"rule": "sessions"})
    failure: ProtocolError | None = None
    for rule in [{}] if target in protocol.folds else rules:
        for n in range(len(protocol.shots), 0, -1):
            folds = {name: own.model_dump() for name, own in protocol.folds.items()} | (
                {target: rule} if rule else {}
            )
            tried = TransferProtocol(
                **protocol.model_dump() | {"folds": folds, "shots": protocol.shots[:n], "draws": 1}
            )
            try:
                for of_task in labels.values():
                    list(tried.target_folds(target, [u for u in utterances if u.utt_id in of_task], of_task))
            except ProtocolError as error:
                failure = error  # the last rule has the largest folds to draw from
            else:
                return rule, n
    raise failure


# ---- Rows -----------------------------------------------------------------------------------------------------


def known_methods(root: Path) -> list[str]:
    """List the methods that the shared tables of a matrix have."""
    return sorted({method for table in TABLES for _, method in _lines(root, table)})


def rows_of(
    root: Path, methods: Sequence[str], tasks: Sequence[str], sources: Sequence[str]
) -> tuple[str, str, list[str]]:
    """Write a recipe's `runs.tsv`: the shared tables, or the rows of some methods next to the references.

    Returns:
        The table, the label of the row that is read first, and sentences about rows that cannot take part.
    """
    tables = [table for table in TABLES if table != FOUR_CLASSES or "four_class" in tasks]
    unrated = _unrated(root, methods, sources)
    lines_of = {
        table: [
            cells
            for cells, method in _lines(root, table)
            if (method in methods or cells[0] in REFERENCES) and cells[0] not in unrated
        ]
        for table in tables
    }
    labels = {cells[0] for lines in lines_of.values() for cells in lines}
    headline = next(label for label in HEADLINES if label in labels)
    whole = [table for table, lines in lines_of.items() if len(lines) == len(_lines(root, table))]
    whole = whole if set(methods) >= set(known_methods(root)) else []
    others = [cells for table, lines in lines_of.items() if table not in whole for cells in lines]
    text = "".join(f"base\t../../../conf/rows/{table}\n" for table in whole)
    columns = [*COLUMNS, "tasks"]
    others = [columns, *([*cells, *["-"] * (len(columns) - len(cells))] for cells in others)] if others else []
    text += "".join("\t".join(cells) + "\n" for cells in others)
    said = [f"{label} is left out: no source has ratings of {rating}" for label, rating in unrated.items()]
    return text, headline, said


def _unrated(root: Path, methods: Sequence[str], sources: Sequence[str]) -> dict[str, str]:
    """List the rows that follow a rating which no source has: label -> rating."""
    found = {}
    for cells, name in _lines(root, RATED):
        if name not in methods:
            continue
        method, overrides = load_method(name), [] if cells[7] == "-" else cells[7].split(" ")
        rating = answer(method, "rating", load(root / "conf" / "methods" / cells[1], method.Config, overrides))
        if rating and not any((root / "data" / corpus / RATING_FILES[rating]).exists() for corpus in sources):
            found[cells[0]] = rating
    return found


def _lines(root: Path, table: str) -> list[tuple[list[str], str]]:
    """Read the rows of a shared table, with the name of each one's method."""
    text = (root / "conf" / "rows" / table).read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:] if line]
    return [(cells, read(root / "conf" / "methods" / cells[1])[0]["method"]) for cells in rows]
