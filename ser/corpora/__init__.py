"""The corpora: one parser per file, one way to a data directory in `base`."""

from ser.corpora import emodb, ravdess
from ser.corpora.base import Corpus

CORPORA: dict[str, Corpus] = {c.name: c for c in (emodb.CORPUS, ravdess.CORPUS)}
