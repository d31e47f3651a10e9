"""Four mistakes that inflate scores, made on purpose to measure them.

A mistake is done to what a method gets, its lists or its statistics, or to how its runs are reported; no method knows
of it. So any recipe can make it with any row that leaves room for it, and everything else, the tested utterances
included, stays as it is. Honest runs and mistaken ones live in `exp/mistakes/`, apart from those of the recipe's
table.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ser.data.data_dir import read_data_dir
from ser.errors import ConfigError, ProtocolError
from ser.methods.base import answer
from ser.randomness import rng
from ser.recipe import kept
from ser.recipe.provenance import target_data
from ser.recipe.recipe import METRICS, Recipe
from ser.recipe.rows import Row
from ser.splits.audit import audit
from ser.splits.dev import draw_dev_speakers, recorded_together
from ser.splits.lists import Split, Splits, write_splits
from ser.system.files import Done, read_json
from ser.training.nested import COSTS
from ser.types import Utterance

if TYPE_CHECKING:
    from ser.training.run_data import RunData

MISTAKES = {
    "speaker_leak": """
A random split, as `KFold(shuffle=True)` makes it, instead of one by speakers: within each class of a tested corpus,
utterances are exchanged at random, regardless of speakers. Every fold keeps its number of training and test
utterances of each class, and the folds together test the same utterances, but tested speakers are also in training.
The leak audit is waived only for speakers and recording sessions: identical audio stays on one side.
""",
    "test_selection": """
Settings are chosen on the test utterances. Methods that choose their best epoch on dev speakers choose it on each
fold's test list. Linear models have no epochs; they have the usual grid search for the best cost of each fold (the
smallest of equal ones). The honest run searches on training speakers who are left out in turn, the mistake on the
tested speakers. Both choose among the same models.
""",
    "best_seed": """
The best of several seeds is reported, by its score on the test utterances, instead of the mean over all of them. The
interval takes the chosen seed as it is; another draw of seeds would choose another, and there is no p of a choice.
""",
    "global_norm": """
Mean and deviation of the features are taken from all utterances before they are split, the tested ones included,
instead of from the training part of each fold.
""",
}
"""Name on the command line -> the mistake, and the run that it is compared with."""

STAMPS = {
    "speaker_leak": "SPEAKER-DEPENDENT",
    "test_selection": "SELECTED ON TEST",
    "best_seed": "BEST SEED",
    "global_norm": "NORMALIZED WITH TEST DATA",
}
"""The flag of every score with a mistake."""

Arm = Literal["honest", "mistaken"]

OWN_LISTS = ("speaker_leak", "test_selection")
"""Mistakes that are done to lists."""

WAIVED = ("speaker", "recording session")
"""What the leak audit of `speaker_leak` does without."""

DEV_SHARE = 0.2
"""Of the training speakers, for rows that choose an epoch where the recipe's protocol has no dev speakers."""

DEV = ".dev"
"""Ending of a task whose splits have dev speakers that the recipe's own have not."""

SEEDS, MINI_SEEDS = 10, 3
"""Seeds of which the best is taken, at least."""


