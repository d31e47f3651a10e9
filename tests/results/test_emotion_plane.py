"""Emotions in the plane: means by hand, and the factors on valence that the means of IEMOCAP allow."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ser.bin import emotion_plane as command
from ser.errors import DataError
from ser.losses.emotion_distance import PURE_NEGATIVE
from ser.results import emotion_plane
from ser.results.emotion_plane import Place, distances, places, weights_for
from ser.types import Utterance

IEMOCAP = {
    name: Place(valence, arousal, 0.0, 0.0, 1)
    for name, valence, arousal in (
        ("angry", 1.895, 3.662), ("happy", 3.969, 3.404), ("neutral", 2.988, 2.726), ("sad", 2.243, 2.571)
    )
}  # fmt: skip
"""Means of the 5,531 turns, the points of the paper's Fig. 1."""


def utterance(i: int, emotion: str, valence: float | None, arousal: float | None) -> Utterance:
    return Utterance(utt_id=f"emodb-03-{i}", speaker="emodb-03", wav="x.wav", emotion=emotion, emotion_native="x",
                     gender=None, language="de",
                     valence=valence, arousal=arousal)  # fmt: skip


def test_means_and_deviations_by_hand():
    said = [utterance(0, "sad", 1.0, 2.0), utterance(1, "sad", 3.0, 2.5), utterance(2, "sad", None, 5.0),
            utterance(3, "happy", 4.0, 3.0), utterance(4, "bored", 1.0, 1.0)]  # fmt: skip
    of = places(said, {u.utt_id: u.emotion for u in said[:4]})
    assert of == {"happy": Place(4.0, 3.0, 0.0, 0.0, 1), "sad": Place(2.0, 2.25, 1.0, 0.25, 2)}


def test_distances_of_the_paper_s_figure():
    found = distances(IEMOCAP)
    assert {f"{a}-{b}": round(far, 2) for (a, b), far in found.items()} == {
        "angry-happy": 2.09, "happy-sad": 1.92, "angry-neutral": 1.44, "happy-neutral": 1.19, "angry-sad": 1.15,
        "neutral-sad": 0.76,
    }  # fmt: skip
    assert distances(IEMOCAP, weight=0.0)["happy", "neutral"] == pytest.approx(3.404 - 2.726)


def test_valence_has_to_be_compressed_for_the_paper_s_pairs():
    """Not by any factor: only from a third to a half; happy and sad are the farthest from 0.42 on."""
    ((low, high),) = weights_for(IEMOCAP, PURE_NEGATIVE)
    assert (round(low, 2), round(high, 2)) == (0.32, 0.52)
    farther = [w for w in np.arange(low, high, 0.001) if next(iter(distances(IEMOCAP, w))) == ("happy", "sad")]
    assert min(farther) == pytest.approx(0.42, abs=0.01)


def test_factors_are_those_of_a_slow_search():
    rng = np.random.default_rng(0)
    for _ in range(30):
        of = {name: Place(*rng.uniform(1, 5, 2), 0.0, 0.0, 1) for name in IEMOCAP}
        found = weights_for(of, PURE_NEGATIVE)
        for w in np.linspace(0.0005, 0.9995, 200):
            far = set(list(distances(of, w))[:2]) == set(PURE_NEGATIVE)
            if not any(math.isclose(w, edge, abs_tol=1e-3) for part in found for edge in part):
                assert far == any(low <= w <= high for low, high in found)


def test_a_class_without_ratings_is_named():
    said = [utterance(0, "sad", None, None)]
    with pytest.raises(DataError, match="no rating of valence and arousal for 'sad'"):
        places(said, {said[0].utt_id: "sad"})


def test_the_command_prints_and_draws(tmp_path, monkeypatch, capsys):
    said = [utterance(i, name, own.valence, own.arousal) for i, (name, own) in enumerate(IEMOCAP.items())]
    monkeypatch.setattr(command, "read_data_dir", lambda _: said)
    drawn = []
    write = emotion_plane.write_figure
    monkeypatch.setattr(emotion_plane, "write_figure", lambda *a: (drawn.append(a[0].axes[0]), write(*a)))
    command.main([str(tmp_path / "emodb"), "--out", str(tmp_path / "f.png")])
    printed = capsys.readouterr().out
    assert "happy      valence 3.97 (sd 0.00), arousal 3.40 (sd 0.00), 1 utterances" in printed
    assert "angry-sad and happy-sad are the farthest apart with valence times 0.32 to 0.52\n" in printed
    assert (tmp_path / "f.png").stat().st_size > 1000
    (axes,) = drawn
    points = [tuple(line.get_data()[axis][0] for axis in (0, 1)) for line in axes.lines if len(line.get_xdata()) == 1]
    assert {*points} >= {(own.valence, own.arousal) for own in IEMOCAP.values()}
    unrated = [utterance(i, name, None, None) for i, name in enumerate(IEMOCAP)]
    monkeypatch.setattr(command, "read_data_dir", lambda _: unrated)
    with pytest.raises(DataError, match=r"emodb: no rating .* set DAS2022 in conf/db.sh, and run stage 1"):
        command.main([str(tmp_path / "emodb")])
