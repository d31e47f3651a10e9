"""How a corpus is parted for cross-validation, as its own file declares it and a protocol may say otherwise."""

from __future__ import annotations

import dataclasses
from typing import Literal

from pydantic import Field

from ser.config import ConfigModel


class FoldRule(ConfigModel):
    """How the speakers of a corpus are parted.

    Attributes:
        rule: `consecutive_speakers` (blocks of `size` in the order of ids), `gender_pairs` (the i-th man with
            the i-th woman), `sessions` (whoever was recorded together), `stratified_speakers` (each class spread
            over the folds as evenly as its speakers allow).
        size: speakers per fold, for `consecutive_speakers`.
        folds: their number, for `stratified_speakers`.
    """

    rule: Literal["consecutive_speakers", "gender_pairs", "sessions", "stratified_speakers"]
    size: int = Field(default=1, ge=1)
    folds: int = Field(default=5, ge=2)

    @property
    def words(self) -> str:
        """The rule as tables print it."""
        one_by_one = self.rule == "consecutive_speakers" and self.size == 1
        return {
            "consecutive_speakers": "one speaker at a time" if one_by_one else f"folds of {self.size} speakers",
            "gender_pairs": "folds of one woman and one man",
            "sessions": "folds by recording session",
            "stratified_speakers": f"{self.folds} folds of speakers, stratified by class",
        }[self.rule]


@dataclasses.dataclass(frozen=True)
class Folds:
    """What a corpus' file says of its folds.

    Attributes:
        speakers: how its speakers are parted.
        held_out: number of the fold, from 1, that a single split tests.
        texts: number of folds into which its sentences part evenly; None where they do not.
    """

    speakers: FoldRule
    held_out: int = 1
    texts: int | None = None
