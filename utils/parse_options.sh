# Kaldi's option grammar: `--name value`, dashes equal underscores. To be sourced.
#
# The caller sets `options` to the names of its options, each a variable with its default value, and calls
# `parse_options "$@"`. An option whose default is true or false takes only these. `--set` may be repeated.
# shellcheck shell=bash

usage_error() { # one sentence on stderr, exit code 2
  echo "$(basename "$0"): $*" >&2
  exit 2
}

parse_options() {
  local name
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help)
        print_header "${help_from:-$0}"
        exit 0
        ;;
      --*=*) usage_error "'$1': write '${1%%=*} ${1#*=}', with a space" ;;
      --?*) name=${1#--} name=${name//-/_} ;;
      *) usage_error "unexpected '$1'; options are --name value, --help lists them" ;;
    esac
    case " ${options:?} " in
      *" $name "*) ;;
      *) usage_error "unknown option '$1'; known: --${options// / --}" ;;
    esac
    [ $# -gt 1 ] || usage_error "option '$1' needs a value"
    case ${!name} in
      true | false)
        case $2 in
          true | false) ;;
          *) usage_error "option '$1': found '$2', allowed are true and false" ;;
        esac
        ;;
    esac
    if [ "$name" = set ] && [ -n "${set:-}" ]; then
      set="$set $2"
    else
      printf -v "$name" %s "$2"
    fi
    shift 2
  done
}
