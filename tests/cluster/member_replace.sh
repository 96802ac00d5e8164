#!/usr/bin/env bash
# The leader is killed under load, and one command puts another node in its place. The killed node comes back empty and
# has no say.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=400

await 10 "somebody leads" led "${NODES[@]}"
dead=$(leader_of "${NODES[@]}")
mapfile -t survivors < <(without "$dead" "${NODES[@]}")
start_clients
phase before
more_answers "$SPAN"
phase kill
kill_node "$dead"
await 20 "a survivor leads" led "${survivors[@]}"
phase replace
check "node $SPARE takes the place of node $dead" member replace "$dead" "$SPARE"
check "it is a voter" is_in_state "$SPARE" voter
check "no configuration names node $dead" is_out "$dead"
check "said again, nothing changes" member replace "$dead" "$SPARE"
more_answers "$SPAN"
report_phases
judge_clients

start_node "$dead"
await 20 "node $dead is back, empty" answers "$dead"
check "the survivors and node $SPARE serve" equal OK "$(redis "$SPARE" SET after yes)"
check "who came back has no say" equal "awaiting bootstrap 0" \
    "$(known "$dead" '.groups[0] | "\(.role) \(.votes_granted)"')"
kill_node "${survivors[0]}"
await 20 "with one of the old two gone, node $SPARE's vote elects" led "${survivors[1]}" "$SPARE"
check "and writes are taken" equal OK "$(redis "$SPARE" SET again yes)"
