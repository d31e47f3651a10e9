"""Write the generated parts of the pages in docs/.

usage: python -m ser.bin.docs DOCS_DIR

Fills everything between `<!-- generated: NAME -->` and `<!-- end -->` in DOCS_DIR/*.md. Everything else stays.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.docs.parts import rendered
from ser.errors import run_cli
from ser.system.files import write_text


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("docs", type=Path)
    args = parser.parse_args(argv)
    for path in sorted(args.docs.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = rendered(before, path)
        if after != before:
            write_text(path, after)
            print(f"wrote {path}")


if __name__ == "__main__":
    run_cli(main)
