"""SMAP, this project's own (docs/smap.md): class means are adapted from the sources to the target corpus to each
speaker, in closed form, on cached embeddings x of any frozen upstreams. For class c and target speaker s:

    x | c, s  ~ N(m_{c,s}, W)           (1)
    m_{c,s}   ~ N(M_c, W / tau_s)       (2)
    M_c       ~ N(mu_c, W / tau_c)      (3)

tau counts utterances: a source's mean is worth tau_c of the target corpus, a corpus' mean tau_s of a speaker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator
from scipy.special import softmax

from ser.adaptation.base import MIN_DEVIATION, sees
from ser.config import ConfigModel
from ser.errors import DataError
from ser.methods.base import About, History, Job, Prediction, State
from ser.metrics.speaker_classes import one_class_evidence, speaker_information
from ser.splits.lists import Split
from ser.system.devices import Device
from ser.training import gaussian_map as gaussian
from ser.training.run_data import RunData, by_corpus

ABOUT = About(paper=None, needs_torch=False, few_shot=True, by_corpus=True, is_random=False, adaptation="statistics")

MIN_UTTERANCES = 3
"""Speakers with fewer are left out of the guard's index."""


class EmConfig(ConfigModel):
    """Step 4: rounds of EM (0: every utterance by itself), its tau_s, and T, as dimensions are not independent."""

    rounds: int = Field(ge=0)
    tau_s: float = Field(gt=0)
    temperature: float = Field(gt=0)


class TeachingConfig(ConfigModel):
    """Step 5: rounds, the target's share g in mu_c and W without shots, and the number of shots that halves it."""

    rounds: int = Field(ge=1)
    share: float = Field(gt=0, lt=1)
    half_at: float = Field(gt=0)


class GuardConfig(ConfigModel):
    """Step 6: log odds of one class per speaker are slope (index - threshold), index of posteriors at `temperature`,
    and the evidence of shots with the Dirichlet concentrations `pure` and `mixed`."""

    temperature: float = Field(gt=0)
    threshold: float
    slope: float = Field(gt=0)
    pure: float = Field(gt=0)
    mixed: float = Field(gt=0)


class Config(ConfigModel):
    """The steps of docs/smap.md: `statistics`, shrunk by `own` utterances, deviations up to `clip` (1); `shrinkage`
    of W, `weights` of features (2); whether `shots` are used, tau (3); EM (4); teaching (5), guard (6) or null."""

    method: Literal["smap"]
    statistics: Literal["source", "corpus", "speaker"]
    own: float = Field(ge=0)
    clip: float = Field(gt=0)
    shrinkage: float = Field(gt=0, le=1)
    weights: dict[str, float]
    shots: bool
    tau_c: float = Field(gt=0)
    tau_s: float = Field(gt=0)
    em: EmConfig
    teaching: TeachingConfig | None
    guard: GuardConfig | None

    @model_validator(mode="after")
    def _steps_fit(self) -> Config:
        if self.statistics != "speaker" and (self.em.rounds or self.teaching or self.guard):
            raise ValueError(f"statistics: '{self.statistics}' goes with em.rounds=0 teaching=null guard=null; those "
                             "steps are about speakers")  # fmt: skip
        return self


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Name what a row sees of a tested corpus."""
    return sees(config.statistics) | {*["labelled"] * is_source, *["k-shot"] * config.shots}


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from: the sources', and the shots."""
    supports = split.support.values() if config.shots else ()
    return {**(split.train or split.labelled), **{u: name for support in supports for u, name in support.items()}}


def moments(data: RunData, utts: Sequence[str]) -> np.ndarray:
    """Give mean, variance within speakers and variance of a corpus, (3, D)."""
    x = data.x[data.rows(utts)].astype(np.float64)
    within = sum(len(own) * x[own].var(0) for own in data.by_speaker(utts).values()) / len(x)
    return np.stack([x.mean(0), within, x.var(0)])


def z_of(
    data: RunData, utts: Sequence[str], how: str, of_corpus: Mapping[str, np.ndarray], config: Config
) -> np.ndarray:
    """Compute z = (x - mean) / deviation, (n, D), each speaker by the utterances that are given.

    With `how` = speaker, they are the speaker's, shrunk as (n v_s + own v) / (n + own); else those of the corpus.
    `of_corpus` has `moments` by corpus, all sources' by the name "".
    """
    x = data.x[data.rows(utts)].astype(np.float64)
    for own in data.by_speaker(utts).values():
        mean, variance, total = of_corpus.get(utts[own[0]].split("-")[0], of_corpus[""])
        if how == "speaker":
            n = len(own)
            mean = (n * x[own].mean(0) + config.own * mean) / (n + config.own)
            variance = (n * x[own].var(0) + config.own * variance) / (n + config.own)
        deviation = np.sqrt(variance if how == "speaker" else total)
        x[own] = (x[own] - mean) / np.where(deviation < MIN_DEVIATION, np.inf, deviation)
    return np.clip(x, -config.clip, config.clip)


