"""From a recipe's protocol and data directories to its audited splits: one folder whole or not at all, once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ser.config import find, load
from ser.data.data_dir import check_unchanged, read_data_dir
from ser.errors import DataError
from ser.splits.audit import one_class_speakers
from ser.splits.copies import with_recordings
from ser.splits.labels import LabelMap
from ser.splits.lists import SPLITS, changed_lists, remove_splits, with_shares, write_splits
from ser.splits.protocols import read_protocol
from ser.splits.protocols.base import Protocol
from ser.system.files import fingerprint, hash_file, read_json
from ser.types import Utterance

VERSION = 2
"""Raise it when the same settings would give other lists."""

READS = ("utt2spk", "utt2emo", "utt2hash", "spk2gender", "utt2session")
"""Files of a data directory that decide the splits of every protocol."""


def make_splits(config: Path, data: Path, folder: Path, mini: bool = False) -> None:
    """Make the splits of all tasks, each in a folder of its own if there are several, unless they are up to date.

    Args:
        config: file of the protocol.
        data: folder that holds the data directories.
        folder: `splits/` of the recipe.
        mini: whether `mini:` sections apply.

    Raises:
        ConfigError: for wrong settings, naming file and key.
        DataError: for a data directory that is missing, or not what stage 1 wrote.
        ProtocolError: for splits that would break the protocol.
    """
    protocol = read_protocol(config, mini)
    if "" in protocol.label_maps and not (folder / SPLITS.mark).exists():
        remove_splits(folder)  # of tasks that an earlier protocol had
    for task, labels in protocol.label_maps.items():
        label_map = load(find("labels", labels, config.parent), LabelMap)
        _make(protocol.of_task(task), task, label_map, data, folder / task)
    if "" not in protocol.label_maps:
        remove_splits(folder, keep=protocol.label_maps)


def _make(protocol: Protocol, task: str, label_map: LabelMap, data: Path, folder: Path) -> None:
    """Make the splits of one task."""
    prefix = f"{task} " if task else ""
    base = {
        "version": VERSION,
        "protocol": protocol.model_dump(),
        "labels": label_map.only(protocol.corpora),
        "data": {name: _data_hash(data / name, label_map, protocol) for name in protocol.corpora},
    }
    audited = {name: _audited(data / name) for name in protocol.corpora}
    about_path = folder / "protocol.json"
    before = read_json(about_path) if about_path.exists() else {}
    made_before = {key: value for key, value in before.get("made_from", {}).items() if key != "recordings"}
    if before.get("audited") == audited and made_before == base:
        if not (changed := changed_lists(folder)):
            print(f"{prefix}splits: up to date")
            return
        print(f"{changed[0]}: was changed after it was made; made again")
    utterances, labels, shares, releases, copies = {}, {}, {}, {}, {}
    for name in protocol.corpora:
        corpus = read_data_dir(data / name)
        info = read_json(data / name / "corpus.json")
        releases[name], copies[name] = info["release"], info.get("copy", [])
        labels |= label_map.apply(name, corpus, releases[name])
        utterances[name] = [u for u in corpus if u.utt_id in labels]
        if releases[name] == "mini":  # its synthetic voices sound alike; equal files are found by their hash
            utterances[name] = [dataclasses.replace(u, fingerprint=None) for u in utterances[name]]
        shares |= label_map.distributions(name, corpus)
    together = {u.utt_id: u for u in with_recordings([u for name in utterances for u in utterances[name]])}
    utterances = {name: [together[u.utt_id] for u in of_corpus] for name, of_corpus in utterances.items()}
    same = _other_copies(together.values())
    made_from = {**base, "recordings": same} if same else base
    splits = [with_shares(split, shares) for split in protocol.splits(utterances, labels)]
    stamps = [*protocol.stamps, *protocol.stamps_of(splits, utterances, labels)]
    about = {
        "made_from": made_from,
        "audited": audited,
        "protocol": protocol.model_dump(),
        "labels": {"name": protocol.label_maps[task], "classes": label_map.classes},
        "releases": releases,
        "copies": {name: sentences for name, sentences in copies.items() if sentences},
        "stamps": stamps,
        "corpus_stamps": protocol.corpus_stamps,
        "one_class_speakers": {name: one_class_speakers(utterances[name], labels) for name in protocol.corpora},
    }
    write_splits(folder, splits, about)
    for split in splits:
        print(f"{prefix}{split.name}: {len(split.train)} train, {len(split.dev)} dev, {protocol.tested(split)}")
    for stamp in stamps:
        print(stamp)
    unheard = [name for name, files in audited.items() if not files["utt2fingerprint"]]
    note = f" (altered copies not looked for: stage 1 of {', '.join(unheard)} is older)" if unheard else ""
    print(f"{_not_shared(protocol.looked_for, utterances)}; fingerprint {fingerprint(made_from)[:8]}{note}")


KNOWN = {"session": lambda u: u.session, "audio": lambda u: u.audio_hash}
"""What a corpus may not say of an utterance; a speaker each has."""


def _not_shared(looked_for: str, utterances: Mapping[str, Sequence[Utterance]]) -> str:
    """Say what no training and test list share, as far as the corpora say it.

    Example:
        >>> _not_shared("session or audio", {"c": [Utterance("c-1-a", "1", "a.wav", "sad", "s", None, "de")]})
        'sessions are not known for c, audio hashes are not known for c'
    """
    words = re.split(", | or ", looked_for)
    unknown = {
        word: [name for name, corpus in utterances.items() if not all(KNOWN[word](u) for u in corpus)]
        for word in words
        if word in KNOWN
    }
    known = [word for word in words if unknown.get(word, []) != list(utterances)]
    *others, last = known or [""]
    said = f"no {', '.join(others)}{' or ' * bool(others)}{last} is shared" if known else ""
    names = {"session": "sessions", "audio": "audio hashes"}
    gaps = [f"{names[word]} are not known for {', '.join(corpora)}" for word, corpora in unknown.items() if corpora]
    return ", ".join(filter(None, [said, *gaps]))


def _audited(data_dir: Path) -> dict[str, str | None]:
    """Hash the files that decide flags and refusals, but no list."""
    paths = [data_dir / name for name in ("utt2fingerprint", "utt2text_id", "segments")]
    return {path.name: hash_file(path) if path.exists() else None for path in paths}


def _other_copies(utterances: Iterable[Utterance]) -> dict[str, str]:
    """List copies of recordings whose files do not show it: they may decide lists, as identical files do."""
    utterances = list(utterances)
    hash_of = {u.utt_id: u.audio_hash for u in utterances}
    return {
        u.utt_id: u.recording for u in utterances if u.recording is not None and u.audio_hash != hash_of[u.recording]
    }


def _data_hash(data_dir: Path, label_map: LabelMap, protocol: Protocol) -> str:
    """Hash the inputs of the splits; the place of the audio does not matter."""
    rules = label_map.corpora.get(data_dir.name)
    other = (rules.reads,) if rules and rules.reads not in READS else ()
    check_unchanged(data_dir)
    try:
        paths = [data_dir / name for name in (*READS, *other, *protocol.also_reads)]
        parts = {path.name: hash_file(path) for path in paths if path.exists()}
        return fingerprint(parts | {"release": read_json(data_dir / "corpus.json")["release"]})
    except FileNotFoundError:
        raise DataError(f"{data_dir}: no data directory; run stage 1") from None
