#!/usr/bin/env bash
# Set up if need be, and pass the tests; arguments go to pytest.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../utils/shell.sh"
case ${1:-} in -h | --help) print_header "$0"; exit ;; esac
. "$root/utils/setup_env.sh"
setup_env test pytest xdist hypothesis
. "$root/utils/path.sh"
cd "$root"
python3 -m ruff check ser tests benchmarks setup.py
python3 -m ruff format --check --quiet ser tests benchmarks setup.py
# A file's tests stay in one worker, which builds their fixtures once; files begin in the order of tests/conftest.py.
exec python3 -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
