"""A recipe's table (`conf/runs.tsv`): its lines as rows with configuration, feature and name of a folder.

`runs.tsv` has the columns row, conf, feature, seeds, init, versus, published and set. `conf` is a file in the
recipe's `conf/` or else in `conf/methods/`, `feature` the name of a feature, several joined by `+` for their vectors
side by side, `*` for each feature of the recipe (for a method that fine-tunes: the encoder that it starts from), or
`last` for the last of them, `init` the row whose weights a row starts from (same feature and seed), `versus` the row
that it is tested against, `published` the name of the row in the recipe's `published.yaml`, `set` overrides as on the
command line, separated by spaces; `-` leaves a cell empty.
A ninth column `tasks` may name the tasks that a row is for, separated by spaces; `-` or no column is all.
First lines `base<tab>FILE` take over the rows of other tables; the file's own rows are added to them, and replace
those of the same name. First lines `question<tab>TEXT<tab>ROWS` name the question that some rows answer; a page shows
them together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ser import methods
from ser.config import ConfigModel, Origin, beside, build, find, load, read, split_override
from ser.errors import ConfigError, unknown
from ser.features.config import JOINED, WEIGHTED, FeatureConfig, side_by_side
from ser.methods.base import adaptation_of

if TYPE_CHECKING:
    from ser.methods.base import About

COLUMNS = ["row", "conf", "feature", "seeds", "init", "versus", "published", "set"]

FIRST_LINES = {"base": 2, "question": 3}
"""What may stand above the columns, with the number of cells of such a line."""


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
        variant_of: name of the row whose variant it is, see `ser.recipe.variants`.
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
    variant_of: str | None = None

    @property
    def finetunes(self) -> bool:
        """Whether its method trains the encoder, on audio, instead of using cached features."""
        return self.about.finetunes

    @property
    def parts(self) -> list[str]:
        """The names of the features that stand side by side in it, mostly one."""
        return self.feature.split(JOINED)

    @property
    def reads(self) -> str:
        """Its training data, by a name that other rows on the same data share."""
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
class Table:
    """A table, and how it is read.

    Attributes:
        path: `conf/runs.tsv`, or another table of the recipe.
        conf: the recipe's `conf/`.
        tasks: of the recipe's protocol.
        features: names in the order of the table.
        strict: whether one of these features that cannot be computed here is an error.
        overrides: `--set` of the command line.
        mini: whether `mini:` sections apply.
    """

    path: Path
    conf: Path
    tasks: Sequence[str]
    features: Sequence[str]
    strict: bool
    overrides: Sequence[str]
    mini: bool

    def rows(self) -> list[Row]:
        """Read the table.

        Raises:
            ConfigError: naming the line of the table, or the file and key of a configuration.
        """
        path = self.path
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
        labels = {row.label for row in rows}
        for question, asked in questions(path).items():
            if missing := [label for label in asked if label not in labels]:
                raise ConfigError(f"{path}: question '{question}': row {unknown(missing[0], labels)}")
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
        lines = _lines(path)
        first, base = 1, {}
        while lines and _is_first(lines[0]):
            if lines[0][0] == "base":
                base |= {row.name: row for row in self._read_rows(beside(path, lines[0][1]))}
            lines.pop(0)
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
                needs=self._needs(feature, methods.about(values["method"])),
            )
            for task in tasks
            for prefix in [f"{task}/" if task else ""]
            for feature in self._features(cells["feature"])
        ]

    def _features(self, cell: str) -> Sequence[str]:
        return {"*": self.features, "last": self.features[-1:]}.get(cell, [cell])

    def _values(self, cells: dict[str, str]) -> tuple[dict[str, Any], Origin]:
        """Read a row's configuration; an override of the command line goes to the rows that have its key."""
        path = self.conf / cells["conf"]
        if not path.exists():
            path = find("methods", path.stem, path.parent)
        own = [] if cells["set"] == "-" else cells["set"].split(" ")
        values, _ = read(path, own, self.mini)
        if values.get("method") not in methods.names():
            raise ConfigError(f"{path}: method: {unknown(str(values.get('method')), methods.names())}")
        fixed = [split_override(o)[0] for o in own]  # what makes a row this row
        free = [o for o in self.overrides if _has(values, k := split_override(o)[0]) and k not in fixed]
        return read(path, [*own, *free], self.mini)

    def _needs(self, feature: str, about: About) -> str | None:
        try:
            config = feature_config(feature, self.conf)
            parts = (config.parts or {feature: config}).items()
            layered = [name for name, part in parts if part.layers == WEIGHTED]
            if layered and not about.weighs_layers:
                raise ConfigError(
                    f"{layered[0]}: 'layers: weighted' is for methods that learn the weights; name a list such as "
                    "'layers: [4, 8, 12]', which others take side by side, or one 'layer'"
                )
            config.check_usable()
        except ConfigError as error:
            if self.strict and feature in self.features:
                raise
            return str(error)
        return None


def _lines(path: Path) -> list[list[str]]:
    """Read the cells of a table's lines."""
    try:
        return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such table of rows") from None


def _is_first(cells: Sequence[str]) -> bool:
    return len(cells) == FIRST_LINES.get(cells[0])


def questions(path: Path) -> dict[str, list[str]]:
    """Read the questions that rows of a table, and of those that it builds on, answer: question -> labels."""
    found: dict[str, list[str]] = {}
    for cells in _lines(path):
        if not _is_first(cells):
            break
        more = questions(path.parent / cells[1]) if cells[0] == "base" else {cells[1]: cells[2].split(" ")}
        for question, labels in more.items():
            found.setdefault(question, []).extend(labels)
    return found


def feature_config(name: str, conf: Path) -> FeatureConfig:
    """Read a feature's configuration, of a recipe's `conf/` or the shared one; of several, joined by `+`, each one's.

    Raises:
        ConfigError: for an unknown feature, or some that cannot stand side by side.
    """
    if JOINED in name:
        return side_by_side({part: feature_config(part, conf) for part in name.split(JOINED)})
    return load(find("features", name, conf), FeatureConfig)


def _has(values: dict[str, Any], keys: Sequence[str]) -> bool:
    """Tell whether a key path stands in nested values."""
    for key in keys:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True
