#!/usr/bin/env bash
# An unmodified redis-benchmark comes to its end through the leader and through a follower. No rate is asserted.
# It ends with an error at the first error reply, so each of its commands was executed.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
follower=$(without "$leader" "${NODES[@]}" | head -n 1)

# load TEXT NODE
load() {
    local output status=0
    output=$(timeout 45 redis-benchmark -h "$(address "$2")" -t set,get,incr -P 32 -n 100000 -q 2>&1) || status=$?
    tr '\r' '\n' <<<"$output" | grep -E 'requests per second|rror' || true
    check "redis-benchmark through $1, node $2, came to its end" equal 0 "$status"
    check "with its three results" equal 3 "$(tr '\r' '\n' <<<"$output" | grep -c 'requests per second')"
    total=$((total + 100000))
    check "each INCR was executed once" equal "$total" "$(redis "$2" GET counter:__rand_int__)"
}
total=0
load "the leader" "$leader"
load "a follower" "$follower"
