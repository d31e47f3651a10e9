"""A hook of mkdocs: links from docs/ to other files of the repository, which are no pages of the site."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)\s#]+)(#[^)\s]*)?\)")
"""A link to a file beside docs/: its text, the file, and a place in it."""


def on_page_markdown(markdown: str, config: Mapping[str, Any], **more: Any) -> str:
    """Lead such links to the repository where `repo_url` of mkdocs.yml names it, or else say where the file is.

    Example:
        >>> on_page_markdown("see [the table](../egs/README.md#a)", config={"repo_url": ""})
        'see the table (`egs/README.md`)'
        >>> on_page_markdown("[the table](../egs/README.md#a)", config={"repo_url": "https://host/ser/"})
        '[the table](https://host/ser/blob/main/egs/README.md#a)'
    """

    def lead(link: re.Match[str]) -> str:
        text, path, place = link.groups()
        if not config["repo_url"]:
            return f"{text} (`{path}`)"
        return f"[{text}]({config['repo_url'].rstrip('/')}/blob/main/{path}{place or ''})"

    return OUTSIDE.sub(lead, markdown)
