#!/bin/busybox sh
# shellcheck shell=dash disable=SC2086,SC2046 # ids and addresses have no blanks
# What runs in the rehearsal's guest, as its first process. Prints one line "rehearse: ..." per thing asserted to the
# second serial port; the first one is the kernel's.
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
dmesg -n 1
stty -F /dev/ttyS1 -onlcr
exec >/dev/ttyS1 2>/dev/console

say() {
    echo "rehearse: $*"
}
failed=0
fail() {
    say "FAILED: $*"
    failed=1
}
check() { # text, then a command that must succeed
    what=$1
    shift
    if "$@"; then
        say "ok: $what"
    else
        fail "$what"
    fi
}
leave() {
    say "the guest ran for $(cut -d. -f1 /proc/uptime) seconds of its own"
    if [ $failed = 0 ]; then
        say "all asserted"
    else
        for id in 1 2 3; do sed "s/^/node $id: /" /tmp/$id.log; done
    fi
    sync
    poweroff -f
}
await() { # TRIES TEXT COMMAND...: half a second between tries
    tries=$1
    text=$2
    shift 2
    until "$@"; do
        tries=$((tries - 1))
        if [ $tries = 0 ]; then
            fail "$text"
            leave
        fi
        sleep 0.5
    done
    say "ok: $text"
}

# ---- the machine: huge pages on both nodes, three cards for vfio-pci

for node in 0 1; do
    echo 160 >/sys/devices/system/node/node$node/hugepages/hugepages-2048kB/nr_hugepages
done
for module in irqbypass vfio vfio_virqfd vfio_iommu_type1 vfio-pci-core vfio-pci; do
    insmod /modules/$module.ko || fail "module $module"
done

