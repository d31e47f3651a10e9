#!/usr/bin/env bash
# Cross-corpus speech emotion recognition, from raw corpora to a table.
#
# usage: ./run.sh                        set up if needed; one recipe per paper and a matrix, on miniature corpora
#        egs/<recipe>/run.sh [options]   one recipe on real corpora
#        ./run.sh --report [--mini true] egs/RESULTS.md and egs/report.html: the results of all recipes
#        ./run.sh --render [--mini true] the same, after every recipe's RESULTS.md and MISTAKES.md; no corpora needed
#        ./run.sh --render latex|csv [--mini true] every table of every recipe as a file in its exp/tables/
#
# options:
#   --stage N|NAME        first stage: 1 data_prep, 2 splits, 3 features, 4 train, 5 score, 6 results
#   --stop_stage N|NAME   last stage
#   --db_root DIR         folder that holds the releases under their usual names; conf/db.sh names them one by one
#   --mini true           synthetic miniature corpora; real data and results are not touched
#   --features "A B"      names from conf/features, instead of the recipe's
#   --rows "A B"          systems of the table, with those that they start from or are tested against
#   --tasks T, --seeds S  tasks of the recipe, seeds of the systems
#   --keep_weights MODE   none or best (seed) drops weights once they are scored; all trains dropped ones again
#   --finetune true       also train the systems that fine-tune their encoder; --dry_run true says how long that takes
#   --dry_run true        stop before training, and say what it costs: steps, hours of audio, disk, and time
#   --simulate_mistake M  measure a mistake: speaker_leak, test_selection, best_seed or global_norm, made on purpose
#                         in copies of the runs; MISTAKES.md is written, RESULTS.md is not
#   --set KEY=VALUE       train variants with a setting, as in --set loss.alpha=0.8, in exp/variants/; may be repeated
#   --allow_partial true  use the usable files of a corpus; every table is flagged
#   --nj N                processes, or parts on a cluster (default: all cores)
#   --device NAME         auto (a GPU if there is one), cpu or cuda
# With cmd_backend=slurm before it (utils/cmd.sh), features and train run on a cluster.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/utils/shell.sh"
. "$root/utils/parse_options.sh"
. "$root/utils/stages.sh"

demo="ravdess2emodb ravdess2emodb_urdu iemocap2emodb_cafe_urdu_aesdd ravdess_emodb transfer" # one per paper, and a matrix
stage_names=(data_prep splits features train score results) mistakes="speaker_leak test_selection best_seed global_norm"
stage=1 stop_stage=6 db_root="" mini=false features="" rows="" tasks="" seeds="" keep_weights="" finetune=false dry_run=false set="" allow_partial=false device=auto simulate_mistake="" arm=""
nj=$(env -u OMP_NUM_THREADS nproc 2> /dev/null || getconf _NPROCESSORS_ONLN) # nproc would count threads
options="stage stop_stage db_root mini features rows tasks seeds keep_weights finetune dry_run set allow_partial nj device simulate_mistake"
folder=""
if [ "${1:-}" = --recipe ]; then folder=$(cd "$2" && pwd) && shift 2; fi # by a recipe's run.sh
if [ "${1:-}" = --arm ]; then arm=$2 && shift 2; fi # by this script, for a simulated mistake
help_from="$root/run.sh"
report="" arguments=()
for argument in "$@"; do
  case $report:$argument in render:latex | render:csv) report=$argument && continue ;; esac
  case $argument in --report | --render) report=${argument#--} options=mini ;; *) arguments+=("$argument") ;; esac
done
if [ ${#arguments[@]} -gt 0 ]; then parse_options "${arguments[@]}"; fi
[ -z "$report" ] || [ -z "$folder" ] || usage_error "'--$report' is about all recipes: ./run.sh --$report"

. "$root/utils/path.sh"
if [ -n "$report" ]; then exec python3 -m ser.bin.report "$root/egs" --mini "$mini" --pages "$report"; fi
if [ -z "$folder" ]; then
  [ $# -eq 0 ] || usage_error "options belong to a recipe: egs/<recipe>/run.sh $*"
  cd "$root/egs"
  # shellcheck disable=SC2086 # names
  exec python3 -m ser.bin.run_recipes $demo
fi

stage_number() { # stage_number OPTION VALUE: a number from 1 to 6, or a name
  local i
  for i in "${!stage_names[@]}"; do
    if [ "$2" = "$((i + 1))" ] || [ "$2" = "${stage_names[i]}" ]; then echo "$((i + 1))" && return; fi
  done
  usage_error "option '--$1': found '$2', allowed are 1 to 6 or ${stage_names[*]}"
}
stage=$(stage_number stage "$stage")
stop_stage=$(stage_number stop_stage "$stop_stage")
[ "$stage" -le "$stop_stage" ] || usage_error "option '--stop_stage': found '$stop_stage', before --stage '$stage'"
[ "$dry_run" = false ] || [ "$stage" -le 4 ] || usage_error "option '--dry_run': stops before stage 4, found --stage '$stage'"
case $device in auto | cpu | cuda) ;; *) usage_error "option '--device': found '$device', allowed are auto, cpu and cuda" ;; esac
case $nj in '' | *[!0-9]* | 0) usage_error "option '--nj': found '$nj', a number of at least 1 is needed" ;; esac
[[ " all best none " = *" ${keep_weights:-all} "* ]] || usage_error "option '--keep_weights': found '$keep_weights', allowed are all, best and none"
[[ " $mistakes " = *" ${simulate_mistake:-best_seed} "* ]] ||
  usage_error "option '--simulate_mistake': found '$simulate_mistake', allowed are ${mistakes// /, }"
if [ -n "$simulate_mistake" ] && [ -z "$arm" ]; then # the rows as they should be, then with the mistake
  "$root/run.sh" --recipe "$folder" --arm honest "$@" && exec "$root/run.sh" --recipe "$folder" --arm mistaken "$@"
  exit
fi

recipe=$(basename "$folder")
data=$root/data dump=$root/dump splits=$folder/splits exp=$folder/exp results=$folder/RESULTS.md
set -a; unix_lines "$root/conf/db.sh" && . "$root/conf/db.sh"; set +a # a corpus of one's own has a line there, too
if [ "$mini" = true ]; then
  data=$root/data_mini dump=$root/dump_mini exp=$folder/exp_mini splits=$exp/splits results=$exp/RESULTS.md db_root=$data/corpora
fi
# Only the recipe as it is committed writes its RESULTS.md; parts and variants have theirs in exp/.
if [ -n "$features$set$rows$tasks$seeds" ]; then results=$exp/RESULTS.md; fi
take_lock "$exp"
recipe_options=(--recipe "$folder" --data "$data" --dump "$dump" --splits "$splits" --exp "$exp" --features "$features"
  --mini "$mini" --finetune "$finetune" --rows "$rows" --tasks "$tasks" --seeds "$seeds" --keep_weights "$keep_weights")
for override in $set; do recipe_options+=(--set "$override"); done
if [ -n "$arm" ]; then
  recipe_options+=(--simulate_mistake "$simulate_mistake" --arm "$arm")
  case $arm:$simulate_mistake in honest:* | *:best_seed) exp=$exp/mistakes/honest ;; *) exp=$exp/mistakes/$simulate_mistake ;; esac
