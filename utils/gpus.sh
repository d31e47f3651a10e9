# The GPUs of this machine that jobs may use: `gpus`, an array of names for CUDA_VISIBLE_DEVICES. To be sourced.
# shellcheck shell=bash
# shellcheck disable=SC2034
gpus=()
if [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then
  case $CUDA_VISIBLE_DEVICES in -*) ;; *) IFS=, read -r -a gpus <<< "$CUDA_VISIBLE_DEVICES" ;; esac
elif command -v nvidia-smi > /dev/null; then
  mapfile -t gpus < <(nvidia-smi --query-gpu=uuid --format=csv,noheader 2> /dev/null | grep '^GPU-' || true)
fi
