# Logging of steps. To be sourced.
# shellcheck shell=bash

log() { echo "$(date '+%H:%M:%S') $*"; }

run_step() { # run_step LOG COMMAND...: what it prints goes to the terminal and, with its errors, to LOG
  local log=$1 code=0 started=$SECONDS
  shift
  mkdir -p "$(dirname "$log")"
  {
    printf '#'
    printf ' %q' "$@"
    printf '\n# Started at %s\n' "$(date)"
  } > "$log"
  # Descriptor 3 is the terminal behind the log, for progress bars. Both writers append.
  # shellcheck disable=SC2094
  { SER_PROGRESS_FD=3 "$@" 3>&2 2>> "$log" | tee -a "$log"; } || code=${PIPESTATUS[0]}
  if [ "$code" -ne 0 ]; then
    {
      echo "failed with code $code, the end of $log:"
      grep -v '^error: ' "$log" | tail -n 12 | cut -c -2000 | sed 's/^/  /'
      grep '^error: ' "$log" || true # the sentence for the user comes last
    } >&2
  fi
  echo "# Ended (code $code) at $(date), elapsed time $((SECONDS - started)) s" >> "$log"
  return "$code"
}
