"""EmoBox's fold files: read and looked through for leaks, and written from splits of ours.

EmoBox (Ma et al. 2024, github.com/emo-box/EmoBox) keeps a corpus as
`fold_<n>/<corpus>_{train,valid,test}_fold_<n>.jsonl` beside `<corpus>.jsonl` and `label_map.json`. A line is one
utterance with the keys key, dataset, wav, type, sample_rate, num_frame, task, length, emo and channel; segments of
longer files also have start_time and end_time. It has no speaker, so that nobody sees whether a fold shares some.
Here the speaker comes from a data directory, from a key `speaker`, which the files written here have, or by the
corpus' own file names. Utterances of nobody known are counted, and left out.

Not here: their label lists, and support sets or unlabelled lists, for which the format has no place.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ser.corpora import CORPORA
from ser.data.data_dir import read_data_dir
from ser.errors import DataError, SerError, unknown
from ser.splits.lists import Split, Splits
from ser.system.files import hash_files, read_json, write_json
from ser.system.folders import Kind, check_free, check_place, replacing_folder
from ser.types import Utterance

NAME = re.compile(r"(?P<dataset>.+)_(?P<part>train|valid|test)(?P<number>\d*)_fold_?(?P<fold>\d+)\.jsonl")
"""MER2023 has several test parts: `mer2023_test1_fold_1.jsonl` to `test3`."""

OLDER = {"audio": "wav", "label": "emo"}
"""Keys of EmoBox's older files, which stand beside the present ones -> present key."""

PARTS = {"train": "train", "valid": "dev", "test": "test"}
"""Part of a fold, as EmoBox names it -> attribute of a split of ours."""

Entry = Mapping[str, Any]
"""A line of a file."""


@dataclasses.dataclass(frozen=True)
class Fold:
    """What the parts of one fold hold; valid counts as training, since it chooses.

    Attributes:
        number: of the fold.
        train, test: its entries.
    """

    number: int
    train: Sequence[Entry]
    test: Sequence[Entry]


@dataclasses.dataclass(frozen=True)
class Told:
    """Information on an entry; None if it is not known."""

    speaker: str
    text: str | None = None
    audio_hash: str | None = None


@dataclasses.dataclass(frozen=True)
class Leaks:
    """Keys, speakers, texts and audio that the training and test part of one fold share.

    Attributes:
        fold: its number.
        n_train, n_test: utterances.
        utterances: keys that stand in both.
        speakers, texts, audio: what both have; None where texts or audio are not known.
        n_speakers, n_texts: those of the test part.
    """

    fold: int
    n_train: int
    n_test: int
    utterances: Sequence[str]
    speakers: Sequence[str]
    n_speakers: int
    texts: Sequence[str] | None
    n_texts: int | None
    audio: Sequence[str] | None


def read_folds(paths: Sequence[Path]) -> list[Fold]:
    """Read the fold files of one corpus, from its folder or file by file.

    Raises:
        DataError: for a name or a line that is not EmoBox's, a fold without a training or a test part, or no fold.
    """
    files = [file for path in paths for file in (sorted(path.rglob("*_fold*.jsonl")) if path.is_dir() else [path])]
    chosen: dict[tuple[int, str, str], Path] = {}
    for file in sorted(files, key=lambda file: "_fold_" in file.name):  # of two spellings the present one holds
        if not (name := NAME.fullmatch(file.name)):
            raise DataError(f"{file}: expected a name as in emodb_train_fold_1.jsonl; name the corpus' folder of "
                            "EmoBox, or its fold files")  # fmt: skip
        chosen[int(name["fold"]), name["part"], name["number"]] = file
    parts: dict[int, dict[str, list[Entry]]] = defaultdict(dict)
    for (number, part, _), file in chosen.items():
        parts[number].setdefault(part, []).extend(_read(file))
    if not parts:
        where = ", ".join(map(str, paths))
        raise DataError(f"{where}: no file as in fold_1/emodb_train_fold_1.jsonl; name the folder of one corpus, as "
                        "data/emodb of EmoBox")  # fmt: skip
    folds = []
    for number, of_fold in sorted(parts.items()):
        if missing := [part for part in ("train", "test") if part not in of_fold]:
            raise DataError(f"fold {number}: the {missing[0]} file is missing; add it")
        folds.append(Fold(number, [*of_fold["train"], *of_fold.get("valid", ())], of_fold["test"]))
    return folds


