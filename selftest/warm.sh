#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: selftest/warm.sh
#
# Test what vm/snapshot.sh and vm/guest.c promise of guests that are saved and
# restored: that a snapshot is made once, for one content, and is whole; and that
# what is damaged, or cannot be had, costs time and never a verdict.  First with
# stand-ins for the guest and for QEMU, then with a guest of the stock kernel,
# when out/root has one.  In a cache of its own.  Prints TAP.

# shellcheck disable=SC2016	# dollars in single quotes are for the scripts we write
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*}
# shellcheck source=SCRIPTDIR/tap.sh
. "$here/tap.sh"
run=$tmp/run
name=k/m/fs
folder=$run/snapshots/$name
mkdir -p "$run/bin" "$folder" "$tmp/bin"
unset QEMU DAXPIN_SNAPSHOTS
export DAXPIN_CACHE="$tmp/cache" DAXPIN_QUIET=
PATH=$tmp/bin:$PATH

script() {	# PATH LINE...
	path=$1
	shift
	printf '%s\n' '#!/bin/sh' "$@" >"$path.new"
	chmod +x "$path.new"
	mv "$path.new" "$path"
}

# A guest that is "saved" at once: guest -s SCALE -w FOLDER.
guest() {	# LINE...
	script "$run/bin/guest" "echo >>'$tmp/calls'; cd \"\$4\"" \
		': >ktap.log; echo "daxpin: phase ready" >console.log' \
		'head -c 300000 /dev/urandom >ram; truncate -s 8M ram; echo state >state' "$@"
	: >"$tmp/calls"
}

calls() {
	wc -l <"$tmp/calls"
}

# What the cells find, and then that the script ended as it should.
snapshot() {
	rm -f "$folder/ram" "$folder/state"
	status=0
	"$top/vm/snapshot.sh" "$run" "$name" >"$tmp/out" 2>"$tmp/err" || status=$?
	echo "$status$(for file in ram state; do [ ! -f "$folder/$file" ] || printf ' %s' $file; done)"
}

archive() {
	find "$DAXPIN_CACHE/snapshots" -name '*.zst'
}

entries() {
	find "$DAXPIN_CACHE/snapshots" -mindepth 1 -maxdepth 1 | wc -l
}

said() {	# how many lines of the last run have this text
	grep -cF -e "$1" "$tmp/err" || :
}

prepare() {
	for file in kernel root m.cfg; do echo "$file" >"$tmp/$file"; done
	printf '%s\n' -readconfig "$tmp/m.cfg" -accel tcg -kernel "$tmp/kernel" \
		-initrd "$tmp/root" >"$folder/qemu-args"
	printf '# fs on m, ready\ntype\text4\n\n' >"$folder/cell"
	ln -s /dev/null "$folder/cell.out"
	cp "$top/out/judge" "$run/bin/judge"
	script "$tmp/bin/qemu-system-x86_64" 'echo QEMU 1'
	guest
}

made_once() {
	result "a snapshot is made" "0 ram state" "$(snapshot)"
	sum=$(cksum <"$folder/ram")
	result "and used again" "0 ram state" "$(snapshot)"
	result "without another guest" 1 "$(calls)"
	result "as it was saved" "$sum" "$(cksum <"$folder/ram")"
	result "with holes where memory is zero" yes \
		"$([ "$(du -k "$folder/ram" | cut -f 1)" -lt 1024 ] && echo yes)"
}

# Whatever it was made of: another content is another snapshot.
other() {	# NAME COMMAND...
	what=$1 before=$(calls)
	shift
	"$@"
	result "another $what: another snapshot" "0 ram state $((before + 1))" \
		"$(snapshot) $(calls)"
}

# shellcheck disable=SC2317	# an argument of other()
append() {
	echo "$2" >>"$1"
}

keys() {
	other kernel append "$tmp/kernel" new
	other root append "$tmp/root" new
	other machine append "$tmp/m.cfg" new
	other "file system" append "$folder/cell" new
	other accelerator sed -i 's/tcg/kvm/' "$folder/qemu-args"
	other "number of CPUs" append "$folder/qemu-args" -smp2
	other QEMU script "$tmp/bin/qemu-system-x86_64" 'echo QEMU 2'
	rm -rf "$DAXPIN_CACHE/snapshots"
}

flip() {
	printf x | dd of="$1" bs=1 seek=5000 conv=notrunc 2>/dev/null
}

damaged() {	# NAME COMMAND...
	what=$1
	snapshot >/dev/null
	before=$(calls)
	shift
	"$@" "$(archive)"
	result "$what: made again" "0 ram state $((before + 1))" "$(snapshot) $(calls)"
	result "$what: and says so" 1 "$(said damaged)"
}

refused() {	# NAME TEXT: no snapshot, no entry, one line
	result "$1: its cells boot" "2 0" "$(snapshot) $(entries)"
	result "$1: one line says so" "1 1" "$(said "its cells boot") $(said "$2")"
	guest
}

