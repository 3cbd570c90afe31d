# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154	# who reads this sets what it says
#
# Sourced by kernel-build.sh and patches-check.sh, after common.sh: the source of
# a kernel, patches for it, and the copy of it that they are applied to.
#
# Set before: $vm to this folder.  Functions take and set these:
#
#	name		src:VERSION or the tree
#	source		the folder of the source; never written to
#	id		what is in it
#	series		the folder of the patches, empty when there are none
#	area		where it is built; its copy of the source is $area.source

patches=$vm/patches
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# What no build here reads: texts, other architectures, a GPU's registers.  In
# these patterns a star matches slashes, too, for tar as for git.
unused="Documentation/[a-z]* arch/[!Kux]*.[chS] arch/[!Kux]*.dts*
	drivers/gpu/drm/amd/include/asic_reg/*"

# unused OPTION: the patterns as options.
unused() {
	printf '%s\n' "$unused" | xargs -n 1 | sed "s|^|$1|"
}

# Only what is named here reaches the kernel's makefiles and git.  ccache reads no header again
# to know that it has not changed.
clean() {
	env -i PATH="$vm:$PATH" HOME="${HOME:-/}" LC_ALL=C TMPDIR="${TMPDIR:-/tmp}" \
		CCACHE_INODECACHE=1 ${CCACHE_DIR:+CCACHE_DIR="$CCACHE_DIR"} "$@"
}

# --- a package ----------------------------------------------------------------

source_package() {
	case ${name#src:} in
	[0-9]*.[0-9]*) ;;
	*) die "$name: not a version, expected src:VERSION like src:6.12" ;;
	esac
	case $name in *[!a-z0-9.:]*) die "$name: bad name, expected src:VERSION like src:6.12" ;; esac
	source=$(newest "${name#src:}-tree" sh "$vm/kernel-build.sh" --source "${name#src:}")
	id=${source##*/}
}

# Print the folder of the unpacked source of version $1.
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
	cat <<-EOT
		Acquire::AllowInsecureRepositories "false";
		Acquire::Languages "none";
		Dir::State "$CACHE/apt/state";
		Dir::State::status "/dev/null";
		Dir::Etc "$CACHE/apt/etc";
		Dir::Etc::main "/dev/null";
		Dir::Etc::sourcelist "$CACHE/apt/sources.list";
	EOT
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

source_unpack() {
	(
		set -f
		# shellcheck disable=SC2046	# a list of options
		tar -x -C "$work" --strip-components=1 --anchored --wildcards \
			$(unused "--exclude=$package/")
	) || die "$package=$version: cannot be unpacked, expected a source tree and room in $CACHE"
}

# --- a tree -------------------------------------------------------------------

source_tree() {
	[ -e "$name" ] || die "$name: no such folder, expected src:VERSION or a kernel tree"
	for file in Makefile Kconfig arch/x86/Kconfig scripts/kconfig/merge_config.sh; do
		[ -f "$name/$file" ] ||
			die "$name: no $file, expected a kernel tree of x86"
	done
	source=$(cd "$name" && pwd -P)
	case $source in
	*[!A-Za-z0-9_./@+~=,-]*) die "$source: bad path, expected only A-Za-z0-9_./@+~=,-" ;;
	esac
	id=$(tree_id | sha256sum)
}

is_git() {
	[ "$(tree_git rev-parse --show-toplevel 2>/dev/null)" = "$source" ]
}

# Without locks git does not write its index.
tree_git() {
	git --no-optional-locks -C "$source" "$@"
}

# What the tree holds: in git the commit and all that differs from it, otherwise
# each file by name, size and time.
tree_id() {
	if is_git; then
		tree_git rev-parse --verify -q 'HEAD^{tree}'
		tree_git diff --binary --no-ext-diff --no-textconv HEAD
		tree_git ls-files -z -o --exclude-standard | (cd "$source" && xargs -0r sha256sum)
	else
		(cd "$source" && source_find -printf '%P %s %T@\n') | sort
	fi
}

# What changed meanwhile may be in the copy or not.
tree_same() {
	case $name in src:*) return 0 ;; esac
	[ "$(tree_id | sha256sum)" = "$id" ] ||
		die "$name: changed while it was copied, expected it to stay: try again"
}

# --- patches ------------------------------------------------------------------

# series_of VERSION: the version whose series is for it: its own, or the newest
# before; nothing when there is none.
series_of() {
	[ -d "$patches" ] || return 0
	{
		find "$patches" -mindepth 1 -maxdepth 1 -type d -printf '%f series\n'
		echo "$1 wanted"
	} | sort -V | awk '$2 == "series" { last = $1 } $2 == "wanted" { print last }'
}

# The files that a patch names; some may not be there, or are of its text.
patch_files() {
	sed -nE -e 's/^(---|\+\+\+) [^/[:blank:]]*\/([^\t]*).*/\2/p' \
		-e 's/^(rename|copy) (from|to) (.*)/\3/p' "$1" | grep -v '\.\.' | sort -u
}

