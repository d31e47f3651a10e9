"""Frames of utterances while they are trained on: kept in memory while there is room, else made anew for each use."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from torch import Tensor

from ser.data import audio
from ser.data.audio import RATE_HZ
from ser.data.data_dir import AudioPart
from ser.errors import DataError

if TYPE_CHECKING:
    from ser.features.encoders.transformer import TransformerEncoder
    from ser.features.frames import Frames

STORED_BYTES = 3 << 27
"""Stored frames that one process keeps in memory: a few hours of speech for most upstreams, less of spectrograms."""

COMPUTED_BYTES = 4 << 30
"""Front-end outputs that one process keeps in memory: those of about 7 hours of audio for a base model."""

Item = TypeVar("Item")


class KeptFrames:
    """Frames that stay in memory while there is room.

    Args:
        max_bytes: limit of the frames that are kept.
    """

    def __init__(self, max_bytes: int):
        self._room = max_bytes
        self._kept: dict[Hashable, Tensor] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """Give the frames of a key, made once or, without room, each time."""
        if key in self._kept:
            return self._kept[key]
        frames = make()
        if frames.nbytes <= self._room:
            self._room -= frames.nbytes
            self._kept[key] = frames
        return frames


class FrameStore:
    """Frames of utterances: kept in memory while there is room, and read anew for each use after that.

    Args:
        frames: of all utterances.
        max_bytes: limit of the frames that are kept.
    """

    def __init__(self, frames: Frames, max_bytes: int = STORED_BYTES):
        self.frames, self._kept = frames, KeptFrames(max_bytes)

    def length(self, utt: str) -> int:
        """Tell how many frames an utterance has, without reading them."""
        try:
            return self.frames.lengths[utt]
        except KeyError:
            raise _missing(utt) from None

    def of(self, utt: str) -> Tensor:
        """Give the frames of an utterance as they are stored.

        Raises:
            DataError: if it has none.
        """
        try:
            return self._kept.get(utt, lambda: self.frames[utt])
        except KeyError:
            raise _missing(utt) from None


def _missing(utt: str) -> DataError:
    return DataError(f"no frames of '{utt}'; run stages 2 and 3 again")


class FrontEndFrames:
    """Front-end outputs of utterances, in fp32: computed once while memory lasts, and anew for each use after that.

    Args:
        encoder: of which the frozen front end is used.
        parts: utterance -> where its audio is.
        max_bytes: limit of the frames that are kept.
    """

    def __init__(self, encoder: TransformerEncoder, parts: Mapping[str, AudioPart], max_bytes: int = COMPUTED_BYTES):
        self.encoder, self.parts, self._kept = encoder, parts, KeptFrames(max_bytes)
        self._seconds: dict[str, float] = {}

    def seconds(self, utt: str) -> float:
        """Read how long an utterance is.

        Raises:
            DataError: if its file cannot be read.
        """
        if utt not in self._seconds:
            part = self.parts[utt]
            try:
                duration = audio.probe(part.path).duration
            except DataError as error:
                raise DataError(f"{part.path}: {error}; restore the file and run stage 1 again") from None
            self._seconds[utt] = min(part.end or duration, duration) - (part.start or 0)
        return self._seconds[utt]

    def of(self, utt: str, max_seconds: float | None) -> Tensor:
        """Give the frames of an utterance, or of its beginning, (T', D) float32 on the CPU.

        Raises:
            DataError: if its audio cannot be decoded.
        """
        if max_seconds is not None and self.seconds(utt) <= max_seconds:
            max_seconds = None

        def make() -> Tensor:
            part = self.parts[utt]
            wav = audio.load(part.path, start=part.start, end=part.end, channels=part.channels)
            if max_seconds is not None:
                wav = wav[: round(max_seconds * RATE_HZ)]
            return self.encoder.front_end(wav).cpu()

        return self._kept.get((utt, max_seconds), make)


def prefetched(make: Callable[[int], Item], numbers: Iterable[int]) -> Iterator[Item]:
    """Make items in a thread, each while the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        made: Future[Item] | None = None
        for number in numbers:
            coming = pool.submit(make, number)
            if made is not None:
                yield made.result()
            made = coming
        if made is not None:
            yield made.result()
