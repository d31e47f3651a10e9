#!/usr/bin/env bash
# List what `upstream:` of a feature's YAML can name.
#
# usage: utils/list_upstreams.sh [WORD]
#
# With WORD, only the lines that contain it, as in: utils/list_upstreams.sh whisper
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
. "$root/utils/path.sh"
exec python3 -m ser.bin.list_upstreams "$@"
