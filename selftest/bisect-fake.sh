#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bisect-fake.sh: in the place of vm/bisect-run.sh, no kernel and no guest.
#
# What a revision is, the file `behaves` of its tree says, or, for a package or a
# series, the line "NAME WORD" of the file that BISECT_FAKE names:
#
#	good bad other lost noboot nopremise	how its guests end
#	nobuild					it does not build
#	full					good, or, while there is the file BISECT_FULL,
#						an error of ours, as of a disk that is full
#	flaky					a fifth of its guests fails
#	wait					good, or, while there is the FIFO BISECT_FIFO,
#						one that waits for it, after a line to
#						BISECT_FIFO.began

set -eu

command=$1 step=$3
rev=${step##*/}

behaves() {
	case ${1:-} in
	own:*) cat "${1#own:}/behaves" ;;
	*) sed -n "s/^$rev //p" "$BISECT_FAKE" ;;
	esac
}

build() {
	behaves "$1" >"$step/behaves"
	case $(cat "$step/behaves") in
	nobuild) echo "fs/dax.c:1:1: error: no such thing" >"$step/build.log"; exit 3 ;;
	full) [ ! -e "$BISECT_FULL" ] || { echo "bisect-fake.sh: no room" >&2; exit 2; } ;;
	esac
	ln -s "$step" "$step/kernel"
	case $1 in own:*) ln "${1#own:}/constant" "$step/linked" ;; esac
}

# verdict WORD REASON ROW: one row, and what is said of it.
verdict() {
	printf 'verdict %s\nreason %s\nrows 1\nok 0\nfailed 0\nskipped 0\nknown 0\nrow %s\n' "$@"
}

# By the revision, the batch and the number of the guest: no luck.
fires() {
	[ $(($(printf '%s' "$rev $batch $1" | cksum | cut -d ' ' -f 1) % 5)) -eq 0 ]
}

wait_for_it() {
	echo began >"$BISECT_FIFO.began"
	read -r _ <"$BISECT_FIFO"
}

guest() {
	row=truncate.pinned.to_zero how=$(cat "$step/behaves")
	[ "$how" != flaky ] || { if fires "$1"; then how=bad; else how=good; fi; }
	[ "$how" != wait ] || [ ! -e "$BISECT_FIFO" ] || wait_for_it
	[ "$how" = noboot ] || echo "TAP version 13" >"$dir/ktap.log"
	case $how in
	good | full | wait) verdict pass "1 rows" "ok $row" ;;
	bad) verdict fail "$row: truncate returned, at 0x$(printf %x "$1$batch")" \
		"failed $row: truncate returned, at 0x$(printf %x "$1$batch")" ;;
	other) verdict fail "$row: open failed (-28)" "failed $row: open failed (-28)" ;;
	lost) verdict lost "guest stopped answering" "lost $row" ;;
	noboot) verdict fail "Kernel panic - not syncing: VFS" "lost $row"
		echo "splat Kernel panic - not syncing: VFS" ;;
	nopremise) verdict skip "no such thing" "skip $row: no such thing" ;;
	esac >"$dir/verdict"
}

guests() {
	batch=$1
	for i in $(seq "$2"); do
		cell=kernel/ext4-dax/truncate
		[ "$i" -eq 1 ] || cell=$cell.$i
		dir=$step/$batch/$cell
		mkdir -p "$dir"
		printf '%s\n' '# Truncate waits.' 'scenario truncate' 'kernel kernel' 'release 6.12.0' \
			'fs ext4-dax' 'machine e820' 'device /dev/pmem0' 'type ext4' 'dax yes' 'mkfs x' \
			'fsck x' 'run truncate' 'timeout 60' 'log quiet' 'row truncate.pinned.to_zero' \
			>"$dir/cell"
		guest "$i"
		echo "$cell" >>"$step/$batch/cells"
	done
}

shift 3
case $command in
build) build "$1" ;;
guests) guests "$1" "$2" ;;
esac
