#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: selftest/bench.sh [CELLS [KERNEL]]
#        selftest/bench.sh build
#
# How long the parts of a cell take on a kernel (default stock): one row on
# ext4-dax and on xfs-dax in guests that boot, CELLS times each (default 5), one
# guest at a time; then restored ones, and first a cell that does next to nothing;
# what their snapshots take; then what each of some hundred rows takes, and the whole smoke
# suite, once.
#
# With `build`, what it costs to build src:6.12 and to boot it: with no objects and
# an empty ccache, again with a full one, after one file has changed; and the CPU
# time until init would start.  This takes half an hour, most of it compiling.
# CPU time says more than time where the machine has other work.
set -eu

cd "$(dirname "$0")/.."
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT

# cells COUNT KERNEL
cells() {
	# The name of the kernel in paths is in the first line.
	name=$(./run.sh cells -k "$2" | sed -n '1s,/.*,,p')
	accel=$(vm/accel.sh)
	mkdir "$run/bin"
	cp out/guest out/judge "$run/bin/"
	ln -s "$PWD/out/root/$name.cpio" "$PWD/out/root/$name.kernel" "$run/"
	out/cells -t break_layouts -r break_layouts.vmsplice_pte.truncate_inside -a "$accel" \
		-o "$run" "$name=out/kernels/$name"
	booted "$1"
	restored "$1"
	./run.sh -j 1 -k "$2" -t break_layouts -f ext4-dax >/dev/null 2>&1 || :
	echo "all rows of break_layouts on ext4-dax, $name, $accel, $(nproc) CPUs:"
	out/times results/latest/"$name"/ext4-dax/break_layouts/guest
	echo
	start=$(date +%s)
	./run.sh -k "$2" -s smoke >/dev/null 2>&1 || :	# its verdicts are not what is measured
	echo "the smoke suite: $(($(date +%s) - start)) s"
}

booted() {
	for fs in ext4-dax xfs-dax; do
		cells_of "one row on $fs, booted" "$fs/break_layouts" "$1" -c
	done
}

restored() {
	for cell in ext4/control_skip ext4-dax/break_layouts xfs-dax/break_layouts; do
		snapshot=$(realpath "$run/$name/$cell/snapshot")
		vm/snapshot.sh "$run" "${snapshot#"$run/snapshots/"}"
	done
	cells_of "a row that skips at once, restored" ext4/control_skip "$1"
	for fs in ext4-dax xfs-dax; do
		cells_of "one row on $fs, restored" "$fs/break_layouts" "$1"
	done
	find "${DAXPIN_CACHE:-/var/tmp/daxpin-$(id -u)}/snapshots" -mindepth 1 -maxdepth 1 \
		-newer "$run/bin/judge" -exec du -cm {} + |
		sed -n 's/\ttotal/ MB: these 3 snapshots/p'
	echo
}

# cells_of WHAT CELL COUNT OPTION...: run the cell's guest COUNT times.
cells_of() {
	what=$1 cell=$run/$name/$2 count=$3
	shift 3
	for i in $(seq "$count"); do
		"$run/bin/guest" "$@" "$cell"
		cp "$cell/guest" "$run/times-$i"
	done
	echo "$what, $name, $accel, $(nproc) CPUs:"
	out/times "$run"/times-*
	echo
}

# measure WHAT COMMAND...: the time that it takes, and that of its processes.
measure() {
	what=$1
	shift
	start=$(date +%s)
	("$@" >"$run/log" 2>&1 || { tail -n 20 "$run/log" >&2; exit 1; }; times) >"$run/times"
	echo "$what: $(($(date +%s) - start)) s, $(cpu_seconds) s of CPU"
}

# The second line is "0m1.50s 0m0.25s", of children in user mode and in the kernel.
cpu_seconds() {
	tail -n 1 "$run/times" | tr 'ms' '  ' | awk '{ printf "%.1f", $1 * 60 + $2 + $3 * 60 + $4 }'
}

# In a cache of its own, on the same disk, with the unpacked source of the real one.
build() {
	cache=${DAXPIN_CACHE:-/var/tmp/daxpin-$(id -u)}
	vm/kernel-build.sh --source 6.12 >"$run/source"
	export DAXPIN_CACHE="$cache/bench" CCACHE_DIR="$cache/bench/ccache"
	rm -rf "$DAXPIN_CACHE"
	mkdir -m 700 "$DAXPIN_CACHE"
	cp "$run/source" "$DAXPIN_CACHE/.newest-6.12-tree"
	echo "src:6.12, $(nproc) CPUs, load $(cut -d ' ' -f 1 /proc/loadavg):"
	measure "without anything" vm/kernel-build.sh src:6.12
	rm -rf "$DAXPIN_CACHE/kernels" "$DAXPIN_CACHE/build/src-6.12"
	measure "with a full ccache" vm/kernel-build.sh src:6.12
	rm -rf "$DAXPIN_CACHE/kernels"
	touch "$DAXPIN_CACHE/build/src-6.12.source/fs/dax.c"
	measure "after fs/dax.c has changed" vm/kernel-build.sh src:6.12
	size=$(stat -c %s "$(tail -n 1 "$run/log")/bzImage")
	echo "bzImage: $((size / 1024)) KiB"
	rm -rf "$DAXPIN_CACHE"
	unset DAXPIN_CACHE CCACHE_DIR
	boot
}

# A guest whose init is not there: the kernel panics instead, and QEMU ends.
boot() {
	./run.sh cells -k src:6.12 >/dev/null
	ln -s "$PWD/out/root/src-6.12.cpio" "$PWD/out/root/src-6.12.kernel" "$run/"
	out/cells -t break_layouts -f ext4-dax -a "$(vm/accel.sh)" -o "$run" \
		src-6.12=out/kernels/src-6.12
	cd "$run/src-6.12/ext4-dax/break_layouts"
	sed 's,^console=,rdinit=/none &,' qemu-args >qemu-args.none
	measure "boot to init, $(sed -n '/^-accel$/{n;p}' qemu-args)" \
		xargs -d '\n' -a qemu-args.none "${QEMU:-qemu-system-x86_64}"
}

case ${1:-5} in
-h | --help) sed -n '/^# usage:/,/^[^#]/ s/^# \{0,1\}//p' "$0" ;;
build) build ;;
*[!0-9]*) echo "bench.sh: $1: expected a number of cells, or build" >&2; exit 2 ;;
*) cells "${1:-5}" "${2:-stock}" ;;
esac
