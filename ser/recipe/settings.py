"""What `conf/recipe.yaml` says of a recipe: its title, features and headline; all else in it is its protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ser.config import ConfigModel, build, read
from ser.splits.protocols import RECIPE_KEYS, protocol_of
from ser.splits.protocols.base import Protocol


class Headline(ConfigModel):
    """The system that a matrix's page begins with, named before anything was tested.

    Attributes:
        row: label in `runs.tsv`.
        feature: by default the recipe's first.
        shots: by default the smallest number of them, for rows with support sets.
    """

    row: str
    feature: str | None = None
    shots: int | None = None


class _Own(ConfigModel):
    title: Annotated[str, Field(min_length=1)]
    features: Annotated[list[str], Field(min_length=1)]
    headline: Headline | None = None


@dataclasses.dataclass(frozen=True)
class RecipeSettings:
    """A recipe, apart from its rows.

    Attributes:
        title: above its tables.
        features: names from `conf/features/`, in the order of the tables.
        protocol: whom it trains on and tests.
        headline: of a matrix, the system that its page begins with.
    """

    title: str
    features: Sequence[str]
    protocol: Protocol
    headline: Headline | None = None


def read_settings(path: Path, mini: bool = False) -> RecipeSettings:
    """Read a recipe.

    Args:
        path: its `conf/recipe.yaml`.
        mini: whether `mini:` sections apply.

    Raises:
        ConfigError: naming file and key.
    """
    values, origin = read(path, mini=mini)
    own = build(_Own, {key: values.pop(key) for key in RECIPE_KEYS if key in values}, str(path), origin)
    return RecipeSettings(own.title, own.features, protocol_of(values, path, origin), own.headline)
