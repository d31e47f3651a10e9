"""How much of a quantity is linear in others: adjusted R2 and tests of it, from data or from moments by speaker.

Conventions: `y` is explained, `x` explains; every fit has an intercept. A fit needs more values than coefficients and
some spread; where there is none, the result is NaN.
"""

from __future__ import annotations

import numpy as np

from ser.errors import DataError


def adjusted_r2(y: np.ndarray, x: np.ndarray) -> float:
    """Adjusted R2 of the ordinary least squares fit of y on 1 and x.

    1 - (1 - R2) (n - 1) / (n - d - 1)

    Args:
        y: the values to explain, (n,).
        x: what explains it, (n,) or (n, d).

    Returns:
        At most 1; below 0 where x explains less than chance would. NaN if n <= d + 1 or y is constant.

    Raises:
        DataError: if the lengths differ or a value is not finite.

    Example:
        >>> round(adjusted_r2([1, 2, 2, 3], [0, 1, 2, 3]), 6)  # R2 = 0.9; 1 - 0.1 * 3 / 2
        0.85
    """
    return float(adjusted(*_fit(y, x)))


def _fit(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Give R2, n and d."""
    y, x = np.asarray(y, dtype=float), np.asarray(x, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    if y.ndim != 1 or x.ndim != 2 or len(x) != len(y):
        raise DataError(f"a linear fit needs y (n,) and x (n, d), found {y.shape} and {x.shape}")
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise DataError("a linear fit needs finite values, found NaN or infinity")
    offset = np.concatenate([x.mean(0), [y.mean()]]) if len(y) else np.zeros(x.shape[1] + 1)
    return r2_of(moments(y - offset[-1], x - offset[:-1]))


def moments(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sums of all products of (1, x, y), which add up over speakers and hold all that a fit needs.

    Args:
        y: (n,), n >= 0.
        x: (n, d).

    Returns:
        (d + 2, d + 2), the first entry n.
    """
    columns = np.concatenate([np.ones((len(y), 1)), x, np.asarray(y)[:, None]], axis=1)
    return columns.T @ columns


def r2_of(total: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Compute R2 from moments, of many fits at once.

    Args:
        total: (..., d + 2, d + 2), as of `moments`.

    Returns:
        R2 (...), NaN where there is nothing to fit; n (...); d.
    """
    n, d = total[..., 0, 0], total.shape[-1] - 2
    enough = n > d + 1
    n_safe = np.where(enough, n, 1)[..., None, None]
    sums = total[..., 0, 1:]
    covariance = total[..., 1:, 1:] / n_safe - sums[..., :, None] * sums[..., None, :] / n_safe**2
    xx, xy, yy = covariance[..., :-1, :-1], covariance[..., :-1, -1], covariance[..., -1, -1]
    spread = enough & (yy > 1e-12 * np.abs(total[..., -1, -1]) / n_safe[..., 0, 0])
    explained = (xy * (np.linalg.pinv(xx, hermitian=True) @ xy[..., None])[..., 0]).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip(explained / yy, 0, 1)  # rounding may leave it a little outside, where F is negative
        return np.where(spread, share, np.nan), n, d


def adjusted(r2: np.ndarray, n: np.ndarray, d: int) -> np.ndarray:
    """Adjust R2 for the number of coefficients."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > d + 1, 1 - (1 - r2) * (n - 1) / (n - d - 1), np.nan)


def speaker_test(by_speaker: np.ndarray) -> float:
    """p of Hotelling's test that no column of x explains y, whose unit is the speaker.

    The F-test takes utterances for independent; where speakers have levels of their own in x and y it rejects 20 to
    60 % of fits without any dependence. Here the slopes' covariance is that of a delete-one-speaker jackknife:

        T2 = b' V^-1 b, with V = (S - 1) / S sum_s (b_(s) - b_mean) (b_(s) - b_mean)'
        F(d, S - d) = T2 (S - d) / (d (S - 1))

    Args:
        by_speaker: moments of each speaker, (S, d + 2, d + 2); those without an utterance are left out.

    Returns:
        NaN with no more speakers than columns of x.
    """
    from scipy.stats import f

    own = by_speaker[by_speaker[:, 0, 0] > 0]
    n, d = len(own), by_speaker.shape[-1] - 2
    if n <= d:
        return float("nan")
    total = own.sum(0)
    slopes, left_out = _slopes(total), _slopes(total - own)
    deviations = left_out - left_out.mean(0)
    covariance = (n - 1) / n * deviations.T @ deviations
    t2 = slopes @ np.linalg.pinv(covariance, hermitian=True) @ slopes
    return float(f.sf(t2 * (n - d) / (d * (n - 1)), d, n - d))


def _slopes(total: np.ndarray) -> np.ndarray:
    """Coefficients of x, without the intercept, from moments: (..., d + 2, d + 2) to (..., d)."""
    return (np.linalg.pinv(total[..., :-1, :-1], hermitian=True) @ total[..., :-1, -1:])[..., 1:, 0]
