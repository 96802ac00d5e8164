#!/usr/bin/env bash
# Nodes that keep a log are killed, one and then all at once, under load, and come back as the members that they were:
# nobody bootstraps them, they vote, and nothing that was acknowledged is lost.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=300 # answers before and after

answer_more() {
    await 30 "$SPAN more questions are answered" has_answered "$(($(answered) + SPAN))"
}

await 10 "somebody leads" led "${NODES[@]}"
remember_nodes
check "status says what is durable" equal fsync "$(known 1 .durability)"
start_clients
answer_more

leader=$(leader_of "${NODES[@]}")
mapfile -t others < <(without "$leader" "${NODES[@]}")
kill_node "${others[0]}"
answer_more
start_again "${others[0]}"
await 20 "it catches up" caught_up "${others[0]}" "$leader"

kill_node "${others[1]}" # now the one that came back is needed for a majority
answer_more
start_again "${others[1]}"
await 20 "it catches up" caught_up "${others[1]}" "$leader"

for ((turn = 0; turn < 3; turn++)); do
    kill_node "${NODES[@]}"
    start_again "${NODES[@]}"
    await 20 "somebody leads" led "${NODES[@]}"
    answer_more
done

status=0
second=$(cd "$QUORATE_CLUSTER" && timeout 20 quorated --config 1.ini 2>&1) || status=$?
check "a second process does not run the same node" matches '*another process runs this node*' "$second"
check "and says so by its exit status" equal 71 "$status"

kill -TERM "$(<"$QUORATE_CLUSTER/1.pid")"
start_again 1
answer_more
judge_clients
leader=$(leader_of "${NODES[@]}")
for node in "${NODES[@]}"; do
    await 20 "node $node has all of it" caught_up "$node" "$leader"
done
digests=$(for node in "${NODES[@]}"; do known "$node" '.groups[0].digest'; done | sort -u | wc -l)
check "all states are the same" equal 1 "$digests"
