#!/usr/bin/env bash
# The leader is killed under load: the others elect, every acknowledged write is there once and in order, and the
# killed node, which comes back empty, has no say.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=500 # answers, before the kill and after it

applied() {
    known "$1" '.groups[0].applied'
}

has_applied() { # NODE INDEX
    [[ $(applied "$1") -ge $2 ]]
}

await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
term=$(known "$leader" '.groups[0].term')
mapfile -t survivors < <(without "$leader" "${NODES[@]}")
say "node $leader leads in term $term; survivors will be ${survivors[*]}"

start_clients
await 20 "$SPAN questions are answered" has_answered "$SPAN"
before=$(applied "${survivors[0]}")
timeout 60 redis-benchmark -h "$(address "${survivors[0]}")" -t set,incr -P 16 -c 8 -n 400000 -r 1000 -q \
    >"$QUORATE_CLUSTER/benchmark" 2>&1 &
benchmark=$!
await 20 "redis-benchmark is under way" has_applied "${survivors[0]}" "$((before + 10000))"
check "the load is still on" kill -0 "$benchmark"
kill_node "$leader"
before=$(answered)
await 20 "a survivor leads" led "${survivors[@]}"
new=$(leader_of "${survivors[@]}")
new_term=$(known "$new" '.groups[0].term')
check "node $new leads in a later term, $new_term" test "$new_term" -gt "$term"
await 30 "$SPAN more questions are answered" has_answered "$((before + SPAN))"
judge_clients
status=0
wait "$benchmark" || status=$?
tr '\r' '\n' <"$QUORATE_CLUSTER/benchmark" | grep 'requests per second' || true
# It ends at the first error reply. An election that outlasts an edge's deadline, on a busy machine, may give one.
named='Error from server: (TRYAGAIN|CLUSTERDOWN|UNCERTAIN).*'
if [[ $status -eq 1 ]] && grep -Eo "$named" "$QUORATE_CLUSTER/benchmark"; then
    say "ok: redis-benchmark was told by name that the cluster had no leader in time"
else
    check "redis-benchmark came to its end through the failover" equal 0 "$status"
fi

start_node "$leader"
await 20 "node $leader is back, empty" answers "$leader"

stays_out() {
    equal "awaiting bootstrap 0 0" "$(known "$leader" '.groups[0] | "\(.role) \(.votes_granted) \(.keys)"')"
}
for ((turn = 0; turn < 10; turn++)); do
    stays_out || fail "the node that came back has a say"
    sleep 0.2
done
say "ok: for two seconds it grants no vote and leads nothing"
check "the survivors still serve" equal OK "$(redis "${survivors[1]}" SET after yes)"
for node in "${survivors[@]}"; do
    say "node $node: frames of another incarnation refused: $(counter "$node" lane.INCARNATION)"
done

status=0
answer=$(timeout 20 quorate bootstrap 2>&1) || status=$?
say "bootstrap says: $answer"
check "bootstrap over all endpoints is refused" equal 65 "$status"
stays_out || fail "bootstrap took the node in"
check "a member says when replacement comes" \
    matches '*already; `quorate member` changes who belongs to it' \
    "$(redis "${survivors[0]}" QUORATE BOOTSTRAP "$(known "${survivors[0]}" .cluster)" 1=1)"
