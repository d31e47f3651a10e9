"""Write a recipe for corpora that are prepared, your own included.

usage: utils/new_recipe.sh NAME SOURCE TARGET [METHOD ...]
       utils/new_recipe.sh NAME --train A,B --test C,D [--methods M,N] [--features F,G] [--tasks T,U]

NAME: folder to make below egs/. SOURCE, TARGET: folders below data/, as `prepare_corpus` wrote them. METHOD: few-shot
methods that have a table in conf/rows/ (default: all).

The second form is a matrix of sources and targets (protocol `transfer`). A source is a corpus, `a+b` for two that are
trained on together, or `others`: all corpora of the matrix but the target. Tasks are four_class (default), arousal,
valence and common: the emotions that all corpora have. Methods are by default all that conf/rows/transfer*.tsv have.

What the shared settings do not know of your corpora (classes,
folds) is decided here and written into the recipe's conf/, to be looked at and changed.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ser import methods
from ser.config import find, load
from ser.data.data_dir import read_data_dir
from ser.errors import ConfigError, DataError, ProtocolError, run_cli, unknown
from ser.methods.base import answer
from ser.recipe.rows import COLUMNS, Table
from ser.splits.labels import CorpusLabels, LabelMap
from ser.splits.protocols.few_shot import FewShotProtocol
from ser.splits.protocols.transfer import OTHERS
from ser.system.files import read_json
from ser.system.folders import replacing_folder
from ser.types import Utterance

RUN_SH = """#!/usr/bin/env bash
set -euo pipefail
exec "$(CDPATH='' cd "$(dirname "$0")/../.." && pwd)/run.sh" --recipe "$(dirname "$0")" "$@"
"""

SHARED = "../../../conf"

COMMON = "common"
"""Label map of the emotions that both corpora have, where these are not the four."""

MATRIX_OPTIONS = ("train", "test", "methods", "features", "tasks")
"""Lists that only a matrix has."""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("source", metavar="SOURCE", nargs="?")
    parser.add_argument("target", metavar="TARGET", nargs="?")
    parser.add_argument("few_shot_methods", metavar="METHOD", nargs="*")
    for option in MATRIX_OPTIONS:
        parser.add_argument(f"--{option}", type=_listed, metavar="A,B")
    parser.add_argument("--root", type=Path, required=True, help="of the repository")
    args = parser.parse_args(argv)
    folder = args.root / "egs" / args.name
    if any(getattr(args, option) is not None for option in MATRIX_OPTIONS):
        _matrix(args, folder)
        return
    if args.target is None:
        raise ConfigError("name SOURCE and TARGET, or --train and --test; --help explains both")
    _check_names(folder, args.name, args.source, args.target)
    if args.source == args.target:
        raise ConfigError(f"SOURCE and TARGET are both '{args.source}'; a few-shot recipe needs two corpora")
    tables = {path.stem for path in (args.root / "conf" / "rows").glob("*.tsv")}
    known = [name for name in methods.names() if name in tables and methods.about(name).few_shot]
    for method in args.few_shot_methods:
        if method not in known:
            raise ConfigError(f"METHOD: {unknown(method, known)}")
    settings = _settings(args.root, args.source, args.target)
    with replacing_folder(folder, None) as part:
        _write(part, settings, args.few_shot_methods or known, args.root / "conf" / "rows")
        _write_script(part)
    print(f"wrote {folder}; look at its conf/, then type: egs/{args.name}/run.sh")


def _check_names(folder: Path, *names: str) -> None:
    """Refuse names that no folder has, and a recipe that is there already."""
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise ConfigError(f"'{name}': a name of a recipe or corpus has only letters, digits and '_'")
    if os.path.lexists(folder):
        raise ConfigError(f"{folder} exists already; choose another NAME")


def _listed(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _matrix(args: argparse.Namespace, folder: Path) -> None:
    """Write a transfer recipe."""
    from ser.recipe import new_matrix

    if args.source is not None:
        raise ConfigError(f"'{args.source}': a matrix has --train and --test instead of SOURCE and TARGET")
    if not args.train or not args.test:
        raise ConfigError("a matrix needs both --train and --test, as in --train emodb,others --test mine")
    _check_names(folder, args.name, *(corpus for source in args.train for corpus in source.split("+")), *args.test)
    known = new_matrix.known_methods(args.root)
    for method in args.methods or ():
        if method in methods.names() and method not in known:
            raise ConfigError(
                f"--methods: '{method}' has no rows in conf/rows/transfer*.tsv, which take one vector per utterance "
                f"and labels of the sources alone; allowed are {', '.join(known)}"
            )
        if method not in known:
            raise ConfigError(f"--methods: {unknown(method, known)}")
    features = args.features or ["byol_s"]
    for feature in (name for side_by_side in features for name in side_by_side.split("+")):
        find("features", feature, args.root / "egs" / "new")
    chosen, tasks = args.methods or known, args.tasks or ["four_class"]
    settings, label_files = new_matrix.protocol_settings(args.root, args.train, args.test, tasks)
    sources = {corpus for source in args.train for corpus in (args.test if source == OTHERS else source.split("+"))}
    table, headline, left_out = new_matrix.rows_of(args.root, chosen, tasks, sorted(sources))
    recipe = {
        "base": f"{SHARED}/protocols/transfer.yaml",
        "title": f"Transfer from {', '.join(args.train)} to {', '.join(args.test)}",
        "features": features,
        **settings,
        "headline": {"row": headline},
        "mini": {"features": ["fbank_no_cmvn"]},
    }
    with replacing_folder(folder, None) as part:
        (part / "conf").mkdir(parents=True)
        _dump(
            part / "conf" / "recipe.yaml",
            recipe,
            "headline: the system that is read first; choose it before any test",
        )
        for name, content in label_files.items():
            (part / "conf" / "labels").mkdir(exist_ok=True)
            text = "class: the emotions that count as it, as in `happy: [happy, excited]`; the others are dropped"
            _dump(part / "conf" / "labels" / f"{name}.yaml", content, text)
        (part / "conf" / "runs.tsv").write_text(table)
        _write_script(part)
    print("".join(f"{sentence}\n" for sentence in left_out), end="")
    print(f"wrote {folder}; look at its conf/, then type: egs/{args.name}/run.sh")


def _write_script(folder: Path) -> None:
    script = folder / "run.sh"
    script.write_text(RUN_SH)
    script.chmod(0o755)


def _write(folder: Path, settings: dict[str, Any], methods: Sequence[str], shared: Path) -> None:
    """Write a recipe's conf/; `shared` holds the tables of methods."""
    conf = folder / "conf"
    conf.mkdir(parents=True)
    _dump(conf / "recipe.yaml", settings["recipe"])
    if settings["labels"]:
        text = "class: the emotions that count as it, as in `happy: [happy, excited]`; the others are dropped"
        (conf / "labels").mkdir()
        name = settings["recipe"].get("labels", "four_class")
        _dump(conf / "labels" / f"{name}.yaml", settings["labels"], comment=text)
    text = "".join(f"base\t{SHARED}/rows/{method}.tsv\n" for method in methods)
    if "labels" in settings["recipe"]:
        text = _rows_for([shared / f"{method}.tsv" for method in methods], settings["labels"]["classes"])
    (conf / "runs.tsv").write_text(text)


