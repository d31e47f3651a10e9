"""Computing a feature for many utterances: in processes of one thread, or in batches on a GPU."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING

from ser.data.audio import RATE_HZ, load_native, resampled
from ser.data.data_dir import AudioPart
from ser.errors import ConfigError, DataError, SerError
from ser.features.config import EGEMAPS, OWN, SHORTCUT, FeatureConfig
from ser.features.egemaps import egemaps
from ser.features.micro_batches import micro_batches
from ser.system.devices import Device, forbid_tf32, keep_freed_memory

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

AHEAD = 16
"""Utterances per worker that may wait for their turn to be written: frames of a corpus do not fit into memory."""

WINDOW = 128
"""Utterances of which batches for a GPU are made, like lengths together; three times as many are in memory."""

BATCH_SECONDS = 160
"""Audio of a batch for a GPU, with what the shorter ones are padded by."""

Part = tuple[str, AudioPart]
"""Utterance id, and where its audio is."""

Mapped = Callable[[FeatureConfig, Sequence[Part]], Iterator["np.ndarray"]]


def step_of(config: FeatureConfig, device: Device) -> int:
    """Tell how many utterances are computed together: only whole windows give the same digits again."""
    return WINDOW if device == "cuda" and config.is_network and config.segment_settings is None else 1


@contextlib.contextmanager
def workers(nj: int, device: Device, first: FeatureConfig | None = None) -> Iterator[Mapped]:
    """Give a function that maps a feature and utterances to arrays, in order.

    Args:
        nj: processes, with one thread each so that digits do not depend on their number; or threads that read audio
            for a GPU, which one process uses.
        device: of networks.
        first: the first network that is asked for, if any.
    """
    with contextlib.ExitStack() as stack:

        def entered(pool: Executor) -> Executor:
            stack.enter_context(pool)
            stack.callback(pool.shutdown, cancel_futures=True)
            return pool

        # Copies of this process share the first encoder with it; new ones take seconds to load PyTorch. Where a GPU
        # is used, and where system libraries cannot be copied (macOS), only new ones will do.
        copies = device == "cpu" and sys.platform == "linux"
        context = multiprocessing.get_context("fork" if copies else "spawn")
        processes = entered(ProcessPoolExecutor(nj, context, initializer=end_with_parent)) if nj > 1 else None
        if processes and copies:
            _preload(first)
            processes.submit(int).result()  # all are made now: later ones would hold the locks that this one takes
        readers = entered(ThreadPoolExecutor(nj)) if device == "cuda" else None

        def mapped(config: FeatureConfig, items: Sequence[Part]) -> Iterator[np.ndarray]:
            if step_of(config, device) > 1:
                return _in_batches(readers, config, device, items)
            function = partial(_compute, config, "cpu")
            return _in_order(processes, function, items, AHEAD * nj) if processes else map(function, items)

        yield mapped


def _preload(config: FeatureConfig | None) -> None:
    """Load an encoder for processes that are copied from this one.

    One that cannot be loaded is an error where they need it, which names the utterance.
    """
    parts = list(config.in_parts().values()) or [config] if config else []
    with contextlib.suppress(SerError):
        for part in (part for part in parts if part.is_network):
            _extractor(part, "cpu")


def _in_order(
    pool: Executor, function: Callable[[Part], np.ndarray], items: Sequence[Part], ahead: int
) -> Iterator[np.ndarray]:
    """Map as `pool.map` does, but hold `ahead` results at most, however slowly they are taken."""
    waiting: deque[tuple[Part, Future[np.ndarray]]] = deque()

    def next_one() -> np.ndarray:
        item, future = waiting.popleft()
        try:
            return future.result()
        except BrokenExecutor:
            raise DataError(
                f"{item[0]}: a worker process was killed at this utterance or one of the next {ahead}, as happens "
                "when memory is short; run again with a smaller --nj, which goes on from here"
            ) from None

    for item in items:
        if len(waiting) == ahead:
            yield next_one()
        try:
            waiting.append((item, pool.submit(function, item)))
        except BrokenExecutor:
            while waiting:
                yield next_one()
            raise
    while waiting:
        yield next_one()


def _in_batches(
    readers: Executor, config: FeatureConfig, device: Device, items: Sequence[Part]
) -> Iterator[np.ndarray]:
    """Map in batches of like length, while threads read what comes next."""
    audio = _in_order(readers, _read, items, 2 * WINDOW)
    for first in range(0, len(items), WINDOW):
        window = items[first : first + WINDOW]
        samples = list(islice(audio, len(window)))
        arrays: dict[int, np.ndarray] = {}
        for batch in micro_batches([len(s) / RATE_HZ for s in samples], BATCH_SECONDS):
            found = _together(_extractor(config, device), [(window[i][0], samples[i]) for i in batch])
            arrays |= dict(zip(batch, found, strict=True))
        for i, (utt, part) in enumerate(window):
            with _telling(utt):
                array = _finite(arrays[i], part)
            yield array


def _together(extractor: Extractor, batch: Sequence[tuple[str, np.ndarray]]) -> list[np.ndarray]:
    """Compute a batch of utterances' samples, or its halves if it does not fit into the GPU's memory."""
    import torch

    try:
        return extractor([torch.from_numpy(samples) for _, samples in batch])
    except RuntimeError as error:
        if not (isinstance(error, torch.cuda.OutOfMemoryError) or "ALLOC_FAILED" in str(error)):
            raise
        if len(batch) == 1:
            utt, seconds = batch[0][0], len(batch[0][1]) / RATE_HZ
            raise DataError(
                f"{utt}: {seconds:.0f} s do not fit into the GPU's memory; free some of it, or use --device cpu, "
                "which begins this archive again"
            ) from None
    half = len(batch) // 2
    return _together(extractor, batch[:half]) + _together(extractor, batch[half:])


def end_with_parent() -> None:
    """Watch the parent from a thread: if it were killed, its workers would wait for work for ever."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _telling(utt: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{utt}: {error}") from None


