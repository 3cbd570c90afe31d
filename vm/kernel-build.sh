#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/kernel-build.sh NAME[+BIT]...
#
# Build a kernel and print the path of its folder, as vm/kernel.sh does.  NAME is
#
#	src:VERSION	the distribution's package linux-source-VERSION, or, when
#			it has none, that of Debian unstable or experimental
#	TREE		a kernel tree, to which nothing is written
#
# BIT is a file of configs/kernel, on top of base, dax and dm.  The bits must
# not contradict each other, and what they ask for must be in the result, or
# nothing is built.  All of it is built in, and there are no modules.
#
# The folder has a build.log, too.  A build that fails leaves its log beside its
# objects, in build/ in the cache (DAXPIN_CACHE).  Objects stay there, so that
# after a small change the next build takes a minute.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

vm=$(cd "$(dirname "$0")" && pwd)
configs=$(cd "$vm/../configs/kernel" && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
report_every=4				# seconds
variables="ARCH=x86_64 LOCALVERSION= KBUILD_BUILD_USER=daxpin KBUILD_BUILD_HOST=daxpin"
recipe=1				# of the folder; another one is another key

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

# Set $bits to all bits and $plus to "+BIT..." of those that are asked for.
bits() {
	case $more+ in *++*) die "$1: an empty config bit, expected +BIT" ;; esac
	bits="base dax dm" plus=
	for bit in $(printf %s "$more" | tr + '\n' | sort -u); do
		case $bit in
		base | dax | dm) continue ;;
		*[!a-z0-9-]*) die "$bit: bad name of a config bit, expected $(bits_known)" ;;
		esac
		[ -f "$configs/$bit" ] || die "$bit: no such config bit, expected $(bits_known)"
		bits="$bits $bit" plus=$plus+$bit
	done
}

bits_known() {
	find "$configs" -type f -printf '%f\n' | sort | tr '\n' ' ' | sed 's/ $//; s/ / or /g'
}

# --- the source: a package ----------------------------------------------------

source_package() {
	case ${name#src:} in
	[0-9]*.[0-9]*) ;;
	*) die "$name: not a version, expected src:VERSION like src:6.12" ;;
	esac
	case $name in *[!a-z0-9.:]*) die "$name: bad name, expected src:VERSION like src:6.12" ;; esac
	source=$(newest "${name#src:}-tree" sh "$0" --source "${name#src:}")
	id=${source##*/}
	label=src-${name#src:}$plus
	area=$CACHE/build/$label
}

# --source VERSION: print the folder of the unpacked source.
source_print() {
	package=linux-source-$1
	apt_lists
	version=$(apt_field "$package" Version)
	[ -n "$version" ] || {
		unstable
		version=$(apt_field "$package" Version)
	}
	[ -n "$version" ] || die "src:$1: no package $package, expected $(sources_known)"
	once "source/${package}_$(printf %s "$version" | tr : _)" source_make
	echo "$entry"
}

sources_known() {
	apt_run apt-cache pkgnames linux-source- | sed -n 's/^linux-source-\([0-9.]*\)$/src:\1/p' |
		sort -V | tr '\n' ' ' | sed 's/ $//; s/ / or /g'
}

# The archive's other suites, by the host's mirror.  From here on apt and the
# cache are in a folder of their own.
unstable() {
	uri=$(mirror)
	[ -n "$uri" ] || die "no mirror of Debian in apt's sources, expected one"
	[ -r "$keyring" ] || die "$keyring: not found, expected package debian-archive-keyring"
	CACHE=$CACHE/unstable
	lists=$CACHE/apt/lists
	mkdir -p "$CACHE/apt"
	lock apt
	unstable_folder "$uri"
	lists_fresh "$lists" || apt_update || say "unstable's package lists cannot be fetched"
	exec 9>&-
	lists_any "$lists" || die "no package lists of unstable, expected a network"
}

mirror() {
	# shellcheck disable=SC2016	# the dollars are apt's
	apt_run apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian //p' | sed q
}

unstable_folder() {
	for folder in state etc/apt.conf.d etc/preferences.d etc/sources.list.d etc/trusted.gpg.d; do
		mkdir -p "$CACHE/apt/$folder"
	done
	unstable_sources "$1" >"$CACHE/apt/sources.list"
	unstable_config >"$CACHE/apt/apt.conf"
	export APT_CONFIG="$CACHE/apt/apt.conf"
}

unstable_sources() {
	for suite in unstable experimental; do
		echo "deb [arch=amd64 signed-by=$keyring] $1 $suite main"
	done
}

# How to reach a mirror is as on the host; nothing else is.
unstable_config() {
	apt-config dump Acquire
	cat <<-EOF
		Acquire::AllowInsecureRepositories "false";
		Acquire::Languages "none";
		Dir::State "$CACHE/apt/state";
		Dir::State::status "/dev/null";
		Dir::Etc "$CACHE/apt/etc";
		Dir::Etc::main "/dev/null";
		Dir::Etc::sourcelist "$CACHE/apt/sources.list";
	EOF
}

source_make() {
	room 2500
	say "fetching $package $version"
	(cd "$work" && apt_run apt-get -qq download "$package=$version" >&2) ||
		die "$package=$version: no download, expected apt-get to fetch it"
	say "unpacking $package $version"
	for deb in "$work"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$package.tar.xz" |
			xz -dc -T0 | source_unpack
	done
	[ -f "$work/Makefile" ] || die "$package=$version: no kernel in it, expected its source"
	rm -f "$work"/*.deb
}

# Half of it is of no use here: texts, other architectures, a GPU's registers.
source_unpack() {
	tar -x -C "$work" --strip-components=1 --anchored --wildcards \
		--exclude="$package/Documentation/[a-z]*" \
		--exclude="$package/arch/[!Kux]*.[chS]" --exclude="$package/arch/[!Kux]*.dts*" \
		--exclude="$package/drivers/gpu/drm/amd/include/asic_reg" ||
		die "$package=$version: cannot be unpacked, expected a source tree and room in $CACHE"
}

# --- the source: a tree -------------------------------------------------------

source_tree() {
	[ -e "$name" ] || die "$name: no such folder, expected src:VERSION or a kernel tree"
	tree_check
	source=$(cd "$name" && pwd -P)
	case $source in
	*[!A-Za-z0-9_./@+~=,-]*) die "$source: bad path, expected only A-Za-z0-9_./@+~=,-" ;;
	esac
	id=$(tree_id | sha256sum)
	label=$(printf %s "${source##*/}" | tr -c 'A-Za-z0-9_.-' -)$plus
	area=$CACHE/build/$label-$(printf %s "$source" | sha256sum | cut -c 1-8)
}

