#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# golden.sh [JUDGE]: does the judge still judge as it should?
#
# Each folder of golden/ is the evidence of one cell and is named after its
# verdict.  The exit status and the first line the judge prints must both say
# so, and the reason that it gives is the one in golden/reasons: what one detector
# overlooks another may find.  What a kernel may say is in golden-splats, with the
# signature of each.  TAP on standard output; exit status 1 when anything differs.

set -eu

here=$(dirname "$0")
judge=${1:-$here/../out/judge}
# shellcheck source=SCRIPTDIR/tap.sh
. "$here/tap.sh"

# The exit status and the first line of what the judge says of folder $1.
verdict_of() {
	status=0
	"$judge" -K "$here/golden-known" "$1" > "$tmp/out" 2> "$tmp/err" || status=$?
	echo "$status $(head -n 1 "$tmp/out")"
}

reason_of() {	# the reason for the last verdict
	sed -n 's/^reason //p' "$tmp/out"
}

expected() {
	case $1 in
	pass|pass-*) echo "0 verdict pass" ;;
	fail|fail-*) echo "1 verdict fail" ;;
	skip|skip-*) echo "4 verdict skip" ;;
	lost|lost-*) echo "5 verdict lost" ;;
	known|known-*) echo "6 verdict known" ;;
	fixed|fixed-*) echo "7 verdict fixed" ;;
	*) echo "a folder that is named after a verdict" ;;
	esac
}

# A cell that does not say what was planned is our own mistake, not a verdict.
malformed() {	# NAME SED-SCRIPT
	rm -rf "$tmp/cell"
	cp -r "$here/golden/pass" "$tmp/cell"
	sed "$2" "$here/golden/pass/cell" > "$tmp/cell/cell"
	result "malformed cell: $1" "2 " "$(verdict_of "$tmp/cell")"
}

# The signatures of a message in the console of a cell that passes.
signatures() {
	awk -v message="$1 // RIP: 0010:dax_unlock_entry+0xb1/0xc0" '{ print } /daxpin: phase test/ {
		n = split(message, line, " // ")
		for (i = 1; i <= n; i++)
			for (lines = line[i] == "..." ? 40 : 1; lines; lines--)
				print "[    1.10000" i "] " line[i]
	}' "$here/golden/pass/console.log" >"$tmp/cell/console.log"
	"$judge" -K "$here/golden-known" "$tmp/cell" 2>"$tmp/err" | sed -n 's/^splat //p'
}

for dir in "$here"/golden/*/; do
	name=$(basename "$dir")
	result "$name" "$(expected "$name")" "$(verdict_of "$dir")"
	result "$name: reason" "$(sed -n "s/^$name	//p" "$here/golden/reasons")" "$(reason_of)"
done

malformed "no comment" '1d'
malformed "no log" '/^log/d'
malformed "no row" '/^row/d'
malformed "unknown key" 's/^timeout/timeuot/'
malformed "bad number" 's/^timeout.*/timeout 0/'
malformed "bad expression" 's/^log.*/log allow (/'
malformed "row twice" "\$p"
malformed "no value" 's/^run .*/run/'
malformed "cut" "\$s/row.*/ro/"

tab='	'
rm -rf "$tmp/cell"
cp -r "$here/golden/pass" "$tmp/cell"
grep "$tab" "$here/golden-splats" | grep -v '^#' >"$tmp/splats"
while IFS=$tab read -r signature message; do
	result "signature: $message" "${signature#-}" "$(signatures "$message")"
done <"$tmp/splats"

plan
