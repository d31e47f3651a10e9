"""The data of one recipe for a method: features or audio, lists and classes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ser.adaptation.base import ALL, Seen, State, find, mean_and_deviation
from ser.data.data_dir import AudioPart, read_audio_parts
from ser.data.maps import read_map
from ser.errors import DataError
from ser.features.config import FeatureConfig
from ser.features.extract import read_features, read_info
from ser.features.frames import Frames
from ser.splits.lists import Split, Splits

if TYPE_CHECKING:
    from torch import Tensor

RATING_FILES = {"activation": "utt2aro", "valence": "utt2val"}
"""Ratings by the name that Das 2022 gives them, and the files of a data directory."""


KEPT_STATES = 8
"""Adaptations that stay in memory: of coral and subspace each has (D, D)."""


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
        known: adaptations that a model folder kept, where what they were fitted on is not there: name of a split, and
            whether outliers were left out -> the state; of speakers those of its support utterances.
        dims: feature -> its dimensions, in the order in which their vectors stand side by side in `x`.
        layers: feature -> how many layers of an encoder stand side by side in its dimensions, where they are several.
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
    known: Mapping[tuple[str, bool], State] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    layers: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_row", {utt: i for i, utt in enumerate(self.utts)})
        object.__setattr__(self, "_fitted", OrderedDict())

    @classmethod
    def read(
        cls, splits: Splits, dump_dirs: Mapping[str, Sequence[Path]], data_dirs: Sequence[Path], scoring: bool
    ) -> RunData:
        """Read the features and lists of a recipe; only for `scoring` are test lists opened.

        `dump_dirs` has the archives of all corpora for each feature; vectors of several stand side by side.

        Raises:
            DataError: if a feature has other utterances than the first.
        """
        speaker_of = _speaker_of(data_dirs)
        utts: list[str] = []
        blocks: dict[str, np.ndarray] = {}
        layers: dict[str, int] = {}
        for name, folders in dump_dirs.items():
            if n_layers := read_info(folders[0]).get("layers"):
                layers[name] = n_layers
            archives = [read_features(folder) for folder in folders]
            own = [utt for names, _ in archives for utt in names]
            if blocks and own != utts:
                first = next(iter(blocks))
                raise DataError(f"{name} and {first} are not features of the same utterances; run stage 3 again")
            utts, blocks[name] = own, np.concatenate([vectors for _, vectors in archives])
        listed = splits.for_scoring() if scoring else splits.for_training()
        return cls(
            utts=utts,
            x=next(iter(blocks.values())) if len(blocks) == 1 else np.concatenate(list(blocks.values()), axis=1),
            dims={name: block.shape[1] for name, block in blocks.items()},
            layers=layers,
            speakers=[speaker_of[utt] for utt in utts],
            splits=listed,
            classes=splits.classes,
            factors=_factors(data_dirs, speaker_of),
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

    @property
    def blocks(self) -> dict[str, slice]:
        """Where each feature's dimensions stand in `x`; one without a name where nothing is known of them."""
        found, start = {}, 0
        for name, dim in (self.dims or {"": self.x.shape[1]}).items():
            found[name] = slice(start, start := start + dim)
        return found

    def rows(self, utts: Sequence[str] | Mapping[str, str]) -> np.ndarray:
        """Find the rows of `x` for some utterances, (n,) int64.

        Raises:
            DataError: for an utterance without features.
        """
        try:
            return np.array([self._row[utt] for utt in utts], dtype=np.int64)
        except KeyError as missing:
            raise DataError(f"no features of {missing}; run stages 2 and 3 again") from None

    def by_speaker(self, utts: Sequence[str]) -> dict[str, np.ndarray]:
        """Part utterances by speaker: speaker -> their places in the list."""
        return _rows_of([self.speakers[row] for row in self.rows(utts)])

    def targets(self, labelled: Mapping[str, str]) -> np.ndarray:
        """Turn classes into indices, (n,) int64."""
        return np.array([self.classes.index(name) for name in labelled.values()], dtype=np.int64)

    def distributions(self, split: Split, labelled: Mapping[str, str]) -> np.ndarray:
        """Give the share of each class in the votes, (n, C) float64; 1 for the class of utterances without votes."""
        shares = [split.shares.get(utt, {name: 1.0}) for utt, name in labelled.items()]
        return np.array([[of.get(name, 0.0) for name in self.classes] for of in shares])

    def episodes(self, k: int) -> list[Episode]:
        """List all support sets of size k in a fixed order."""
        return [
            Episode(i, k, draw) for i, split in enumerate(self.splits) for size, draw in split.support if size == k
        ]

    def shots(self) -> list[int]:
        """List the sizes of support sets."""
        return sorted({k for split in self.splits for k, _ in split.support})

    def normalized(
        self,
        split: Split,
        how: str,
        without: np.ndarray | None = None,
        utts: Sequence[str] | Mapping[str, str] | None = None,
    ) -> np.ndarray:
        """Adapt features as one split allows it, (N, D), or (n, D) of some utterances.

        Args:
            split: whose training utterances are the source; the labelled ones where it has no others.
            how: name of the adaptation.
            without: utterances that are left out of what is fitted to source and corpora, (N,) bool.
            utts: whose features; by default all.
        """
        if utts is not None and not len(utts):  # nothing is fitted: a split without tested utterances may lack others
            return self.x[:0]
        adaptation, state = find(how), self.fitted(split, how, without)
        chosen = slice(None) if utts is None else self.rows(utts)
        x = self.x[chosen]
        if adaptation.GROUP is None:
            return adaptation.apply(state, x, ALL)
        groups, whole = (
            (self.speakers, self._of_speaker) if adaptation.GROUP == "speaker" else (self._corpora, self._of_corpus)
        )
        adapted = np.empty_like(x)
        for name, rows in (whole if utts is None else _rows_of([groups[row] for row in chosen])).items():
            adapted[rows] = adaptation.apply(state, x[rows], name)
        return adapted

    def fitted(self, split: Split, how: str, without: np.ndarray | None = None) -> State:
        """Give the state of the adaptation that `normalized` applies; arguments as there.

        The last states are kept: many splits of a recipe look at the same utterances.
        """
        adaptation, known = find(how), self.known.get((split.name, without is not None))
        if known is not None and adaptation.GROUP != "speaker":
            return known
        known, seen = known or {}, self.seen(split, how, without)
        new = {name: utts for name, utts in seen.speakers.items() if name not in known}
        by_speaker = adaptation.GROUP == "speaker"
        key = (how, tuple(new) if by_speaker else (tuple(seen.source), *map(tuple, seen.corpora.values()),
                                                   *map(tuple, seen.target.values())))  # fmt: skip
        if key not in self._fitted:
            self._fitted[key] = adaptation.fit(replace(seen, speakers=new))
        self._fitted.move_to_end(key)
        while len(self._fitted) > KEPT_STATES:
            self._fitted.popitem(last=False)
        return {**known, **self._fitted[key]}

    def seen(self, split: Split, how: str, without: np.ndarray | None = None) -> Seen:
        """Give what an adaptation may look at; arguments as for `normalized`."""
        left_out = set() if without is None else {self.utts[row] for row in np.flatnonzero(without)}

        def kept(utts: Iterable[str]) -> list[str]:
            return [utt for utt in utts if utt not in left_out]

        corpora = by_corpus(kept(split.adapt))
        return Seen(
            source=kept(split.train or split.labelled),
            corpora=corpora,
            target=corpora or ({} if split.train else by_corpus(kept(split.labelled))),
            speakers=self._utts_of,
            blocks=lambda utts: [self.x[self.rows(utts)]],
        )

    def moments(self, split: Split, utts: Sequence[str]) -> np.ndarray:
        """Give mean and deviation of what a linear model of one split is fitted on, (2, D)."""
        return mean_and_deviation([self.x[self.rows(utts)]])

    @cached_property
    def _corpora(self) -> list[str]:
        return [utt.split("-")[0] for utt in self.utts]

    @cached_property
    def _of_corpus(self) -> dict[str, np.ndarray]:
        return _rows_of(self._corpora)

    @cached_property
    def _of_speaker(self) -> dict[str, np.ndarray]:
        return _rows_of(self.speakers)

    @cached_property
    def _utts_of(self) -> dict[str, list[str]]:
        return {name: [self.utts[row] for row in rows] for name, rows in self._of_speaker.items()}


def same_models(keys: Iterable[Hashable]) -> list[int]:
    """Number models by what they are trained on: equal keys have the number of the first of them.

    Example:
        >>> same_models(["a", "b", "a"])
        [0, 1, 0]
    """
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(key, len(numbers)) for key in keys]


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


def by_corpus(utts: Iterable[str]) -> dict[str, list[str]]:
    """Part utterances by corpus."""
    found: dict[str, list[str]] = {}
    for utt in utts:
        found.setdefault(utt.split("-")[0], []).append(utt)
    return found


def _rows_of(groups: Sequence[str]) -> dict[str, np.ndarray]:
    """Part the places of a list by the group that stands there."""
    rows: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        rows.setdefault(group, []).append(i)
    return {group: np.array(own) for group, own in rows.items()}