# The kernel's makefile refuses O= for a tree that has objects of its own.
tree_check() {
	for file in Makefile Kconfig arch/x86/Kconfig scripts/kconfig/merge_config.sh; do
		[ -f "$name/$file" ] ||
			die "$name: no $file, expected a kernel tree of x86"
	done
	for file in .config include/config arch/x86/include/generated; do
		[ ! -e "$name/$file" ] ||
			die "$name: has $file of a build in place, expected a clean tree (make mrproper)"
	done
}

# What the tree holds: in git the commit and all that differs from it, otherwise
# each file by name, size and time.
tree_id() {
	if [ "$(tree_git rev-parse --show-toplevel 2>/dev/null)" = "$source" ]; then
		tree_git rev-parse --verify -q 'HEAD^{tree}'
		tree_git diff --binary --no-ext-diff --no-textconv HEAD
		tree_git ls-files -z -o --exclude-standard | (cd "$source" && xargs -0r sha256sum)
	else
		find "$source" -name .git -prune -o -type f -printf '%P %s %T@\n' | sort
	fi
}

# Without locks git does not write its index.
tree_git() {
	git --no-optional-locks -C "$source" "$@"
}

# --- building -----------------------------------------------------------------

compiler() {
	gcc --version | sed q
	ld --version | sed q
}

key() {
	{
		echo "$recipe $variables $id"
		compiler
		for bit in $bits; do
			echo "$bit"
			cat "$configs/$bit"
		done
	} | sha256sum | cut -c 1-12
}

# Only what is named here reaches the kernel's makefiles.  In its depend mode
# ccache does without a second look at each file.
clean() {
	env -i PATH="$PATH" HOME="${HOME:-/}" LC_ALL=C TMPDIR="${TMPDIR:-/tmp}" CCACHE_DEPEND=1 \
		${CCACHE_DIR:+CCACHE_DIR="$CCACHE_DIR"} "$@"
}

kernel_makefile() {
	# shellcheck disable=SC2086	# a list of words
	clean make --no-print-directory -C "$source" O="$area" $variables \
		CC="${ccache}gcc" HOSTCC=gcc "$@"
}

kernel_make() {
	"$vm/packages.sh" source >&2
	need make gcc ld flex bison bc
	ccache=
	! command -v ccache >/dev/null || ccache="ccache "
	log=$area.log
	area_open
	say "building $label"
	configure
	compile
	tree_same
	collect
}

# Objects are of one source; where a build was killed, one may be cut short.
area_open() {
	mkdir -p "${area%/*}"
	exec 8>"$CACHE/.lock-build-${area##*/}"
	flock 8
	if [ ! -f "$area/status" ] || [ "$(readlink "$area/source")" != "$source" ]; then
		rm -rf "$area"
	fi
	if [ -d "$area" ]; then room 400; else room 1200; fi
	mkdir -p "$area"
	: >"$log"
}

