#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/packages.sh [-n] [run|check|source]
#
# Install the packages of configs/packages that are missing: those that tests
# run with (run, the default), with those that `make check` wants too (check), or
# with those that build a kernel (source).
# Without the right to install them, print the command that does, and exit 2;
# with -n, only print what is missing.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

list=$(dirname "$0")/../configs/packages

wanted() {
	awk -v group="$group" '$1 == "run" || $1 == group { print $2 }' "$list" | sort -u
}

# dpkg-query complains of those it does not know: they are missing, too.
installed() {
	# shellcheck disable=SC2016,SC2046	# the dollar is dpkg's; a list of packages
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(wanted) 2>/dev/null |
		sed -n 's/^installed //p'
}

missing() {
	wanted | grep -vxF -e "$(installed)" | tr '\n' ' '
}

# Set $as to what makes us root, and fail when nothing does.
may_install() {
	as=
	[ "$(id -u)" -ne 0 ] || return 0
	as="sudo -n"
	sudo -n true 2>/dev/null
}

install_packages() {
	if ! lists_fresh /var/lib/apt/lists; then
		$as apt-get -q update >&2 || say "apt-get update failed, going on with old lists"
	fi
	# shellcheck disable=SC2086	# lists of words
	$as env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
		install -y --no-install-recommends $1 >&2 ||
		die "apt-get failed, expected it to install $1"
}

dry=
[ "${1:-}" != -n ] || { dry=yes; shift; }
group=${1:-run}
case $group in
-h | --help) usage ;;
run | check | source) ;;
*) die "$group: unknown group, expected run, check or source" ;;
esac
command -v dpkg-query >/dev/null ||
	die "no dpkg-query, expected a Debian system (elsewhere install what $list lists by hand)"
packages=$(missing)
packages=${packages% }
[ -n "$packages" ] || exit 0
[ -z "$dry" ] || { echo "$packages"; exit 2; }
if may_install; then
	say "installing $packages"
	install_packages "$packages"
else
	echo "sudo apt-get install -y --no-install-recommends $packages"
	die "missing $packages, expected to be root or to have sudo: run the command above"
fi
