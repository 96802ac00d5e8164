#!/bin/bash
# What a user may rely on: smoke.sh QUORATE-SIM HISTORIES
set -u
sim=$1 histories=$2
failures=0

# expect STATUS SENTENCE COMMAND...: runs it, keeps its standard output in $out.
expect() {
    local status=$1 sentence=$2
    shift 2
    out=$("$@" 2>/dev/null)
    local got=$?
    if [ "$got" -ne "$status" ]; then
        echo "FAILED: $sentence: status $got, expected $status: $*"
        failures=$((failures + 1))
    fi
}

# number KEY: of the JSON object in $out.
number() { sed -E "s/.*\"$1\":([0-9]+).*/\1/" <<<"$out"; }

demand() {
    if ! test "$2" "$3" "$4"; then
        echo "FAILED: $1: $2 $3 $4"
        failures=$((failures + 1))
    fi
}

expect 0 'help' "$sim" --help
expect 0 'version' "$sim" --version
expect 64 'an unknown option' "$sim" --fly
expect 64 'an unknown fault' "$sim" --faults gremlins
expect 64 'a percentage over 100' "$sim" --faults loss=101
expect 64 'no replicas' "$sim" --replicas 0
expect 64 'no protocol of that name' "$sim" --protocol paxos
expect 64 'a history of many runs' "$sim" --runs 2 --history /dev/null
expect 69 'pbft, later' "$sim" --protocol pbft
expect 69 'gossip, later' "$sim" --protocol gossip
expect 0 'all states of one term' "$sim" --exhaustive --bound terms=1,messages=2 --json
demand 'states' "$(number states)" -ge 1000
demand 'no violation' "$(number violations)" -eq 0
expect 75 'more states than wanted' "$sim" --exhaustive --bound states=100
expect 64 'no bound of that name' "$sim" --exhaustive --bound gremlins=1
expect 64 'terms beyond what it can hold' "$sim" --exhaustive --bound terms=5
expect 69 'mutants are for test builds' "$sim" --list-mutants
expect 64 'mutants are for test builds' "$sim" --mutant VOTE_TWICE

for history in "$histories"/good-*.jsonl; do
    expect 0 'a good history' "$sim" --check-history "$history"
done
for history in "$histories"/bad-*.jsonl; do
    expect 70 'a bad history' "$sim" --check-history "$history"
done
expect 65 'a history that is none' "$sim" --check-history "$sim"
expect 65 'no such history' "$sim" --check-history /nonexistent

expect 0 'without faults' "$sim" --protocol raft --seed 1 --faults none --json
demand 'operations in a minute' "$(number operations)" -ge 100
demand 'one election without faults, per group at most a few' "$(number elections)" -le 9
expect 0 'with named faults' "$sim" --seed 2 --replicas 3 --faults loss=30,partition,crash --json
demand 'operations in a bad minute' "$(number operations)" -ge 100
for kind in loss partition crash; do
    demand "$kind happens" "$(number $kind)" -ge 1
done

for seed in 11 12 13; do
    expect 0 'with faults by seed' "$sim" --seed $seed --json
    first=$out
    demand 'operations in a minute' "$(number operations)" -ge 100
    faults=$(sed -E 's/.*"faults":\{([^}]*)\}.*/\1/; s/"[a-z]*"://g; s/,/+/g' <<<"$out")
    demand 'faults in a minute' "$((faults))" -ge 1
    expect 0 'the same again' "$sim" --seed $seed --json
    if [ "$out" != "$first" ]; then
        printf 'FAILED: one seed, two stories:\n%s\n%s\n' "$first" "$out"
        failures=$((failures + 1))
    fi
done
story=$(mktemp)
trap 'rm -f "$story"' EXIT
expect 0 'a history is written' "$sim" --seed 11 --minutes 0.2 --history "$story"
expect 0 'and judged as in the run' "$sim" --check-history "$story"
sed -i -E '0,/("op":"get".*"result":)"[^"]*"/s//\1"never written"/' "$story"
expect 70 'but not with one answer changed' "$sim" --check-history "$story"
exit $((failures != 0))