def _read(file: Path) -> list[Entry]:
    entries = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; name the corpus' folder of EmoBox, or its fold files") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{file} line {number}: not JSON ({error.msg}); expected one utterance a line") from None
        texts = {OLDER.get(key, key): value for key, value in entry.items()} if isinstance(entry, dict) else {}
        if missing := [key for key in ("key", "dataset", "wav") if not isinstance(texts.get(key), str)]:
            raise DataError(f"{file} line {number}: no text '{missing[0]}'; a line needs key, dataset and wav")
        if "\0" in texts["wav"]:
            raise DataError(f"{file} line {number}: the path in wav holds a NUL byte; restore the file")
        entries.append(texts)
    return entries


# ---- Who speaks -----------------------------------------------------------------------------------------------


def told_of(entries: Iterable[Entry], data_dir: Path | None) -> dict[str, Told]:
    """Find out the speaker and text of entries: key -> what is known.

    Args:
        entries: of one corpus.
        data_dir: of the same corpus, for texts and identical audio, and for speakers that file names do not tell.

    Returns:
        What is known; an entry whose speaker is not is left out.

    Raises:
        DataError: if no speaker is known.
    """
    by_key = {entry["key"]: entry for entry in entries}
    if data_dir is not None:
        found = _of_data_dir(by_key, data_dir)
    elif all(isinstance(entry.get("speaker"), str) for entry in by_key.values()):
        return {key: Told(entry["speaker"]) for key, entry in by_key.items()}
    else:
        found = _of_names(by_key)
    if not found:
        lacking = sorted(by_key)
        first, where = lacking[0], f"in {data_dir}" if data_dir is not None else "by their file names"
        raise DataError(f"{len(lacking)} of {len(by_key)} utterances are not found {where} (first: '{first}', "
                        f"{by_key[first]['wav']}); name the data directory of their corpus with --data")  # fmt: skip
    return found


def _of_data_dir(by_key: Mapping[str, Entry], data_dir: Path) -> dict[str, Told]:
    """Match entries with utterances: by id, by the utterance's own part of it, or by the name of the file."""
    if not (data_dir / "wav.scp").exists():
        raise DataError(f"--data '{data_dir}': no data directory; make it with prepare_corpus")
    places: dict[str, list[Utterance]] = defaultdict(list)
    for u in read_data_dir(data_dir):
        for name in dict.fromkeys((u.utt_id, u.utt_id.split("-", 2)[2], Path(u.wav).stem)):
            places[name].append(u)
    found = {}
    for key, entry in by_key.items():
        own = key.removeprefix(f"{entry['dataset']}-")
        turned = "-".join([*own.split("-")[1:], own.split("-")[0]])  # CASIA: 201-liuchanhg-angry
        for name in (key, own, turned, f"{entry['dataset']}-{turned}", PurePosixPath(entry["wav"]).stem):
            if len(of_name := places.get(name, ())) == 1:
                found[key] = Told(of_name[0].speaker, of_name[0].text_id, of_name[0].audio_hash)
                break
    return found


def _of_names(by_key: Mapping[str, Entry]) -> dict[str, Told]:
    """Let the corpus' parser read empty files of the same names, each in a folder of the same name as its own."""
    found: dict[str, Told] = {}
    by_dataset: dict[str, dict[str, Entry]] = defaultdict(dict)
    for key, entry in by_key.items():
        by_dataset[entry["dataset"].lower()][key] = entry
    for dataset, entries in by_dataset.items():
        if dataset not in CORPORA:
            raise DataError(f"dataset: {unknown(dataset, CORPORA)}; no parser knows its file names, name its data "
                            "directory with --data")  # fmt: skip
        try:
            found |= _parsed(dataset, entries)
        except (SerError, OSError) as error:
            one_by_one: dict[str, Told] = {}
            for key, entry in entries.items():  # one name that is none must not hide the others
                with contextlib.suppress(SerError, OSError):
                    one_by_one |= _parsed(dataset, {key: entry})
            if not one_by_one:
                raise DataError(f"{dataset}: its file names do not give speakers ({error}); name its data "
                                "directory with --data") from None  # fmt: skip
            found |= one_by_one
    return found


def _parsed(dataset: str, entries: Mapping[str, Entry]) -> dict[str, Told]:
    """Let the parser read empty files of the entries' names, in up to two folders as their own."""
    with tempfile.TemporaryDirectory() as folder:
        release, key_of = Path(folder).resolve(), {}
        for key, entry in entries.items():
            parts = [part for part in PurePosixPath(entry["wav"]).parts[-3:] if part not in ("/", "..")]
            path = release.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            key_of[str(path)] = key
        parsed = CORPORA[dataset].parse(release)
    return {key_of[u.wav]: Told(u.speaker, u.text_id) for u in parsed.utterances if u.wav in key_of}