# What the bits ask for goes before tinyconfig: of two lines kconfig takes the last.
configure() {
	logged kernel_makefile tinyconfig
	mv "$area/.config" "$area/.config.tiny"
	set --
	for bit in $bits; do set -- "$@" "$configs/$bit"; done
	merge "$@"
	cat "$area/.config.tiny" "$area/.config.bits" >"$area/.config"
	logged kernel_makefile olddefconfig
	config_check "$@"
}

# The bits must agree (-s).  The script makes temporary files where it is run.
merge() {
	(
		cd "$area"
		clean KCONFIG_CONFIG="$area/.config.bits" \
			sh "$source/scripts/kconfig/merge_config.sh" -m -s /dev/null "$@"
	) >"$area/merge.log" 2>&1 || {
		grep -A 2 redefined "$area/merge.log" >&2 || cat "$area/merge.log" >&2
		die "$label: config bits that contradict each other, expected one value for an option"
	}
}

logged() {
	"$@" >>"$log" 2>&1 || failed
}

# Kconfig drops, without a word, what it does not know and what has a missing dependency.
config_check() {
	lost=$(awk '
		FNR == NR { have[$0]; if (/^CONFIG_/) { sub(/=.*/, ""); set[$0] } next }
		/^CONFIG_/ && !($0 in have) { print FILENAME, $0 }
		/^# CONFIG_[A-Za-z0-9_]+ is not set$/ && ($2 in set) { print FILENAME, $0 }
	' "$area/.config" "$@")
	[ -z "$lost" ] || {
		printf '%s\n' "$lost" | while read -r line; do config_lost "${line%% *}" "${line#* }"; done
		die "$label: the kernel's configuration lacks the options above, expected them all"
	}
}

# config_lost FILE LINE: why the line of the file is not in the result.
config_lost() {
	symbol=$(printf %s "$2" | sed 's/^# //; s/^CONFIG_//; s/[= ].*//')
	if ! grep -rqE --include='Kconfig*' "^[[:blank:]]*(menu)?config $symbol\$" "$source"; then
		why="this version has no such option"
	elif [ "${2#"#"}" = "$2" ]; then
		why="something that it depends on is off"
	else
		why="something else selects it"
	fi
	printf '%s: configs/kernel/%s: %s: %s\n' "$me" "${1##*/}" "$2" "$why" >&2
}

# While there is no status, the objects are not to be trusted.  Make has the
# signals to itself: it removes what it was making.
compile() {
	rm -f "$area/status"
	report >/dev/null 8>&- 9>&- &
	reporter=$!
	(
		trap : HUP INT TERM
		status=0
		kernel_makefile -j "$(nproc)" bzImage modules >>"$log" 2>&1 || status=$?
		echo "$status" >"$area/status"
	)
	kill "$reporter" 2>/dev/null || :
	[ "$(cat "$area/status")" = 0 ] || failed
}

# One line every few seconds, as long as we live.
report() {
	while sleep "$report_every" 2>/dev/null && kill -0 $$ 2>/dev/null; do
		say "$label: $(grep -c '^  [A-Z]* .*\.o$' "$log") objects, $(sed -n 's/^  *\([A-Z]* .*\)/\1/p' "$log" | tail -n 1)"
	done
}

# The first errors are the telling ones; without any, the end of the log.
failed() {
	grep -E '(^|[^a-z])error: |undefined reference|No space left|\*\*\*' "$log" |
		head -n 20 | grep . >&2 || tail -n 10 "$log" >&2
	die "$label: not built, expected a kernel; all that was said is in $log"
}

# What changed meanwhile may be in the kernel or not.
tree_same() {
	case $name in src:*) return 0 ;; esac
	[ "$(tree_id | sha256sum)" = "$id" ] ||
		die "$name: changed while it was built, expected it to stay: try again"
}

collect() {
	cp "$area/arch/x86/boot/bzImage" "$area/System.map" "$work/"
	cp "$area/.config" "$work/config"
	cp "$log" "$work/build.log"
	module_tree
	cp "$area/include/config/kernel.release" "$work/release"
	kernel_makefile -s kernelversion >"$work/version"
	echo "${entry##*/}" >"$work/name"
}

# What a module is built with, and no objects: those are of the last build.
module_tree() {
	mkdir "$work/build"
	(cd "$area" && cp -a --parents Makefile .config Module.symvers source include scripts \
		arch/x86/include tools/objtool/objtool "$work/build/") ||
		die "$label: incomplete, expected what modules are built with in $area"
}

case ${1:-} in
-h | --help) usage ;;
--source) source_print "$2"; exit ;;
esac
[ $# -eq 1 ] || die "$# arguments, expected NAME (-h: help)"
need flock
split "$1"
bits "$1"
case $name in
src:*) source_package ;;
*) source_tree ;;
esac
once "kernels/$label-$(key)" kernel_make
echo "$entry"
