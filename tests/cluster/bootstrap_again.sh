#!/usr/bin/env bash
# A node that lost its log is not talked into a cluster that lives: whatever the operator tries, it is refused, and
# what was acknowledged is never overruled by members with empty logs.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

broken=0

expect() { # text, then a command that should succeed; the rest is looked at, too
    local text=$1
    shift
    if "$@"; then
        say "ok: $text"
    else
        say "FAILED: $text"
        broken=$((broken + 1))
    fi
}

restart() { # NODE...
    local node
    for node in "$@"; do
        kill_node "$node"
    done
    for node in "$@"; do
        start_node "$node"
    done
    for node in "$@"; do
        await 20 "node $node is back, empty" answers "$node"
    done
}

refused() { # text, then quorate's arguments
    local text=$1 status=0 answer
    shift
    answer=$(timeout 20 quorate "$@" bootstrap 2>&1) || status=$?
    say "quorate $* bootstrap: $answer"
    expect "$text is refused" test "$status" -ne 0
    expect "with the sentence" matches '*quorate member*' "$answer"
}

awaits() { # NODE
    equal "awaiting bootstrap, votes 0" "$(known "$1" '.groups[0] | "\(.role), votes \(.votes_granted)"')"
}

acknowledges_nothing() { # NODE KEY
    [[ $(redis "$1" SET "$2" value) != OK ]]
}

await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
mapfile -t others < <(without "$leader" "${NODES[@]}")
cluster=$(known "$leader" .cluster)
check "a write before" equal OK "$(redis "$leader" SET old value)"

restart "${others[0]}"
refused "bootstrap of the empty node alone" --endpoints "$(address "${others[0]}"):6379"
expect "it awaits bootstrap" awaits "${others[0]}"
expect "it acknowledges nothing" acknowledges_nothing "${others[0]}" alone

restart "${others[0]}"
refused "bootstrap under the cluster's name, one node empty" --cluster "$cluster"
expect "it awaits bootstrap" awaits "${others[0]}"
expect "the write is there" equal value "$(redis "${others[1]}" GET old)"

restart "${others[@]}"
refused "bootstrap under the cluster's name, a majority empty" --cluster "$cluster"
sleep 1
for node in "${others[@]}"; do
    expect "node $node awaits bootstrap" awaits "$node"
    expect "it acknowledges nothing" acknowledges_nothing "$node" majority
done
[[ $broken -eq 0 ]] || fail "$broken expectations were not met"
