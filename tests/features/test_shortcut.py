from __future__ import annotations

import math

import numpy as np
import pytest

from ser.features.shortcut import NAMES, shortcut

FRAME = 400  # samples in 25 ms


def describe(*parts: tuple[float, int]) -> dict[str, float]:
    """Describe a signal of square waves, given as (amplitude, frames)."""
    wav = np.concatenate([a * np.tile(np.float32([1.0, -1.0]), n * FRAME // 2) for a, n in parts])
    return dict(zip(NAMES, shortcut(wav).tolist(), strict=True))


def test_a_tone_among_silences_has_known_shares_and_levels():
    found = describe((0, 10), (0.5, 20), (0, 10), (0.5, 10), (0, 5))
    db = 20 * math.log10(0.5)  # -6.02
    levels = np.repeat([-100.0, db, -100, db, -100], [10, 20, 10, 10, 5])  # 1e-10 is added to the power of silence
    assert found == pytest.approx(
        {
            "log duration": math.log(55 * 0.025),
            "level": levels.mean(),
            "level deviation": levels.std(),
            "peak": db,
            "silence": 25 / 55,
            "leading silence": 10 / 55,
            "trailing silence": 5 / 55,
        },
        abs=1e-3,
    )


@pytest.mark.parametrize(("quiet", "silence"), [(0.5 / 10 ** (29 / 20), 0), (0.5 / 10 ** (31 / 20), 0.5)])
def test_silent_is_30_db_below_the_loudest_frame(quiet, silence):
    assert describe((0.5, 4), (quiet, 4))["silence"] == silence


def test_gain_moves_levels_and_nothing_else():
    loud, soft = describe((0.8, 8), (0.4, 8)), describe((0.08, 8), (0.04, 8))
    differences = {name: loud[name] - soft[name] for name in NAMES}
    assert differences == pytest.approx(dict.fromkeys(NAMES, 0) | {"level": 20, "peak": 20}, abs=2e-3)


def test_digital_silence_and_single_samples_have_finite_values():
    for wav in (np.zeros(16_000), np.ones(1), np.zeros(1)):
        assert np.isfinite(shortcut(wav.astype(np.float32))).all()
