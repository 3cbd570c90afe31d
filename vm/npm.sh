#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/npm.sh PACKAGE=VERSION...
#
# Print a folder of the cache that has these packages of npm in its node_modules.  None of
# them is part of the project or of a guest: they check what we write.  No script of
# theirs runs when they are installed.  Exit status 2 without npm or network.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

npm_make() {
	say "fetching $*"
	for package; do
		set -- "$@" "${package%=*}@${package##*=}"
		shift
	done
	(cd "$work" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error \
		--prefix . "$@" >&2) || die "$*: not installed, expected npm to fetch it"
}

case ${1:-} in
'' | -h | --help) usage ;;
esac
for package; do
	case $package in
	?*=[0-9]*) ;;
	*) die "$package: bad name, expected PACKAGE=VERSION" ;;
	esac
done
need npm flock
once "npm/$(printf '%s ' "$@" | cksum | cut -d ' ' -f 1)" npm_make "$@"
echo "$entry"
