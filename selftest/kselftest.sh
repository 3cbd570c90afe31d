#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# kselftest.sh: is tests/ a folder of kselftest?
#
# Copies it to a kernel tree, the parts of one that vm/linux-source.sh has, and
# builds, runs and installs it there, in the checkout, and from the top.  There
# is no DAX file system on this host: every row must be skipped and say so, and
# nothing may pass or fail.  TAP on standard output; exit status 1 when anything
# differs.

set -eu

cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/tap.sh
. selftest/tap.sh

# What a make above us, or the user, has set is not for the makes below.
unset MAKELEVEL MAKEFLAGS MFLAGS O OUTPUT CFLAGS CPPFLAGS LDFLAGS KSFT KHDR_INCLUDES \
	INSTALL_PATH KSFT_INSTALL_PATH TARGETS V DAXPIN_DIR DAXPIN_RAMDISK DAXPIN_DAX
MAKEFLAGS=-j$(nproc)
export MAKEFLAGS

programs=$(for source in tests/*.c; do basename "$source" .c; done)
skips="every row skips; pass:0 fail:0 xfail:0 xpass:0 error:0"
all_skip="$(echo "$programs" | wc -l) ok, 0 not ok; $skips"
tree=$tmp/linux
suite=$tree/tools/testing/selftests

# Run a command, and show the end of what it says when it fails.  The log is
# appended to, for the runner opens /dev/stdout a second time.
succeeds() {	# NAME COMMAND...
	name=$1 status=0
	shift
	: > "$tmp/log"
	"$@" >> "$tmp/log" 2>&1 < /dev/null || status=$?
	[ "$status" -eq 0 ] || tail -n 20 "$tmp/log" | sed 's/^/# /'
	result "$name" 0 "$status"
}

# What the programs' rows in the log are, by their lines, plans and totals.
rows_of() {
	awk '
	/^# 1\.\.[0-9]+$/ { planned += substr($2, 4) }
	/^# (not )?ok / { rows++ }
	/^# ok .*# SKIP DAXPIN_DIR does not name a mounted (DAX )?directory$/ { skipped++ }
	/^# # Totals: / { for (i = 4; i <= NF; i++) { split($i, t, ":"); total[t[1]] += t[2] } }
	END {
		if (rows && rows == planned && rows == skipped && rows == total["skip"])
			printf "every row skips;"
		else
			printf "planned:%d rows:%d skipped:%d skip:%d;", planned, rows,
				skipped, total["skip"]
		n = split("pass fail xfail xpass error", word, " ")
		for (i = 1; i <= n; i++)
			printf " %s:%d", word[i], total[word[i]]
	}' "$tmp/log"
}

# The same, and what the runner makes of the programs.
run_of() {
	echo "$(grep -c '^ok [0-9]* selftests: ' "$tmp/log") ok," \
		"$(grep -c '^not ok ' "$tmp/log") not ok; $(rows_of)"
}

runs() {	# NAME COMMAND...
	succeeds "$@"
	result "$1: every row is skipped" "$all_skip" "$(run_of)"
}

# What is missing of an installed folder.
missing() {	# FOLDER
	for program in $programs; do
		[ -x "$1/$program" ] || printf '%s ' "$program"
	done
	for file in config $(cd tests && ls -- *.scn); do
		cmp -s "tests/$file" "$1/$file" || printf '%s ' "$file"
	done
}

# Each program is run by hand, and shown as the runner would.
installed() {	# NAME FOLDER
	result "$1: is complete" "" "$(missing "$2")"
	: > "$tmp/all_rows"
	for program in $programs; do
		succeeds "$1: $program" "$2/$program"
		sed 's/^/# /' "$tmp/log" >> "$tmp/all_rows"
	done
	mv "$tmp/all_rows" "$tmp/log"
	result "$1: every row is skipped" "$skips" "$(rows_of)"
}

unchanged() {	# NAME
	result "$1: the source is as it was" "" "$(diff -r "$tmp/alone" "$suite/daxpin" 2>&1)"
}

in_tree() {
	succeeds "tree: make" make -C "$suite/daxpin"
	result "tree: no warnings" 0 "$(grep -c warning: "$tmp/log")"
	runs "tree: make run_tests" make -C "$suite/daxpin" run_tests
	succeeds "tree: make clean" make -C "$suite/daxpin" clean
	unchanged "tree: make clean"
}

out_of_tree() {
	mkdir "$tmp/output"
	runs "tree: OUTPUT=" make -C "$suite/daxpin" OUTPUT="$tmp/output" run_tests
	runs "tree: O=" make -C "$suite" TARGETS=daxpin O="$tmp/o" run_tests
	succeeds "tree: make install" \
		make -C "$suite" TARGETS=daxpin O="$tmp/o" KSFT_INSTALL_PATH="$tmp/all" install
	unchanged "tree: O="
	installed "tree: install" "$tmp/all/daxpin"
	runs "tree: run_kselftest.sh" "$tmp/all/run_kselftest.sh"
}

in_checkout() {
	before=$(echo tests/* lib/*)
	mkdir "$tmp/checkout"
	runs "checkout: make run_tests" make -C tests OUTPUT="$tmp/checkout" run_tests
	succeeds "checkout: make install" \
		make -C tests OUTPUT="$tmp/checkout" INSTALL_PATH="$tmp/one" install
	installed "checkout: install" "$tmp/one"
	result "checkout: the source is as it was" "$before" "$(echo tests/* lib/*)"
}

# A relative path is the caller's, and nothing has been built yet.
from_top() {
	succeeds "top: make install" \
		make O="$tmp/top" INSTALL_PATH="$(realpath --relative-to=. "$tmp/two")" install
	installed "top: install" "$tmp/two"
}

# A failed ASSERT must not leave pins and children behind.
teardown() {
	cat > "$tmp/t.c" <<-EOF
		#include <stdio.h>
		#include "kselftest_harness.h"
		FIXTURE(t) { int held; };
		FIXTURE_SETUP(t) { self->held = 1; }
		FIXTURE_TEARDOWN(t) { fprintf(stderr, "released %d\\n", self->held); }
		TEST_F(t, fails) { ASSERT_EQ(1, 2); }
		TEST_HARNESS_MAIN
	EOF
	${CC:-gcc} -O2 -w -D_GNU_SOURCE -isystem "$tmp/checkout" -isystem "$suite" \
		-o "$tmp/t" "$tmp/t.c" 2> "$tmp/log" || cat "$tmp/log"
	"$tmp/t" > "$tmp/log" 2>&1 || :	# it fails on purpose
	result "a failed ASSERT runs the teardown" 1 "$(grep -c '^released 1$' "$tmp/log")"
}

# Alone it has no lib.mk to build with, and says what to do.
alone() {
	status=0
	make -C "$tmp/alone" > "$tmp/log" 2>&1 || status=$?
	result "alone: make fails" 2 "$status"
	result "alone: says why" 1 "$(grep -c 'lib.mk: not found, expected a kernel tree' "$tmp/log")"
	result "alone: says nothing else" 1 "$(grep -cv directory "$tmp/log")"
	mkdir "$tmp/ksft"
	runs "alone: KSFT=" make -C "$tmp/alone" KSFT="$suite" OUTPUT="$tmp/ksft" run_tests
}

cp -r "$(vm/linux-source.sh)" "$tree"
cp -rL tests "$tmp/alone"
cp -r "$tmp/alone" "$suite/daxpin"
in_tree
out_of_tree
in_checkout
teardown
from_top
alone
plan
