"""The table of corpora says what the parsers say, and a miniature follows its parser without a sample of audio."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from ser.corpora import CORPORA
from ser.corpora.miniature import Ratings
from ser.corpora.overview import overview
from ser.types import EMOTIONS
from tests.fakes.wav import touch

ROOT = Path(__file__).parents[2]


def test_the_committed_table_is_up_to_date():
    assert (ROOT / "egs/README.md").read_text() == overview(), "run python -m ser.bin.list_corpora egs/README.md"


def test_a_line_of_the_table():
    (line,) = [line for line in overview().splitlines() if line.startswith("| [`urdu`]")]
    assert line.strip("| ").split(" | ") == [
        "[`urdu`](../ser/corpora/urdu.py)",
        "URDU: Urdu emotional speech from talk shows (Latif et al. 2018)",
        "ur",
        "29",
        "0.3",
        "400",
        "angry 100, happy 100, neutral 100, sad 100",
        "natural, television",
        "5 folds of speakers, stratified by class",
        "most speakers have one emotion only",
        "research only; cite Latif et al. 2018",
        "`utils/download_corpus.sh urdu DIR`; https://github.com/siddiquelatif/URDU-Dataset",
    ]


@pytest.mark.parametrize("name", CORPORA)
def test_every_corpus_has_a_line_in_db_sh(name):
    variable = CORPORA[name].variable
    assert f"\n{variable}=${{{variable}:-}} " in (ROOT / "conf/db.sh").read_text()


@pytest.mark.parametrize("name", CORPORA)
def test_a_parser_reads_its_miniature_as_the_miniature_means_it(name, tmp_path):
    """Names alone: what is said and how is written twice, in the grammar and in the layout."""
    corpus = CORPORA[name]
    prompts = list(corpus.miniature.prompts())
    touch(tmp_path, [p.path for p in prompts])
    for path, text in corpus.miniature.labels(prompts, lambda prompt: Ratings(3.0, 3.0), 0).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("".join(text), encoding="latin-1", newline="")
    utterances = corpus.parse(tmp_path).utterances
    meant = {str(tmp_path / p.path): p for p in prompts}
    assert {u.wav for u in utterances} == set(meant)
    assert [(u.wav, u.emotion) for u in utterances if u.emotion != meant[u.wav].emotion] == []
    assert [u.wav for u in utterances if u.gender not in (None, meant[u.wav].gender)] == []
    assert set(Counter(u.emotion for u in utterances)) <= set(corpus.counts or EMOTIONS)
    assert {u.language for u in utterances} == set(corpus.languages)
    assert len({u.speaker for u in utterances}) == len({p.speaker for p in prompts})
    assert len({u.speaker for u in utterances}) <= (corpus.n_speakers or math.inf)
