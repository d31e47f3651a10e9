"""The encoders that have a ready file in conf/features/, with the facts that the files state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ser.config import load
from ser.features.config import FeatureConfig
from ser.features.facts import Facts
from ser.recipe.code import ROOT
from ser.results.sections import wrapped

CONF = ROOT.parent / "conf" / "features"


def encoders(conf: Path = CONF) -> str:
    """Write a table of the encoders, and what each may have heard.

    Args:
        conf: folder of features.
    """
    found = list(_ready(conf))
    rows = [
        f"| {_codes(names)} | `{upstream}` | {of.paper} | {of.trained_on} | {of.download} | {of.license} |"
        for names, upstream, of in found
    ]
    heard: dict[str, list[str]] = {}
    for names, _, facts in found:
        heard.setdefault(facts.contamination, []).extend(names)
    notes = ["- " + wrapped(f"{_codes(names)}: {text}").replace("\n", "\n  ") for text, names in heard.items()]
    head = ["| features | `upstream` | paper | trained on | download | license |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *rows, "", "What they may have heard:", "", *notes])


def _ready(conf: Path) -> Iterator[tuple[list[str], str, Facts]]:
    """Give the names of the files of each upstream that has facts, and these, which are those of the first file."""
    names: dict[str, list[str]] = {}
    facts: dict[str, Facts] = {}
    for path in sorted(conf.glob("*.yaml")):
        config = load(path, FeatureConfig)
        if config.about is not None:
            names.setdefault(config.upstream, []).append(path.stem)
            facts.setdefault(config.upstream, config.about)
    return ((names[upstream], upstream, facts[upstream]) for upstream in names)


def _codes(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
