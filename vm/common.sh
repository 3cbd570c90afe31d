# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Sourced by the scripts of this folder: messages, the cache, apt's tools.
#
#	DAXPIN_CACHE	the cache folder (default /var/tmp/daxpin-UID)
#	DAXPIN_QUIET	when not empty: no progress on standard error
#
# A cache entry is a folder that is complete or not there: once() makes it
# under another name, renames it into place, and removes what is unfinished.

LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin		# depmod, for who is not root
export LC_ALL PATH

me=${0##*/}
work=					# entry being made, empty when none is
scratch=				# folder outside of the cache, as well
error=2					# exit status of an error

usage() {
	sed -n '/^# usage:/,/^[^#]/ s/^# \{0,1\}//p' "$0"
	exit 0
}

die() {
	printf '%s: %s\n' "$me" "$*" >&2
	exit 2
}

say() {
	[ -n "${DAXPIN_QUIET:-}" ] || printf '%s: %s\n' "$me" "$*" >&2
}

need() {
	for tool; do
		command -v "$tool" >/dev/null ||
			die "$tool: not found, expected it in PATH (vm/packages.sh installs it)"
	done
}

room_mb() {
	df -Pm "$CACHE" | awk 'NR == 2 { print $4 }'
}

# Refuse at once what would fail after a long download.
room() {
	left=$(room_mb)
	[ "$left" -ge "$1" ] ||
		die "$CACHE: disk full, $left MB left, expected at least $1 MB"
}

abandon() {
	[ -z "$scratch" ] || rm -rf "$scratch"
	[ -n "$work" ] || return 0
	left=$(room_mb)
	rm -rf "$work"
	[ "$left" -ge 32 ] || printf '%s: %s: disk full, %s MB were left\n' \
		"$me" "$CACHE" "$left" >&2
}

# Whatever a tool's exit status was, ours is $error.
finish() {
	status=$?
	abandon
	[ "$status" -eq 0 ] || exit "$error"
}

# The caller must see that a signal ended us, or a loop of ours would go on.
stop() {
	abandon
	trap - EXIT "$1"
	kill -s "$1" $$
}

trap finish EXIT
trap 'stop HUP' HUP
trap 'stop INT' INT
trap 'stop TERM' TERM

# A folder in /var/tmp may have been put there by anybody.  As long as we live,
# nothing is removed there (clean-cache.sh).
cache_open() {
	need flock
	CACHE=${DAXPIN_CACHE:-/var/tmp/daxpin-$(id -u)}
	case $CACHE in /*) ;; *) CACHE=$PWD/$CACHE ;; esac
	CACHE=${CACHE%"${CACHE##*[!/]}"}
	case $CACHE in *[!A-Za-z0-9_./@+-]* | '')
		die "$CACHE: bad cache folder, expected only A-Za-z0-9_./@+- (for make, QEMU)" ;;
	esac
	[ -e "$CACHE" ] || (umask 077 && mkdir -p "$CACHE") || :	# judged by the next line
	safe=$(find "$CACHE" -maxdepth 0 -type d -user "$(id -u)" ! -perm /022 2>/dev/null) || :
	[ -n "$safe" ] ||
		die "$CACHE: not a safe cache, expected a folder that only we can write"
	exec 7>"$CACHE/.lock-use"
	flock -s 7
}

# once KEY FUNCTION ARG...: set $entry to the path of cache entry KEY.  When it
# is not there, FUNCTION ARG... makes it in the empty folder $work.  A change of
# what FUNCTION makes needs a change of KEY.
once() {
	entry=$CACHE/$1
	shift
	[ ! -d "$entry" ] || return 0
	mkdir -p "${entry%/*}"
	lock "${entry##*/}"
	[ -d "$entry" ] || fill "$@"
	exec 9>&-
}

# Held until descriptor 9 is closed, by us and by every child that has it.
lock() {
	exec 9>"$CACHE/.lock-$1"
	flock -n 9 || {
		say "waiting for another run that makes $1"
		flock 9
	}
}

# The lock is ours: other unfinished copies are of runs that were killed.
fill() {
	rm -rf "$entry".tmp.*
	work=$entry.tmp.$$
	mkdir "$work"
	"$@"
	mv -T "$work" "$entry"
	work=
}

