# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of our own programs share: a folder to work in, and TAP that
# says what was expected.  Read by the scripts beside it, not run.

# shellcheck shell=sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
count=0
failed=0

result() {	# NAME WANTED GOT
	count=$((count + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $count - $1"
	else
		echo "# expected '$2', got '$3'"
		echo "not ok $count - $1"
		failed=1
	fi
}

# What COMMAND ends with; it says it in $tmp/out and $tmp/err.
status() {	# NAME WANTED COMMAND...
	name=$1 want=$2 got=0
	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err" || got=$?
	result "$name" "$want" "$got"
	[ "$want" = "$got" ] || tail -n 5 "$tmp/out" "$tmp/err" | sed 's/^/# /'
}

plan() {
	echo "1..$count"
	exit "$failed"
}
