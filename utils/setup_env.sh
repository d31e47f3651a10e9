# Find a Python that has this package, or make .venv. To be sourced with `root` set.
#
# setup_env [EXTRA MODULE ...]: a Python counts if it imports ser and the modules; else `.[EXTRA]` is installed,
# into the active virtual environment or, without one, into .venv. SER_READY marks this as done for child processes.
# shellcheck shell=bash

setup_env() {
  local extra=${1:-} imports="import ser" module started=$SECONDS
  : "${root:?}"
  [ $# -gt 0 ] && shift
  for module in "$@"; do imports="$imports, $module"; done
  export SER_READY=1
  if ! find_ser "$imports"; then
    check_python
    if [ -z "${VIRTUAL_ENV:-}" ]; then
      if ! [ -x "$root/.venv/bin/python3" ]; then
        echo "setup: making a virtual environment in $root/.venv" >&2
        python3 -m venv "$root/.venv"
      fi
      export PATH="$root/.venv/bin:$PATH"
    fi
    echo "setup: installing ser and its dependencies (with PyTorch: several GB, minutes), with pip:" >&2
    if ! pip_install --constraint "$root/constraints.txt" --editable "$root${extra:+[$extra]}"; then
      echo "setup: the tested versions (constraints.txt) cannot be installed here, see pip; installing the newest" \
        "that setup.py accepts, which nobody tested" >&2
      pip_install --editable "$root${extra:+[$extra]}" || true
    fi
    has_ser python3 "$imports" || { echo "setup: pip did not install ser; see its messages above" >&2; exit 1; }
    check_environment
    echo "setup: done in $((SECONDS - started)) s" >&2
    return
  fi
  check_environment
}

find_ser() { # the first of the active Python and .venv's that can run a statement
  has_ser python3 "$1" && return
  [ -z "${VIRTUAL_ENV:-}" ] && has_ser "$root/.venv/bin/python3" "$1" && export PATH="$root/.venv/bin:$PATH"
}

has_ser() { # from another folder, because the current one counts as installed
  command -v "$1" > /dev/null && (cd / && env -u PYTHONPATH "$1" -c "$2" > /dev/null 2>&1)
}

pip_install() { # modules are compiled when they are first imported, which most never are, if Python may keep the result
  local compile=--no-compile
  if [ -n "${PYTHONDONTWRITEBYTECODE:-}" ]; then compile=--compile; fi
  PIP_BUILD_CONSTRAINT=$root/constraints.txt python3 -m pip install --disable-pip-version-check "$compile" "$@" |
    sed -u -n -E 's/^(Collecting|Installing|Building|  Downloading|Successfully).*/setup:   &/p' | cut -c -150 >&2
}

check_environment() { # that PyTorch and its like can be loaded, with other versions than at the last check
  (cd "$root" && PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" python3 -m ser.bin.check_environment .environment) ||
    exit $?
}

check_python() {
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' && return
  echo "setup: $(python3 --version) is too old, 3.10 or newer is needed; put it first in PATH" >&2
  exit 2
}