# newest LABEL COMMAND...: print the folder that COMMAND prints, and remember
# it for a day or until the host's lists change.  When COMMAND fails, as it does
# without a network, print the last one.
newest() {
	last=$CACHE/.newest-$1
	shift
	recall || {
		newer=$("$@") || newer=
		remember "$newer"
	}
	echo "$folder"
}

recall() {
	[ -n "$(find "$last" -mtime -1 -newer /var/lib/apt/lists 2>/dev/null)" ] &&
		read -r folder <"$last" && [ -d "$folder" ]
}

remember() {
	folder=$1
	if [ -n "$folder" ]; then
		echo "$folder" >"$last.$$"
		mv "$last.$$" "$last"
	elif [ -f "$last" ] && read -r folder <"$last" && [ -d "$folder" ]; then
		say "using the newest of before, ${folder##*/}"
	else
		exit 2
	fi
}

lists_any() {
	[ -n "$(find "$1" -maxdepth 1 -name '*_Packages*' 2>/dev/null)" ]
}

# The folder's own time changes with new lists, that of partial with each try.
lists_fresh() {
	lists_any "$1" &&
		[ -n "$(find "$1" "$1/partial" -maxdepth 0 -mtime -1 2>/dev/null)" ]
}

# Set $lists to package lists of today: the host's, or else our own.  The
# host's are only read.  Old lists are better than none.
apt_lists() {
	need apt-get apt-cache dpkg-deb
	for lists in /var/lib/apt/lists "$CACHE/apt/lists"; do
		! lists_fresh "$lists" || return 0
	done
	lock apt
	apt_update || say "package lists cannot be fetched"
	exec 9>&-
	lists_any "$lists" || lists=/var/lib/apt/lists
	lists_any "$lists" || die "no package lists, expected the host's in $lists or a network"
}

# A failed try counts for ten minutes: no network is no reason to wait again.
apt_update() {
	! lists_fresh "$lists" || return 0
	mkdir -p "$lists/partial"
	[ -z "$(find "$CACHE/apt/failed" -mmin -10 2>/dev/null)" ] || return 1
	say "fetching package lists"
	if apt_run apt-get -qq update >&2 && lists_any "$lists"; then
		touch "$lists"
		return 0
	fi
	touch "$CACHE/apt/failed"
	return 1
}

# One of apt's tools on $lists, with all it writes in our cache.
apt_run() {
	tool=$1
	shift
	mkdir -p "$CACHE/apt/cache/archives/partial"
	"$tool" -o Dir::State::lists="$lists" -o Dir::Cache="$CACHE/apt/cache" \
		-o Dir::Cache::pkgcache=pkgcache.bin \
		-o Dir::Cache::srcpkgcache=srcpkgcache.bin \
		-o APT::Sandbox::User=root -o APT::Update::Error-Mode=any \
		-o Acquire::Retries=1 -o Acquire::http::Timeout=15 \
		-o Acquire::https::Timeout=15 "$@"
}

# apt_field PACKAGE[=VERSION] FIELD: what the lists say, nothing when unknown.
apt_field() {
	apt_run apt-cache show --no-all-versions "$1" 2>/dev/null |
		sed -n "s/^$2: //p" | head -n 1
}

# apt_depends PACKAGE[=VERSION] RE: its dependencies that match, in the same form.
apt_depends() {
	apt_field "$1" Depends | tr ',' '\n' |
		sed 's/^ *//; s/ *|.*//; s/ (= \([^)]*\))/=\1/; s/ (.*//' |
		sed -nE "/^($2)/p"
}

# apt_unpack FOLDER PACKAGE[=VERSION]...: download and unpack, install nothing.
apt_unpack() {
	to=$1
	shift
	mkdir -p "$to" "$work/debs"
	say "fetching $*"
	(cd "$work/debs" && apt_run apt-get -qq download "$@" >&2) ||
		die "$*: no download, expected apt-get to fetch it"
	for deb in "$work"/debs/*.deb; do
		deb_extract
	done
	rm -rf "$work/debs"
}

# On a full disk tar has a line for each file: the last ones will do.
deb_extract() {
	said=$(dpkg-deb -x "$deb" "$to" 2>&1) || {
		printf '%s\n' "$said" | tail -n 3 >&2
		die "${deb##*/}: not unpacked, expected room for it in $CACHE"
	}
}

cache_open
