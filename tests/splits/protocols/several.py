"""Three invented corpora for the protocols that keep speakers of every corpus for dev, and full releases."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import ser
from ser.config import build, load
from ser.splits.labels import LabelMap
from ser.splits.lists import Split
from ser.splits.protocols.base import DevProtocol
from ser.splits.protocols.cross_corpus import CrossCorpusProtocol
from ser.splits.protocols.multi_corpus import MultiCorpusProtocol
from ser.types import Utterance
from tests.fakes import emodb, iemocap, msp_improv, ravdess, savee, urdu
from tests.splits.people import corpus

CONF = Path(ser.__file__).parents[1] / "conf"
CORPUS_OF = {"a": corpus("a", 6, 2), "b": corpus("b", 4, 3), "c": corpus("c", 10, 1)}
"""Folds of two speakers give 3, 2 and 5."""
PAIRS = {"rule": "consecutive_speakers", "size": 2}
COMMON = {"tasks": {"mood": "four"}, "dev_speakers": 0.1, "seed": 1}
CROSS = COMMON | {"protocol": "cross_corpus", "sources": ["a"], "targets": ["b", "c"], "adapt": "unlabelled-test"}
MULTI = COMMON | {
    "protocol": "multi_corpus",
    "corpora": ["a", "b", "c"],
    "folds": {name: PAIRS for name in CORPUS_OF},
    "held_out": {"a": 3, "b": 1, "c": 4},
}

Data = dict[str, list[Utterance]]


def made(values: dict, model: type[DevProtocol], data: Data) -> list[Split]:
    protocol = build(model, values, "protocol.yaml")
    labels = {u.utt_id: u.emotion for utterances in data.values() for u in utterances}
    return protocol.splits(data, labels)


def cross(data: Data = CORPUS_OF, **changes: object) -> Split:
    (split,) = made(CROSS | changes, CrossCorpusProtocol, data)
    return split


def multi(data: Data = CORPUS_OF, **changes: object) -> list[Split]:
    return made(MULTI | changes, MultiCorpusProtocol, data)


def with_(name: str, utterances: list[Utterance]) -> Data:
    return CORPUS_OF | {name: sorted(utterances, key=lambda u: u.utt_id)}


def speakers(utts) -> set[str]:
    return {"-".join(utt.split("-")[:2]) for utt in utts}


def ids(*corpora: str) -> list[str]:
    return [u.utt_id for name in corpora for u in CORPUS_OF[name]]


def in_sessions(name: str, n_sessions: int) -> list[Utterance]:
    return [dataclasses.replace(u, session=str((int(u.speaker[-2:]) - 1) // 2 % n_sessions)) for u in CORPUS_OF[name]]


def copied(name: str, copy: str, original: str) -> Data:
    return with_(
        name,
        [
            dataclasses.replace(u, audio_hash=f"hash of {original}") if u.utt_id == copy else u
            for u in CORPUS_OF[name]
        ],
    )


SINGLE = {"rule": "consecutive_speakers", "size": 1}


WRITE_RELEASE = {
    "iemocap": lambda root: iemocap.write_release(root, iemocap.full_release()),
    "msp_improv": lambda root: msp_improv.write_release(root, msp_improv.full_release()),
    "savee": savee.write_release,
    "emodb": emodb.write_release,
    "ravdess": ravdess.write_release,
    "urdu": urdu.write_release,
}


def shipped(kind: str, full: Data, task: str, *overrides: str) -> tuple[list[Split], Data, dict[str, str]]:
    """Make the splits of the shipped protocol; labels of full releases have to meet the counts of the map."""
    model = {"cross_corpus": CrossCorpusProtocol, "multi_corpus": MultiCorpusProtocol}[kind]
    protocol = load(CONF / "protocols" / f"{kind}.yaml", model, overrides).with_own_folds()
    label_map = load(CONF / "labels" / f"{task}.yaml", LabelMap)
    labels = {k: v for name in protocol.corpora for k, v in label_map.apply(name, full[name], "full").items()}
    utterances = {name: [u for u in full[name] if u.utt_id in labels] for name in protocol.corpora}
    return protocol.splits(utterances, labels), utterances, labels
