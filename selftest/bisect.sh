#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: selftest/bisect.sh [--real]
#
# Does a bisection find what it should, and leave alone what is not its own?  Here a
# program stands in for kernels and guests (selftest/bisect-fake.sh); with --real they
# are built and booted, from a history of the distribution's source, which takes about an
# hour.  TAP on standard output; exit status 1 when anything differs.

set -euf

cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/tap.sh
. selftest/tap.sh

trees=		# checkouts of ours in the cache
real_tree=	# the kernel's history
made=		# results/ of the bisections that we started
cache=${DAXPIN_CACHE:-/var/tmp/daxpin-$(id -u)}
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null

# What a test has made goes with it.
# shellcheck disable=SC2317	# it is called when we end
clean() {
	for name in $made; do
		rm -rf "results/$name"
	done
	# Checkouts are named after the trees, which have names of this test alone.
	for name in $trees; do
		rm -rf "$cache/bisect/$name" "$cache/.lock-$name"
	done
	rm -rf "$tmp" ${real_tree:+"$real_tree"}
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

# --- histories ----------------------------------------------------------------

git_in() {
	git -C "$tree" -c user.name=nobody -c user.email=nobody@example.org "$@"
}

# commit N SUBJECT: of a fixed time, so that the same history has the same names.
commit() {
	at="2024-12-01T$(printf '%02d:%02d' $(($1 / 60)) $(($1 % 60))):00Z"
	GIT_AUTHOR_DATE=$at GIT_COMMITTER_DATE=$at git_in commit -q --allow-empty -m "$2"
}

# history WORD...: a tree whose commits behave like that, tagged v1, v2 and so on.
history() {
	tree=$tmp/tree.$count
	rm -rf "$tree"
	mkdir -p "$tree"
	trees="$trees ${tree##*/}-$(printf %s "$tree" | sha256sum | cut -c 1-8)"
	git_in init -q -b main
	echo "always the same" >"$tree/constant"
	git_in add constant
	n=0
	for word; do
		n=$((n + 1))
		echo "$word" >"$tree/behaves"
		git_in add behaves
		commit "$n" "step $n: $word"
		git_in tag "v$n"
	done
}

# All that the user has there, and when it was written to.
fingerprint() {
	(cd "$tree" && find . -printf '%p %y %m %T@ %l\n' && find . -type f -exec sha256sum {} +) |
		sort | sha256sum
}

# --- bisections ---------------------------------------------------------------

fake() {
	env DAXPIN_BISECT_RUN=selftest/bisect-fake.sh "$@"
}

# bisect ARG...: what it says is in $log, its folder is $state, its exit status $status.
bisect() {
	log=$tmp/log status=0
	fake ./run.sh bisect "$@" >"$log" 2>&1 </dev/null || status=$?
	state_name
}

state_name() {
	state=$(sed -n 's,^bisect: results/\(bisect-[0-9-]*\)$,\1,p' "$log" | sed q)
	made="$made $state"
}

of_tree() {
	bisect --tree "$tree" -t truncate -f ext4-dax "$@"
}

# The subjects of what was found, in the order of the log.
found() {
	sed -n 's/^  subject: //p' "$log" | tr '\n' ';'
}

said() {	# RE: a line that was said
	grep -cE -e "$1" "$log" | sed 's/^[1-9].*/yes/; s/^0$/no/'
}

# What is in the log, as "good 3 bad 2 skip 1".
results_of() {
	for word in good bad skip; do
		printf '%s %s ' "$word" "$(grep -c "^[^#].* $word " "results/$state/log")"
	done
}

# --- a tree -------------------------------------------------------------------

test_plain() {
	history good good good good good good good good good good good bad bad bad bad bad
	git_in bisect start v16 v2 >/dev/null
	echo "not committed" >>"$tree/behaves"
	before=$(fingerprint)
	of_tree --good v1 --bad v16
	result "tree: it ends" 0 "$status"
	result "tree: the commit is found" "step 12: bad;" "$(found)"
	result "tree: its parent and its evidence are named" yes "$(said '^  parent [0-9a-f]{40}: good: ')"
	result "tree: the command is there" yes "$(said '^  ./run.sh -k .* -t truncate -f ext4-dax -r truncate.pinned')"
	result "tree: the user's is as it was, dirty and in a bisection of its own" "$before" "$(fingerprint)"
	result "tree: that it is dirty was said" yes "$(said 'changes that are not committed')"
	result "tree: no more steps than needed" "good 4 bad 2 skip 0 " "$(results_of)"
	# Links to it, as kernels have them, are no change: it is not written again.
	first=$state now=$(date +%s)
	until [ "$(date +%s)" -gt "$now" ]; do :; done	# git compares seconds
	ln "$cache/bisect/${trees##* }/constant" "$tmp/link"
	of_tree --good v1 --bad v16
	result "tree: what is the same in all revisions is checked out once" 1 \
		"$(find "results/$first" "results/$state" -name linked -printf '%i\n' | sort -u | grep -c '')"
}

# The one in the middle does not build, its neighbours do not boot or are lost.
test_skips() {
	history good good good good good lost noboot nobuild other nopremise good bad bad bad bad bad
	of_tree --good v1 --bad v16
	result "skips: the commit is found" "0 step 12: bad;" "$status $(found)"
	result "skips: some were" yes "$(said ' [1-9] of them skipped')"
	history good good good nobuild noboot other bad bad
	of_tree --good v1 --bad v8
	result "skips: several candidates" "1 4" "$status $(grep -c '^  subject: ' "$log")"
	result "skips: that is said" yes "$(said 'one of these 4, the others could not be tested')"
	history good good other other other other bad bad
	of_tree --good v1 --bad v8 --any-failure
	result "--any-failure: another failure is bad" "0 step 3: other;" "$status $(found)"
	history good good noboot noboot other other bad bad
	of_tree --good v1 --bad v8 --any-failure
	result "--any-failure: no boot is still a skip" 1 "$status"
	history good good other other bad bad bad bad
	of_tree --good v1 --bad v8 --signature 'truncate returned|open failed'
	result "--signature: one for two failures" "0 step 3: other;" "$status $(found)"
	history good good good bad bad bad bad bad
	of_tree --good v1 --bad v8 --skip v4
	result "--skip: two are left" "1 2" "$status $(grep -c '^  subject: ' "$log")"
}

# v1 - v2 - v3 ---- v4 (merge), the branch from v1 has the bug.
test_merge() {
	history good good good
	git_in checkout -q -b side v1
	echo bad >"$tree/behaves"
	git_in commit -q -am "side: bad" && git_in commit -q --allow-empty -m "side: more"
	git_in checkout -q main
	git_in merge -q -s ours side -m merge
	echo bad >"$tree/behaves"
	git_in commit -q --amend -am merge && git_in tag v4
	of_tree --good v1 --bad v4
	result "merge: the commit on the side is found" "0 side: bad;" "$status $(found)"
	of_tree --good v1 --bad v4 --first-parent
	result "--first-parent: the merge is found" "0 merge;" "$status $(found)"
	of_tree --good v1 --bad v4 --term-good fine --term-bad broken
	result "terms: git's log has them" "0 yes" \
		"$status $(grep -c '^git bisect broken' "results/$state/git-log" | sed 's/^[1-9].*/yes/')"
}

test_replay() {
	history good good good good bad bad bad bad
	git_in bisect start v8 v1 >/dev/null
	git_in bisect good v2 >/dev/null
	git_in bisect log >"$tmp/bisect.log"
	git_in bisect reset 2>/dev/null
	of_tree --replay "$tmp/bisect.log"
	result "replay: the commit is found" "0 step 5: bad;" "$status $(found)"
}

# --- interrupted --------------------------------------------------------------

# A step that waits is ended in its middle; then the bisection goes on.
test_resume() {
	history good good wait wait wait bad bad bad
	export BISECT_FIFO="$tmp/fifo"
	for signal in TERM KILL; do
		mkfifo "$BISECT_FIFO" "$BISECT_FIFO.began"
		env DAXPIN_BISECT_RUN=selftest/bisect-fake.sh ./run.sh bisect --tree "$tree" \
			--good v1 --bad v8 -t truncate -f ext4-dax >"$tmp/log" 2>&1 </dev/null &
		pid=$! log=$tmp/log
		read -r _ <"$BISECT_FIFO.began"
		state_name
		end_step "$signal"
		rm "$BISECT_FIFO" "$BISECT_FIFO.began"
		resume "$signal"
	done
}

# SIGKILL for all at once, the groups of the step and ours, is like a power cut.
end_step() {
	status=0
	[ "$1" != KILL ] || kill -s KILL -- "-$(pgrep -o -f "git bisect run .*$state")"
	kill -s "$1" "$pid"
	wait "$pid" 2>/dev/null || status=$?
	ended=$status
	left=$(pgrep -c -f "bisect-fake.sh.*$state" || :)
}

resume() {
	cp "results/$state/log" "$tmp/log.before"
	printf '2026-01-01T00:00:00Z good 1234' >>"results/$state/log"	# half a line
	[ "$1" = KILL ] || result "interrupted: it says so, and nothing is left" "130 0 yes" \
		"$ended $left $(said "--resume $state goes on")"
	bisect --resume "$state"
	result "resume after $1: the commit is found" "0 step 6: bad;" "$status $(found)"
	result "resume after $1: what was known is as it was" "$(cat "$tmp/log.before")" \
		"$(head -n "$(wc -l <"$tmp/log.before")" "results/$state/log")"
	result "resume after $1: and not run again" "" \
		"$(grep -v '^#' "results/$state/log" | cut -d ' ' -f 3 | sort | uniq -d)"
}

# A disk that is full ends it, and nothing of it is in the log.
test_full() {
	history good good full full full bad bad bad
	export BISECT_FULL="$tmp/full"
	: >"$BISECT_FULL"
	of_tree --good v1 --bad v8
	result "disk full: it stops, and says how to go on" "2 yes" \
		"$status $(said 'resume bisect-.* goes on')"
	result "disk full: the step has no result" "good 1 bad 1 skip 0 " "$(results_of)"
	rm "$BISECT_FULL"
	bisect --resume "$state"
	result "disk full: it goes on" "0 step 6: bad;" "$status $(found)"
}

# --- that come and go ---------------------------------------------------------

test_flaky() {
	history good good good good good good good good good good flaky flaky flaky flaky flaky flaky
	of_tree --good v1 --bad v16 --flaky
	result "--flaky: the commit is found" "0 step 11: flaky;" "$status $(found)"
	result "--flaky: its confidence is said" yes "$(said '^confidence: 99\.[0-9]+ %, for the bad end fails in 1[0-9] of [0-9]+ runs')"
	history good good bad bad
	of_tree --good v1 --bad v4 --flaky --confidence 90
	result "--flaky: one that always fails" "0 step 3: bad;" "$status $(found)"
	history good flaky good good
	of_tree --good v1 --bad v4 --flaky
	result "--flaky: a bad end that passes" 3 "$status"
}

# --- lists --------------------------------------------------------------------

# vm/patches/6.12 by name; the first half of it is good.
test_patches() {
	mkdir -p "$tmp/6.12"
	: >"$tmp/fake"
	for i in 1 2 3 4 5 6; do
		echo "patch $i" >"$tmp/6.12/000$i-x.patch"
		[ "$i" -lt 4 ] && word=good || word=bad
		echo "000$i-x.patch $word" >>"$tmp/fake"
	done
	echo "0000-none good" >>"$tmp/fake"
	BISECT_FAKE=$tmp/fake bisect --patches "$tmp/6.12" -t truncate -f ext4-dax
	result "patches: the patch is found" "0 0004-x.patch" \
		"$status $(sed -n 's/^first bad patch: //p' "$log")"
	result "patches: the one before it" yes "$(said '^  before it: 0003-x.patch: good')"
	sed -i 's/^\(000[34]-x.patch\) .*/\1 nobuild/' "$tmp/fake"
	BISECT_FAKE=$tmp/fake bisect --patches "$tmp/6.12" -t truncate -f ext4-dax
	result "patches: several candidates" "1 yes" "$status $(said 'one of these 3')"
}

test_match() {
	result "packages: a star matches no dash" "linux-image-6.1.0-9-amd64 " \
		"$(printf 'linux-image-6.1.0-9-%samd64\n' '' rt- cloud- | out/bisect match 'linux-image-6.1.0-*-amd64' | tr '\n' ' ')"
	result "packages: entries of a changelog" "linux (6.1.9-1) x; urgency=low;;  * one;" \
		"$(printf 'linux (6.1.9-1) x; urgency=low\n\n  * one\nlinux (6.1.8-2) x; urgency=low\n\n  * two\n' |
			out/bisect since 6.1.8-2 | tr '\n' ';')"
	result "packages: without a common history, the newest entry" "3 yes" \
		"$(printf 'linux (6.12.9-1) x; urgency=low\n\n  * one\nlinux (6.12.8-2) x; urgency=low\n  * two\n' |
			out/bisect since 6.1.8-2 >"$tmp/log"; head -n 3 "$tmp/log" | grep -c '') $(said '^6.1.8-2 is of another series')"
}

