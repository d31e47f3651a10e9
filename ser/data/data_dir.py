"""Data directories: written whole, read back, known as ours, and held against what stage 1 wrote.

Not here: their files (`ser.data.maps`) and rules (`ser.data.validate`), archives of features (`ser.data.archives`).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ser.data.audio import AudioInfo, audio_hash
from ser.data.maps import NUMBERS, OWN_FILES, REQUIRED, SEGMENTS, UTT_FILES, read_map, write_map
from ser.data.validate import is_number, validate_data_dir
from ser.errors import DataError
from ser.system.files import changed_files, fingerprint, hash_files, read_json, write_json
from ser.system.folders import Kind, replacing_folder
from ser.types import EMOTIONS, Utterance

if TYPE_CHECKING:
    from ser.data.listen import Channel, Levels

BACKUP = ".backup"
"""Folder below a data directory with its files from before `fix_data_dir`; the next ones are `.backup.2`, ..."""

DATA_DIR = Kind(
    name="data directory",
    mark="corpus.json",
    is_ours=lambda info: "utt2spk" in info["files"],  # the record of `write_data_dir`
    holds=lambda info: [
        *OWN_FILES,
        *info.get("others", ()),
        *(f"{BACKUP}{number}/{name}" for number in ("", ".*") for name in (*OWN_FILES, *info.get("others", ()))),
    ],
)
"""What `write_data_dir` and the tools of Kaldi's names write; `others` in `corpus.json` are files of other tools that
went from one directory into another."""


def write_data_dir(
    path: Path, utterances: Iterable[Utterance], info: Mapping[str, Any], kind: Kind = DATA_DIR
) -> None:
    """Write a data directory whole or not at all.

    Args:
        path: `data/<corpus>`.
        utterances: at least one; a file is written for each field that any of them has.
        info: content of `corpus.json`, which also records the files as they are now.
        kind: of an older directory that may be replaced.

    Raises:
        DataError: for an id that stands twice, whatever `validate_data_dir` finds, or anything in the way.
    """
    utterances = sorted(utterances, key=lambda u: u.utt_id)
    _check_unique(path, utterances)
    with replacing_folder(path, kind) as part:
        for name, field in UTT_FILES.items():
            values = {u.utt_id: getattr(u, field) for u in utterances}
            present = {utt: value for utt, value in values.items() if value is not None}
            if present:
                write_map(part / name, present)
        spk2utt: dict[str, list[str]] = {}
        for utterance in utterances:
            spk2utt.setdefault(utterance.speaker, []).append(utterance.utt_id)
        write_map(part / "spk2utt", {spk: " ".join(utts) for spk, utts in spk2utt.items()})
        if gender := {u.speaker: u.gender for u in utterances if u.gender is not None}:
            write_map(part / "spk2gender", gender)
        if any(u.start is not None for u in utterances):
            write_map(part / SEGMENTS, {u.utt_id: _segment(u) for u in utterances})
        write_json(part / "corpus.json", {**info, "files": record(part)})
        if violations := validate_data_dir(part):
            raise DataError(f"{path}: {len(violations)} violations, first: {violations[0]}")


def made_from(path: Path) -> dict[str, Any] | None:
    """Read what a data directory was made from; None if there is none, or a damaged one."""
    try:
        return read_json(path / "corpus.json")["made_from"]
    except (OSError, KeyError, TypeError, DataError):
        return None


def prepared(corpus: str) -> Kind:
    """Describe the data directory that stage 1 writes of one corpus, and may replace."""
    return dataclasses.replace(
        DATA_DIR,
        name=f"data directory of {corpus}",
        # Notes are of `fix_data_dir`, which keeps what was changed by hand.
        is_ours=lambda info: (
            DATA_DIR.is_ours(info) and info["corpus"] == corpus and "made_from" in info and not info.get("notes")
        ),
    )


def record(path: Path) -> dict[str, str]:
    """Hash the files of a data directory, as `check_unchanged` wants them in `corpus.json` under `files`.

    `wav.scp` is not among them: audio may move, and is held against `utt2hash` when it is read.
    """
    names = (*UTT_FILES, SEGMENTS, "spk2utt", "spk2gender")
    return hash_files(path, [name for name in names if name != "wav.scp" and (path / name).exists()])


def check_unchanged(path: Path) -> None:
    """Refuse a data directory whose files are not those that stage 1 wrote: later stages may have used them.

    Raises:
        DataError: naming a file. Directories without a record, as those of other tools, pass.
    """
    info = read_json(path / "corpus.json") if (path / "corpus.json").exists() else {}
    if changed := changed_files(path, info.get("files", {})):
        raise DataError(
            f"{path / changed[0]} is not what stage 1 wrote; to undo the change, "
            f"delete {path} and run stage 1 again; "
            f"to keep it, call utils/fix_data_dir.sh {path}"
        )


def _segment(utterance: Utterance) -> str:
    """Print a line of `segments` without its key; an utterance without times is its whole file."""
    start = utterance.start or 0.0
    return f"{utterance.utt_id} {start:.6f} {start + (utterance.duration or 0):.6f}"


def _check_unique(path: Path, utterances: Sequence[Utterance]) -> None:
    """Refuse what maps would hide, because the last of two values stays: ids that stand twice."""
    first: dict[str, Utterance] = {}
    gender: dict[str, str] = {}
    for u in utterances:
        if (twin := first.setdefault(u.utt_id, u)) is not u:
            raise DataError(
                f"{path}: utterance id '{u.utt_id}' stands for both '{twin.wav}' and '{u.wav}'; keep one of them"
            )
        if (other := gender.setdefault(u.speaker, u.gender)) != u.gender:
            raise DataError(f"{path}: speaker '{u.speaker}' is both '{other}' and '{u.gender}'; give one gender")


def read_data_dir(path: Path) -> list[Utterance]:
    """Read a data directory that `write_data_dir` wrote, sorted by utterance id."""
    path = Path(path)
    columns = {
        field: read_map(path / name)
        for name, field in UTT_FILES.items()
        if name in REQUIRED or (path / name).exists()
    }
    gender = read_map(path / "spk2gender") if (path / "spk2gender").exists() else {}
    times = read_segments(path)
    return [
        Utterance(
            utt_id=utt,
            gender=gender.get(speaker),
            start=times.get(utt, (None, None))[0],
            end=times.get(utt, (None, None))[1],
            **{
                field: float(column[utt]) if field in NUMBERS else column[utt]
                for field, column in columns.items()
                if utt in column
            },
        )
        for utt, speaker in columns["speaker"].items()
    ]


def read_segments(path: Path) -> dict[str, tuple[float, float]]:
    """Read start and end in seconds of utterances that are parts of files; empty where they are whole files."""
    return {utt: (start, end) for utt, (_, start, end) in _segments(path).items()}


def _segments(path: Path) -> dict[str, tuple[str, float, float]]:
    """Read `segments` of ours and of Kaldi's: utterance -> recording, start and end in seconds.

    Raises:
        DataError: for a line that is none.
    """
    if not (path / SEGMENTS).exists():
        return {}
    found = {}
    for utt, value in read_map(path / SEGMENTS).items():
        cells = value.split()
        if len(cells) != 3 or not all(map(is_number, cells[1:])) or not 0 <= float(cells[1]) < float(cells[2]):
            raise DataError(
                f"{path / SEGMENTS}: found '{utt} {value}', expected 'utterance recording start end' with "
                "0 <= start < end in seconds"
            )
        found[utt] = (cells[0], float(cells[1]), float(cells[2]))
    return found


class AudioPart(NamedTuple):
    """Where an utterance's audio is: a file, and start and end in seconds where it is a part of the file."""

    path: str
    start: float | None = None
    end: float | None = None
    audio_hash: str | None = None
    channels: str | None = None

    def check(self) -> None:
        """Refuse audio that is not what stage 1 saw; the file is read, but not decoded.

        Raises:
            DataError: without the utterance.
        """
        if self.audio_hash is None:
            return
        try:
            found = audio_hash(self.path)
        except DataError as error:
            raise DataError(f"{self.path}: {error}; restore the file and run stage 1 again") from None
        if self.audio_hash not in (
            hash_of(found, channels=self.channels), hash_of(found, self.start, self.end, self.channels)
        ):  # fmt: skip
            raise DataError(f"{self.path}: is not the audio that stage 1 saw; restore the file or run stage 1 again")


