"""Protocols: whom a recipe trains on and tests. One a file, found by its name, which is the value of `protocol:`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser.config import Origin, build, read
from ser.errors import ConfigError, unknown
from ser.splits.protocols.base import Protocol

RECIPE_KEYS = ("title", "features", "headline")
"""Keys of a recipe's file that are not its protocol's and decide no split (`ser.recipe.settings`)."""


def known() -> list[str]:
    """List the names of all protocols."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "base")


def read_protocol(path: Path, mini: bool = False) -> Protocol:
    """Read the protocol that a recipe's file holds.

    Raises:
        ConfigError: naming file and key.
    """
    values, origin = read(path, mini=mini)
    values = {key: value for key, value in values.items() if key not in RECIPE_KEYS}
    return protocol_of(values, path, origin)


def protocol_of(values: Mapping[str, Any], path: Path, origin: Origin) -> Protocol:
    """Hold settings against the protocol that they name, and complete them by its corpora's own folds.

    Args:
        values: plain settings.
        path: file that they are from.
        origin: the file of each setting.

    Raises:
        ConfigError: naming file and key.
    """
    if "protocol" not in values:
        raise ConfigError(f"{path}: protocol: is required and missing; known: {', '.join(known())}")
    if (name := str(values["protocol"])) not in known():
        raise ConfigError(f"{origin['protocol',]}: protocol: {unknown(name, known())}")
    model = importlib.import_module(f"{__name__}.{name}").PROTOCOL
    protocol = build(model, values, str(path), origin)
    try:
        return protocol.with_own_folds()
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
