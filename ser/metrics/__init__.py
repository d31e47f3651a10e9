"""Scores and how far they can be trusted; metrics take `(true, pred)`."""

from ser.metrics.classification import macro_f1, uar, wa
from ser.metrics.concordance import ccc
from ser.metrics.linear_fit import adjusted_r2

__all__ = ["adjusted_r2", "ccc", "macro_f1", "uar", "wa"]