def hash_of(file_hash: str, start: float | None = None, end: float | None = None, channels: str | None = None) -> str:
    """Hash what decides an utterance's samples: its file, its times, and the channels that are averaged."""
    if start is not None:
        file_hash = fingerprint([file_hash, start, end])
    return file_hash if channels is None else fingerprint([file_hash, "channels", channels])


def with_audio(utterance: Utterance, info: AudioInfo, channel: Channel) -> tuple[Utterance, Levels]:
    """Listen to an utterance, and fill in what is known from its audio.

    Args:
        utterance: as its release describes it.
        info: of its file.
        channel: what becomes of several channels.

    Raises:
        DataError: if it cannot be decoded, without its path.
    """
    from ser.data.listen import listen

    heard = listen(utterance.wav, utterance.start, utterance.end, channel)
    duration = info.duration if utterance.start is None else utterance.end - utterance.start
    filled = dataclasses.replace(
        utterance,
        duration=round(duration, 6),
        audio_hash=hash_of(info.audio_hash, utterance.start, utterance.end, heard.channels),
        channels=heard.channels,
        fingerprint=str(heard.fingerprint),
    )
    return filled, heard.levels


def notes_on_levels(levels: Mapping[str, Levels], channel: Channel) -> Iterator[str]:
    """Say what is odd about the audio of a corpus.

    Args:
        levels: path, as it is to be named -> levels.
        channel: what becomes of several channels.
    """
    beyond = [name for name, of in levels.items() if of.is_beyond]
    silent = [name for name, of in levels.items() if of.is_silent]
    differ = [name for name, of in levels.items() if of.differ]
    if beyond:
        peak = levels[beyond[0]].peak
        yield (f"warning: {_few(beyond)} beyond full scale (peak {peak:g}), where samples lie in [-1, 1]; a model "
               "hears shouting: scale them")  # fmt: skip
    if silent:
        yield f"warning: {_few(silent)} silent (below -60 dB of full scale)"
    if differ:
        done = {
            "average": "they are averaged, which dulls speech from two microphones; 'first' and 'loudest' take one"
        }
        yield (f"warning: {_few(differ)} with channels that differ; "
               f"{done.get(channel, f'channel {channel!r} is taken')}")  # fmt: skip


