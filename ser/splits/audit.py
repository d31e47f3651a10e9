"""The leak audit: refuses splits whose training and test data share speakers, sessions or audio. Part of stage 2."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ser.errors import ProtocolError
from ser.types import Utterance

RULES: dict[str, Callable[[Utterance], str | None]] = {
    "speaker": lambda u: u.speaker,
    "recording session": lambda u: u.session and f"{u.utt_id.split('-')[0]}-{u.session}",
    "identical audio": lambda u: u.audio_hash,
}
"""Name of a rule -> its value for an utterance; None if the corpus does not give it."""


def audit(
    split: str,
    utterances: Mapping[str, Utterance],
    train: Collection[str],
    test: Collection[str],
    what: str = "training",
    waived: Collection[str] = (),
    against: str = "test",
) -> None:
    """Refuse a split in which training and test data share a speaker, a session, audio or an utterance.

    Args:
        split: its name, for the message.
        utterances: every utterance of the corpora by id.
        train: ids that training may see: labelled source, support sets, unlabelled target.
        test: ids that are scored.
        what: name of the training part, for the message.
        waived: names of `RULES` that the protocol does without.
        against: name of the other part, for the message.

    Raises:
        ProtocolError: with the offending ids of the first rule that is broken.
    """
    if both := sorted(set(train) & set(test)):
        raise ProtocolError(f"split {split}: utterances in both {what} and {against}: {_some(both)}")
    for rule, key in RULES.items():
        if rule in waived:
            continue
        tested = {key(utterances[utt]): utt for utt in test}
        shared = sorted({k for utt in train if (k := key(utterances[utt])) and k in tested})
        if shared:
            pairs = [f"{utt} and {tested[key(utterances[utt])]}" for utt in sorted(train)
                     if key(utterances[utt]) == shared[0]]  # fmt: skip
            raise ProtocolError(
                f"split {split}: {rule} in both {what} and {against}: "
                f"{_some(shared) if rule != 'identical audio' else _some(pairs)}"
            )


def one_class_speakers(utterances: Collection[Utterance], labels: Mapping[str, str]) -> list[int]:
    """Count the speakers who have only one class, and all speakers.

    If most have one class, recognizing the speaker gives the emotion away; no audit can refuse that.

    Args:
        utterances: of one corpus, only labelled ones.
        labels: utterance id -> class.
    """
    classes: dict[str, set[str]] = {}
    for utterance in utterances:
        classes.setdefault(utterance.speaker, set()).add(labels[utterance.utt_id])
    return [sum(len(names) == 1 for names in classes.values()), len(classes)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
