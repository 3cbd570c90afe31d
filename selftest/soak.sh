#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: selftest/soak.sh [--resume] [RUNS [OPTION...]]
#
# Run the suite RUNS times (default 20) with OPTION... of ./run.sh (default:
# -k src:6.12 -s collisions), and compare all verdicts, of cells and of rows.  Prints one
# line a run, with a sum that is the same for runs with the same verdicts, on another machine,
# too; then each verdict that not all runs have, with the number of those that have it.  Who
# stops it sees that of the runs that are complete; with --resume those of the same revision
# and options count, and as many are made as are missing.
# Exit status: 0 no verdict differs, 1 some do, 2 not all runs were made.
set -euf

cd "$(dirname "$0")/.."

# Every verdict of a run, without the words that say why: "FOLDER/verdict:row ok NAME".
# Not those of guests that confirm another's: that is not done in each run (vm/confirm.sh).
verdicts() {
	(cd "results/$1" && find . -name cold -prune -o \
		-name verdict -exec grep -HE '^(verdict|row) ' {} +) |
		sed -E 's/^(.*:row [a-z]+ [^:]+): .*/\1/' | sort
}

# The verdicts in $all that not all of $made runs have; 1 when there are any.
compare() {
	sort "$all" | uniq -c | awk -v runs="$made" '
		$1 != runs { sub(/^ +/, ""); print "differs: " $0 " of " runs " runs"; bad++ }
		END { print bad + 0 " of " NR " verdicts differ"; exit bad > 0 }'
}

count_run() {	# RUN NOTE: a complete one
	verdicts "$1" >"$one"
	rows=$(grep -c ':row ' "$one") || :
	sum=$(sha256sum "$one" | cut -c 1-12)
	cat "$one" >>"$all"
	made=$((made + 1))
	echo "run $made: $1, $2, $rows rows, sum $sum"
}

# The complete runs of before, the oldest first.
count_old() {
	for old in results/*/soak; do
		[ "$made" -lt "$runs" ] || break
		[ ! -L "${old%/soak}" ] || continue	# latest
		! grep -qxFs "$what" "$old" || count_run "$(basename "${old%/soak}")" "of before"
	done
}

resume=
[ "${1:-}" != --resume ] || { resume=yes; shift; }
case ${1:-20} in
-h | --help) sed -n '/^# usage:/,/^[^#]/ s/^# \{0,1\}//p' "$0"; exit 0 ;;
*[!0-9]* | 0) echo "soak.sh: $1: expected a number of runs" >&2; exit 2 ;;
esac
runs=${1:-20}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- -k src:6.12 -s collisions
all=$(mktemp) one=$(mktemp) made=0
what="$(git describe --always --dirty --abbrev=40 --exclude '*') $*"
trap 'rm -f "$all" "$one"' EXIT
trap 'compare || :; exit 2' INT TERM
if [ -n "$resume" ]; then
	[ "${what%%-dirty *}" = "$what" ] ||
		{ echo "soak.sh: --resume: expected a tree without changes" >&2; exit 2; }
	set +f
	count_old
	set -f
fi
while [ "$made" -lt "$runs" ]; do
	status=0 start=$(date +%s)
	./run.sh "$@" >/dev/null 2>&1 || status=$?
	[ "$status" -ne 2 ] || { echo "soak.sh: ./run.sh $*: not made" >&2; exit 2; }
	run=$(readlink results/latest)
	echo "$what" >"results/$run/soak"
	count_run "$run" "exit $status, $(($(date +%s) - start)) s"
done
compare
