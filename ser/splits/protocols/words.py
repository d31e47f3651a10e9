"""From which corpora a row has labels, by the settings of its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser.splits.protocols.base import Protocol
from ser.splits.protocols.cross_corpus import CrossCorpusProtocol
from ser.splits.protocols.multi_corpus import MultiCorpusProtocol
from ser.splits.protocols.paired_folds import PairedFoldsProtocol


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
