#!/usr/bin/env bash
# bench.sh [--seconds S] [--repeats N] [--list] [NAME...]: benchmarks with a report, for `./dev bench`.
#
# Each benchmark runs for S seconds (default 3), N times (default 3), the repeats of one between those of the others, so
# that a neighbour's bad minute falls upon all. Reported are medians with the lowest and the highest.
#
#   conditions ─► for each repeat, for each name: run_NAME prints JSON lines ─► results.jsonl ─► report.jq ─► report.md
#
# Leaves build/bench/results.jsonl (every run's line, with `benchmark`, `run`, `command`) and build/bench/report.md, and
# prints the latter. Exit: 0, 64 usage, 69 not built, 70 a run failed, had errors, or lost something. What a machine
# lacks is skipped aloud.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C.UTF-8
readonly build=${QUORATE_BUILD:-build}
readonly out=$build/bench

readonly EX_USAGE=64 EX_UNAVAILABLE=69 EX_SOFTWARE=70
readonly SIM_RUNS_PER_SECOND=4 REDIS_REQUESTS_PER_SECOND=300000

# Options of `quorate-bench load`.
declare -rA LOADS=(
  [load-w64]="--window 64"
  [load-w16]="--window 16"
  [load-w1]="--window 1"
  [open-100k]="--rate 100000"
  [reads]="--reads 95"
  [value-1024]="--value-bytes 1024 --keys 20000"
  [value-16384]="--value-bytes 16384 --keys 2000"
  [replicas5]="--replicas 5"
  [split]="--cores 2 --lanes 2 --groups 2 --clients 2"
  [failover]="--workload append --rate 20000 --fault leader-kill"
)
readonly NAMES=(load-w64 load-w16 load-w1 open-100k reads value-1024 value-16384 replicas5 split failover target redis
  sim)

say() {
  printf 'bench: %s\n' "$*" >&2
}

die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

usage() {
  die "$EX_USAGE" "usage: ./dev bench [--seconds S] [--repeats N] [--list] [NAME...]; names: ${NAMES[*]}"
}

# ---- what this machine lacks ------------------------------------------------------------------------

# lacks NAME: the reason why it can not run here; nothing if it can.
lacks() {
  case $1 in
  split) (($(nproc) >= 3)) || echo "two polling cores and a load generator want 3 cores, there are $(nproc)" ;;
  redis) command -v redis-benchmark >/dev/null || echo "there is no redis-benchmark; ./dev deps installs it" ;;
  target)
    if ((EUID != 0)); then
      echo "needs root for network namespaces"
    elif ! ip netns add "qb$$" 2>/dev/null; then
      echo "this kernel, or this container, gives no network namespaces"
    else
      ip netns del "qb$$"
    fi
    ;;
  esac
}

# ---- runs: each prints JSON lines --------------------------------------------------------------------

# note COMMAND...: puts it on record; then `tag` adds it to the lines that come out.
note() {
  command="${*//"$build"\//}"
  say "$name, run $run of $repeats: $command"
}

# tag [EXTRA-NAME]
tag() {
  jq -c --arg benchmark "${1:-$name}" --arg command "$command" --argjson run "$run" \
    '{benchmark: $benchmark, run: $run, command: $command} + .'
}

run_load() {
  local options=()
  read -ra options <<<"${LOADS[$name]}"
  note quorate-bench load "${options[@]}" --seconds "$seconds" --json
  "$build/quorate-bench" load "${options[@]}" --seconds "$seconds" --json | tag
}

# Three processes in network namespaces, the load generator outside of them, af_packet ports and a kernel socket.
run_target() {
  local target=10.77.0.1:7700,10.77.0.2:7700,10.77.0.3:7700
  note tests/cluster/cluster.sh 3 -- bash -c "'ip addr add 10.77.0.254/24 dev data; exec \"\$@\"'" - \
    quorate-bench load --target "$target" --seconds "$seconds" --json
  # shellcheck disable=SC2016
  tests/cluster/cluster.sh 3 -- bash -c 'ip addr add 10.77.0.254/24 dev data; exec "$@"' - \
    "$PWD/$build/quorate-bench" load --target "$target" --seconds "$seconds" --json 2>"$work/log" | tag ||
    { cat "$work/log" >&2; return 1; }
}

demo=
end_demo() {
  local status=0
  [[ -n $demo ]] || return 0
  kill "$demo" 2>/dev/null || true
  wait "$demo" || status=$?
  demo=
  return "$status"
}

# redis_through NAME PORT: one line per command that redis-benchmark knows how to send.
redis_through() {
  local requests
  requests=$(awk -v s="$seconds" -v rate="$REDIS_REQUESTS_PER_SECOND" 'BEGIN { printf "%d", s * rate }')
  local options=(-t "set,get,incr" -P 32 -d 64 -n "$requests" --csv -p "$2")
  note quorate-bench demo --seconds 2 --stay ";" redis-benchmark "${options[@]}"
  redis-benchmark "${options[@]}" |
    jq -cR 'select(startswith("\"test\"") | not) | split(",") | map(fromjson) |
      {operations_name: .[0], ops_per_second: (.[1] | tonumber),
       latency_ns: {p50: ((.[4] | tonumber) * 1e6), p99: ((.[6] | tonumber) * 1e6)}}' | tag "$1"
}

