#!/usr/bin/env bash
# Run a list of jobs in parts, with a log per part; the others continue if a part fails.
#
# usage: utils/submit.sh KIND NJ LOG JOBS COMMAND...
#
# Calls COMMAND with `--jobs JOBS --part i/n` for i = 1 to n, n at most NJ; LOG.<i>.log holds the output of part i.
# KIND: features, train, gpu or finetune. Parts of features have their own workers (`--nj`), so locally there is one.
# Parts of gpu and finetune are at most as many as there are GPUs, and each sees only its own; those of train see none.
# Ends its parts when it gets a signal to end, and when the process that called it ends.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
[ $# -gt 4 ] || { print_header "$0" >&2; exit 2; }
kind=$1 nj=$2 log=$3 jobs=$4
shift 4
. "$root/utils/stages.sh"
. "$root/utils/cmd.sh"
case ${cmd_backend:?} in
  local) ;;
  slurm)
    exec python3 -m ser.bin.slurm_array --kind "$kind" --config "$root/conf/slurm.yaml" \
      --jobs "$jobs" --nj "$nj" --log "$log" "$@"
    ;;
  *)
    echo "submit.sh: cmd_backend: found '$cmd_backend', known: local, slurm (utils/cmd.sh)" >&2
    exit 2
    ;;
esac
. "$root/utils/gpus.sh"
case $kind:" $* " in *" --device cpu "*) gpus=() ;; train:*" --device cuda "*) kind=gpu ;; esac
if [ "$kind" = train ] && [ ${#gpus[@]} -eq 0 ] && [ -e "${jobs%train.tsv}gpu.tsv" ]; then
  cat "${jobs%train.tsv}gpu.tsv" >> "$jobs" && rm "${jobs%train.tsv}gpu.tsv" # one list keeps all cores busy
fi
n=$(wc -l < "$jobs")
[ "$n" -le "$nj" ] || n=$nj
case $kind in
  features) set -- "$@" --nj "$nj" && n=1 ;;
  train) ;;
  *) [ ${#gpus[@]} -eq 0 ] || [ "$n" -le ${#gpus[@]} ] || n=${#gpus[@]} ;;
esac

run_part() { # run_part I COMMAND...: with every n-th GPU, from the I-th on
  local part=$1 own="" i
  shift
  if [ ${#gpus[@]} -gt 0 ] && [ "$kind" != features ]; then
    if [ "$kind" != train ]; then
      for ((i = part - 1; i < ${#gpus[@]}; i += n)); do own+=${own:+,}${gpus[i]}; done
    fi
    export CUDA_VISIBLE_DEVICES=$own
  fi
  run_step "$log.$part.log" "$@" --jobs "$jobs" --part "$part/$n"
}

parent() { # which changes when it ends
  local number
  if [ -d /proc/self ]; then
    read -r _ _ _ number _ < "/proc/$$/stat" && echo "$number"
  else
    ps -o ppid= -p "$$" | tr -d ' '
  fi
}
pids=() status=0
end_parts() { for pid in "${pids[@]}"; do kill -- "-$pid" || true; done 2> /dev/null; }
# Ended by the signal itself: on an exit code the caller would go on.
trap 'end_parts; trap - INT; kill -s INT "$$"' INT
trap 'end_parts; trap - TERM; kill -s TERM "$$"' TERM
trap 'end_parts; trap - HUP; kill -s HUP "$$"' HUP
set -m # a process group for each part, with all that it starts
for i in $(seq "$n"); do
  run_part "$i" "$@" &
  pids+=($!)
done
coproc { # nobody goes on without this script, which closes the pipe when it ends, and its parent
  while [ "$(parent)" = "$PPID" ]; do
    read -r -t 1 || [ $? -gt 128 ] || break
  done
  end_parts
} 2> /dev/null
for pid in "${pids[@]}"; do
  wait "$pid" || status=$?
done
disown "$COPROC_PID" # or the shell may report its end, which is no news
kill "$COPROC_PID" 2> /dev/null || true
exit "$status"
