"""Few-shot splits: the whole source corpus, and k labelled target utterances per emotion (Yue 2023, Sec. III-IV).

Target speakers are parted into folds. A fold's speakers are tested on everything they said; support sets are
drawn from the others. The draw for a smaller k is the beginning of the draw for a larger one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from ser.config import ConfigModel
from ser.errors import ProtocolError
from ser.randomness import rng
from ser.splits.audit import audit
from ser.splits.folds import FoldRule, make_folds
from ser.splits.lists import Split
from ser.types import Utterance


class FewShotProtocol(ConfigModel):
    """Settings of the protocol.

    Attributes:
        source, target: corpora.
        labels: name of a label map, `conf/labels/<name>.yaml`.
        shots: numbers k of support utterances per class.
        draws: support sets per fold and k.
        dev_speakers: share of the source speakers that chooses checkpoints; at least one speaker.
        seed: of all draws.
        folds: corpus -> how its speakers are parted when it is the target.
    """

    protocol: Literal["few_shot"]
    source: str
    target: str
    labels: str
    shots: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    draws: int = Field(ge=1)
    dev_speakers: float = Field(gt=0, lt=1)
    seed: int
    folds: dict[str, FoldRule]

    @property
    def corpora(self) -> tuple[str, ...]:
        """Corpora that the protocol needs."""
        return (self.source, self.target)


def make_splits(
    protocol: FewShotProtocol,
    utterances: Mapping[str, Sequence[Utterance]],
    labels: Mapping[str, str],
) -> list[Split]:
    """Make and audit one split per target fold.

    Args:
        protocol: the settings.
        utterances: corpus -> its labelled utterances, sorted by id.
        labels: utterance id -> class.

    Raises:
        ProtocolError: for a target without a fold rule, a support set larger than its class, or a leak.
    """
    source, target = utterances[protocol.source], utterances[protocol.target]
    if protocol.target not in protocol.folds:
        raise ProtocolError(f"folds: no rule for target '{protocol.target}'; add folds.{protocol.target}")
    by_id = {u.utt_id: u for u in (*source, *target)}
    dev_speakers = _dev_speakers(source, protocol)
    splits = []
    for number, fold in enumerate(make_folds(target, protocol.folds[protocol.target]), start=1):
        pool = [u for u in target if u.speaker not in fold]
        split = Split(
            name=f"fold{number}",
            train={u.utt_id: labels[u.utt_id] for u in source if u.speaker not in dev_speakers},
            dev={u.utt_id: labels[u.utt_id] for u in source if u.speaker in dev_speakers},
            adapt=[u.utt_id for u in pool],
            test={u.utt_id: labels[u.utt_id] for u in target if u.speaker in fold},
            support={
                (k, draw): support
                for draw in range(1, protocol.draws + 1)
                for k, support in _draw(
                    split_name=f"fold{number}", pool=pool, labels=labels, draw=draw, protocol=protocol
                ).items()
            },  # fmt: skip
            about={"test_speakers": fold, "dev_speakers": sorted(dev_speakers)},
        )
        _audit(split, by_id)
        splits.append(split)
    return splits


def _audit(split: Split, by_id: Mapping[str, Utterance]) -> None:
    audit(split.name, by_id, [*split.train, *split.dev, *split.adapt], split.test)
    audit(split.name, by_id, split.train, split.dev, what="training (for dev)")
    for (k, draw), support in split.support.items():
        audit(split.name, by_id, support, split.test, what=f"support set {k}.{draw}")


def _dev_speakers(source: Sequence[Utterance], protocol: FewShotProtocol) -> set[str]:
    """Choose the source speakers that are kept from training, at least one and not all."""
    speakers = sorted({u.speaker for u in source})
    if len(speakers) < 2:
        raise ProtocolError(f"dev_speakers: source '{protocol.source}' has one speaker; two are needed")
    n = min(max(1, round(protocol.dev_speakers * len(speakers))), len(speakers) - 1)
    return set(rng("dev speakers", protocol.seed).permutation(speakers)[:n].tolist())


def _draw(
    split_name: str,
    pool: Sequence[Utterance],
    labels: Mapping[str, str],
    draw: int,
    protocol: FewShotProtocol,
) -> dict[int, dict[str, str]]:
    """Draw one nested family of support sets: k -> utterance id -> class, by class, then in drawn order."""
    seen: set[str] = set()
    units: dict[str, list[str]] = {}
    for utterance in pool:  # identical audio counts once
        if utterance.audio_hash is None or utterance.audio_hash not in seen:
            seen.add(utterance.audio_hash or "")
            units.setdefault(labels[utterance.utt_id], []).append(utterance.utt_id)
    families: dict[int, dict[str, str]] = {k: {} for k in protocol.shots}
    for name in sorted(units):
        order = rng("support", protocol.seed, split_name, draw, name).permutation(units[name]).tolist()
        for k in protocol.shots:
            if k > len(order):
                raise ProtocolError(
                    f"split {split_name}: shots: {k} support utterances asked for, class '{name}' of "
                    f"'{protocol.target}' has {len(order)} outside the tested fold; choose a smaller k"
                )
            families[k] |= {utt: name for utt in order[:k]}
    return families
