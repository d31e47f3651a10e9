"""Scores and how far they can be trusted; metrics take `(true, pred)`."""

from ser.metrics.classification import macro_f1, uar, wa

__all__ = ["macro_f1", "uar", "wa"]
