"""Definitions below tables, and notes of single rows and tables. Measures are defined in their entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ser.results import measures
from ser.results.measures import definitions_of

NOTES = (
    ("sees", """the data that a system has seen of the tested corpus before the test. Labels are those of utterances
     of other folds. Audio is unlabelled: utterances of the task's classes for `corpus` statistics, and all utterances
     of a speaker for `speaker` statistics; with adversarial domains, test audio is the audio of the test utterances
     in the domain loss."""),
    ("chance, majority, shortcut", """chance guesses evenly; majority always predicts the source's most frequent
     class; shortcut sees only duration, level, and silence."""),
    ("★", """the best of all systems, leaving out those with a flag that others lack and, unless all are, systems
     trained on labels of the target beyond k shots. The best are chosen by the scores themselves, so the tests find
     slightly too few ties."""),
    ("=", """the best of another kind that is not significantly worse than ★ at the 5 % level, which does not mean
     equally good."""),
    ("best of its kind", """systems with the same feature, data seen of the target, and flags are compared with the
     best of them, if its interval is above chance, by the same test, corrected for their number. `not worse than` it
     are those for which the test finds no difference."""),
    ("worse than", """significantly worse than the system that it is held against, or than the feature's first system
     that has seen no target data."""),
    ("one training", "of a random method: its interval is about that training only, and no test is made."),
    ("predicts one class", "in how many of all folds and draws only one class was predicted."),
)  # fmt: skip
"""What holds for a whole table of scores: terms and what they mean."""

PROBES = (
    ("", """Balanced accuracy, per cent, of a logistic regression that reads a domain from the embeddings of other
     utterances (five folds; for all but the speaker, of other speakers), mean ± standard deviation over seeds; on
     up to 400 utterances of training and test."""),
    ("proxy A-distance", """between source and target: 2 where they can be separated without error, 0 where only by
     guessing."""),
    ("baseline", "before adaptation."),
)  # fmt: skip
"""Of tables of domain probes."""

MATRICES = (
    ("direction", """from a source corpus to a target corpus. `others`: all corpora of the recipe but the target. All
     systems of a target are tested on the same folds, support sets and utterances, whatever their source is."""),
    ("UAR", """mean of the per-class recalls, all folds of a target scored together, mean over seeds and draws. Chance
     and the majority class are at one over the number of classes."""),
    ("mean", "the plain mean over directions."),
    ("gain", """UAR minus that of the system named, which has seen nothing of the target, on the same utterances,
     seeds and support sets."""),
    ("intervals", """95 %, of speakers, seeds and support sets as random factors (delete-one-speaker jackknife within
     each target, two-way layout of seeds and draws, Satterthwaite's degrees of freedom). Not corrected for the number
     of directions. None where one speaker has all utterances of a class."""),
    ("below", """in how many directions a system is below the one named: in brackets those whose interval excludes 0.
     Support only: a logistic regression on the k shots, without a source. Shortcut: the same features of duration,
     level and silence, trained on the shots for systems with shots, on the source for others."""),
    ("balanced n, skewed n", """the mean UAR if only n utterances of each tested speaker are there, with balanced
     classes or with class shares from a Dirichlet distribution (0.5), pooled over draws, for seed 1. A system that
     uses all utterances of a tested speaker together rests on balance as far as it loses from one to the other."""),
    ("chosen by the others", """the system with the best mean over the directions in which a target has no part, among
     those that see as much, and its mean over the sources of that target; so it is what one would choose without a
     look at the target. Best of all is chosen on the target itself, which nobody can do in advance."""),
    ("target data", """what a system has seen of the target before it is tested: unlabelled-train is audio of its
     training speakers, unlabelled-test that of the tested speakers themselves, k-shot its support set, labelled all
     labels of its training speakers."""),
)  # fmt: skip
"""Of a matrix of sources and targets."""

Definitions = Sequence[Sequence[str]]
"""Terms, "" for none, and what they mean."""


def definitions() -> dict[str, list[list[str]]]:
    """Define the terms of each kind of table, as RESULTS.json holds them."""
    return {
        "tables": [*definitions_of(measures.MEASURES), *_flat(NOTES)],
        "fits": definitions_of(measures.FIT_MEASURES),
        "probes": _flat(PROBES),
        "matrices": _flat(MATRICES),
    }


def _flat(terms: Definitions) -> list[list[str]]:
    return [[term, " ".join(text.split())] for term, text in terms]


def notes_of(rows: Iterable[tuple[str, Sequence[Mapping[str, Any]]]]) -> str:
    """Say which factors had no domain head, as training noted for each system; "" where all had one.

    Args:
        rows: label and `metrics.json` of each seed.
    """
    labels: dict[str, list[str]] = {}
    for label, seeds in rows:
        for note in seeds[0]["notes"]:
            labels.setdefault(note, []).append(label)
    heads = {note.partition(": ")[::2]: ", ".join(own) for note, own in labels.items()}
    return " ".join(f"No head for {name} ({why}) in {own}." for (name, why), own in heads.items())


def costs_note(costs: Iterable[tuple[str, float | str]]) -> str:
    """Say which linear references were tuned, and which were not; "" without any.

    Args:
        costs: label of a system, and its cost, a number or `nested`.

    Example:
        >>> costs_note([("svc", "nested"), ("support_only", 1.0)])
        'Cost (C) chosen by training speakers left out in turn: svc. Cost fixed, not tuned: support_only 1.'
    """
    both = list(dict.fromkeys(costs))
    tuned = [label for label, cost in both if isinstance(cost, str)]
    fixed = [f"{label} {cost:g}" for label, cost in both if not isinstance(cost, str)]
    texts = [
        ("Cost (C) chosen by training speakers left out in turn", tuned),
        ("Cost fixed, not tuned" if tuned else "Cost (C) fixed, not tuned", fixed),
    ]
    return " ".join(f"{what}: {', '.join(labels)}." for what, labels in texts if labels)


SPEAKER_DEPENDENT = "SPEAKER-DEPENDENT"
"""Stamp of systems some of whose tested speakers were trained on."""

SPEAKER_IS_EMOTION = "speaker ~ emotion"
"""Stamp of systems that see the emotion through statistics of speakers."""
