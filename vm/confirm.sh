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
# Exit status: 0 when both show the same; 1 when they do not, or when this would be no
# less than the whole cell.
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

rm -rf "$cell/cold"
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
doubtful "$verdict" >"$rows"
n=$(wc -l <"$rows")
[ "$n" -gt 0 ] && [ "$n" -lt "$(sed -n 's/^rows //p' "$verdict")" ] || exit 1
cell_of "$rows"
"$run/bin/guest" -s "${SCALE:-1}" -c "$cell/cold"
"$run/bin/judge" -K "$run/known" "$cell/cold" \
	>"$cell/cold/verdict" 2>"$cell/cold/judge.log" || :
[ "$(shown "$verdict")" = "$(shown "$cell/cold/verdict")" ]
