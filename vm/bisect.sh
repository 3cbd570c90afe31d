#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: ./run.sh bisect --tree DIR --good REV --bad REV -t SCENARIO [OPTION...]
#        ./run.sh bisect --packages PATTERN [--good PACKAGE] [--bad PACKAGE] -t SCENARIO ...
#        ./run.sh bisect --patches DIR [-k KERNEL] -t SCENARIO [OPTION...]
#        ./run.sh bisect --resume NAME
#
# Find the commit, the package or the patch that brought a failure, unattended.
#
#   --tree DIR        search the history of a kernel tree in git, which is only read;
#                     DIR+BIT builds with more config bits
#   --packages P      search kernel packages that apt offers, by version; a star in
#                     the pattern matches no dash; may be repeated
#   --patches DIR     search a series of patches, DIR/*.patch
#   -k KERNEL         what the patches are for: src:VERSION, by default that of DIR's
#                     name, or a tree
#   --good REV        a revision that passes, with --packages or --patches the first
#   --bad REV         a revision that fails, with --packages or --patches the last
#   -t SCENARIO       what fails, as for run; -r ROW, -f FS, -m MACHINE, -j N and
#                     --accel A are as there
#   --signature RE    the failure asked for is one that matches; by default, what fails
#                     at the bad end
#   --any-failure     any failure is bad; by default another one is not to be tested
#   --flaky           the failure comes and goes: run each revision as often as it takes
#   --confidence P    with --flaky, in percent, for the whole bisection (default 99)
#   --cold            with --flaky, boot every guest
#   --skip REV        leave this revision out; may be repeated
#   --first-parent, --term-good T, --term-bad T
#                     as for git bisect start
#   --replay FILE     start from a log of git bisect; the ends are in it
#   --resume NAME     go on with results/NAME
#
# Exit status: 0 found, 1 several candidates are left, 2 an error, 3 an end is not as
# it was said to be, 130 interrupted.
set -euf

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

cd "$(dirname "$0")/.."
me=bisect
top=$PWD
key_lines='' search='' source='' patterns='' kernel='' good='' bad='' scenario='' leave='' start=''
replay='' resume='' flaky='' cold='' confidence='' jobs=$(($(nproc) + 1)) select=''
state='' pid=''

# --- options ------------------------------------------------------------------

line() {
	key_lines="$key_lines$1	$2
"
}

searched() {
	[ -z "$search" ] || [ "$search" = "$1" ] || die "--$1: already --$search, expected one of them"
	search=$1
}

flag() {
	case $1 in
	--any-failure) line any yes ;;
	--flaky) flaky=yes; line flaky yes ;;
	--cold) cold=yes; line cold yes ;;
	--first-parent) start="$start --first-parent" ;;
	-h | --help) usage ;;
	*) return 1 ;;
	esac
}

option() {
	case $1 in
	--tree | --patches) searched "${1#--}"; source=$2 ;;
	--packages) searched packages; patterns="$patterns $2" ;;
	-k) kernel=$2 ;;
	--good) good=$2 ;;
	--bad) bad=$2 ;;
	-t) [ -z "$scenario" ] || die "-t $2: a second one, expected one scenario"; scenario=$2 ;;
	-r) select="$select -r $2"; line row "$2" ;;
	-f) select="$select -f $2"; line fs "$2" ;;
	-m) select="$select -m $2"; line machine "$2" ;;
	-j) jobs=$2 ;;
	--accel) line accel "$2" ;;
	--signature) line signature "$2" ;;
	--confidence) confidence=$2 ;;
	--skip) leave="$leave $2" ;;
	--term-good | --term-bad) start="$start $1=$2" ;;
	--replay) replay=$2 ;;
	--resume) resume=$2 ;;
	*) die "$1: unknown, expected an option (--help lists them)" ;;
	esac
}

