#!/usr/bin/env bash
# All nodes are killed and start again: their logs are gone, so nobody may lead or vote, and clients are told.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

readonly QUIET_SECONDS=3 # fifteen election time-outs

check "a write before the end" equal OK "$(redis 1 SET lost:key value)"
for node in "${NODES[@]}"; do
    kill_node "$node"
done
for node in "${NODES[@]}"; do
    start_node "$node"
done
for node in "${NODES[@]}"; do
    await 20 "node $node is back" answers "$node"
done

end=$((SECONDS + QUIET_SECONDS + 1))
looks=0
while ((SECONDS < end)); do
    for node in "${NODES[@]}"; do
        seen=$(known "$node" '.groups[0] | "\(.role), votes \(.votes_granted), term \(.term), keys \(.keys)"')
        equal "awaiting bootstrap, votes 0, term 0, keys 0" "$seen" || fail "node $node came to life by itself"
        looks=$((looks + 1))
    done
    sleep 0.1
done
say "ok: for $QUIET_SECONDS seconds nobody leads, nobody votes ($looks looks)"

ask() { # NODE COMMAND...
    redis "$@" >"$QUORATE_CLUSTER/reply.$1.$2"
}
for node in "${NODES[@]}"; do
    ask "$node" SET new value &
    ask "$node" GET lost:key &
    ask "$node" INCR counter &
done
wait
for node in "${NODES[@]}"; do
    for command in SET GET INCR; do
        reply=$(<"$QUORATE_CLUSTER/reply.$node.$command")
        [[ $reply == CLUSTERDOWN* || $reply == TRYAGAIN* ]] || fail "node $node answers $command with '$reply'"
        say "ok: node $node answers $command with '$reply'"
    done
    check "node $node lives on" lives "$node"
done
