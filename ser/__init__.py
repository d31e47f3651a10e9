"""Cross-corpus speech emotion recognition: models, losses, protocols and their evaluation.

Importing this package loads nothing heavy; docs/code.md describes the rooms. What notebooks call stands here, the
same code as the command lines:

    ser.prepare("table", "my.csv", "data/mylab")            as ser.bin.prepare_corpus
    ser.load_model("my_model").predict(["a.wav", "b/"])     as ser.bin.predict
    ser.results("ravdess2emodb")                            every system of a recipe, a pandas DataFrame
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser.inference.loaded import LoadedModel

__version__ = "0.1.0"


def load_model(folder: str | Path, ckpt: str | Path | None = None) -> LoadedModel:
    """Open a trained system, `egs/<recipe>/exp/<row>/seed<k>`, or an exported folder.

    Args:
        folder: of the model.
        ckpt: checkpoint of its encoder, if it is not in the folder.

    Raises:
        DataError: for a folder that is no model.
    """
    from ser.inference.loaded import LoadedModel

    return LoadedModel.open(Path(folder), None if ckpt is None else Path(ckpt))


def prepare(corpus: str, release: str | Path, data_dir: str | Path, allow_partial: bool = False) -> bool:
    """Turn a corpus' release, or with `table` a CSV or TSV, into a Kaldi-style data directory.

    Args:
        corpus: a name from `ser/corpora/`, or `table`.
        release: folder of the release, or the table's file.
        data_dir: where it goes; its last part names a corpus of one's own.
        allow_partial: whether to use the usable part of a release with missing files.

    Returns:
        Whether it was written; False if it was up to date.

    Raises:
        SerError: one sentence on what is wrong.
    """
    from ser.corpora import CORPORA
    from ser.corpora.base import find_release
    from ser.corpora.base import prepare as prepare_release
    from ser.corpora.table import prepare_table
    from ser.errors import ConfigError, unknown

    if corpus == "table":
        return prepare_table(Path(release), Path(data_dir), allow_partial)
    if corpus not in CORPORA:
        raise ConfigError(f"corpus: {unknown(corpus, [*CORPORA, 'table'])}")
    found = find_release(CORPORA[corpus], Path(release), None)
    return prepare_release(CORPORA[corpus], found, Path(data_dir), allow_partial)


def __getattr__(name: str) -> Any:
    if name == "results":  # a package that can be called: ser.results("ravdess2emodb")
        import importlib

        return importlib.import_module("ser.results")
    raise AttributeError(f"module 'ser' has no attribute '{name}'")
