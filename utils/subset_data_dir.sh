#!/usr/bin/env bash
# Make a data directory of some utterances of another.
#
# usage: utils/subset_data_dir.sh [--per-spk] [--first|--last|--shortest] [--seed N] SRC N DEST
#        utils/subset_data_dir.sh --utt-list FILE | --spk-list FILE  SRC DEST
#
# Without an order the choice is random, and the same for the same seed (1).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
. "$root/utils/path.sh"
exec python3 -m ser.bin.data_dir subset "$@"
