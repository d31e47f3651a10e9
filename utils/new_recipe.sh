#!/usr/bin/env bash
# Write a recipe for prepared corpora, your own included.
#
# usage: utils/new_recipe.sh NAME SOURCE TARGET [METHOD ...]
#        utils/new_recipe.sh NAME --train A,B|others --test C,D [--methods M,N] [--features F,G] [--tasks T,U]
#
# NAME: folder below egs/. SOURCE, TARGET, A to D: folders below data/. METHOD: emofsl (default). --help has more.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
. "$root/utils/path.sh"
exec python3 -m ser.bin.new_recipe --root "$root" "$@"
