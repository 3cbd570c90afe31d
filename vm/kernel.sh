#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/kernel.sh [--patches DIR] NAME
#
# Print the path of a folder that has the kernel NAME, ready for a guest:
#
#	bzImage config System.map	the kernel, and what it was built with
#	modules/lib/modules/RELEASE/	its modules, with modules.dep; not there when
#					all is built in
#	build				to build a module: make -C FOLDER/build M=...
#	release version name		one line each: 6.1.0-56-amd64, 6.1.192, the
#					folder's name
#
# NAME is
#
#	stock			the newest kernel of the distribution
#	deb:PACKAGE[=VERSION]	a kernel package of it, linux-image-...
#	IMAGE[:MODULES[:BUILD]]	a bzImage; the folder that has its modules (as
#				lib/modules/RELEASE, or that folder itself); the
#				tree they were built in (default MODULES/build).
#				System.map and what is not given may be missing.
#	src:VERSION[+BIT]...	built from the distribution's source package, and
#	TREE[+BIT]...		from a kernel tree: see vm/kernel-build.sh, which
#				gets --patches, too; other kernels do without
#
# Packages are unpacked into the cache (DAXPIN_CACHE), never installed.  Without
# a network, `stock` is the newest one that is in the cache.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

# --- packages -----------------------------------------------------------------

# linux-image-amd64 names no kernel but depends on the newest one.
deb_real() {
	real=$1
	while next=$(apt_depends "$real" linux-image- | head -n 1) && [ -n "$next" ]; do
		real=$next
	done
	version=$(apt_field "$real" Version)
	[ -n "$version" ] || die "$real: unknown to apt, expected a linux-image-... package"
	echo "${real%%=*}=$version"
}

deb_kernel() {
	case $1 in
	*[!A-Za-z0-9.+:~=-]*) die "$1: bad name, expected PACKAGE[=VERSION]" ;;
	*-dbg) die "$1: a package of debug information, expected linux-image-..." ;;
	linux-image-?*) ;;
	*) die "$1: not a kernel package, expected linux-image-..." ;;
	esac
	[ -d "$(deb_entry "$1")" ] || deb_fetch "$1"
	deb_entry "${real:-$1}"
}

deb_entry() {
	printf '%s/kernels/%s\n' "$CACHE" "$(printf %s "$1" | tr '=:' '__')"
}

deb_fetch() {
	apt_lists
	real=$(deb_real "$1")
	folder=$(deb_entry "$real")
	once "${folder#"$CACHE/"}" deb_make "$real"
}

