#!/usr/bin/env bash
# cluster.sh N [--driver af_packet|af_xdp] [--with FILE] [--spares M] [-- COMMAND ...]
#
# M more nodes run beside the N, are in no cluster, and know where the N are.
# N real quorated processes, each in a network namespace of its own, with the lines of FILE in their configurations.
# dp0 carries the consensus port and has no kernel address; mg0 carries RESP. Both hang on bridges in one more
# namespace, in which COMMAND runs. Without COMMAND the cluster stays up until interrupted. Everything is taken down
# on any exit; nothing outside these namespaces is touched.
#
# Nodes run in a directory of their own, QUORATE_CLUSTER below: FILE may say "data = .".
#
# COMMAND gets QUORATE_ENDPOINTS (address:port,...), the programs in its PATH, and QUORATE_CLUSTER: a directory with
# node N's configuration N.ini, its log N.log, its process id N.pid, and the script `start N`, which starts a node that
# was killed. Leaves with COMMAND's exit status; 69: the cluster did not come up, 77: not root.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${QUORATE_BUILD:-$here/../../build}

usage() {
    echo "usage: ./dev cluster N [--driver af_packet|af_xdp] [--with FILE] [--spares M] [-- COMMAND ...]" >&2
    exit 64
}

[[ ${1:-} =~ ^[1-7]$ ]] || usage
count=$1
shift
driver=af_packet
with=/dev/null
spares=0
while [[ $# -gt 0 ]]; do
    case $1 in
    --driver)
        driver=${2:-}
        shift 2 || usage
        ;;
    --with)
        with=${2:-}
        shift 2 || usage
        ;;
    --spares)
        spares=${2:-}
        shift 2 || usage
        ;;
    --)
        shift
        break
        ;;
    *) usage ;;
    esac
done
[[ $driver == af_packet || $driver == af_xdp ]] || usage
[[ $spares =~ ^[0-4]$ ]] || usage
if [[ $(id -u) -ne 0 ]]; then
    echo "cluster: needs root for network namespaces; ./dev demo does not" >&2
    exit 77
fi

tag=q$$
wire=$tag-w
dir=$(mktemp -d "/tmp/quorate-cluster-XXXXXX")
export QUORATE_CLUSTER=$dir

give_up() {
    echo "cluster: $*" >&2
    tail -n 20 "$dir"/*.log >&2
    exit 69
}

# A process that was killed while it was in the kernel takes a moment to go; a namespace must not outlive the wait.
# shellcheck disable=SC2317
end_process() {
    kill -9 "$1" 2>/dev/null || return 0
    for ((try = 0; try < 100; try++)); do
        grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null || return 0
        sleep 0.05
    done
    echo "cluster: process $1 does not end" >&2
}

# shellcheck disable=SC2317
take_down() {
    trap - EXIT
    trap '' INT TERM
    local space pid
    for space in "${spaces[@]}"; do
        for pid in $(ip netns pids "$space" 2>/dev/null); do
            end_process "$pid"
        done
        ip netns del "$space" 2>/dev/null || true
    done
    rm -rf "$dir"
}
spaces=()
trap take_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

program() { # path under the build folder
    local path
    for path in "$build/$1" "$build/${1##*/}"; do
        [[ -x $path ]] || continue
        ln -s "$(readlink -f "$path")" "$dir/bin/${1##*/}"
        return
    done
    echo "cluster: $build has no ${1##*/}; ./dev build makes it" >&2
    exit 69
}
mkdir "$dir/bin"
program dataplane/node/quorated
program dataplane/operator/quorate
program tests/sim/quorate-sim
export PATH=$dir/bin:$PATH

members=
endpoints=
for ((i = 1; i <= count; i++)); do
    members+="${members:+,}$i@10.77.0.$i:7700"
    endpoints+="${endpoints:+,}10.78.0.$i:6379"
done
export QUORATE_ENDPOINTS=$endpoints

silence() { # namespace interface: no IPv6 address, hence no chatter; a kernel without IPv6 has none anyway
    ip -n "$1" link set "$2" addrgenmode none 2>/dev/null || true
}

spaces+=("$wire")
ip netns add "$wire"
ip -n "$wire" link set lo up
for bridge in data manage; do
    ip -n "$wire" link add "$bridge" type bridge mcast_snooping 0
    silence "$wire" "$bridge"
    ip -n "$wire" link set "$bridge" up
done
ip -n "$wire" addr add 10.78.0.254/24 dev manage

join() { # namespace interface bridge port
    ip -n "$1" link add "$2" type veth peer name "$4" netns "$wire"
    silence "$1" "$2"
    silence "$wire" "$4"
    ip -n "$wire" link set "$4" master "$3" up
    ip -n "$1" link set "$2" up
}

for ((i = 1; i <= count + spares; i++)); do
    space=$tag-$i
    also=
    ((i <= count)) || also=",$i@10.77.0.$i:7700"
    spaces+=("$space")
    ip netns add "$space"
    ip -n "$space" link set lo up
    join "$space" dp0 data "dp$i"
    join "$space" mg0 manage "mg$i"
    ip -n "$space" addr add "10.78.0.$i/24" dev mg0
    cat >"$dir/$i.ini" <<INI
[node]
id = $i
[cluster]
members = $members$also
[port]
name = net_${driver}0,iface=dp0
address = 10.77.0.$i/24
udp_port = 7700
[storage]
durability = volatile
log = 64MiB
[state]
keys = 262144
bytes = 128MiB
[resp]
listen = 10.78.0.$i:6379
[host]
idle = sleep
$(<"$with")
INI
done

cat >"$dir/start" <<START
#!/usr/bin/env bash
set -euo pipefail
cd "$dir"
ip netns exec "$tag-\$1" quorated --config "$dir/\$1.ini" >>"$dir/\$1.log" 2>&1 </dev/null &
echo \$! >"$dir/\$1.pid"
START
chmod +x "$dir/start"

in_wire() {
    ip netns exec "$wire" "$@"
}

answers() { # node
    in_wire quorate --endpoints "10.78.0.$1:6379" status >/dev/null 2>&1
}

for ((i = 1; i <= count + spares; i++)); do
    "$dir/start" "$i"
done
for ((i = 1; i <= count + spares; i++)); do
    for ((try = 0; try < 200; try++)); do
        ! answers "$i" || break
        kill -0 "$(<"$dir/$i.pid")" 2>/dev/null || give_up "node $i ended at its start"
        sleep 0.1
    done
    ((try < 200)) || give_up "node $i does not answer"
done
in_wire quorate bootstrap >&2 || give_up "bootstrap failed"

for ((try = 0; try < 100; try++)); do
    ! in_wire quorate put cluster:ready yes >/dev/null 2>&1 || break
    sleep 0.1
done
((try < 100)) || give_up "nobody takes a write"

if [[ $# -eq 0 ]]; then
    echo "up: QUORATE_ENDPOINTS=$endpoints in namespace $wire (ip netns exec $wire ...); interrupt to end" >&2
    while sleep 1; do :; done
fi
status=0
in_wire "$@" || status=$?
exit "$status"
