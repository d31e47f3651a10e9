"""One card per paper: what it claims, what open corpora give, and what holds, all by the numbers of RESULTS.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ser.config import ConfigModel, build, read
from ser.results import answers
from ser.results.answers import Comparison
from ser.results.record import condition_of

PAPERS = Path(__file__).parents[2] / "conf" / "papers.yaml"

Json = Mapping[str, Any]


Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class Paper(ConfigModel):
    """What a paper claims.

    Attributes:
        title: of the paper.
        claim: in a sentence.
        compares: labels of the proposed system and of the one that it is to be better than; each recipe has one pair.
    """

    title: str
    claim: str
    compares: Annotated[list[Pair], Field(min_length=1)]


@dataclass(frozen=True)
class Result:
    """A recipe's headline comparison of the two systems.

    Attributes:
        recipe: its name.
        where: corpora and task, in words.
        compared: both systems.
    """

    recipe: str
    where: str
    compared: Comparison


@dataclass(frozen=True)
class Card:
    """What there is to know of a paper.

    Attributes:
        name: as recipes name the paper.
        paper: what it claims.
        printed: differences that it printed, in points, a table each.
        needs: corpora without which its own recipes cannot be run.
        results: of open twins, one for each recipe.
        pairs: the same two systems in every table of the open twins.
        weaker: name of a reference -> in how many of those tables the proposed system is below it, and of how many.
    """

    name: str
    paper: Paper
    printed: Sequence[float]
    needs: Sequence[str]
    results: Sequence[Result]
    pairs: Sequence[Comparison]
    weaker: Mapping[str, tuple[int, int]]

    @property
    def systems(self) -> Sequence[str]:
        """Labels of the proposed system and of the other, as the open twins have them."""
        first = self.pairs[0] if self.pairs else None
        return [first.winner["label"], first.other["label"]] if first else self.paper.compares[0]

    @property
    def published(self) -> str:
        """The claim in numbers."""
        proposed, other = self.paper.compares[0]
        if not self.printed:
            return "no number of both systems is printed for the same test."
        ahead = sum(points > 0 for points in self.printed)
        span = f"{min(self.printed):+.1f} to {max(self.printed):+.1f} points" if len(self.printed) > 1 else (
            f"{self.printed[0]:+.1f} points")  # fmt: skip
        return f"{proposed} against {other}: {span}, ahead in {ahead} of {len(self.printed)} tables."

    @property
    def holds(self) -> str:
        """What open corpora say of it, in a sentence or two."""
        if not self.pairs:
            return "Nothing was run on open corpora."
        proposed, other = self.systems
        n = len(self.pairs)
        ahead = sum(100 * pair.difference >= 0.05 for pair in self.pairs)
        surely = sum(pair.is_significant and pair.difference > 0 for pair in self.pairs)
        worse = sum(pair.is_significant and pair.difference < 0 for pair in self.pairs)
        is_tested = any(pair.p is not None for pair in self.pairs)
        text = f"{proposed} is ahead of {other} in {ahead} of {n} tables, "
        text += f"significantly in {surely or 'none'}" if is_tested else "without a test"
        text += f", and significantly behind in {worse}." if worse else "."
        below = [f"{name} in {k} of {of}" for name, (k, of) in self.weaker.items() if k]
        return f"{text} It is below {' and '.join(below)}." if below else text


def read_papers(path: Path = PAPERS) -> dict[str, Paper]:
    """Read what the papers claim.

    Raises:
        ConfigError: naming file and key.
    """
    values, origin = read(path)
    return {name: build(Paper, own, f"{path}: {name}", origin) for name, own in values.items()}


def cards(records: Sequence[Json]) -> list[Card]:
    """Make the card of every paper that has a recipe among these records."""
    return [
        _card(name, paper, own)
        for name, paper in read_papers().items()
        if (own := [record for record in records if record["paper"] == name])
    ]


def _card(name: str, paper: Paper, records: Sequence[Json]) -> Card:
    results, pairs, weaker = [], [], {}
    for record in records:
        found = answers.headline(record)
        if found is None:
            continue
        for table in record["tables"]:
            rows = _rows(table, found.feature)
            for proposed, other in paper.compares:
                if (compared := _compared(rows, proposed, other)) is None:
                    continue
                pairs.append(compared)
                for reference in (row for row in rows.values() if _is_reference(row)):
                    k, of = weaker.get(reference["label"], (0, 0))
                    is_below = compared.winner["uar"] < reference["uar"]
                    weaker[reference["label"]] = (k + is_below, of + 1)
                if condition_of(table) == found.condition:
                    where = f"{_corpora(record)}, {answers.about(found.condition)}".removesuffix(", ")
                    results.append(Result(record["recipe"], where, compared))
    needs = sorted({record["needs"] for record in records if record["needs"]})
    return Card(name, paper, _printed(paper, records), needs, results, pairs, weaker)


def _corpora(record: Json) -> str:
    """Name a recipe's corpora as its title does."""
    return record["title"].partition(",")[0]


def _rows(table: Json, feature: str) -> dict[str, Json]:
    return {
        row["label"]: row
        for row in table["rows"]
        if "uar" in row and (row["feature"] == feature or row["kind"] == "shortcut")
    }


def _is_reference(row: Json) -> bool:
    """Decide whether a system should be beaten by one that learns emotions from a source."""
    return row["kind"] == "shortcut" or (row["kind"] == "beside" and not row.get("sources"))


def _compared(rows: Mapping[str, Json], proposed: str, other: str) -> Comparison | None:
    if proposed not in rows or other not in rows:
        return None
    return answers.held(rows[proposed], rows[other])


def _printed(paper: Paper, records: Sequence[Json]) -> list[float]:
    """List the differences of the two systems' published values; values that several tables repeat count once."""
    found = {}
    for record in records:
        for table in record["tables"]:
            for proposed, other in paper.compares:
                for row in table["rows"]:
                    for base in table["rows"]:
                        names = row["label"] == proposed and base["label"] == other
                        if names and row["feature"] == base["feature"] and "published" in row and "published" in base:
                            condition = condition_of(table)
                            place = (
                                record["recipe"],
                                condition.corpus,
                                condition.shots,
                                row["published"],
                                base["published"],
                            )
                            found[place] = row["published"] - base["published"]
    return list(found.values())
