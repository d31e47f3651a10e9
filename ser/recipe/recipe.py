"""A recipe: its rows, where their inputs and results lie, and what decides them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser import methods
from ser.data.data_dir import check_unchanged, read_audio_parts
from ser.errors import DataError
from ser.features.config import FeatureConfig, made_from_audio
from ser.methods.base import settings_used
from ser.recipe import kept
from ser.recipe.choice import Choice
from ser.recipe.code import ROOT, code_hash, imported_code
from ser.recipe.rows import Row, Table, feature_config
from ser.recipe.settings import RecipeSettings, read_settings
from ser.recipe.variants import folder_of, with_variants
from ser.splits.lists import Splits
from ser.system.files import Done, fingerprint, read_json

if TYPE_CHECKING:
    from ser.methods.base import State
    from ser.training.run_data import RunData

SIMILARITY = "similarity.npz"
"""File in a run's folder: cosines by layer before and after training, of methods with a function `similarity`."""

METRICS = "metrics.json"
"""File in a run's folder: its scores; it is written last."""

SCORE_CODE = (
    "metrics",
    "scoring/probing.py",
    "scoring/score.py",
    "scoring/runs.py",
    "scoring/tidy.py",
    "inference/temperatures.py",
    "inference/write.py",
)
"""Code that decides scores from predictions, and what stands beside them for the use of a model."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe's folders and what the command line said.

    Attributes:
        folder: `egs/<recipe>`.
        data, dump: the shared folders of stages 1 and 3.
        splits, exp: the recipe's own.
        features: names in the order of the table.
        strict: whether a feature that cannot be computed here is an error, or a hole in the table.
        overrides: `--set` of the command line, which makes variants of rows.
        choice: which rows, tasks and seeds are asked for.
        keep_weights: `all` trains runs again whose weights were dropped; `best` keeps, once runs are scored, those of
            each row's best seed, and `none` no weights; "" leaves them as they are.
        mini: whether `mini:` sections apply.
        finetune: whether rows that fine-tune the encoder are to be trained.
    """

    folder: Path
    data: Path
    dump: Path
    splits: Path
    exp: Path
    features: Sequence[str]
    strict: bool
    overrides: Sequence[str] = ()
    mini: bool = False
    finetune: bool = False
    choice: Choice = Choice()
    keep_weights: str = ""
    _folders: dict[str, str] = dataclasses.field(default_factory=dict)  # read once per process
    _archives: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    _opened: dict[str, Splits] = dataclasses.field(default_factory=dict)

    @cached_property
    def settings(self) -> RecipeSettings:
        """Title, features and protocol, as `conf/recipe.yaml` has them."""
        return read_settings(self.folder / "conf" / "recipe.yaml", self.mini)

    @cached_property
    def tasks(self) -> list[str]:
        """Tasks of the protocol, each with its own classes and splits; one without a name for most protocols."""
        return list(self.settings.protocol.label_maps)

    @property
    def table(self) -> Path:
        """The file that lists the rows."""
        return self.folder / "conf" / "runs.tsv"

    @cached_property
    def all_rows(self) -> list[Row]:
        """Read the table, and add the variants that the command line asks for.

        Raises:
            ConfigError: naming the line of the table, or the file and key of a configuration.
        """
        table = Table(
            path=self.table,
            conf=self.folder / "conf",
            tasks=self.tasks,
            features=self.features,
            strict=self.strict,
            overrides=(),
            mini=self.mini,
        )
        if not self.overrides:
            return table.rows()
        changed = dataclasses.replace(table, overrides=self.overrides).rows()
        return with_variants(table.rows(), changed, self.overrides)

    @cached_property
    def rows(self) -> list[Row]:
        """List the rows of this run; errors as for `all_rows`."""
        return self.choice.of(self.all_rows)

    @property
    def pages(self) -> Path:
        """Folder of the pages and figures of this run, unless its page is the recipe's own."""
        return self.exp / folder_of(self.overrides) if self.overrides else self.exp

    def feature_config(self, name: str) -> FeatureConfig:
        """Read a feature's configuration."""
        return feature_config(name, self.folder / "conf")

    def dump_dir(self, feature: str, corpus: str) -> Path:
        """Folder of a corpus' archive."""
        return self.dump / self._folder(feature) / corpus

    def run_dir(self, row: Row, seed: int) -> Path:
        """Folder of one row and seed."""
        return self.exp / row.name / f"seed{seed}"

    def seconds_file(self, row: Row, seed: int) -> Path:
        """The file that says how long a run's training took; it decides nothing."""
        return self.exp / "log" / "seconds" / row.name / f"seed{seed}"

    def row(self, name: str) -> Row:
        """Find a row by its full name."""
        return next(row for row in self.rows if row.name == name)

    def train_inputs(self, row: Row, seed: int) -> dict[str, Any]:
        """Tell everything that decides a row's weights; the fingerprint of its `.done`."""
        return {
            "config": settings_used(row.about, row.values, in_training=True),
            "seed": seed,
            "splits": self.splits_of(row.task).fingerprint,
            "features": self._made_from(row),
            "init": row.init and fingerprint(self.train_inputs(self.row(row.init), seed)),
            "code": code_hash(_code(row)),
        }

    def _folder(self, feature: str) -> str:
        if feature not in self._folders:
            self._folders[feature] = self.feature_config(feature).folder(feature)
        return self._folders[feature]

    def _made_from(self, row: Row) -> dict[str, Any]:
        """Tell what a row's inputs are made from: archives, or audio and an encoder."""
        if row.reads not in self._archives:
            if row.finetunes:
                made_from = {c: made_from_audio(self.data / c) for c in self.corpora}
                made_from["encoder"] = self.feature_config(row.feature).identity()
            else:
                dumps = {
                    corpus if part == row.feature else f"{corpus} {part}": self.dump_dir(part, corpus)
                    for part in row.parts
                    for corpus in self.corpora
                }
                if missing := [str(path) for path in dumps.values() if not (path / "feats.json").exists()]:
                    raise DataError(f"{missing[0]}: no finished features; run stage 3")
                made_from = {name: read_json(path / "feats.json")["made_from"] for name, path in dumps.items()}
            self._archives[row.reads] = made_from
        return self._archives[row.reads]

    def run_data(self, row: Row, scoring: bool) -> RunData:
        """Read what all rows with the same `reads` are trained on, and for `scoring` what they are tested on."""
        from ser.training.run_data import RunData

        splits, data_dirs = self.splits_of(row.task), [self.data / c for c in self.corpora]
        for data_dir in data_dirs:
            check_unchanged(data_dir)
        if row.finetunes:
            for data_dir in data_dirs:
                for audio in read_audio_parts(data_dir).values():
                    audio.check()
            return RunData.of_audio(splits, data_dirs, self.feature_config(row.feature), scoring)
        dumps = {part: [self.dump_dir(part, corpus) for corpus in self.corpora] for part in row.parts}
        if self.feature_config(row.feature).is_sequence:
            return RunData.of_frames(splits, dumps[row.feature], data_dirs, scoring)
        return RunData.read(splits, dumps, data_dirs, scoring)

    def left_out(self, row: Row) -> str | None:
        """Tell why a row is not trained: it cannot be, or nobody asked for it; None if it is."""
        if row.needs is None and row.finetunes and not self.finetune:
            return f"fine-tunes {row.feature}, hours on a GPU; ask for it with --finetune true"
        return row.needs

    def train_done(self, row: Row, seed: int) -> Done:
        """The mark of a trained row."""
        return Done(self.run_dir(row, seed), self.train_inputs(row, seed))

    def score_inputs(self, row: Row, seed: int) -> str:
        """Hash everything that decides a row's scores."""
        return fingerprint(
            [self.train_inputs(row, seed), settings_used(row.about, row.values), code_hash(SCORE_CODE)]
        )

    def lost(self, row: Row, seed: int, of_training: bool) -> list[str]:
        """List the files of a run's folder that it should have and that are not there, or not whole."""
        folder = self.run_dir(row, seed)
        again = of_training and self.keep_weights == "all" and kept.was_dropped(folder)
        return [*kept.lost(folder, of_training), *([kept.WEIGHTS] if again else [])]

    def has_weights(self, row: Row, seed: int) -> bool:
        """Whether a run's weights are there; they may have been dropped."""
        return (self.run_dir(row, seed) / kept.WEIGHTS).is_file()

    def is_trained(self, row: Row, seed: int) -> bool:
        """Whether a run has been trained as it would be now, and its files are there or were dropped on purpose."""
        return self.train_done(row, seed).holds() and not self.lost(row, seed, of_training=True)

    def is_scored(self, row: Row, seed: int) -> bool:
        """Whether a run's scores are those of its weights, its lists and the code as they are, with its files."""
        path = self.run_dir(row, seed) / METRICS
        is_fresh = path.exists() and read_json(path)["made_from"] == self.score_inputs(row, seed)
        return is_fresh and not self.lost(row, seed, of_training=False)

    def weights(self, row: Row, seed: int) -> State:
        """Read the weights of a trained row.

        Raises:
            DataError: if the file is damaged.
        """
        return read_weights(self.run_dir(row, seed), row.values["method"])

    def splits_of(self, task: str) -> Splits:
        """Open the splits of a task."""
        if task not in self._opened:
            self._opened[task] = Splits.open(self.splits / task)
        return self._opened[task]

    @property
    def splits_about(self) -> dict[str, Any]:
        """What stage 2 recorded, alike for all tasks: protocol, releases; and the first one's classes."""
        return self.splits_of(self.tasks[0]).about

    @property
    def corpora(self) -> list[str]:
        """Corpora of the recipe's protocol, as stage 2 recorded them."""
        return sorted(self.splits_about["releases"])


def read_weights(run_dir: Path, method: str) -> State:
    """Read the weights in a run's folder, as the method of that name takes them."""
    from ser.training.checkpoint import read_tensors

    return read_tensors(run_dir / "model.safetensors", "pt" if methods.about(method).needs_torch else "numpy")[0]


def _code(row: Row) -> tuple[str, ...]:
    """List the files that decide a row's weights: its method's, and its adaptation's, which is found by its name."""
    modules = [methods.module_of(row.values["method"])]
    if (ROOT / "adaptation" / f"{row.adaptation}.py").is_file():  # else its configuration is refused
        modules.append(f"ser.adaptation.{row.adaptation}")
    return tuple(sorted({name for module in modules for name in imported_code(module)}))
