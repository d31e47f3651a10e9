"""The contract of a method: what its file declares, and what it may declare.

A method is a file `ser/methods/<name>.py`, or a folder of that name with `__init__.py`. Configurations find it by
`method: <name>`, and no other file names it. It has to define

    ABOUT                           what is known without running it, see `About`
    Config                          its settings, a `ConfigModel` with the field `method`
    trained_on(config, split)       whose labels it learns from in a split
    target_data(config, is_source)  what it sees of a tested corpus
    train, predict                  see `Method`

and may define the functions of `OptionalMembers`. Where a row's labels come from, tables, model cards, RESULTS.json
and the calibration of probabilities know from these members only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ser.config import ConfigModel

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from ser.splits.lists import Split
    from ser.system.devices import Device
    from ser.training.run_data import RunData

State = Mapping[str, Any]
"""Weights by name, as in `model.safetensors`: tensors, or numpy's arrays where `ABOUT` has `needs_torch=False`. Names
that begin with `SCORES` hold no weights."""

SCORES = "scores."
"""Beginning of the names under which a method keeps scores of its test utterances instead of weights."""

History = Sequence[Mapping[str, object]]
"""Rows of `history.tsv`."""


class About(NamedTuple):
    """What a method is. Its file says `ABOUT = About(...)` with plain values, which are read without running it.

    Attributes:
        paper: authors and year of the paper that it is from; None for a reference method.
        needs_torch: whether its weights are torch's tensors. Those of others are numpy's arrays, and neither their
            training nor their prediction imports torch.
        needs_gpu: whether training on real corpora takes hours without a GPU; its rows then get one, a part for each.
        finetunes: whether it trains the encoder itself, on audio: hours on a GPU, so its rows run only on request.
        starts_from: methods whose rows may be a row's `init`.
        few_shot: whether its rows adapt to support sets, k labelled utterances of each class of the target.
        by_corpus: whether it predicts for each corpus in its own way, as one classifier per corpus does.
        is_random: whether seeds give different results.
        memory: the setting that bounds the memory of training; None where nothing does.
        cost: the setting that people search by hand, as nothing else in the method is chosen; None for others.
        adaptation: the setting that names what brings corpora together before the method sees them, a file of
            `ser/adaptation/`; None where there is no such choice.
        takes_statistics: whether its standardization uses the statistics that `RunData` computes.
        trained_elsewhere: corpora whose labels it learned from before any recipe.
        unused: setting, as in `loss.alpha` -> cases in which it decides nothing. A case holds where each setting that
            it names has one of the values given; an empty one always holds.
        unused_as: a method whose `unused` holds for this one, too.
        untrained: the same for settings that decide predictions but no weights.
        weighs_layers: whether it takes several layers of an encoder apart; others would see them side by side.
    """

    paper: str | None
    needs_torch: bool
    needs_gpu: bool = False
    finetunes: bool = False
    starts_from: Sequence[str] = ()
    few_shot: bool = False
    by_corpus: bool = False
    is_random: bool = True
    memory: str | None = None
    cost: str | None = None
    adaptation: str | None = None
    takes_statistics: bool = False
    trained_elsewhere: Sequence[str] = ()
    unused: Mapping[str, Sequence[Mapping[str, Sequence[Any]]]] = MappingProxyType({})
    unused_as: str | None = None
    untrained: Mapping[str, Sequence[Mapping[str, Sequence[Any]]]] = MappingProxyType({})
    weighs_layers: bool = False


@dataclass(frozen=True)
class Prediction:
    """Class scores of one split's test utterances under one support set.

    Attributes:
        split: name of the split.
        k, draw: support set; 0 and 0 where none was used.
        utts: test utterances.
        scores: (n, C), larger is likelier.
        latent: (n, D), where the method maps utterances into a space that is held against their ratings; NaN for
            utterances that are left out there.
        are_posteriors: whether scores are probabilities; else they are distances, similarities or votes.
    """

    split: str
    k: int
    draw: int
    utts: Sequence[str]
    scores: np.ndarray
    latent: np.ndarray | None = None
    are_posteriors: bool = True


@dataclass(frozen=True)
class Job:
    """Where one row is trained for one seed.

    Attributes:
        device: `auto`, `cpu` or `cuda`.
        scratch: a folder of its own that outlives a killed process: what lets long training go on.
    """

    device: Device
    scratch: Path


class Method(Protocol):
    """What every method's module has."""

    ABOUT: About
    Config: type[ConfigModel]

    def trained_on(self, config: ConfigModel, split: Split) -> Mapping[str, str]:
        """List the utterances of a split whose labels a row learns from, with their classes.

        It takes whole lists of the split, support sets included, and leaves out what only chooses an epoch. It is
        empty for a split that the row has no model of. Where models of a split differ by the corpus that they are
        tested on (`by_corpus`), only those count whose corpus occurs in `split.test`; all of them count where that
        is empty.
        """

    def target_data(self, config: ConfigModel, is_source: bool = False) -> frozenset[str]:
        """Name what a row sees of a tested corpus, in words of `ser.types.TARGET_DATA`.

        `is_source`: the recipe trains the row on other utterances of that corpus.
        """

    def train(
        self, config: ConfigModel, data: RunData, seed: int, init: State | None, job: Job
    ) -> tuple[State, History]:
        """Train one row for one seed; `init` holds the weights of the row that it starts from."""

    def predict(self, config: ConfigModel, data: RunData, state: State, device: Device) -> list[Prediction]:
        """Score every test utterance of every split, never looking at its label."""


