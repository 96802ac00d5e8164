#!/usr/bin/env bash
# The leader is cut from the others: they elect, it answers no stale read and acknowledges nothing that is lost; when
# the cut is mended, all hold the same. What clients at all nodes were told, all the while, is linearizable.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=500 # answers: before, during and after the cut

await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
mapfile -t others < <(without "$leader" "${NODES[@]}")
check "a write before the cut" equal OK "$(redis "$leader" SET register before)"
start_clients
await 20 "$SPAN questions are answered" has_answered "$SPAN"

ip link set "dp$leader" down
say "node $leader, which leads, is cut off"
redis "$leader" SET lonely value >"$QUORATE_CLUSTER/lonely" &
lonely=$!

writes_anew() {
    [[ $(redis "${others[0]}" SET register after) == OK ]]
}
await 20 "another one leads" led "${others[@]}"
await 20 "it takes a write" writes_anew
before=$(answered)
reply=$(redis "$leader" GET register)
case $reply in
after | TRYAGAIN* | CLUSTERDOWN*) say "ok: the cut-off node answers a read with '$reply'" ;;
*) fail "the cut-off node answers a read with '$reply'" ;;
esac
wait "$lonely"
lonely=$(<"$QUORATE_CLUSTER/lonely")
say "a write through the cut-off node was answered '$lonely'"
[[ $lonely == OK || $lonely == TRYAGAIN* || $lonely == CLUSTERDOWN* || $lonely == UNCERTAIN* ]] ||
    fail "the answer has no meaning"
await 30 "$SPAN more questions are answered" has_answered "$((before + SPAN))"

ip link set "dp$leader" up
agree() {
    local first
    first=$(known 1 '.groups[0] | "\(.digest) \(.applied)"')
    [[ -n $first && $first == $(known 2 '.groups[0] | "\(.digest) \(.applied)"') &&
        $first == $(known 3 '.groups[0] | "\(.digest) \(.applied)"') ]]
}
follows() {
    [[ $(role "$leader") == follower ]]
}
await 20 "the node that was cut off follows" follows
before=$(answered)
await 30 "$SPAN more questions are answered" has_answered "$((before + SPAN))"
judge_clients
await 20 "all hold the same" agree
for node in "${NODES[@]}"; do
    check "node $node reads the later write" equal after "$(redis "$node" GET register)"
    found=$(redis "$node" GET lonely)
    [[ $lonely != OK || $found == value ]] || fail "an acknowledged write is lost at node $node"
    [[ $lonely != TRYAGAIN* && $lonely != CLUSTERDOWN* || -z $found ]] ||
        fail "a write that was refused as never executed is there at node $node"
done
