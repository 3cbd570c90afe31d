#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/doctor.sh
#
# What this machine can do for daxpin, and how long cells took here.  Exit
# status 2 when something is missing.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"
top=$(dirname "$0")/..

line() {
	printf '%-12s %s\n' "$1" "$2"
}

memory() {
	most=$(sed -n 's/^memory[[:blank:]]*\([0-9]*\)M$/\1/p' "$top"/configs/machine/* | sort -n | tail -n 1)
	awk -v most="$most" '/MemAvailable/ {
		printf "%d MiB available, a guest takes up to %d\n", $2 / 1024, most }' /proc/meminfo
}

entries() {
	du -sh "$CACHE"/kernels/* "$CACHE"/linux-source-* 2>/dev/null |
		sed "s|$CACHE/||" | while read -r size name; do
		line "" "$size $name"
	done
}

status=0 packages="all there"
missing=$("$top/vm/packages.sh" -n check 2>&1) || status=2 packages="missing: $missing"

line CPUs "$(nproc)"
line memory "$(memory)"
line disk "$(room_mb) MB left for the cache"
line packages "$packages"
line kvm "$([ -e /dev/kvm ] && echo "/dev/kvm is there" || echo "no /dev/kvm")"
line accelerator "$("$top/vm/accel.sh" 2>/dev/null || echo unknown: the probe failed)"
line cache "$CACHE"
entries
set -- "$top"/results/latest/*/*/*/guest
if [ -e "$1" ] && [ -x "$top/out/times" ]; then
	echo "the last run's cells:"
	"$top/out/times" "$@"
else
	echo "no run yet: how long cells take here is not known"
fi
exit "$status"