def leaks_of(fold: Fold, told: Mapping[str, Told]) -> Leaks:
    """Compare the two parts of a fold."""

    def both(name: str) -> tuple[list[str], int] | None:
        values = [
            {getattr(told[e["key"]], name) for e in part if e["key"] in told} for part in (fold.train, fold.test)
        ]
        return None if None in values[0] | values[1] else (sorted(values[0] & values[1]), len(values[1]))

    texts, audio = both("text"), both("audio_hash")
    speakers, n_speakers = both("speaker") or ([], 0)
    return Leaks(
        fold=fold.number,
        n_train=len(fold.train),
        n_test=len(fold.test),
        utterances=sorted({e["key"] for e in fold.train} & {e["key"] for e in fold.test}),
        speakers=speakers,
        n_speakers=n_speakers,
        texts=texts and texts[0],
        n_texts=texts and texts[1],
        audio=audio and audio[0],
    )


# ---- Writing --------------------------------------------------------------------------------------------------


FOLDS = Kind(
    name="folder of folds",
    mark="written_by_ser.json",
    is_ours=lambda about: "label_map.json" in about["files"],
    holds=lambda about: about["files"],
)
"""What `write_folds` writes; EmoBox's own folders have the same names but no such mark."""


def write_folds(splits: Splits, data_root: Path, folder: Path) -> list[str]:
    """Write splits of one task as EmoBox's folds, dev as valid; labels are the task's classes.

    Args:
        splits: of one task.
        data_root: folder that holds the data directories.
        folder: absent, empty, or of an earlier call, which is replaced as a whole.

    Returns:
        What has been left out, as EmoBox has no place for it.
    """
    corpora = sorted(splits.about["releases"])
    check_place(folder, {"the splits": splits.folder, **{f"data of {name}": data_root / name for name in corpora}})
    check_free(folder, FOLDS)
    entries = {}
    for corpus in corpora:
        info = read_json(data_root / corpus / "corpus.json")
        entries |= {u.utt_id: _entry(u, corpus, info) for u in read_data_dir(data_root / corpus)}
    dataset, listed = "_".join(corpora), splits.for_scoring()
    with replacing_folder(folder, FOLDS) as part:
        used: dict[str, str] = {}
        for number, split in enumerate(listed, start=1):
            parts = {"train": split.train or split.labelled, "valid": split.dev, "test": split.test}
            for name, labelled in parts.items():
                if labelled:
                    file = part / f"fold_{number}" / f"{dataset}_{name}_fold_{number}.jsonl"
                    _write(file, [{**entries[utt], "emo": label} for utt, label in labelled.items()])
                    used |= labelled
        _write(part / f"{dataset}.jsonl", [{**entries[utt], "emo": used[utt]} for utt in sorted(used)])
        write_json(part / "label_map.json", {name: name for name in splits.classes})
        names = [path.relative_to(part).as_posix() for path in part.rglob("*") if path.is_file()]
        write_json(part / FOLDS.mark, {"splits": splits.fingerprint, "files": hash_files(part, names)})
    return _not_told(listed)


def _entry(u: Utterance, corpus: str, info: Mapping[str, Any]) -> dict[str, Any]:
    release = info.get("made_from", {}).get("path")
    path = Path(u.wav)
    inside = release is not None and path.is_relative_to(release)
    rates = {int(name.split(" ")[0]) for name in info.get("formats", {}) if name.split(" ")[0].isdigit()}
    rate = min(rates) if len(rates) == 1 else _rate_of(path)
    entry = {
        "key": u.utt_id,
        "dataset": corpus,
        "wav": f"downloads/{corpus}/{path.relative_to(release) if inside else path.name}",
        "type": "raw",
        "sample_rate": rate,
        "num_frame": round(u.duration * rate),
        "task": "category",
        "length": u.duration,
        "emo": u.emotion,
        "channel": 1,
        "speaker": u.speaker,
    }
    return entry | ({} if u.start is None else {"start_time": u.start, "end_time": u.end})


def _rate_of(path: Path) -> int:
    from ser.data.audio import probe

    return probe(path).rate_hz


def _write(file: Path, entries: Iterable[Entry]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    file.write_text(text, encoding="utf-8", newline="\n")


def _not_told(splits: Sequence[Split]) -> list[str]:
    names = {
        "support sets": any(split.support for split in splits),
        "lists of unlabelled utterances": any(split.adapt for split in splits),
        "labelled target utterances outside the training list": any(
            split.train and set(split.labelled) - {*split.train, *split.dev} for split in splits
        ),
    }
    return [name for name, is_there in names.items() if is_there]
