"""The corpora: one parser per file, one way to a data directory in `base`."""

from ser.corpora import aesdd, cafe, casia, emodb, iemocap, msp_improv, ravdess, savee, urdu
from ser.corpora.base import Corpus

CORPORA: dict[str, Corpus] = {
    module.CORPUS.name: module.CORPUS
    for module in (iemocap, msp_improv, ravdess, savee, emodb, cafe, urdu, aesdd, casia)
}
