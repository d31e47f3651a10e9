"""Agreement of two sequences of ratings. Not here: how much of one is linear in others (`ser.metrics.linear_fit`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser.errors import DataError


def ccc(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """Concordance correlation coefficient: 1 only where both sequences are equal, not just linear in each other.

    2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))^2)                                    Lin 1989, Eq. 1

    Variances and covariance divide by n (population), as the challenges of this field do; dividing by n - 1 would
    give other values wherever the means differ.

    Args:
        x, y: ratings and their predictions on one scale, (n,) each, n >= 1; the order does not matter.

    Returns:
        In [-1, 1]; NaN where both are the same constant.

    Raises:
        DataError: if the lengths differ, there are no values, or one is not finite.

    Example:
        >>> round(ccc([1, 2, 3], [2, 3, 4]), 6)  # 2 (2/3) / (2/3 + 2/3 + 1) = 4/7
        0.571429
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or not x.size:
        raise DataError(f"ccc needs two sequences of one length, at least 1, found {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("ccc needs finite values, found NaN or infinity")
    if x.min() == x.max() == y.min() == y.max():
        return float("nan")
    a, b = x - x.mean(), y - y.mean()
    spread = (a * a).mean() + (b * b).mean() + (x.mean() - y.mean()) ** 2
    return float(2 * (a * b).mean() / spread)
