"""Sums of variances: of speakers left out in turn, of seeds and draws, and the t that belongs to them.

Which of them a UAR or a difference has is in `ser.metrics.uncertainty`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LEVEL = 0.95
"""Of intervals."""


class Term(NamedTuple):
    """One summand of a variance, with its degrees of freedom."""

    variance: float
    df: float


def repetition_terms(uars: np.ndarray) -> list[Term]:
    """Part the variance of the mean of K x D UARs, (K, D), between seeds, draws and their interaction.

    A factor with one level has no summand. The last summand is negative: the other two both hold it.
    """
    n_seeds, n_draws = uars.shape
    of_seeds, of_draws = uars.mean(1), uars.mean(0)
    terms = []
    if n_seeds > 1:
        terms.append(Term(float(of_seeds.var(ddof=1)) / n_seeds, n_seeds - 1))
    if n_draws > 1:
        terms.append(Term(float(of_draws.var(ddof=1)) / n_draws, n_draws - 1))
    if n_seeds > 1 and n_draws > 1:
        residual = uars - of_seeds[:, None] - of_draws + uars.mean()
        df = (n_seeds - 1) * (n_draws - 1)
        terms.append(Term(-float((residual**2).sum()) / df / uars.size, df))
    return terms


def jackknife(left_out: np.ndarray) -> Term:
    """Compute the variance of an estimate from its values without each unit, (n,) (Efron & Stein 1981)."""
    n = len(left_out)
    return Term(float((n - 1) * left_out.var()), n - 1)


def total(terms: list[Term]) -> float:
    """Add up summands; the sum is no less than the largest of them."""
    return max([0.0, sum(term.variance for term in terms), *(term.variance for term in terms)])


def degrees_of_freedom(terms: list[Term]) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite 1946), no fewer than its smallest summand has."""
    spread = sum(term.variance**2 / term.df for term in terms)
    fewest = min(term.df for term in terms)
    return max(fewest, total(terms) ** 2 / spread) if spread else fewest


def quantile(df: float, level: float = LEVEL) -> float:
    """Give the t that a share `level` of Student's distribution lies within, on both sides of 0."""
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + level) / 2))


def p_value(value: float, se: float, df: float) -> float:
    """Give the two-sided p of value / se under Student's distribution; 0 or 1 without a standard error."""
    from scipy.special import stdtr

    if se == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stdtr(df, -abs(value) / se))


class Logit:
    """The logit of a share of n utterances, half an utterance away from 0 and 1 (Haldane 1956)."""

    def __init__(self, n: float):
        self.n = float(n)

    def __call__(self, share: np.ndarray) -> np.ndarray:
        inner = (share * self.n + 0.5) / (self.n + 1)
        return np.log(inner / (1 - inner))

    def slope(self, share: float) -> float:
        """Give the derivative at a share."""
        inner = (share * self.n + 0.5) / (self.n + 1)
        return self.n / (self.n + 1) / (inner * (1 - inner))

    def inverse(self, value: np.ndarray) -> np.ndarray:
        """Give the share, within [0, 1]."""
        return np.clip(((self.n + 1) / (1 + np.exp(-value)) - 0.5) / self.n, 0, 1)
