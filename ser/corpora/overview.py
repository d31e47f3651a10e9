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

OTHERS = """
## Not prepared by name

- **Dusha** (Kondratenko et al. 2022, Russian, about 300,000 recordings, 350 hours; https://github.com/salute-developers/golos/tree/master/dusha):
  too large to hold its counts against without a copy. Its labels are votes of single listeners in a table of its own:
  make a table of the part that you use, and call `prepare_corpus table`.
- **MER2023** (Lian et al. 2023, Mandarin, films and series, 5,030 labelled utterances in EmoBox's list; http://merchallenge.cn/datasets):
  it is given to teams under an agreement, so that we could not check a grammar, and no speakers are given, so that no
  evaluation within it is speaker-independent. `prepare_corpus table` takes it with one speaker for each file.
- **M3ED** (Zhao et al. 2022, Mandarin, series, 24,437 utterances in EmoBox's list; https://github.com/AIM3-RUC/RUCM3ED):
  the repository has labels and features, and we know of no audio that may be fetched; who has the series can cut it
  by the times in the labels, with `start` and `end` of `prepare_corpus table`.
"""

COLUMNS = (
    "name", "corpus", "language", "speakers", "hours", "utterances", "emotions", "kind", "folds", "traps", "license",
    "get it",
)  # fmt: skip
NUMBERS = ("speakers", "hours", "utterances")


def overview() -> str:
    """Render the page, a corpus a line in the order of names."""
    rows = [_row(corpus) for _, corpus in sorted(CORPORA.items())]
    lines = [COLUMNS, ["---:" if c in NUMBERS else "---" for c in COLUMNS], *rows]
    return HEAD + "".join(f"| {' | '.join(line)} |\n" for line in lines) + OTHERS


def _row(corpus: Corpus) -> list[str]:
    return [
        f"[`{corpus.name}`](../ser/corpora/{corpus.name}.py)",
        (sys.modules[corpus.parse.__module__].__doc__ or corpus.title).partition("\n")[0].rstrip("."),
        ", ".join(corpus.languages),
        str(corpus.n_speakers or "not asserted"),
        f"{corpus.hours:.1f}",
        f"{sum(corpus.counts.values()):,}" if corpus.counts else "not asserted",
        ", ".join(f"{emotion} {n}" for emotion, n in sorted(corpus.counts.items())),
        corpus.kind,
        corpus.folds.speakers.words if corpus.folds else "none: one speaker",
        corpus.traps,
        corpus.licence,
        _get(corpus),
    ]


def _get(corpus: Corpus) -> str:
    """Say how to get a corpus; only what a program can fetch has a command."""
    if isinstance(corpus.source, Archive):
        by_hand = "" if corpus.source.url else " --archive FILE"
        return f"`utils/download_corpus.sh {corpus.name} DIR{by_hand}`; {corpus.page}"
    return f"{corpus.page}: {corpus.source.ask}" if corpus.source else corpus.page