@dataclasses.dataclass(frozen=True)
class Simulated(Recipe):
    """A recipe with one mistake, or what it is held against; `exp` is a folder of its own.

    Rows are those of `conf/mistakes.tsv` where a recipe has it, else of its table.

    Attributes:
        plain: the recipe itself. Its finished runs serve as honest ones, and are never written to.
        mistake: of `MISTAKES`.
        arm: whether the mistake is made.
    """

    plain: Recipe | None = None
    mistake: str = ""
    arm: Arm = "honest"
    _mixes: dict[str, bool] = dataclasses.field(default_factory=dict)  # whether mixing a task's speakers changes it

    @property
    def table(self) -> Path:
        """The file that lists the rows."""
        own = self.folder / "conf" / "mistakes.tsv"
        return own if own.exists() else super().table

    @cached_property
    def candidates(self) -> list[Row]:
        """Read all rows, whether or not they can make the mistake."""
        rows = []
        for row in Recipe.rows.func(self):
            splits = Splits.open(self.plain.splits / row.task).for_training()
            lacks_dev = _chooses_on_dev(row) and not any(split.dev for split in splits)
            rows.append(dataclasses.replace(row, task=row.task + DEV) if lacks_dev else row)
        return rows

    @cached_property
    def compared(self) -> list[Row]:
        """List the rows that make the mistake.

        Raises:
            ConfigError: if none can, with the reasons.
        """
        if rows := [row for row in self.candidates if self.refusal(row) is None]:
            n = MINI_SEEDS if self.mini else SEEDS
            if self.mistake == "best_seed":
                rows = [dataclasses.replace(row, seeds=tuple(range(1, max(n, *row.seeds) + 1))) for row in rows]
            return rows
        reasons = "; ".join(f"{labels}: {reason}" for reason, labels in self.left_out_rows().items())
        others = ", ".join(name for name in MISTAKES if name != self.mistake)
        raise ConfigError(f"{self.folder.name}: no row can make the mistake {self.mistake} ({reasons}); "
                          f"choose one of {others}")  # fmt: skip

    @cached_property
    def rows(self) -> list[Row]:
        """List what is trained: the rows that are compared, and those that they start from."""
        compared = {row.name: row for row in self.compared}
        trained = dict(compared)
        for row in compared.values():
            while row.init is not None and row.init not in trained:
                row = next(other for other in self.candidates if other.name == row.init)
                trained[row.name] = row
        if self.mistake == "best_seed":  # a row starts from the same seed of its parent
            most = max((row.seeds for row in compared.values()), key=len)
            trained = {name: dataclasses.replace(row, seeds=most) for name, row in trained.items()}
        rows = [trained[row.name] for row in self.candidates if row.name in trained]
        if self.mistake != "test_selection":
            return rows
        searched = [row for row in rows if is_searched(row)]
        rest = [row for row in rows if not is_searched(row)]
        return rest if self.arm == "honest" else [*rest, *(of_cost for row in searched for of_cost in costs_of(row))]

    def left_out_rows(self) -> dict[str, str]:
        """Tell why rows cannot make the mistake: reason -> their labels."""
        labels: dict[str, dict[str, None]] = defaultdict(dict)
        for row in self.candidates:
            if reason := self.refusal(row):
                labels[reason][row.label] = None
        return {reason: ", ".join(of_reason) for reason, of_reason in labels.items()}

    def refusal(self, row: Row) -> str | None:
        """Tell why a row cannot make the mistake, or None."""
        if reason := self.left_out(row):
            return reason
        return getattr(self, f"_no_{self.mistake}")(row)

    def _no_speaker_leak(self, row: Row) -> str | None:
        splits = Splits.open(self.plain.splits / row.task.removesuffix(DEV)).for_scoring()
        tested = {utt.split("-")[0] for split in splits for utt in split.test}
        learned = (utt for split in splits for utt in row.method.trained_on(row.config, split))
        if not any(utt.split("-")[0] in tested for utt in learned):
            return "trained on no labelled utterance of the tested corpora"
        if row.task not in self._mixes:
            leaked = with_leaked_speakers(splits, self._by_id)
            self._mixes[row.task] = any(set(a.test) != set(b.test) for a, b in zip(splits, leaked, strict=True))
        return None if self._mixes[row.task] else "no two splits test different speakers, who could be mixed"

    def _no_test_selection(self, row: Row) -> str | None:
        if is_searched(row):
            on_few = "k-shot" in row.method.target_data(row.config)
            return "its support sets are too small for a search" if on_few else None
        parents = {other.name: other for other in self.candidates}
        chain: Row | None = row
        while chain is not None:
            if _chooses_on_dev(chain):
                return None
            chain = parents[chain.init] if chain.init else None
        return "nothing is chosen: no epoch by dev speakers, no cost"

    def _no_best_seed(self, row: Row) -> str | None:
        return None if row.about.is_random else "draws nothing at random, so that all seeds give the same"

    def _no_global_norm(self, row: Row) -> str | None:
        if not row.about.takes_statistics:
            return "takes its statistics inside its network, from what it trains on"
        if row.about.adaptation and row.values.get(row.about.adaptation) == "none":
            return "takes no statistics"
        protocol = self.settings.protocol
        sketches = [protocol.sketch(row.task, c) for c in getattr(protocol, "targets", ()) or protocol.corpora]
        if any("unlabelled-test" in target_data(row.method, row.config, sketch) for sketch in sketches):
            return "declares that its statistics see the tested utterances"
        return None

    # ---- What is done to lists and statistics ----------------------------------------------------------------

    @property
    def is_mistaken(self) -> bool:
        """Whether runs differ from honest ones; the best seed is a choice among these."""
        return self.arm == "mistaken" and self.mistake != "best_seed"

    def splits_of(self, task: str) -> Splits:
        """Open the splits of a task, those with the mistake where it is done to lists."""
        if task not in self._opened:
            self._opened[task] = Splits.open(self._splits_folder(task))
        return self._opened[task]

    def _splits_folder(self, task: str) -> Path:
        if self.is_mistaken and self.mistake in OWN_LISTS:
            return self.exp / "splits" / task
        return self.plain.exp / "mistakes" / "honest" / "splits" / task if task.endswith(DEV) else (
            self.plain.splits / task)  # fmt: skip

    @property
    def splits_about(self) -> dict[str, Any]:
        """What stage 2 recorded of the recipe itself."""
        return self.plain.splits_about

    @cached_property
    def _by_id(self) -> dict[str, Utterance]:
        return {u.utt_id: u for name in self.corpora for u in read_data_dir(self.data / name)}

    def write_splits(self) -> None:
        """Make the lists that the recipe's own do not have, and audit them for what the mistake does not waive."""
        for task in sorted({row.task for row in self.rows}):
            folder, plain = self._splits_folder(task), Splits.open(self.plain.splits / task.removesuffix(DEV))
            if folder == plain.folder:
                continue
            mistake = self.mistake if self.is_mistaken and self.mistake in OWN_LISTS else "none"
            change = {"mistake": mistake, "dev_share": DEV_SHARE if task.endswith(DEV) else None}
            made_from = {**plain.about["made_from"], **change}
            about_path = folder / "protocol.json"
            if about_path.exists() and read_json(about_path)["made_from"] == made_from:
                continue
            splits = plain.for_scoring()
            if task.endswith(DEV):
                splits = [with_dev_speakers(split, self._by_id) for split in splits]
            if mistake == "speaker_leak":
                splits = with_leaked_speakers(splits, self._by_id)
            elif mistake == "test_selection":
                splits = [dataclasses.replace(split, dev=split.test) for split in splits]
            stamps = [STAMPS[mistake]] if mistake in STAMPS else []
            waived = list(WAIVED) if mistake == "speaker_leak" else []
            about = {**plain.about, **change, "made_from": made_from, "waived": waived}
            write_splits(folder, splits, {**about, "stamps": [*plain.about["stamps"], *stamps]})

    def run_data(self, row: Row, scoring: bool) -> RunData:
        """Read what a row is trained on; for `global_norm` with statistics of everything."""
        data = super().run_data(row, scoring)
        if not (self.is_mistaken and self.mistake == "global_norm"):
            return data
        from ser.mistakes.global_norm import GlobalNorm

        lists = {split.name: split for split in self.splits_of(row.task).for_scoring()}
        fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
        return GlobalNorm(**fields, lists=lists)

    def train_inputs(self, row: Row, seed: int) -> dict[str, Any]:
        """Tell everything that decides a row's weights, the mistake with it."""
        inputs = super().train_inputs(row, seed)
        return {**inputs, "mistake": self.mistake} if self.is_mistaken else inputs

    def run_dir(self, row: Row, seed: int) -> Path:
        """Folder of one row and seed; the recipe's own where the same has been trained and scored there."""
        own = self.plain.run_dir(row, seed)
        if not self.is_mistaken and (own / METRICS).exists() and not kept.was_dropped(own):
            is_scored = read_json(own / METRICS)["made_from"] == self.score_inputs(row, seed)
            if is_scored and Done(own, self.train_inputs(row, seed)).holds():
                return own
        return super().run_dir(row, seed)


