#!/usr/bin/env bash
# run.sh TEST [DRIVER]: TEST.sh inside a cluster of three, member_* with a spare node. 77, with the reason: this machine
# can not.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=$1
driver=${2:-af_packet}
readonly TEST_SECONDS=110

skip() {
    echo "skipped: $*"
    exit 77
}

[[ $(id -u) -eq 0 ]] || skip "needs root for network namespaces"
for tool in ip redis-cli redis-benchmark jq python3 ping awk timeout; do
    command -v "$tool" >/dev/null || skip "there is no $tool; ./dev deps installs it"
done
probe=qp$$
can_not=
wrong=$({ ip netns add "$probe" && ip -n "$probe" link add dp0 type veth peer name dp1; } 2>&1) || can_not=${wrong:-ip}
ip netns del "$probe" 2>/dev/null || true
[[ -z $can_not ]] || skip "no network namespaces with veth pairs here: ${can_not//$'\n'/ }"
if [[ $driver == af_xdp ]]; then
    wrong=$(python3 "$here/has_xdp.py" 2>&1) || skip "no AF_XDP sockets here: ${wrong##*$'\n'}"
fi

log=$(mktemp "/tmp/quorate-cluster-$name-XXXXXX")
trap 'rm -f "$log"' EXIT
status=0
with=/dev/null
[[ ! -f $here/$name.ini ]] || with=$here/$name.ini
spares=0
[[ $name != member_* ]] || spares=1
timeout --kill-after=20 "$TEST_SECONDS" \
    "$here/cluster.sh" 3 --driver "$driver" --with "$with" --spares "$spares" -- "$here/$name.sh" >"$log" 2>&1 ||
    status=$?
cat "$log"
[[ $status -ne 124 && $status -ne 137 ]] || echo "cluster: FAILED: not done after $TEST_SECONDS seconds"
exit "$status"
