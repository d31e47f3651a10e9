"""Values that a paper printed for a recipe (`conf/published.yaml`), next to our numbers.

Not here: open twins, whose corpora no paper has used; they have no such file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from ser.config import ConfigModel, load
from ser.errors import ConfigError, unknown
from ser.types import Condition

Key = Annotated[
    Condition,
    BeforeValidator(lambda key: key if isinstance(key, Condition) else Condition.parse(key)),
    PlainSerializer(lambda condition: condition.key),
]
"""A number of shots, `TASK: CORPUS`, or a corpus; in Python a `Condition`."""

Percent = Annotated[float, Field(ge=0, le=100)]

WithSd = Annotated[list[float], Field(min_length=2, max_length=2)]

T = TypeVar("T")

NO_FEATURE = "-"
"""Of a system that a paper cites."""

ROUNDING = 0.03
"""How far a row of printed shares may be from 100: cells have two decimals."""


class Gain(ConfigModel):
    """A difference that a paper's text claims.

    Attributes:
        system, over: names of `uar`.
        conditions: whose UARs are averaged.
        points: per cent points of UAR.
    """

    system: str
    over: str
    conditions: list[Key] = Field(min_length=1)
    points: float


class Similarity(ConfigModel):
    """Checkpoints of curves of cosines by layer, read off a figure.

    Attributes:
        nearer_from: layer from which on positive pairs are nearer than negative ones; null where they never are.
        positive, negative: cosine at the last layer.
    """

    nearer_from: int | None = Field(default=None, ge=0)
    positive: float | None = Field(default=None, ge=-1, le=1)
    negative: float | None = Field(default=None, ge=-1, le=1)


class Published(ConfigModel):
    """A paper's numbers, in per cent; names are those of the column `published` of `runs.tsv`.

    Attributes:
        source: paper, table and figure of the UARs.
        features: those of the printed settings; a row on another feature has no printed value beside it. Empty: all.
        uar: name -> condition -> UAR; a name that no row has is a system that the paper cites.
        uar_sd: name -> condition -> the standard deviation that stands behind it.
        r2: name -> condition -> rating -> adjusted R2 of the rating on a latent space, each with its standard
            deviation, in the order of the versions that `source` names.
        distances: the same of latent distances on rating distances.
        tasks: those among which the paper does not say which is its own: a key without a task holds for its corpus in
            each of them.
        confusion: name -> condition -> matrix, rows true, classes in the order of their names.
        confusion_source: paper and figure of the matrices.
        gains: differences between systems that the text claims.
        similarity: name -> `before` or `after` training -> checkpoints of the cosines of pairs.
        note: where the paper contradicts itself.
    """

    source: str
    features: list[str] = []
    uar: dict[str, dict[Key, Percent]]
    uar_sd: dict[str, dict[Key, Percent]] = {}
    r2: dict[str, dict[Key, dict[str, list[WithSd]]]] = {}
    distances: dict[str, dict[Key, dict[str, list[WithSd]]]] = {}
    tasks: list[str] = []
    confusion: dict[str, dict[Key, list[list[Percent]]]] = {}
    confusion_source: str | None = None
    gains: list[Gain] = []
    similarity: dict[str, dict[Literal["before", "after"], Similarity]] = {}
    note: str | None = None

    @model_validator(mode="after")
    def _matrices(self) -> Published:
        if (self.confusion_source is None) == bool(self.confusion):
            raise ValueError("'confusion' and 'confusion_source' need each other")
        for name, matrices in self.confusion.items():
            if name not in self.uar:
                raise ValueError(f"confusion.{name}: {unknown(name, self.uar)}")
            for condition, matrix in matrices.items():
                if any(len(row) != len(matrix) for row in matrix):
                    raise ValueError(f"confusion.{name}.{condition.key}: the matrix is not square")
                for row in matrix:
                    if abs(sum(row) - 100) > ROUNDING:
                        raise ValueError(
                            f"confusion.{name}.{condition.key}: row {row} adds up to {sum(row):.2f}, not to 100"
                        )
        return self

    @model_validator(mode="after")
    def _names(self) -> Published:
        named = [(f"gains.{i}", name) for i, gain in enumerate(self.gains) for name in (gain.system, gain.over)]
        for where, name in [*named, *((f"similarity.{name}", name) for name in self.similarity)]:
            if name not in self.uar:
                raise ValueError(f"{where}: {unknown(name, self.uar)}")
        return self

    def has_settings(self, feature: str) -> bool:
        """Check whether the paper's values were printed for this feature, so that they stand beside a row on it."""
        return not self.features or feature in (*self.features, NO_FEATURE)

    def uar_of(self, name: str | None, condition: Condition) -> float | None:
        """Find a printed UAR, in per cent."""
        return self._of(self.uar, name, condition)

    def uar_sd_of(self, name: str | None, condition: Condition) -> float | None:
        """Find the standard deviation that is printed behind a UAR."""
        return self._of(self.uar_sd, name, condition)

    @property
    def conditions(self) -> list[Condition]:
        """Those that have a UAR."""
        return list(dict.fromkeys(c for of_name in self.uar.values() for c in of_name))

    def _of(self, table: Mapping[str, Mapping[Condition, T]], name: str | None, condition: Condition) -> T | None:
        """Find what is printed of a condition: under its task and corpus, its shots, or its corpus in any task."""
        of_name = table.get(name or "", {})
        keys = [condition]
        if condition.shots is not None:
            keys.append(replace(condition, corpus=""))
        if condition.task in self.tasks:
            keys.append(replace(condition, task=""))
        return next((of_name[key] for key in keys if key in of_name), None)

    def uar_text(self, name: str | None, condition: Condition) -> str:
        """Print a UAR as the paper does, with its standard deviation where there is one."""
        sd = self.uar_sd_of(name, condition)
        return f"{self.uar_of(name, condition):.2f}" + ("" if sd is None else f" ± {sd:.2f}")

    def r2_of(self, name: str | None, condition: Condition, rating: str) -> str:
        """Print the adjusted R2 of a rating, all versions; nothing if there is none."""
        return _versions((self._of(self.r2, name, condition) or {}).get(rating, []))

    def distances_of(self, name: str | None, condition: Condition, rating: str) -> str:
        """Print the adjusted R2 of latent distances on those of a rating; nothing if there is none."""
        return _versions((self._of(self.distances, name, condition) or {}).get(rating, []))

    def ratings_of(self, condition: Condition) -> list[str]:
        """List the ratings that have an R2."""
        return list(dict.fromkeys(r for name in self.r2 for r in self._of(self.r2, name, condition) or {}))

    def confusion_of(self, name: str | None, condition: Condition) -> list[list[float]] | None:
        """Find a printed confusion matrix, in per cent of each true class, (C, C)."""
        return self._of(self.confusion, name, condition)


def _versions(values: list[list[float]]) -> str:
    return ", ".join(f"{mean:.2f} ± {sd:.2f}" for mean, sd in values)


def read_published(path: Path, names: Mapping[str, str | None]) -> Published | None:
    """Read a recipe's published values, None where there is no such file.

    Args:
        path: `conf/published.yaml`.
        names: label of a row -> its name in this file.

    Raises:
        ConfigError: for a file that does not fit the recipe's table.
    """
    if not path.exists():
        return None
    published = load(path, Published)
    for label, name in names.items():
        if name is not None and name not in (known := {*published.uar, *published.r2}):
            raise ConfigError(f"{path}: uar: row '{label}' of runs.tsv asks for {unknown(name, known)}")
    return published


def check_sizes(path: Path, published: Published, n_classes: Mapping[Condition, int]) -> None:
    """Raise ConfigError for a matrix of another size than its table has classes."""
    for name in published.confusion:
        for condition, n in n_classes.items():
            matrix = published.confusion_of(name, condition)
            if matrix is not None and len(matrix) != n:
                where = f"{path}: confusion.{name}.{condition.key}"
                raise ConfigError(f"{where}: {len(matrix)} rows, the recipe has {n} classes")
