"""Random numbers by name: every draw has its own generator, made from a seed and the draw's name.

So a draw does not depend on how many others were made before it, in which order, or in which process.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def seed_of(*names: object) -> int:
    """Make a 63-bit seed of names and numbers, the same on every machine.

    Example:
        >>> seed_of("support", 1, "emodb") == seed_of("support", 1, "emodb")
        True
    """
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def rng(*names: object) -> np.random.Generator:
    """Make the generator of a named draw.

    Example:
        >>> int(rng("dev speakers", 1).integers(100)) == int(rng("dev speakers", 1).integers(100))
        True
    """
    import numpy as np  # here, because most command lines find nothing to do

    return np.random.default_rng(seed_of(*names))
