"""Run a list of jobs as a job array of Slurm's, and wait for it; called by utils/submit.sh.

usage: python -m ser.bin.slurm_array --kind train --config conf/slurm.yaml --jobs FILE --nj N --log LOG COMMAND...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from ser.config import load
from ser.errors import run_cli
from ser.system.slurm import Kind, SlurmConfig, run_array


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kind", choices=get_args(Kind), required=True)
    parser.add_argument("--config", type=Path, required=True, metavar="YAML")
    parser.add_argument("--jobs", type=Path, required=True)
    parser.add_argument("--nj", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    config = load(args.config, SlurmConfig)
    sys.exit(run_array(args.kind, config, args.jobs, args.nj, args.log, args.command))


if __name__ == "__main__":
    run_cli(main)
