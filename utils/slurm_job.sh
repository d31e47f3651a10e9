#!/usr/bin/env bash
# One part of a job array, with its log; its exit code goes to a file. Handed to sbatch by ser/system/slurm.py.
#
# usage: slurm_job.sh UTILS KIND N LOG FOLDER COMMAND...
set -euo pipefail
utils=$1 kind=$2 n=$3 log=$4 folder=$5
shift 5
i=$SLURM_ARRAY_TASK_ID
exec > "$folder/$i.txt" 2>&1
# shellcheck source=utils/stages.sh
. "$utils/stages.sh"
cpus=${SLURM_CPUS_PER_TASK:-1}
if [ "$kind" = features ]; then
  set -- "$@" --nj "$cpus"
else
  export OMP_NUM_THREADS=$cpus MKL_NUM_THREADS=$cpus OPENBLAS_NUM_THREADS=$cpus
fi
if [ "${SLURM_NNODES:-1}" -gt 1 ]; then # one torchrun on each, a process per GPU
  shift # python3
  set -- srun --ntasks-per-node=1 --cpus-per-task="$cpus" --kill-on-bad-exit=1 \
    python3 -m torch.distributed.run --nnodes "$SLURM_NNODES" --nproc_per_node "${SLURM_GPUS_ON_NODE:-1}" \
    --rdzv_backend c10d --rdzv_id "$SLURM_JOB_ID" --rdzv_endpoint "$(hostname):$((20000 + SLURM_JOB_ID % 20000))" "$@"
fi
code=0
run_step "$log.$i.log" "$@" --part "$i/$n" || code=$?
echo "$code" > "$folder/.$i.code"
mv "$folder/.$i.code" "$folder/$i.code"
exit "$code"