class OptionalMembers(Protocol):
    """What a method's module may have; `ANSWERS` holds what the first five answer where it lacks them."""

    def refuses_new_audio(self, config: ConfigModel) -> str | None:
        """Say why a row cannot score other audio than its test lists; None if it can."""

    def rating(self, config: ConfigModel) -> str | None:
        """Name the rating that the latent space of a row follows, a key of `RunData.ratings`."""

    def chooses_on_dev(self, config: ConfigModel) -> bool:
        """Whether a row keeps the epoch that is best on dev."""

    def needs_support(self, config: ConfigModel) -> bool:
        """Whether a row's prediction takes vectors of its support sets."""

    def needs_classes(self, config: ConfigModel) -> Sequence[str] | None:
        """List the classes that a row's loss is about, in the order of their indices; None if it takes any."""

    def train_together(
        self, runs: Sequence[tuple[ConfigModel, int]], data: RunData, device: Device
    ) -> list[tuple[State, History]]:
        """Train several (config, seed) on the same data by one call; each result is that of `train`."""

    def embeddings(
        self, config: ConfigModel, data: RunData, state: State, split: Split, utts: Sequence[str], device: Device
    ) -> Tensor:
        """Give (n, D) of some utterances under the model of a split, to be probed for domains and drawn."""

    def similarity(self, config: ConfigModel, data: RunData, state: State, device: Device) -> dict[str, np.ndarray]:
        """Give cosines by layer, before and after training: name -> (layers, batches)."""

    def standardized(self, config: ConfigModel, data: RunData, split: Split) -> tuple[np.ndarray, np.ndarray]:
        """Standardize all vectors (N, D) as a split allows, and flag outliers that its statistics leave out (N,)."""


ANSWERS: Mapping[str, Any] = MappingProxyType(
    {
        "refuses_new_audio": None,
        "rating": None,
        "chooses_on_dev": False,
        "needs_support": False,
        "needs_classes": None,
    }
)
"""Optional function of a configuration -> the answer of methods that lack it."""


def answer(method: ModuleType, name: str, config: ConfigModel) -> Any:
    """Call an optional function of a method, one of `ANSWERS`."""
    function: Callable[[ConfigModel], Any] | None = getattr(method, name, None)
    return ANSWERS[name] if function is None else function(config)


def adaptation_of(about: About, values: Mapping[str, Any]) -> str:
    """Name the adaptation that a configuration asks for; `none` where it has no such setting, or leaves it empty."""
    return (values.get(about.adaptation) if about.adaptation else None) or "none"


def settings_used(about: About, values: Mapping[str, Any], in_training: bool = False) -> dict[str, Any]:
    """Leave out of a configuration what decides nothing, as its method declares.

    Args:
        about: of the method.
        values: a configuration, plain.
        in_training: leave out what decides no weights, too.

    Example:
        >>> about = About(None, False, unused={"adapt.lr": [{"objective": ["source"]}]})
        >>> settings_used(about, {"objective": "source", "adapt": {"lr": 0.1, "epochs": 2}})
        {'objective': 'source', 'adapt': {'epochs': 2}}
    """
    declared = [*about.unused.items(), *(about.untrained.items() if in_training else ())]
    gone = {key for key, cases in declared if any(_holds(case, values) for case in cases)}

    def used(part: Mapping[str, Any], path: str) -> dict[str, Any]:
        return {
            name: used(value, f"{path}{name}.") if isinstance(value, Mapping) else value
            for name, value in part.items()
            if f"{path}{name}" not in gone
        }

    return used(values, "")


def _holds(case: Mapping[str, Sequence[Any]], values: Mapping[str, Any]) -> bool:
    for key, allowed in case.items():
        value: Any = values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value not in allowed:
            return False
    return True
