"""The leak audit: refuses splits whose training and test data share speakers, sessions or audio. Part of stage 2."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping

from ser.errors import ProtocolError
from ser.types import Utterance

RULES: dict[str, Callable[[Utterance], str | None]] = {
    "speaker": lambda u: u.speaker,
    "recording session": lambda u: u.session and f"{u.utt_id.split('-')[0]}-{u.session}",
    "identical audio": lambda u: u.audio_hash,
    "a copy of a recording": lambda u: u.recording,
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
    """Refuse a split in which training and test data share a speaker, a session, audio, a recording or an utterance.

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
            if rule in ("speaker", "recording session"):
                raise ProtocolError(f"split {split}: {rule} in both {what} and {against}: {_some(shared)}")
            pairs = [
                (utt, tested[k]) for utt in sorted(train) if (k := key(utterances[utt])) in tested and k in shared
            ]
            advice = ""
            if rule != "identical audio":
                advice = "; keep one of each in its corpus, and leave the other out"
                pairs = [(one, f"{other} ({_how(utterances[one], utterances[other])})") for one, other in pairs]
            told = _some([f"{one} and {other}" for one, other in pairs])
            raise ProtocolError(f"split {split}: {rule} in both {what} and {against}: {told}{advice}")


def _how(one: Utterance, other: Utterance) -> str:
    """Say how alike two copies are; some are so by way of a third."""
    from ser.data.fingerprint import Fingerprint, cosine

    if one.wav == other.wav and one.start != other.start:
        return f"parts of {one.wav} that overlap"
    if one.fingerprint is None or other.fingerprint is None:
        return "equal by their hash"
    return f"cosine {cosine(*(Fingerprint.parse(u.fingerprint) for u in (one, other))):.3f}"


def shared_texts(
    utterances: Mapping[str, Utterance], train: Collection[str], test: Collection[str]
) -> dict[str, str]:
    """Count the sentences that are trained on and tested: corpus -> `7 of 10`; corpora that share none are left out.

    Args:
        utterances: by id; those whose text is not known do not count.
        train, test: ids.
    """
    seen, tested = ({(utt.split("-")[0], text) for utt in part if (text := utterances[utt].text_id)}
                    for part in (train, test))  # fmt: skip
    corpora = sorted({corpus for corpus, _ in seen & tested})
    n_of = {corpus: [sum(c == corpus for c, _ in texts) for texts in (seen & tested, tested)] for corpus in corpora}
    return {corpus: f"{n} of {n_all}" for corpus, (n, n_all) in n_of.items()}


TELLING = 0.15
"""Sentences tell the class where guessing it from them is so much better than chance (unweighted average recall)."""


def class_from_text(utterances: Collection[Utterance], labels: Mapping[str, str]) -> tuple[float, float] | None:
    """Guess each utterance's class from its sentence: the commonest class of that sentence among other speakers.

    Args:
        utterances: of one corpus, only labelled ones.
        labels: utterance id -> class.

    Returns:
        Unweighted average recall of the guesses, a tie counting its share, and of chance; None if no sentence is
        known, or none is spoken by several speakers.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    own: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    known = [u for u in utterances if u.text_id is not None]
    for u in known:
        counts[u.text_id][labels[u.utt_id]] += 1
        own[u.text_id, u.speaker][labels[u.utt_id]] += 1
    right: dict[str, list[float]] = defaultdict(list)
    for u in known:
        others = counts[u.text_id] - own[u.text_id, u.speaker]
        if others:
            best = [name for name, n in others.items() if n == max(others.values())]
            right[labels[u.utt_id]].append((labels[u.utt_id] in best) / len(best))
    if not right:
        return None
    return sum(sum(shares) / len(shares) for shares in right.values()) / len(right), 1 / len(right)


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