# Context must match (git knows no fuzz); only lines may have moved.
patch_apply() {
	(
		set -f
		# shellcheck disable=SC2046	# a list of options
		clean GIT_CEILING_DIRECTORIES="${1%/*}" GIT_CONFIG_GLOBAL=/dev/null \
			git -C "$1" apply --whitespace=nowarn $(unused --exclude=) "$2" 2>&1
	)
}

# The patches in their order; those that seed bugs are only for the bit that asks for them.
series_patches() {
	find "$series" -maxdepth 1 -name '*.patch' | LC_ALL=C sort
	case " $bits " in
	*" faults "*)
		[ ! -d "$series/faults" ] || find "$series/faults" -name '*.patch' | LC_ALL=C sort ;;
	esac
}

# Apply the series to copies of the files that it names.  On success $scratch
# has them in tree/ and their names in files; on failure $refused is the patch.
series_apply() {
	command -v git >/dev/null || "$vm/packages.sh" source >&2
	scratch=$(mktemp -d)
	mkdir "$scratch/tree"
	: >"$scratch/files"
	series_patches >"$scratch/series"
	while read -r refused; do
		series_copy "$refused"
		patch_apply "$scratch/tree" "$refused" >"$scratch/log" || return 1
	done <"$scratch/series"
}

series_copy() {
	patch_files "$1" | comm -13 "$scratch/files" - >"$scratch/new"
	while read -r file; do
		[ ! -f "$source/$file" ] ||
			(cd "$source" && cp --parents "$file" "$scratch/tree/")
	done <"$scratch/new"
	sort -o "$scratch/files" "$scratch/files" "$scratch/new"
}

# Show what git says, and the parts that it refuses.
series_refused() {
	patch=$(realpath "$refused")
	patch_apply "$scratch/tree" "$patch" >&2 || :	# known to fail
	clean git -C "$scratch/tree" apply --reject "$patch" >/dev/null 2>&1 || :	# the same
	find "$scratch/tree" -name '*.rej' -exec head -n 20 {} + >&2
}

# One at a time has the area, and the copy in it.
area_lock() {
	mkdir -p "${area%/*}"
	exec 8>"$CACHE/.lock-build-${area##*/}"
	flock -n 8 || {
		say "waiting for another run that builds in ${area##*/}"
		flock 8
	}
}

# --- the copy -----------------------------------------------------------------

# source_find ACTION...: the files here, without those that a build in place made.
source_find() {
	find . -name .git -prune -o \
		! -type d ! -name '*.o' ! -name '*.a' ! -name '*.ko' ! -name '*.cmd' "$@"
}

# The files to copy; what is new in git is there, too, and what it ignores is not.
source_files() {
	if is_git; then
		tree_git ls-files -z -c -o --exclude-standard
	else
		(cd "$source" && source_find -printf '%P\0')
	fi
}

# Make $area.source the source with the patches applied, and $source it.  A file that is as it
# was in the copy before keeps its time, so that only what changed is compiled.
# Files are replaced, never written to: others have links to them.
source_copy() {
	copy=$area.source
	rm -rf "$copy".new "$copy".old
	mkdir -p "$copy.new"
	links=$(source_links)
	source_fill "$links"
	tree_same
	[ -z "$series" ] || source_patch
	[ ! -d "$copy" ] || mv "$copy" "$copy.old"
	mv "$copy.new" "$copy"
	rm -rf "$copy.old"
	source=$copy
}

# What files of the copy may be links to: the copy before, or else the package.
source_links() {
	if [ -d "$copy" ]; then
		room 300
		echo "$copy"
	elif [ "${name#src:}" != "$name" ]; then
		room 100
		echo "$source"
	else
		room 2000
	fi
}

# source_fill [FOLDER]: a tree by content, for who goes back to an older file may
# give it its older time; a package's files never change, and what is patched in
# the copy is newer.  What git knows of may have been removed.
source_fill() {
	case $name in src:*) by= ;; *) by=--checksum ;; esac
	source_files | rsync -rlp $by ${1:+--link-dest="$1"} --ignore-missing-args \
		--from0 --files-from=- "$source/" "$copy.new/" >&2 ||
		die "$source: cannot be copied, expected to be able to read it, and room in $CACHE"
	for file in .config include/config arch/x86/include/generated; do
		[ ! -e "$copy.new/$file" ] || { source_clean; return; }
	done
}

# It was built in place: what that left is told by its own makefile.
source_clean() {
	say "$name was built in place, cleaning the copy"
	clean make -s -C "$copy.new" ARCH=x86_64 mrproper >"$copy.log" 2>&1 || {
		tail -n 10 "$copy.log" >&2
		die "$name: the copy cannot be cleaned, expected make mrproper to do it"
	}
}

source_patch() {
	while read -r file; do
		rm -f "$copy.new/$file"
		[ ! -f "$scratch/tree/$file" ] || source_replace
	done <"$scratch/files"
}

source_replace() {
	mkdir -p "$(dirname "$copy.new/$file")"
	if cmp -s "$scratch/tree/$file" "$copy/$file"; then
		ln "$copy/$file" "$copy.new/$file"
	else
		cp "$scratch/tree/$file" "$copy.new/$file"
	fi
}
