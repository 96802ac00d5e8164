#!/usr/bin/env bash
# What the disk can do to a node: it has no space for a log, the log is full, the process is stopped for longer than an
# election takes. Nobody lies about it, and reads go on.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

find_leader() { # NODE...
    leader=$(leader_of "$@")
    [[ -n $leader ]]
}

state_of() { # PID: the letter
    sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status"
}

await 10 "somebody leads" find_leader "${NODES[@]}"
remember_nodes

# ---- no space: on a folder of 32 MiB of its own -------------------------------------------------
mkdir "$QUORATE_CLUSTER/small"
sed "s/^data = .*/data = small/; s/^name = .*/name = ring/" "$QUORATE_CLUSTER/1.ini" >"$QUORATE_CLUSTER/small.ini"
start_small() {
    cd "$QUORATE_CLUSTER"
    mount -t tmpfs -o size=32m small small
    timeout 20 quorated --config small.ini
}
export -f start_small
# In a mount namespace of its own: nothing is left of it afterwards.
status=0
said=$(unshare --mount bash -euc start_small 2>&1) || status=$?
check "a node on a disk without space for its log ends" equal 71 "$status"
check "and says why" matches '*there is no space for the log on its disk*' "$said"

# ---- stopped for longer than an election takes ------------------------------------------------------
start_clients
await 20 "questions are answered" has_answered 100
stopped=$(<"$QUORATE_CLUSTER/$leader.pid")
former=$leader
mapfile -t others < <(without "$former" "${NODES[@]}")
kill -STOP "$stopped"
await 20 "another one leads" find_leader "${others[@]}"
await 20 "and answers" has_answered "$(($(answered) + 100))"
check "node $former is still stopped" equal T "$(state_of "$stopped")"
kill -CONT "$stopped"
await 20 "node $former follows" caught_up "$former" "$leader"
judge_clients

# ---- a full log ---------------------------------------------------------------------------------
value=$(printf 'v%.0s' {1..100000})
write() {
    redis "$leader" SET "large:$1" "$value"
}
await 20 "somebody leads" find_leader "${NODES[@]}"
check "a write before" equal OK "$(redis "$leader" SET before yes)"
# 100 kB a write, and a log of 128 MiB
yes "SET large $value" | head -n 1500 |
    timeout 60 redis-cli -h "$(address "$leader")" >"$QUORATE_CLUSTER/filled" || true
say "writes: $(cut -c 1-40 "$QUORATE_CLUSTER/filled" | sort | uniq -c | xargs)"
await 20 "somebody leads" find_leader "${NODES[@]}"
check "the log is full" equal true "$(known "$leader" '.storage[0].full')"
check "a write is refused by name" matches 'TRYAGAIN*' "$(write after)"
check "it is counted" test "$(counter "$leader" lane.STORAGE_FULL)" -gt 0
for node in "${NODES[@]}"; do
    check "node $node reads on" equal yes "$(redis "$node" GET before)"
    check "the refused write was never done" equal 0 "$(redis "$node" EXISTS large:after)"
done
kill_node "${NODES[@]}"
start_again "${NODES[@]}"
await 20 "a full cluster elects" find_leader "${NODES[@]}"
await 20 "and reads" equal yes "$(redis "$leader" GET before)"
