#!/usr/bin/env bash
# Sort all files of a data directory, keep the utterances that are in all of them, rebuild spk2utt and spk2gender.
#
# usage: utils/fix_data_dir.sh [--allow-pipes true] DATA_DIR
#
# Prints what was removed and why; the old files are kept in DATA_DIR/.backup. The result is valid, or nothing changes.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
. "$root/utils/path.sh"
exec python3 -m ser.bin.data_dir fix "$@"
