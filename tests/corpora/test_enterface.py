"""eNTERFACE'05: grammar and known traps."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from ser.corpora.base import prepare
from ser.corpora.enterface import CORPUS, EMOTIONS, parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch


def names(suffix: str):
    """Yield every path of the release: subject 11 has the names of 12, 3 and 16 have others, 6 has long files."""
    for subject, emotion in product(range(1, 45), EMOTIONS):
        if subject == 6:
            yield f"subject 6/{emotion}/s6_{emotion[:2]}{suffix}"
            continue
        for sentence in range(1, 6):
            name = {11: "s12", 3: "s_3"}.get(subject, f"s{subject}") + f"_{emotion[:2]}_{sentence}"
            name = "s16_su_3avi" if name == "s16_su_3" else name
            if subject != 23 or emotion != "happiness" or sentence < 3:
                yield f"enterface database/subject {subject}/{emotion}/sentence {sentence}/{name}{suffix}"


def test_full_release_has_1287_utterances_of_43_people(tmp_path):
    parsed = parse(touch(tmp_path, names(".wav")))
    assert len(parsed.utterances) == 1287
    assert Counter(u.emotion for u in parsed.utterances) == CORPUS.counts
    assert len({u.speaker for u in parsed.utterances}) == CORPUS.n_speakers == 43
    assert set(parsed.dropped.values()) == {"several sentences in one file"} and len(parsed.dropped) == 6


def test_every_field_of_an_utterance_whose_name_is_that_of_another_subject(tmp_path):
    """The folder decides; the video beside it is not read."""
    place = "subject 11/fear/sentence 2"
    touch(tmp_path, [f"{place}/s12_fe_2.avi", f"{place}/s12_fe_2.wav"])
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="enterface-s11-fear_2",
            speaker="enterface-s11",
            wav=str(tmp_path / place / "s12_fe_2.wav"),
            emotion="fearful",
            emotion_native="fear",
            gender=None,
            language="en",
            text_id="fear_2",
        )
    ]


def test_a_video_without_audio_is_found_missing(tmp_path, capsys):
    touch(tmp_path, ["release/subject 1/anger/sentence 1/s1_an_1.avi"])
    with pytest.raises(DataError, match="^enterface: no usable utterances"):
        prepare(CORPUS, tmp_path / "release", tmp_path / "data")
    assert "unusable: subject 1/anger/sentence 1/s1_an_1.wav: " in capsys.readouterr().out


def test_a_file_outside_the_folders_is_refused(tmp_path):
    touch(tmp_path, ["resampled/s1_an_1.wav"])
    with pytest.raises(DataError, match="^resampled/s1_an_1.wav: is in no folder as 'subject 19/anger/sentence 4'"):
        parse(tmp_path)


def test_two_files_of_one_sentence_are_refused(tmp_path):
    touch(tmp_path, [f"subject 1/anger/sentence 1/{name}.wav" for name in ("s1_an_1", "s1_an_2")])
    with pytest.raises(DataError, match="s1_an_2.wav' and '.*s1_an_1.wav' are one sentence; keep one of them"):
        parse(tmp_path)
