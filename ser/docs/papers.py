"""Paper by paper: every table and figure with its command, every system with its cost and its UAR in miniature.

Systems, settings, and printed values are those of the recipes. Costs (`docs/papers_costs.yaml`) are those that
`python -m benchmarks.paper_costs` computes without the papers' corpora, which are licensed. What systems print in
miniature (`docs/papers.yaml`) is what `python -m benchmarks.paper_miniatures` wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from ser.config import read
from ser.recipe.code import ROOT as PACKAGE
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.recipe.settings import read_settings
from ser.results.sections import pipes
from ser.system.files import write_text

ROOT = PACKAGE.parent
MEASURED = ROOT / "docs" / "papers.yaml"
COSTS = ROOT / "docs" / "papers_costs.yaml"
"""Recipe -> system and feature -> what it costs, as `python -m benchmarks.paper_costs` writes it."""

Json = Mapping[str, Any]


def papers() -> str:
    """Write a section for each paper."""
    return "\n\n".join(part for paper in _shown() for part in _section(paper))


@cache
def _measured() -> Json:
    return read(MEASURED)[0]["measured"]


@cache
def _costs() -> Json:
    return read(COSTS)[0]


@cache
def _shown() -> Json:
    return read(MEASURED)[0]["shown"]


def in_miniature(recipe: str, results: Json) -> dict[str, float]:
    """Read what a recipe printed on miniature corpora.

    Args:
        recipe: whose systems count.
        results: content of `exp_mini/RESULTS.json`, of the recipe or of one with the same systems.

    Returns:
        System and feature -> UAR in per cent in the first table that has the system. One on a feature that only
        miniatures have stands for the first feature that the system has really.
    """
    real = [(row.label, row.feature) for row in rows_of(recipe)]
    found: dict[str, float] = {}
    for row in (row for table in results["tables"] for row in table["rows"]):
        label, feature = row["label"], row.get("feature")
        of_label = [key for key in real if key[0] == label]
        if row.get("uar") is not None and of_label:
            key = (label, feature) if (label, feature) in of_label else of_label[0]
            found.setdefault(" ".join(key), round(100 * row["uar"], 1))
    return found


def record(recipe: str, printed: Mapping[str, float]) -> None:
    """Write what a recipe printed in miniature into `docs/papers.yaml`, instead of what stood there for it.

    Args:
        recipe: whose systems these are.
        printed: as `in_miniature` returns it.
    """
    about, heading, _ = MEASURED.read_text(encoding="utf-8").partition("measured:\n")
    found = dict(read(MEASURED)[0]["measured"])
    systems = (f"{row.label} {row.feature}" for row in rows_of(recipe))
    found[recipe] = {key: {"mini": printed[key]} for key in systems if key in printed}
    lines = [about + heading.rstrip()]
    for name in (name for paper in _shown() for name in recipes_of(paper) if name in found):
        lines += [f"  {name}:", *(f"    {key}: {{mini: {own['mini']:g}}}" for key, own in found[name].items())]
    write_text(MEASURED, "\n".join([*lines, ""]))


def recipes_of(paper: str) -> list[str]:
    """List the recipes on a paper's own corpora: those whose printed values are its."""
    sources = {
        path.parents[1].name: read(path)[0]["source"] for path in sorted(ROOT.glob("egs/*/conf/published.yaml"))
    }
    return [name for name, source in sources.items() if source.startswith(paper)]


def recipes_by_rows() -> list[list[str]]:
    """List the papers' recipes, those with the same table of rows together."""
    return [recipes for paper in _shown() for recipes in _by_rows(recipes_of(paper))]


def _by_rows(recipes: Sequence[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for recipe in recipes:
        rows = (ROOT / "egs" / recipe / "conf" / "runs.tsv").read_text(encoding="utf-8")
        groups.setdefault(rows, []).append(recipe)
    return list(groups.values())


def rows_of(recipe: str) -> list[Row]:
    """Read the table of a recipe, needing neither corpora nor splits; of several tasks the first."""
    folder = ROOT / "egs" / recipe
    features = read_settings(folder / "conf" / "recipe.yaml").features
    rows = Recipe(folder, ROOT, ROOT, ROOT, ROOT, features, strict=False).rows
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        first.setdefault((row.label, row.feature), row)
    return list(first.values())


def _section(paper: str) -> list[str]:
    title = read(ROOT / "conf" / "papers.yaml")[0][paper]["title"]
    shown = [[what, f"`{command}`" if command else "", where] for what, command, where in _shown()[paper]]
    parts = [f"## {paper}", f"{title}.", pipes([["in the paper", "command", "here"], *shown], 3)]
    for recipes in _by_rows(recipes_of(paper)):
        names = ", ".join(f"[{name}](../egs/{name}/README.md)" for name in recipes)
        parts += [f"Systems of {names}:", pipes(system_table(recipes), 4)]
    return parts


def system_table(recipes: Sequence[str]) -> list[list[str]]:
    """Lay out the systems of recipes with one table of rows, a header first."""
    found = [["system", "feature", "settings", "printed as", "runs", "steps", "audio", "one A100", "this machine",
              "miniature"]]  # fmt: skip
    features = read(ROOT / "egs" / recipes[0] / "conf" / "published.yaml")[0].get("features", [])
    for row in rows_of(recipes[0]):
        key = f"{row.label} {row.feature}"
        costs, minis = ([of().get(name, {}).get(key, {}) for name in recipes] for of in (_costs, _measured))
        settings = f"[{row.values['method']}](../ser/methods/{row.values['method']}.py)"
        printed = row.published if row.published and (not features or row.feature in features) else ""
        counts = (_range(costs, name, "{:,}".format) for name in ("runs", "steps"))
        hours = (_range(costs, name, _hours) for name in ("audio", "a100", "here"))
        found.append([row.label, row.feature, settings, printed, *counts, *hours, _miniature(minis)])
    return found


def _range(own: Sequence[Json], key: str, said: Callable[[Any], str]) -> str:
    """Say a number of all seeds and tasks, from the least to the most of several recipes."""
    known = [one for one in own if key in one]
    texts = dict.fromkeys(said(value) for value in sorted(one[key] for one in known)[:: max(1, len(known) - 1)])
    at_most = "at most " if key != "runs" and any(one.get("at_most") for one in known) else ""
    return f"{at_most}{' to '.join(texts)}" if texts else ""


def _hours(value: float) -> str:
    """Round hours.

    Example:
        >>> _hours(0.004), _hours(0.5), _hours(4.26), _hours(1234.5)
        ('< 1 min', '30 min', '4.3 h', '1,234 h')
    """
    if value < 1 / 60:
        return "< 1 min"
    return f"{60 * value:.0f} min" if value < 1 else f"{value:.1f} h" if value < 10 else f"{value:,.0f} h"


def _miniature(own: Sequence[Json]) -> str:
    found = [one["mini"] for one in own if "mini" in one]
    return f"{found[0]:.1f}" if found else ""
