"""From names to objects: a recipe's table (`conf/runs.tsv`) to rows with configuration, features and folder.

`runs.tsv` has the columns row, conf, feature, seeds, init, versus, published and set. `conf` is a file in the
recipe's `conf/` or else in `conf/methods/`, `feature` the name of a feature or `*` for each feature of the recipe
(for a method that fine-tunes: the encoder that it starts from), `init` the row whose weights a row starts from
(same feature and seed), `versus` the row that it is tested against, `published` the name of the row in the
recipe's `published.yaml`, `set` overrides as on the command line, separated by spaces; `-` leaves a cell empty.
A ninth column `tasks` may name the tasks that a row is for, separated by spaces; `-` or no column is all.
First lines `base<tab>FILE` take over the rows of other tables; the file's own rows are added to them, and replace
those of the same name.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import ser
from ser import methods
from ser.config import ConfigModel, Origin, build, find, load, read, split_override
from ser.data.data_dir import check_unchanged, read_audio_parts
from ser.errors import ConfigError, DataError, unknown
from ser.features.config import FeatureConfig, made_from_audio
from ser.methods.base import adaptation_of
from ser.recipe.settings import RecipeSettings, read_settings
from ser.splits.lists import Splits
from ser.system.files import Done, fingerprint, read_json

if TYPE_CHECKING:
    from ser.methods.base import About, State
    from ser.training.run_data import RunData

SIMILARITY = "similarity.npz"
"""File in a run's folder: cosines by layer before and after training, of methods with a function `similarity`."""

COLUMNS = ["row", "conf", "feature", "seeds", "init", "versus", "published", "set"]

RESULT_ROOMS = (
    "losses",
    "nn",
    "methods",
    "adaptation",
    "training",
    "metrics",
    "randomness.py",
    "features/encoders",
    "data/audio.py",
)
"""Where the code stands that decides what a row predicts; when what its method imports changes, it runs again."""

