# The environment of every step: a Python that has this package, and its variables. To be sourced with `root` set.
# shellcheck shell=bash
# shellcheck source=utils/setup_env.sh
. "${root:?}/utils/setup_env.sh"
if [ -z "${SER_READY:-}" ]; then
  for argument in "$@"; do # help needs no installation
    case $argument in -h | --help) find_ser "import ser" || { print_header "$0"; exit 0; } ;; esac
  done
  setup_env ""
fi
export LC_ALL=C.UTF-8 PYTHONUTF8=1
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONSAFEPATH=1 # the current folder may be another checkout (Python before 3.11 looks there all the same)
# One thread per process: parallel work is done by processes, and digits do not depend on the number of cores.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export MPLBACKEND=Agg
