"""Tested speakers with other class sizes than their corpus has: how much of a score rests on balance.

A system that uses all utterances of a tested speaker together sees how often each emotion occurs. In acted corpora it
occurs equally often, elsewhere not. So the utterances that such a system may see of a tested speaker, and is scored
on, are drawn anew: `as they are`, `balanced n` or `skewed n`, n utterances of each speaker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

import numpy as np

from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.methods.base import Prediction, State
from ser.randomness import rng
from ser.splits.lists import Split
from ser.system.devices import Device
from ser.training.run_data import RunData

AS_THEY_ARE = "as they are"

CONCENTRATION = 0.5
"""Of the symmetric Dirichlet that `skewed` draws the class shares of a speaker from: one class has two thirds of the
utterances on average, of four."""


class TestSpeakers(NamedTuple):
    """How the utterances of tested speakers are drawn; `n` of each speaker, 0 for all."""

    __test__ = False  # a name that pytest would collect

    how: str
    n: int = 0

    @classmethod
    def of(cls, text: str) -> TestSpeakers:
        """Read `as they are`, `balanced n` or `skewed n`.

        Raises:
            ConfigError: for anything else.
        """
        if text == AS_THEY_ARE:
            return cls(text)
        if matched := re.fullmatch(r"(balanced|skewed) ([1-9]\d*)", text):
            return cls(matched[1], int(matched[2]))
        raise ConfigError(f"test_speakers: found '{text}', allowed are 'as they are', 'balanced n' and 'skewed n'")

    def __str__(self) -> str:
        return f"{self.how} {self.n}" if self.n else self.how


def drawn(
    split: Split, speaker_of: Mapping[str, str], classes: Sequence[str], how: TestSpeakers, draw: int, seed: int
) -> dict[str, str]:
    """Draw the test utterances of a split.

    `balanced` takes n / C utterances of each class that a speaker has, and no more than of the rarest one. `skewed`
    draws class sizes from a Dirichlet-multinomial, and takes as many as the speaker has.

    Returns:
        Utterance -> class, in the order of the split's list.
    """
    if how.how == AS_THEY_ARE:
        return dict(split.test)
    by_speaker: dict[str, dict[str, list[str]]] = {}
    for utt, name in split.test.items():
        by_speaker.setdefault(speaker_of[utt], {}).setdefault(name, []).append(utt)
    kept: set[str] = set()
    for speaker, of_class in by_speaker.items():
        generator = rng("test speakers", str(how), seed, split.name, draw, speaker)
        if how.how == "balanced":
            size = min(how.n // len(classes), *(len(utts) for utts in of_class.values()))
            sizes = dict.fromkeys(of_class, max(size, 1))
        else:
            shares = generator.dirichlet(np.full(len(classes), CONCENTRATION))
            sizes = dict(zip(classes, generator.multinomial(how.n, shares).tolist(), strict=True))
        for name in classes:
            kept.update(generator.permutation(of_class.get(name, [])).tolist()[: sizes.get(name, 0)])
    return {utt: name for utt, name in split.test.items() if utt in kept}


def predict_drawn(
    method: ModuleType, config: ConfigModel, data: RunData, state: State, device: Device,
    how: TestSpeakers, draw: int, seed: int,
) -> tuple[list[Prediction], RunData]:  # fmt: skip
    """Predict the drawn test utterances of every split; what was not drawn of its speakers is not there at all.

    Returns:
        The predictions, and data whose test lists are what was predicted.
    """
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    tests = [drawn(split, speaker_of, data.classes, how, draw, seed) for split in data.splits]
    predictions = []
    for number, (split, test) in enumerate(zip(data.splits, tests, strict=True)):
        tested = {speaker_of[utt] for utt in split.test}
        keep = [i for i, utt in enumerate(data.utts) if speaker_of[utt] not in tested or utt in test]
        there = {data.utts[i] for i in keep}
        splits = [  # methods find models by the place of a split, so that the others stay, with nothing to test
            split if i == number else replace(other, test={}, adapt=[utt for utt in other.adapt if utt in there])
            for i, other in enumerate(data.splits)
        ]
        splits[number] = replace(split, test=test)
        part = data if how.how == AS_THEY_ARE else replace(
            data, utts=[data.utts[i] for i in keep], x=data.x[keep], speakers=[data.speakers[i] for i in keep]
        )  # fmt: skip
        found = method.predict(config, replace(part, splits=splits), state, device)
        predictions += [p for p in found if p.split == split.name and len(p.utts)]
    return predictions, replace(data, splits=[replace(s, test=t) for s, t in zip(data.splits, tests, strict=True)])
