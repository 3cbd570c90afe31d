#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: selftest/matrix.sh
#
# Test vm/matrix.c: that it counts what configs/matrix says, and that an empty square
# without a reason, a row that nothing knows and a line of no use are errors.
# Prints TAP.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*}
# shellcheck source=SCRIPTDIR/tap.sh
. "$here/tap.sh"

# A file of two holders and two collisions, and what is given as lines on top.
data() {	# LINE...
	printf '%s\n' '# What meets what.' 'holder	dio direct I/O' 'holder	none nothing' \
		'collision	cut truncate' 'collision	punch a hole' \
		'rows	pins\.([a-z]+)_(pte|pmd)\.([a-z]+) \1 \3' 'other	ctl\..* controls' \
		"$@" >"$tmp/matrix"
}

rows() {	# FS ROW...
	fs=$1
	shift
	for row; do echo "$fs $row"; done
}

# The exit status, and a line of what was printed, blanks squeezed.
matrix() {	# TEXT
	status=0
	"$top/out/matrix" "$tmp/matrix" <"$tmp/rows" >"$tmp/out" 2>&1 || status=$?
	echo "$status $(grep -F -m 1 -e "$1" "$tmp/out" | tr -s ' ')"
}

data 'none	none punch ext4|xfs there is no pin'
rows ext4 pins.dio_pte.cut pins.dio_pmd.cut pins.dio_pte.punch pins.none_pte.cut ctl.x.y \
	>"$tmp/rows"
result "rows are counted" "0 cut 2 1" "$(matrix cut)"
result "a reason has a letter" "0 punch 1 a" "$(matrix punch)"
result "and its text" "0  a there is no pin" "$(matrix '  a  ')"
result "all rows of a file system" "0 4 rows" "$(matrix ' rows')"
data 'none	none punch xfs there is no pin'
rows xfs pins.dio_pte.cut pins.dio_pte.punch pins.none_pte.cut >>"$tmp/rows"
result "an empty square is an error" "1 matrix: ext4: no row and no reason: punch against none" \
	"$(matrix 'no reason')"
data 'none	none punch .* there is no pin'
rows ext4 other.row >>"$tmp/rows"
result "a row that no line knows is one" "2 $tmp/matrix:0: no line knows the row 'other.row'" \
	"$(matrix 'no line')"
sed -i '$d' "$tmp/rows"
rows ext4 pins.aio_pte.cut >>"$tmp/rows"
result "so is another holder" "2 $tmp/matrix:6: unknown holder 'aio'" "$(matrix unknown)"
sed -i '$d' "$tmp/rows"
data 'none	none punch .* there is no pin' 'none	dio punch .* it is late'
result "so is a reason that nothing needs" \
	"2 $tmp/matrix:9: of no row, or no empty square: 'dio punch .* it is late'" \
	"$(matrix 'of no row')"
data 'none	none punch .* there is no pin' 'holder	polled with no interrupts' \
	'none	polled .* .* it cannot be polled'
result "and a holder that no row has" "2 $tmp/matrix:0: no row has the holder 'polled'" \
	"$(matrix 'no row has')"
data 'none	none punch .* there is no pin' 'absent	polled it cannot be'
result "what is not there can say why" "0  - polled it cannot be" "$(matrix polled)"
plan
