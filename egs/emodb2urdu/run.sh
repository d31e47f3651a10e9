#!/usr/bin/env bash
# EMO-DB to URDU: latent spaces that follow activation or valence (open twin of Das et al. 2022).
# Settings: conf/protocol.yaml (splits), conf/*.yaml (methods), conf/runs.tsv (rows of the table).
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../run.sh" \
  --recipe "$(basename "$here")" \
  --title "EMO-DB to URDU, continuous metric learning" \
  --corpora "emodb urdu" \
  --recipe_features "egemaps" \
  --mini_features "fbank_no_cmvn" \
  "$@"
