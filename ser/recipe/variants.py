"""Variants of a recipe's rows: the same rows with settings of the command line, in folders of their own.

A variant stands next to its row. It starts from the row's parent, or from the parent's variant where the settings
change that, and it is tested against the row itself.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from ser.errors import ConfigError
from ser.methods.base import settings_used
from ser.recipe.rows import Row
from ser.system.files import fingerprint

FOLDER = "variants"
"""Below `exp/`."""

LONGEST = 120
"""Characters of a folder's name."""


def folder_of(overrides: Sequence[str]) -> str:
    """Name the folder of some settings, below `exp/`.

    Example:
        >>> folder_of(["adapt.epochs=2", "loss.alpha=0.8"])
        'variants/adapt.epochs=2,loss.alpha=0.8'
    """
    name = quote(",".join(overrides), safe="=,+[]")
    if len(name) > LONGEST:
        name = f"{name[:LONGEST]}-{fingerprint(list(overrides))[:8]}"
    return f"{FOLDER}/{re.sub('^[.]', '%2E', name)}"


def with_variants(rows: Sequence[Row], changed: Sequence[Row], overrides: Sequence[str]) -> list[Row]:
    """Put the variants of rows behind them.

    Args:
        rows: of the table.
        changed: the same rows with the settings.
        overrides: the settings, as on the command line.

    Raises:
        ConfigError: if no row uses any of the settings, or every row sets them itself.
    """
    both = {row.name: (row, other) for row, other in zip(rows, changed, strict=True)}
    names = {name: f"{folder_of(overrides)}/{name}" for name in both if _differs(name, both)}
    if not names:
        raise ConfigError(f"--set {' --set '.join(overrides)}: changes no row: each row has these values already, "
                          "sets them itself (in runs.tsv), or does not use them")  # fmt: skip
    variants = [
        dataclasses.replace(
            other,
            name=names[row.name],
            label=f"{row.label} {' '.join(overrides)}",
            init=names.get(row.init, row.init),
            versus=row.label,
            published=None,
            variant_of=row.name,
        )
        for row, other in both.values()
        if row.name in names
    ]
    return [*rows, *variants]


def _differs(name: str, both: Mapping[str, tuple[Row, Row]]) -> bool:
    """Tell whether settings decide anything of a row, or of the weights that it starts from."""
    row, other = both[name]
    own = settings_used(row.about, row.values) != settings_used(other.about, other.values)
    return own or (row.init is not None and _differs(row.init, both))
