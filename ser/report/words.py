"""How numbers and names look in both reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from ser.report.collect import REGIMES, System


def percent(share: float | None) -> str:
    """Print a share in [0, 1] in per cent."""
    return "" if share is None else f"{100 * share:.1f}"


def signed(points: float | None) -> str:
    """Print a difference in points.

    Example:
        >>> signed(-0.04), signed(2.25), signed(-3.0)
        ('0.0', '+2.2', '−3.0')
    """
    if points is None:
        return ""
    text = f"{points:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def bounds(row: Mapping[str, Any]) -> str:
    """Print the interval of a row's UAR in per cent, marked where it is of few speakers."""
    if not (interval := row.get("interval")):
        return ""
    return f"{percent(interval[0])}–{percent(interval[1])}" + (" ‡" if row.get("few_speakers") else "")


def breakable(name: str) -> Markup:
    """Let a long name break after its underscores.

    Example:
        >>> breakable("a_b<c")
        Markup('a_<wbr>b&lt;c')
    """
    return Markup(escape(name).replace("_", Markup("_<wbr>")))


def published(system: System) -> str:
    """Print what the paper printed."""
    return system.row.get("published_text", "")


def regime(system: System) -> str:
    """Name what a system has seen of the tested corpus."""
    return REGIMES.get(system.regime, "")


def seen(system: System) -> str:
    """List what it has seen of the target, as its recipe's table does."""
    return ", ".join(system.row.get("target_data", ())) or ("none" if system.uar is not None else "")


def hole(system: System) -> str:
    """Tell why a system has no scores, or that it stands as its paper printed it."""
    if system.row["kind"] == "cited":
        return "cited"
    return system.row.get("hole", "")


def stamps(system: System) -> list[str]:
    """List what has to stand beside a row, the recipe's own stamps told in one word."""
    of_recipe = [stamp.partition(":")[0] for stamp in system.recipe["stamps"]]
    own = list(system.row.get("stamps", ()))
    general = [stamp for stamp in of_recipe if stamp not in OF_ROWS]
    if system.recipe["variant"]:
        general.append("VARIANT")
    return list(dict.fromkeys([*own, *general]))


OF_ROWS = ("SPEAKER-DEPENDENT", "speaker ~ emotion", "MINIATURE CORPORA")
"""Stamps of a page that stand beside the rows that they are about, or are true of all that a report shows."""

TERM = re.compile(r"(?:^|(?<=\. ))(\*|[▼†★▽]|n|sd|[A-Z][\w-]*(?: [a-z]+| A-distance)?|95 %): ")


def glossary(text: str) -> list[tuple[str, str]]:
    """Part definitions into terms and what they mean.

    Example:
        >>> glossary("UAR: mean of recalls. WA: accuracy. sd: spread.")
        [('UAR', 'mean of recalls.'), ('WA', 'accuracy.'), ('sd', 'spread.')]
    """
    parts = TERM.split(" ".join(text.split()))
    head = [("", parts[0].strip())] if parts[0].strip() else []
    return head + [(term, told.strip()) for term, told in zip(parts[1::2], parts[2::2], strict=True)]
