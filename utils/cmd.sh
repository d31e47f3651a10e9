# Where jobs run. To be sourced.
#   local: on this machine, --nj at a time
# shellcheck shell=bash
export cmd_backend=${cmd_backend:-local}
