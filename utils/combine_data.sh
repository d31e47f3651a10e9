#!/usr/bin/env bash
# Make one data directory of several; ids must differ.
#
# usage: utils/combine_data.sh DEST SRC1 SRC2 ...
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
. "$root/utils/path.sh"
exec python3 -m ser.bin.data_dir combine "$@"
