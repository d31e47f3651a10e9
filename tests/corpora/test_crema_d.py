"""CREMA-D: grammar, sexes, votes and known traps."""

from __future__ import annotations

from collections import Counter

import pytest

from ser.corpora.base import prepare
from ser.corpora.crema_d import CORPUS, parse
from ser.data.data_dir import read_data_dir
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.crema_d import write_release
from tests.fakes.wav import touch, write_wav

HEAD = '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"\n'


def test_full_release_has_the_published_counts(tmp_path):
    utterances = parse(write_release(tmp_path)).utterances
    assert len(utterances) == 7442
    assert Counter(u.emotion for u in utterances) == CORPUS.counts
    assert Counter({u.speaker: u.gender for u in utterances}.values()) == {"m": 48, "f": 43}
    assert len({u.text_id for u in utterances}) == 12


def test_every_field_of_an_utterance_with_its_vote(tmp_path):
    wav = write_wav(tmp_path / "AudioWAV/1001_IEO_ANG_MD.wav")
    table = tmp_path / "processedResults/summaryTable.csv"
    table.parent.mkdir()
    table.write_text(HEAD + '"9","1001_IEO_ANG_MD","D","58.6","A","45.5","A","44.2"\n')
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="crema_d-1001-1001_IEO_ANG_MD",
            speaker="crema_d-1001",
            wav=str(wav),
            emotion="angry",
            emotion_native="ANG_MD",
            gender="m",
            language="en",
            text_id="IEO",
            emotion_rated="disgusted",
        )
    ]


def test_what_listeners_heard_reaches_the_data_directory(tmp_path):
    """A tie is unknown, a clip without a vote, too; the one name that differs finds its line."""
    for seed, stem in enumerate(("1001_IEO_ANG_MD", "1001_IEO_SAD_HI", "1040_ITH_SAD_X", "1002_DFA_NEU_XX")):
        write_wav(tmp_path / "release/AudioWAV" / f"{stem}.wav", seed)
    (tmp_path / "release/summaryTable.csv").write_text(
        HEAD + '"9","1001_IEO_ANG_MD","A:D","37.2:58.6","A","45.5","A","44.2"\n'
        '"7","1001_IEO_SAD_HI","N","60.14","A:F","30.67:51.00","N","63.5"\n'
        '"1","1040_ITH_SAD_XX","S","60.14","N","1","N","1"\n'
    )
    prepare(CORPUS, tmp_path / "release", tmp_path / "data", allow_partial=True)
    assert {u.utt_id[13:]: u.emotion_rated for u in read_data_dir(tmp_path / "data")} == {
        "1001_IEO_ANG_MD": "unknown", "1001_IEO_SAD_HI": "neutral", "1002_DFA_NEU_XX": "unknown",
        "1040_ITH_SAD_X": "sad",
    }  # fmt: skip


def test_votes_are_of_those_who_heard_a_clip_without_seeing_it(tmp_path):
    touch(tmp_path, ["AudioWAV/1001_IEO_ANG_MD.wav", "AudioWAV/1040_ITH_SAD_X.wav", "AudioWAV/1002_DFA_NEU_XX.wav"])
    head = '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"\n'
    lines = (
        '"100009",4,3,0,0,2,0,"1001_IEO_ANG_MD",9,0.44,"A"\n"200009",9,0,0,0,0,0,"1001_IEO_ANG_MD",9,1,"A"\n'
        '"107442",0,0,0,0,1,8,"1040_ITH_SAD_XX",9,0.8,"S"\n"300009",0,0,0,9,0,0,"1001_IEO_ANG_MD",9,1,"H"\n'
    )
    (tmp_path / "tabulatedVotes.csv").write_text(head + lines)
    assert {u.utt_id[13:]: u.votes for u in parse(tmp_path).utterances} == {
        "1001_IEO_ANG_MD": "angry:4 disgusted:3 neutral:2",
        "1002_DFA_NEU_XX": None,
        "1040_ITH_SAD_X": "neutral:1 sad:8",
    }
    (tmp_path / "tabulatedVotes.csv").write_text(head.replace('"A"', '"B"', 1) + lines)
    with pytest.raises(
        DataError, match="^crema_d: tabulatedVotes.csv, line 2: found .*, expected a number, votes in"
    ):
        parse(tmp_path)


def test_without_a_table_nobody_heard_anything(tmp_path):
    touch(tmp_path, ["AudioWAV/1001_IEO_ANG_MD.wav"])
    assert [u.emotion_rated for u in parse(tmp_path).utterances] == [None]


def test_a_vote_of_unknown_form_is_refused(tmp_path):
    touch(tmp_path, ["AudioWAV/1001_IEO_ANG_MD.wav"])
    (tmp_path / "summaryTable.csv").write_text(HEAD + '"9","1001_IEO_ANG_MD","A,D","1","A","1","A","1"\n')
    with pytest.raises(DataError, match=r"^crema_d: summaryTable.csv: found FileName .* and VoiceVote 'A,D'"):
        parse(tmp_path)


@pytest.mark.parametrize(
    "stem",
    ["1000_DFA_ANG_XX", "1092_DFA_ANG_XX", "1001_DFB_ANG_XX", "1001_DFA_SUR_XX", "1001_DFA_ANG_ZZ", "1001_DFA_ANG"],
)
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"AudioWAV/{stem}.wav"])
    with pytest.raises(DataError, match=f"^AudioWAV/{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)
