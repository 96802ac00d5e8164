#!/usr/bin/env bash
# The leader is killed under load again and again, and comes back each time as the member that it was. How long clients
# wait is printed. QUORATE_KILLS: how often.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly KILLS=${QUORATE_KILLS:-20}

# The first answer to a question that was asked after that moment, in milliseconds: 10 may be missing.
failover() { # NANOSECONDS
    jq -rn --argjson killed "$1" 'first(inputs | select(.outcome == "ok" and .invoke_ns > $killed))
        | (.return_ns - $killed) / 1000000 | floor' <"$history" 2>/dev/null || true # its end may be half a line
}

answered_since() { # NANOSECONDS
    [[ -n $(failover "$1") ]]
}

# The clients' clock, to 10 ms and never early. No process is started for it: that takes longer.
now_ns() {
    local uptime
    read -r uptime _ </proc/uptime
    moment=$((10#${uptime/./} * 10000000 + 10000000))
}

find_leader() { # NODE...
    leader=$(leader_of "$@")
    [[ -n $leader ]]
}

await 10 "somebody leads" led "${NODES[@]}"
remember_nodes
start_clients
await 20 "questions are answered" has_answered 100
took=()
for ((kill = 1; kill <= KILLS; kill++)); do
    await 20 "somebody leads" find_leader "${NODES[@]}"
    killed=$leader
    kill_node "$killed"
    now_ns
    await 20 "a question that was asked later is answered" answered_since "$moment"
    took+=("$(failover "$moment")")
    start_again "$killed"
    mapfile -t others < <(without "$killed" "${NODES[@]}")
    await 20 "a survivor leads" find_leader "${others[@]}"
    await 20 "kill $kill of $KILLS: it catches up" caught_up "$killed" "$leader"
done
say "failover, ms: $(printf '%s\n' "${took[@]}" | sort -n | xargs)"
median=$(printf '%s\n' "${took[@]}" | sort -n | sed -n "$((KILLS / 2 + 1))p")
say "failover, median: $median ms; election_timeout 100ms"
judge_clients
