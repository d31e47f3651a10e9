"""Which rows, tasks and seeds of a table a run is asked for, and which others come along."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ser.errors import ConfigError, unknown
from ser.recipe.rows import Row


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the command line asks for; an empty list asks for all.

    Attributes:
        rows: labels.
        tasks: of the protocol.
        seeds: numbers from 1.
    """

    rows: Sequence[str] = ()
    tasks: Sequence[str] = ()
    seeds: Sequence[str] = ()

    @property
    def options(self) -> str:
        """As on the command line.

        Example:
            >>> Choice(rows=["btl", "emofsl"]).options
            ' --rows "btl emofsl"'
        """
        return "".join(
            f' --{field.name} "{" ".join(getattr(self, field.name))}"'
            for field in dataclasses.fields(self)
            if getattr(self, field.name)
        )

    def of(self, rows: Sequence[Row]) -> list[Row]:
        """Choose rows of a table: those asked for, those that they are tested against, and all that these start from.

        Where settings of the command line have made variants, only these are asked for.

        Raises:
            ConfigError: for a row, task or seed that the table does not have.
        """
        by_name = {row.name: row for row in rows}
        labels = {row.name: by_name[row.variant_of].label if row.variant_of else row.label for row in rows}
        for option, asked, known in (
            ("rows", self.rows, set(labels.values())),
            ("tasks", self.tasks, {row.task for row in rows} - {""}),
            ("seeds", self.seeds, {str(seed) for row in rows for seed in row.seeds}),
        ):
            if strange := [one for one in asked if one not in known]:
                if not known:
                    raise ConfigError(f"--{option} '{strange[0]}': this recipe has no {option}; leave the option out")
                raise ConfigError(f"--{option}: {unknown(strange[0], known)}")
        are_variants = any(row.variant_of for row in rows)
        asked = [
            row
            for row in rows
            if (not self.rows or labels[row.name] in self.rows)
            and (not self.tasks or row.task in self.tasks)
            and (not are_variants or row.variant_of)
        ]
        if are_variants and not asked:
            raise ConfigError(f"--set: changes nothing that the rows '{' '.join(self.rows)}' use; name other rows")
        chosen = {row.name for row in asked}
        for row in asked:
            chosen |= {
                other.name
                for other in rows
                if other.name == row.variant_of
                or (not row.variant_of and other.label == row.versus
                    and (other.task, other.feature) == (row.task, row.feature))
            }  # fmt: skip
        for name in list(chosen):
            while (parent := by_name[name].init) is not None:
                chosen.add(parent)
                name = parent
        found = [row for row in rows if row.name in chosen]
        if self.seeds:
            own = {row.name: tuple(seed for seed in row.seeds if str(seed) in self.seeds) for row in found}
            found = [dataclasses.replace(row, seeds=own[row.name]) for row in found if own[row.name]]
        return found