def _rows_for(tables: Sequence[Path], classes: Sequence[str]) -> str:
    """Copy the lines of tables whose losses are not about other classes into one table."""
    questions, head, found = [], "", []
    for table in tables:
        rows = Table(table, table.parents[1], [""], ["fbank_no_cmvn"], False, (), False).rows()
        others = {row.label for row in rows if answer(row.method, "needs_classes", row.config) not in (None, classes)}
        for line in table.read_text(encoding="utf-8").splitlines():
            first, *cells = line.split("\t")
            if first == "question":
                cells[1] = " ".join(label for label in cells[1].split(" ") if label not in others)
                questions += ["\t".join([first, *cells])] if cells[1] else []
            elif first == COLUMNS[0]:
                head = line
            elif first not in others:
                place = COLUMNS.index("versus") - 1
                cells[place] = "-" if cells[place] in others else cells[place]
                found.append("\t".join([first, *cells]))
    return "".join(f"{line}\n" for line in [*questions, head, *found])


def _dump(path: Path, values: dict[str, Any], comment: str | None = None) -> None:
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=118)
    path.write_text((f"# {comment}\n" if comment else "") + text)


def _settings(root: Path, source: str, target: str) -> dict[str, Any]:
    """Decide what the shared settings do not tell of two corpora: classes, folds of the target, shots.

    Raises:
        DataError: for a corpus that is not prepared.
        ProtocolError: if no few-shot protocol fits them.
    """
    label_map = load(root / "conf" / "labels" / "four_class.yaml", LabelMap)
    utterances = {}
    for name in (source, target):
        if not (root / "data" / name / "corpus.json").exists():
            raise DataError(f"data/{name}: no data directory; make it with python -m ser.bin.prepare_corpus")
        utterances[name] = read_data_dir(root / "data" / name)
    own, is_four = _label_map(label_map, utterances)
    labels: dict[str, str] = {}
    for name, corpus in utterances.items():
        labels |= own.apply(name, corpus, read_json(root / "data" / name / "corpus.json")["release"])
        utterances[name] = [u for u in corpus if u.utt_id in labels]
    content = {name: own.corpora[name].model_dump(exclude_defaults=True) for name in (source, target)
               if not (is_four and name in label_map.corpora)}  # fmt: skip
    base = load(root / "conf" / "protocols" / "few_shot.yaml", FewShotProtocol,
                [f"source={source}", f"target={target}"]).with_own_folds()  # fmt: skip
    return {
        "recipe": {
            "base": f"{SHARED}/protocols/few_shot.yaml",
            "title": f"{source} to {target}, k labelled utterances per emotion",
            "features": ["fbank_no_cmvn", "byol_s"],
            "source": source,
            "target": target,
            **({} if is_four else {"labels": COMMON}),
            **_folds_and_shots(base, utterances, labels),
            "mini": {"features": ["fbank_no_cmvn"]},
        },
        "labels": {"base": f"../{SHARED}/labels/four_class.yaml", "corpora": content} if is_four and content else (
            {} if is_four else {"classes": own.classes, "corpora": content}),
    }  # fmt: skip