# The demo's cluster, which has lost its leader and goes on with two of three.
run_redis() {
  local ports=() port role status=0 tries=0
  "$build/quorate-bench" demo --seconds 2 --stay >"$work/log" 2>&1 &
  demo=$!
  until mapfile -t ports < <(sed -n 's/^redis-cli -p //p' "$work/log") && ((${#ports[@]} >= 2)); do
    if ! kill -0 "$demo" 2>/dev/null || ((tries++ >= 300)); then
      cat "$work/log" >&2
      end_demo
      return 1
    fi
    sleep 0.1
  done
  for port in "${ports[@]}"; do
    role=$("$build/quorate" --endpoints "127.0.0.1:$port" -o json status | jq -r '.groups[0].role') || status=1
    redis_through "redis-$role" "$port" || status=1
  done
  end_demo || status=1
  return "$status"
}

run_sim() {
  local runs begin_us
  runs=$(awk -v s="$seconds" -v rate="$SIM_RUNS_PER_SECOND" 'BEGIN { printf "%d", s * rate + 1 }')
  note quorate-sim --protocol raft --seed 1 --runs "$runs" --faults all --json
  begin_us=${EPOCHREALTIME/./}
  "$build/quorate-sim" --protocol raft --seed 1 --runs "$runs" --faults all --json |
    jq -c --argjson begin "$begin_us" '.elapsed_seconds = now - $begin / 1e6 |
      .ops_per_second = .operations / .elapsed_seconds |
      .simulated_seconds_per_second = .simulated_seconds / .elapsed_seconds' | tag
}

run_one() {
  case $name in
  target | redis | sim) "run_$name" ;;
  *) run_load ;;
  esac
}

# ---- the whole ---------------------------------------------------------------------------------------

seconds=3
repeats=3
names=()
while (($# > 0)); do
  case $1 in
  --seconds | --repeats)
    [[ ${2:-} =~ ^[0-9]{1,4}(\.[0-9]{1,3})?$ && $2 =~ [1-9] ]] || usage
    [[ $1 == --seconds || $2 != *.* ]] || usage
    declare "${1#--}=$2"
    shift 2
    ;;
  --list)
    printf '%s\n' "${NAMES[@]}"
    exit 0
    ;;
  -*) usage ;;
  *)
    [[ " ${NAMES[*]} " == *" $1 "* ]] || die "$EX_USAGE" "no benchmark $1; there are: ${NAMES[*]}"
    names+=("$1")
    shift
    ;;
  esac
done
((${#names[@]} > 0)) || names=("${NAMES[@]}")
for program in quorate-bench quorate quorate-sim; do
  [[ -x $build/$program ]] || die "$EX_UNAVAILABLE" "$build has no $program; ./dev build makes it"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/quorate-bench-XXXXXX")
trap 'end_demo || true; rm -rf "$work"' EXIT
mkdir -p "$out"
: >"$work/results"

chosen=()
skipped=()
for name in "${names[@]}"; do
  reason=$(lacks "$name")
  if [[ -z $reason ]]; then
    chosen+=("$name")
  else
    say "skipped: $name: $reason"
    skipped+=("$name: $reason")
  fi
done

# The machine, the build and the calibration, also for what does not bring them along.
name=conditions run=1 command=
read -r load_average _ </proc/loadavg
"$build/quorate-bench" load --seconds 0.1 --keys 1000 --json | tag >"$work/conditions"

failed=()
for ((run = 1; run <= repeats; run++)); do
  for name in "${chosen[@]}"; do
    run_one >>"$work/results" || {
      say "$name: run $run failed"
      failed+=("$name, run $run")
    }
  done
done

cp "$work/results" "$out/results.jsonl"
jq -n '$ARGS.positional' --args -- "${skipped[@]/#/skipped: }" "${failed[@]/#/FAILED: }" >"$work/remarks"
jq -rs --slurpfile conditions "$work/conditions" --slurpfile remarks "$work/remarks" \
  --arg date "$(date -u +%Y-%m-%dT%H:%MZ)" --arg git "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
  --arg load "$load_average" --arg seconds "$seconds" --arg repeats "$repeats" \
  -f bench/report.jq "$work/results" >"$out/report.md"
cat "$out/report.md"
say "every run: $out/results.jsonl; this page: $out/report.md"
((${#failed[@]} == 0)) || exit "$EX_SOFTWARE"
jq -se 'all((.errors // 0) == 0 and (.violations // 0) == 0 and (.appends.lost // 0) == 0)' "$work/results" \
  >/dev/null || die "$EX_SOFTWARE" "a run had errors"
