"""Train on some corpora, test others in full (Gao 2022, cross-corpus): one split, `all`, for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from ser.splits.lists import Split
from ser.splits.protocols.base import IN_FULL, DevProtocol, stand_in
from ser.types import Utterance

Names = Annotated[list[str], Field(min_length=1)]


class CrossCorpusProtocol(DevProtocol):
    """Settings of the protocol.

    Attributes:
        sources: corpora that are trained on.
        targets: corpora that are tested, each in full.
    """

    protocol: Literal["cross_corpus"]
    sources: Names
    targets: Names

    @property
    def corpora(self) -> tuple[str, ...]:
        """Corpora that the protocol needs."""
        return (*self.sources, *self.targets)

    def split_rule(self, task: str, corpus: str, is_rotation: bool = False, is_labelled: bool = False) -> str:
        """Say that nothing is parted."""
        return IN_FULL

    def sketch(self, task: str, corpus: str) -> Split:
        """Draw the one split."""
        sources, adapt = stand_in(self.sources), self.targets if self.adapt == "unlabelled-test" else []
        return Split("sketch", sources, sources, list(stand_in(adapt)), stand_in([corpus]))

    def splits(self, utterances: Mapping[str, Sequence[Utterance]], labels: Mapping[str, str]) -> list[Split]:
        """Make and audit the one split.

        Raises:
            ProtocolError: for sources that cannot spare dev speakers, a class that is not trained on, or a leak.
        """
        training = {name: utterances[name] for name in self.sources}
        tested = [u for name in self.targets for u in utterances[name]]
        return [self.split_of("all", training, tested, {}, labels)]


PROTOCOL = CrossCorpusProtocol
