"""Check a Kaldi-style data directory; `utils/validate_data_dir.sh` calls this.

usage: python -m ser.bin.validate_data_dir [--allow_pipes true] DATA_DIR
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ser.data.maps import read_map
from ser.data.validate import validate_data_dir
from ser.errors import run_cli


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--allow_pipes", choices=("true", "false"), default="false")
    parser.add_argument("data_dir", type=Path)
    args = parser.parse_args(argv)
    violations = validate_data_dir(args.data_dir, args.allow_pipes == "true")
    for violation in violations:
        print(violation)
    if violations:
        sys.exit(1)
    print(f"{args.data_dir}: valid, {len(read_map(args.data_dir / 'utt2spk'))} utterances")


if __name__ == "__main__":
    run_cli(main)
