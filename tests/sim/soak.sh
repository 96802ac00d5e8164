#!/usr/bin/env bash
# soak.sh [--hours H]: simulation over fresh seeds on all cores until the time is over (default: 1 hour), with a
# share of it for the fuzz targets, where clang built them, and one for signatures that each backend of crypto/ed25519
# judges beside libsodium.
#
# Every core works through slices of a few seconds, whose shapes stand in SHAPES; each slice begins at a seed drawn
# anew. Stops at the first violation and prints the line that replays it; prints a tally in any case, also when
# interrupted. Exit: 0 no violation, 70 a violation, 64 usage, 69 nothing is built.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${QUORATE_BUILD:-build}
sim=$build/quorate-sim
verify=$build/tests/unit/crypto/ed25519_verify_test

# Options of one slice each. Faults that are not named vary by seed; so do replicas (1 to 5).
readonly SHAPES=(
    "--runs 20"
    "--runs 12 --replicas 3"
    "--runs 12 --faults loss,duplicate,reorder,cut,partition,pause,crash,skew,disk,transfer"
    "--runs 8 --replicas 5"
    "--runs 3 --minutes 5"
    "--runs 20"
    "--runs 4 --replicas 7"
    "--runs 12 --replicas 3 --faults pause=40,partition=40,skew=80,transfer=40"
    "--runs 12 --replicas 3 --faults crash=40,disk=60,loss=20"
    "--runs 4 --replicas 9"
)
readonly SLICE_SECONDS_MAX=600 # a slice takes seconds; one that does not end is a violation, too
readonly FUZZ_EVERY=5 FUZZ_SECONDS=5
readonly SIGNATURES=40000 # a slice: random and bent ones, every backend
readonly PROGRESS_SECONDS=60

usage() {
    echo "usage: ./dev soak [--hours H]" >&2
    exit 64
}

hours=1
while [[ $# -gt 0 ]]; do
    case $1 in
    --hours)
        hours=${2:-}
        shift 2 || usage
        ;;
    *) usage ;;
    esac
done
[[ $hours =~ ^([0-9]{1,6}(\.[0-9]*)?|\.[0-9]+)$ ]] || usage
seconds=$(awk -v hours="$hours" 'BEGIN { printf "%d", 3600 * hours }')
((seconds >= 1)) || usage
[[ -x $sim ]] || { echo "soak: $sim is not built; ./dev build makes it" >&2; exit 69; }

targets=()
for corpus in tests/fuzz/corpus/*/; do
    name=$(basename "$corpus")
    [[ ! -x $build/tests/fuzz/fuzz_$name ]] || targets+=("$name")
done
((${#targets[@]} > 0)) || echo "soak: no fuzz targets are built (clang with libFuzzer is missing): simulation alone"

work=$(mktemp -d /tmp/quorate-soak-XXXXXX)
cores=$(nproc)
workers=()
child=

# run LIMIT COMMAND...: as a child that dies with its worker; its output is in $work/out.WORKER and err.WORKER.
run() {
    local limit=$1 status=0
    shift
    timeout --kill-after=5 "$limit" "$@" >"$work/out.$worker" 2>"$work/err.$worker" &
    child=$!
    wait "$child" || status=$?
    child=
    return "$status"
}

# violation TEXT REPLAY: the first one is kept.
violation() {
    mkdir "$work/violated" 2>/dev/null || exit 70
    {
        tail -n 200 "$work/err.$worker"
        echo "soak: $1"
        echo "soak: to see it again: $2"
    } >"$work/violation"
    exit 70
}

simulate() { # option...
    local seed=$SRANDOM status=0 replay
    run "$SLICE_SECONDS_MAX" "$sim" --protocol raft --seed "$seed" "$@" --json || status=$?
    if ((status == 0)); then
        cat "$work/out.$worker" >>"$work/tally.$worker"
        return
    fi
    replay=$(sed -n 's/.*to see it again: *//p' "$work/err.$worker" | tail -n 1)
    replay="$build/${replay:-quorate-sim --protocol raft --seed $seed $*}"
    ((status != 124)) || violation "a slice did not end in $SLICE_SECONDS_MAX seconds" "$replay"
    violation "status $status: $(grep -m1 -E 'violation at|broken:|signal' "$work/err.$worker" || true)" "$replay"
}

