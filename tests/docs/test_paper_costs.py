"""Corpora of full size without the corpora: their counts, and hours as they are declared."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks import paper_costs
from ser.data.audio import probe
from ser.data.data_dir import read_data_dir


def test_a_corpus_has_its_declared_counts_and_hours(tmp_path):
    paper_costs.write_corpus("savee", tmp_path / "data")
    utterances = read_data_dir(tmp_path / "data" / "savee")
    assert len(utterances) == 480 and sum(u.emotion == "neutral" for u in utterances) == 120
    assert sum(u.duration for u in utterances) == pytest.approx(0.5 * 3600)
    assert probe(utterances[0].wav).duration == pytest.approx(utterances[0].duration, abs=1e-4)


def test_counts_that_are_not_the_declared_ones_are_refused(tmp_path, monkeypatch):
    savee = paper_costs.CORPORA["savee"]
    more = dataclasses.replace(savee, counts={**savee.counts, "angry": 61})
    monkeypatch.setitem(paper_costs.CORPORA, "savee", more)
    with pytest.raises(SystemExit, match="savee: .*'angry': 60.*, and not .*'angry': 61.*ser/corpora/savee.py"):
        paper_costs.write_corpus("savee", tmp_path / "data")


def test_frames_are_as_long_as_their_utterance():
    frames = paper_costs.DrawnFrames({"a": 3}, (32, 129))
    assert frames["a"].shape == (3, 32, 129) and list(frames) == ["a"] and "b" not in frames
