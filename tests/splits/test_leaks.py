"""Leaks that are put into a corpus on purpose, and what stages 1 and 2 say: each is refused or flagged."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from ser.corpora.table import prepare_table
from ser.errors import SerError
from ser.splits.lists import Splits
from ser.splits.make import make_splits
from tests.fakes.odd_audio import RATE, encoded, save, speech, wav

SPEAKERS, EMOTIONS = ("Ann", "Bob", "Cem", "Dee", "Eva", "Fil"), ("happy", "sad")
COLUMNS = ("path", "speaker", "emotion", "session", "text_id", "start", "end")
Rows = list[dict[str, str]]

STAGE_1, COPY, ONCE_MORE = "two spellings of one name", "a copy of a recording in both", "once more, there lab-Ann"


def int16(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 32767).astype(np.int16)


class Corpora:
    """Two corpora of three pairs of speakers; each says two sentences, each in two ways."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rows: dict[str, Rows] = {}
        for number, name in enumerate(("lab", "own")):
            rng = np.random.default_rng(number)
            self.rows[name] = []
            for i, speaker in enumerate(SPEAKERS):
                for j, emotion in enumerate(EMOTIONS):
                    noise = np.repeat(rng.uniform(0.2, 1, 40), RATE // 40)[:RATE]
                    sound = np.convolve(rng.normal(0, 0.05, RATE), rng.normal(size=9))[:RATE] * noise
                    save(folder / name / f"{speaker}{j}.wav", wav(sound))
                    values = (f"{speaker}{j}.wav", speaker, emotion, f"s{i}", f"{speaker}'s {j}", "", "")
                    self.rows[name].append(dict(zip(COLUMNS, values, strict=True)))

    def row(self, speaker: str, j: int = 0, corpus: str = "lab") -> dict[str, str]:
        return self.rows[corpus][SPEAKERS.index(speaker) * 2 + j]

    def rename(self, speaker: str, as_other: str) -> None:
        """Give the first utterance of two speakers two spellings."""
        self.row("Ann")["speaker"], self.row("Bob")["speaker"] = speaker, as_other

    def make(self) -> str:
        """Run stages 1 and 2; give the error, or all flags."""
        conf = self.folder / "conf"
        (conf / "labels").mkdir(parents=True, exist_ok=True)
        own = {"map": {e: [e] for e in EMOTIONS}, "expected": {e: 6 for e in EMOTIONS}}
        labels = {"classes": list(EMOTIONS), "corpora": {"lab": own, "own": own}}
        (conf / "labels" / "two.yaml").write_text(yaml.safe_dump(labels))
        folds = {"rule": "consecutive_speakers", "size": 2}
        protocol = {
            "title": "t", "features": ["shortcut"], "protocol": "multi_corpus", "corpora": ["lab", "own"],
            "tasks": {"two": "two"}, "dev_speakers": 0.3, "seed": 1, "folds": {"lab": folds, "own": folds},
            "held_out": {"lab": 1, "own": 1},
        }  # fmt: skip
        (conf / "recipe.yaml").write_text(yaml.safe_dump(protocol))
        try:
            for name, rows in self.rows.items():
                with open(self.folder / name / "t.csv", "w", encoding="utf-8", newline="") as file:
                    writer = csv.DictWriter(file, COLUMNS)
                    writer.writeheader()
                    writer.writerows(rows)
                prepare_table(self.folder / name / "t.csv", self.folder / "data" / name)
            make_splits(conf / "recipe.yaml", self.folder / "data", self.folder / "splits")
        except SerError as error:
            return str(error)
        return "\n".join(Splits.open(self.folder / "splits" / "two").about["stamps"])


def spelled(one: str, other: str) -> Callable[[Corpora], None]:
    return lambda corpora: corpora.rename(one, other)


def sessions(one: str, other: str) -> Callable[[Corpora], None]:
    def leak(corpora: Corpora) -> None:
        corpora.row("Ann")["session"] = corpora.row("Ann", 1)["session"] = one
        corpora.row("Cem")["session"] = corpora.row("Cem", 1)["session"] = other

    return leak


def copied(store: Callable[[np.ndarray], bytes], corpus: str = "lab") -> Callable[[Corpora], None]:
    """Let Cem's recording be Ann's, as `store` writes it."""

    def leak(corpora: Corpora) -> None:
        samples = int16(speech(1.2, seed=7)) / 32768
        save(corpora.folder / "lab" / "Ann0.wav", encoded(int16(samples), "WAV", subtype="PCM_16"))
        save(corpora.folder / corpus / "Cem0.wav", store(samples))

    return leak


def resampled(rate_hz: int) -> Callable[[np.ndarray], bytes]:
    def store(samples: np.ndarray) -> bytes:
        from ser.data.audio import resampled

        return wav(resampled(samples.astype(np.float32), RATE, rate_hz), rate_hz=rate_hz)

    return store


def parts(one: tuple[str, str], other: tuple[str, str]) -> Callable[[Corpora], None]:
    """Let Ann and Cem be parts of one file."""

    def leak(corpora: Corpora) -> None:
        save(corpora.folder / "lab" / "long.wav", wav(speech(4.0, seed=3)))
        for speaker, (start, end) in (("Ann", one), ("Cem", other)):
            corpora.row(speaker).update(path="long.wav", start=start, end=end)

    return leak


def texts(text_of: Callable[[dict[str, str]], str]) -> Callable[[Corpora], None]:
    def leak(corpora: Corpora) -> None:
        for row in corpora.rows["lab"]:
            row["text_id"] = text_of(row)

    return leak


NOISE = np.random.default_rng(5).normal(size=10**5)
SILENCE = np.zeros(RATE // 2)

LEAKS: dict[str, tuple[Callable[[Corpora], None], str]] = {
    "speaker: NFC and NFD": (spelled("Jos\u00e9", "Jose\u0301"), ""),
    "speaker: case": (spelled("Anna", "anna"), STAGE_1),
    "speaker: 1 and 1.0": (spelled("1", "1.0"), STAGE_1),
    "speaker: no-break space": (spelled("Anna", "Anna\u00a0"), ""),
    "speaker: zero-width space": (spelled("Anna", "Anna\u200b"), ""),
    "speaker: sharp s": (spelled("Strau\u00df", "STRAUSS"), STAGE_1),
    "session: 01 and 1": (sessions("01", "1"), STAGE_1),
    "session: case": (sessions("Mon", "mon"), STAGE_1),
    "session: no-break space": (sessions("Mon", "Mon\u00a0"), "recording session in both"),
    "session: NFC and NFD": (sessions("\u00e9", "e\u0301"), "recording session in both"),
    "exact: same bytes": (copied(lambda x: encoded(int16(x), "WAV", subtype="PCM_16")), ONCE_MORE),
    "exact: FLAC": (copied(lambda x: encoded(int16(x), "FLAC")), COPY),
    "exact: 24 bit": (copied(lambda x: encoded(int16(x), "WAV", subtype="PCM_24")), COPY),
    "exact: float": (copied(lambda x: encoded(x, "WAV", subtype="FLOAT")), COPY),
    "exact: stereo": (copied(lambda x: encoded(np.stack([int16(x)] * 2, 1), "WAV", subtype="PCM_16")), COPY),
    "exact: extensible": (copied(lambda x: encoded(int16(x), "WAVEX", subtype="PCM_16")), COPY),
    "exact: FLAC, another corpus": (copied(lambda x: encoded(int16(x), "FLAC"), "own"), COPY),
    "altered: gain": (copied(lambda x: wav(0.2 * x)), COPY),
    "altered: polarity": (copied(lambda x: wav(-x)), COPY),
    "altered: offset": (copied(lambda x: wav(0.5 * x + 0.1)), COPY),
    "altered: 8 kHz": (copied(resampled(8000)), COPY),
    "altered: 44.1 kHz": (copied(resampled(44_100)), COPY),
    "altered: MP3": (copied(lambda x: encoded(x, "MP3")), COPY),
    "altered: Vorbis": (copied(lambda x: encoded(x, "OGG")), COPY),
    "altered: padded": (copied(lambda x: wav(np.concatenate([SILENCE, x, SILENCE]))), COPY),
    "altered: noise at 25 dB": (copied(lambda x: wav(x + 10**-1.25 * x.std() * NOISE[: len(x)])), COPY),
    "altered: MP3, another corpus": (copied(lambda x: encoded(x, "MP3"), "own"), COPY),
    "overlap: two parts": (parts(("0", "2"), ("0.5", "2.5")), ONCE_MORE),
    "overlap: a part of a part": (parts(("0", "3"), ("1", "2")), ONCE_MORE),
    "text: shared sentences": (texts(lambda row: row["path"][-5]), "TEXT-SHARED"),
    "text: written for one emotion": (texts(lambda row: f"for {row['emotion']}"), "TEXT TELLS CLASS: in lab"),
}
"""What is put in -> how, and what has to be said; nothing where the two become one speaker, who stays on one side."""


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_refused_or_flagged(tmp_path, name):
    corpora = Corpora(tmp_path)
    leak, expected = LEAKS[name]
    leak(corpora)
    said = corpora.make()
    if name in ("speaker: NFC and NFD", "speaker: no-break space", "speaker: zero-width space"):
        speakers = {utt.split("-")[1] for utt in (tmp_path / "data/lab/utt2spk").read_text().splitlines()}
        assert len(speakers) == 7  # one new name: the two are one person, and folds of two no longer come out
        assert "7 speakers do not part into folds of 2" in said
    else:
        assert expected in said


def test_corpora_without_a_leak_pass(tmp_path):
    assert Corpora(tmp_path).make() == ""


def test_a_tampered_list_is_noticed(tmp_path):
    corpora = Corpora(tmp_path)
    corpora.make()
    folder = tmp_path / "splits" / "two" / "canonical"
    before = (folder / "train.lst").read_text()
    (folder / "train.lst").write_text(before + (folder / "test.ref").read_text())
    with pytest.raises(SerError, match=r"train\.lst is not what stage 2 wrote"):
        Splits.open(tmp_path / "splits" / "two").for_training()
    corpora.make()
    assert (folder / "train.lst").read_text() == before
