#!/usr/bin/env bash
# Download an open corpus, or explain how to get a licensed one.
#
# usage: utils/download_corpus.sh NAME DIR [--url URL] [--checksum ALGORITHM:HEX|none] [--archive FILE]
#
# NAME: a corpus, or das2022 (rating files); --help lists them with their sources and licences.
# DIR: the folder for --db_root. An interrupted download continues where it stopped.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
. "$root/utils/path.sh"
exec python3 -m ser.bin.download_corpus "$@"
