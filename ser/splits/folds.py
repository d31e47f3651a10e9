"""Rules that part a corpus' speakers into folds. Every speaker is in exactly one fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ser.config import ConfigModel
from ser.errors import ProtocolError
from ser.types import Utterance


class FoldRule(ConfigModel):
    """How the speakers of a corpus are parted.

    Attributes:
        rule: `consecutive_speakers` (blocks of `size` in the order of ids), `gender_pairs` (the i-th man with
            the i-th woman).
        size: speakers per fold, for `consecutive_speakers`.
    """

    rule: Literal["consecutive_speakers", "gender_pairs"]
    size: int = Field(default=1, ge=1)


def make_folds(utterances: Sequence[Utterance], rule: FoldRule) -> list[list[str]]:
    """Part the speakers of a corpus.

    Returns:
        The speakers of each fold, sorted.

    Raises:
        ProtocolError: if the speakers do not come out even, or fewer than two folds result.
    """
    gender = {u.speaker: u.gender for u in utterances}
    speakers = sorted(gender)
    if rule.rule == "consecutive_speakers":
        if len(speakers) % rule.size:
            raise ProtocolError(
                f"folds: {len(speakers)} speakers do not part into folds of {rule.size}; "
                f"choose a size that divides {len(speakers)}"
            )
        folds = [speakers[i : i + rule.size] for i in range(0, len(speakers), rule.size)]
    else:
        if unknown := [s for s in speakers if gender[s] is None]:
            raise ProtocolError(f"folds: gender_pairs needs every speaker's gender, '{unknown[0]}' has none; "
                                "add it to the corpus or choose another rule")  # fmt: skip
        men = [s for s in speakers if gender[s] == "m"]
        women = [s for s in speakers if gender[s] == "f"]
        if len(men) != len(women):
            raise ProtocolError(f"folds: gender_pairs needs as many men as women, found {len(men)} and "
                                f"{len(women)}; choose another rule")  # fmt: skip
        folds = [sorted(pair) for pair in zip(men, women, strict=True)]
    if len(folds) < 2:
        raise ProtocolError(f"folds: {len(speakers)} speakers give {len(folds)} fold(s); at least two needed")
    return folds
