"""Write the table of all corpora that are prepared by name.

usage: python -m ser.bin.list_corpora [FILE]

Without FILE it is printed; `egs/README.md` is the one that is committed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.corpora.overview import overview
from ser.errors import run_cli
from ser.system.files import replacing


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    args = parser.parse_args(argv)
    if args.file is None:
        print(overview(), end="")
        return
    with replacing(args.file) as part:
        part.write_text(overview(), encoding="utf-8")


if __name__ == "__main__":
    run_cli(main)
