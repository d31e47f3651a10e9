"""Domain information in embeddings: the domain probe, and the proxy A-distance between two domains.

Both read speaker, corpus, language or gender from embeddings with a linear classifier on other utterances. Not here:
emotion scores.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ser.errors import DataError
from ser.metrics.classification import Labels, uar


class Probe(NamedTuple):
    """How well a domain can be read.

    Attributes:
        balanced_accuracy: mean over the domains of the share that was recognized, in [0, 1].
        chance: what guessing gives, 1 / number of domains.
    """

    balanced_accuracy: float
    chance: float


def domain_probe(
    embeddings: np.ndarray,
    domains: Labels,
    groups: Sequence[Any] | np.ndarray | None = None,
    *,
    n_folds: int = 5,
    inverse_penalty: float = 1.0,
    seed: int = 0,
) -> Probe:
    """Read a domain factor from embeddings by cross-validated logistic regression.

    Embeddings are standardized and domains weighted by 1 / frequency within each training fold; predictions are
    pooled over the folds and scored once.

    Args:
        embeddings: (N, D) float.
        domains: corpus, gender, language or speaker of each, (N,).
        groups: those that may not be in both training and test folds, (N,). Give the speakers for any factor other
            than the speaker: otherwise the probe recognizes persons and reads off their gender or corpus.
        n_folds: folds, stratified by domain; fewer where the largest domain has fewer utterances (groups).
        inverse_penalty: scikit-learn's C.
        seed: of the folds; equal seeds give equal folds, so that probes before and after adaptation compare.

    Raises:
        DataError: if the lengths differ, an embedding is not finite, or there are fewer than two domains; or if a
            domain has fewer than two utterances, or with groups fewer than two groups.

    Example:
        >>> x = np.arange(20.0).reshape(20, 1)
        >>> domain_probe(x, ["emodb"] * 10 + ["ravdess"] * 10)
        Probe(balanced_accuracy=1.0, chance=0.5)
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y, groups, n_members = _checked(embeddings, domains, groups)
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=inverse_penalty, class_weight="balanced", max_iter=1000)
    )
    with warnings.catch_warnings():
        # A domain with fewer members than folds is in no danger: predictions are pooled before they are scored.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        splits = splitter(min(n_folds, n_members), shuffle=True, random_state=seed)
        folds = list(splits.split(x, y, groups))
    pred = cross_val_predict(model, x, y, cv=folds)
    return Probe(uar(y, pred), 1 / len(np.unique(y)))


def proxy_a_distance(
    source: np.ndarray,
    target: np.ndarray,
    source_groups: Sequence[Any] | np.ndarray | None = None,
    target_groups: Sequence[Any] | np.ndarray | None = None,
    **probe_settings: Any,
) -> float:
    """Measure the distance of two sets of embeddings by how well a classifier separates them.

    d_A = 2 (1 - 2 err)                                                               Ben-David et al. 2007

    err is 1 - balanced accuracy of `domain_probe`, so that a larger set does not make the distance larger.

    Args:
        source, target: (N, D) and (M, D) float.
        source_groups, target_groups: speakers of each, (N,) and (M,); both or neither.
        probe_settings: `n_folds`, `inverse_penalty` and `seed` of `domain_probe`.

    Returns:
        2 if the sets can be separated without error, 0 at chance level; by chance also slightly less.

    Raises:
        DataError: as for the probe, or if the sets' dimensions differ or only one has groups.

    Example:
        >>> proxy_a_distance(np.zeros((10, 1)), np.ones((30, 1)))
        2.0
    """
    source, target = np.asarray(source), np.asarray(target)
    if source.shape[1:] != target.shape[1:]:
        raise DataError(f"expected embeddings (N, D) and (M, D), found {source.shape} and {target.shape}")
    if (source_groups is None) != (target_groups is None):
        raise DataError("groups have to be given for both source and target, or for neither")
    groups = None
    if source_groups is not None and target_groups is not None:
        groups = np.concatenate([np.asarray(source_groups), np.asarray(target_groups)])
    is_target = np.repeat([0, 1], [len(source), len(target)])  # the house's code: 0 source, 1 target
    probe = domain_probe(np.concatenate([source, target]), is_target, groups, **probe_settings)
    return 2 * (1 - 2 * (1 - probe.balanced_accuracy))


def _checked(
    embeddings: np.ndarray, domains: Labels, groups: Sequence[Any] | np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, int]:
    """Check the arrays, and count the utterances or groups of the largest domain."""
    x, y = np.asarray(embeddings), np.asarray(domains)
    groups = None if groups is None else np.asarray(groups)
    shapes = [a.shape for a in (x, y, groups) if a is not None]
    if x.ndim != 2 or any(shape != x.shape[:1] for shape in shapes[1:]):
        raise DataError(f"a probe needs embeddings (N, D), domains (N,) and groups (N,), found {shapes}")
    if not np.isfinite(x).all():
        raise DataError("a probe needs finite embeddings, found NaN or infinity")
    names = np.unique(y)
    if len(names) < 2:
        raise DataError(f"a probe needs two domains or more, found {names.tolist()}; leave this factor out")
    units = np.arange(len(y)) if groups is None else groups
    n_members = [len(np.unique(units[y == name])) for name in names]
    if (smallest := min(n_members)) < 2:
        what = "utterance" if groups is None else "group"
        name = names[n_members.index(smallest)]
        raise DataError(f"domain '{name}' has {smallest} {what}, a cross-validated probe needs 2; leave it out")
    return x, y, groups, max(n_members)
