#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/kernel-build.sh [--lax] [--own] [--patches DIR] NAME[+BIT]...
#
# Build a kernel and print the path of its folder, as vm/kernel.sh does.  NAME is
#
#	src:VERSION	the distribution's package linux-source-VERSION, or, when
#			it has none, that of Debian unstable or experimental
#	TREE		a kernel tree, to which nothing is written
#
# A package's source gets the patches of vm/patches/VERSION, or, where they all
# apply, those of the newest version before.  A tree gets none.  --patches DIR
# applies DIR/*.patch instead.  The config bit debug-pins is added when the
# patched source has what it asks for.
#
# BIT is a file of configs/kernel, on top of base, tests, dax and dm, or
# `unpatched`: no patches.  The bits must not contradict each other, and what they
# ask for must be in the result, or nothing is built.  All of it is built in, and
# there are no modules.
#
# The folder has a build.log, too.  A build that fails leaves its log beside its
# objects, in build/ in the cache (DAXPIN_CACHE).  Objects stay there, and the
# copy of a source that is patched or a tree, so that after a small change, of a
# patch, too, the next build takes a minute.
#
# For a bisection: with --lax, options of bits that its version does not have are named,
# and no error, and the exit status is 3 when the source cannot be built; with --own, TREE is a checkout in the cache that nobody else changes, and
# it is built without a copy.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

vm=$(cd "$(dirname "$0")" && pwd)
configs=$(cd "$vm/../configs/kernel" && pwd)
report_every=4				# seconds
recipe=2				# of the folder; another one is another key

# shellcheck source=SCRIPTDIR/kernel-source.sh
. "$vm/kernel-source.sh"
# shellcheck source=SCRIPTDIR/kernel-config.sh
. "$vm/kernel-config.sh"

# --- the name -----------------------------------------------------------------

# Set $name, and $more to the bits.  A path may have plus signs of its own.
split() {
	name=$1
	case $name in
	src:*) name=${name%%+*} ;;
	*) while [ ! -e "$name" ] && [ "$name" != "${name%+*}" ]; do name=${name%+*}; done ;;
	esac
	more=${1#"$name"}
}

# Set $bits to all bits, $plus to "+BIT..." of those that are asked for, and
# $unpatched when that is.
bits() {
	case $more+ in *++*) die "$1: an empty config bit, expected +BIT" ;; esac
	bits="base tests dax dm" plus='' unpatched=''
	for bit in $(printf %s "$more" | tr + '\n' | sort -u); do
		case $bit in
		base | tests | dax | dm) continue ;;
		unpatched) unpatched=yes; continue ;;
		*[!a-z0-9-]*) die "$bit: bad name of a config bit, expected $(bits_known)" ;;
		esac
		[ -f "$configs/$bit" ] || die "$bit: no such config bit, expected $(bits_known)"
		bits="$bits $bit" plus=$plus+$bit
	done
}

bits_known() {
	find "$configs" -type f -printf '%f\n' | sort | tr '\n' ' ' | sed 's/ $//; s/ / or /g'
}

# --- patches ------------------------------------------------------------------

# Set $series, and add to $plus what the name tells of it.
series_choose() {
	series=$given
	if [ -n "$given" ]; then
		plus=$plus+patches
	elif [ -n "$unpatched" ]; then
		plus=$plus+unpatched
	else
		case $name in src:*) series_default "${name#src:}" ;; esac
	fi
	[ -z "$series" ] || series_bits
}

# All of a series of another version or nothing of it.
series_default() {
	of=$(series_of "$1")
	[ -n "$of" ] || return 0
	series=$patches/$of
	[ "$of" != "$1" ] || return 0
	series_apply || {
		series_refused
		printf '%s: %s: %s of the series for %s does not apply, going on without the series\n' \
			"$me" "$name" "${refused##*/}" "$of" >&2
		series='' plus=$plus+unpatched
	}
}

# The series must apply, and what it adds is switched on.
series_bits() {
	[ -n "$scratch" ] || series_apply || {
		series_refused
		die "$refused: does not apply to $name, expected a patch for it"
	}
	if grep -qsx 'config DAX_DEBUG_PINS' "$scratch/tree/fs/Kconfig" "$source/fs/Kconfig"; then
		case " $bits " in *" debug-pins "*) ;; *) bits="$bits debug-pins" ;; esac
	fi
}

# Set $given to the folder of --patches.
patches_given() {
	[ -d "$1" ] || die "--patches $1: no such folder, expected one with *.patch files"
	given=$(cd "$1" && pwd -P)
	case $given in
	*[!A-Za-z0-9_./@+~=,-]*) die "$given: bad path, expected only A-Za-z0-9_./@+~=,-" ;;
	esac
	[ -n "$(find "$given" -maxdepth 1 -name '*.patch')" ] ||
		die "--patches $1: no *.patch in it, expected the patches to apply"
}

