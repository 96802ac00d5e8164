#!/usr/bin/env bash
# cluster.sh N [--driver af_packet|af_xdp] [-- COMMAND ...]
#
# N real quorated processes, each in a network namespace of its own. dp0 carries the consensus port and has no kernel
# address; mg0 carries RESP. Both hang on bridges in one more namespace, in which COMMAND runs. Without COMMAND the
# cluster stays up until interrupted. Everything is taken down on any exit; nothing outside these namespaces is
# touched.
#
# COMMAND gets QUORATE_ENDPOINTS (address:port,...) and QUORATE_CLUSTER (a directory with node N's config N.ini, its
# log N.log, its process id N.pid, and the script `start N`, which starts a node that was killed).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${QUORATE_BUILD:-$here/../../build}

usage() {
    echo "usage: ./dev cluster N [--driver af_packet|af_xdp] [-- COMMAND ...]" >&2
    exit 64
}

[[ ${1:-} =~ ^[1-7]$ ]] || usage
count=$1
shift
driver=af_packet
while [[ $# -gt 0 ]]; do
    case $1 in
    --driver)
        driver=${2:-}
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
if [[ $(id -u) -ne 0 ]]; then
    echo "cluster: needs root for network namespaces; ./dev demo does not" >&2
    exit 77
fi

tag=q$$
wire=$tag-w
dir=$(mktemp -d "/tmp/quorate-cluster-XXXXXX")
export QUORATE_CLUSTER=$dir

take_down() {
    trap - EXIT INT TERM
    local file pid
    for file in "$dir"/*.pid; do
        [[ -e $file ]] || continue
        pid=$(<"$file")
        kill -9 "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
    done
    for ((i = 1; i <= count; i++)); do
        ip netns del "$tag-$i" 2>/dev/null || true
    done
    ip netns del "$wire" 2>/dev/null || true
    rm -rf "$dir"
}
trap take_down EXIT
trap 'exit 130' INT TERM

members=
endpoints=
for ((i = 1; i <= count; i++)); do
    members+="${members:+,}$i@10.77.0.$i:7700"
    endpoints+="${endpoints:+,}10.78.0.$i:6379"
done
export QUORATE_ENDPOINTS=$endpoints

ip netns add "$wire"
ip -n "$wire" link set lo up
for bridge in data manage; do
    ip -n "$wire" link add "$bridge" type bridge mcast_snooping 0
    ip netns exec "$wire" sysctl -qw "net.ipv6.conf.$bridge.disable_ipv6=1"
    ip -n "$wire" link set "$bridge" up
done
ip -n "$wire" addr add 10.78.0.254/24 dev manage

join() { # namespace interface bridge port
    ip -n "$1" link add "$2" type veth peer name "$4" netns "$wire"
    ip netns exec "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
    ip netns exec "$wire" sysctl -qw "net.ipv6.conf.$4.disable_ipv6=1"
    ip -n "$wire" link set "$4" master "$3" up
    ip -n "$1" link set "$2" up
}

if [[ $driver == af_packet ]]; then
    device="net_af_packet0,iface=dp0"
else
    device="net_af_xdp0,iface=dp0"
fi

for ((i = 1; i <= count; i++)); do
    ip netns add "$tag-$i"
    ip -n "$tag-$i" link set lo up
    join "$tag-$i" dp0 data "dp$i"
    join "$tag-$i" mg0 manage "mg$i"
    ip -n "$tag-$i" addr add "10.78.0.$i/24" dev mg0
    cat >"$dir/$i.ini" <<INI
[node]
id = $i
[cluster]
members = $members
[port]
name = $device
address = 10.77.0.$i/24
udp_port = 7700
[storage]
durability = volatile
log = 64MiB
[resp]
listen = 10.78.0.$i:6379
INI
done

cat >"$dir/start" <<START
#!/usr/bin/env bash
set -euo pipefail
ip netns exec "$tag-\$1" "$build/quorated" --config "$dir/\$1.ini" >>"$dir/\$1.log" 2>&1 &
echo \$! >"$dir/\$1.pid"
START
chmod +x "$dir/start"

in_wire() {
    ip netns exec "$wire" "$@"
}

for ((i = 1; i <= count; i++)); do
    "$dir/start" "$i"
done
for ((i = 1; i <= count; i++)); do
    for ((try = 0; try < 200; try++)); do
        in_wire "$build/quorate" --endpoints "10.78.0.$i:6379" status >/dev/null 2>&1 && break
        if ! kill -0 "$(<"$dir/$i.pid")" 2>/dev/null; then
            echo "cluster: node $i ended at its start:" >&2
            cat "$dir/$i.log" >&2
            exit 69
        fi
        sleep 0.1
    done
done
in_wire "$build/quorate" bootstrap >&2

for ((try = 0; try < 100; try++)); do
    in_wire "$build/quorate" put cluster:ready yes >/dev/null 2>&1 && break
    sleep 0.1
done

if [[ $# -eq 0 ]]; then
    echo "up: QUORATE_ENDPOINTS=$endpoints in namespace $wire (ip netns exec $wire ...); interrupt to end" >&2
    while sleep 1; do :; done
fi
in_wire "$@"
