#!/usr/bin/env bash
# Where clients on the network have to sign: who does is served, who does not is told, and the edge's clients go on as
# ever. signed.ini asks for it.
# shellcheck source=tests/cluster/lib.sh
source "$(dirname "$0")/lib.sh"

ip addr add 10.77.0.254/24 dev data
await 10 "somebody leads" led "${NODES[@]}"
leader=$(leader_of "${NODES[@]}")
follower=$(without "$leader" "${NODES[@]}" | head -n 1)

check "a RESP client needs no signature" equal OK "$(redis "$leader" SET edge yes)"
check "through a follower neither" equal yes "$(redis "$follower" GET edge)"

readonly report=$QUORATE_CLUSTER/report.json
load() { # AUTH
    "$QUORATE_BUILD/bench/quorate-bench" load --target 10.77.0.1:7700,10.77.0.2:7700,10.77.0.3:7700 --keys 50 \
        --clients 3 --window 4 --rate 1000 --seconds 3 --client-auth "$1" --json >"$report"
}
check "clients that sign are served" load signature
check "without errors" equal 0 "$(jq .errors "$report")"
check "their operations were acknowledged" equal true "$(jq '.operations > 1000' "$report")"
verify() { # FILTER: of the leader's only lane
    known "$leader" ".verify[0] | $1"
}
check "signatures were checked in batches" equal true "$(verify '(.batches | add) > 0')"
check "by tables that the keys were given" equal 3 "$(counter "$leader" lane.KEY_SETTLED)"
check "no signature was bad" equal null "$(verify .last_bad)"

check "clients that do not sign are not served" matches 75 "$(load none 2>/dev/null; echo $?)"
unsigned=0
for node in "${NODES[@]}"; do
    unsigned=$((unsigned + $(counter "$node" lane.CLIENT_UNSIGNED)))
done
check "and they were told" test "$unsigned" -gt 0
# The C library, with a key and without.
example() {
    timeout 30 "$QUORATE_BUILD/dataplane/client/quorate_client_example" 10.77.0.{1,2,3}:7700 2>&1 || echo "status $?"
}
quorate keygen "$QUORATE_CLUSTER/secret" >/dev/null
check "a program that signs is served" matches "*counted to 100" "$(QUORATE_SECRET=$QUORATE_CLUSTER/secret example)"
check "one that does not is told why" matches "*does not listen to this key*status 69" "$(example)"

check "the cluster serves on" equal yes "$(redis "$leader" GET edge)"
