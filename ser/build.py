"""From names to objects: a recipe's table (`conf/runs.tsv`) to rows with configuration, features and folder.

`runs.tsv` has the columns row, conf, feature, seeds, init, versus and set. `conf` is a file beside it, `feature` the
name of a feature or `*` for each feature of the recipe, `init` the row whose weights a row starts from (same feature
and seed), `versus` the row that it is tested against, `set` overrides as on the command line, separated by spaces;
`-` leaves a cell empty.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ser.config import ConfigModel, Origin, build, find, load, read, split_override
from ser.errors import ConfigError, DataError, unknown
from ser.features.config import FeatureConfig
from ser.files import Done, fingerprint, read_json
from ser.splits.lists import Split, Splits

if TYPE_CHECKING:
    from ser.training.data import RunData

METHODS = {"emofsl": "ser.methods.emofsl", "logistic_regression": "ser.methods.logistic_regression"}
"""Value of `method:` in a configuration -> the module that holds the method."""

COLUMNS = ["row", "conf", "feature", "seeds", "init", "versus", "set"]

RESULT_ROOMS = ("losses", "nn", "methods", "training", "metrics", "randomness")
"""Where the code stands that decides what a row predicts; when what its method imports changes, it runs again."""

SCORE_CODE = ("metrics", "scoring.py")
"""Code that decides scores from predictions."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a recipe's table.

    Attributes:
        name: `<row>-<feature>`, its folder below `exp/`.
        label: the first column of `runs.tsv`.
        feature: name of its feature.
        values: configuration of its method as plain values; `config` holds them against the method's model.
        origin: the file of each value.
        seeds: 1 to n.
        init: name of the row whose weights it starts from.
        versus: label of the row that it is tested against.
        needs: why it cannot run here, or None.
    """

    name: str
    label: str
    feature: str
    values: dict[str, Any]
    origin: Origin
    seeds: tuple[int, ...]
    init: str | None
    versus: str | None
    needs: str | None

    @property
    def method(self) -> ModuleType:
        """The module that trains and predicts it; importing it imports torch."""
        return importlib.import_module(METHODS[self.values["method"]])

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
    _folders: dict[str, str] = dataclasses.field(default_factory=dict)  # read once per process
    _archives: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    @cached_property
    def rows(self) -> list[Row]:
        """Read `conf/runs.tsv`.

        Raises:
            ConfigError: naming the line of the table, or the file and key of a configuration.
        """
        path = self.folder / "conf" / "runs.tsv"
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if not lines or lines[0] != COLUMNS:
            raise ConfigError(f"{path} line 1: expected the columns {' '.join(COLUMNS)}, separated by tabs")
        rows: list[Row] = []
        for number, cells in enumerate(lines[1:], start=2):
            if len(cells) != len(COLUMNS):
                raise ConfigError(f"{path} line {number}: {len(cells)} cells, expected {len(COLUMNS)}; "
                                  "'-' leaves a cell empty")  # fmt: skip
            rows += self._rows(dict(zip(COLUMNS, cells, strict=True)), f"{path} line {number}")
        names = [row.name for row in rows]
        for row in rows:
            if names.count(row.name) > 1:
                raise ConfigError(f"{path}: row '{row.label}' stands twice for feature '{row.feature}'")
            if row.init is not None and row.init not in names:
                raise ConfigError(f"{path}: row '{row.label}': init {unknown(row.init, names)}")
            if row.versus is not None and row.versus not in {other.label for other in rows}:
                raise ConfigError(f"{path}: row '{row.label}': versus "
                                  f"{unknown(row.versus, {other.label for other in rows})}")  # fmt: skip
        for override in self.overrides:
            keys, _ = split_override(override)
            if not any(_has(row.values, keys) for row in rows):
                known = {".".join(k) for row in rows for k in row.origin}
                raise ConfigError(f"--set {override}: key {unknown('.'.join(keys), known)}")
        return rows

    def _rows(self, cells: dict[str, str], where: str) -> list[Row]:
        if not cells["seeds"].isdigit() or int(cells["seeds"]) < 1:
            raise ConfigError(f"{where}: seeds: '{cells['seeds']}' is not a number of at least 1")
        values, origin = self._values(cells)
        n_seeds = 1 if self.mini else int(cells["seeds"])
        return [
            Row(
                name=f"{cells['row']}-{feature}",
                label=cells["row"],
                feature=feature,
                values=values,
                origin=origin,
                seeds=tuple(range(1, n_seeds + 1)),
                init=None if cells["init"] == "-" else f"{cells['init']}-{feature}",
                versus=None if cells["versus"] == "-" else cells["versus"],
                needs=self._needs(feature),
            )
            for feature in (self.features if cells["feature"] == "*" else [cells["feature"]])
        ]

    def _values(self, cells: dict[str, str]) -> tuple[dict[str, Any], Origin]:
        """Read a row's configuration; an override of the command line goes to the rows that have its key."""
        path = self.folder / "conf" / cells["conf"]
        own = [] if cells["set"] == "-" else cells["set"].split(" ")
        values, _ = read(path, own, self.mini)
        if values.get("method") not in METHODS:
            raise ConfigError(f"{path}: method: {unknown(str(values.get('method')), METHODS)}")
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
            self.feature_config(feature).ckpt_file()
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
            "splits": self._splits.fingerprint,
            "features": self._made_from(row.feature),
            "init": row.init and fingerprint(self.train_inputs(self.row(row.init), seed)),
            "code": code_hash(imported_code(METHODS[row.values["method"]])),
        }

    def _folder(self, feature: str) -> str:
        if feature not in self._folders:
            self._folders[feature] = self.feature_config(feature).folder(feature)
        return self._folders[feature]

    def _made_from(self, feature: str) -> dict[str, Any]:
        if feature not in self._archives:
            infos = {corpus: self.dump_dir(feature, corpus) / "feats.json" for corpus in self.corpora}
            if missing := [str(path.parent) for path in infos.values() if not path.exists()]:
                raise DataError(f"{missing[0]}: no finished features; run stage 3")
            self._archives[feature] = {c: read_json(path)["made_from"] for c, path in infos.items()}
        return self._archives[feature]

    def run_data(self, feature: str, scoring: bool) -> RunData:
        """Read what the rows of a feature are trained on, and for `scoring` what they are tested on."""
        from ser.training.data import RunData

        dumps = [self.dump_dir(feature, corpus) for corpus in self.corpora]
        return RunData.read(self._splits, dumps, [self.data / c for c in self.corpora], scoring)

    def train_done(self, row: Row, seed: int) -> Done:
        """The mark of a trained row."""
        return Done(self.run_dir(row, seed), self.train_inputs(row, seed))

    def score_inputs(self, row: Row, seed: int) -> str:
        """Hash everything that decides a row's scores."""
        return fingerprint([self.train_inputs(row, seed), code_hash(SCORE_CODE)])

    @cached_property
    def _splits(self) -> Splits:
        return Splits.open(self.splits)

    @property
    def splits_about(self) -> dict[str, Any]:
        """What stage 2 recorded: protocol, classes, releases."""
        return self._splits.about

    def splits_for_training(self) -> list[Split]:
        """Splits without their test lists."""
        return self._splits.for_training()

    @property
    def corpora(self) -> list[str]:
        """Corpora of the recipe's protocol, as stage 2 recorded them."""
        return sorted(self._splits.about["releases"])


def _has(values: dict[str, Any], keys: Sequence[str]) -> bool:
    """Tell whether a key path stands in nested values."""
    for key in keys:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


@cache
def imported_code(module: str) -> tuple[str, ...]:
    """List the files below `RESULT_ROOMS` that a module is made of: itself and what it imports, directly or not."""
    root = Path(__file__).parent
    found: set[str] = set()
    todo = [module]
    while todo:
        path = root.joinpath(*todo.pop().split(".")[1:]).with_suffix(".py")
        name = path.relative_to(root).as_posix()
        if path.exists() and path.relative_to(root).with_suffix("").parts[0] in RESULT_ROOMS and name not in found:
            found.add(name)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ser"):
                    todo += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(sorted(found))


@cache
def code_hash(names: Sequence[str]) -> str:
    """Hash code that decides results, without comments, docstrings and layout."""
    root = Path(__file__).parent
    paths = [p for name in names for p in (sorted((root / name).glob("*.py")) or [root / name])]
    return fingerprint([_bare(path) for path in paths])


def _bare(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [b for b in body if not (isinstance(b, ast.Expr) and isinstance(b.value, ast.Constant))]
    return ast.dump(tree)
