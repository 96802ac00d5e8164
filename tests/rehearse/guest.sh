#!/bin/busybox sh
# What runs in the rehearsal's guest, as its first process. Prints one line "rehearse: ..." per thing asserted.
/bin/busybox --install -s /bin
export PATH=/bin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p /var
ln -s /run /var/run
mount -t hugetlbfs hugetlbfs /huge
ip link set lo up
ulimit -l unlimited

say() {
    echo "rehearse: $*"
}
dmesg -n 1
failed=0
check() { # text, then a command that must succeed
    what=$1
    shift
    if "$@"; then
        say "ok: $what"
    else
        say "FAILED: $what"
        failed=1
    fi
}
leave() {
    [ $failed = 0 ] && [ "${1:-}" = done ] && say "all asserted"
    sync
    poweroff -f
}

for node in 0 1; do
    echo 160 >/sys/devices/system/node/node$node/hugepages/hugepages-2048kB/nr_hugepages
done
for module in irqbypass vfio vfio_virqfd vfio_iommu_type1 vfio-pci-core vfio-pci; do
    insmod /modules/$module.ko || say "FAILED: module $module"
done

# address_of VENDOR DEVICE
address_of() {
    for dev in /sys/bus/pci/devices/*; do
        [ "$(cat "$dev/vendor")" = "$1" ] && [ "$(cat "$dev/device")" = "$2" ] && basename "$dev"
    done
}
virtio=$(address_of 0x1af4 0x1041)
e1000e=$(address_of 0x8086 0x10d3)
vmxnet3=$(address_of 0x15ad 0x07b0)
for pci in $virtio $e1000e $vmxnet3; do
    echo vfio-pci >/sys/bus/pci/devices/$pci/driver_override
    echo $pci >/sys/bus/pci/drivers_probe
done
check "three cards are bound to vfio-pci" [ "$(ls /sys/bus/pci/drivers/vfio-pci | grep -c :)" = 3 ]

start() { # id address
    cat >/tmp/$1.ini <<INI
[node]
id = $1
[cluster]
members = 1@10.9.0.1:7700,2@10.9.0.2:7700,3@10.9.0.3:7700
[port]
name = $2
address = 10.9.0.$1/24
[raft]
heartbeat = 100ms
election_timeout = 1s
election_timeout_max = 2s
[storage]
log = 16MiB
[state]
keys = 65536
bytes = 16MiB
[resp]
listen = 127.0.0.1:640$1
[host]
huge = required
INI
    quorated --config /tmp/$1.ini -- -a $2 >/tmp/$1.log 2>&1 &
    echo $! >/tmp/$1.pid
}
start 1 $virtio
start 2 $e1000e
start 3 $vmxnet3
export QUORATE_ENDPOINTS=127.0.0.1:6401,127.0.0.1:6402,127.0.0.1:6403
tries=0
until [ "$(cat /tmp/*.log | grep -c 'lane r0/l0')" = 3 ] || [ $tries -ge 60 ]; do
    tries=$((tries + 1))
    sleep 0.5
done

for id in 1 2 3; do
    if ! kill -0 "$(cat /tmp/$id.pid)"; then
        say "FAILED: node $id ended at its start: $(cat /tmp/$id.log)"
        failed=1
        leave
    fi
    say "node $id: $(grep 'quorated: port' /tmp/$id.log | cut -d' ' -f3-)"
done

in_log() { # id pattern
    grep -q "$2" /tmp/$1.log
}
check "node 1 is on net_virtio" in_log 1 net_virtio
check "node 2 is on net_e1000_em" in_log 2 net_e1000_em
check "node 3 is on net_vmxnet3" in_log 3 net_vmxnet3

# The polling thread's only processor belongs to the card's node.
worker_on_node() { # id pci
    pid=$(cat /tmp/$1.pid)
    node=$(cat /sys/bus/pci/devices/$2/numa_node)
    for task in /proc/$pid/task/*; do
        case $(cat $task/comm) in rte-worker*)
            cpu=$(awk '/Cpus_allowed_list/ {print $2}' $task/status)
            say "node $1: card $2 on NUMA node $node, polling thread on processor $cpu"
            [ -d /sys/devices/system/node/node$node/cpu$cpu ] || return 1
            return 0
            ;;
        esac
    done
    return 1
}
# The lane's memory is bound to that node, and its pages lie there: nowhere else, and not few.
memory_on_node() { # id pci
    pid=$(cat /tmp/$1.pid)
    node=$(cat /sys/bus/pci/devices/$2/numa_node)
    other=$((1 - node))
    awk -v node=$node -v other=$other '
        $0 ~ ("(bind|prefer|[(]many[)]):" node " ") {
            for (i = 3; i <= NF; i++) {
                if (index($i, "N" node "=") == 1) here += substr($i, 4)
                if (index($i, "N" other "=") == 1) there += substr($i, 4)
            }
        }
        END { exit !(here > 100 && there == 0) }' /proc/$pid/numa_maps && return 0
    grep -E 'bind|prefer' /proc/$pid/numa_maps | head -5
    return 1
}
# Frames: DPDK was given huge pages of that node.
frames_on_node() { # id pci
    pid=$(cat /tmp/$1.pid)
    node=$(cat /sys/bus/pci/devices/$2/numa_node)
    awk -v node=$node '
        /huge/ { for (i = 3; i <= NF; i++) if (index($i, "N" node "=") == 1) here += substr($i, 4) }
        END { exit !(here > 0) }' /proc/$pid/numa_maps
}
for pair in 1=$virtio 2=$e1000e 3=$vmxnet3; do
    id=${pair%%=*}
    pci=${pair#*=}
    check "node $id polls on its card's NUMA node" worker_on_node $id $pci
    check "node $id keeps lane memory on its card's NUMA node" memory_on_node $id $pci
    check "node $id keeps frames on its card's NUMA node" frames_on_node $id $pci
done

quorate bootstrap || say "FAILED: bootstrap"
tries=0
until quorate put hello world >/dev/null 2>&1 || [ $tries -ge 60 ]; do
    tries=$((tries + 1))
    sleep 0.5
done
check "three replicas on three drivers elect a leader and commit" [ "$(quorate -o simple get hello)" = world ]

load() { # port
    redis-benchmark -p $1 -t set,incr -n 2000 -P 16 -c 4 -q 2>&1 | tr '\r' '\n' | grep 'per second' >/tmp/load
    [ "$(wc -l </tmp/load)" = 2 ]
}
check "a load of 4,000 commands commits through node 1" load 6401

role_of() { # id
    quorate --endpoints 127.0.0.1:640$1 -o json status | grep -c '"role":"leader"'
}
leader=0
for id in 1 2 3; do
    [ "$(role_of $id)" = 1 ] && leader=$id
done
check "a leader is known" [ $leader != 0 ]
acknowledged=0
i=0
while [ $i -lt 20 ]; do
    quorate incr acknowledged >/dev/null 2>&1 && acknowledged=$((acknowledged + 1))
    i=$((i + 1))
done
kill -9 "$(cat /tmp/$leader.pid)"
say "node $leader, the leader, was killed"
survivors=
for id in 1 2 3; do
    [ $id = $leader ] || survivors="$survivors${survivors:+,}127.0.0.1:640$id"
done
export QUORATE_ENDPOINTS=$survivors
tries=0
until quorate incr acknowledged >/dev/null 2>&1 || [ $tries -ge 60 ]; do
    tries=$((tries + 1))
    sleep 0.5
done
acknowledged=$((acknowledged + 1))
total=$(quorate -o simple get acknowledged)
say "acknowledged $acknowledged increments, found $total"
check "the survivors elect another and nothing acknowledged is lost" [ "${total:-0}" -ge $acknowledged ]
[ $failed = 0 ] || for id in 1 2 3; do sed "s/^/node $id: /" /tmp/$id.log; done
leave done
