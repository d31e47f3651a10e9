#!/usr/bin/env bash
# RAVDESS to MSP-IMPROV with k labelled utterances per emotion: BTL, FSTL and EMOFSL (Yue et al. 2023).
# Settings: conf/protocol.yaml (splits), conf/emofsl.yaml (methods), conf/runs.tsv (rows of the table).
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../run.sh" \
  --recipe "$(basename "$here")" \
  --title "RAVDESS to MSP-IMPROV, k labelled utterances per emotion" \
  --corpora "ravdess msp_improv" \
  --recipe_features "fbank_no_cmvn byol_s" \
  --mini_features "fbank_no_cmvn" \
  "$@"