class Source(NamedTuple):
    """Class means (C, D) and second moment (D, D) of z, classes equal; moments of corpora, see `z_of`."""

    means: np.ndarray
    second: np.ndarray
    of_corpus: Mapping[str, np.ndarray]


class Space(NamedTuple):
    """Where W = I: statistics, whitening V (D, D), and class means in it, mu V, (C, D)."""

    how: str
    of_corpus: Mapping[str, np.ndarray]
    v: np.ndarray
    mu: np.ndarray

    def x(self, data: RunData, utts: Sequence[str], config: Config) -> np.ndarray:
        """Standardize and whiten utterances, (n, D)."""
        return z_of(data, utts, self.how, self.of_corpus, config) @ self.v


def source_of(config: Config, data: RunData, labelled: Mapping[str, str], how: str) -> Source:
    """Sum up labelled utterances: every class, and every corpus in a class, weighs the same.

    Raises:
        DataError: for a class without any.
    """
    utts, y, corpora = list(labelled), data.targets(labelled), by_corpus(labelled)
    n_of = {c: np.bincount([data.classes.index(labelled[utt]) for utt in own], minlength=len(data.classes))
            for c, own in corpora.items()}  # fmt: skip
    if missing := [name for name, n in zip(data.classes, sum(n_of.values()), strict=True) if not n]:
        raise DataError(f"smap: no source has the class '{missing[0]}'")
    r = np.eye(len(data.classes))[y] / [[n_of[utt.split("-")[0]][c]] for utt, c in zip(utts, y, strict=True)]
    of_corpus = {"": moments(data, utts)} | {c: moments(data, own) for c, own in corpora.items() if how != "source"}
    return Source(*gaussian.class_moments(z_of(data, utts, how, of_corpus, config), r), of_corpus)


def space_of(source: Source, how: str, of_corpus: Mapping[str, np.ndarray], data: RunData, config: Config) -> Space:
    """Whiten: each feature by itself, scaled by the square root of its weight, so that log-likelihoods add up."""
    w = source.second - source.means.T @ source.means / len(source.means)
    v = np.zeros_like(w)
    for feature, block in data.blocks.items():
        scale = np.sqrt(config.weights.get(feature, 1.0))
        v[block, block] = gaussian.whitening(w[block, block], config.shrinkage) * scale
    return Space(how, of_corpus, v, source.means @ v)


def teach(source: Source, space: Space, data: RunData, utts: Sequence[str], config: Config) -> Space:
    """Fit mu_c and W to the sources and to the target's unlabelled speakers, again and again."""
    z, speakers = z_of(data, utts, space.how, space.of_corpus, config), data.by_speaker(utts).values()
    for _ in range(config.teaching.rounds):
        found = gaussian.class_moments(
            z, gaussian.responsibilities(z @ space.v, space.mu[None], speakers, **dict(config.em))[0]
        )
        joint = [s + config.teaching.share * (t - s) for s, t in zip(source, found, strict=False)]
        space = space_of(Source(*joint, source.of_corpus), space.how, space.of_corpus, data, config)
    return space


def taught_means(
    source: Source, space: Space, m: np.ndarray, k: int, data: RunData, utts: Sequence[str], config: Config
) -> np.ndarray:
    """Give mu_c of several models with k shots, whose M label the target's unlabelled speakers, (E, C, D)."""
    x, mu = space.x(data, utts, config), source.means @ space.v
    r = gaussian.responsibilities(x, m, data.by_speaker(utts).values(), **dict(config.em))
    share = config.teaching.share / (1 + k / config.teaching.half_at)
    return mu + share * (gaussian.weighted_sums(r, x) / r.sum(1)[..., None] - mu)


def log_odds(space: Space, data: RunData, utts: Sequence[str], config: Config) -> float:
    """Give the log odds of one class per speaker, by posteriors with statistics of the corpus and without labels."""
    guard = config.guard
    p = softmax(guard.temperature * gaussian.log_likelihood(space.x(data, utts, config), space.mu[None])[0], -1)
    of_speakers = [p[own] for own in data.by_speaker(utts).values() if len(own) >= MIN_UTTERANCES]
    return guard.slope * (speaker_information(of_speakers) - guard.threshold) if of_speakers else np.inf


