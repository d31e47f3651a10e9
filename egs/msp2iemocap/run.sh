#!/usr/bin/env bash
# MSP-IMPROV to IEMOCAP with k labelled utterances per emotion: BTL, FSTL and EMOFSL (Yue et al. 2023).
# Settings: conf/protocol.yaml (splits), conf/emofsl.yaml (methods), conf/runs.tsv (rows of the table).
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../run.sh" \
  --recipe "$(basename "$here")" \
  --title "MSP-IMPROV to IEMOCAP, k labelled utterances per emotion" \
  --corpora "msp_improv iemocap" \
  --recipe_features "fbank_no_cmvn byol_s" \
  --mini_features "fbank_no_cmvn" \
  "$@"
