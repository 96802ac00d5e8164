#!/usr/bin/env bash
# programs.sh BUILD-FOLDER: what scripts may rely on of quorate-bench and bench.sh. No speed is demanded.
set -euo pipefail

bench=$1/bench/quorate-bench
sim=$1/tests/sim/quorate-sim
script=$(dirname "$0")/../../../bench/bench.sh
command -v jq >/dev/null || {
  echo "skipped: there is no jq; ./dev deps installs it"
  exit 77
}
folder=$(mktemp -d "${TMPDIR:-/tmp}/quorate-bench-XXXXXX")
trap 'rm -rf "$folder"' EXIT
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# expect STATUS COMMAND...: its standard output is left in $folder/out, the other in $folder/err.
expect() {
  local wanted=$1 got=0
  shift
  "$@" >"$folder/out" 2>"$folder/err" || got=$?
  [[ $got -eq $wanted ]] || {
    fail "status $got, expected $wanted: $*"
    cat "$folder/err"
  }
}

# holds TEXT FILTER: of the one JSON object on one line that was the whole output.
holds() {
  [[ $(wc -l <"$folder/out") -eq 1 ]] || fail "not one line: $1"
  jq -e "$2" "$folder/out" >/dev/null || fail "$1: $2 of $(<"$folder/out")"
}

said() {
  [[ $(wc -l <"$folder/err") -eq 1 && $(<"$folder/err") == *"$1"* ]] || fail "not the sentence '$1': $(<"$folder/err")"
}

readonly keys='["protocol","replicas","value_bytes","window","clients","seconds","durability","client_auth","cores",
  "operations","errors","retries","commands_per_frame","keys","ops_per_second","latency_ns",
  "server_cpu_seconds_per_million_ops","server_busy_cycles_per_op","client_cpu_seconds_per_million_ops","failover_ns",
  "election_timeout_ms","rooms","calibration","placement","host","cpu","kernel","cc","flags","git","dirty"]'

echo "a closed loop"
expect 0 "$bench" load --protocol raft --replicas 3 --value-bytes 64 --window 16 --seconds 0.3 --clients 2 --keys 500 \
  --cores 1 --durability volatile --client-auth none --fault none --json
holds 'every key of the contract' "$keys - keys == []"
holds 'what is measured' '[.operations, .ops_per_second, .commands_per_frame, .latency_ns[],
  .server_cpu_seconds_per_million_ops, .server_busy_cycles_per_op, .client_cpu_seconds_per_million_ops] | all(. > 0)'
holds 'rooms' '.rooms | keys - ["rx","open","verify","order","persist","apply","seal","tx"] == [] and
  (del(.verify) | length == 7 and all(.cycles_per_op > 0 and .busy_fraction > 0)) and .verify == null'
holds 'calibration' '.calibration | has("cacheline_pingpong_ns") and .sha512_150b_ns > 0 and has("fdatasync_4k_ns")'
holds 'what is not measured' '[.failover_ns, .appends, .rate, .target] == [null, null, null, null]'
holds 'an honest run' '.errors == 0 and .replicas_agree and .preloaded and .durability == "volatile" and
  (.placement | test("load generator")) and (.flags | test("-O"))'

echo "clients that sign"
expect 0 "$bench" load --client-auth signature --window 16 --seconds 0.3 --clients 3 --keys 500 --json
holds 'signatures' '.client_auth == "signature" and .client_signing == "in batches" and .errors == 0 and
  .replicas_agree'
holds 'the verify room' '.rooms.verify.cycles_per_op > 0 and (.verify_batches | add > 0)'

echo "a mixed open loop, and the death of the leader"
# What is asked while nobody leads is concurrent: on fewer keys, a slow machine's history could not be decided.
expect 0 "$bench" load --reads 50 --keys 200 --rate 5000 --seconds 1 --clients 2 --fault leader-kill \
  --history "$folder/history" --json
holds 'a killed leader' '.errors == 0 and .replicas_agree and .fault == "leader-kill"'
expect 0 "$sim" --check-history "$folder/history"
[[ $(jq -sc 'map(keys) | unique' "$folder/history") == \
  '[["argument","invoke_ns","key","op","outcome","process","result","return_ns"]]' ]] || fail "keys of the history"

echo "appends, and the death of the leader"
expect 0 "$bench" load --workload append --keys 50 --rate 5000 --seconds 1 --fault leader-kill \
  --history "$folder/history" --json
holds 'every append' '.appends | .acknowledged > 0 and .lost + .duplicates + .out_of_order + .foreign == 0'
expect 0 "$sim" --check-history "$folder/history"

echo "refusals"
expect 69 "$bench" load --target 127.0.0.1:1 --seconds 0.1 --json
said 'nobody answers at --target'
[[ ! -s $folder/out ]] || fail "a report of nothing: $(<"$folder/out")"
expect 69 "$bench" load --target a..b:7 --json
said 'host a..b of --target'
expect 64 "$bench" load --target 127.0.0.1:1 --fault leader-kill
expect 64 "$bench" load --keys 10000000 --value-bytes 1048576
expect 71 "$bench" load --history "$folder/no/such/folder"
expect 64 "$bench"
expect 64 "$bench" race
expect 0 "$bench" --help
expect 0 "$bench" --version
expect 0 "$bench" load --help

echo "bench.sh"
mkdir "$folder/build"
ln -s "$bench" "$sim" "$1/dataplane/operator/quorate" "$folder/build"
export QUORATE_BUILD=$folder/build
expect 0 "$script" --seconds 0.1 --repeats 2 load-w16
[[ $(jq -s 'map([.benchmark, .run])' -c "$folder/build/bench/results.jsonl") == \
  '[["load-w16",1],["load-w16",2]]' ]] || fail "the lines of the runs"
cmp "$folder/out" "$folder/build/bench/report.md" || fail "the report is not what was printed"
grep -Eq '^\| load-w16 \| [0-9.]+ [kM]? ?\([0-9].*\) \| [0-9]' "$folder/out" || fail "no row: $(<"$folder/out")"
grep -q 'calibration before: cache line' "$folder/out" || fail "no calibration: $(<"$folder/out")"
expect 0 "$script" --list
for wrong in --nonsense no-such-benchmark "--seconds 0" "--seconds 1s" --seconds "--repeats 0" "--repeats 1.5"; do
  read -ra words <<<"$wrong"
  expect 64 "$script" "${words[@]}"
done
QUORATE_BUILD=$folder/nothing expect 69 "$script" load-w1
# A load that fails is reported, and is not a success.
rm "$folder/build/quorate-bench"
cat >"$folder/build/quorate-bench" <<END
#!/bin/bash
[[ \$* == *"--seconds 0.1"* ]] || exit 75
exec "$bench" "\$@"
END
chmod +x "$folder/build/quorate-bench"
expect 70 "$script" --seconds 0.2 --repeats 1 load-w16
grep -q 'FAILED: load-w16, run 1' "$folder/out" || fail "a failed run is not in the report: $(<"$folder/out")"

((failures == 0)) || exit 1
