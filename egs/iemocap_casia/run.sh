#!/usr/bin/env bash
# IEMOCAP and CASIA: two-stage supervised contrastive fine-tuning of HuBERT and WavLM, in every split rule that the
# paper may have had (Xiang). Rows that train the encoder: --finetune true.
# Settings: conf/protocol.yaml (splits), conf/supcon*.yaml (methods), conf/runs.tsv (rows of the table).
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/../../run.sh" \
  --recipe "$(basename "$here")" \
  --title "IEMOCAP and CASIA, two-stage supervised contrastive fine-tuning" \
  --corpora "iemocap casia" \
  --recipe_features "hubert_base_frames wavlm_base_plus_frames" \
  --mini_features "fbank_no_cmvn_frames" \
  "$@"
