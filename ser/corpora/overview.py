"""The table of all corpora in `egs/README.md`, from what each corpus' own file declares.

Not here: which recipes use them (`ser.results`), and their downloads as `--help` prints them (`downloads`).
"""

from __future__ import annotations

import sys

from ser.corpora import CORPORA
from ser.corpora.base import Archive, Corpus

HEAD = """\
<!-- Written by `python -m ser.bin.list_corpora egs/README.md`; do not edit. -->

# Corpora

Prepared by name with `python -m ser.bin.prepare_corpus NAME RELEASE_DIR data/NAME`. What is known of a corpus (names
of files, traps, and where its numbers are from) stands at the top of `ser/corpora/NAME.py`. A full release has to
meet these counts. Folds are those of a protocol that does not say otherwise. Nothing of a corpus is in this
repository.

"""

COLUMNS = ("name", "corpus", "language", "speakers", "utterances", "emotions", "kind", "folds", "license", "get it")


def overview() -> str:
    """Render the page, a corpus a line in the order of names."""
    rows = [_row(corpus) for _, corpus in sorted(CORPORA.items())]
    lines = [COLUMNS, ["---:" if c in ("speakers", "utterances") else "---" for c in COLUMNS], *rows]
    return HEAD + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(corpus: Corpus) -> list[str]:
    return [
        f"[`{corpus.name}`](../ser/corpora/{corpus.name}.py)",
        (sys.modules[corpus.parse.__module__].__doc__ or corpus.title).partition("\n")[0].rstrip("."),
        ", ".join(corpus.languages),
        str(corpus.n_speakers),
        f"{sum(corpus.counts.values()):,}",
        ", ".join(f"{emotion} {n}" for emotion, n in sorted(corpus.counts.items())),
        corpus.kind,
        corpus.folds.speakers.words if corpus.folds else "",
        corpus.licence,
        _get(corpus),
    ]


def _get(corpus: Corpus) -> str:
    """Say how to get a corpus; only what a program can fetch has a command."""
    if isinstance(corpus.source, Archive):
        by_hand = "" if corpus.source.url else " --archive FILE"
        return f"`utils/download_corpus.sh {corpus.name} DIR{by_hand}`; {corpus.page}"
    return f"{corpus.page}: {corpus.source.ask}" if corpus.source else corpus.page
