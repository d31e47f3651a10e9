"""Download a corpus that may be downloaded, or say how to get one that may not.

usage: python -m ser.bin.download_corpus NAME DIR [--url URL] [--checksum ALGORITHM:HEX|none] [--archive FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.corpora.downloads import download, table
from ser.errors import run_cli


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=table(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("root", metavar="DIR", type=Path, help="folder of the releases, as for --db_root")
    parser.add_argument("--url", help="another source; for das2022, the folder that holds its files")
    parser.add_argument("--checksum", help="checksum of the archive, sha256:HEX or md5:HEX; 'none' checks nothing")
    parser.add_argument("--archive", type=Path, help="a file that was downloaded by hand, checked and unpacked here")
    args = parser.parse_args(argv)
    download(args.name, args.root, args.url, args.checksum, args.archive)


if __name__ == "__main__":
    run_cli(main)
