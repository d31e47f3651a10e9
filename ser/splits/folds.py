"""Rules that part a corpus' speakers into folds. Every speaker is in exactly one fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ser.corpora.folds import FoldRule
from ser.errors import ProtocolError
from ser.types import Utterance


def make_folds(utterances: Sequence[Utterance], labels: Mapping[str, str], rule: FoldRule) -> list[list[str]]:
    """Part the speakers of a corpus.

    Args:
        utterances: the corpus, in any order.
        labels: utterance id -> class; only `stratified_speakers` uses it.
        rule: how to part them.

    Returns:
        The speakers of each fold, sorted.

    Raises:
        ProtocolError: if the speakers cannot be divided evenly, the corpus lacks information that the rule needs,
            or fewer than two folds result.
    """
    speakers = sorted({u.speaker for u in utterances})
    if rule.rule == "consecutive_speakers":
        folds = _blocks(speakers, rule.size)
    elif rule.rule == "gender_pairs":
        folds = _gender_pairs({u.speaker: u.gender for u in utterances})
    elif rule.rule == "sessions":
        folds = _sessions(utterances)
    else:
        folds = _stratified(sorted(utterances, key=lambda u: u.utt_id), labels, rule.folds)
    if len(folds) < 2:
        raise ProtocolError(f"folds: {len(speakers)} speakers give {len(folds)} fold(s); at least two needed")
    return folds


def _blocks(speakers: list[str], size: int) -> list[list[str]]:
    if len(speakers) % size:
        raise ProtocolError(
            f"folds: {len(speakers)} speakers do not part into folds of {size}; "
            f"choose a size that divides {len(speakers)}"
        )
    return [speakers[i : i + size] for i in range(0, len(speakers), size)]


def _gender_pairs(gender: Mapping[str, str | None]) -> list[list[str]]:
    if unknown := [s for s in sorted(gender) if gender[s] is None]:
        raise ProtocolError(f"folds: gender_pairs needs every speaker's gender, '{unknown[0]}' has none; "
                            "add it to the corpus or choose another rule")  # fmt: skip
    men, women = ([s for s in sorted(gender) if gender[s] == sex] for sex in "mf")
    if len(men) != len(women):
        raise ProtocolError(f"folds: gender_pairs needs as many men as women, found {len(men)} and "
                            f"{len(women)}; choose another rule")  # fmt: skip
    return [sorted(pair) for pair in zip(men, women, strict=True)]


def _sessions(utterances: Sequence[Utterance]) -> list[list[str]]:
    session_of: dict[str, str] = {}
    for u in utterances:
        if u.session is None:
            raise ProtocolError(f"folds: sessions needs every utterance's session, '{u.utt_id}' has none; "
                                "add it to the corpus or choose another rule")  # fmt: skip
        if session_of.setdefault(u.speaker, u.session) != u.session:
            both = sorted((session_of[u.speaker], u.session))
            raise ProtocolError(f"folds: sessions needs one session per speaker, '{u.speaker}' is in '{both[0]}' "
                                f"and '{both[1]}'; choose another rule")  # fmt: skip
    return [sorted(s for s in session_of if session_of[s] == name) for name in sorted(set(session_of.values()))]


def _stratified(utterances: Sequence[Utterance], labels: Mapping[str, str], n_folds: int) -> list[list[str]]:
    from sklearn.model_selection import StratifiedGroupKFold  # here, because most command lines find nothing to do

    classes, speakers = [labels[u.utt_id] for u in utterances], [u.speaker for u in utterances]
    counts = {"speakers": len(set(speakers))}
    counts |= {f"utterances of '{name}'": n for name, n in sorted(Counter(classes).items())}
    for what, n in counts.items():
        if n < n_folds:
            raise ProtocolError(f"folds: {n} {what} do not part into {n_folds} folds; choose fewer folds")
    parts = StratifiedGroupKFold(n_folds).split(classes, classes, speakers)
    return [sorted({speakers[i] for i in tested}) for _, tested in parts]
