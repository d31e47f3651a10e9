"""The corpora: a file each, which holds all that is known of it, and one way to a data directory in `base`.

A corpus has the name of its file, by which it is found: grammar and counts of the release, where to get it, how it is
parted, its miniature. To add a corpus is to add a file.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from ser.corpora.base import Corpus

SHARED = ("base", "das_ratings", "downloads", "folds", "imports", "miniature", "overview", "spelling", "table")
"""Files of this folder that are not a corpus; names that begin with `_` are not, either."""

CORPORA: dict[str, Corpus] = {
    name: importlib.import_module(f"{__name__}.{name}").CORPUS
    for name in sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
    if name not in SHARED and not name.startswith("_")
}
