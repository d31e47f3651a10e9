# Logging of steps. To be sourced.
# shellcheck shell=bash

log() { echo "$(date '+%H:%M:%S') $*"; }

take_lock() { # take_lock FOLDER: no second run works here until this one and all that it started have ended
  mkdir -p "$1"
  exec 9<> "$1/.lock" # the lock belongs to the open file, which children inherit
  python3 -m ser.bin.take_lock "$1/.lock" 9 || exit $?
}

is_log() { # is_log FILE: whether it is absent, empty, or begins as `run_step` begins it; links are followed by nobody
  [ ! -L "$1" ] && { [ ! -e "$1" ] ||
    ! sed -n -e '1{/^# /!s/^/x/p;}' -e '2{/^# Started at /!s/^/x/p;q;}' "$1" | grep -q '^x'; }
}

run_step() { # run_step LOG COMMAND...: what it prints goes to the terminal and, with its errors, to LOG
  local log=$1 code=0 started=$SECONDS broken
  shift
  mkdir -p "$(dirname "$log")"
  is_log "$log" || {
    echo "error: $log: is not a log of an earlier run, and stays as it is; move it away and run again" >&2
    return 2
  }
  {
    printf '#'
    printf ' %q' "$@"
    printf '\n# Started at %s\n' "$(date)"
  } > "$log"
  # Descriptor 3 is the terminal behind the log, for progress bars. Both writers append.
  # shellcheck disable=SC2094
  { SER_PROGRESS_FD=3 "$@" 3>&2 2>> "$log" | tee -a "$log"; } || code=${PIPESTATUS[0]}
  if [ "$code" -eq 0 ]; then
    :
  elif grep -q '^Traceback' "$log" && ! broken=$(python3 -m ser.bin.check_environment 2>&1); then
    echo "$broken" | tee -a "$log" >&2 # a library that cannot be loaded
  else
    {
      echo "failed with code $code, the end of $log:"
      grep -v '^error: ' "$log" | tail -n 12 | cut -c -2000 | sed 's/^/  /'
      # The sentence for the user comes last; in the log it may stand behind half a line that tee had in hand.
      grep -v '^#' "$log" | grep -o 'error: .*' || true
    } >&2
  fi
  echo "# Ended (code $code) at $(date), elapsed time $((SECONDS - started)) s" >> "$log"
  return "$code"
}
