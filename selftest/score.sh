#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# score.sh [SCORE]: does the score say what a seeded bug was noticed by?
#
# Makes up small runs and checks what is said of each bug, and the exit status.  TAP on
# standard output; exit status 1 when anything differs.
set -eu

here=$(dirname "$0")
score=${1:-$here/../out/score}
# shellcheck source=SCRIPTDIR/tap.sh
. "$here/tap.sh"

# cell PATH VERDICT LINE...: each line one of the verdict's; "row" lines are counted.
cell() {
	mkdir -p "$tmp/run/k/ext4/$1"
	echo "k/ext4/$1" >>"$tmp/run/cells"
	path=$tmp/run/k/ext4/$1 verdict=$2
	shift 2
	printf '%s\n' "$@" >"$path/lines"
	{
		printf 'verdict %s\nreason the reason\n' "$verdict"
		printf 'rows %s\n' "$(grep -c '^row ' "$path/lines")"
		cat "$path/lines"
	} >"$path/verdict"
	echo "total_ms 1500" >"$path/guest"
}

# A healthy cell of two rows, and one with the bug, of which the arguments say the rest.
run() {	# VERDICT LINE...
	rm -rf "$tmp/run"
	mkdir -p "$tmp/run/faults"
	printf '# A promise\ndivert\tf\naction\treturn 0\ncells\ts ext4\n' >"$tmp/run/faults/bug"
	cell s pass "row ok a.b" "row failed a.c: did not wait for the pin"
	cell s+bug "$@"
}

# said OPTION: the score's line of the bug, with its exit status behind it.
said() {
	status=0
	"$score" "$1" "$tmp/run" >"$tmp/out" 2>&1 || status=$?
	echo "$(grep -E "${2:-bug}" "$tmp/out" | head -n 1)|$status"
}

states() {
	said -t | sed 's/ - k bug//'
}

run fail "hits 3" "row failed a.b: the file has wrong data" "row failed a.c: did not wait for the pin"
result "a row that fails with it" "ok 1|0" "$(states)"
result "and how" "how\":\"data\"|0" "$(said -j | grep -oE 'how":"data"|[|].*' | tr -d '\n')"
result "a row that fails anyway tells nothing" "1" "$("$score" -j "$tmp/run" | grep -o '"row"' | grep -c .)"
run fail "hits 3" "row ok a.b" "row failed a.c: did not wait for the pin"
result "a row that fails as it does without" "not ok 1|1" "$(states)"
run fail "hits 3" "row ok a.b" "row failed a.c: the operation does not return"
result "a row that fails in another way" "ok 1|0" "$(states)"
run fail "hits 3" "row ok a.b" "row ok a.c" "splat WARNING fs/dax.c f" "title first WARNING in f"
result "a splat" "ok 1|0" "$(states)"
run fail "hits 3" "row ok a.b" "row ok a.c"
result "what is left when all rows pass" "ok 1|0" "$(states)"
sed -i 's/^verdict pass/verdict fail/' "$tmp/run/k/ext4/s/verdict"
result "and is left without it, too" "not ok 1|1" "$(states)"
run pass "hits 3" "row ok a.b" "row ok a.c" "splat-allowed WARNING fs/dax.c f" "title first WARNING in f"
result "a splat that is allowed" "not ok 1|1" "$(states)"
run fail "hits 0" "row failed a.b: wrong data" "row ok a.c"
result "a bug that never fired" "not ok 1|3" "$(states)"
result "is lost" "  lost         bug: A promise|3" "$(status=0; "$score" "$tmp/run" >"$tmp/out" || status=$?; echo "$(grep bug: "$tmp/out")|$status")"
run fail "hits 3" "row ok a.b" "row ok a.c"
sed -i 's/^row ok a.b/row lost a.b/' "$tmp/run/k/ext4/s/verdict"
result "a row that is lost without it" "not ok 1|3" "$(states)"
run lost "row failed a.b: wrong data" "row lost a.c"
result "a guest that is lost" "not ok 1|3" "$(states)"
run skip "row skip a.b: none" "row skip a.c: none"
result "a bug that the kernel cannot have" "ok 1 # SKIP the reason|0" "$(states)"
result "and why" "k          bug                      the reason|0" "$(said -p)"
run fail "hits 3" "row failed a.b: the file has wrong data" "row ok a.c"
rm -r "$tmp/run/k/ext4/s"
result "nothing to compare with" "not ok 1|3" "$(states)"
rm "$tmp/run/faults/bug"
result "a bug that has no file" "expected a file|2" "$(said -t 'expected a file' | sed 's/.*, //')"
run pass "hits 3" "row ok a.b" "row ok a.c"
echo k/ext4/s >"$tmp/run/cells"
result "a run without bugs" "expected a run of run.sh score|2" "$(said -t score: | sed 's/.*, //')"

plan
