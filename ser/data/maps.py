"""Kaldi's maps (`utt2spk`, `wav.scp`, ...): a line per key. Which of them a data directory has, what each holds.

One table, `UTT_FILES`, says which file holds which field of an utterance; writing, reading and validating follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ser.errors import DataError
from ser.system.files import replacing

UTT_FILES = {
    "wav.scp": "wav",
    "utt2spk": "speaker",
    "utt2dur": "duration",
    "utt2emo": "emotion",
    "utt2emo_native": "emotion_native",
    "utt2lang": "language",
    "utt2hash": "audio_hash",
    "utt2session": "session",
    "utt2text_id": "text_id",
    "utt2aro": "arousal",
    "utt2val": "valence",
    "utt2dom": "dominance",
    "utt2emo_acted": "emotion_acted",
    "utt2emo_rated": "emotion_rated",
    "utt2votes": "votes",
    "utt2part": "part",
    "utt2channel": "channels",
    "utt2fingerprint": "fingerprint",
}
"""File of a data directory -> field of `Utterance`; utterance id is the key of each."""

SEGMENTS = "segments"
"""Kaldi's `utt recording start end`, where utterances are parts of files; the recording has the utterance's id."""

REQUIRED = ("wav.scp", "utt2spk", "spk2utt", "utt2dur", "utt2emo", "utt2emo_native", "utt2lang", "utt2hash")

PARTIAL = (
    "utt2text_id", "utt2aro", "utt2val", "utt2dom", "utt2votes", "utt2channel", "utt2fingerprint", "spk2gender",
)  # fmt: skip
"""Files that may lack ids: a rating, a text or a gender can be unknown where its turn is there."""

NUMBERS = {"duration", "arousal", "valence", "dominance"}

OWN_FILES = (*UTT_FILES, SEGMENTS, "spk2utt", "spk2gender", "corpus.json")

KALDI_UTT_FILES = ("text", "feats.scp", "vad.scp")
"""Files with one line per utterance that other tools add beside `utt2*`; they follow and decide nothing."""


def read_map(path: Path) -> dict[str, str]:
    """Read one `key value` line per key; the value may hold spaces.

    Raises:
        DataError: for a line without a value or a key that stands twice, with its file and line.
    """
    entries: dict[str, str] = {}
    for number, line in enumerate(_lines(path), start=1):
        key, _, value = line.partition(" ")
        if not key or not value:
            raise DataError(f"{path} line {number}: found '{line}', expected 'key value'")
        if key in entries:
            raise DataError(f"{path} line {number}: '{key}' stands twice; keys are unique")
        entries[key] = value
    return entries


def write_map(path: Path, entries: Mapping[str, object]) -> None:
    """Write one `key value` line per key, sorted as `LC_ALL=C sort` does (UTF-8 bytes).

    Raises:
        DataError: for a key with white space or a value with a line break, which no reader could undo.
    """
    for key, value in entries.items():
        if not key or key.split() != [key]:
            raise DataError(f"{path}: key '{key}' is empty or holds white space")
        if not str(value) or str(value).splitlines() != [str(value)]:
            raise DataError(f"{path}: the value of '{key}' is empty or holds a line break: {value!r}")
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{key} {entries[key]}\n" for key in sorted(entries))


def read_list(path: Path) -> list[str]:
    """Read a list of ids, the first word of each line."""
    return [line.split(" ", 1)[0] for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} is missing; run the stage that writes it") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}") from None
    return text.removesuffix("\n").split("\n") if text else []  # not splitlines: ids may hold U+2028


def invert(utt2spk: Mapping[str, str]) -> dict[str, str]:
    """Make the entries of `spk2utt` from those of `utt2spk`.

    Raises:
        ValueError: for a speaker that is not one word.

    Example:
        >>> invert({"c-b-1": "c-b", "c-a-2": "c-a", "c-a-1": "c-a"})
        {'c-a': 'c-a-1 c-a-2', 'c-b': 'c-b-1'}
    """
    speakers: dict[str, list[str]] = {}
    for utt in sorted(utt2spk):
        if utt2spk[utt].split() != [utt2spk[utt]]:
            raise ValueError(f"'{utt}' has the speaker '{utt2spk[utt]}', expected one word")
        speakers.setdefault(utt2spk[utt], []).append(utt)
    return {speaker: " ".join(speakers[speaker]) for speaker in sorted(speakers)}


def spk2utt_of(path: Path) -> dict[str, str]:
    """Read a file `utt2spk` and give the entries of its `spk2utt`.

    Raises:
        DataError: for a line that is not `utterance speaker`, or an utterance that stands twice.
    """
    try:
        return invert(read_map(path))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
