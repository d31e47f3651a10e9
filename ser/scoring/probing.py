"""Domain information in the embeddings of a trained model, and their positions in the plane.

Embedded are utterances of one split: those that its model was trained on and those that it is tested on. Not here:
the measures (`ser.metrics.domain`), and what an embedding is, which is each method's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ser.metrics.domain import Probe, domain_probe, proxy_a_distance
from ser.splits.lists import Split


class Effort(NamedTuple):
    """How much is computed.

    Attributes:
        n_utts: utterances that are embedded at most, evenly spaced among all in the order of their ids.
        n_folds: of a probe, at most.
        n_iterations: of t-SNE.
    """

    n_utts: int
    n_folds: int
    n_iterations: int


FULL = Effort(n_utts=400, n_folds=5, n_iterations=500)

MINI = Effort(n_utts=100, n_folds=3, n_iterations=250)
"""On miniature corpora, where probes and planes took two thirds of stage 5."""


def embedded_utts(split: Split, n: int) -> list[str]:
    """Choose the utterances of a split that are embedded, `n` at most, each corpus and speaker by its share."""
    utts = sorted({*split.train, *split.dev, *split.test})
    return [utts[i] for i in np.linspace(0, len(utts) - 1, min(len(utts), n)).round().astype(int)]


def domain_measures(
    h: np.ndarray,
    utts: Sequence[str],
    factors: Mapping[str, Mapping[str, str]],
    sources: set[str],
    n_folds: int = FULL.n_folds,
) -> dict[str, Any]:
    """Measure how well domains can be read from embeddings.

    Args:
        h: embeddings, (N, D).
        utts: utterances, (N,).
        factors: speaker, gender, language and corpus -> utterance -> its own, where it is known.
        sources: corpora with labels in training.
        n_folds: of a probe, at most.

    Returns:
        `n_utts`; `probes`, factor -> `uar` and `chance` in [0, 1], where two domains or more can be probed;
        `proxy_a_distance` between sources and the other corpora, None where one side has no two speakers.
    """
    speakers = np.array([factors["speaker"][utt] for utt in utts])
    is_target = np.array([factors["corpus"][utt] not in sources for utt in utts])
    distance = None
    with threadpool_limits(1):  # what several threads would share is too small for them
        probes = {
            name: _probe(h, [own.get(utt) for utt in utts], speakers, name, n_folds) for name, own in factors.items()
        }
        if min(len(set(speakers[is_target])), len(set(speakers[~is_target]))) > 1:
            both = h[~is_target], h[is_target], speakers[~is_target], speakers[is_target]
            distance = proxy_a_distance(*both, n_folds=n_folds)
    return {
        "n_utts": len(utts),
        "probes": {factor: {"uar": p.balanced_accuracy, "chance": p.chance} for factor, p in probes.items() if p},
        "proxy_a_distance": distance,
    }


def _probe(
    h: np.ndarray, domains: Sequence[str | None], speakers: np.ndarray, factor: str, n_folds: int
) -> Probe | None:
    """Probe the domains that have two utterances, or for any factor but the speaker two speakers."""
    units = np.arange(len(h)) if factor == "speaker" else speakers
    n_units = Counter(name for name, _ in {(name, unit) for name, unit in zip(domains, units.tolist(), strict=True)})
    rows = np.array([name is not None and n_units[name] > 1 for name in domains])
    names = np.array(domains, dtype=object)[rows].astype(str)
    if len(set(names)) < 2:
        return None
    return domain_probe(h[rows], names, None if factor == "speaker" else units[rows], n_folds=n_folds)


def plane(h: np.ndarray, seed: int, n_iterations: int = FULL.n_iterations) -> np.ndarray:
    """Lay embeddings (N, D) out in the plane by t-SNE, (N, 2), whose axes and distances across have no unit."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(h) - 1) / 3)
    with threadpool_limits(1):
        tsne = TSNE(init="pca", perplexity=perplexity, max_iter=n_iterations, random_state=seed, n_jobs=1)
        return tsne.fit_transform(h)


def plane_table(
    h: np.ndarray,
    utts: Sequence[str],
    split: Split,
    corpora: Mapping[str, str],
    seed: int,
    n_iterations: int = FULL.n_iterations,
) -> pd.DataFrame:
    """Write down where utterances lie, with what colors them: columns utt_id, corpus, class, x and y."""
    label = {**split.train, **split.dev, **split.test}
    x, y = plane(h, seed, n_iterations).T
    names = {"utt_id": utts, "corpus": [corpora[utt] for utt in utts], "class": [label[utt] for utt in utts]}
    return pd.DataFrame(names | {"x": x, "y": y})
