"""Protocols in words: from which corpora a row has labels, and how the speakers of a tested corpus are parted.

Not here: how splits are made; each protocol's own file does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser.splits.folds import FoldRule
from ser.splits.protocols.corpus_folds import CorpusFoldsProtocol
from ser.splits.protocols.few_shot import FewShotProtocol
from ser.splits.protocols.multi_corpus import CrossCorpusProtocol, MultiCorpusProtocol
from ser.splits.protocols.paired_folds import PairedFoldsProtocol

Protocol = FewShotProtocol | CrossCorpusProtocol | MultiCorpusProtocol | CorpusFoldsProtocol | PairedFoldsProtocol

WHOLE = "tested in full"


def sources(protocol: Protocol, values: Mapping[str, Any], corpus: str) -> list[str]:
    """List the corpora whose labels a row is trained on, support sets aside.

    Args:
        protocol: of the recipe.
        values: configuration of the row.
        corpus: the tested one.
    """
    trained_on = values.get("train_on")
    if trained_on == "support":
        return []
    if isinstance(protocol, PairedFoldsProtocol):
        if values.get("objective") is None or _sees_both(values):
            return sorted(protocol.corpora)
        others = [name for name in protocol.corpora if name != corpus]
        return sorted(others) if values.get("classifier") == "other" else [corpus]
    if trained_on == "labelled":
        return [corpus]
    if isinstance(protocol, CrossCorpusProtocol):
        return sorted(protocol.sources)
    if isinstance(protocol, MultiCorpusProtocol):
        return sorted(protocol.corpora)
    return [protocol.source]


def _sees_both(values: Mapping[str, Any]) -> bool:
    return values.get("objective") == "supcon" and values.get("stage_one", {}).get("corpora") == "both"


def split_rule(
    protocol: Protocol, task: str, corpus: str, is_rotation: bool = False, is_labelled: bool = False
) -> str:
    """Tell how the utterances of a tested corpus are parted.

    Args:
        protocol: of the recipe.
        task: "" where there are none.
        corpus: the tested one.
        is_rotation: whether each held-out fold is tested in turn.
        is_labelled: of rows that are trained on the tested corpus itself.
    """
    if isinstance(protocol, FewShotProtocol):
        return f"{_rule(protocol.folds.get(corpus))}; {protocol.draws} support sets a fold, of other speakers"
    if isinstance(protocol, CrossCorpusProtocol):
        return WHOLE
    if isinstance(protocol, MultiCorpusProtocol):
        rule = _rule(protocol.folds.get(corpus))
        return f"{rule}, each in turn" if is_rotation else f"{rule}, of which one is held out"
    if isinstance(protocol, PairedFoldsProtocol):
        return _rule(protocol.folds[task][corpus])
    if corpus != protocol.source and not is_labelled:
        return WHOLE
    if task in protocol.shared:
        return f"{protocol.random_folds} random folds of utterances"
    return _rule(protocol.folds.get(corpus))


def _rule(rule: FoldRule | None) -> str:
    if rule is None:
        return "folds"
    one_by_one = rule.rule == "consecutive_speakers" and rule.size == 1
    return {
        "consecutive_speakers": "one speaker at a time" if one_by_one else f"folds of {rule.size} speakers",
        "gender_pairs": "folds of one woman and one man",
        "sessions": "folds by recording session",
        "stratified_speakers": f"{rule.folds} folds of speakers, stratified by class",
        "random": f"{rule.folds} random folds of utterances",
        "texts": f"{rule.folds} folds of sentences",
    }[rule.rule]
