"""Audio of any kind to predictions of a trained row: which files, which windows of them, features, batches, lines.

Every file gives exactly one line, every window of a long file its own; lines come in order, and as soon as they can.
Not here: how a model scores what it is given (`ser.inference.model`), and printing.
"""

from __future__ import annotations

import math
import multiprocessing
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ser.data.audio import begins_as_audio, walk
from ser.data.data_dir import AudioPart, read_audio_parts
from ser.data.maps import read_map
from ser.errors import ConfigError, DataError
from ser.features.config import FeatureConfig
from ser.system.devices import Device

if TYPE_CHECKING:
    import numpy as np

    from ser.inference.model import Chosen, Model

SUFFIXES = frozenset(
    [
        ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aiff", ".aif", ".aifc", ".au", ".snd",
        ".caf", ".w64", ".rf64", ".sph", ".voc", ".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mkv", ".mov",
        ".amr", ".3gp",
    ]
)  # fmt: skip
"""Files of folders that are taken for audio, those from `.m4a` on to be told that they cannot be read; others are
where they begin as audio does. A file that is named by itself may have any name."""

MAX_BATCH = 32
"""Utterances that are scored together. The first batch has one, and each is twice as large as the one before."""

AHEAD = 8
"""Utterances per worker that may be computed before their turn."""

CLIPPED_LEVEL, CLIPPED_RUN = 0.98, 4
"""Audio is called clipped where so many samples in a row stay at its peak, which is near full scale."""

LONELY = "is the only utterance of its speaker, and speaker statistics need two; give more audio of this speaker"

TOO_SHORT, IS_SILENT, IS_CLIPPED, FAR = "too_short", "silent", "clipped", "far_from_training_data"
IS_BEYOND, CHANNELS_DIFFER = "beyond_full_scale", "channels_differ"
"""Words of `warnings`."""

POSITIVE = {"arousal": "high", "valence": "positive"}
"""Task -> the class whose probability tells of the attribute."""


# ---- 1. What is to be predicted --------------------------------------------------------------------------------


class Item(NamedTuple):
    """One utterance, window or file that is to get a line.

    Attributes:
        utt: its id, or its path where nobody named it.
        path: of the file.
        start, end: seconds; None for a whole file.
        error: why there is nothing to predict.
        channels: those that are averaged, as `utt2channel` has them; None for all that are live.
    """

    utt: str
    path: str
    start: float | None = None
    end: float | None = None
    error: str | None = None
    channels: str | None = None


@dataclass(frozen=True)
class Windows:
    """How long audio is cut.

    Attributes:
        longer_than_s: audio up to this stays whole.
        window_s, hop_s: length of a window, and from one to the next; the last one ends with the audio.
    """

    longer_than_s: float
    window_s: float
    hop_s: float

    def of(self, start: float, end: float) -> list[tuple[float, float]]:
        """Cut audio from `start` to `end`, in seconds.

        Example:
            >>> Windows(10, 10, 5).of(0, 22)
            [(0, 10), (5, 15), (10, 20), (12, 22)]
        """
        if end - start <= max(self.longer_than_s, self.window_s) + 1e-6:  # less than a sample
            return [(start, end)]
        n = math.ceil((end - start - self.window_s) / self.hop_s - 1e-6)
        starts = [start + number * self.hop_s for number in range(n)]
        return [(s, s + self.window_s) for s in starts] + [(end - self.window_s, end)]


def windows_of(seconds: Mapping[str, float], window: float | None = None, hop: float | None = None) -> Windows:
    """Choose how long audio is cut: by default what the recipe has nothing as long as, into what is long in training.

    Args:
        seconds: of the recipe's audio, as a model folder has them.
        window, hop: in seconds; None for the default, half a window for the hop.

    Raises:
        ConfigError: for lengths that do not cover the audio.
    """
    longer = seconds["longest"] if window is None else window
    window = seconds["typical_longest"] if window is None else window
    hop = window / 2 if hop is None else hop
    if window <= 0 or not 0 < hop <= window:
        raise ConfigError(
            f"--window {window:g} --hop {hop:g}: both must be above 0, and the hop must not exceed the window"
        )
    return Windows(longer, window, hop)


