"""Gaussian classes that share a covariance W: their means are adapted by MAP and by EM, in closed form, where W = I.

    x | c, s  ~ N(m_{c,s}, W)           (1)
    m_{c,s}   ~ N(M_c, W / tau_s)       (2)
    M_c       ~ N(mu_c, W / tau_c)      (3)

for a class c and a speaker s; tau counts utterances that a mean is worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.special import softmax


def whitening(w: np.ndarray, shrinkage: float) -> np.ndarray:
    """Give V = U / sqrt(lambda) of W after shrinkage to (tr W / D) I, so that V' W V = I, (D, D)."""
    values, vectors = np.linalg.eigh((1 - shrinkage) * w + shrinkage * np.trace(w) / len(w) * np.eye(len(w)))
    return vectors / np.sqrt(np.maximum(values, np.finfo(float).tiny))


def map_means(
    mu: np.ndarray, x: np.ndarray, y: np.ndarray, speaker: Sequence[str], tau_c: float, tau_s: float
) -> np.ndarray:
    """Give the posterior mean of M_c (Eqs. 1 to 3) after labelled utterances of several speakers, (C, D).

    A speaker's n utterances of a class count kappa = tau_s n / (tau_s + n).
    """
    sums, counts = tau_c * mu, np.full(len(mu), tau_c)
    names = np.asarray(speaker)
    for c, s in dict.fromkeys(zip(y.tolist(), names.tolist(), strict=True)):
        own = x[(y == c) & (names == s)]
        kappa = tau_s * len(own) / (tau_s + len(own))
        sums[c] += kappa * own.mean(0)
        counts[c] += kappa
    return sums / counts[:, None]


def log_likelihood(x: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Give l(x; m_c) = x m_c - |m_c|^2 / 2 of utterances (n, D) under models (E, C, D), (E, n, C)."""
    products = (x @ m.reshape(-1, m.shape[-1]).T).reshape(len(x), *m.shape[:-1])  # one large product
    return np.moveaxis(products - np.square(m).sum(-1) / 2, 0, -2)


def em(
    x: np.ndarray, of_corpus: np.ndarray, rounds: int, tau_s: float, temperature: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adapt the means M (E, C, D) of several models to the unlabelled utterances x (n, D) of a speaker.

    Returns:
        m_{c,s}, (E, C, D), the shares of classes (E, C), and responsibilities r under both, (E, n, C).
    """
    m, n_classes = of_corpus, of_corpus.shape[1]
    share = np.full(m.shape[:2], 1 / n_classes)
    r = softmax(temperature * log_likelihood(x, m), -1)
    for _ in range(rounds):
        m = (tau_s * of_corpus + weighted_sums(r, x)) / (tau_s + r.sum(1))[..., None]
        share = (r.mean(1) + 1) / (1 + n_classes)
        r = softmax(temperature * log_likelihood(x, m) + np.log(share)[:, None], -1)
    return m, share, r


def weighted_sums(r: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sum up x (n, D) by r (E, n, C), (E, C, D)."""
    return (np.swapaxes(r, 1, 2).reshape(-1, len(x)) @ x).reshape(len(r), -1, x.shape[1])


def responsibilities(
    x: np.ndarray, m: np.ndarray, speakers: Iterable[np.ndarray], rounds: int, tau_s: float, temperature: float
) -> np.ndarray:
    """Label utterances (n, D) by `em` with their speakers, whose places are given, (E, n, C)."""
    r = np.empty((len(m), len(x), m.shape[1]))
    for own in speakers:
        r[:, own] = em(x[own], m, rounds, tau_s, temperature)[2]
    return r


def class_moments(z: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give class means and second moment of z (n, D) with responsibilities r (n, C), classes equal."""
    r = r / r.sum(0)
    return r.T @ z, (z.T * r.sum(1)) @ z / r.shape[1]