fuzz() { # target
    local grown=$build/tests/fuzz/grown/$1 status=0 unit
    mkdir -p "$grown"
    run "$SLICE_SECONDS_MAX" "$build/tests/fuzz/fuzz_$1" -max_total_time="$FUZZ_SECONDS" -max_len=4096 -timeout=10 \
        -print_final_stats=1 -artifact_prefix="$grown-" "$grown" "tests/fuzz/corpus/$1" || status=$?
    if ((status == 0)); then
        sed -n 's/^stat::number_of_executed_units: *\([0-9]*\)/{"inputs":\1}/p' "$work/err.$worker" \
            >>"$work/tally.$worker"
        return
    fi
    unit=$(sed -n 's/.*Test unit written to //p' "$work/err.$worker" | tail -n 1)
    violation "fuzz target $1 ended with status $status" "$build/tests/fuzz/fuzz_$1 ${unit:-$grown}"
}

verify_signatures() {
    local seed=$((SRANDOM * 4096)) status=0
    local -a variables=("QUORATE_ED25519_CASES=$SIGNATURES" "QUORATE_ED25519_SEED=$seed")
    run "$SLICE_SECONDS_MAX" env "${variables[@]}" "$verify" --gtest_filter='*RandomAndBent' || status=$?
    if ((status == 0)); then
        echo "{\"signatures\":$SIGNATURES}" >>"$work/tally.$worker"
        return
    fi
    violation "status $status: a verdict is not libsodium's" "${variables[*]} $verify --gtest_filter='*RandomAndBent'"
}

# Once by one worker: every state within wide bounds.
walk() {
    local status=0
    run 3600 tests/sim/exhaustive.sh "$sim" || status=$?
    ((status == 0)) || violation "status $status: a step that is none of Raft's" "tests/sim/exhaustive.sh $sim"
}

# Once by another: some more mutants of raft. What survives is a test to be written, no violation.
mutate() {
    run 3600 tests/mutate/mutate.py . "$build" --seconds $((seconds / 6)) || true
    grep 'mutants:' "$work/out.$worker" || true
}

tally() {
    jq -rn '
        [inputs] |
        def sum(key): map(key // 0) | add // 0;
        "\(sum(.runs)) seeds, \(sum(.simulated_seconds) / 3600 * 100 | round / 100) simulated hours, " +
        "\(sum(.operations)) operations, \(sum(.commits)) commits, \(sum(.elections)) elections, " +
        "\(sum(.undecided)) keys undecided, \(sum(.inputs)) fuzz inputs, \(sum(.signatures)) signatures\n" +
        "faults: " + (map(.faults // {} | to_entries) | add // [] | group_by(.key) |
            map("\(.[0].key) \(map(.value) | add)") | join(", "))' "$work"/tally.*
}

work_on() { # worker's number, from 0
    worker=$1
    local simulated=$1 fuzzed=$1 slices=0 shape told=0
    trap '[[ -z $child ]] || kill "$child" 2>/dev/null; exit 143' TERM
    trap '' INT # the terminal sends it to all; the first process decides
    ((worker != 0 || seconds < 600)) || mutate
    ((worker != cores - 1 || seconds < 600)) || walk
    while ((SECONDS < seconds)); do
        if ((slices % FUZZ_EVERY == 1 && ${#targets[@]} > 0)); then
            fuzz "${targets[fuzzed % ${#targets[@]}]}"
            fuzzed=$((fuzzed + cores))
        elif ((slices % FUZZ_EVERY == 2)) && [[ -x $verify ]]; then
            verify_signatures
        else
            read -r -a shape <<<"${SHAPES[simulated % ${#SHAPES[@]}]}"
            simulate "${shape[@]}"
            simulated=$((simulated + cores))
        fi
        slices=$((slices + 1))
        if ((worker == 0 && SECONDS - told >= PROGRESS_SECONDS)); then
            told=$SECONDS
            echo "soak: $((SECONDS / 60)) of $((seconds / 60)) minutes: $(tally | head -n 1)"
        fi
    done
}

# shellcheck disable=SC2317 # called by the traps
finish() {
    local status=$?
    trap '' INT TERM
    trap - EXIT
    kill "${workers[@]}" 2>/dev/null || true
    wait
    [[ ! -s $work/violation ]] || cat "$work/violation"
    echo "soak: $SECONDS seconds on $cores cores:"
    tally
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "soak: $seconds seconds on $cores cores; fuzz targets: ${targets[*]:-none}"
for ((number = 0; number < cores; number++)); do
    : >"$work/tally.$number"
    work_on "$number" &
    workers+=("$!")
done
for ((number = 0; number < cores; number++)); do
    wait -n
done
