#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/confirm.sh RUN CELL VERDICT
#
# Do known issues that a restored guest has shown in the cell's folder CELL show in one
# that boots, too?  VERDICT is what the judge says of the first.  The second is in
# CELL/cold, and has only the rows that failed and those during which the kernel
# complained: what passed needs no confirmation.
#
# What was confirmed stays so: the snapshot's cache entry remembers which cells showed what,
# and CELL/confirmed says where and when that was, in place of CELL/cold.
#
# Exit status: 0 when both show the same; 1 when they do not, or no row is in doubt.
set -eu

run=$(realpath "$1") cell=$2 verdict=$3

doubtful() {
	sed -n 's/^row known \([^:]*\):.*/\1/p; s/^at //p' "$1" | sort -u
}

# What has to be the same.
shown() {
	grep -E '^(verdict|row known|row failed|splat|splat-known|title|at) ' "$1"
}

# The cell with the rows of a list, and nothing else of it changed.
cell_of() {
	mkdir "$cell/cold"
	awk 'NR == FNR { want[$1]; next } $1 != "row" || $2 in want' \
		"$1" "$cell/cell" >"$cell/cold/cell"
	cp -P "$cell/qemu-args" "$cell/cell.in" "$cell/cell.out" "$cell/cold/"
}

# The same snapshot, the same cell but for its seed, and the same shown.
remembered() {
	{ grep -v '^seed' "$cell/cell"; shown "$verdict"; } | b2sum | cut -c 1-24
}

# The entry is gone when another run has made room since; then nothing remembers it.
remember() {
	[ -d "$entry" ] && mkdir -p "$entry/confirmed" || return 0
	printf '%s in %s\n' "$(date -u +%FT%TZ)" "$(realpath "$cell/cold")" >"$entry/confirmed/$$.tmp"
	mv "$entry/confirmed/$$.tmp" "$entry/confirmed/$(remembered)"
}

rm -rf "$cell/cold" "$cell/confirmed"
entry=$cell/snapshot/entry
! cp "$entry/confirmed/$(remembered)" "$cell/confirmed" 2>/dev/null || exit 0
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
doubtful "$verdict" >"$rows"
[ -s "$rows" ] || exit 1
cell_of "$rows"
"$run/bin/guest" -s "${SCALE:-1}" -c "$cell/cold"
"$run/bin/judge" -K "$run/known" "$cell/cold" \
	>"$cell/cold/verdict" 2>"$cell/cold/judge.log" || :
[ "$(shown "$verdict")" = "$(shown "$cell/cold/verdict")" ] || exit 1
remember