SCORE_CODE = ("metrics", "scoring/probing.py", "scoring/score.py", "inference/model_folder.py")
"""Code that decides scores from predictions, and what stands beside them for the use of a model."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a recipe's table.

    Attributes:
        task: name of the protocol's task, "" where there is one alone.
        name: `<row>-<feature>` or `<task>/<row>-<feature>`, its folder below `exp/`.
        label: the first column of `runs.tsv`.
        feature: name of its feature.
        values: configuration of its method as plain values; `config` holds them against the method's model.
        origin: the file of each value.
        seeds: 1 to n.
        init: name of the row whose weights it starts from.
        versus: label of the row that it is tested against.
        published: its name in `published.yaml`.
        needs: why it cannot run here, or None.
    """

    task: str
    name: str
    label: str
    feature: str
    values: dict[str, Any]
    origin: Origin
    seeds: tuple[int, ...]
    init: str | None
    versus: str | None
    published: str | None
    needs: str | None

    @property
    def finetunes(self) -> bool:
        """Whether its method trains the encoder, on audio, instead of using cached features."""
        return self.about.finetunes

    @property
    def reads(self) -> str:
        """What it is trained on, told by a name that other rows on the same data share."""
        return f"{self.task} audio for {self.feature}" if self.finetunes else f"{self.task} {self.feature}"

    @property
    def about(self) -> About:
        """What its method declares; imports nothing."""
        return methods.about(self.values["method"])

    @property
    def adaptation(self) -> str:
        """What brings corpora together before its method sees them, a file of `ser.adaptation`."""
        return adaptation_of(self.about, self.values)

    @property
    def method(self) -> ModuleType:
        """The module that trains and predicts it; importing one that needs torch takes seconds."""
        return methods.load(self.values["method"])

    @property
    def config(self) -> ConfigModel:
        """The validated configuration.

        Raises:
            ConfigError: naming file and key.
        """
        return build(self.method.Config, self.values, self.label, self.origin)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe's folders and what the command line said.

    Attributes:
        folder: `egs/<recipe>`.
        data, dump: the shared folders of stages 1 and 3.
        splits, exp: the recipe's own.
        features: names in the order of the table.
        strict: whether a feature that cannot be computed here is an error, or a hole in the table.
        overrides: `--set` of the command line.
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
    def rows(self) -> list[Row]:
        """Read `conf/runs.tsv`.

        Raises:
            ConfigError: naming the line of the table, or the file and key of a configuration.
        """
        path = self.table
        rows = self._read_rows(path)
        names = [row.name for row in rows]
        for row in rows:
            if row.init is not None and row.init not in names:
                raise ConfigError(f"{path}: row '{row.label}': init {unknown(row.init, names)}")
            if row.init is not None:
                self._check_init(row, rows[names.index(row.init)], path)
            if row.versus is not None and row.versus not in {other.label for other in rows}:
                raise ConfigError(f"{path}: row '{row.label}': versus "
                                  f"{unknown(row.versus, {other.label for other in rows})}")  # fmt: skip
        for override in self.overrides:
            keys, _ = split_override(override)
            if not any(_has(row.values, keys) for row in rows):
                known = {".".join(k) for row in rows for k in row.origin}
                raise ConfigError(f"--set {override}: key {unknown('.'.join(keys), known)}")
        return rows

    @staticmethod
    def _check_init(row: Row, first: Row, path: Path) -> None:
        own, other = row.values["method"], first.values["method"]
        starts_from = row.about.starts_from
        if not starts_from:
            raise ConfigError(f"{path}: row '{row.label}': init: {own} starts from no other row; write '-'")
        if other not in starts_from:
            raise ConfigError(
                f"{path}: row '{row.label}': init: '{first.label}' is a row of {other}, whose weights {own} cannot "
                f"take; name a row of {' or '.join(starts_from)}"
            )

    def _read_rows(self, path: Path) -> list[Row]:
        """Read a table and what it builds on."""
        try:
            lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except FileNotFoundError:
            raise ConfigError(f"{path}: no such table of rows") from None
        first, base = 1, {}
        while lines and lines[0][0] == "base" and len(lines[0]) == 2:
            base |= {row.name: row for row in self._read_rows(path.parent / lines.pop(0)[1])}
            first += 1
        columns = lines[0] if lines[:1] == [[*COLUMNS, "tasks"]] else COLUMNS
        if (lines or first == 1) and lines[:1] != [columns]:
            raise ConfigError(f"{path} line {first}: expected the columns {' '.join(COLUMNS)}, separated by tabs")
        own: dict[str, Row] = {}
        for number, cells in enumerate(lines[1:], start=first + 1):
            if len(cells) != len(columns):
                raise ConfigError(f"{path} line {number}: {len(cells)} cells, expected {len(columns)}; "
                                  "'-' leaves a cell empty")  # fmt: skip
            for row in self._rows(dict(zip(columns, cells, strict=True)), f"{path} line {number}"):
                if row.name in own:
                    raise ConfigError(f"{path}: row '{row.label}' stands twice for feature '{row.feature}'")
                own[row.name] = row
        return list((base | own).values())

    def _rows(self, cells: dict[str, str], where: str) -> list[Row]:
        if not cells["seeds"].isdigit() or int(cells["seeds"]) < 1:
            raise ConfigError(f"{where}: seeds: '{cells['seeds']}' is not a number of at least 1")
        tasks = self.tasks if cells.get("tasks", "-") == "-" else cells["tasks"].split(" ")
        if missing := [task for task in tasks if task not in self.tasks]:
            raise ConfigError(f"{where}: tasks: {unknown(missing[0], self.tasks)}")
        values, origin = self._values(cells)
        n_seeds = 1 if self.mini else int(cells["seeds"])
        return [
            Row(
                task=task,
                name=f"{prefix}{cells['row']}-{feature}",
                label=cells["row"],
                feature=feature,
                values=values,
                origin=origin,
                seeds=tuple(range(1, n_seeds + 1)),
                init=None if cells["init"] == "-" else f"{prefix}{cells['init']}-{feature}",
                versus=None if cells["versus"] == "-" else cells["versus"],
                published=None if cells["published"] == "-" else cells["published"],
                needs=self._needs(feature),
            )
            for task in tasks
            for prefix in [f"{task}/" if task else ""]
            for feature in (self.features if cells["feature"] == "*" else [cells["feature"]])
        ]

    def _values(self, cells: dict[str, str]) -> tuple[dict[str, Any], Origin]:
        """Read a row's configuration; an override of the command line goes to the rows that have its key."""
        path = self.folder / "conf" / cells["conf"]
        if not path.exists():
            path = find("methods", path.stem, path.parent)
        own = [] if cells["set"] == "-" else cells["set"].split(" ")
        values, _ = read(path, own, self.mini)
        if values.get("method") not in methods.names():
            raise ConfigError(f"{path}: method: {unknown(str(values.get('method')), methods.names())}")
        fixed = [split_override(o)[0] for o in own]  # what makes a row this row
        free = [o for o in self.overrides if _has(values, k := split_override(o)[0]) and k not in fixed]
        return read(path, [*own, *free], self.mini)

    def feature_path(self, name: str) -> Path:
        """Find a feature's configuration file."""
        return find("features", name, self.folder / "conf")

    def feature_config(self, name: str) -> FeatureConfig:
        """Read a feature's configuration."""
        return load(self.feature_path(name), FeatureConfig)

    def _needs(self, feature: str) -> str | None:
        try:
            self.feature_config(feature).check_usable()
        except ConfigError as error:
            if self.strict:
                raise
            return str(error)
        return None

    def dump_dir(self, feature: str, corpus: str) -> Path:
        """Folder of a corpus' archive."""
        return self.dump / self._folder(feature) / corpus

    def run_dir(self, row: Row, seed: int) -> Path:
        """Folder of one row and seed."""
        return self.exp / row.name / f"seed{seed}"

    def row(self, name: str) -> Row:
        """Find a row by its full name."""
        return next(row for row in self.rows if row.name == name)

    def train_inputs(self, row: Row, seed: int) -> dict[str, Any]:
        """Tell everything that decides a row's weights; the fingerprint of its `.done`."""
        return {
            "config": row.values,
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
                infos = {corpus: self.dump_dir(row.feature, corpus) / "feats.json" for corpus in self.corpora}
                if missing := [str(path.parent) for path in infos.values() if not path.exists()]:
                    raise DataError(f"{missing[0]}: no finished features; run stage 3")
                made_from = {c: read_json(path)["made_from"] for c, path in infos.items()}
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
        dumps = [self.dump_dir(row.feature, corpus) for corpus in self.corpora]
        if self.feature_config(row.feature).is_sequence:
            return RunData.of_frames(splits, dumps, data_dirs, scoring)
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
        return fingerprint([self.train_inputs(row, seed), code_hash(SCORE_CODE)])

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
    from ser.training.tensor_files import read_tensors

    return read_tensors(run_dir / "model.safetensors", "pt" if methods.about(method).needs_torch else "numpy")[0]


def _has(values: dict[str, Any], keys: Sequence[str]) -> bool:
    """Tell whether a key path stands in nested values."""
    for key in keys:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _code(row: Row) -> tuple[str, ...]:
    """List the files that decide a row's weights: its method's, and its adaptation's, which is found by its name."""
    adaptation = imported_code(f"ser.adaptation.{row.adaptation}")
    return tuple(sorted({*imported_code(methods.module_of(row.values["method"])), *adaptation}))


@cache
def imported_code(module: str) -> tuple[str, ...]:
    """List the files below `RESULT_ROOMS` that a module is made of: itself and what it imports, directly or not."""
    root = Path(ser.__file__).parent
    found: set[str] = set()
    todo = [module]
    while todo:
        path = root.joinpath(*todo.pop().split(".")[1:])
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        name = path.relative_to(root).as_posix()
        if path.is_file() and name.startswith(RESULT_ROOMS) and name not in found:
            found.add(name)
            for node in _statements(_parsed(path)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ser":
                    names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                    todo += [name for name in names if "." in name]
    return tuple(sorted(found))


@cache
def code_hash(names: Sequence[str]) -> str:
    """Hash code that decides results, without comments, docstrings and layout."""
    root = Path(ser.__file__).parent
    paths = [p for name in names for p in (sorted((root / name).glob("*.py")) or [root / name])]
    return fingerprint([_bare(path) for path in paths])


@cache
def _bare(path: Path) -> str:
    tree = _parsed(path)
    for node in _statements(tree):
        if hasattr(node, "body"):
            node.body = [b for b in node.body if not (isinstance(b, ast.Expr) and isinstance(b.value, ast.Constant))]
    return ast.dump(tree)


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Go through a module and all its statements, as `ast.walk` does, without what they are made of."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            todo += getattr(node, field, [])
