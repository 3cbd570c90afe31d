#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/snapshot.sh RUN NAME
#
# Put the guest that RUN/snapshots/NAME describes into that folder, as its cells
# restore it: its memory and the state of its devices.  It comes from the cache
# (DAXPIN_CACHE), or is booted and saved there by RUN/bin/guest.  A copy that is
# damaged is thrown away and made again.  Exit status 2, and one line that says
# why, when there is none; then its cells boot.
#
# DAXPIN_SNAPSHOTS is how many MB all snapshots may take (default 1024); those
# used least recently go first.  QEMU in the environment is the program, SCALE
# multiplies the guest's bounds.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

room_mb=768				# memory of a guest, and its compressed copy

# What comes behind option $1 among QEMU's arguments.
argument() {
	sed -n "/^$1\$/{n;p;}" "$folder/qemu-args"
}

# All that the guest is made of, by content: a change gives another key.  The
# programs that save and restore are part of it, as is the CPU under KVM.
key() {
	{
		cat "$folder/cell" "$(argument -readconfig)"
		sed 's,^/.*/,,' "$folder/qemu-args"
		b2sum <"$(argument -kernel)"
		b2sum <"$(argument -initrd)"
		b2sum <"$run/bin/guest"
		"$qemu" --version
		stat -L -c '%n %s %Y' "$qemu"
		grep -m 1 '^model name' /proc/cpuinfo || :
	} | b2sum | cut -c 1-24
}

# Why the guest was not saved: what it said itself, or how it ended.
why() {
	sed -n 's/^# init: lost //p; s/^guest: [^ ]*: //p' "$work/ktap.log" "$work/log" |
		head -n 1
}

# A kernel that complains while it boots has to be judged with all it said.
save() {
	[ "$(room_mb)" -ge "$room_mb" ] ||
		die "$name: $CACHE has less than $room_mb MB left, its cells boot"
	say "$name: booting a guest to save"
	cp -P "$folder/cell" "$folder/cell.out" "$folder/qemu-args" "$work"
	"$run/bin/guest" -s "${SCALE:-1}" -w "$work" 2>"$work/log" ||
		die "$name: not saved, its cells boot: $(why)"
	"$run/bin/judge" -b "$work" 2>"$work/log" ||
		die "$name: not saved, its cells boot: $(head -n 1 "$work/log")"
	pack || die "$name: not saved, its cells boot: no room for the copy in $CACHE"
}

# Most of a memory's file is holes, once what is zero has been dug out.
pack() {
	set -- ram state
	[ ! -f "$work/pmem" ] || set -- "$@" pmem
	for file; do
		fallocate -d "$work/$file" || return
	done
	tar --zstd -cSf "$work/snapshot.tar.zst" -C "$work" "$@" || return
	rm -f "$work/ram" "$work/pmem" "$work/state" "$work/cell.in"
}

# The archive has a checksum.  The state comes last: with it there is a snapshot.
unpack() {
	rm -rf "$folder/new"
	mkdir "$folder/new"
	tar --zstd -xf "$entry/snapshot.tar.zst" -C "$folder/new" 2>/dev/null || {
		rm -rf "$folder/new"
		return 1
	}
	[ ! -f "$folder/new/pmem" ] || mv "$folder/new/pmem" "$folder"
	mv "$folder/new/ram" "$folder"
	mv "$folder/new/state" "$folder" && rmdir "$folder/new"
}

# Leftovers of those who were killed, and what was not used for longest.
evict() {
	find "$CACHE/snapshots" -mindepth 1 -maxdepth 1 -name '*.tmp.*' -mmin +60 -exec rm -rf {} +
	sum=0
	find "$CACHE/snapshots" -mindepth 1 -maxdepth 1 ! -name '*.tmp.*' -printf '%T@ %p\n' |
		sort -rn | while read -r _ path; do
		# Another checkout may have removed it just now.
		size=$(du -sm "$path" 2>/dev/null | cut -f 1)
		sum=$((sum + ${size:-0}))
		[ "$sum" -le "${DAXPIN_SNAPSHOTS:-1024}" ] || rm -rf "$path"
	done
}

case ${1:-} in
-h | --help) usage ;;
esac
[ $# -eq 2 ] || die "$# arguments, expected RUN NAME (-h: help)"
run=$(realpath "$1")
name=$2
folder=$run/snapshots/$name
[ -f "$folder/cell" ] || die "$folder: no such snapshot"
need b2sum fallocate flock tar zstd
qemu=$(command -v "${QEMU:-qemu-system-x86_64}") || die "${QEMU:-qemu-system-x86_64}: not found"
key=snapshots/$(key)
once "$key" save
if ! unpack; then
	! zstd -qt "$entry/snapshot.tar.zst" 2>/dev/null ||
		die "$name: its cells boot: no room for its snapshot in $run"
	say "$name: the snapshot is damaged, made again"
	rm -rf "$entry"
	once "$key" save
	unpack || die "$name: not unpacked, its cells boot"
fi
touch "$entry"
ln -sfn "$entry" "$folder/entry"
evict