def simulated(recipe: Recipe, mistake: str, arm: Arm) -> Simulated:
    """Give a recipe a mistake, or what it is held against."""
    names = [field.name for field in dataclasses.fields(Recipe) if not field.name.startswith("_")]
    own = {name: getattr(recipe, name) for name in names}
    is_honest = arm == "honest" or mistake == "best_seed"
    own["exp"] = recipe.exp / "mistakes" / ("honest" if is_honest else mistake)
    return Simulated(**own, plain=recipe, mistake=mistake, arm=arm)


def _chooses_on_dev(row: Row) -> bool:
    """Tell whether a row keeps the epoch that is best on dev; one that adapts a trained row does not."""
    return row.init is None and answer(row.method, "chooses_on_dev", row.config)


def is_searched(row: Row) -> bool:
    """Tell whether a row's cost is searched, as nothing else is chosen."""
    return row.about.cost is not None


def costs_of(row: Row) -> list[Row]:
    """Make a row for each cost of the grid."""
    key = row.about.cost
    return [
        dataclasses.replace(row, name=f"{row.name}-{key}{cost:g}", values={**row.values, key: cost}) for cost in COSTS
    ]


def with_dev_speakers(split: Split, utterances: Mapping[str, Utterance]) -> Split:
    """Take dev speakers out of a training list.

    Raises:
        ProtocolError: for training speakers who cannot be parted.
    """
    groups = recorded_together([utterances[utt] for utt in split.train])
    if len(groups) < 2:
        raise ProtocolError(f"split {split.name}: its {len(groups)} group(s) of training speakers cannot be parted "
                            "into train and dev; choose larger folds")  # fmt: skip
    dev_speakers = draw_dev_speakers(groups, DEV_SHARE, "dev speakers of a mistake", split.name)
    parts: dict[bool, dict[str, str]] = {False: {}, True: {}}
    for utt, label in split.train.items():
        parts[utterances[utt].speaker in dev_speakers][utt] = label
    return dataclasses.replace(split, train=parts[False], dev=parts[True])


