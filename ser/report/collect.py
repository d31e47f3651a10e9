"""From RESULTS.json files to systems: a row of a table each, with all that decides what it may be compared with."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.results.record import condition_of, read_record
from ser.system.files import fingerprint
from ser.types import Condition

REGIMES = {
    "none": "source only",
    "unlabelled": "unlabelled",
    "k-shot": "k shots",
    "labelled": "labelled",
}
"""Target data of a system -> its name, from nothing to everything."""

KINDS = ("paper", "beside", "shortcut", "reference", "cited")
"""Kinds of rows that are shown first: a paper's, others in its figures, references, systems that it cites."""


@dataclasses.dataclass(frozen=True)
class Found:
    """One recipe's folder.

    Attributes:
        name: of the recipe.
        record: its RESULTS.json, None where there is none.
        is_old: whether there is a RESULTS.md without RESULTS.json.
        page: its RESULTS.md, below the folder of the recipes.
        is_own: whether it was run here, next to results that are published with this repository.
    """

    name: str
    record: Mapping[str, Any] | None
    is_old: bool = False
    page: str = ""
    is_own: bool = False


@dataclasses.dataclass(frozen=True)
class System:
    """One row of one table.

    Attributes:
        recipe: the record that it is from.
        table: the table that it is from.
        row: its own record.
    """

    recipe: Mapping[str, Any]
    table: Mapping[str, Any]
    row: Mapping[str, Any]

    @property
    def label(self) -> str:
        return self.row["label"]

    @property
    def feature(self) -> str:
        return self.row["feature"]

    @property
    def is_shown_first(self) -> bool:
        """Whether it is one of the rows that one came to read, or better than those with the same rights."""
        return self.row["kind"] in KINDS or bool(self.row.get("is_best") or self.row.get("is_best_of_all"))

    @property
    def uar(self) -> float | None:
        """In [0, 1]; None for a hole."""
        return self.row.get("uar")

    @property
    def tested(self) -> Condition:
        """What its table is about."""
        return condition_of(self.table)

    @property
    def corpus(self) -> str:
        """Name of the tested corpus, as in papers."""
        return title_of(self.recipe, self.tested.corpus)

    @property
    def sources(self) -> list[str]:
        """Names of the corpora whose labels it was trained on, support sets aside."""
        return [title_of(self.recipe, name) for name in self.row.get("sources", ())]

    @property
    def pair(self) -> str:
        """Source and target."""
        return f"{' + '.join(self.sources) or 'support set'} → {self.corpus}" if self.regime else self.corpus

    @property
    def condition(self) -> str:
        """What else there is to say of the table: its task or the number of shots."""
        tested = self.tested
        if tested.shots is None:
            return tested.task + (", rotation" if tested.rotation else "")
        return "any number of shots" if self.row.get("any_condition") else f"{tested.shots} shots"

    @property
    def regime(self) -> str:
        """Key of `REGIMES`; "" for references and cited systems, which were not trained here."""
        if self.row["kind"] in ("reference", "cited"):
            return ""
        seen = self.row.get("target_data", ())
        if "labelled" in seen:
            return "labelled"
        if "k-shot" in seen:
            return "k-shot"
        return "unlabelled" if seen else "none"

    @property
    def split_rule(self) -> str:
        """How the tested corpus was parted; "" for references and cited systems."""
        return self.row.get("split_rule", self.table["split_rule"]) if self.regime else ""

    @property
    def anchor(self) -> str:
        """Id of its row's place in the page, short, as there are a thousand."""
        return f"s{fingerprint([self.recipe['recipe'], str(self.tested), self.label, self.feature])[:8]}"


def title_of(record: Mapping[str, Any], corpus: str) -> str:
    """Name a corpus as papers do."""
    return record["corpora"].get(corpus, {}).get("title", corpus)


def anchor(*parts: str) -> str:
    """Make an id of names.

    Example:
        >>> anchor("ravdess2emodb", "5 shots")
        'ravdess2emodb-5-shots'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-")


def find_results(egs: Path, mini: bool = False) -> list[Found]:
    """Read the numbers of every recipe: those published with this repository, and those of runs on this machine.

    Args:
        egs: folder of the recipes.
        mini: whether to read results on miniature corpora instead.

    Raises:
        DataError: naming a file that cannot be read.
    """
    found = []
    for script in sorted(egs.glob("*/run.sh")):
        folder = script.parent
        first, *others = [folder / "exp_mini"] if mini else [folder, folder / "exp"]
        name, numbers = folder.name, first / "RESULTS.json"
        record = read_record(numbers) if numbers.exists() else None
        is_old = record is None and (first / "RESULTS.md").exists()
        found.append(Found(name, record, is_old, f"{first.relative_to(egs)}/RESULTS.md"))
        variants = sorted((others or [first])[0].glob("variants/*/RESULTS.json"))
        for path in [*(place / "RESULTS.json" for place in others), *variants]:
            if path.exists() and (own := _own(path, record)) is not None:
                found.append(
                    Found(own["recipe"], own, page=f"{path.parent.relative_to(egs)}/RESULTS.md", is_own=True)
                )
    return found


def _own(path: Path, published: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Read the numbers of a run on this machine under a name of its own; None if they are the published ones."""
    record = read_record(path)
    if published is not None and record["made_from"] == published["made_from"]:
        return None
    date = f", {record['environment']['date']}" if record["environment"] else ""
    options = f", {record['variant'].strip()}" if record["variant"] else ""
    return {**record, "recipe": f"{record['recipe']} (this machine{date}{options})"}


def systems_of(records: Sequence[Mapping[str, Any]]) -> list[System]:
    """List the systems of all tables; a row that knows no shots stands once for all numbers of them."""
    systems = []
    for record in records:
        seen = set()
        for table in record["tables"]:
            tested = condition_of(table)
            for row in table["rows"]:
                key = (row["label"], row["feature"], tested.task, tested.corpus)
                if row.get("any_condition") and tested.shots is not None:
                    if key in seen:
                        continue
                    seen.add(key)
                systems.append(System(record, table, row))
    return systems