def _few(names: Sequence[str]) -> str:
    return f"{len(names)} file{'s' if len(names) > 1 else ''} (first: {names[0]})"


def read_audio_parts(path: Path) -> dict[str, AudioPart]:
    """Read where the audio of each utterance of a data directory is."""
    wavs, times = read_map(path / "wav.scp"), _segments(path)
    hashes, channels = (
        read_map(path / name) if (path / name).exists() else {} for name in ("utt2hash", "utt2channel")
    )
    parts = {}
    for utt in times or wavs:
        recording, *span = times.get(utt, (utt, None, None))
        if recording not in wavs and utt not in wavs:
            raise DataError(f"{path / SEGMENTS}: recording '{recording}' of '{utt}' is not in {path / 'wav.scp'}")
        wav = wavs[recording if recording in wavs else utt]
        parts[utt] = AudioPart(wav, *span, hashes.get(utt), channels.get(utt))
    return parts


def summary(utterances: Sequence[Utterance]) -> dict[str, Any]:
    """Count what a data directory holds, for `corpus.json`."""
    emotions = Counter(u.emotion for u in utterances)
    speakers = Counter(u.speaker for u in utterances)
    return {
        "n_utterances": len(utterances),
        "n_speakers": len(speakers),
        "hours": round(sum(u.duration or 0 for u in utterances) / 3600, 3),
        "emotions": {e: emotions[e] for e in EMOTIONS if e in emotions},
        "utterances_per_speaker": dict(sorted(speakers.items())),
        "fields": sorted(
            f.name for f in dataclasses.fields(Utterance) if any(getattr(u, f.name) is not None for u in utterances)
        ),
    }