def shots_evidence(data: RunData, support: Mapping[str, str], corpus: str, guard: GuardConfig) -> float:
    """Give the log odds of one class per speaker by the shots of a corpus."""
    utts = [utt for utt in support if utt.split("-")[0] == corpus]
    y = np.eye(len(data.classes))[[data.classes.index(support[utt]) for utt in utts]]
    counts = [y[own].sum(0) for own in data.by_speaker(utts).values()]
    return one_class_evidence(np.stack(counts), guard.pure, guard.mixed) if counts else 0.0


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Compute V and M for every split and support set; nothing is random."""
    state, history, tau = {}, [], (config.tau_c, config.tau_s)
    source_for = cache(lambda labelled, how: source_of(config, data, dict(labelled), how))
    space_for = cache(lambda labelled, how: space_of(source_for(labelled, how), how, {}, data, config))
    for split in data.splits:
        if not (labelled := tuple((split.train or split.labelled).items())):
            continue
        corpora = {} if config.statistics == "source" else by_corpus(split.adapt)
        target = {c: moments(data, utts) for c, utts in corpora.items()}
        spaces = {
            how: space_for(labelled, how)._replace(of_corpus={**source_for(labelled, how).of_corpus, **target})
            for how in dict.fromkeys([config.statistics, *(["corpus"] if config.guard else [])])
        }
        supports, odds = _supports(config, split), {}
        for c, utts in corpora.items() if config.guard else ():
            odds[c] = log_odds(spaces["corpus"], data, utts, config)
            for k, of_size in supports.items():
                pure = [odds[c] + shots_evidence(data, support, c, config.guard) > 0 for support in of_size]
                state[f"{split.name}.pure.{c}.k{k}"] = np.array(pure)
                said = f"{c}: speaker statistics, EM and teaching, as its speakers seem to have one emotion each"
                history.append({"split": split.name, "corpus": c, "k": k, "log_odds": odds[c], "guarded": sum(pure),
                                "models": len(pure), "left_out": said if any(pure) else ""})  # fmt: skip
        taught = [u for c, utts in corpora.items() if config.teaching and odds.get(c, 0) <= 0 for u in utts]
        if taught:
            spaces["speaker"] = teach(source_for(labelled, "speaker"), spaces["speaker"], data, taught, config)
        for how, space in spaces.items():
            arrays = {"v": space.v} | {f"moments.{c}": of for c, of in space.of_corpus.items()}
            for k, of_size in supports.items():
                shots = [_shots(space, data, split, support, config) for support in of_size]
                m = np.stack([gaussian.map_means(space.mu, *own, *tau) for own in shots])
                if k and taught and how == "speaker":
                    mu = taught_means(source_for(labelled, how), space, m, k, data, taught, config)
                    m = np.stack([gaussian.map_means(of, *own, *tau) for of, own in zip(mu, shots, strict=True)])
                arrays[f"k{k}.means"] = m
            state |= {f"{split.name}.{how}.{name}": array.astype(np.float32) for name, array in arrays.items()}
    return state, history or [{"k": 0, "models": len(data.splits)}]


def _supports(config: Config, split: Split) -> dict[int, list[Mapping[str, str]]]:
    """Give the support sets by size, in the order of draws; one empty set as size 0 without shots."""
    sizes = sorted({k for k, _ in split.support}) if config.shots else []
    return {k: [s for (size, _), s in split.support.items() if size == k] for k in sizes} or {0: [{}]}


def _shots(
    space: Space, data: RunData, split: Split, support: Mapping[str, str], config: Config
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Give vectors, classes and speakers of shots; statistics are of all of their speakers that may be seen."""
    speakers = [data.speakers[row] for row in data.rows(support)]
    by_speaker = data.by_speaker(split.adapt).items()
    others = [split.adapt[i] for speaker, own in by_speaker if speaker in speakers for i in own]
    seen = list({**support, **dict.fromkeys(others)})
    z = z_of(data, seen, space.how, space.of_corpus, config)[: len(support)]
    return z @ space.v, data.targets(support), speakers


def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score the test utterances, those of one speaker together, by posteriors of equal shares under m_{c,s}."""
    predictions = []
    for split in data.splits:
        utts, spaces = list(split.test), _stored(state, split.name)
        for k, supports in _supports(config, split).items() if spaces and utts else ():
            scores = np.empty((len(supports), len(utts), len(data.classes)))
            for own in data.by_speaker(utts).values():
                said = [utts[i] for i in own]
                pure = state.get(f"{split.name}.pure.{said[0].split('-')[0]}.k{k}", np.zeros(len(supports), bool))
                for how, draws in ((config.statistics, np.flatnonzero(~pure)), ("corpus", np.flatnonzero(pure))):
                    if len(draws):
                        x = spaces[how].x(data, said, config)
                        m = state[f"{split.name}.{how}.k{k}.means"][draws].astype(np.float64)
                        m = gaussian.em(x, m, **dict(config.em))[0] if how == "speaker" else m
                        p = softmax(config.em.temperature * gaussian.log_likelihood(x, m), -1)
                        scores[np.ix_(draws, own)] = p
            numbers = [draw for size, draw in split.support if size == k] or [0]
            predictions += [Prediction(split.name, k, d, utts, p) for d, p in zip(numbers, scores, strict=True)]
    return predictions


def _stored(state: State, split: str) -> dict[str, Space]:
    """Read the spaces of a split, by kind of statistics."""
    spaces = {}
    for how in ("source", "corpus", "speaker"):
        begin = f"{split}.{how}."
        if own := {n.removeprefix(begin): a.astype(np.float64) for n, a in state.items() if n.startswith(begin)}:
            of_corpus = {n.removeprefix("moments."): a for n, a in own.items() if n.startswith("moments.")}
            spaces[how] = Space(how, of_corpus, own["v"], np.empty(0))
    return spaces
