# The environment of every step. To be sourced with `root` set to the repository.
# shellcheck shell=bash
export LC_ALL=C.UTF-8 PYTHONUTF8=1 PYTHONUNBUFFERED=1
export PYTHONPATH="${root:?}${PYTHONPATH:+:$PYTHONPATH}"
# One thread per process: parallel work is done by processes, and digits do not depend on the number of cores.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export MPLBACKEND=Agg
