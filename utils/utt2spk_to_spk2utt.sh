#!/usr/bin/env bash
# Print the spk2utt of a file utt2spk, or of standard input.
#
# usage: utils/utt2spk_to_spk2utt.sh [UTT2SPK] > spk2utt
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
. "$root/utils/path.sh"
exec python3 -m ser.bin.data_dir spk2utt "$@"
