"""Do 95 % intervals cover 95 %, and do tests at 5 % reject 5 %, when speakers and trainings are both drawn?

usage: python benchmarks/interval_coverage.py [N_EXPERIMENTS]

An utterance of class c, speaker s, is recognized by training k with the probability
logistic(m + b_c + a_s + a_sc + d_k + d_ks), all but m and b_c normal; four classes, 3 to 13 utterances of each by
each speaker. The truth is the expected UAR over new speakers and new trainings; for one seed, that training's own.
The last column tests two methods of the same truth, each with K seeds of its own, on the same speakers.
"""

from __future__ import annotations

import sys

import numpy as np

from ser.metrics.uncertainty import uar_difference, uar_estimate

SPEAKERS = (4, 6, 10, 24, 29)
SEEDS = (1, 3, 10)
MEAN, OF_CLASSES = 0.6, np.linspace(-0.8, 0.8, 4)
SD_SPEAKER, SD_SPEAKER_CLASS, SD_SEED, SD_SEED_SPEAKER = 0.5, 0.4, 0.3, 0.3


def main(n_experiments: int) -> None:
    print("| speakers | seeds | interval covers | test rejects |")
    print("|---:|---:|---:|---:|")
    for n_speakers in SPEAKERS:
        for n_seeds in SEEDS:
            shares = 100 * np.mean(_experiments(n_speakers, n_seeds, n_experiments), axis=0)
            print(
                f"| {n_speakers} | {n_seeds} | " + " | ".join(f"{share:.1f}" for share in shares) + " |", flush=True
            )


def _experiments(n_speakers: int, n_seeds: int, n: int) -> list[list[bool]]:
    rng = np.random.default_rng([n_speakers, n_seeds])
    found = []
    for _ in range(n):
        n_true = rng.integers(3, 14, (n_speakers, 4))
        of_speakers = rng.normal(0, SD_SPEAKER, (n_speakers, 1)) + rng.normal(0, SD_SPEAKER_CLASS, (n_speakers, 4))
        sides = [_counts(rng, n_true, of_speakers, n_seeds) for _ in range(2)]
        counts, of_seeds = sides[0]
        truth = _expected(of_seeds[0] if n_seeds == 1 else None)
        bounds = uar_estimate(counts, is_random=True).interval
        a, b = counts, sides[1][0]
        tested = uar_difference(a, b, is_random=True, paired=False).p
        found.append([bounds.low <= truth <= bounds.high, tested is not None and tested < 0.05])
    return found


def _counts(
    rng: np.random.Generator, n_true: np.ndarray, of_speakers: np.ndarray, n_seeds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw trainings and what they recognize: counts (K, 1, S, C, C), and what each seed adds, (K,)."""
    of_seeds = rng.normal(0, SD_SEED, n_seeds)
    both = rng.normal(0, SD_SEED_SPEAKER, (n_seeds, len(n_true), 1))
    hits = rng.binomial(n_true, _logistic(MEAN + OF_CLASSES + of_speakers + of_seeds[:, None, None] + both))
    counts = np.zeros((n_seeds, 1, *n_true.shape, 4), dtype=int)
    for c in range(4):
        counts[:, 0, :, c, c] = hits[..., c]
        counts[:, 0, :, c, (c + 1) % 4] = n_true[:, c] - hits[..., c]
    return counts, of_seeds


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)


def _expected(of_seed: float | None) -> float:
    """Integrate UAR over speakers and, unless one is given, over trainings (Gauss-Hermite)."""
    sds = (SD_SPEAKER, SD_SPEAKER_CLASS, SD_SEED_SPEAKER, *(() if of_seed is not None else (SD_SEED,)))
    values = _logistic(MEAN + (of_seed or 0) + OF_CLASSES[:, None] + np.sqrt(np.square(sds).sum()) * _NODES)
    return float((values @ _WEIGHTS / _WEIGHTS.sum()).mean())


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
