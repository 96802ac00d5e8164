#!/usr/bin/env bash
# rehearse.sh: boots a QEMU guest with an IOMMU, two NUMA nodes and three PCI network cards (e1000e, virtio,
# vmxnet3) on one hub, binds them to vfio-pci, and runs three replicas in it, each on a card of its own. guest.sh is
# what happens inside. Functions only: the guest's processors are emulated, its times mean nothing.
#
# Exit: 0 all asserted, 1 something was not so, 77 skipped because a tool is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${QUORATE_BUILD:-$here/../../build}
install=${REHEARSE_INSTALL:-no} # yes: install what is missing

skip() {
    echo "rehearse: skipped: $*"
    exit 77
}

missing=()
command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
command -v cpio >/dev/null || missing+=(cpio)
[[ -x /bin/busybox || -x /usr/bin/busybox ]] || missing+=(busybox-static)
command -v redis-benchmark >/dev/null || missing+=(redis-tools)
if [[ ${#missing[@]} -gt 0 ]]; then
    [[ $install == yes && $(id -u) -eq 0 ]] ||
        skip "not installed: ${missing[*]} (./dev rehearse installs them as root)"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
for program in dataplane/node/quorated dataplane/operator/quorate; do
    [[ -x $build/$program ]] || { echo "rehearse: $build/$program is not built" >&2; exit 1; }
done

work=$(mktemp -d /tmp/quorate-rehearse-XXXXXX)
guest=
# shellcheck disable=SC2317 # called by the trap
finish() {
    [[ -z $guest ]] || kill "$guest" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
cache=${XDG_CACHE_HOME:-$HOME/.cache}/quorate-rehearse

# The kernel is unpacked, never installed; the exact package, as a glob would fetch every flavour.
kernel_package=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '/Depends:/ {print $2; exit}')
[[ -n $kernel_package ]] || skip "apt knows no linux-image-amd64 (apt-get update?)"
if [[ ! -d $cache/$kernel_package/boot ]]; then
    mkdir -p "$cache/$kernel_package.new"
    (cd "$work" && apt-get download -qq "$kernel_package" 2>/dev/null) || skip "$kernel_package can not be fetched"
    dpkg -x "$work/$kernel_package"_*.deb "$cache/$kernel_package.new"
    rm -f "$work"/*.deb
    mv "$cache/$kernel_package.new" "$cache/$kernel_package"
fi
kernel=$cache/$kernel_package
release=${kernel_package#linux-image-}

# ---- the guest's file system: busybox, the programs, their libraries, the drivers they need
root=$work/root
mkdir -p "$root"/{dev,etc,proc,sys,run,tmp,modules,root,huge} "$root"/usr/{bin,lib,lib64}
ln -s usr/bin usr/lib usr/lib64 "$root/" # as Debian has it: one library has two names
cp "$(command -v busybox)" "$root/bin/busybox"
copy_with_libraries() {
    local file=$1 library
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
    while read -r library; do
        [[ -e $root$library ]] && continue
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done < <(ldd "$file" | grep -o '/[^ ]*' || true)
}
copy_program() {
    copy_with_libraries "$1"
    [[ -e $root/bin/$(basename "$1") ]] || ln -s "$1" "$root/bin/"
}
copy_program "$(realpath "$build/dataplane/node/quorated")"
copy_program "$(realpath "$build/dataplane/operator/quorate")"
copy_program "$(realpath "$(command -v redis-benchmark)")"
copy_with_libraries "$(ldconfig -p | awk '/libgcc_s.so.1 .*x86-64/ {print $NF; exit}')" # for pthread_cancel
# Drivers are links to libraries that the program may have loaded already: a copy would be loaded a second time.
libraries=$(dirname "$(ldconfig -p | awk '/librte_eal.so.23 / {print $NF; exit}')")
mkdir -p "$root$libraries/dpdk/pmds-23.0"
for driver in bus_pci bus_vdev mempool_ring net_e1000 net_virtio net_vmxnet3 net_ring; do
    copy_with_libraries "$libraries/librte_$driver.so.23"
    ln -s "../../librte_$driver.so.23" "$root$libraries/dpdk/pmds-23.0/librte_$driver.so.23.0"
done
for module in virt/lib/irqbypass drivers/vfio/vfio drivers/vfio/vfio_virqfd drivers/vfio/vfio_iommu_type1 \
    drivers/vfio/pci/vfio-pci-core drivers/vfio/pci/vfio-pci; do
    cp "$kernel/lib/modules/$release/kernel/$module.ko" "$root/modules/"
done
install -m 755 "$here/guest.sh" "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1 >"$work/initramfs")

# ---- boot
timeout 170 qemu-system-x86_64 \
    -accel tcg,thread=multi -cpu max -M q35,kernel-irqchip=split -m 2G -smp 4,sockets=2,cores=2 \
    -object memory-backend-ram,id=m0,size=1G -object memory-backend-ram,id=m1,size=1G \
    -numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2-3,memdev=m1 \
    -device intel-iommu,intremap=on,caching-mode=on \
    -device pxb-pcie,id=px0,bus_nr=64,numa_node=0,bus=pcie.0 \
    -device pxb-pcie,id=px1,bus_nr=128,numa_node=1,bus=pcie.0 \
    -device pcie-root-port,id=rp0,bus=px0,chassis=1,slot=1 \
    -device pcie-root-port,id=rp1,bus=px1,chassis=2,slot=1 \
    -device pcie-root-port,id=rp2,bus=px1,chassis=3,slot=2 \
    -netdev hubport,id=h0,hubid=0 -netdev hubport,id=h1,hubid=0 -netdev hubport,id=h2,hubid=0 \
    -device virtio-net-pci,disable-legacy=on,iommu_platform=on,netdev=h0,bus=rp0,romfile=,mac=52:54:00:00:00:01 \
    -device e1000e,netdev=h1,bus=rp1,romfile=,mac=52:54:00:00:00:02 \
    -device vmxnet3,netdev=h2,bus=rp2,romfile=,mac=52:54:00:00:00:03 \
    -kernel "$kernel/boot/vmlinuz-$release" -initrd "$work/initramfs" \
    -append "console=ttyS0 intel_iommu=on no_timer_check quiet panic=-1" \
    -nographic -no-reboot -monitor none -serial "file:$work/serial" >"$work/qemu.log" 2>&1 &
guest=$!
wait "$guest" || true
guest=
tr -d '\r' <"$work/serial" | grep -a '^rehearse:' || true
if tr -d '\r' <"$work/serial" | grep -aq '^rehearse: all asserted$' &&
    ! tr -d '\r' <"$work/serial" | grep -aq '^rehearse: FAILED'; then
    exit 0
fi
echo "rehearse: the guest did not come to its end; the last of its console:" >&2
tail -n 60 "$work/serial" >&2
tail -n 5 "$work/qemu.log" >&2
exit 1
