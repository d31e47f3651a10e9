"""MSP-Podcast: the tables of all versions, votes, official parts and known traps."""

from __future__ import annotations

import pytest

from ser.corpora.base import prepare
from ser.corpora.msp_podcast import CORPUS, parse
from ser.data.data_dir import read_data_dir
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch, write_wav

HEAD = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
LINE = "MSP-PODCAST_0001_0008.wav,N,2.6,4.2,3.8,127,Male,Test1\n"
OLD = """FileName,Labels
MSP-PODCAST_0001_0008.wav,"WORKER01; Neutral; Neutral,Annoyed; A:3.0; V:4.0; D:4.0;"
MSP-PODCAST_0001_0008.wav,"WORKER02; Other-Bored; A:3.0; V:4.0; D:4.0;"
MSP-PODCAST_0001_0008.wav,"WORKER03; Neutral; ; A:3.0; V:4.0; D:4.0;"
"""
NEW = """FileName,Worker,EmoClass_Major,EmoClass_Second
MSP-PODCAST_0001_0008.wav,1,Neutral,"Neutral,Annoyed"
MSP-PODCAST_0001_0008.wav,2,Contempt,Bored
MSP-PODCAST_0001_0008.wav,3,Neutral,
"""


def write(root, consensus, detailed="", labels="Labels", name="labels_consensus.csv"):
    (root / labels).mkdir(parents=True)
    (root / labels / name).write_text(HEAD + consensus)
    if detailed:
        (root / labels / "labels_detailed.csv").write_text(detailed)


@pytest.mark.parametrize("detailed", [OLD, NEW])
@pytest.mark.parametrize(
    ("audio", "labels", "name"),
    [("Audios", "Labels/Labels", "labels_consensus.csv"), ("Audio", "Labels", "labels_concensus.csv")],
)
def test_every_field_of_an_utterance_in_every_version(tmp_path, detailed, audio, labels, name):
    (wav,) = touch(tmp_path, [f"{audio}/MSP-PODCAST_0001_0008.wav"]).rglob("*.wav")
    write(tmp_path, LINE, detailed, labels, name)
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="msp_podcast-127-MSP-PODCAST_0001_0008",
            speaker="msp_podcast-127",
            wav=str(wav),
            emotion="neutral",
            emotion_native="N",
            gender="m",
            language="en",
            arousal=2.6,
            valence=4.2,
            dominance=3.8,
            votes="neutral:2 other:1",
            part="test1",
        )
    ]


def test_an_unknown_speaker_has_no_gender_and_audio_without_a_label_is_left_out(tmp_path):
    """The one turn that the release lacks is left out; any other that is missing is not."""
    touch(tmp_path, ["Audios/MSP-PODCAST_0001_0008.wav", "Audios/MSP-PODCAST_test3_0001.wav"])
    lines = [LINE.replace("127,Male,Test1", "Unknown,Unknown,Train")]
    lines += [LINE.replace("0001_0008", name).replace("Test1", "Validation") for name in ("1909_1017", "0009_0001")]
    write(tmp_path, "".join(lines))
    parsed = parse(tmp_path)
    assert [(u.speaker, u.gender, u.part) for u in parsed.utterances] == [
        ("msp_podcast-Unknown", None, "train"),
        ("msp_podcast-127", "m", "dev"),
    ]
    assert parsed.dropped == {
        "MSP-PODCAST_1909_1017.wav": "no audio in the release",
        "Audios/MSP-PODCAST_test3_0001.wav": "no label in the release",
    }


def test_counts_are_not_asserted_but_labelled_turns_need_audio(tmp_path):
    write_wav(tmp_path / "MSP-Podcast/Audios/MSP-PODCAST_0001_0008.wav")
    write(tmp_path / "MSP-Podcast", LINE, OLD)
    prepare(CORPUS, tmp_path / "MSP-Podcast", tmp_path / "msp_podcast")
    assert '"release": "uncounted"' in (tmp_path / "msp_podcast/corpus.json").read_text()
    (found,) = read_data_dir(tmp_path / "msp_podcast")
    assert (found.votes, found.part) == ("neutral:2 other:1", "test1")
    write(tmp_path / "other", LINE + LINE.replace("0008", "0009"))
    write_wav(tmp_path / "other/Audios/MSP-PODCAST_0001_0008.wav")
    with pytest.raises(DataError, match="^msp_podcast: 1 unusable files"):
        prepare(CORPUS, tmp_path / "other", tmp_path / "other_data")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (",N,", ",Z,", "EmoClass unknown 'Z'"),
        ("Test1", "Test9", "Split_Set unknown 'Test9'"),
        ("4.2", "7.5", "rating '7.5'"),
    ],
)
def test_a_line_outside_the_grammar_is_refused(tmp_path, old, new, says):
    write(tmp_path, LINE.replace(old, new))
    with pytest.raises(DataError, match=f"^msp_podcast: labels_consensus.csv, line 2: {says}"):
        parse(tmp_path)
