#!/usr/bin/env bash
# EMO-DB, leave one speaker out: eGeMAPS with a linear SVM and logistic regression, the classic baseline.
# Settings: conf/protocol.yaml (splits), conf/*.yaml (methods), conf/runs.tsv (rows of the table).
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../run.sh" \
  --recipe "$(basename "$here")" \
  --title "EMO-DB, leave one speaker out" \
  --corpora "emodb" \
  --recipe_features "egemaps" \
  --mini_features "fbank_no_cmvn" \
  "$@"
