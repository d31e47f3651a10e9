# Where the jobs of stages 3 and 4 run. To be sourced.
#   local: on this machine, --nj at a time
#   slurm: as job arrays, --nj parts at most, with the memory, time and GPUs of conf/slurm.yaml; the cluster's machines
#          have to see this folder, the corpora and the Python environment under the same paths
# shellcheck shell=bash
export cmd_backend=${cmd_backend:-local}