def _compute(config: FeatureConfig, device: Device, item: Part) -> np.ndarray:
    utt, part = item
    with _telling(utt):
        array = feature_of(config, device, *load_native(part.path, part.start, part.end, part.channels))
        part.check()
        return _finite(array, part)


def _read(item: Part) -> np.ndarray:
    utt, part = item
    with _telling(utt):
        samples = resampled(*load_native(part.path, part.start, part.end, part.channels))
        part.check()
        return samples


def _finite(array: np.ndarray, part: AudioPart) -> np.ndarray:
    import numpy as np

    if not np.isfinite(array).all():
        raise DataError(f"its features are not finite; listen to '{part.path}'")
    return array


def feature_of(config: FeatureConfig, device: Device, samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Compute the feature of one utterance.

    Args:
        config: of the feature.
        device: where an upstream computes.
        samples: in [-1, 1], (T,) float32.
        rate_hz: their rate, a file's own; openSMILE alone takes it, all else is resampled.

    Returns:
        float32: (D,), or (T', D) for a sequence, (L, D) for several layers; segments are flattened,
        (S, frames * bins), and so are layers that stand beside other features.
    """
    if parts := config.in_parts():
        import numpy as np

        return np.concatenate([feature_of(part, device, samples, rate_hz).ravel() for part in parts.values()])
    if config.upstream == OWN:
        raise ConfigError(f"upstream '{OWN}' is read from {config.path}, and not computed from audio")
    if config.upstream == EGEMAPS:
        return egemaps(samples, rate_hz)
    at_16_khz = resampled(samples, rate_hz)
    if config.upstream == SHORTCUT:
        from ser.features.shortcut import shortcut

        return shortcut(at_16_khz)
    import torch

    return _extractor(config, device)([torch.from_numpy(at_16_khz)])[0]


Extractor = Callable[["Sequence[Tensor]"], "list[np.ndarray]"]
"""From samples of utterances, (T,) each, to what `feature_of` gives for each."""


@lru_cache(maxsize=1)  # features come one after another, and the encoder of the last one would stay in memory
def _extractor(config: FeatureConfig, device: Device) -> Extractor:
    """Load an upstream, once per process; one thread each, so that digits do not depend on their number."""
    import torch

    from ser.features.spectrogram import spectrogram_segments

    if device == "cpu":
        torch.set_num_threads(1)
        keep_freed_memory()
    else:
        forbid_tf32()
    if config.segment_settings is not None:
        settings = config.segment_settings.model_dump()
        return lambda wavs: [spectrogram_segments(wav, **settings).flatten(1).numpy() for wav in wavs]
    from ser.features import encoders
    from ser.features.pool import in_half, pool, pool_layers

    upstream = encoders.load(
        config.encoder, config.ckpt_file(), config.hop_ms, torch.device(device), config.precision, config.up_to
    )

    def pooled(states: Tensor) -> Tensor:
        if config.layers is not None:
            found = pool_layers(states, config.layers)
            return found if config.storage == "fp32" else in_half(found)
        return pool(states, config.layer, config.pooling)

    return lambda wavs: [pooled(states).cpu().numpy() for states in upstream.together(wavs)]
