"""A data directory as manifests of lhotse, `recordings.jsonl.gz` and `supervisions.jsonl.gz`, without lhotse.

Each utterance has a recording of its own; what lhotse has no field for is in `custom`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ser.data.audio import probe
from ser.data.data_dir import check_unchanged, read_data_dir
from ser.errors import DataError
from ser.system.files import replacing
from ser.types import Utterance, parse_votes

GENDER = {"f": "Female", "m": "Male"}
CUSTOM = (
    "emotion", "emotion_native", "emotion_acted", "emotion_rated", "session", "text_id", "part", "arousal", "valence",
    "dominance",
)  # fmt: skip


def export_lhotse(data_dir: Path, dest: Path) -> int:
    """Write the two manifests of a data directory.

    Args:
        data_dir: of stage 1; its audio has to be there.
        dest: folder, made if need be.

    Returns:
        The number of utterances.

    Raises:
        DataError: for a data directory that was changed, or audio that is missing or damaged.
    """
    check_unchanged(data_dir)
    utterances = read_data_dir(data_dir)
    dest.mkdir(parents=True, exist_ok=True)
    recordings, supervisions = [], []
    for utterance in utterances:
        try:
            info = probe(utterance.wav)
        except DataError as error:
            raise DataError(f"{utterance.wav}: {error}; restore the file and run stage 1 again") from None
        channels = list(range(info.channels))
        recordings.append(
            {
                "id": utterance.utt_id,
                "sources": [{"type": "file", "channels": channels, "source": utterance.wav}],
                "sampling_rate": info.rate_hz,
                "num_samples": info.n_samples,
                "duration": info.duration,
                "channel_ids": channels,
            }
        )
        supervisions.append(_supervision(utterance, info.duration, channels))
    _write(dest / "recordings.jsonl.gz", recordings)
    _write(dest / "supervisions.jsonl.gz", supervisions)
    return len(utterances)


def _supervision(utterance: Utterance, seconds: float, channels: list[int]) -> dict[str, Any]:
    custom: dict[str, Any] = {name: value for name in CUSTOM if (value := getattr(utterance, name)) is not None}
    if utterance.votes:
        custom["votes"] = parse_votes(utterance.votes)
    start = utterance.start or 0.0
    found = {
        "id": utterance.utt_id,
        "recording_id": utterance.utt_id,
        "start": start,
        "duration": seconds if utterance.end is None else round(utterance.end - start, 6),
        "channel": channels[0] if len(channels) == 1 else channels,
        "speaker": utterance.speaker,
        "gender": GENDER.get(utterance.gender or ""),
        "language": utterance.language if utterance.language != "und" else None,
        "custom": custom,
    }
    return {name: value for name, value in found.items() if value is not None}


def _write(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines; the same entries give the same bytes."""
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    with replacing(path) as part:
        part.write_bytes(gzip.compress(text.encode(), mtime=0))
