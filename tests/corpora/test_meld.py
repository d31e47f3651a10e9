"""MELD: tables, audio beside the videos, and known traps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ser.corpora.base import prepare
from ser.corpora.meld import CORPUS, parse
from ser.data.data_dir import read_data_dir
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch, write_wav

HEAD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
DISTRIBUTION = {
    "anger": (1109, 153, 345), "disgust": (271, 22, 68), "fear": (268, 40, 50), "joy": (1743, 163, 402),
    "neutral": (4710, 470, 1256), "sadness": (683, 111, 208), "surprise": (1205, 150, 281),
}  # fmt: skip
"""The authors' table: utterances of train, dev and test."""


def line(who: str, emotion: str, dialogue: int, turn: int) -> str:
    return f'1,"Oh, ""no"".\n",{who},{emotion},negative,{dialogue},{turn},8,21,"00:16:16,059","00:16:21,731"\n'


def write_tables(root: Path, **lines: list[str]) -> Path:
    """Write the three tables, and the folders of audio."""
    for part, folder in FOLDERS.items():
        (root / folder).mkdir(parents=True)
        (root / f"{part}_sent_emo.csv").write_text(HEAD + "".join(lines.get(part, [])))
    return root


def test_full_release_gives_what_the_authors_count_without_two_that_have_no_audio(tmp_path):
    lines = {}
    for i, part in enumerate(FOLDERS):
        neutral_first = sorted(DISTRIBUTION, key=lambda e: e != "neutral")
        emotions = [e for e in neutral_first for _ in range(DISTRIBUTION[e][i])]
        lines[part] = [line("Joey", e, n // 12, n % 12) for n, e in enumerate(emotions)]  # dialogue 125 is neutral
    parsed = parse(write_tables(tmp_path, **lines | {"dev": [line("Joey", "neutral", 110, 7), *lines["dev"][1:]]}))
    assert Counter(u.emotion for u in parsed.utterances) == CORPUS.counts
    assert len({u.utt_id for u in parsed.utterances}) == 13706
    assert sorted(parsed.dropped) == ["dev_splits_complete/dia110_utt7.mp4", "train_splits/dia125_utt3.mp4"]


def test_minor_characters_have_no_gender_and_do_not_take_it_from_others(tmp_path):
    root = write_tables(tmp_path / "MELD", train=[line("Ross", "joy", 0, 0), line("Waiter", "fear", 0, 1)])
    for turn in (0, 1):
        write_wav(root / f"train_splits/dia0_utt{turn}.wav", turn)
    prepare(CORPUS, root, tmp_path / "data", allow_partial=True)
    assert (tmp_path / "data/spk2gender").read_text() == "meld-Ross m\n"
    assert [(u.speaker, u.gender, u.part) for u in read_data_dir(tmp_path / "data")] == [
        ("meld-Ross", "m", "train"),
        ("meld-Waiter", None, "train"),
    ]


def test_one_name_in_three_parts_is_three_utterances_and_every_field(tmp_path):
    same = [line(" Mr. Geller ", "joy", 0, 3)]
    root = write_tables(tmp_path / "MELD.Raw", train=same, dev=same, test=[line("Rachel", "fear", 0, 3)])
    touch(
        root,
        ["output_repeated_splits_test/dia0_utt3.flac", "output_repeated_splits_test/final_videos_testdia0_utt3.wav"],
    )
    train, dev, test = parse(tmp_path).utterances
    assert train == Utterance(
        utt_id="meld-Mr.%20Geller-train_dia0_utt3",
        speaker="meld-Mr.%20Geller",
        wav=str(root / "train_splits/dia0_utt3.wav"),
        emotion="happy",
        emotion_native="joy",
        gender=None,
        language="en",
        part="train",
    )
    assert (dev.utt_id, dev.wav) == (
        "meld-Mr.%20Geller-dev_dia0_utt3",
        str(root / "dev_splits_complete/dia0_utt3.wav"),
    )
    assert (test.gender, test.wav) == ("f", str(root / "output_repeated_splits_test/dia0_utt3.flac"))


def test_audio_that_was_not_converted_is_named(tmp_path, capsys):
    root = write_tables(tmp_path / "MELD", train=[line("Ross", "joy", 0, 0), line("Ross", "joy", 0, 1)])
    write_wav(root / "train_splits/dia0_utt0.wav")
    touch(root, ["train_splits/dia0_utt1.mp4"])
    with pytest.raises(DataError, match="meld: 1 unusable files"):
        prepare(CORPUS, root, tmp_path / "data")
    assert (
        "unusable: train_splits/dia0_utt1.wav: cannot be read (No such file or directory)" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (line("Ross", "happy", 0, 0), "Emotion unknown 'happy'"),
        (line("", "joy", 0, 0), "expected a Speaker and two numbers"),
        (line("Ross", "joy", "x", 0), "expected a Speaker and two numbers"),
    ],
)
def test_a_line_outside_the_grammar_is_refused(tmp_path, wrong, message):
    root = write_tables(tmp_path, test=[wrong])
    with pytest.raises(DataError, match=f"^meld: test_sent_emo.csv, line 2 or later: .*{message}"):
        parse(root)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataError, match="holds no 'train_sent_emo.csv'; restore it from the release"):
        parse(tmp_path)
