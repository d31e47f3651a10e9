"""How names look in both reports. How numbers look is in the entries of measures (`ser.results.measures`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from ser.report.collect import REGIMES, System
from ser.results.answers import sees


def typographic(text: str) -> Markup:
    """Set the minus signs and ranges of a text as a printed page does, and keep a number and its % in one line.

    Example:
        >>> typographic("-0.5 [-1.0, +0.1] (a-b)"), typographic("42.5-50.0")
        (Markup('−0.5 [−1.0, +0.1] (a-b)'), Markup('42.5–50.0'))
    """
    text = re.sub(r"(?<=[0-9])-(?=[0-9])", "–", text).replace(" %", "\N{NO-BREAK SPACE}%")
    return Markup(escape(re.sub(r"(?<![\w)])-(?=[0-9])", "−", text)))


def breakable(name: str) -> Markup:
    """Let a long name break after its underscores.

    Example:
        >>> breakable("a_b<c")
        Markup('a_<wbr>b&lt;c')
    """
    return Markup(escape(name).replace("_", Markup("_<wbr>")))


def regime(system: System) -> str:
    """Name the data that a system has seen of the tested corpus."""
    return REGIMES.get(system.regime, "")


def rank(mark: str) -> str:
    """Print the mark of a system among all that may be compared with it; a missing test is said in words."""
    return "no test" if mark == "?" else mark


def seen(system: System) -> str:
    """List the data that it has seen of the target, as its recipe's table does."""
    return sees(system.row, system.tested.shots)


def hole(system: System) -> str:
    """Say why a system has no scores, or that it stands as its paper printed it."""
    if system.row["kind"] == "cited":
        return "cited"
    return system.row.get("hole", "")


def stamps(system: System) -> list[str]:
    """List the flags of a row, those of its recipe in one word."""
    of_recipe = [stamp.partition(":")[0] for stamp in system.recipe["stamps"]]
    own = list(system.row.get("stamps", ()))
    general = [stamp for stamp in of_recipe if stamp not in OF_ROWS]
    if system.recipe["variant"]:
        general.append("VARIANT")
    return list(dict.fromkeys([*own, *general]))


OF_ROWS = ("SPEAKER-DEPENDENT", "speaker ~ emotion", "MINIATURE CORPORA")
"""Flags of a page that are shown with the rows that they concern, or that hold for the whole report."""


def definitions(records: Sequence[Mapping[str, Any]], kind: str) -> list[tuple[str, str]]:
    """Join the definitions of one kind of table; where recipes differ, those of some are named.

    Args:
        records: RESULTS.json files.
        kind: key of `definitions` in them.
    """
    scored = [record for record in records if record["environment"]]
    found: dict[str, dict[str, list[str]]] = {}
    for record in scored or records:
        for term, text in record["definitions"][kind]:
            found.setdefault(term, {}).setdefault(text, []).append(record["recipe"])
    return [
        (term if len(texts) == 1 else f"{term} ({', '.join(recipes)})", text)
        for term, texts in found.items()
        for text, recipes in texts.items()
    ]
