#!/usr/bin/env bash
# Leadership is moved by the operator, then the leader is told to go (SIGTERM), both under load: it hands over before
# it goes, another one leads, and every acknowledged write is there once and in order.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=500 # answers, before and after each

started() { # some leader has begun to hand over
    local node
    for node in "${NODES[@]}"; do
        [[ $(counter "$node" raft.TRANSFER_STARTED) -eq 0 ]] || return 0
    done
    return 1
}

moved() {
    quorate move-leader
}

gone() { # PID
    ! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null
}

await 10 "somebody leads" led "${NODES[@]}"
start_clients
await 20 "$SPAN questions are answered" has_answered "$SPAN"
before=$(leader_of "${NODES[@]}")
await 20 "the operator moves leadership away from node $before" moved
check "by a hand-over" started
await 20 "$((2 * SPAN)) questions are answered" has_answered "$((2 * SPAN))"

await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
mapfile -t others < <(without "$leader" "${NODES[@]}")
pid=$(<"$QUORATE_CLUSTER/$leader.pid")
kill -TERM "$pid"
say "node $leader, which leads, was told to go"
await 20 "it goes" gone "$pid"
# 0 of 0 if it has lost the lead meanwhile, 0 of 1 if nobody was ready in time: tests/unit/node/host_test.cc is strict.
check "it has tried to hand over first" grep -E '[01] of [01] groups led from here' "$QUORATE_CLUSTER/$leader.log"
await 20 "another one leads" led "${others[@]}"
answers=$(answered)
await 30 "$SPAN more questions are answered" has_answered "$((answers + SPAN))"
say "hand-overs obeyed by node ${others[0]}: $(counter "${others[0]}" raft.TRANSFER_OBEYED)," \
    "by node ${others[1]}: $(counter "${others[1]}" raft.TRANSFER_OBEYED)"
judge_clients
