#!/usr/bin/env bash
# One node after the other is replaced by a newer build, under load; back again while that is possible; then the
# cluster is raised to what the new build speaks, and the old one finds no way in.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

old=$(readlink -f "$QUORATE_CLUSTER/bin/quorated")
readonly old next=${old%/dataplane/node/quorated}/tests/cluster/quorated_next

# with BUILD NODE...: stopped and started, one after the other.
with() {
    local build=$1 node
    shift
    ln -sfn "$build" "$QUORATE_CLUSTER/bin/quorated"
    for node in "$@"; do
        kill -TERM "$(<"$QUORATE_CLUSTER/$node.pid")"
        start_again "$node"
        await 20 "node $node catches up" caught_up_with_leader "$node"
    done
}

caught_up_with_leader() { # NODE
    local leader
    leader=$(leader_of "${NODES[@]}")
    [[ -n $leader ]] && caught_up "$1" "$leader"
}

speaks() { # "ID=LEVEL ...", as every node has heard it
    local node
    for node in "${NODES[@]}"; do
        [[ $(operator "$node" -o json member list | jq -r '"\(.id)=\(.speaks)"' | xargs) == "$1" ]] || return 1
    done
}

level() { # NODE
    known "$1" '.groups[0].level'
}

all_have_level() { # LEVEL
    local node
    for node in "${NODES[@]}"; do
        [[ $(level "$node") == "$1" ]] || return 1
    done
}

await 10 "somebody leads" led "${NODES[@]}"
remember_nodes
start_clients
await 20 "questions are answered" has_answered 100

with "$next" 1 2
await 10 "all know who runs the newer build" speaks "1=1 2=1 3=0"
check "upgrade: not yet" matches "*level 0*" "$(quorate upgrade)"
check "nothing is raised" all_have_level 0
with "$old" 1
say "ok: node 1 is back at the old build"
with "$next" 1 3
await 10 "all run the newer build" speaks "1=1 2=1 3=1"
check "upgrade" matches "*level 1*" "$(quorate upgrade)"
await 10 "all have level 1" all_have_level 1
more_answers 100

kill -TERM "$(<"$QUORATE_CLUSTER/1.pid")"
await 10 "node 1 has ended" gone 1
ln -sfn "$old" "$QUORATE_CLUSTER/bin/quorated"
start_node 1
await 10 "the old build does not start" gone 1
check "it says why" grep -q 'raised to a level that this build does not speak' "$QUORATE_CLUSTER/1.log"
ln -sfn "$next" "$QUORATE_CLUSTER/bin/quorated"
start_again 1
await 20 "node 1 catches up" caught_up_with_leader 1
more_answers 100
judge_clients
