#!/usr/bin/env bash
# The leader of four groups is removed from all of them under load: others lead, clients are told at most to come again.
# Then leaders are spread over who is left.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=400

await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
leads_all() { # NODE
    equal true "$(known "$1" '[.groups[].role] | all(. == "leader")')"
}
gathers() {
    local node
    for node in "${NODES[@]}"; do
        [[ $node == "$leader" ]] || operator "$node" move-leader --to "$leader" >/dev/null 2>&1 || true
    done
    leads_all "$leader" >/dev/null
}
await 20 "it leads all groups" gathers
mapfile -t others < <(without "$leader" "${NODES[@]}")
start_clients
phase before
more_answers "$SPAN"
check "node $SPARE is added" member add "$SPARE"
check "and gets a vote" member promote "$SPARE"
phase remove
check "node $leader, which leads, is removed" member remove "$leader"
await 10 "another one leads" led "${others[@]}" "$SPARE"
check "no configuration names it" is_out "$leader"
more_answers "$SPAN"
report_phases
led_count() { # NODE
    known "$1" '[.groups[].role] | map(select(. == "leader")) | length'
}
check "who was removed leads nothing" equal 0 "$(led_count "$leader")"
balance() {
    timeout 60 quorate --endpoints "$QUORATE_ENDPOINTS,$(address "$SPARE"):6379" move-leader --balance
}
check "leaders are spread" balance
led_counts() {
    local node
    for node in "${others[@]}" "$SPARE"; do
        led_count "$node"
    done
}
spread() {
    equal "1 1 2" "$(led_counts | sort -n | xargs)"
}
await 10 "nobody leads two groups more than another" spread
judge_clients
check "no client was left in doubt" no_doubt
