"""Extract features of data directories into archives that all recipes share.

usage: python -m ser.bin.extract_features --config conf/features/X.yaml DATA_DIR [DATA_DIR ...] DUMP_DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.config import load
from ser.errors import ConfigError, run_cli
from ser.features.config import FeatureConfig
from ser.features.extract import extract_stale
from ser.system.devices import n_cores


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, metavar="YAML")
    parser.add_argument("--nj", type=int, default=n_cores(), help="worker processes (default: all cores)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("paths", type=Path, nargs="+", help="data directories, then the folder of archives")
    args = parser.parse_args(argv)
    *data_dirs, dump_root = args.paths
    if not data_dirs or args.nj < 1:
        raise ConfigError("extract_features needs a data directory, a dump directory and --nj of at least 1")
    feature = (args.config.stem, load(args.config, FeatureConfig))
    extract_stale([feature], data_dirs, dump_root, args.nj, args.device)


if __name__ == "__main__":
    run_cli(main)
