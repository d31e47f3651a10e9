#!/usr/bin/env bash
# RAVDESS and EMO-DB together: two-stage supervised contrastive training in three split rules (open twin of Xiang).
# Settings: conf/protocol.yaml (splits), conf/supcon.yaml (methods), conf/runs.tsv (rows of the table).
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../run.sh" \
  --recipe "$(basename "$here")" \
  --title "RAVDESS and EMO-DB, supervised contrastive training of both" \
  --corpora "ravdess emodb" \
  --recipe_features "byol_s_frames" \
  --mini_features "fbank_no_cmvn_frames" \
  "$@"