def named_audio(paths: Sequence[Path], wav_scp: Path | None = None) -> Iterator[tuple[str, AudioPart]]:
    """List audio: files, folders with all below them, data directories, and the lines of a `wav.scp`.

    A folder that holds a `wav.scp` is a data directory: its ids and segments count.

    Raises:
        ConfigError: for a folder without audio.
    """
    for path in paths:
        if (path / "wav.scp").is_file():
            yield from read_audio_parts(path).items()
        elif path.is_dir():
            files = [file for file in walk(path) if file.suffix.lower() in SUFFIXES or begins_as_audio(file)]
            if not files:
                raise ConfigError(f"{path}: no audio in this folder; looked for {' '.join(sorted(SUFFIXES))}")
            yield from ((str(file), AudioPart(str(file))) for file in files)
        else:  # one that is not there gets its line, too
            yield str(path), AudioPart(str(path))
    if wav_scp is not None:
        wavs = {utt: wav.removesuffix("\r") for utt, wav in read_map(wav_scp).items()}
        if not wavs:
            raise ConfigError(f"{wav_scp}: holds no line; expected lines of an id and a path")
        yield from ((utt, AudioPart(wav)) for utt, wav in wavs.items())


def items_of(utt: str, part: AudioPart, windows: Windows) -> list[Item]:
    """Check a file and cut it into windows; a file that cannot be used is one item with the reason."""
    from ser.data.audio import probe

    try:
        duration = probe(part.path).duration
    except DataError as error:
        return [Item(utt, part.path, part.start, part.end, str(error))]
    start, end = part.start or 0.0, duration if part.end is None else min(part.end, duration)
    if start >= end:
        reason = f"segment from {start:g} s to {part.end:g} s of a file of {duration:g} s"
        return [Item(utt, part.path, part.start, part.end, reason)]
    parts = windows.of(start, end)
    if len(parts) == 1:  # as stage 3 would read it
        return [Item(utt, part.path, part.start, part.end, channels=part.channels)]
    return [Item(utt, part.path, s, e, channels=part.channels) for s, e in parts]


# ---- 2. Features, in this process or in several ----------------------------------------------------------------


class Heard(NamedTuple):
    """What was found in the audio of an item.

    Attributes:
        item: of which.
        feature: for the model; None where the model reads audio itself, or there is an error.
        start, end: seconds, both known.
        warnings: about the audio alone.
        error: why there is no prediction.
    """

    item: Item
    feature: np.ndarray | None
    start: float
    end: float
    warnings: tuple[str, ...]
    error: str | None


def hear(config: FeatureConfig | None, device: Device, shortest_s: float, item: Item) -> Heard:
    """Decode audio, look whether anything is wrong with it, and compute its feature, if there is one to compute."""
    import numpy as np

    from ser.data.listen import samples_of
    from ser.features.compute import feature_of

    nothing = Heard(item, None, item.start or 0.0, item.end or 0.0, (), item.error)
    if item.error is not None:
        return nothing
    try:
        samples, rate_hz, levels = samples_of(item.path, item.start, item.end, item.channels)
    except DataError as error:
        return nothing._replace(error=str(error))
    start = item.start or 0.0
    duration = len(samples) / rate_hz
    words = list(audio_warnings(samples, duration, shortest_s))
    if levels.differ and item.channels is None:
        words.append(CHANNELS_DIFFER)
    heard = nothing._replace(end=start + duration, warnings=tuple(words))
    if config is None:
        return heard
    try:
        feature = feature_of(config, device, samples, rate_hz)
    except (DataError, RuntimeError, ValueError) as error:  # an upstream may raise anything for odd audio
        reason = (str(error).splitlines() or [""])[0]
        return heard._replace(error=f"no features ({type(error).__name__}: {reason})")
    if not np.isfinite(feature).all():
        return heard._replace(error="no features (some are not finite)")
    segments = config.segment_settings
    return heard._replace(feature=feature if segments is None else feature.reshape(-1, *segments.shape))


