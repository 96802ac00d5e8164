#!/usr/bin/env bash
# A node's port is an ordinary host to others on its link: ping, ARP, UDP. What is no frame of ours is counted.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

ip addr add 10.77.0.254/24 dev data

counted() { # node counter more-than
    (($(counter "$1" "$2") > $3))
}

# refuses NODE COUNTER PORT BYTES
refuses() {
    local before
    before=$(counter "$1" "$2")
    printf '%s' "$4" >"/dev/udp/10.77.0.$1/$3"
    await 5 "node $1 counts $2" counted "$1" "$2" "$before"
}

long=$(printf 'not a frame %.0s' {1..20})
for node in "${NODES[@]}"; do
    check "node $node answers three pings" ping -q -c 3 -i 0.2 -W 5 "10.77.0.$node"
    check "node $node counts them" equal 3 "$(counter "$node" port.ECHO_ANSWERED)"
    refuses "$node" wire.SHORT_FRAME 7700 "short"
    refuses "$node" wire.FOREIGN_MAGIC 7700 "$long"
    refuses "$node" port.UDP_PORT 7799 "$long"
    check "node $node lives on" lives "$node"
done
check "the cluster serves" equal OK "$(redis 2 SET outside yes)"
check "at every node" equal yes "$(redis 3 GET outside)"