# --- bad input ----------------------------------------------------------------

# refused NAME STATUS RE ARG...
refused() {
	name=$1 want=$2 re=$3
	shift 3
	of_tree "$@"
	result "refused: $name" "$want yes" "$status $(said "$re")"
}

test_refusals() {
	history good good bad bad
	git_in checkout -q --orphan other v1 && commit 60 other && git_in tag other
	git_in checkout -q main
	before=$(fingerprint)
	refused "equal ends" 2 'are both [0-9a-f]*, expected two' --good v1 --bad main~3
	refused "swapped ends" 2 'is an ancestor of --good' --good v4 --bad v1
	refused "no such revision" 2 '[-]-bad v9: no such commit' --good v1 --bad v9
	refused "no common ancestor" 2 'no common ancestor' --good other --bad v4
	refused "no such row" 2 'nothing is selected' --good v1 --bad v4 -r nothing
	refused "no such option" 2 '[-]-what: unknown' --good v1 --bad v4 --what x
	refused "an option of another search" 2 'expected --patches with it' --good v1 --bad v4 -k stock
	refused "confidence without --flaky" 2 'expected --flaky' --good v1 --bad v4 --confidence 90
	refused "no confidence at all" 2 "bad confidence '40'" --good v1 --bad v4 --flaky --confidence 40
	refused "a bad end that passes" 3 'expected it to fail; have the ends been' --good v1 --bad v2
	refused "a good end that fails" 3 'expected it to pass; both ends fail' --good v3 --bad v4
	result "refused: the user's tree is as it was" "$before" "$(fingerprint)"
	tree=$tmp
	refused "no git tree" 2 'not a git tree' --good v1 --bad v4
}

