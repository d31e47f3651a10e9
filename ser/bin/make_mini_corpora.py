"""Write miniature releases with synthetic speech, to try the recipes without licensed audio.

usage: python -m ser.bin.make_mini_corpora DEST [CORPUS ...] [--seed N] [--shift X]

Without CORPUS all that can be made. --shift 0 makes corpora that sound alike, 1 (the default) a
clear corpus shift. What is there already, made alike, is left as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.corpora.mini import maker
from ser.errors import run_cli


def main(argv: Sequence[str]) -> None:
    """Make the corpora and say where they are."""
    parser = argparse.ArgumentParser(
        prog="make_mini_corpora",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dest", metavar="DEST", type=Path)
    parser.add_argument("corpora", metavar="CORPUS", nargs="*", help=", ".join(maker.miniatures()))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shift", type=float, default=1.0)
    args = parser.parse_args(argv)
    for name, root in maker.make(args.dest, args.corpora, seed=args.seed, shift=args.shift).items():
        print(f"{name}: {root}")


if __name__ == "__main__":
    run_cli(main)
