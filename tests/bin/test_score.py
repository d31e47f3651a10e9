"""Which run is scored before the process is copied."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ser.bin import score


def row(name: str, reads: str, *seen: str):
    return SimpleNamespace(
        name=name, reads=reads, config=None, method=SimpleNamespace(target_data=lambda _: set(seen))
    )


@pytest.mark.parametrize(
    "names, alone",
    [(["few", "none", "few2"], ["none"]), (["few", "few2"], []), (["few", "few2", "later"], ["later"])],
)
def test_what_trains_for_its_calibration_is_scored_in_copies_only(names, alone, monkeypatch):
    """A process whose autograd has run with a GPU in sight can have no copies that train."""
    rows = {"few": row("few", "a", "k-shot"), "few2": row("few2", "a", "k-shot", "unlabelled-train"),
            "none": row("none", "a", "labelled"), "later": row("later", "b")}  # fmt: skip
    scored, copied = [], []
    monkeypatch.setattr(score, "_score", lambda recipe, row, *_: scored.append(row.name) or row.name)

    def side_by_side(recipe, runs, *_):
        copied.extend(row.name for row, _ in runs)
        return iter([row.name for row, _ in runs])

    monkeypatch.setattr(score, "_score_side_by_side", side_by_side)
    recipe = SimpleNamespace(run_data=lambda *_, **__: None)
    said = list(score._score_all(recipe, [(rows[name], 1) for name in names], "cpu", 2))
    assert scored == alone and set(said) == set(names)
    assert sorted(scored + copied) == sorted(names)
