#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# report.sh [REPORT]: does the report say of a run what it is worth?
#
# Makes up small runs, one cell a word, and checks exit status and text.  TAP
# on standard output; exit status 1 when anything differs.

set -eu

here=$(dirname "$0")
report=${1:-$here/../out/report}
# shellcheck source=SCRIPTDIR/tap.sh
. "$here/tap.sh"

# A cell below run $1 with verdict $3; $4 is "control yes", or empty.
cell() {	# RUN CELL VERDICT CONTROL
	mkdir -p "$1/$2"
	echo "$2" >> "$1/cells"
	[ "$3" != none ] || return 0
	cat > "$1/$2/verdict" <<-END
	verdict $3
	reason the reason of $2
	rows 2
	ok 1
	failed 1
	skipped 0
	known 0
	${4:-# no control}
	row ok pin.one
	row failed pin.two: expected 0, got 5
	END
	echo "total_ms 1500" > "$1/$2/guest"
}

# A run with one cell a word: pass, fail, ... and +fail for a control that did.
run() {		# WORD...
	rm -rf "$tmp/run"
	mkdir "$tmp/run"
	: > "$tmp/run/cells"
	n=0
	for word in "$@"; do
		n=$((n + 1))
		case $word in
		+*) cell "$tmp/run" "k/ext4/control_$n" "${word#+}" "control yes" ;;
		*) cell "$tmp/run" "k/ext4/scenario_$n" "$word" "" ;;
		esac
	done
}

exits() {	# STATUS WORD...
	want=$1
	shift
	run "$@"
	status "exit $want: $*" "$want" "$tmp/run"
}

status() {	# NAME WANTED ARG...
	name=$1 want=$2 got=0
	shift 2
	"$report" "$@" > "$tmp/out" 2> "$tmp/err" || got=$?
	result "$name" "$want" "$got"
}

says() {	# NAME LINE
	found=no
	grep -Fxq -- "$2" "$tmp/out" && found=yes
	result "$1" yes "$found"
}

exits 0 +pass pass
exits 0 pass known skip
exits 0 known
exits 1 +pass pass fail
exits 1 fixed
exits 1 pass fail lost
exits 1 fixed none
exits 3 +fail pass
exits 3 +fail pass fail
exits 3 +pass +fail fail lost
exits 3 pass lost
exits 3 pass none
exits 0 +pass
exits 3
exits 3 skip
exits 3 skip lost
exits 3 nonsense pass
exits 3

run +pass +fail pass fail known none
status "text" 3 "$tmp/run"
says "controls come first" "controls: 1 of 2 tripped"
says "a failed cell and its reason" "fail k/ext4/scenario_4: the reason of k/ext4/scenario_4"
says "a failed row and its message" "  pin.two: expected 0, got 5"
says "a cell without a verdict" "lost k/ext4/scenario_6: no verdict"
says "the summary" \
	"1 pass, 1 fail, 0 skip, 1 known, 0 fixed, 1 lost (6 rows), 7.5 s in guests"

run +pass +pass
status "controls alone" 0 "$tmp/run"
result "controls alone are one line" "controls: 2 of 2 tripped" "$(cat "$tmp/out")"

run pass
sed "s/^release.*/release 6.1.0-56-amd64/" "$here/golden/pass/cell" > "$tmp/run/k/ext4/scenario_1/cell"
status "a kernel" 0 "$tmp/run"
says "a kernel and its release" "k: 6.1.0-56-amd64"
echo "version 6.1.192" >> "$tmp/run/k/ext4/scenario_1/cell"
status "a kernel with a version" 0 "$tmp/run"
says "a kernel, its version and its release" "k: 6.1.192 (6.1.0-56-amd64)"

run pass known
cell "$tmp/run" "k/xfs/scenario_1" fixed ""
status "two file systems" 1 "$tmp/run"
says "the head of the table" "              ext4   xfs  "
says "a row of the table" "  scenario_1  pass   fixed"
says "a cell that was not planned" "  scenario_2  known  -    "

run pass fail skip known fixed none
status "ktap" 1 -f ktap "$tmp/run"
says "ktap version" "KTAP version 1"
says "ktap plan" "1..6"
says "ktap pass" "ok 1 k/ext4/scenario_1"
says "ktap fail" "not ok 2 k/ext4/scenario_2"
says "ktap skip" "ok 3 k/ext4/scenario_3 # SKIP the reason of k/ext4/scenario_3"
says "ktap known" "ok 4 k/ext4/scenario_4 # known the reason of k/ext4/scenario_4"
says "ktap fixed" "not ok 5 k/ext4/scenario_5 # fixed the reason of k/ext4/scenario_5"
says "ktap lost" "not ok 6 k/ext4/scenario_6 # lost no verdict"

# A verdict that was cut off is no verdict, wherever the cut is.
run pass
cp "$tmp/run/k/ext4/scenario_1/verdict" "$tmp/whole"
size=$(($(wc -c < "$tmp/whole") - 1))
cuts=0
while [ "$size" -ge 0 ]; do
	head -c "$size" "$tmp/whole" > "$tmp/run/k/ext4/scenario_1/verdict"
	got=0
	"$report" "$tmp/run" > "$tmp/out" 2>&1 || got=$?
	[ "$got" -eq 3 ] || cuts=$((cuts + 1))
	size=$((size - 1))
done
result "no cut verdict counts" 0 "$cuts"

# A control that never got a verdict is known by its cell.
run pass fail
cell "$tmp/run" "k/ext4/control_3" none ""
cp "$here/golden/pass-control-tripped/cell" "$tmp/run/k/ext4/control_3/cell"
status "a lost control" 3 "$tmp/run"
says "a lost control did not trip" "controls: 0 of 1 tripped"

status "no run" 2 "$tmp/nothing"
status "no argument" 2
status "unknown format" 2 -f junit "$tmp/run"
run pass
echo "k/ext4" >> "$tmp/run/cells"
status "bad cell" 2 "$tmp/run"
run pass
echo "k/ext4/scenario_1" >> "$tmp/run/cells"
status "cell twice" 2 "$tmp/run"

plan
