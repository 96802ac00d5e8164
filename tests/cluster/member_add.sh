#!/usr/bin/env bash
# A node is added to a cluster under load, gets a vote, and another one is removed: clients are told at most to come
# again, and what they were told is linearizable.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=400 # answers in each phase

refused() { # STATUS TEXT ARGUMENT...: quorate member says no, with this status and text
    local status=0 answer expected=$1 text=$2
    shift 2
    answer=$(member "$@" 2>&1) || status=$?
    say "member $*: $answer"
    equal "$expected" "$status" && matches "*$text*" "$answer"
}

await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
mapfile -t others < <(without "$leader" "${NODES[@]}")
start_clients
phase before
more_answers "$SPAN"

check "an id that no node has is refused" refused 69 "at none of these endpoints" add 9
check "an address that it does not have is refused" refused 65 "not at 10.77.0.9:7700" \
    add "$SPARE" --address 10.77.0.9:7700
check "promotion of who does not belong is refused" refused 65 "no member has the id" promote "$SPARE"
check "removal of who does not belong is refused" refused 65 "no member has the id" remove 9
check "no id is refused" refused 64 "wants an id" remove

phase add
check "node $SPARE is added" member add "$SPARE" --address "10.77.0.$SPARE:7700"
check "it is a learner" is_in_state "$SPARE" learner
more_answers "$SPAN"
check "adding it again changes nothing" member add "$SPARE"
applied() {
    known "$1" '.groups[0].applied'
}
catches_up() {
    [[ $(applied "$SPARE") -ge $(applied "$leader") ]] || [[ $(known "$SPARE" '.groups[0].keys') -gt 0 ]]
}
await 20 "it has caught up" catches_up
phase promote
check "node $SPARE gets a vote" member promote "$SPARE"
check "it is a voter" is_in_state "$SPARE" voter
more_answers "$SPAN"
check "it serves clients" equal OK "$(redis "$SPARE" SET through:spare yes)"
phase remove
check "node ${others[0]} is removed" member remove "${others[0]}"
check "no configuration names it" is_out "${others[0]}"
more_answers "$SPAN"
report_phases
copies=$(known "$(leader_of "${others[1]}" "$leader" "$SPARE")" '.groups[0] | "\(.joint) \(.members | length)"')
check "three are left and nothing is under way" equal "false 3" "$copies"
judge_clients
check "no client was left in doubt" no_doubt