def with_leaked_speakers(splits: Sequence[Split], utterances: Mapping[str, Utterance]) -> list[Split]:
    """Let the tested utterances of each corpus and class change places at random, in all lists of all splits.

    Raises:
        ProtocolError: if audio would stand in both training and test data.
    """
    rotation = [split for split in splits if split.name.startswith("rotation")]  # which is scored by itself
    others = [split for split in splits if split not in rotation]
    leaked = {split.name: split for part in (others, rotation) for split in _mixed(part, utterances)}
    return [leaked[split.name] for split in splits]


def _mixed(splits: Sequence[Split], utterances: Mapping[str, Utterance]) -> list[Split]:
    """Mix the speakers of splits whose tested utterances are scored together."""
    copies: dict[str, list[str]] = defaultdict(list)
    for utt, utterance in utterances.items():
        copies[utterance.recording or utterance.audio_hash or utt].append(utt)
    stays = {utt for same in copies.values() if len(same) > 1 for utt in same}
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for utt, label in sorted({item for split in splits for item in split.test.items()}):
        if utt not in stays:
            groups[utt.split("-")[0], label].append(utt)
    moves: dict[str, str] = {}
    for (corpus, label), utts in sorted(groups.items()):
        moves |= zip(utts, rng("speaker leak", corpus, label).permutation(utts).tolist(), strict=True)

    def moved(entries: Mapping[str, str]) -> dict[str, str]:
        return {moves.get(utt, utt): label for utt, label in entries.items()}

    leaked = []
    for split in splits:
        new = dataclasses.replace(
            split,
            train=moved(split.train),
            dev=moved(split.dev),
            adapt=[moves.get(utt, utt) for utt in split.adapt],
            test=moved(split.test),
            labelled=moved(split.labelled),
            support={key: moved(support) for key, support in split.support.items()},
        )
        seen = {*new.train, *new.dev, *new.labelled, *(utt for support in new.support.values() for utt in support)}
        audit(split.name, utterances, seen, new.test, waived=WAIVED)
        leaked.append(new)
    return leaked