address_of() { # VENDOR DEVICE
    for dev in /sys/bus/pci/devices/*; do
        [ "$(cat "$dev/vendor")" = "$1" ] && [ "$(cat "$dev/device")" = "$2" ] && basename "$dev"
    done
}
virtio=$(address_of 0x1af4 0x1041)
e1000e=$(address_of 0x8086 0x10d3)
vmxnet3=$(address_of 0x15ad 0x07b0)
card_of() { # id
    case $1 in 1) echo $virtio ;; 2) echo $e1000e ;; 3) echo $vmxnet3 ;; esac
}
bound() { # id: and behind the IOMMU
    pci=/sys/bus/pci/devices/$(card_of $1)
    [ "$(basename "$(readlink $pci/driver)")" = vfio-pci ] && [ -e $pci/iommu_group ]
}
for id in 1 2 3; do
    echo vfio-pci >/sys/bus/pci/devices/$(card_of $id)/driver_override
    card_of $id >/sys/bus/pci/drivers_probe
    check "card $(card_of $id) is bound to vfio-pci, in an IOMMU group" bound $id
done

# ---- three replicas, each with two lanes: what steers frames to lanes is put to the test as well

start() { # id
    cat >/tmp/$1.ini <<INI
[node]
id = $1
lanes = 2
groups = 2
[cluster]
members = 1@10.9.0.1:7700,2@10.9.0.2:7700,3@10.9.0.3:7700
[port]
name = $(card_of $1)
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
idle = sleep
INI
    quorated --config /tmp/$1.ini -- -a $(card_of $1) --log-level=debug --log-level=lib.eal:debug >/tmp/$1.log 2>&1 &
    echo $! >/tmp/$1.pid
}
answers_or_ended() { # id
    redis-cli -p 640$1 ping >/dev/null 2>&1 || ! kill -0 "$(cat /tmp/$1.pid)" 2>/dev/null
}
for id in 1 2 3; do
    start $id
done
for id in 1 2 3; do
    await 120 "node $id has started" answers_or_ended $id
    check "node $id lives" kill -0 "$(cat /tmp/$id.pid)"
    say "node $id: $(grep 'quorated: port' /tmp/$id.log | cut -d' ' -f3-)"
done
[ $failed = 0 ] || leave

in_log() { # id pattern
    grep -q "$2" /tmp/$1.log
}
for id in 1 2 3; do
    check "node $id reaches its card through the IOMMU" in_log $id 'EAL: Using IOMMU type 1 (Type 1)'
done
check "node 1 is on net_virtio" in_log 1 '(net_virtio)'
check "node 2 is on net_e1000_em" in_log 2 '(net_e1000_em)'
check "node 3 is on net_vmxnet3" in_log 3 '(net_vmxnet3)'

# ---- what a card can not do is done in software

check "node 1: virtio has no checksums: all four in software" in_log 1 \
    'checksums: rx ip software udp software, tx ip software udp software'
check "node 2: e1000e has all" in_log 2 'checksums: rx ip hardware udp hardware, tx ip hardware udp hardware'
check "node 3: vmxnet3 has UDP's alone: IP's in software" in_log 3 \
    'checksums: rx ip software udp hardware, tx ip software udp hardware'
for id in 1 2 3; do
    check "node $id: neither flow rules nor RSS: frames are handed over in software" in_log $id \
        'steering software hand-over'
done

# ---- threads and memory, as DPDK and the kernel see them

worker_on_node() { # id: the polling thread's only processor belongs to the card's node
    pci=$(card_of $1)
    node=$(cat /sys/bus/pci/devices/$pci/numa_node)
    for task in /proc/"$(cat /tmp/$1.pid)"/task/*; do
        case $(cat "$task/comm") in rte-worker*)
            cpu=$(awk '/Cpus_allowed_list/ {print $2}' "$task/status")
            say "node $1: card $pci on NUMA node $node, polling thread on processor $cpu"
            [ -d /sys/devices/system/node/node$node/cpu$cpu ]
            return
            ;;
        esac
    done
    return 1
}
# The lanes' memory is bound to that node, and its pages lie there: nowhere else, and not few.
memory_on_node() { # id
    node=$(cat /sys/bus/pci/devices/$(card_of $1)/numa_node)
    maps=/proc/$(cat /tmp/$1.pid)/numa_maps
    awk -v node=$node -v other=$((1 - node)) '
        $0 ~ ("(bind|prefer|[(]many[)]):" node " ") {
            for (i = 3; i <= NF; i++) {
                if (index($i, "N" node "=") == 1) here += substr($i, 4)
                if (index($i, "N" other "=") == 1) there += substr($i, 4)
            }
        }
        END { exit !(here > 1000 && there == 0) }' $maps && return 0
    grep -E 'bind|prefer' $maps | head -5
    return 1
}
frames_mib() { # id: what the frames of lane 0 need at least, at 2 KiB each
    awk '/quorated: port/ { sub(/.*frames /, ""); printf "%d", $1 / 512; exit }' /tmp/$1.log
}
socket_in_dpdk() { # id
    node=$(cat /sys/bus/pci/devices/$(card_of $1)/numa_node)
    in_log $1 "EAL: PCI device $(card_of $1) on NUMA socket $node" &&
        in_log $1 "quorated: port .*, node $node, " && in_log $1 "lane r0/l1: .* memory node $node, frames node $node"
}
heap_in_dpdk() { # id
    node=$(cat /sys/bus/pci/devices/$(card_of $1)/numa_node)
    heap=$(sed -n -e "s/.*EAL: Added \([0-9]*\)M to heap on socket $node.*/\1/p" \
        -e "s/.*EAL: Heap on socket $node was expanded by \([0-9]*\)MB.*/\1/p" /tmp/$1.log |
        awk '{sum += $1} END {print sum + 0}')
    say "node $1: DPDK's heap on socket $node: $heap MiB; frames of lane 0 need $(frames_mib $1)"
    [ "$heap" -ge "$(frames_mib $1)" ]
}
frames_on_node() { # id: huge pages, by the kernel's word
    node=$(cat /sys/bus/pci/devices/$(card_of $1)/numa_node)
    awk -v node=$node -v mib="$(frames_mib $1)" '
        / huge / { for (i = 3; i <= NF; i++) if (index($i, "N" node "=") == 1) pages += substr($i, 4) }
        END { exit !(mib > 0 && pages * 2 >= mib) }' /proc/"$(cat /tmp/$1.pid)"/numa_maps
}
for id in 1 2 3; do
    check "node $id polls on its card's NUMA node" worker_on_node $id
    check "node $id: DPDK has the card on that socket" socket_in_dpdk $id
    check "node $id: DPDK has the frames on that socket" heap_in_dpdk $id
    check "node $id keeps frames on that NUMA node" frames_on_node $id
    check "node $id keeps lane memory on that NUMA node" memory_on_node $id
