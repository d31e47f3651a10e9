"""Write the generated parts of a page of docs/."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ser.docs.commands import commands
from ser.docs.encoders import encoders
from ser.docs.papers import papers
from ser.docs.settings import settings
from ser.errors import DataError, unknown
from ser.results.groups import DEFINITION
from ser.results.sections import wrapped
from ser.results.words import definitions

PART = re.compile(r"(<!-- generated: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.S)


def rendered(text: str, where: Path) -> str:
    """Fill the generated parts of a page; everything else stays as it is.

    Args:
        text: of the page.
        where: its file, for errors.

    Raises:
        DataError: for a part that nothing writes.
    """
    known = parts()

    def filled(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in known:
            raise DataError(f"{where}: generated: {unknown(name, known)}")
        return f"{found[1]}\n{known[name]().strip()}\n\n{found[3]}"

    return PART.sub(filled, text)


def parts() -> Mapping[str, Callable[[], str]]:
    """List the parts by name."""
    found: dict[str, Callable[[], str]] = {kind: lambda kind=kind: terms(kind) for kind in definitions()}
    return found | {
        "groups": lambda: wrapped(" ".join(DEFINITION.split())),
        "settings": settings,
        "commands": commands,
        "encoders": encoders,
        "papers": papers,
    }


def terms(kind: str) -> str:
    """Define the terms of one kind of table, an entry of a list each.

    Args:
        kind: key of `ser.results.words.definitions`.
    """
    found = []
    for term, text in definitions()[kind]:
        entry = wrapped(f"**{term}** {text}" if term else text)
        found.append("- " + entry.replace("\n", "\n  "))
    return "\n".join(found)
