#!/usr/bin/env bash
# rehearse.sh: boots a QEMU guest with an IOMMU, two NUMA nodes and three PCI network cards (e1000e, virtio,
# vmxnet3) on one hub, binds them to vfio-pci, and runs three replicas in it, each on a card of its own. guest.sh is
# what happens inside. Functions only: the guest's processors are emulated, its times mean nothing.
#
# Exit: 0 all asserted, 1 something was not so, 77 skipped because a tool is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${QUORATE_BUILD:-$here/../../build}
started=$SECONDS

skip() {
    echo "rehearse: skipped: $*"
    exit 77
}

for tool in qemu-system-x86_64 cpio busybox redis-benchmark redis-cli; do
    command -v "$tool" >/dev/null || skip "there is no $tool; ./dev rehearse installs it"
done
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
cache=${XDG_CACHE_HOME:-${HOME:-$build}/.cache}/quorate-rehearse

# ---- the kernel: unpacked, never installed, and only what the guest needs
readonly MODULES=(virt/lib/irqbypass drivers/vfio/vfio drivers/vfio/vfio_virqfd drivers/vfio/vfio_iommu_type1
    drivers/vfio/pci/vfio-pci-core drivers/vfio/pci/vfio-pci)

# Its package's exact name, as a glob would fetch every flavour.
kernel_known() {
    apt-cache depends linux-image-amd64 2>/dev/null | awk '/Depends: linux-image-[0-9]/ {print $2; exit}'
}

fetch_kernel() { # PACKAGE
    local release=${1#linux-image-} files=() module
    for module in "${MODULES[@]}"; do
        files+=("./lib/modules/$release/kernel/$module.ko")
    done
    (cd "$work" && apt-get download -qq "$1" 2>"$work/apt.log") || return 1
    mkdir -p "$cache" "$work/kernel"
    dpkg-deb --fsys-tarfile "$work/$1"_*.deb | tar -x -C "$work/kernel" "./boot/vmlinuz-$release" "${files[@]}"
    rm -rf "${cache:?}/$1.$$"
    mv "$work/kernel" "$cache/$1.$$"
    mv -T "$cache/$1.$$" "$cache/$1"
}

package=$(kernel_known)
if [[ -z $package || ! -d $cache/$package ]]; then
    # No lists, or lists that name what the mirror has no more: root can get new ones.
    if [[ -z $package ]] || ! fetch_kernel "$package"; then
        [[ $(id -u) -ne 0 ]] || apt-get -qq update >&2 || true
        package=$(kernel_known)
        [[ -n $package ]] || skip "apt knows no linux-image-amd64; as root: apt-get update"
        [[ -d $cache/$package ]] || fetch_kernel "$package" ||
            skip "$package can not be fetched: $(tail -n 1 "$work/apt.log")"
    fi
fi
kernel=$cache/$package
release=${package#linux-image-}

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
copy_program "$(realpath "$(command -v redis-cli)")"
copy_program "$(command -v redis-benchmark)"
copy_with_libraries "$(ldconfig -p | awk '/libgcc_s.so.1 .*x86-64/ {print $NF; exit}')" # for pthread_cancel
# Drivers are links to libraries that the program may have loaded already: a copy would be loaded a second time.
libraries=$(dirname "$(ldconfig -p | awk '/librte_eal.so.23 / {print $NF; exit}')")
mkdir -p "$root$libraries/dpdk/pmds-23.0"
for driver in bus_pci bus_vdev mempool_ring net_e1000 net_virtio net_vmxnet3 net_ring; do
    copy_with_libraries "$libraries/librte_$driver.so.23"
    ln -s "../../librte_$driver.so.23" "$root$libraries/dpdk/pmds-23.0/librte_$driver.so.23.0"
done
for module in "${MODULES[@]}"; do
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
    -nographic -no-reboot -monitor none -serial "file:$work/console" -serial "file:$work/report" \
    >"$work/qemu.log" 2>&1 &
guest=$!
touch "$work/report"
tail -f -n +1 --pid="$guest" "$work/report" &
shown=$!
wait "$guest" || true
guest=
wait "$shown"
if grep -aqx 'rehearse: all asserted' "$work/report" && ! grep -aq '^rehearse: FAILED' "$work/report"; then
    echo "rehearse: $((SECONDS - started)) seconds"
    exit 0
fi
echo "rehearse: not all was asserted, or the guest did not come to its end; its console and QEMU say:" >&2
tail -n 40 "$work/console" >&2
tail -n 5 "$work/qemu.log" >&2
exit 1
