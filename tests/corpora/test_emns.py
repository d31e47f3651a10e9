"""EMNS: the table and its traps."""

from __future__ import annotations

import pytest

from ser.corpora.emns import parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

HEAD = "id|gender|age|emotion|level|utterance|description|audio_recording|status\n"


def write(root, *lines):
    (root / "metadata.csv").write_text(HEAD + "".join(f"{line}\n" for line in lines))


def test_every_field_of_an_utterance(tmp_path):
    """The table has another folder and the ending of the video."""
    touch(tmp_path, ["cleaned_webm/recorded_audio_RF6.webm", "cleaned_webm/recorded_audio_RF6.wav"])
    write(tmp_path, "7|female|30|Sarcastic|8|Oh, great|dry|wavs/recorded_audio_RF6.webm|Complete")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="emns-1-recorded_audio_RF6",
            speaker="emns-1",
            wav=str(tmp_path / "cleaned_webm/recorded_audio_RF6.wav"),
            emotion="other",
            emotion_native="Sarcastic",
            gender="f",
            language="en",
        )
    ]


def test_a_line_without_a_recording_is_left_out_and_one_without_audio_is_not(tmp_path):
    write(
        tmp_path,
        "7|female|30|Happy|8|One|x|wavs/recorded_audio_A.webm|Complete",
        "8|female|30|Happy|8|Two|x||Needs Updating",
    )
    parsed = parse(tmp_path)
    assert [u.wav for u in parsed.utterances] == [str(tmp_path / "cleaned_webm/recorded_audio_A.wav")]
    assert parsed.dropped == {"metadata.csv: metadata.csv, line 3 or later": "no audio in the release"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("7|f|30|Joyful|8|x|x|wavs/a.webm|Complete", "emotion unknown 'Joyful'"),
        ("7|f|30|Happy|8|x|x|wavs/a.webm|Done", "status unknown 'Done'"),
        ("7|f|30|Happy|8|x|x||Complete", "recording ''"),
    ],
)
def test_a_line_outside_the_grammar_is_refused(tmp_path, line, says):
    write(tmp_path, line)
    with pytest.raises(DataError, match=f"^emns: metadata.csv, line 2 or later: .*{says}"):
        parse(tmp_path)


def test_without_the_table_there_are_no_labels(tmp_path):
    with pytest.raises(DataError, match="holds no 'metadata.csv'; restore it from the release"):
        parse(tmp_path)
