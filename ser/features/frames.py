"""Frames of utterances out of the archives of a feature with `pooling: none`, one utterance at a time.

A corpus of frames is larger than memory: what is held is where each utterance lies; its numbers are read when asked
for. Not here: writing archives (`extract.py`), and batches and padding.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ser.data.archives import header
from ser.data.maps import read_map
from ser.errors import DataError
from ser.features.extract import NUM_FRAMES, archives, read_info

if TYPE_CHECKING:
    from torch import Tensor


class Frames(Mapping[str, "Tensor"]):
    """Utterance -> its frames, (T, *frame_shape) float32, T >= 1; a copy that the caller may change.

    Iteration and `in` read no frames, but `values()`, `items()` and `==` do, and `[]` reads no utterance but its own.
    It can be pickled: every process opens the archives by itself.

    Attributes:
        frame_shape: of one frame: (D,), or frames and bins of a spectrogram segment, as in (32, 129).
        lengths: utterance -> T, known without reading a frame.

    Raises:
        KeyError: for an utterance that no archive holds.
        DataError: for an archive that was changed after it was opened.
    """

    def __init__(self, arks: Sequence[Path], frame_shape: Sequence[int]):
        self.frame_shape = tuple(frame_shape)
        self.lengths: dict[str, int] = {}
        self._dim = math.prod(self.frame_shape)
        self._arks = tuple(arks)
        self._places: dict[str, tuple[int, int]] = {}  # which archive, and the byte where the matrix begins
        self._open: dict[int, BinaryIO] = {}

    @classmethod
    def of(cls, dump_dirs: Sequence[Path]) -> Frames:
        """Open the archives of one feature, one per corpus, as one mapping in their order.

        Raises:
            DataError: if stage 3 has not finished one, it holds no frames, is cut off, or does not fit to the others.
        """
        infos = [read_info(dump_dir) for dump_dir in dump_dirs]
        for dump_dir, info in zip(dump_dirs, infos, strict=True):
            if "frame_shape" not in info:
                raise DataError(
                    f"{dump_dir}: holds one vector per utterance, not frames; name a feature with 'pooling: none'"
                )
            if info["frame_shape"] != infos[0]["frame_shape"]:
                raise DataError(
                    f"{dump_dir}: frames of shape {info['frame_shape']}, but {infos[0]['frame_shape']} in "
                    f"{dump_dirs[0]}; read archives of one feature"
                )
        arks = [archives(dump_dir, info) for dump_dir, info in zip(dump_dirs, infos, strict=True)]
        frames = cls([ark for of_corpus in arks for ark in of_corpus], infos[0]["frame_shape"])
        for dump_dir in dump_dirs:
            frames._add(dump_dir)
        return frames

    def _add(self, dump_dir: Path) -> None:
        """Take up where the utterances of a corpus lie."""
        lengths = {utt: int(n) for utt, n in read_map(dump_dir / NUM_FRAMES).items()}
        if twice := self.lengths.keys() & lengths.keys():
            raise DataError(f"{dump_dir}: utterance '{min(twice)}' is also in another archive; ids are unique")
        ends: dict[int, int] = {}
        for utt, place in read_map(dump_dir / "feats.scp").items():
            ark, _, offset = place.rpartition(":")
            # of its path only the name is read: archives lie beside their index, also after the folder was moved
            try:
                number = self._arks.index(dump_dir / Path(ark).name)
                self.lengths[utt], self._places[utt] = lengths[utt], (number, int(offset))
            except (KeyError, ValueError):
                raise DataError(
                    f"{dump_dir / 'feats.scp'}: '{utt} {place}' is not what stage 3 wrote; delete {dump_dir} and run "
                    "stage 3 again"
                ) from None
            ends[number] = max(ends.get(number, 0), self._span(utt).stop)
        for number, end in ends.items():
            size = self._arks[number].stat().st_size
            if size != end:
                raise DataError(
                    f"{self._arks[number]}: {size} bytes, expected {end}; delete its folder and run stage 3"
                )

    def _header(self, utt: str) -> bytes:
        return header([self.lengths[utt], self._dim])

    def _span(self, utt: str) -> slice:
        """Tell which bytes of its archive are an utterance's header and numbers."""
        start = self._places[utt][1]
        return slice(start, start + len(self._header(utt)) + 4 * self.lengths[utt] * self._dim)

    def __getitem__(self, utt: str) -> Tensor:
        import torch  # not above: without frames nobody has to wait for it

        number, _ = self._places[utt]
        if number not in self._open:
            self._open[number] = open(self._arks[number], "rb", buffering=0)  # noqa: SIM115  open as long as this
        expected, span = self._header(utt), self._span(utt)
        # not mapped into memory, where all that was ever read would count as this process' own; any thread may read
        record = os.pread(self._open[number].fileno(), span.stop - span.start, span.start)
        if len(record) != span.stop - span.start or not record.startswith(expected):
            raise DataError(
                f"{self._arks[number]}: the frames of '{utt}' are not in their place; delete its folder and run "
                "stage 3"
            )
        # a copy, because they lie at any byte
        numbers = np.frombuffer(record, "<f4", offset=len(expected)).astype(np.float32)
        return torch.from_numpy(numbers).view(-1, *self.frame_shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __contains__(self, utt: object) -> bool:
        return utt in self.lengths

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}  # an open archive would be pickled with all that is in it
