#!/usr/bin/env bash
# IEMOCAP to MSP-IMPROV, SAVEE and EMO-DB: binary arousal and valence, domain-adversarial training with center loss
# (Gao et al. 2022, cross-corpus).
# Settings: conf/protocol.yaml (splits), conf/difl.yaml (methods), conf/runs.tsv (rows of the table).
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../run.sh" \
  --recipe "$(basename "$here")" \
  --title "IEMOCAP to MSP-IMPROV, SAVEE and EMO-DB, binary arousal and valence" \
  --corpora "iemocap msp_improv savee emodb" \
  --recipe_features "spectrogram byol_s_frames" \
  --mini_features "spectrogram_coarse" \
  "$@"
