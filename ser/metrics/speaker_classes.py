"""Whether speakers have one class each: statistics of a speaker would then be statistics of a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import entr, gammaln


def speaker_information(posteriors: Sequence[np.ndarray]) -> float:
    """Give the share of what posteriors say of classes that is known from the speaker.

    (H(mean of all) - mean H(mean of a speaker)) / (H(mean of all) - mean H(one utterance)), means over utterances.

    Args:
        posteriors: (n_s, C) of each speaker.

    Returns:
        0 where all speakers have the same mean, 1 where all utterances of each speaker have the same posterior.

    Example:
        >>> certain = np.eye(2)
        >>> speaker_information([certain[[0, 0]], certain[[1, 1]]]), speaker_information([certain, certain])
        (1.0, 0.0)
    """
    n = np.array([len(p) for p in posteriors])
    means = np.stack([p.mean(0) for p in posteriors])
    of_all, of_speakers = entr(n @ means / n.sum()).sum(), n @ entr(means).sum(1) / n.sum()
    of_utterances = entr(np.concatenate(posteriors)).sum(1).mean()
    return float((of_all - of_speakers) / max(of_all - of_utterances, np.finfo(float).tiny))


def one_class_evidence(counts: np.ndarray, pure: float, mixed: float) -> float:
    """Give the log odds that labels give to one class per speaker against several, priors aside.

    A speaker's class shares are drawn from a symmetric Dirichlet, their labels from these: the log ratio of the
    marginal likelihoods (Dirichlet-categorical) of two concentrations.

    Args:
        counts: labels by speaker and class, (S, C).
        pure, mixed: the concentrations; near 0 a speaker has one class.

    Example:
        >>> round(one_class_evidence(np.array([[2, 0]]), 0.1, 1.0), 3)  # log((1.1 / 1.2) / (2 / 3))
        0.318
    """

    def log_marginal(a: float) -> float:
        total = counts.shape[1] * a
        of_speakers = gammaln(total) - gammaln(total + counts.sum(1)) + (gammaln(a + counts) - gammaln(a)).sum(1)
        return float(of_speakers.sum())

    return log_marginal(pure) - log_marginal(mixed)
