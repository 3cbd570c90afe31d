#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/patches-check.sh [--patches DIR] VERSION
#
# Is a series of patches, vm/patches/VERSION or DIR, fit for the source package
# linux-source-VERSION?  One patch after the other:
#
#	it applies, and its context matches
#	checkpatch.pl of that version has nothing to say
#	the objects of all C files that the series touches, or that have a header of
#		their folder that it touches, can be made without the option
#		DAX_DEBUG_PINS, and do not differ from those without patches
#	they can be made with the option, and without a warning
#
# Objects that are compared are compiled with __LINE__ as zero: WARN() has it in
# tables, and with a line more above it that number is another one in the same
# code.  All the rest must be the same to the byte.
#
# Prints TAP, exits 1 when a test fails.  Objects stay in the cache, so that the
# next time takes less than two minutes.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

vm=$(cd "$(dirname "$0")" && pwd)
configs=$(cd "$vm/../configs/kernel" && pwd)
count=0 failed=0 kconfig=

# shellcheck source=SCRIPTDIR/kernel-source.sh
. "$vm/kernel-source.sh"
# shellcheck source=SCRIPTDIR/kernel-config.sh
. "$vm/kernel-config.sh"

# test_that DESCRIPTION COMMAND...: what it prints is told when it fails.
test_that() {
	count=$((count + 1)) what=$1 status=0
	shift
	"$@" >"$scratch/log" 2>&1 || status=$?
	[ "$status" -eq 0 ] || { failed=1; sed 's/^/# /' "$scratch/log" | tail -n 40; }
	[ "$status" -eq 0 ] && echo "ok $count - $what" || echo "not ok $count - $what"
}

# Not with 2, as what fails elsewhere: that a test fails is a result.
leave() {
	trap - EXIT
	abandon
	exit "$1"
}

# --- objects ------------------------------------------------------------------

# Those of the C files that the patches name, and of those that include a header of their
# own folder that they name.
objects() {
	for patch in "$series"/*.patch; do patch_files "$patch"; done | sort -u | c_files |
		sort -u | sed 's/c$/o/'
}

# As far as they are there.
c_files() {
	while read -r file; do
		[ -f "$source/$file" ] || continue
		case $file in
		include/*) ;;		# everybody's
		*.c) echo "$file" ;;
		*.h) grep -lF "\"${file##*/}\"" "$source/${file%/*}"/*.c | sed "s|^$source/||" ;;
		esac
	done
}

# objects_make FLAGS: make them in $area.
objects_make() {
	# shellcheck disable=SC2046	# a list of objects
	kernel_makefile -s -j "$(nproc)" KCFLAGS="$1" $(cat "$scratch/objects") || return
	while read -r object; do
		[ -f "$area/$object" ] || { echo "$object: not made"; return 1; }
	done <"$scratch/objects"
}

objects_without() {
	area=$top.without
	reconfigure || return
	cp "$scratch/before" "$scratch/objects"
	objects_make "-Wno-builtin-macro-redefined -D__LINE__=0"
}

objects_with() {
	area=$top.with
	reconfigure || return
	grep -x CONFIG_DAX_DEBUG_PINS=y "$area/.config" || return
	objects >"$scratch/objects"
	objects_make -Werror
}

# When a patch has changed what options there are.
reconfigure() {
	[ -n "$kconfig" ] || return 0
	[ "$area" = "$top.without" ] || echo CONFIG_DAX_DEBUG_PINS=y >>"$area/.config"
	kernel_makefile -s olddefconfig
}

objects_keep() {
	while read -r object; do
		(cd "$top.without" && cp --parents "$object" "$scratch/kept/")
	done <"$scratch/before"
}

objects_same() {
	while read -r object; do
		cmp "$scratch/kept/$object" "$top.without/$object" || return
	done <"$scratch/before"
}

# --- the check ----------------------------------------------------------------

# It reads .checkpatch.conf where it is run, which must be the tree.
checkpatch() {
	(
		cd "$source"
		scripts/checkpatch.pl --quiet --terse --show-types --ignore FILE_PATH_CHANGES "$1"
	)
}

applies() {
	patch_apply "$source" "$1"
}

patch_check() {
	patch=${1##*/} kconfig=$(patch_files "$1" | grep Kconfig || :)
	test_that "$patch applies" applies "$1"
	[ "$status" -eq 0 ] || { echo "Bail out! what comes next needs it"; leave 1; }
	test_that "$patch: checkpatch is silent" checkpatch "$1"
	test_that "$patch: objects without the option" objects_without
	test_that "$patch: are as without the patch" objects_same
	! grep -qsx 'config DAX_DEBUG_PINS' "$source/fs/Kconfig" ||
		test_that "$patch: objects with the option" objects_with
}

# One at a time has the source and the areas; the last one's patches are undone.
open_areas() {
	area=$top
	area_lock
	series='' source_copy >&2
	scratch=$(mktemp -d)
	mkdir "$scratch/kept"
	for area in "$top.without" "$top.with"; do
		mkdir -p "$area"
		: >"$log"
		configure base tests dax dm dax-fs
	done
}

given=
case ${1:-} in
-h | --help) usage ;;
--patches) [ $# -gt 1 ] || die "--patches: expected a folder"; given=$2; shift 2 ;;
esac
[ $# -eq 1 ] || die "$# arguments, expected [--patches DIR] VERSION (-h: help)"
need flock
name=src:$1
folder=${given:-$patches/$1}
[ -n "$(find "$folder" -maxdepth 1 -name '*.patch' 2>/dev/null)" ] ||
	die "$folder: no *.patch in it, expected a series"
folder=$(cd "$folder" && pwd -P)
source_package
"$vm/packages.sh" source >&2
compiler_find
top=$CACHE/build/check-$1 label=check-$1 log=$CACHE/build/check-$1.log
say "preparing to check $folder"
open_areas
series=$folder
objects >"$scratch/before"
test_that "objects without patches" objects_without
objects_keep
for patch_file in "$series"/*.patch; do
	patch_check "$patch_file"
done
echo "1..$count"
[ "$failed" -eq 0 ] || leave 1