# --- building -----------------------------------------------------------------

compiler() {
	gcc --version | sed q
	ld --version | sed q
}

key() {
	{
		echo "$recipe $variables $id${lax:+ lax}"
		compiler
		for bit in $bits; do
			echo "$bit"
			cat "$configs/$bit"
		done
		[ -z "$series" ] || series_patches | xargs -d '\n' cat
	} | sha256sum | cut -c 1-12
}

# Set $label and $area; two trees may have the same name.
label() {
	case $name in
	src:*) label=src-${name#src:}$plus area=$label ;;
	*)
		label=$(printf %s "${source##*/}" | tr -c 'A-Za-z0-9_.-' -)$plus
		area=$label-$(printf %s "$source" | sha256sum | cut -c 1-8) ;;
	esac
	area=$CACHE/build/$area
}

kernel_make() {
	"$vm/packages.sh" source >&2
	need make gcc ld flex bison bc git rsync
	compiler_find
	log=$area.log
	area_lock
	case $name:$series:$own in src:*::* | *::yes) ;; *) source_copy ;; esac
	area_open
	say "building $label"
	# shellcheck disable=SC2086	# a list of bits
	configure $bits
	[ "${entry##*-}" = "$(key)" ] ||
		die "$label: its bits or patches changed meanwhile, expected them to stay: try again"
	compile
	collect
}

# Objects are of one source; where a build was killed, one may be cut short.
area_open() {
	if [ ! -f "$area/status" ] || [ "$(readlink "$area/source")" != "$source" ]; then
		rm -rf "$area"
	fi
	if [ -d "$area" ]; then room 400; else room 1200; fi
	mkdir -p "$area"
	: >"$log"
}

# While there is no status, the objects are not to be trusted.  Make has the signals to itself:
# it removes what it was making, unless it was killed.  It has two jobs more than there are
# CPUs, for it makes directories one by one and a compiler waits for its files.
compile() {
	rm -f "$area/status"
	report >/dev/null 8>&- 9>&- &
	reporter=$!
	(
		trap : HUP INT TERM
		status=0
		kernel_makefile -j $(($(nproc) + 2)) bzImage modules >>"$log" 2>&1 || status=$?
		[ "$status" -ge 128 ] || echo "$status" >"$area/status"
	)
	kill "$reporter" 2>/dev/null || :
	grep -qsx 0 "$area/status" || failed
}

# One line every few seconds, as long as we live.
report() {
	while sleep "$report_every" 2>/dev/null && kill -0 $$ 2>/dev/null; do
		say "$label: $(grep -c '^  [A-Z]* .*\.o$' "$log") objects, $(sed -n 's/^  *\([A-Z]* .*\)/\1/p' "$log" | tail -n 1)"
	done
}

collect() {
	cp "$area/arch/x86/boot/bzImage" "$area/System.map" "$work/"
	! grep -qx CONFIG_DEBUG_INFO=y "$area/.config" || cp "$area/vmlinux" "$work/"
	cp "$area/.config" "$work/config"
	cp "$log" "$work/build.log"
	module_tree
	cp "$area/include/config/kernel.release" "$work/release"
	kernel_makefile -s kernelversion >"$work/version"
	echo "${entry##*/}" >"$work/name"
}

# What a module is built with, and no objects: those are of the last build.  The
# sources are links to files that are never written to, and stay when the copy
# gets other patches.
module_tree() {
	mkdir "$work/build" "$work/source"
	(cd "$source" && cp -al --parents Makefile arch/x86 include scripts "$work/source/")
	(cd "$area" && cp -a --parents Makefile .config Module.symvers include scripts \
		arch/x86/include tools/objtool/objtool "$work/build/") ||
		die "$label: incomplete, expected what modules are built with in $area"
	ln -s ../source "$work/build/source"
	sed -i -e "s|$source/|$entry/source/|" -e "s|= $area\$|= $entry/build|" "$work/build/Makefile"
}

given='' own='' lax=''
case ${1:-} in
-h | --help) usage ;;
--source) source_print "$2"; exit ;;
esac
if [ "${1:-}" = --lax ]; then lax=yes; shift; fi
if [ "${1:-}" = --own ]; then own=yes; shift; fi
if [ "${1:-}" = --patches ]; then
	[ $# -gt 1 ] || die "--patches: expected a folder"
	patches_given "$2"
	shift 2
fi
[ $# -eq 1 ] || die "$# arguments, expected [--patches DIR] NAME (-h: help)"
need flock
split "$1"
bits "$1"
[ -z "$given" ] || [ -z "$unpatched" ] || die "$1: unpatched, expected no --patches with it"
case $name in
src:*) source_package ;;
*) source_tree ;;
esac
series_choose
label
once "kernels/$label-$(key)" kernel_make
echo "$entry"