done

# ---- a cluster

export QUORATE_ENDPOINTS=127.0.0.1:6401,127.0.0.1:6402,127.0.0.1:6403
bootstraps() {
    quorate bootstrap >&2
}
check "bootstrap" bootstraps
takes_writes() { # in each group
    [ "$(for i in 0 1 2 3 4 5 6 7; do echo "set k$i $i"; done | redis-cli -p 6401 | grep -c OK)" = 8 ]
}
await 60 "three replicas on three drivers elect leaders and commit" takes_writes
check "what was committed is read through another node" [ "$(redis-cli -p 6403 get k7)" = 7 ]

load() { # id
    redis-benchmark -p 640$1 -t set,incr -n 1024 -P 16 -c 4 -q 2>&1 | tr '\r' '\n' | grep 'per second' >/tmp/load
    counted=$((counted + 1024))
    [ "$(wc -l </tmp/load)" = 2 ] && [ "$(redis-cli -p 640$1 get counter:__rand_int__)" = $counted ]
}
counted=0
for id in 1 2 3; do
    check "a load of 2,048 commands commits through node $id, each once" load $id
done

leads() { # id group
    quorate --endpoints 127.0.0.1:640$1 -o json status | grep -q "\"group\":$2,\"role\":\"leader\""
}
counter_of() { # id name
    quorate --endpoints 127.0.0.1:640$1 -o json status | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p"
}
for id in 1 2 3; do
    for name in IP_CHECKSUM UDP_CHECKSUM FRAME_SHORT; do
        check "node $id found no frame wrong: $name" [ -z "$(counter_of $id port.$name)" ]
    done
    check "node $id handed frames over to the other lane" [ "$(counter_of $id port.RX_HANDED_OVER)" -gt 0 ]
done

# ---- the leader is lost, while a client counts

leader=0
for id in 1 2 3; do
    leads $id 0 && leader=$id
done
check "a leader is known" [ $leader != 0 ]
survivors=
for id in 1 2 3; do
    [ $id = $leader ] || survivors="$survivors $id"
done
set -- $survivors
readonly COUNTED=1200 # increments, in turn of eight keys, which both groups share
seq 0 $((COUNTED - 1)) | awk '{ print "INCR n" $1 % 8 }' | redis-cli -p 640$1 >/tmp/replies &
client=$!
is_counting() {
    [ "$(redis-cli -p 640$1 get n0)" -ge 20 ]
}
await 60 "a client counts" is_counting $1
kill -9 "$(cat /tmp/$leader.pid)"
say "node $leader, the leader, was killed"
has_ended() {
    ! kill -0 $client 2>/dev/null
}
await 120 "the client has come to its end" has_ended
judge() { # id: replies are numbers, refusals that were never executed, or unknown
    for i in 0 1 2 3 4 5 6 7; do echo "GET n$i"; done | redis-cli -p 640$1 >/tmp/found
    awk -v count=$COUNTED '
        FNR == NR { found[FNR - 1] = $1; next }
        {
            key = (FNR - 1) % 8
            if ($1 ~ /^[0-9]+$/) {
                if ($1 <= last[key]) bad = 1
                last[key] = $1
                acknowledged[key]++
                sum++
            } else if ($1 == "UNCERTAIN") unknown[key]++
            else if ($1 != "TRYAGAIN" && $1 != "CLUSTERDOWN") bad = 1
        }
        END {
            for (key = 0; key < 8; key++)
                if (found[key] < acknowledged[key] || found[key] > acknowledged[key] + unknown[key]) bad = 1
            print "rehearse: of " FNR " increments " sum " were acknowledged"
            exit !(bad == 0 && FNR == count && sum > count / 2)
        }' /tmp/found /tmp/replies
}
for id in $survivors; do
    check "node $id: the survivors elected another, each acknowledged increment is there once" judge $id
done
leave
