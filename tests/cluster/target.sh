#!/usr/bin/env bash
# quorate-bench drives a running cluster over UDP; its leader is killed under the load; what the load was told is
# linearizable. No rate is asserted.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

ip addr add 10.77.0.254/24 dev data
await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")

readonly target=10.77.0.1:7700,10.77.0.2:7700,10.77.0.3:7700 report=$QUORATE_CLUSTER/report.json
"$QUORATE_BUILD/bench/quorate-bench" load --target "$target" --keys 50 --reads 50 --window 4 --rate 1000 --seconds 8 \
    --history "$history" --json >"$report" &
load=$!
holds() { # COUNT: so many keys are there
    (($(redis "$leader" DBSIZE) >= $1))
}
led_by_survivors() {
    local survivors
    mapfile -t survivors < <(without "$leader" "${NODES[@]}")
    led "${survivors[@]}"
}
await 10 "its writes arrive" holds 50
kill_node "$leader"
status=0
wait "$load" || status=$?
check "the load came to its end" equal 0 "$status"
check "it names its target" equal "$target" "$(jq -r .target "$report")"
check "the survivors elected another" led_by_survivors
check "operations were acknowledged" equal true "$(jq '.operations > 1000' "$report")"
check "what it was told is linearizable" verdict 0 "$history"
