#!/usr/bin/env bash
# Write constraints.txt: the versions that setup.py resolves to, for Python 3.10 and newer, on Linux, macOS and Windows.
#
# usage: utils/make_constraints.sh [--upgrade]      (needs uv: pip install uv)
#
# A version in constraints.txt is kept while setup.py admits it; --upgrade takes the newest of everything.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
case ${1:-} in -h | --help) print_header "$0"; exit ;; esac
cd "$root"
# torch 2.14 is the last with a build for Python 3.10: all Pythons get the same.
export UV_CUSTOM_COMPILE_COMMAND=utils/make_constraints.sh UV_PYTHON_DOWNLOADS=never
uv pip compile setup.py --all-extras --universal --python-version 3.10 --constraints <(echo 'torch<2.15') \
  --no-annotate --output-file constraints.txt --quiet "$@"
