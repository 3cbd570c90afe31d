#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: selftest/check.sh
#
# The project's own tests (`make check`): both compilers, the style checkers, the
# data files, the matrix of holders and collisions, unit tests, the judge's golden
# logs, kselftest conformity, the series of patches, the smoke suite in guests with all
# controls, rows on a kernel with the series, and the bugs that are seeded there.  Each
# prints TAP or counts as one test.
# The logs stay in out/check/.  Last line: N passed, N failed, N skipped.
set -euf

cd "$(dirname "$0")/.."

passed=0
failed=0
skipped=0
logs=out/check

# How many lines of the log match; grep's status says the same again.
lines() {
	grep -cE "$1" "$log" || :
}

# Show what a person needs: a failing test's lines, or the end of a failing tool's log.
show() {
	grep -E '^(#|not ok)' "$log" | grep -B 20 '^not ok' || tail -n 30 "$log"
}

add() {
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
	printf '%-12s %s passed, %s failed, %s skipped\n' "$name" "$1" "$2" "$3"
}

# step NAME COMMAND...: COMMAND prints TAP, or nothing that looks like it.
step() {
	name=$1 log=$logs/$1.log status=0
	shift
	"$@" >"$log" 2>&1 || status=$?
	good=$(lines '^ok .*') bad=$(lines '^not ok ') skip=$(lines '^ok .*# SKIP')
	if [ "$good$bad" = 00 ]; then
		[ "$status" -eq 0 ] && good=1 || bad=1
	elif [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1	# it ended before all was told
	fi
	[ "$bad" -eq 0 ] || show
	add $((good - skip)) "$bad" "$skip"
}

c_files() {
	git ls-files -co --exclude-standard '*.c' '*.h' | sort
}

sh_files() {
	git ls-files -co --exclude-standard '*.sh' '*.bash' .ci/run vm/bisect-step | sort
}

build() {
	make -j "$(nproc)" O="$1" CC="$2" USERCFLAGS=-Werror all
}

shellcheck_all() {
	# shellcheck disable=SC2046	# a list of files
	shellcheck $(sh_files)
}

checkpatch_all() {
	# shellcheck disable=SC2046	# a list of files
	found=$(out/linux/scripts/checkpatch.pl --quiet --terse --show-types \
		--ignore FILE_PATH_CHANGES,SPDX_LICENSE_TAG -f $(c_files)) && return
	echo "$found" | grep -v '^total: '
	return 1
}

# A row waits for events.  Where there are none it looks again, 10 ms later at most: no sleep is
# longer, but where the kernel's rate limit of warnings asks for it.
sleeps() {
	git grep --untracked -hE '^#define LOOK_EVERY_(MS|US)' -- tests lib |
		awk '{ ms = /_US/ ? $3 / 1000 : $3 } ms > 10 { print; long++ } END { exit !NR || long }' || return
	! git grep --untracked -nE '\<(u|nano|clock_nano)?sleep\(|poll\(NULL, 0,' -- tests lib |
		grep -vE '\((NULL, 0, (1|LOOK_EVERY_MS)|LOOK_EVERY_US)\)|rate limit'
}

unit() {
	# shellcheck disable=SC2086	# lists of words
	${CC:-gcc} -std=gnu11 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -I. -Ivm \
		-fsanitize=address,undefined -o "out/check/$1" "selftest/$1.c" $2
	"out/check/$1"
}

tell() {	# NAME COMMAND...
	what=$1
	shift
	if "$@"; then echo "ok - $what"; else echo "not ok - $what"; fi
}

no_guest_left() {
	! pgrep -f "qemu-system.*$PWD/$1"
}

# End the run after its first verdict, as a CI does that is out of time.
interrupt() {
	rm -f "$logs/fifo"
	mkfifo "$logs/fifo"
	./run.sh matrix smoke >"$logs/fifo" &
	pid=$! status=0
	head -n 1 <"$logs/fifo"
	kill -TERM "$pid"
	wait "$pid" || status=$?
	run=results/$(readlink results/latest)
	tell "an interrupted run says so" [ "$status" -eq 130 ]
	tell "and leaves no guest behind" no_guest_left "$run"
}

# Every cell is a result; what the run as a whole says of itself is one more.
smoke() {
	interrupt
	status=0
	./run.sh --resume latest || status=$?
	tell "a resumed run ends as expected" [ "$status" -eq 0 ]
	tell "it had guests' memory" [ -n "$(find "$run/snapshots/" -name qemu-args)" ]
	tell "which is gone" [ -z "$(find "$run/snapshots/" -name ram)" ]
	out/report -f ktap "$run"
}

# A kernel with the series, and rows on it.  It is built outside of a step: that may
# take long, and who watches a CI wants to see that it lives.
patched() {
	status=0
	./run.sh -k src:6.12 -s patched || status=$?
	tell "a run on a kernel with patches ends as expected" [ "$status" -eq 0 ]
	out/report -f ktap "results/$(readlink results/latest)"
}

# Seeded bugs on that kernel: each must be noticed, as ever.
seeded() {
	./run.sh score -k src:6.12 || :
	out/score -t "results/$(readlink results/latest)"
}

kernel() {
	vm/kernel.sh src:6.12 >/dev/null || echo "src:6.12: no kernel, which step patched will find"
}

vm/packages.sh check
mkdir -p "$logs"
step gcc build out gcc
step clang build out/clang clang
step shellcheck shellcheck_all
step checkpatch checkpatch_all
step sleeps sleeps
step data out/cells -L
step unit_conf unit unit_conf vm/conf.c
step unit_bisect unit unit_bisect vm/decide.c
step unit_lib unit unit_lib "$(find lib -maxdepth 1 -name "*.c") -luring -laio -libverbs"
step coverage ./run.sh cells --matrix
step matrix selftest/matrix.sh
step golden selftest/golden.sh
step report selftest/report.sh
step score selftest/score.sh
step formats selftest/formats.sh
step html selftest/html.sh
step ci selftest/ci.sh
step docs selftest/docs.sh
step bisect selftest/bisect.sh
step shell selftest/shell.sh
step kselftest selftest/kselftest.sh
step patches vm/patches-check.sh 6.12
step smoke smoke
step warm selftest/warm.sh
kernel
step patched patched
step seeded seeded
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
