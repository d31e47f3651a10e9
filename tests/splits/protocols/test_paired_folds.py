"""Folds of corpora side by side: who is tested with whom, each utterance once, nothing leaks, what is stamped."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ser
from ser.config import build
from ser.errors import ConfigError, ProtocolError
from ser.splits.lists import Split
from ser.splits.protocols.paired_folds import PairedFoldsProtocol
from ser.types import Utterance
from tests.fakes import emodb, ravdess
from tests.splits.people import corpus

TEXTS = 4
RANDOM = {"rule": "random", "speakers": "shared", "folds": 4}


def with_texts(utterances: list[Utterance]) -> list[Utterance]:
    return [dataclasses.replace(u, text_id=f"t{i % TEXTS}") for i, u in enumerate(utterances)]


CORPUS_OF = {"a": with_texts(corpus("a", 6, 4)), "b": with_texts(corpus("b", 4, 4, ("angry", "fearful", "happy")))}


def protocol(a: dict, b: dict, **changes: object) -> PairedFoldsProtocol:
    values = {"protocol": "paired_folds", "corpora": ["a", "b"], "tasks": {"task": "labels"}, "dev_speakers": 0.1,
              "seed": 1, "folds": {"task": {"a": a, "b": b}}}  # fmt: skip
    return build(PairedFoldsProtocol, values | changes, "protocol.yaml").with_own_folds()


def made(a: dict, b: dict, data=CORPUS_OF, **changes: object) -> list[Split]:
    labels = {u.utt_id: u.emotion for utterances in data.values() for u in utterances}
    return protocol(a, b, **changes).splits(data, labels)


def speakers(utts) -> set[str]:
    return {"-".join(utt.split("-")[:2]) for utt in utts}


def of(corpus: str, utts) -> set[str]:
    return {utt for utt in utts if utt.startswith(f"{corpus}-")}


PAIRS, SINGLE = {"rule": "consecutive_speakers", "size": 2}, {"rule": "consecutive_speakers", "size": 1}
TEXT = {"rule": "texts", "folds": 2, "speakers": "shared"}


@pytest.mark.parametrize("a, b, n", [(PAIRS, SINGLE, 4), (RANDOM, RANDOM, 4), (TEXT, SINGLE, 4), (PAIRS, TEXT, 3)])
def test_every_utterance_is_tested_once_and_never_trained_on_in_its_split(a, b, n):
    splits = made(a, b)
    assert [split.name for split in splits] == [f"fold{i + 1}" for i in range(n)]
    tested = Counter(utt for split in splits for utt in split.test)
    assert tested == Counter(u.utt_id for utterances in CORPUS_OF.values() for u in utterances)
    for split in splits:
        assert split.labelled == {**split.train, **split.dev}
        assert not set(split.labelled) & set(split.test) and not set(split.train) & set(split.dev)
        assert not speakers(split.train) & speakers(split.dev)
        assert len({utt[0] for utt in split.train}) == len({utt[0] for utt in split.dev}) == 2
        assert not split.adapt and not split.support


def test_a_corpus_with_fewer_folds_begins_anew_and_is_not_tested_again():
    splits = made(SINGLE, PAIRS)  # six folds and two
    assert [split.about["held_out"] for split in splits] == [{"a": i + 1, "b": i % 2 + 1} for i in range(6)]
    first, third = splits[0], splits[2]
    assert of("b", first.labelled) == of("b", third.labelled)
    assert of("b", first.test) and not of("b", third.test) and of("a", third.test)


def test_speaker_rules_keep_speakers_apart():
    for split in made(PAIRS, SINGLE):
        assert not speakers(split.labelled) & speakers(split.test)


def test_texts_keep_sentences_apart():
    text_of = {u.utt_id: u.text_id for utterances in CORPUS_OF.values() for u in utterances}
    for number, split in enumerate(made(TEXT, TEXT)):
        tested = {text_of[utt] for utt in split.test}
        assert tested == ({"t0", "t1"}, {"t2", "t3"})[number]
        assert tested.isdisjoint(text_of[utt] for utt in split.labelled)
        assert speakers(split.labelled) == speakers(split.test)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n_folds=st.integers(2, 5))
def test_random_folds_are_stratified(seed, n_folds):
    rule = RANDOM | {"folds": n_folds}
    for split in made(rule, rule, seed=seed):
        for name, n in (("a", 24), ("b", 16)):
            counts = Counter(split.test[utt] for utt in of(name, split.test))
            assert all(n // n_folds <= count <= -(-n // n_folds) for count in counts.values())


def test_the_seed_decides_random_folds():
    one, same, other = ([set(split.test) for split in made(RANDOM, RANDOM, seed=s)] for s in (1, 1, 2))
    assert one == same and one != other


@pytest.mark.parametrize("seed", range(6))
def test_identical_audio_stays_together(seed):
    first, *rest = CORPUS_OF["a"]
    twin = next(u for u in rest if u.emotion == first.emotion)
    data = CORPUS_OF | {"a": [first, *(dataclasses.replace(u, audio_hash=first.audio_hash) if u is twin else u
                                       for u in rest)]}  # fmt: skip
    for split in made(RANDOM, RANDOM, data, seed=seed):
        assert (first.utt_id in split.test) == (twin.utt_id in split.test)


def test_identical_audio_in_both_corpora_is_refused():
    *most, last = CORPUS_OF["b"]  # of the last speaker, and so of another fold
    twin = dataclasses.replace(last, audio_hash=CORPUS_OF["a"][0].audio_hash)
    with pytest.raises(
        ProtocolError, match="split fold1: identical audio in both training and test: b-04-happy3 and"
    ):
        made(SINGLE, SINGLE, CORPUS_OF | {"b": [*most, twin]})


def test_shared_speakers_are_stamped_by_task_and_corpus():
    both = protocol(PAIRS, SINGLE, tasks={"task": "x", "mixed": "x"},
                    folds={"task": {"a": PAIRS, "b": SINGLE}, "mixed": {"a": PAIRS, "b": RANDOM}})  # fmt: skip
    assert both.stamps == ["SPEAKER-DEPENDENT: in mixed, speakers of b are in both training and test"]
    assert both.corpus_stamps == {"b": ["SPEAKER-DEPENDENT"]}
    assert protocol(PAIRS, SINGLE).stamps == [] and protocol(PAIRS, SINGLE).corpus_stamps == {}


@pytest.mark.parametrize(
    ("a", "changes", "text"),
    [
        ({"rule": "random"}, {}, "rule 'random' with speakers 'disjoint'; random and texts need 'speakers: shared'"),
        (PAIRS | {"speakers": "shared"}, {}, "rule 'consecutive_speakers' with speakers 'shared'"),
        (PAIRS, {"folds": {"task": {"a": PAIRS}}}, "no rule for corpus 'b'; add folds.task.b"),
        (PAIRS, {"adapt": "unlabelled-test"}, "adapt"),
        (PAIRS, {"corpora": ["a"]}, "corpora"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(a, changes, text):
    with pytest.raises(ConfigError, match=text):
        protocol(a, SINGLE, **changes)


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        (TEXT | {"folds": 3}, SINGLE, "4 texts of 'a' do not part into 3 folds of one size"),
        (RANDOM | {"folds": 25}, SINGLE, "24 utterances of a class of 'a' do not part into 25 folds"),
        (PAIRS, {"rule": "consecutive_speakers", "size": 3}, "4 speakers do not part into folds of 3"),
    ],
)
def test_rules_that_do_not_fit_are_refused(a, b, text):
    with pytest.raises(ProtocolError, match=text):
        made(a, b)


def test_a_corpus_without_texts_is_refused():
    data = CORPUS_OF | {"a": corpus("a", 6, 4)}
    with pytest.raises(ProtocolError, match="texts needs every utterance's text, 'a-01-angry0' has none"):
        made(TEXT, SINGLE, data)


def test_two_speakers_cannot_spare_one_for_dev_when_one_is_tested():
    data = CORPUS_OF | {"b": with_texts(corpus("b", 2, 4))}
    with pytest.raises(ProtocolError, match="split fold1: dev_speakers: the training speakers of 'b' \\(b-02\\)"):
        made(PAIRS, SINGLE, data)


# ---- The recipes' own -----------------------------------------------------------------------------------------


def test_the_twin_gives_what_the_design_fixes(tmp_path):
    """RAVDESS: two statements, six subsets of four; EMO-DB: ten sentences, two a fold, five pairs."""
    from ser.corpora import CORPORA
    from ser.splits.labels import LabelMap
    from ser.splits.protocols import read_protocol

    root = Path(ser.__file__).parents[1]
    found = read_protocol(root / "egs" / "ravdess_emodb" / "conf" / "recipe.yaml")
    labels_of = build_labels(root, LabelMap)
    data = {}
    for name, fake in (("ravdess", ravdess), ("emodb", emodb)):
        release = fake.write_release(tmp_path / name)
        utterances = sorted(CORPORA[name].parse(release).utterances, key=lambda u: u.utt_id)
        data[name] = [dataclasses.replace(u, audio_hash=u.utt_id) for u in utterances]
    labels = {}
    for name, utterances in data.items():
        labels |= labels_of.apply(name, utterances, "full")
    data = {name: [u for u in utterances if u.utt_id in labels] for name, utterances in data.items()}
    sizes = {}
    for task in found.tasks:
        splits = found.of_task(task).splits(data, labels)
        sizes[task] = [(len(of("ravdess", s.test)), len(of("emodb", s.test))) for s in splits]
    assert [n for n, _ in sizes["text"]] == [432, 432, 0, 0, 0] and all(n for _, n in sizes["text"])
    assert [n for n, _ in sizes["speaker"]] == [144] * 6
    assert [n > 0 for _, n in sizes["speaker"]] == [True] * 5 + [False]
    assert sum(n for n, _ in sizes["random"]) == 864 and sum(n for _, n in sizes["random"]) == 339


def build_labels(root: Path, model):
    from ser.config import load

    return load(root / "conf" / "labels" / "four_class.yaml", model)
