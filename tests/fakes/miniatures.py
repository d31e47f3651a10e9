"""Which miniatures are synthesized, and miniatures with few files, so that tests take no time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ser.corpora import CORPORA
from ser.corpora.miniature import Prompt

NINE = ("aesdd", "cafe", "casia", "emodb", "iemocap", "msp_improv", "ravdess", "savee", "urdu")
"""Those that tests synthesize; `test_overview` holds the others' names and labels against their parsers."""


def with_prompts(monkeypatch, name: str, prompts: Sequence[Prompt]) -> None:
    """Let the miniature of a corpus hold these files."""
    corpus = CORPORA[name]
    miniature = dataclasses.replace(corpus.miniature, prompts=lambda: iter(prompts))
    monkeypatch.setitem(CORPORA, name, dataclasses.replace(corpus, miniature=miniature))
