# First in every script: a bash that is new enough, and `root`, the folder of the checkout. To be sourced.
# shellcheck shell=bash
if [ "${BASH_VERSINFO[0]}" -lt 4 ] || { [ "${BASH_VERSINFO[0]}" -eq 4 ] && [ "${BASH_VERSINFO[1]}" -lt 4 ]; }; then
  echo "$(basename "$0"): bash $BASH_VERSION is too old, 4.4 or newer is needed; put it first in PATH" \
    "(macOS: brew install bash)" >&2
  exit 2
fi
unset CDPATH # with it, cd prints where it went, or goes elsewhere
# shellcheck disable=SC2034 # for the script
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

print_header() { # the comment at the top of a script is its help
  sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$1"
}

unix_lines() { # unix_lines FILE: a carriage return would become part of a value
  ! grep -q $'\r' "$1" && return
  printf '%s: %s: its lines end as Windows ends them; convert them: sed -i.bak '"'"'s/\\r$//'"'"' %s\n' "${0##*/}" "$1" "$1" >&2
  exit 2
}
