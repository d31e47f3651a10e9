#!/usr/bin/env bash
# Run a list of jobs in parts, with a log per part; siblings of a failed part go on.
#
# usage: utils/submit.sh NJ LOG JOBS COMMAND...
#
# Calls COMMAND with `--jobs JOBS --part i/n` for i = 1 to n, n at most NJ; LOG.<i>.log holds what part i says.
set -euo pipefail
[ $# -gt 3 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
nj=$1 log=$2 jobs=$3
shift 3
utils=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=utils/stages.sh
. "$utils/stages.sh"
# shellcheck source=utils/cmd.sh
. "$utils/cmd.sh"
[ "${cmd_backend:?}" = local ] || {
  echo "submit.sh: cmd_backend: found '$cmd_backend', known: local (utils/cmd.sh)" >&2
  exit 2
}
n=$(wc -l < "$jobs")
[ "$n" -le "$nj" ] || n=$nj
pids=() status=0
trap 'pkill -P "$$" 2> /dev/null; kill "${pids[@]}" 2> /dev/null' INT TERM # nobody goes on without its parent
for i in $(seq "$n"); do
  run_step "$log.$i.log" "$@" --jobs "$jobs" --part "$i/$n" &
  pids+=($!)
done
for pid in "${pids[@]}"; do
  wait "$pid" || status=$?
done
exit "$status"