deb_make() {
	room 900
	# shellcheck disable=SC2046	# a list of packages
	apt_unpack "$work/root" "$1" $(apt_depends "$1" 'linux-(binary|modules)-')
	for image in "$work"/root/boot/vmlinuz-*; do
		[ -f "$image" ] || die "$1: no boot/vmlinuz-*, expected the package of a kernel"
	done
	release=${image##*/vmlinuz-}
	deb_image "$work/root"
	deb_headers "${1#*=}"
	rm -rf "$work/root"
	labels
}

deb_image() {
	mv "$1/boot/vmlinuz-$release" "$work/bzImage"
	mv "$1/boot/config-$release" "$work/config"
	# Debian's is one line that says where the real one is.
	find "$1/boot" -name "System.map-$release" -size +8k -exec mv {} "$work/System.map" \;
	mkdir -p "$work/modules/lib/modules"
	for lib in "$1/lib" "$1/usr/lib"; do
		[ ! -d "$lib/modules/$release" ] ||
			mv "$lib/modules/$release" "$work/modules/lib/modules/"
	done
	modules_index
}

# A module must be built with the headers of the same version.
deb_headers() {
	headers=linux-headers-$release=$1
	[ -n "$(apt_field "$headers" Version)" ] || {
		say "$headers: unknown to apt, no module can be built for this kernel"
		return 0
	}
	# shellcheck disable=SC2046	# a list of packages
	apt_unpack "$work/headers" "$headers" \
		$(apt_depends "$headers" 'linux-(headers|kbuild)-')
	# With vmlinux there, make wants pahole for type information of modules.
	rm -rf "$work/headers/usr/share" "$work/headers/usr/src/linux-headers-$release/vmlinux"
	deb_relocate "$work/headers/usr/src/linux-headers-$release"
	ln -s "headers/usr/src/linux-headers-$release" "$work/build"
}

# Their makefile includes /usr/src/..., and they want the very compiler that
# built the kernel: take the plain one when the host does not have that.
deb_relocate() {
	# shellcheck disable=SC2016	# the dollars are make's
	compiler='$(CROSS_COMPILE)$(if $(shell command -v $(CROSS_COMPILE)\1 2>\&1),\1,gcc)'
	for file in "$1/Makefile" "$1/.kernelvariables"; do
		[ ! -f "$file" ] || sed -i \
			-e "s|/usr/src/linux-|$entry/headers&|g" \
			-e "s|/usr/lib/linux-|$entry/headers&|g" \
			-e "s/\$(CROSS_COMPILE)\(gcc-[0-9]*\)\$/$compiler/" "$file"
	done
}

# --- a kernel that the user has -----------------------------------------------

bytes() {
	od -An -v -tx1 -j"$1" -N"$2" "$image" 2>/dev/null | tr -d ' \n'
}

# number OFFSET SIZE: what the header has there.
number() {
	od -An -v --endian=little -tu"$2" -j"$1" -N"$2" "$image" | tr -d ' '
}

looks_like() {
	case $(bytes 0 4) in
	'') echo "an empty file" ;;
	7f454c46) echo "an ELF file, like vmlinux" ;;
	1f8b*) echo "a gzip file, like Image.gz" ;;
	2321*) echo "a script" ;;
	213c6172) echo "a Debian package" ;;
	*) [ "$(bytes 56 4)" = 41524d64 ] && echo "an arm64 Image" || echo "not a kernel" ;;
	esac
}

image_check() {
	[ -e "$image" ] ||
		die "$image: no such file, expected stock, deb:PACKAGE, src:VERSION, a tree or a bzImage"
	[ -f "$image" ] || die "$image: not a file, expected a bzImage"
	[ -r "$image" ] || die "$image: not readable, expected a bzImage"
	[ "$(bytes 514 4)" = 48647253 ] || die "$image: $(looks_like), expected a bzImage"
	[ $(($(number 566 1) & 1)) -eq 1 ] || die "$image: a 32-bit kernel, expected x86_64"
	size=$((($(number 497 1) + 1) * 512 + $(number 500 4) * 16))
	[ "$(wc -c <"$image")" -ge "$size" ] || die "$image: cut short, expected $size bytes"
}

# The header has the distance from 0x200 to "RELEASE (user@host) #1 ... DATE".
image_banner() {
	tail -c +$(($(number 526 2) + 513)) "$image" | head -c 512 | tr '\0' '\n' | sed q
}

image_release() {
	release=$(image_banner | sed 's/ .*//')
	case $release in
	[0-9]*.[0-9]*) ;;
	*) die "$image: no release in its header, expected a bzImage" ;;
	esac
}

# Set $modules to the folder that ends in lib/modules/RELEASE.
image_modules() {
	[ -n "$modules" ] || return 0
	[ -d "$modules" ] || die "$modules: not a folder, expected the modules of $release"
	for given in "$modules/lib/modules/$release" "$modules/$release" "$modules"; do
		[ ! -d "$given" ] || break
	done
	given=$(cd "$given" && pwd -P)
	[ "${given##*/}" = "$release" ] ||
		die "$modules: no lib/modules/$release, expected the modules of $image ($release)"
	modules=$given
}

image_build() {
	[ -n "$build" ] || [ ! -f "${modules:-/nowhere}/build/Makefile" ] || build=$modules/build
	[ -n "$build" ] || return 0
	[ -f "$build/Makefile" ] || die "$build: no Makefile, expected the tree $image was built in"
	build=$(cd "$build" && pwd -P)
	built=$(build_release)
	[ "$built" = "$release" ] ||
		die "$build: built ${built:-nothing}, expected the tree of $image ($release)"
}

# Not kernel.release: in Debian's headers that is another one.
build_release() {
	sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' "$build/include/generated/utsrelease.h" \
		2>/dev/null || :	# not built yet
}

# Set $found to the first of the files that is there, or to nothing.
first_file() {
	for found; do
		[ ! -f "$found" ] || return 0
	done
	found=
}

