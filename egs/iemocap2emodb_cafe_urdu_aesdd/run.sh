#!/usr/bin/env bash
# IEMOCAP to EMO-DB, CaFE, URDU, AESDD and SAVEE: latent spaces that follow activation or valence (Das et al. 2022).
# Settings: conf/protocol.yaml (splits), conf/*.yaml (methods), conf/runs.tsv (rows of the table).
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../run.sh" \
  --recipe "$(basename "$here")" \
  --title "IEMOCAP to EMO-DB, CaFE, URDU and AESDD, continuous metric learning" \
  --corpora "iemocap emodb cafe urdu aesdd savee" \
  --recipe_features "egemaps" \
  --mini_features "fbank_no_cmvn" \
  "$@"
