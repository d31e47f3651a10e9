#!/usr/bin/env bash
# Check a Kaldi-style data directory against every rule that later stages rely on.
#
# usage: utils/validate_data_dir.sh [--allow_pipes true] DATA_DIR
#
# Exit code 0, or 1 and every violation with its file and line.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
. "$root/utils/path.sh"
exec python3 -m ser.bin.validate_data_dir "$@"