# By itself, in the user's own bisection.
test_alone() {
	history good good good good bad bad bad bad
	status=0
	(cd "$tree" && git bisect start v8 v1 >/dev/null && DAXPIN_BISECT_RUN=$OLDPWD/selftest/bisect-fake.sh \
		BISECT_FAKE=$tmp/alone git bisect run "$OLDPWD/vm/bisect-step" -t truncate -f ext4-dax \
		--signature 'truncate returned' -k "own:$tree") >"$tmp/log" 2>&1 || status=$?
	log=$tmp/log
	result "bisect-step: git finds the commit" "0 yes" "$status $(said '^[0-9a-f]{40} is the first bad commit')"
	made="$made $(sed -n 's,.*results/\(step-[0-9-]*\)/.*,\1,p' "$log" | sort -u | tr '\n' ' ')"
	status=0
	vm/bisect-step -t truncate >/dev/null 2>&1 || status=$?
	result "bisect-step: an error ends a bisection" 128 "$status"
}

# --- real kernels -------------------------------------------------------------

row=break_layouts.dio_read_pte.truncate_inside

# change FILE SED SUBJECT: a commit that changes one file of the kernel.
change() {
	n=$((n + 1))
	sed -i "$2" "$tree/$1"
	git_in add -f "$1"
	commit "$n" "$3"
}

