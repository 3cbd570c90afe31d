#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/linux-source.sh [PACKAGE[=VERSION]]
#
# Print the path of a folder that has the parts of a Linux source tree that
# tests are built with: kselftest (lib.mk, headers, runner), kunit's parser,
# checkpatch, merge_config.
#
# PACKAGE is a source package of the distribution.  It is unpacked into the cache
# (DAXPIN_CACHE), never installed.  Without an argument it is DAXPIN_LINUX_SOURCE
# (default linux-source-6.12), and the newest one of it in the cache will do when
# there is no network.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

package=${1:-${DAXPIN_LINUX_SOURCE:-linux-source-6.12}}

# Below the top of the tree; a star does not match a slash.
parts='
	tools/testing/selftests/Makefile
	tools/testing/selftests/*.mk
	tools/testing/selftests/*.h
	tools/testing/selftests/*.sh
	tools/testing/selftests/kselftest
	tools/testing/kunit
	tools/arch/*/include/uapi
	tools/include/uapi
	tools/scripts
	scripts/checkpatch.pl
	scripts/spelling.txt
	scripts/const_structs.checkpatch
	scripts/subarch.include
	scripts/decode_stacktrace.sh
	scripts/extract-vmlinux
	scripts/kconfig/merge_config.sh
'

# The list is part of the key: a folder that was made with another one is not used.
parts_id=$(printf %s "$parts" | cksum | cut -d ' ' -f 1)

# The package holds one compressed tar file: nothing else is written to disk.
source_tar() {
	for deb in "$work"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/${package%%=*}.tar.xz"
	done
}

source_unpack() {
	printf %s "$parts" | sed -n "s|^\t|${package%%=*}/|p" >"$work/.members"
	source_tar | xz -dc | tar -x -C "$work" --strip-components=1 --wildcards \
		--no-wildcards-match-slash -T "$work/.members" ||
		die "$package: cannot be unpacked, expected a source tree and room in $CACHE"
}

source_make() {
	room 300
	say "fetching $package"
	(cd "$work" && apt_run apt-get -qq download "$package" >&2) ||
		die "$package: no download, expected apt-get to fetch it"
	say "unpacking $package"
	source_unpack
	rm -f "$work"/*.deb "$work/.members"
}

# Set $package to PACKAGE=VERSION.
source_version() {
	apt_lists
	version=$(apt_field "$package" Version)
	[ -n "$version" ] || die "$package: unknown to apt, expected a linux-source-... package"
	package=${package%%=*}=$version
}

source_exact() {
	case $package in *=*) ;; *) source_version ;; esac
	once "linux-source-$(printf %s "${package#*=}" | tr : _)-$parts_id" source_fetch
	echo "$entry"
}

source_fetch() {
	apt_lists
	source_make
}

[ $# -le 1 ] || die "$# arguments, expected [PACKAGE[=VERSION]] (-h: help)"
need flock xz
case $package in
-h | --help) usage ;;
*[!A-Za-z0-9.+:~=-]*) die "$package: bad name, expected PACKAGE[=VERSION]" ;;
linux-source-?*) ;;
*) die "$package: not a source package, expected linux-source-..." ;;
esac
if [ $# -eq 1 ]; then
	source_exact
else
	newest "$package-$parts_id" sh "$0" "$package"
fi