fi

step() { # step NAME MODULE ARGUMENTS...: one Python command line with its own log
  local name=$1
  shift
  run_step "$exp/log/$name.log" python3 -m "$@" || exit $?
}

run_jobs() { # run_jobs STEP KIND: the jobs that its plan has listed, here or on a cluster
  local list=$exp/jobs_$2.tsv
  [ -e "$list" ] || return 0
  "$root/utils/submit.sh" "$2" "$nj" "$exp/log/$2" "$list" \
    python3 -m "ser.bin.$1" run "${recipe_options[@]}" --device "$device" && rm "$list"
}

status=0 # of jobs: one that fails leaves a hole in the table and a code that is not zero
begin() { # begin N: whether stage N is to run; prints it
  [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ] && log "$recipe stage $1: ${stage_names[$1 - 1]}"
}

log "$recipe: logs in ${exp#"$root"/}/log"
if begin 1; then
  step data_prep ser.bin.data_prep --recipe "$folder" --data "$data" --db_root "$db_root" --mini "$mini" \
    --features "$features" --allow_partial "$allow_partial"
fi

if begin 2; then
  step splits ser.bin.make_splits --config "$folder/conf/recipe.yaml" --data "$data" --mini "$mini" "$splits"
  if [ -n "$arm" ]; then step mistake_splits ser.bin.simulate_mistake splits "${recipe_options[@]}"; fi
fi

if begin 3; then
  step features_plan ser.bin.features plan "${recipe_options[@]}"
  run_jobs features features || exit $?
fi

if begin 4; then
  . "$root/utils/cmd.sh"
  case $dry_run:$cmd_backend in true:*) costs=all ;; *:local) costs=new ;; *) costs=counted ;; esac # others train elsewhere
  step train_plan ser.bin.train plan "${recipe_options[@]}" --device "$device" --nj "$nj" --costs "$costs"
  if [ "$dry_run" = true ]; then log "$recipe: stopped before training, as --dry_run asks" && exit; fi
  for kind in train gpu finetune; do run_jobs train "$kind" || status=$?; done
fi

if begin 5; then
  run_step "$exp/log/score.log" python3 -m ser.bin.score "${recipe_options[@]}" --device "$device" --nj "$nj" || status=$?
fi

if [ "$arm" = mistaken ] && begin 6; then
  step mistake ser.bin.simulate_mistake report "${recipe_options[@]}" --out "${results%RESULTS.md}MISTAKES.md"
elif [ -z "$arm" ] && begin 6; then
  step results ser.bin.results "${recipe_options[@]}" --out "$results"
fi

if [ "$status" -eq 0 ]; then log "$recipe: finished in $SECONDS s"; else log "$recipe: finished with holes, see above"; fi
exit "$status"
