#!/usr/bin/env bash
# A smoke test of another driver: put and get through each node.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

for node in "${NODES[@]}"; do
    check "node $node is on net_af_xdp" matches '*(net_af_xdp)*' "$(known "$node" .port)"
    check "put through node $node" operator "$node" put "xdp:$node" "value $node"
    for other in "${NODES[@]}"; do
        check "get through node $other" equal "value $node" "$(operator "$other" get "xdp:$node")"
    done
done

kill_node 3
start_node 3
await 20 "a killed node gets its socket again" answers 3
check "the others serve" equal OK "$(redis 1 SET xdp:after yes)"