note() {
	change "$1" "\$a /* note $n */" "$2: a note"
}

# A git tree of the distribution's source, as v0: a copy, for links would be the cache's.
real_base() {
	source=$(vm/kernel-build.sh --source 6.12)
	tree=$cache/bisect-test
	[ ! -e "$tree" ] || { echo "Bail out! $tree is there: another test, or one that was killed"; exit 1; }
	mkdir "$tree"
	real_tree=$tree
	trees="$trees bisect-test-$(printf %s "$tree" | sha256sum | cut -c 1-8)"
	cp -a --reflink=auto "$source/." "$tree/"
	git_in init -q -b main
	git_in config gc.auto 0
	git_in add -A -f
	commit 0 "Linux 6.12"
	git_in tag v0
}

# history_real HOW AT: sixteen and two commits, v18 is the last.  At AT truncate of ext4 no
# longer waits for pins (always), or one time in five (sometimes).  Always: 8 and 9 do not
# build, 14 does not boot.
history_real() {
	git_in checkout -q -f -B "$1" v0
	n=0
	for file in fs/ext4/super.c mm/gup.c fs/xfs/xfs_file.c fs/ext4/extents.c fs/dax.c \
		fs/ext4/fsync.c mm/truncate.c fs/ext4/ioctl.c fs/ext4/file.c fs/ext4/ioctl.c \
		fs/xfs/xfs_iops.c fs/ext4/page-io.c fs/ext4/indirect.c init/main.c init/main.c \
		mm/memory.c fs/ext4/balloc.c fs/xfs/xfs_super.c; do
		real_commit "$1:$((n + 1))" "$2" "$file"
	done
	git_in tag -f v18 >/dev/null
}