image_config() {
	beside=${image%/*} tree=${image%/arch/*/boot/*}
	first_file "${build:-/nowhere}/.config" "${modules:-/nowhere}/config" \
		"$beside/config-$release" "$beside/config" "$tree/.config"
	config=$found
	first_file "${build:-/nowhere}/System.map" "$beside/System.map-$release" \
		"$beside/System.map" "$tree/System.map"
	map=$found
	[ -n "$config" ] || say "$image: no config beside it, what the kernel has is not known"
}

# One entry for each content: modules by name, size and time, the rest whole.
image_key() {
	{
		cat "$image" ${config:+"$config"}
		echo "$modules" "$build"
		[ -z "$modules" ] || (cd "$modules" && find . -type f -printf '%p %s %T@\n' | sort)
	} | sha256sum | cut -c 1-12
}

# The kernel is copied: who builds the next one during a run changes no result.
image_make() {
	cp "$image" "$work/bzImage"
	[ -z "$config" ] || cp "$config" "$work/config"
	[ -z "$map" ] || cp "$map" "$work/System.map"
	[ -z "$build" ] || ln -s "$build" "$work/build"
	[ -z "$modules" ] || image_link
	labels
}

image_link() {
	mkdir -p "$work/modules/lib/modules"
	if [ -f "$modules/modules.dep" ]; then
		ln -s "$modules" "$work/modules/lib/modules/$release"
		return
	fi
	room $(($(du -sm "$modules" | cut -f 1) + 100))
	cp -a "$modules" "$work/modules/lib/modules/$release"
	modules_index
}

image_kernel() {
	IFS=: read -r image modules build rest <<-EOF
		$1
	EOF
	[ -z "$rest" ] || die "$1: too many colons, expected IMAGE[:MODULES[:BUILD]]"
	image_check
	image=$(cd "$(dirname "$image")" && pwd -P)/${image##*/}
	image_release
	image_modules
	image_build
	image_config
	once "kernels/image-$(image_key)" image_make
	echo "$entry"
}

# --- a kernel that is built ---------------------------------------------------

# A folder is a tree; +BIT may follow, and a path may have plus signs of its own.
is_tree() {
	path=$1
	while [ ! -e "$path" ] && [ "$path" != "${path%+*}" ]; do
		path=${path%+*}
	done
	[ ! -f "$path" ] || [ "$path" = "$1" ] ||
		die "$1: $path is a file, expected a kernel tree before +BIT"
	[ -d "$path" ]
}

build_kernel() {
	exec "$(dirname "$0")/kernel-build.sh" ${patches:+--patches "$patches"} "$1"
}

# --- both ---------------------------------------------------------------------

# depmod looks in lib/modules or in usr/lib/modules, as it was built.
modules_index() {
	for link in build source; do
		rm -f "$work/modules/lib/modules/$release/$link"
	done
	mkdir "$work/modules/usr"
	ln -s ../lib "$work/modules/usr/lib"
	depmod -b "$work/modules" "$release" ||
		die "depmod failed, expected it to index the modules of $release"
}

# A distribution's release may not tell the version: Debian's 6.1.0-56 is 6.1.192.
labels() {
	image=$work/bzImage
	echo "$release" >"$work/release"
	image_banner | sed -n 's/.* Debian \([0-9][0-9.]*\).*/\1/p' >"$work/version"
	[ -s "$work/version" ] || echo "$release" >"$work/version"
	echo "${entry##*/}" >"$work/name"
}

patches=
[ "${1:-}" != --patches ] || [ $# -lt 2 ] || { patches=$2; shift 2; }
[ $# -eq 1 ] || die "$# arguments, expected [--patches DIR] NAME (-h: help)"
need flock od depmod
case $1 in
-h | --help) usage ;;
stock) newest stock sh "$0" deb:linux-image-amd64 ;;
deb:*) deb_kernel "${1#deb:}" ;;
src:*) build_kernel "$1" ;;
'' | -*) die "'$1': not a kernel, expected stock, deb:PACKAGE, src:VERSION, TREE or IMAGE[:MODULES[:BUILD]]" ;;
*) if is_tree "$1"; then build_kernel "$1"; else image_kernel "$1"; fi ;;
esac