options() {
	[ $# -gt 0 ] || usage
	while [ $# -gt 0 ]; do
		if flag "$1"; then shift; continue; fi
		[ $# -gt 1 ] || die "$1: expected an option and its value (--help lists them)"
		case $2 in '' | -*) die "$1 '$2': expected a value" ;; esac
		option "$1" "$2"
		shift 2
	done
}

# Options that have no meaning for this search are refused, not ignored.
options_check() {
	[ -n "$search" ] || die "expected --tree DIR, --packages PATTERN, --patches DIR or --resume NAME"
	[ -n "$scenario" ] || die "expected -t SCENARIO: what fails?"
	[ -n "$flaky" ] || [ -z "$cold$confidence" ] || die "--cold, --confidence: expected --flaky with them"
	[ "$search" = patches ] || [ -z "$kernel" ] || die "-k $kernel: expected --patches with it"
	[ "$search" = tree ] || [ -z "$start$replay" ] ||
		die "--first-parent, --term-good, --term-bad, --replay: expected --tree with them"
	[ -z "$replay" ] || [ -z "$good$bad$start$leave" ] ||
		die "--replay $replay: the ends and terms are in it, expected none beside it"
	[ "$search" != tree ] || [ -n "$replay" ] || { [ -n "$good" ] && [ -n "$bad" ]; } ||
		die "--tree: expected --good REV and --bad REV"
}

# Does it select anything?  Better asked now than after the first build.
selection_check() {
	flock out/.lock make -s -j "$(nproc)" all >&2 || die "the build failed, see above"
	scratch=$(mktemp -d)
	for file in release version; do echo 6.0 >"$scratch/$file"; done
	# shellcheck disable=SC2086	# words without blanks
	out/cells -x -t "$scenario" $select -R "any=$scratch" >/dev/null || exit 2
	rm -rf "$scratch"
	scratch=
}

# --- the plan -----------------------------------------------------------------

plan() {
	out/bisect get "$state" "$1"
}

# Written at once: a folder without a plan is none.
plan_write() {
	printf '# which %s brought a failure of %s\n' "$search" "$scenario" >"$state/plan.new"
	line search "$search"
	line scenario "$scenario"
	line confidence "${confidence:-99}"
	line jobs "$jobs"
	[ -z "$start" ] || line start "${start# }"
	[ -z "$leave" ] || line leave "${leave# }"
	printf '%s' "$key_lines" >>"$state/plan.new"
	mv "$state/plan.new" "$state/plan"
	plan search >/dev/null || refuse "nothing was done"
}

state_new() {
	state=results/bisect-$(date +%Y%m%d-%H%M%S)-$$
	mkdir -p "$state"
	state=$(realpath "$state")
}

# Nothing of it is left when it was refused.
refuse() {
	rm -rf "$state"
	state=
	die "$*"
}

state_lock() {
	exec 6>"$state/.lock"
	flock -n 6 || die "${state##*/} is running"
}

state_open() {
	state=$PWD/results/${1#results/}
	[ -f "$state/plan" ] || die "--resume $1: no such bisection"
	flock out/.lock make -s out/bisect >&2 || die "the build failed, see above"
	search=$(plan search) || exit 2
	source=$(plan source) good=$(plan good) bad=$(plan bad) kernel=$(plan kernel)
	[ ! -f "$state/replay" ] || replay=$state/replay
}

# --- processes ----------------------------------------------------------------

# shellcheck disable=SC2317	# a signal calls it
interrupted() {
	trap '' INT TERM HUP
	[ -z "$pid" ] || kill -s TERM -- "-$pid" 2>/dev/null || :
	[ -z "$pid" ] || wait "$pid" 2>/dev/null || :
	echo "bisect: interrupted; --resume ${state##*/} goes on where it was" >&2
	abandon
	trap - EXIT
	exit 130
}

# A group of its own: what it has started is ended with it.
run() {
	status=0
	setsid "$@" &
	pid=$!
	wait "$pid" || status=$?
	pid=
	return "$status"
}

step() {
	status=0
	run "$top/vm/bisect-step" --state "$state" "$@" || status=$?
	case $status in
	0 | 1 | 125) ;;
	*) stopped ;;
	esac
}

stopped() {
	die "stopped, see above; --resume ${state##*/} goes on where it was"
}

# What was only for kernels of this bisection.
forget() {
	name=${state##*/}
	rm -rf "out/kernels/$name" "out/kernels/$name.id" "out/module/$name" \
		"out/root/$name.cpio" "out/root/$name.kernel"
}

ends_check() {
	out/bisect ends "$state" || {
		forget
		echo "bisect: nothing to search; the evidence is in ${state##"$PWD/"}" >&2
		error=3
		exit 3
	}
}

# --- a tree -------------------------------------------------------------------

# The user's: nothing of it is written, not even what git knows of its files.
user_git() {
	env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE \
		git --no-optional-locks -C "$source" "$@"
}

# Ours, where no hook or setting of the user has a say.
own_git() {
	(cd "$own" && own_env git "$@")
}

own_env() {
	env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE -u GIT_OBJECT_DIRECTORY \
		GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null "$@"
}

# Set $source to the tree, and the plan's bits to what follows it.
tree_split() {
	given=$source
	while [ ! -d "$source" ] && [ "$source" != "${source%+*}" ]; do source=${source%+*}; done
	[ "$given" = "$source" ] || line bits "${given#"$source"}"
	[ -d "$source" ] || refuse "--tree $given: no such folder, expected a kernel tree"
	objects=$(user_git rev-parse --path-format=absolute --git-path objects) ||
		refuse "--tree $source: not a git tree, expected one"
	source=$(user_git rev-parse --show-toplevel) || refuse "--tree $source: no checkout, expected one"
	line source "$source"
}

# commit_of OPTION REV
commit_of() {
	user_git rev-parse --verify -q "$2^{commit}" || {
		echo "bisect: $1 $2: no such commit in $source, expected a revision" >&2
		return 1
	}
}

tree_ends() {
	good=$(commit_of --good "$good") || refuse "nothing was done"
	bad=$(commit_of --bad "$bad") || refuse "nothing was done"
	[ "$good" != "$bad" ] || refuse "--good and --bad are both $good, expected two ends"
	user_git merge-base "$good" "$bad" >/dev/null ||
		refuse "$good and $bad have no common ancestor, expected one history"
	! user_git merge-base --is-ancestor "$bad" "$good" ||
		refuse "--bad $bad is an ancestor of --good $good: swapped? Expected the good one first"
	[ -z "$(user_git status --porcelain -uno 2>/dev/null | sed q)" ] ||
		say "$source has changes that are not committed; they stay, and are no part of the search"
}

leave_commits() {
	revs=
	for rev in $leave; do
		revs="$revs $(commit_of --skip "$rev")" || refuse "nothing was done"
	done
	leave=$revs
}

# A repository of ours that borrows the user's objects: its checkout, refs and state of
# a bisection are its own.  It stays in the cache with what was built of it, so that the
# next bisection begins there.
own_open() {
	objects=$(user_git rev-parse --path-format=absolute --git-path objects) ||
		die "$source: not a git tree any more, expected it"
	own=$CACHE/bisect/$(printf %s "${source##*/}" | tr -c 'A-Za-z0-9_.-' -)-$(printf %s "$source" | sha256sum | cut -c 1-8)
	mkdir -p "$CACHE/bisect"
	exec 5>"$CACHE/.lock-${own##*/}"
	flock -n 5 || die "$source: another bisection of this tree is running, expected one at a time"
	[ -d "$own/.git" ] || own_make
	own_settings
	printf '%s\n' "$objects" >"$own/.git/objects/info/alternates"
	# Names of the user's that a log of git's may have.
	user_git for-each-ref --format='%(objectname) %(refname)' refs/heads refs/remotes refs/tags >"$own/.git/packed-refs"
	shallow=$(user_git rev-parse --path-format=absolute --git-path shallow)
	rm -f "$own/.git/shallow"
	find "$own/.git" -maxdepth 1 -name '*.lock' -delete	# of one that was killed: we are alone
	[ ! -f "$shallow" ] || cp "$shallow" "$own/.git/shallow"
}

# All files of the bad end: what is checked out takes about that.
tree_mb() {
	user_git ls-tree -r -l "${bad:-HEAD}" | awk '{ sum += $4 } END { print int(sum / 1000000 * 1.2) + 50 }'
}

own_make() {
	room "$(tree_mb)"
	rm -rf "$own" "$own.new"
	own_env git init -q --template= "$own.new"
	mkdir -p "$own.new/.git/objects/info"
	mv "$own.new" "$own"
}

# A kernel that was built has links to files here, which changes their inodes' times:
# git must not take that for a change, and write them all again.
own_settings() {
	for setting in gc.auto=0 core.hooksPath=/dev/null advice.detachedHead=false core.autocrlf=false \
		core.trustctime=false core.checkStat=minimal; do
		own_git config "${setting%%=*}" "${setting#*=}"
	done
}

# own_checkout REV: an index that a power cut has spoiled is made again.
own_checkout() {
	own_git update-index -q --refresh >/dev/null 2>&1 || :	# says what differs
	own_git checkout -q -f --detach "$1" 2>"$state/checkout.log" && return
	rm -f "$own/.git/index"
	own_git checkout -q -f --detach "$1" 2>"$state/checkout.log" || {
		cat "$state/checkout.log" >&2
		die "$own: $1 cannot be checked out ($(room_mb) MB are left); --resume ${state##*/} goes on"
	}
}

# What the log knows is not run again, so that git goes the same way to where it was.
git_start() {
	own_git bisect reset >/dev/null 2>&1 || find "$own/.git" -maxdepth 1 -name 'BISECT_*' -delete
	if [ -n "$replay" ]; then
		own_git bisect replay "$replay"
		return
	fi
	# shellcheck disable=SC2046	# lists of words
	own_git bisect start $(plan start) "$bad" "$good" || return
	leave=$(plan leave)
	# shellcheck disable=SC2086	# a list of words
	[ -z "$leave" ] || own_git bisect skip $leave
}

# The ends of a log that was given: git has them when it has been replayed.
replay_ends() {
	cp "$replay" "$state/replay" || refuse "--replay $replay: cannot be read, expected a log of git bisect"
	replay=$state/replay
	own_open
	own_checkout "$(user_git rev-parse HEAD)"
	git_start || refuse "$replay: git refuses it, expected a log of git bisect"
	bad=$(own_git rev-parse --verify -q "refs/bisect/$(own_git bisect terms --term-bad)") || :
	good=$(own_git for-each-ref --format='%(objectname)' "refs/bisect/$(own_git bisect terms --term-good)-*" | sed q)
	[ -n "$bad" ] || refuse "$replay: nothing bad in it, expected both ends"
	[ -n "$good" ] || refuse "$replay: nothing good in it, expected both ends"
}

end_test() {
	own_checkout "$1"
	cd "$own"
	step
	cd "$top"
}

commits_write() {
	for commit in $(out/bisect found "$state" || :); do
		own_git show -s --format='commit %H%nsubject: %s%nauthor: %an <%ae>%nauthor date: %aD%nparents %P' "$commit"
	done >"$state/commits"
}

plan_tree() {
	tree_split
	if [ -n "$replay" ]; then replay_ends; else tree_ends; leave_commits; fi
	line good "$good"
	line bad "$bad"
	line revisions "$(user_git rev-list --count "$good..$bad")"
}

search_tree() {
	own_open
	end_test "$bad"
	ends_check
	end_test "$good"
	ends_check
	git_start || stopped
	cd "$own"
	run env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null \
		git bisect run "$top/vm/bisect-step" --state "$state" || :	# git's log tells
	cd "$top"
	own_git bisect log >"$state/git-log" || :	# nothing in it is nothing found
	commits_write
}

# --- packages and patches -----------------------------------------------------

# versions_of PACKAGE...: "PACKAGE=VERSION" of all that apt offers.
versions_of() {
	[ $# -eq 0 ] || apt_run apt-cache madison "$@" | awk '{ print $1 "=" $3 }' | LC_ALL=C sort -u
}

# Those that match and for which a module can be built, by version.
packages_offered() {
	for pattern in $patterns; do
		apt_run apt-cache pkgnames linux-image- | out/bisect match "$pattern"
	done | sort -u >"$state/names"
	# shellcheck disable=SC2046	# lists of packages
	versions_of $(cat "$state/names") >"$state/images"
	# shellcheck disable=SC2046
	versions_of $(sed 's/^linux-image-/linux-headers-/' "$state/names") |
		sed 's/^linux-headers-/linux-image-/' >"$state/headers"
	comm -23 "$state/images" "$state/headers" | while read -r package; do
		say "$package: left out, for apt does not offer its headers"
	done
	comm -12 "$state/images" "$state/headers" | sort -t = -k 2V
}

# From the first to the last; an end may be named without its version.
list_cut() {
	awk -v good="$good" -v bad="$bad" '
	function is(end) { return end == $0 || index($0, end "=") == 1 }
	{ all[NR] = $0 }
	is(good) && !first { first = NR }
	is(bad) { last = NR }
	END {
		if (good == "") first = 1
		if (bad == "") last = NR
		if (!first) { print "--good " good ": not in the list, expected one of " NR >"/dev/stderr"; exit 1 }
		if (!last) { print "--bad " bad ": not in the list, expected one of " NR >"/dev/stderr"; exit 1 }
		if (first == last) { print "both ends are " all[first] ", expected two" >"/dev/stderr"; exit 1 }
		if (first > last) { print "--bad is before --good: swapped?" >"/dev/stderr"; exit 1 }
		for (i = first; i <= last; i++) print all[i]
	}'
}

# Set the ends to those of the list, which is on standard input.
list_write() {
	list_cut >"$state/list" || refuse "nothing was done"
	good=$(sed q "$state/list") bad=$(tail -n 1 "$state/list")
	line good "$good"
	line bad "$bad"
	line revisions "$(($(wc -l <"$state/list") - 1))"
	[ -z "$leave" ] || leave_check
}

leave_check() {
	for rev in $leave; do
		grep -qxF "$rev" "$state/list" || refuse "--skip $rev: not in $(tr '\n' ' ' <"$state/list")"
	done
}

plan_packages() {
	apt_lists
	packages_offered >"$state/offered"
	[ "$(wc -l <"$state/offered")" -gt 1 ] ||
		refuse "--packages$patterns: apt offers $(wc -l <"$state/offered") of them, expected at least two"
	list_write <"$state/offered"
}

plan_patches() {
	[ -d "$source" ] || refuse "--patches $source: no such folder, expected one with *.patch files"
	source=$(realpath "$source")
	[ -n "$kernel" ] || kernel=src:${source##*/}
	line source "$source"
	line kernel "$kernel"
	series_copy
	list_write <"$state/offered"
}

# The series as it is now: an edit later changes no step.  Before the first one there is
# a patch that adds a file which nothing reads, for a series cannot be empty.
series_copy() {
	mkdir -p "$state/series"
	find "$source" -maxdepth 1 -name '*.patch' -exec cp -t "$state/series" {} +
	printf '%s\n' '--- /dev/null' '+++ b/.daxpin-bisect' '@@ -0,0 +1 @@' '+no patch' >"$state/series/0000-none"
	(cd "$state/series" && find . -name '*.patch' -printf '%f\n' | sort) >"$state/patches"
	[ -s "$state/patches" ] || refuse "--patches $source: no *.patch in it, expected a series"
	{ echo 0000-none; cat "$state/patches"; } >"$state/offered"
}

# The first patches of the series, up to $1, as a folder.
series_upto() {
	to=$state/upto/$1
	rm -rf "$to"
	mkdir -p "$to"
	ln "$state/series/0000-none" "$to/0000-none.patch"
	sed "/^$1\$/q" "$state/patches" | while read -r patch; do
		[ "$1" = 0000-none ] || ln "$state/series/$patch" "$to/"
	done
	echo "patches:$to:$kernel"
}

step_of_list() {
	case $search in
	packages) step "$1" "deb:$1" ;;
	patches) step "$1" "$(series_upto "$1")" ;;
	esac
}

search_list() {
	step_of_list "$bad"
	ends_check
	step_of_list "$good"
	ends_check
	while rev=$(out/bisect next "$state"); do
		step_of_list "$rev"
	done
}

# What changed between two packages: their headers have the changelog of the source.
changelog() {
	first=$(out/bisect found "$state") before=$(out/bisect before "$state")
	[ "$(printf '%s\n' "$first" | wc -l)" -eq 1 ] || return 0
	apt_lists
	scratch=$(mktemp -d)
	headers=linux-headers-${first#linux-image-}
	(cd "$scratch" && apt_run apt-get -qq download "$headers" >&2) ||
		{ say "$headers: no download, so no changelog"; return 0; }
	find "$scratch" -name '*.deb' -exec dpkg-deb --fsys-tarfile {} \; |
		tar -xO "./usr/share/doc/${headers%%=*}/changelog.Debian.gz" | gzip -dc |
		out/bisect since "${before#*=}" >"$state/changelog" || :
	echo "what changed, by the source's changelog (${state##"$PWD/"}/changelog):"
	cat "$state/changelog"
}

# --- all of them --------------------------------------------------------------

summary() {
	status=0
	out/bisect summary "$state" >"$state/summary" || status=$?
	case $status in 0 | 1) ;; *) stopped ;; esac
	echo
	cat "$state/summary"
	[ "$search" != packages ] || changelog
	forget
	error=$status
	exit "$status"
}

options "$@"
mkdir -p out results
if [ -n "$resume" ]; then
	[ -z "$search$scenario$good$bad$select$key_lines" ] ||
		die "--resume $resume: what is searched is settled, expected no other option"
	state_open "$resume"
	state_lock
else
	options_check
	case $search in packages) vm/packages.sh run ;; *) vm/packages.sh source ;; esac
	selection_check
	state_new
	case $search in
	tree) plan_tree ;;
	packages) plan_packages ;;
	patches) plan_patches ;;
	esac
	plan_write
	state_lock
fi
trap interrupted INT TERM HUP
echo "bisect: ${state##"$PWD/"}"
case $search in
tree) search_tree ;;
*) search_list ;;
esac
summary
