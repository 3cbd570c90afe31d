#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/trace.sh RUN
#
# Write what the judge shows of the console of each cell in which the kernel complained,
# with file and line of each address, to `trace` in the cell's folder.  That takes the
# kernel's vmlinux with debugging information, in its folder (the config bit debug-info)
# or in the tree that it was built in; of other kernels nothing is written.  The kernel's
# scripts/decode_stacktrace.sh does it.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

# The vmlinux of a kernel, if it can tell lines.
vmlinux() {	# KERNEL
	for file in "out/kernels/$1/vmlinux" "out/kernels/$1/build/vmlinux"; do
		[ ! -f "$file" ] || ! readelf -S "$file" 2>/dev/null | grep -q ' [.]debug_line' ||
			{ echo "$file"; return; }
	done
}

decode() {	# CELL VMLINUX
	to=$run/$1/trace
	if out/linux/scripts/decode_stacktrace.sh "$2" auto <"$run/$1/judge.log" >"$to.tmp" 2>/dev/null
	then
		mv "$to.tmp" "$to"
	else
		rm -f "$to.tmp"
	fi
}

case ${1:-} in
-h | --help) usage ;;
esac
[ $# -eq 1 ] || die "$# arguments, expected RUN (-h: help)"
run=$1
[ -f "$run/cells" ] || die "$run: no such run, expected a folder of results"
while read -r cell; do
	grep -q '^splat' "$run/$cell/verdict" 2>/dev/null || continue
	file=$(vmlinux "${cell%%/*}")
	[ -z "$file" ] || decode "$cell" "$file"
done <"$run/cells"
