"""What a method gets to see: features or audio, lists and classes of one recipe; the normalization of features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from ser.data.data_dir import AudioPart, read_audio_parts, read_map
from ser.errors import DataError
from ser.features.config import FeatureConfig
from ser.features.extract import read_features
from ser.features.frames import Frames
from ser.splits.lists import Split, Splits

if TYPE_CHECKING:
    from torch import Tensor

Normalization = Literal["none", "source", "corpus", "speaker"]
"""Whose mean and deviation are taken off: the labelled source's, each corpus' own (target: the unlabelled
training speakers), or each speaker's own (test speakers included, without labels)."""

NORMALIZATION_SEES: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "source": frozenset(),
    "corpus": frozenset({"unlabelled-train"}),
    "speaker": frozenset({"unlabelled-train", "unlabelled-test"}),
}
"""Target data that a normalization uses."""

MIN_DEVIATION = 1e-5
"""A dimension that varies less where its statistics are taken tells nothing there, and could be anything elsewhere:
units of BYOL-S that are silent in all of RAVDESS were a million deviations away in EMO-DB. Its deviation counts as
infinite, so that normalized it is 0 everywhere."""

RATING_FILES = {"activation": "utt2aro", "valence": "utt2val"}
"""Ratings by the name that Das 2022 gives them, and the files of a data directory."""


class Statistics(NamedTuple):
    """What is taken off features: mean and deviation, (2, D) each.

    Attributes:
        of_all: of the source; None where every group has its own.
        of_group: corpus or speaker -> its own.
    """

    of_all: np.ndarray | None
    of_group: Mapping[str, np.ndarray]


class Episode(NamedTuple):
    """One support set of one split."""

    split: int
    k: int
    draw: int


@dataclass(frozen=True)
class RunData:
    """Features and lists of a recipe: a vector or a sequence per utterance, or audio for methods that fine-tune.

    Attributes:
        utts: ids of all utterances.
        x: their vectors, (N, D) float32; D = 0 with sequences or audio.
        speakers: their speakers.
        splits: from `Splits.for_training` (stage 4) or `Splits.for_scoring` (stage 5).
        classes: names in the order of their indices.
        factors: speaker, gender, language and corpus -> utterance -> its own, where it is known.
        frames: utterance -> its sequence, (T, D) or (S, 32, 129), read when asked for.
        audio: utterance -> where its audio is.
        encoder: the upstream that is fine-tuned.
        ratings: `activation` and `valence` -> utterance -> its rating, on its release's scale, where it has one; for
            training, of utterances alone that some list shows with their labels.
        known: statistics that a model folder kept, where what they were computed from is not there: name of a split,
            and whether outliers were left out -> its statistics; of speakers those of its support utterances.
    """

    utts: Sequence[str]
    x: np.ndarray
    speakers: Sequence[str]
    splits: Sequence[Split]
    classes: Sequence[str]
    factors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    frames: Mapping[str, Tensor] = field(default_factory=dict)
    audio: Mapping[str, AudioPart] = field(default_factory=dict)
    encoder: FeatureConfig | None = None
    ratings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    known: Mapping[tuple[str, bool], Statistics] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_row", {utt: i for i, utt in enumerate(self.utts)})

    @classmethod
    def read(cls, splits: Splits, dump_dirs: Sequence[Path], data_dirs: Sequence[Path], scoring: bool) -> RunData:
        """Read the features and lists of a recipe; only for `scoring` are test lists opened."""
        archives = [read_features(dump_dir) for dump_dir in dump_dirs]
        speaker_of = _speaker_of(data_dirs)
        utts = [utt for names, _ in archives for utt in names]
        listed = splits.for_scoring() if scoring else splits.for_training()
        return cls(
            utts=utts,
            x=np.concatenate([vectors for _, vectors in archives]),
            speakers=[speaker_of[utt] for utt in utts],
            splits=listed,
            classes=splits.classes,
            ratings=_ratings(data_dirs, listed),
        )

    @classmethod
    def of_frames(
        cls, splits: Splits, dump_dirs: Sequence[Path], data_dirs: Sequence[Path], scoring: bool
    ) -> RunData:
        """Open the sequences of a recipe and read its lists; only for `scoring` are test lists opened."""
        return replace(cls._lists(splits, data_dirs, scoring), frames=Frames.of(dump_dirs))

    @classmethod
    def of_audio(cls, splits: Splits, data_dirs: Sequence[Path], encoder: FeatureConfig, scoring: bool) -> RunData:
        """Read the lists of a recipe and where its audio is; only for `scoring` are test lists opened."""
        audio = {utt: part for data_dir in data_dirs for utt, part in read_audio_parts(data_dir).items()}
        return replace(cls._lists(splits, data_dirs, scoring), audio=audio, encoder=encoder)

    @classmethod
    def _lists(cls, splits: Splits, data_dirs: Sequence[Path], scoring: bool) -> RunData:
        speaker_of = _speaker_of(data_dirs)
        return cls(
            utts=list(speaker_of),
            x=np.empty((len(speaker_of), 0), np.float32),
            speakers=list(speaker_of.values()),
            splits=splits.for_scoring() if scoring else splits.for_training(),
            classes=splits.classes,
            factors=_factors(data_dirs, speaker_of),
        )

    def rows(self, utts: Sequence[str] | Mapping[str, str]) -> np.ndarray:
        """Find the rows of `x` for some utterances, (n,) int64.

        Raises:
            DataError: for an utterance without features.
        """
        try:
            return np.array([self._row[utt] for utt in utts], dtype=np.int64)
        except KeyError as missing:
            raise DataError(f"no features of {missing}; run stages 2 and 3 again") from None

    def targets(self, labelled: Mapping[str, str]) -> np.ndarray:
        """Turn classes into indices, (n,) int64."""
        return np.array([self.classes.index(name) for name in labelled.values()], dtype=np.int64)

    def episodes(self, k: int) -> list[Episode]:
        """List all support sets of size k in a fixed order."""
        return [
            Episode(i, k, draw) for i, split in enumerate(self.splits) for size, draw in split.support if size == k
        ]

    def shots(self) -> list[int]:
        """List the sizes of support sets."""
        return sorted({k for split in self.splits for k, _ in split.support})

    def normalized(self, split: Split, how: Normalization, without: np.ndarray | None = None) -> np.ndarray:
        """Normalize all features as one split allows it, (N, D).

        Args:
            split: whose training utterances are the source; the labelled ones where it has no others.
            how: whose statistics are taken off.
            without: utterances that are left out of the statistics of source and corpora, (N,) bool.
        """
        if how == "none":
            return self.x
        of_all, of_group = self.statistics(split, how, without)
        normalized = self.x.copy() if of_all is None else _standardized(self.x, of_all)
        for name, rows in _rows_of(self.speakers if how == "speaker" else self._corpora()):
            if name in of_group:
                normalized[rows] = _standardized(self.x[rows], of_group[name])
        return normalized

    def moments(self, split: Split, utts: Sequence[str]) -> np.ndarray:
        """Give mean and deviation of what a linear model of one split is fitted on, (2, D)."""
        return _mean_and_deviation(self.x[self.rows(utts)])

    def statistics(self, split: Split, how: Normalization, without: np.ndarray | None = None) -> Statistics:
        """Give the statistics that `normalized` takes off; arguments as there, `how` is not `none`."""
        known = self.known.get((split.name, without is not None))
        if how == "speaker":
            old = {} if known is None else known.of_group
            new = {
                name: _mean_and_deviation(self.x[rows]) for name, rows in _rows_of(self.speakers) if name not in old
            }
            return Statistics(None, {**old, **new})
        if known is not None:
            return known
        keep = np.ones(len(self.utts), dtype=bool) if without is None else ~without
        rows = self.rows(split.train or split.labelled)
        of_all = _mean_and_deviation(self.x[rows[keep[rows]]])
        if how == "source":
            return Statistics(of_all, {})
        adapt, of_adapt = self.rows(split.adapt), [utt.split("-")[0] for utt in split.adapt]
        seen = {name: adapt[own] for name, own in _rows_of(of_adapt)}
        return Statistics(
            of_all, {name: _mean_and_deviation(self.x[rows[keep[rows]]]) for name, rows in seen.items()}
        )

    def _corpora(self) -> list[str]:
        return [utt.split("-")[0] for utt in self.utts]


