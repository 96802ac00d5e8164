#!/usr/bin/env bash
# A cluster is saved under load and again at rest, and all its nodes are lost; what was saved comes back as a new
# cluster with all of the data, and a member of the old one, started again, is not heard in it.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly SPAN=300 # answers before and after
cd "$QUORATE_CLUSTER"

save() { # FOLDER
    timeout 60 quorate -o json snapshot save "$1" >"$1.json"
}

restore() {
    timeout 60 quorate -o json snapshot restore saved --config 1.ini --data new >restored.json
}

# Every key and value, as some node answers.
contents() {
    local key
    timeout 20 redis-cli -h "$(address 1)" --scan | sort | while read -r key; do
        echo "$key $(redis 1 GET "$key" | tr '\n' ' ')"
    done
}

await 10 "somebody leads" led "${NODES[@]}"
remember_nodes
start_clients
await 30 "$SPAN questions are answered" has_answered "$SPAN"
check "a snapshot is saved under load" save busy
check "it is whole" quorate snapshot check busy/group-0.snapshot
await 30 "$SPAN more questions are answered" has_answered "$(($(answered) + SPAN))"
judge_clients
check "a last value is acknowledged" equal OK "$(redis 1 SET last "$(date +%N)x")"
check "a snapshot is saved at rest" save saved
check "the later one reaches further" test "$(jq .index saved.json)" -gt "$(jq .index busy.json)"
before=$(contents)
check "there is something to lose" matches '*last *x*' "$before"

kill_node "${NODES[@]}"
for node in "${NODES[@]}"; do
    await 10 "node $node has ended" gone "$node"
done
mkdir old
mv node-*-lane-* node-*.id ./*.snap old/ # one disk is found again, later
check "it is restored" restore
new=$(jq -r .cluster restored.json)
for node in 1 2; do
    mv "new/node-$node"/* .
    start_node "$node"
done
for node in 1 2; do
    await 20 "node $node answers" answers "$node"
    check "it is of the new cluster" equal "$new" "$(known "$node" .cluster)"
done
await 20 "somebody leads, and nobody bootstrapped" led 1 2
check "all the data is there" equal "$before" "$(contents)"
check "writes go on" equal OK "$(redis 2 SET after restore)"

mv old/node-3* .
start_node 3
await 20 "a member of the old cluster answers" answers 3
check "it is in the old one" equal "$cluster" "$(known 3 .cluster)"
foreign_heard() {
    [[ $(counter 1 lane.FOREIGN_CLUSTER) -gt 0 || $(counter 2 lane.FOREIGN_CLUSTER) -gt 0 ]]
}
await 20 "the new cluster hears it, and does not listen" foreign_heard
check "and leads nobody" equal follower "$(role 3 | sed s/precandidate/follower/)"

kill_node 3
await 10 "node 3 has ended" gone 3
rm -f node-3*
mv new/node-3/* .
start_node 3
await 20 "node 3 answers" answers 3
check "it is of the new cluster" equal "$new" "$(known 3 .cluster)"
leader=$(leader_of 1 2)
await 20 "it catches up" caught_up 3 "$leader"
check "and has all of it" equal restore "$(redis 3 GET after)"
