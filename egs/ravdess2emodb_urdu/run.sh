#!/usr/bin/env bash
# RAVDESS to EMO-DB and URDU: binary arousal and valence, domain-adversarial training with center loss
# (open twin of Gao et al. 2022, cross-corpus).
# Settings: conf/protocol.yaml (splits), conf/difl.yaml (methods), conf/runs.tsv (rows of the table).
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../run.sh" \
  --recipe "$(basename "$here")" \
  --title "RAVDESS to EMO-DB and URDU, binary arousal and valence" \
  --corpora "ravdess emodb urdu" \
  --recipe_features "byol_s_frames" \
  --mini_features "spectrogram_coarse" \
  "$@"
