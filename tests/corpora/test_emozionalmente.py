"""Emozionalmente: the tables, votes and known traps."""

from __future__ import annotations

import pytest

from ser.corpora.emozionalmente import parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch


def write(root, samples, evaluations=(), users=("anna,female",)):
    tables = {
        "samples": ("file_name,actor,sentence,emotion_expressed", samples),
        "evaluations": ("file_name,evaluator,emotion_recognized", evaluations),
        "users": ("username,gender", users),
    }
    (root / "metadata").mkdir(parents=True)
    for name, (head, lines) in tables.items():
        (root / f"metadata/{name}.csv").write_text("\n".join([head, *lines]) + "\n")


def test_every_field_of_an_utterance_with_its_votes(tmp_path):
    root = tmp_path / "emozionalmente_dataset"
    touch(root, ["audio/1613.wav"])
    heard = ("joy", "joy", "surprise", "neutrality", "joy")
    write(root, ['1613.wav,anna,"Ciao, bella",joy'], [f"1613.wav,r{n},{word}" for n, word in enumerate(heard)])
    (found,) = parse(tmp_path).utterances
    assert found == Utterance(
        utt_id="emozionalmente-anna-1613",
        speaker="emozionalmente-anna",
        wav=str(root / "audio/1613.wav"),
        emotion="happy",
        emotion_native="joy",
        gender="f",
        language="it",
        text_id=found.text_id,
        emotion_rated="happy",
        votes="happy:3 neutral:1 surprised:1",
    )


def test_one_sentence_has_one_text_id_and_a_tie_is_unknown(tmp_path):
    write(
        tmp_path,
        ["1.wav,anna,Ciao,joy", "2.wav,bob,Ciao,fear", "3.wav,bob,Piove,fear"],
        ["1.wav,r,joy", "1.wav,s,fear", "2.wav,r,anger"],
        ["anna,female", "bob,not stated"],
    )
    one, two, three = parse(tmp_path).utterances
    assert one.text_id == two.text_id != three.text_id
    assert [u.emotion_rated for u in (one, two, three)] == ["unknown", "angry", "unknown"]
    assert [u.votes for u in (one, two, three)] == ["fearful:1 happy:1", "angry:1", None]
    assert [u.gender for u in (one, two, three)] == ["f", None, None]


@pytest.mark.parametrize("line", ["1.wav,anna,Ciao,boredom", "1.wav,,Ciao,joy"])
def test_a_line_outside_the_grammar_is_refused(tmp_path, line):
    write(tmp_path, [line])
    with pytest.raises(DataError, match="^emozionalmente: samples.csv"):
        parse(tmp_path)


def test_without_a_table_the_release_is_not_whole(tmp_path):
    write(tmp_path, [])
    (tmp_path / "metadata/users.csv").unlink()
    with pytest.raises(DataError, match="holds no 'metadata/users.csv'; restore it from the release"):
        parse(tmp_path)