def audio_warnings(samples: np.ndarray, duration: float, shortest_s: float) -> Iterator[str]:
    """Tell what is wrong with audio: too short, silent, clipped, or not scaled to [-1, 1].

    Args:
        samples: (T,), T >= 1, in [-1, 1].
        duration: in seconds.
        shortest_s: of what the model was trained on.
    """
    if duration < shortest_s - 1e-3:
        yield TOO_SHORT
    import numpy as np

    from ser.data.listen import FULL_SCALE, SILENT

    level = np.abs(samples)
    peak = float(level.max())
    if float(np.abs(samples - samples.mean(dtype=np.float64)).max()) < SILENT:
        yield IS_SILENT
    if peak > FULL_SCALE:
        yield IS_BEYOND
    elif peak >= CLIPPED_LEVEL and len(level) >= CLIPPED_RUN:
        at_peak = level >= peak * 0.9999
        if np.lib.stride_tricks.sliding_window_view(at_peak, CLIPPED_RUN).all(1).any():
            yield IS_CLIPPED


def heard_in_order(
    items: Iterable[Item], config: FeatureConfig | None, device: Device, shortest_s: float, nj: int
) -> Iterator[Heard]:
    """Hear items in their order, a few at most ahead of who asks; in `nj` processes if more than one."""
    function = partial(hear, config, device, shortest_s)
    if nj == 1:
        yield from map(function, items)
        return
    from ser.features.compute import end_with_parent

    waiting: deque[Future[Heard]] = deque()
    with ProcessPoolExecutor(nj, multiprocessing.get_context("spawn"), initializer=end_with_parent) as pool:
        try:
            for item in items:
                if len(waiting) == AHEAD * nj:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(function, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


# ---- 3. Lines --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Predictor:
    """A model and how it is asked.

    Attributes:
        model: read from its folder.
        chosen: which of its models; the mean of their probabilities is told.
        corpus: as whose audio new audio is taken, see `Model.corpus`.
        device: where it computes.
        scores: whether lines have the mean of the raw scores, too.
        together: whether all audio is scored at once, as stage 5 does, after all of it was heard. Else the last
            digits may differ by rounding, as those of a matrix product do with the number of its rows.
        least: probability below which there is no label.
    """

    model: Model
    chosen: Chosen
    corpus: str | None
    device: Device
    scores: bool = False
    together: bool = False
    least: float = 0.0

    def lines(
        self,
        audio: Iterable[tuple[str, AudioPart]],
        windows: Windows,
        speaker_of: Mapping[str, str] | None = None,
        nj: int = 1,
    ) -> Iterator[dict[str, Any]]:
        """Predict audio, one line for each file or window, in order.

        Args:
            audio: of `named_audio`.
            windows: how long audio is cut.
            speaker_of: utterance -> speaker, for rows that use statistics of speakers: nothing of theirs is told
                before all audio is heard. None takes all for one speaker.
            nj: processes that compute features.
        """
        about = self.model.about
        config = None if about["finetunes"] else self.model.feature
        items = (item for utt, part in audio for item in items_of(utt, part, windows))
        heard = heard_in_order(items, config, self.device, about["seconds"]["shortest"], nj)
        for batch in [list(heard)] if self.together or self.model.of_speakers else _growing(heard):
            yield from self._lines_of(batch, speaker_of)

    def _lines_of(self, batch: Sequence[Heard], speaker_of: Mapping[str, str] | None) -> list[dict[str, Any]]:
        """Predict what could be heard of a batch, and lay out all of it."""
        batch = self._without_lonely(batch, speaker_of)
        usable = [heard for heard in batch if heard.error is None]
        predicted = iter(self._predict(usable, speaker_of) if usable else [])
        lines = []
        for heard in batch:
            place = {"utt": heard.item.utt, "path": heard.item.path}
            if heard.error is not None:
                lines.append({**place, "error": heard.error})
                continue
            told, is_far = next(predicted)
            warnings = [*heard.warnings, *([FAR] if is_far else [])]
            times = {"start": round(heard.start, 3), "end": round(heard.end, 3)}
            lines.append({**place, **times, **told, "warnings": warnings})
        return lines

    def _without_lonely(self, batch: Sequence[Heard], speaker_of: Mapping[str, str] | None) -> Sequence[Heard]:
        """Refuse vectors of speakers who have one alone: standardized by their own statistics they are all 0."""
        if not self.model.of_speakers or self.model.about["finetunes"] or self.model.feature.is_sequence:
            return batch
        names = ["" if speaker_of is None else speaker_of[heard.item.utt] for heard in batch]
        n_of = Counter(name for name, heard in zip(names, batch, strict=True) if heard.error is None)
        return [
            heard._replace(error=LONELY) if heard.error is None and n_of[name] == 1 else heard
            for name, heard in zip(names, batch, strict=True)
        ]

    def _predict(
        self, usable: Sequence[Heard], speaker_of: Mapping[str, str] | None
    ) -> list[tuple[dict[str, Any], bool]]:
        """Score utterances: what a line tells of each, and whether it is far from the training data."""

        from ser.inference.model import NewUtterance
        from ser.metrics.calibration import logits_of, probabilities

        new = []
        for heard in usable:
            item = heard.item
            part = AudioPart(item.path, item.start, item.end, channels=item.channels)
            feature = part if heard.feature is None else heard.feature
            new.append(NewUtterance("" if speaker_of is None else speaker_of[heard.item.utt], feature))
        model, classes = self.model, self.model.classes
        data = model.run_data(new, self.corpus, self.chosen)
        predictions = self.chosen.of(model.method.predict(model.config, data, model.state, self.device))
        temperature = model.temperature(self.chosen.k)
        p = sum(
            probabilities(logits_of(one.scores, one.are_posteriors), temperature or 1.0) for one in predictions
        ) / len(predictions)  # (n, C)
        ratings: dict[str, list[np.ndarray]] = {}
        for one in predictions:
            for name, values in model.rating(one).items():
                ratings.setdefault(name, []).append(values)
        scores = sum(one.scores.astype(float) for one in predictions) / len(predictions)
        far = model.distances(data)
        lines = []
        for i in range(len(usable)):
            told = {
                "label": classes[int(p[i].argmax())] if p[i].max() >= self.least else None,
                "probabilities": {name: round(float(x), 6) for name, x in zip(classes, p[i], strict=True)},
                "calibrated_on": model.about["calibration"]["corpora"] if temperature is not None else [],
            }
            if self.scores:
                told["scores"] = {name: float(f"{float(x):.6g}") for name, x in zip(classes, scores[i], strict=True)}
            task = model.about["task"].split("_")[0]
            if POSITIVE.get(task) in classes:
                told[task] = told["probabilities"][POSITIVE[task]]
            for name, values in ratings.items():
                of_models = [value[i] for value in values if not math.isnan(value[i])]
                value = math.fsum(of_models) / len(of_models) if of_models else math.nan
                told[name] = None if math.isnan(value) else round(value, 3)
            told["distance"] = round(float(far[i]), 3)
            lines.append((told, bool(far[i] > 1)))
        return lines


def _growing(heard: Iterable[Heard]) -> Iterator[list[Heard]]:
    """Part a stream into batches of 1, 2, 4, ... so that the first line does not wait for others."""
    batch: list[Heard] = []
    size = 1
    for one in heard:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch, size = [], min(2 * size, MAX_BATCH)
    if batch:
        yield batch
