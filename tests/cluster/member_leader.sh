#!/usr/bin/env bash
# The leader is removed under load: another one leads, clients are told at most to come again.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=400

await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
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
check "who was removed leads nothing" test "$(role "$leader")" != leader
judge_clients
check "no client was left in doubt" no_doubt
