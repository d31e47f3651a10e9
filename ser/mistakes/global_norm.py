"""Data whose adaptation has seen the tested utterances: the mistake `global_norm` of `ser.mistakes.simulate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ser.adaptation.base import Seen, sees
from ser.splits.lists import Split
from ser.training.run_data import RunData


@dataclass(frozen=True)
class GlobalNorm(RunData):
    """What a method gets to see, with the mistake.

    Attributes:
        lists: name of a split -> the split with its test list, for training, too.
    """

    lists: Mapping[str, Split] = field(default_factory=dict)

    def seen(self, split: Split, how: str, without: np.ndarray | None = None) -> Seen:
        """Let an adaptation look at all lists, or at all utterances of each target corpus."""
        everything = dict.fromkeys(self._listed(split))
        if sees(how) and split.adapt:
            targets = {utt.split("-")[0] for utt in split.adapt}
            doctored = replace(split, adapt=[utt for utt in everything if utt.split("-")[0] in targets])
        else:
            doctored = replace(split, train=dict.fromkeys(everything, ""))
        return super().seen(doctored, how, without)

    def moments(self, split: Split, utts: Sequence[str]) -> np.ndarray:
        """Give mean and deviation of all listed utterances of the corpora that are trained on or tested."""
        corpora = {utt.split("-")[0] for utt in (*utts, *self.lists[split.name].test)}
        return super().moments(split, [utt for utt in self._listed(split) if utt.split("-")[0] in corpora])

    def _listed(self, split: Split) -> list[str]:
        known = self.lists[split.name]
        return list(dict.fromkeys((*known.train, *known.dev, *known.labelled, *known.adapt, *known.test)))
