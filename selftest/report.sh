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
	reason the reason of ${2#*/}
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

# A run with the cells that are named; those of control_... are controls.
cells() {	# CELL=VERDICT...
	run
	for word in "$@"; do
		case $word in
		*/control_*) cell "$tmp/run" "${word%=*}" "${word#*=}" "control yes" ;;
		*) cell "$tmp/run" "${word%=*}" "${word#*=}" "" ;;
		esac
	done
}

# What the guest of a cell was told of its kernel.
kernel() {	# CELL RELEASE VERSION
	sed "s/^release.*/release $2/" "$here/golden/pass/cell" > "$tmp/run/$1/cell"
	echo "version $3" >> "$tmp/run/$1/cell"
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

# The text that follows, with RUN for the folder of the run.
prints() {	# NAME
	same=yes
	sed "s,RUN,$tmp/run," > "$tmp/text"
	diff "$tmp/text" "$tmp/out" > "$tmp/diff" || same=no
	sed 's/^/# /' "$tmp/diff"
	result "$1" yes "$same"
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

run pass pass skip +pass
more() {	# CELL ROW...: one that is ok, or was skipped
	for row in "$2" "$3"; do
		echo "row $row" >>"$tmp/run/k/ext4/$1/verdict"
	done
	skipped=$(grep -c '^row skip' "$tmp/run/k/ext4/$1/verdict")
	sed -i "s/^rows 2/rows 4/; s/^skipped 0/skipped $skipped/" "$tmp/run/k/ext4/$1/verdict"
}
more scenario_1 "skip pin.three: no such device" "skip pin.four: no such device"
more scenario_2 "skip pin.three: no such device" "ok pin.four"
more scenario_3 "skip pin.three: no such device" "skip pin.five: the cell has said so"
more control_4 "skip pin.six: a control" "skip pin.seven: a control"
status "rows that no cell ran" 0 "$tmp/run"
says "are told, by the reason" "skipped everywhere: 1 row, first pin.three: no such device"
result "and no others" 1 "$(grep -c '^skipped everywhere' "$tmp/out")"

run +pass +fail pass fail known none
status "text" 3 "$tmp/run"
says "controls come first" "controls: 1 of 2 tripped"
result "of one kernel in one line" "" "$(sed -n 2p "$tmp/out")"
says "a failed cell and its reason" "fail k/ext4/scenario_4: the reason of ext4/scenario_4"
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
says "the head of the table" "              ext4   xfs"
says "a row of the table" "  scenario_1  pass   fixed"
says "a cell that was not planned" "  scenario_2  known  -"

cells 6.1.192/ext4/control_a=pass 6.1.192/ext4/pin=fail 6.1.192/xfs/pin=pass \
	6.1.192/ext4/truncate=pass \
	src-7.2/ext4/control_a=pass src-7.2/ext4/pin=fail src-7.2/xfs/pin=fixed
kernel 6.1.192/ext4/pin 6.1.192 6.1.192
kernel src-7.2/ext4/pin 7.2.13-daxpin 7.2.13
status "two kernels" 1 "$tmp/run"
prints "one table, equal reasons once" <<-END
controls: 2 of 2 tripped

                  6.1.192  src-7.2
                           7.2.13
  pin       ext4  fail     fail
            xfs   pass     fixed
  truncate  ext4  pass     -

fail {6.1.192,src-7.2}/ext4/pin: the reason of ext4/pin
  pin.two: expected 0, got 5
  RUN/{6.1.192,src-7.2}/ext4/pin
fixed src-7.2/xfs/pin: the reason of xfs/pin
  pin.two: expected 0, got 5
  RUN/src-7.2/xfs/pin

2 pass, 2 fail, 0 skip, 0 known, 1 fixed, 0 lost (10 rows), 10.5 s in guests
END
sed -i "s/got 5/got 6/" "$tmp/run/src-7.2/ext4/pin/verdict"
status "one reason, two messages" 1 "$tmp/run"
says "the first message" "fail 6.1.192/ext4/pin: the reason of ext4/pin"
says "the second message" "fail src-7.2/ext4/pin: the reason of ext4/pin"
sed -i "s/got 6/got 5/; s/^reason.*/reason another/" "$tmp/run/src-7.2/ext4/pin/verdict"
status "two reasons, one message" 1 "$tmp/run"
says "the first reason" "fail 6.1.192/ext4/pin: the reason of ext4/pin"
says "the second reason" "fail src-7.2/ext4/pin: another"

cells a/ext4/control_a=pass a/ext4/pin=pass b/ext4/control_a=fail b/ext4/pin=pass \
	c/ext4/control_a=none c/ext4/pin=none c/xfs/pin=none
cp "$here/golden/pass-control-tripped/cell" "$tmp/run/c/ext4/control_a/cell"
status "three kernels, two of them not controlled" 3 "$tmp/run"
prints "controls of a kernel" <<-END
controls: 1 of 3 tripped
  b: 0 of 1 tripped
  c: 0 of 1 tripped

             a     b     c
                         6.12.117
  pin  ext4  pass  pass  lost
       xfs   -     -     lost

fail b/ext4/control_a: the reason of ext4/control_a
  pin.two: expected 0, got 5
  RUN/b/ext4/control_a
lost c/ext4/control_a: no verdict
  RUN/c/ext4/control_a
lost c/ext4/pin: no verdict
  RUN/c/ext4/pin
lost c/xfs/pin: no verdict
  RUN/c/xfs/pin

2 pass, 0 fail, 0 skip, 0 known, 0 fixed, 2 lost (4 rows), 6.0 s in guests
END

cells a/ext4/control_a=pass b/ext4/control_a=fail
status "controls alone, of two kernels" 3 "$tmp/run"
says "the kernel whose control did not trip" "  b: 0 of 1 tripped"

long=linux-image-6.12.117+deb12-cloud-amd64_6.12.117-1~deb12u1
cells "$long/ext4-dax/pin=pass" src-6.12+kasan+lockdep/ext4-dax/pin=known \
	src-7.2+kasan+lockdep/ext4-dax/pin=pass
kernel "$long/ext4-dax/pin" 6.12.117+deb12-cloud-amd64 6.12.117
kernel src-7.2+kasan+lockdep/ext4-dax/pin 7.2.13-daxpin 7.2.13
status "long names" 0 "$tmp/run"
prints "numbers for long names" <<-END
controls: 0 of 0 tripped

  1  $long: 6.12.117 (6.12.117+deb12-cloud-amd64)
  2  src-6.12+kasan+lockdep
  3  src-7.2+kasan+lockdep: 7.2.13 (7.2.13-daxpin)
                 1     2      3
  pin  ext4-dax  pass  known  pass

known src-6.12+kasan+lockdep/ext4-dax/pin: the reason of ext4-dax/pin
  pin.two: expected 0, got 5
  RUN/src-6.12+kasan+lockdep/ext4-dax/pin

2 pass, 0 fail, 0 skip, 1 known, 0 fixed, 0 lost (6 rows), 4.5 s in guests
END

# Of 100 columns 9 are for scenario and file system, and 4 go between.
wide=$(printf '%043d' 1)
cells "$wide/ext4/p=pass" "0$wide/ext4/p=pass"
status "names that just fit" 0 "$tmp/run"
prints "a table as wide as may be" <<-END
controls: 0 of 0 tripped

           $wide  0$wide
  p  ext4  pass                                         pass

2 pass, 0 fail, 0 skip, 0 known, 0 fixed, 0 lost (4 rows), 3.0 s in guests
END
cells "0$wide/ext4/p=pass" "1$wide/ext4/p=pass"
status "names that just do not fit" 0 "$tmp/run"
says "numbers" "           1     2"

run pass fail skip known fixed none
status "ktap" 1 -f ktap "$tmp/run"
says "ktap version" "KTAP version 1"
says "ktap plan" "1..6"
says "ktap pass" "ok 1 k/ext4/scenario_1"
says "ktap fail" "not ok 2 k/ext4/scenario_2"
says "ktap skip" "ok 3 k/ext4/scenario_3 # SKIP the reason of ext4/scenario_3"
says "ktap known" "ok 4 k/ext4/scenario_4 # known the reason of ext4/scenario_4"
says "ktap fixed" "not ok 5 k/ext4/scenario_5 # fixed the reason of ext4/scenario_5"
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
status "unknown format" 2 -f xml "$tmp/run"
run pass
echo "k/ext4" >> "$tmp/run/cells"
status "bad cell" 2 "$tmp/run"
run pass
echo "k/ext4/scenario_1" >> "$tmp/run/cells"
status "cell twice" 2 "$tmp/run"

plan