refusals() {
	find "$DAXPIN_CACHE/snapshots" -mindepth 1 -delete
	guest 'echo "guest: x: timeout start 60" >&2; exit 1'
	refused "a guest that does not boot" "timeout start 60"
	guest 'echo "# init: lost no such device" >ktap.log; exit 1'
	refused "a guest that is lost" "no such device"
	guest 'echo "WARNING: CPU: 0 PID: 1 at fs/dax.c:1 f+0x1/0x2" >>console.log'
	refused "a kernel that complains" "complains while it boots"
	script "$tmp/bin/df" 'echo; echo disk 9 4 5 0 /'
	refused "a full disk" "less than"
	script "$tmp/bin/tar" 'echo half >"$3"; exit 1'
	rm "$tmp/bin/df"
	refused "a disk that fills up" "no room"
	rm "$tmp/bin/tar"
}

killed() {
	find "$DAXPIN_CACHE/snapshots" -mindepth 1 -delete
	guest "[ ! -f $tmp/kill ] || kill -KILL \$PPID"
	: >"$tmp/kill"
	snapshot >/dev/null
	rm "$tmp/kill"
	result "after a killed save: made again" "0 ram state 2" "$(snapshot) $(calls)"
	result "and nothing else is left" 1 "$(entries)"
}

twice() {
	rm -rf "$DAXPIN_CACHE/snapshots"
	cp -r "$run" "$tmp/other"
	script "$run/bin/slow" 'sleep 0.3'
	guest "$run/bin/slow"
	cp "$run/bin/guest" "$tmp/other/bin/guest"
	"$top/vm/snapshot.sh" "$tmp/other" k/m/fs >/dev/null 2>&1 &
	result "two runs at once" "0 ram state" "$(snapshot)"
	wait
	result "make it once" 1 "$(calls)"
	result "and have the same" "" "$(diff -rq "$folder" "$tmp/other/snapshots/k/m/fs")"
}

evicted() {
	rm -rf "$DAXPIN_CACHE/snapshots"
	guest 'head -c 2M /dev/urandom >ram'
	export DAXPIN_SNAPSHOTS=7
	for file in one two three; do
		echo $file >"$tmp/kernel"
		snapshot >/dev/null
	done
	result "no more than DAXPIN_SNAPSHOTS MB are kept" 2 "$(entries)"
	echo two >"$tmp/kernel"
	result "not those used least recently" "0 ram state 3" "$(snapshot) $(calls)"
	unset DAXPIN_SNAPSHOTS
}

# --- guests -------------------------------------------------------------------

# A cell of the run's kernel, and what became of it: how it started, its verdict.
cell_run() {
	"$top/out/guest" "$@" "$cell" 2>"$tmp/err" || :
	"$top/out/judge" "$cell" >"$tmp/verdict" 2>/dev/null || :
	echo "$(sed -n 's/^start //p' "$cell/guest") $(sed -n 's/^verdict //p' "$tmp/verdict")"
}

real_open() {
	run=$tmp/real name=stock/e820/ext4
	folder=$run/snapshots/$name
	cell=$run/stock/ext4/control_assert
	rm -rf "${tmp:?}/bin" "$DAXPIN_CACHE"
	mkdir -p "$run/bin"
	cp "$top/out/guest" "$top/out/judge" "$run/bin/"
	ln -s "$top/out/root/stock.cpio" "$top/out/root/stock.kernel" "$run/"
	(cd "$top" && out/cells -t control_assert -a "$(vm/accel.sh)" -o "$run" \
		stock=out/kernels/stock)
}

real() {
	result "a guest is saved" "0 ram state" "$(snapshot)"
	result "and restored" "warm pass" "$(cell_run)"
	result "or booted" "cold pass" "$(cell_run -c)"
	flip "$(archive)"
	result "a damaged snapshot is made again" "0 ram state 1" "$(snapshot) $(said damaged)"
	result "and restored again" "warm pass" "$(cell_run)"
	sum=$(cksum <"$folder/ram")
	result "a cell changes nothing of it" "$sum" "$(cell_run >/dev/null; cksum <"$folder/ram")"
}

# Damage that the archive cannot have: QEMU or the guest finds out, and it boots.
real_damage() {
	for file in state ram; do
		cp "$folder/$file" "$tmp/whole"
		truncate -s "$(($(stat -c %s "$folder/$file") / 2))" "$folder/$file"
		result "half of $file: it boots" "cold pass" "$(cell_run)"
		result "half of $file: one line says so" "1 1" \
			"$(wc -l <"$tmp/err") $(said "not restored, boots instead")"
		cp "$tmp/whole" "$folder/$file"
	done
	truncate -s 0 "$folder/ram"
	truncate -s "$(stat -c %s "$tmp/whole")" "$folder/ram"
	result "memory of zeros: it boots" "cold pass" "$(cell_run)"
}

case ${1:-} in
-h | --help) sed -n '/^# usage:/,/^[^#]/ s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
prepare
made_once
keys
damaged "a truncated snapshot" truncate -s 9000
damaged "a changed byte" flip
damaged "an empty snapshot" truncate -s 0
refusals
killed
twice
evicted
if [ -f "$top/out/root/stock.cpio" ]; then
	real_open
	real
	real_damage
fi
plan
