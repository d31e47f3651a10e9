"""Splits of a transfer matrix: every source against every target, the folds of each target with support sets.

A source is a corpus, several joined by `+`, or `others`: all but the target (leave one corpus out). A target's folds,
support sets and unlabelled utterances are those of the protocol `few_shot`, and the same whatever the source is: any
two systems of a target are paired. What a system sees of them (nothing, unlabelled audio, k shots, all labels) is
what its method declares. Dev speakers of a corpus are the same in every source that it is part of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ser.errors import ProtocolError
from ser.splits.lists import Split, pair_of
from ser.splits.protocols.few_shot import ShotsProtocol
from ser.types import Condition, Utterance

OTHERS = "others"
"""Source: all corpora of the matrix but the target."""

Names = Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]], Field(min_length=1)]


class TransferProtocol(ShotsProtocol):
    """Settings of the protocol.

    Attributes:
        train: sources: corpora, `a+b` for two that are trained on together, or `others`.
        test: targets.
        tasks: name (of a folder) -> name of a label map, `conf/labels/<name>.yaml`.
    """

    is_matrix = True

    protocol: Literal["transfer"]
    train: Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\+[A-Za-z0-9_]+)*$")]], Field(min_length=1)]
    test: Names
    tasks: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], str] = Field(min_length=1)

    @field_validator("train", mode="before")
    @classmethod
    def _one_source(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _every_target_has_a_source(self) -> TransferProtocol:
        for key in ("train", "test"):
            names = getattr(self, key)
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"{key}: '{twice[0]}' stands twice; name each once")
        for source in self.train:
            if len(set(parts := source.split("+"))) < len(parts) or (OTHERS in parts and len(parts) > 1):
                raise ValueError(f"train: '{source}' joins no different corpora")
        for target in self.test:
            if not self.sources_of(target):
                raise ValueError(f"test: no source is left for '{target}'; add another corpus to train")
        return self

    @property
    def corpora(self) -> tuple[str, ...]:
        """Corpora that the protocol needs, sorted."""
        named = {name for source in self.train for name in source.split("+")} - {OTHERS}
        return tuple(sorted(named.union(self.test)))

    @property
    def targets(self) -> list[str]:
        """Corpora that are tested."""
        return self.test

    @property
    def label_maps(self) -> dict[str, str]:
        """Task -> name of its label map."""
        return self.tasks

    def of_task(self, task: str) -> TransferProtocol:
        """Give the settings of one task."""
        return self.model_copy(update={"tasks": {task: self.tasks[task]}})

    def sources_of(self, target: str) -> dict[str, list[str]]:
        """List the sources of a target: name -> corpora that are trained on; those that hold the target are not."""
        others = [name for name in self.corpora if name != target]
        found = {name: others if name == OTHERS else name.split("+") for name in self.train}
        return {name: corpora for name, corpora in found.items() if corpora and target not in corpora}

    def condition(self, split: str, corpus: str, shots: int) -> Condition:
        """All folds of a source, a target and a number of shots are pooled."""
        return Condition(corpus=corpus, shots=shots, source=pair_of(split)[0])

    def sketch(self, task: str, corpus: str) -> Split:
        """Draw a fold of a target, trained on its first source."""
        return self.fold_sketch(next(iter(self.sources_of(corpus).values())), corpus)

    def splits(self, utterances: Mapping[str, Sequence[Utterance]], labels: Mapping[str, str]) -> list[Split]:
        """Make and audit one split per source, target and fold of the target, `<source>-<target>.fold<number>`.

        Raises:
            ProtocolError: as for `target_folds` and `draw_dev_speakers`, for a source without a class of its target,
                or for a leak.
        """
        dev_of: dict[str, set[str]] = {}
        splits = []
        for target in self.test:
            folds = list(self.target_folds(target, utterances[target], labels))
            for name, corpora in self.sources_of(target).items():
                sources = {corpus: utterances[corpus] for corpus in corpora}
                for corpus in sources.keys() - dev_of.keys():
                    dev_of[corpus] = self.draw_dev_speakers(corpus, utterances[corpus], labels)
                dev_speakers = set().union(*(dev_of[corpus] for corpus in sources))
                of_pair = [
                    self.split_of(f"{name}-{target}.{f.name}", sources, dev_speakers, utterances[target], f, labels)
                    for f in folds
                ]
                _check_classes(name, target, of_pair[0])
                splits += of_pair
        return splits


PROTOCOL = TransferProtocol


def _check_classes(source: str, target: str, split: Split) -> None:
    """Refuse a source that cannot teach a class of the target; its dev speakers may lack one."""
    if missing := {*split.test.values(), *split.labelled.values()} - set(split.train.values()):
        raise ProtocolError(
            f"split {split.name}: train: class '{min(missing)}' of '{target}' has no utterance of '{source}'; "
            "take a label map whose classes both have, another seed or dev_speakers, or leave one of the two out"
        )
