"""The 88 functionals of eGeMAPS (Eyben et al. 2016), computed by audEERING's openSMILE at a file's own rate.

openSMILE is an extra, `pip install '.[egemaps]'`: its license allows private use and research, no products.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def egemaps(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Describe an utterance by eGeMAPSv02; its functionals are those of eGeMAPSv01b.

    Args:
        samples: in [-1, 1], (T,) float32.
        rate_hz: their rate; Das 2022 states none.

    Returns:
        (88,) float32.
    """
    return _smile()(samples, rate_hz).reshape(-1)


@cache
def _smile() -> Any:
    import opensmile

    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
