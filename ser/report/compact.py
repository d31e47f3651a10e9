"""A page without what browsers put there by themselves, so that a thousand lines of tables stay small."""

from __future__ import annotations

import re

OPTIONAL = ("td", "th", "tr", "li", "dt", "dd", "option")
"""Elements whose end is clear from what follows; HTML lets a page leave their end tags out."""


def compact(html: str) -> str:
    """Leave out end tags that may be left out, with the space around them.

    Example:
        >>> compact("<tr><td>a</td>\\n<td><b>b</b></td>\\n</tr>\\n</table>")
        '<tr><td>a<td><b>b</b></table>'
    """
    return re.sub(rf"\s*</(?:{'|'.join(OPTIONAL)})>\s*", "", html)