def _label_map(shared: LabelMap, utterances: dict[str, list[Utterance]]) -> tuple[LabelMap, bool]:
    """Map two corpora to the four classes or, where one lacks some of them, to the emotions that both have.

    Returns:
        The map, and whether it has the four classes.

    Raises:
        ProtocolError: if they have fewer than two emotions in common.
    """
    found = {name: {u.emotion for u in corpus} for name, corpus in utterances.items()}
    if all(name in shared.corpora or found[name] >= set(shared.classes) for name in found):
        new = {name: _labels(name, corpus, shared.classes) for name, corpus in utterances.items()
               if name not in shared.corpora}  # fmt: skip
        return LabelMap(classes=shared.classes, corpora={**shared.corpora, **new}), True
    classes = sorted(set.intersection(*found.values()) - {"other", "unknown"})
    if len(classes) < 2:
        said = "; ".join(f"{name} has {', '.join(sorted(words))}" for name, words in found.items())
        raise ProtocolError(f"fewer than two emotions in common ({said}); choose another corpus, or call the same "
                            "emotion by the same word: prepare_corpus table ... --map joy=happy")  # fmt: skip
    own = {name: _labels(name, corpus, classes) for name, corpus in utterances.items()}
    return LabelMap(classes=classes, corpora=own), False


def _labels(name: str, corpus: Sequence[Utterance], classes: Sequence[str]) -> CorpusLabels:
    """Map each class to the emotion of its name, and drop the others."""
    found = {u.emotion for u in corpus}
    return CorpusLabels(map={c: [c] for c in classes}, drop=sorted(found - set(classes)))


def _folds_and_shots(
    base: FewShotProtocol, utterances: dict[str, list[Utterance]], labels: dict[str, str]
) -> dict[str, Any]:
    """Choose folds for a target that the shared protocol does not know, and shots that every fold can give."""
    target = base.target
    rules = [{"rule": "stratified_speakers", "folds": n} for n in (5, 4, 3, 2)]
    if any(u.session for u in utterances[target]):
        rules.insert(0, {"rule": "sessions"})
    failure: ProtocolError | None = None
    rules = [{}] if target in base.folds else rules
    for rule in rules:
        for n in range(len(base.shots), 0, -1):
            changed = ({"folds": {target: rule}} if rule else {}) | (
                {"shots": base.shots[:n]} if n < len(base.shots) else {}
            )
            folds = {**base.model_dump()["folds"], **changed.get("folds", {})}
            protocol = FewShotProtocol(**base.model_dump() | changed | {"folds": folds, "draws": 1})
            try:
                protocol.splits(utterances, labels)
            except ProtocolError as error:
                failure = error  # of the fewest folds and shots
            else:
                return changed
    reason = str(failure).partition(";")[0]  # whose advice has been tried
    raise ProtocolError(
        f"no few-shot protocol fits {base.source} and {target}: tried {', '.join(map(_words, rules))} with "
        f"{', '.join(map(str, base.shots))} shots and less; the last of them failed by: {reason}; take another target"
    )


def _words(rule: dict[str, Any]) -> str:
    return f"{rule['folds']} folds of speakers" if "folds" in rule else rule.get("rule", "the folds of its own file")


if __name__ == "__main__":
    run_cli(main)