def _mean_and_deviation(seen: np.ndarray) -> np.ndarray:
    """Compute mean and deviation of each dimension, (n, D) to (2, D)."""
    deviation = seen.std(0, dtype=np.float64)  # numpy adds rows up one by one: float32 would not do for many
    return np.stack([seen.mean(0, dtype=np.float64), without_constants(deviation)]).astype(np.float32)


def without_constants(deviation: np.ndarray) -> np.ndarray:
    """Set deviations to infinity where a dimension does not vary, see `MIN_DEVIATION`.

    Example:
        >>> without_constants(np.array([2.0, 1e-6])).tolist()
        [2.0, inf]
    """
    return np.where(deviation < MIN_DEVIATION, np.inf, deviation)


def _standardized(x: np.ndarray, statistics: np.ndarray) -> np.ndarray:
    mean, deviation = statistics
    return (x - mean) / deviation


def class_weight(y: np.ndarray, n_classes: int) -> np.ndarray:
    """Weigh classes by inverse frequency, 1 on average over the utterances; (n,) int to (C,) float32."""
    with np.errstate(divide="ignore"):  # a class that does not occur weighs infinitely, and nothing
        return (len(y) / n_classes / np.bincount(y, minlength=n_classes)).astype(np.float32)


def _speaker_of(data_dirs: Sequence[Path]) -> dict[str, str]:
    return {utt: speaker for data_dir in data_dirs for utt, speaker in read_map(data_dir / "utt2spk").items()}


def _ratings(data_dirs: Sequence[Path], splits: Sequence[Split]) -> dict[str, dict[str, float]]:
    """Read the ratings of utterances that stand in some list with their class."""
    shown: set[str] = set()
    for split in splits:
        shown = shown.union(split.train, split.dev, split.labelled, split.test, *split.support.values())
    return {
        rating: {
            utt: float(value)
            for data_dir in data_dirs
            if (data_dir / name).exists()
            for utt, value in read_map(data_dir / name).items()
            if utt in shown
        }
        for rating, name in RATING_FILES.items()
    }


def _factors(data_dirs: Sequence[Path], speaker_of: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Read what an utterance is beside its emotion; gender and language where the corpus tells them."""
    gender_of: dict[str, str] = {}
    language: dict[str, str] = {}
    for data_dir in data_dirs:
        gender_of |= read_map(data_dir / "spk2gender") if (data_dir / "spk2gender").exists() else {}
        language |= read_map(data_dir / "utt2lang") if (data_dir / "utt2lang").exists() else {}
    return {
        "speaker": dict(speaker_of),
        "gender": {utt: gender_of[speaker] for utt, speaker in speaker_of.items() if speaker in gender_of},
        "language": {utt: name for utt, name in language.items() if name != "und"},  # undetermined
        "corpus": {utt: utt.split("-")[0] for utt in speaker_of},
    }


def _rows_of(groups: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    rows: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        rows.setdefault(group, []).append(i)
    yield from ((group, np.array(own)) for group, own in rows.items())