real_commit() {
	to='get_random_u32_below(5) ? ext4_break_layouts(inode) : 0'
	[ "${1%:*}" = sometimes ] || to=0
	case $1 in
	*:$2) change fs/ext4/inode.c "/^int ext4_setattr/,/^}/ s/rc = ext4_break_layouts(inode);/rc = $to;/" \
		"ext4: setattr: wait less" ;;
	always:8) change "$3" '/^#include "ext4.h"/a static int half(void) { return nothing; }' "ext4: half of a change" ;;
	always:10) change "$3" '/return nothing/d' "ext4: the other half" ;;
	always:14) change "$3" '/^static int __ref kernel_init(/,/^}/ s/^\tint ret;/\tint ret = 0;\n\tpanic("not today");/' \
		"init: stop" ;;
	always:15) change "$3" '/not today/d' "init: go on" ;;
	*) note "$3" "$(dirname "$3")" ;;
	esac
}

# What is seen of the real search is its log.
real() {
	status=0 log=$tmp/log
	began=$(date +%s)
	./run.sh bisect --tree "$tree" --good v0 --bad v18 -t break_layouts -f ext4-dax -r "$row" "$@" \
		>"$log" 2>&1 </dev/null || status=$?
	state_name
	sed 's/^/# /' "$log"
	echo "# $(($(date +%s) - began)) s"
}

test_real() {
	real_base
	history_real always 12
	echo "not committed" >>"$tree/Makefile"
	before=$(fingerprint)
	real
	result "real: the commit is found" "0 ext4: setattr: wait less;" "$status $(found)"
	result "real: those that do not build or boot are skipped" yes "$(said ' [1-9][0-9]* of them skipped')"
	result "real: the user's tree is as it was" "$before" "$(fingerprint)"
	for where in 3 9 16; do
		history_real sometimes "$where"
		real --flaky
		result "real, one time in five, commit $where: it is found" "0 ext4: setattr: wait less;" \
			"$status $(found)"
	done
}

make -s out/bisect out/cells
case ${1:-} in
'') ;;
--real) test_real; plan ;;
*) echo "usage: selftest/bisect.sh [--real]" >&2; exit 2 ;;
esac
test_plain
test_skips
test_merge
test_replay
test_resume
test_full
test_flaky
test_patches
test_match
test_refusals
test_alone
plan
