# Find a Python that has this package, or make one in .venv. To be sourced with `root` set.
#
# setup_env [EXTRA MODULE ...]: a Python counts if it imports ser and the modules; else `.[EXTRA]` is installed,
# into the active virtual environment or, without one, into .venv. SER_READY tells children that this is done.
# shellcheck shell=bash

setup_env() {
  local extra=${1:-} imports="import ser" module started=$SECONDS
  : "${root:?}"
  [ $# -gt 0 ] && shift
  for module in "$@"; do imports="$imports, $module"; done
  export SER_READY=1
  has_ser python3 "$imports" && return
  if [ -z "${VIRTUAL_ENV:-}" ]; then
    if ! [ -x "$root/.venv/bin/python3" ]; then
      check_python
      echo "setup: making a virtual environment in $root/.venv" >&2
      python3 -m venv "$root/.venv"
    fi
    export PATH="$root/.venv/bin:$PATH"
    has_ser python3 "$imports" && return
  fi
  check_python
  echo "setup: installing ser and what it needs (PyTorch among it: some GB, minutes); pip tells what it does:" >&2
  python3 -m pip install --disable-pip-version-check --editable "$root${extra:+[$extra]}" |
    sed -u -n -E 's/^(Collecting|Installing|Building|  Downloading|Successfully).*/setup:   &/p' | cut -c -150 >&2
  has_ser python3 "$imports" || { echo "setup: pip did not install ser; see its messages above" >&2; exit 1; }
  echo "setup: done in $((SECONDS - started)) s" >&2
}

has_ser() { # from another folder, because the current one counts as installed
  command -v "$1" > /dev/null && (cd / && env -u PYTHONPATH "$1" -c "$2" > /dev/null 2>&1)
}

check_python() {
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' && return
  echo "setup: $(python3 --version) is too old, 3.10 or newer is needed; put it first in PATH" >&2
  exit 2
}
