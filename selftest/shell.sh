#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: selftest/shell.sh
#
# Test what the scripts of vm/ promise, without a network and in a cache of its
# own: that they refuse what is wrong and say so, that a cache entry is complete
# or not there, and that an accelerator is tried once.  Prints TAP, exits 1 when
# a test fails.

# shellcheck disable=SC2016	# dollars in single quotes are for the scripts we write
set -eu

vm=$(cd "$(dirname "$0")/../vm" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$dir/bin"
unset DAXPIN_LINUX_SOURCE QEMU
export DAXPIN_CACHE="$dir/cache" DAXPIN_QUIET=1
export http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9
count=0 failed=0

# result DESCRIPTION: of the command before it, whose exit status is in $status.
result() {
	count=$((count + 1))
	if [ "$status" -eq 0 ]; then
		echo "ok $count - $1"
	else
		failed=$((failed + 1))
		echo "not ok $count - $1"
		sed 's/^/# /' "$dir/out" "$dir/err"
	fi
}

# run COMMAND...: keep what it says and its exit status.
run() {
	status=0
	"$@" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
}

# says FILE TEXT: true when it has a line with this text.
says() {
	grep -qF -e "$2" "$dir/$1"
}

# check DESCRIPTION COMMAND...: the command must be true.
check() {
	name=$1
	shift
	status=0
	"$@" || status=$?
	result "$name"
}

# refuses TEXT SCRIPT ARG...: exit status 2, nothing on stdout, the text on stderr.
refuses() {
	text=$1 script=$2
	shift 2
	run "$vm/$script" "$@"
	[ "$status" -eq 2 ] && [ ! -s "$dir/out" ] && says err "$script: " && says err "$text" &&
		status=0 || status=1
	result "$script refuses: $text"
}

# answers DESCRIPTION TEXT SCRIPT ARG...: exit status 0, this line alone on stdout.
answers() {
	name=$1 text=$2 script=$3
	shift 3
	run "$vm/$script" "$@"
	[ "$status" -ne 0 ] || [ "$(cat "$dir/out")" = "$text" ] || status=1
	result "$name"
}

# program NAME LINE...: put a stand-in into $dir/bin.
program() {
	name=$dir/bin/$1
	shift
	printf '%s\n' '#!/bin/sh' "$@" >"$name"
	chmod +x "$name"
}

# calls N NAME: true when the stand-in was started that often.
calls() {
	: >>"$dir/$2.calls"
	[ "$(wc -l <"$dir/$2.calls")" -eq "$1" ]
}

# --- the cache ----------------------------------------------------------------

caches() {
	mkdir "$dir/open" && chmod 777 "$dir/open"
	ln -s "$dir" "$dir/link"
	for DAXPIN_CACHE in "$dir/open" "$dir/link" "$vm/common.sh"; do
		refuses "not a safe cache" accel.sh -a tcg
	done
	for DAXPIN_CACHE in "$dir/with space" "$dir/with:colon" /; do
		refuses "bad cache folder" accel.sh -a tcg
	done
	DAXPIN_CACHE=$dir/cache
	run "$vm/accel.sh" -a tcg
	check "the cache is made for its owner alone" [ "$(stat -c %a "$dir/cache")" = 700 ]
}

# A script with one cache entry, made by the given lines.
entry_of() {
	cat >"$dir/entry.sh" <<-EOS
		set -eu
		. "$vm/common.sh"
		make_it() {
			$1
		}
		once "test/$2" make_it
		cat "\$entry/file"
	EOS
}

no_entry() {
	[ -z "$(find "$dir/cache/test" -mindepth 1)" ]
}

entry_fails() {
	entry_of 'echo half >"$work/file"; false' fails
	run sh "$dir/entry.sh"
	check "what fails while an entry is made gives exit status 2" [ "$status" -eq 2 ]
	check "and leaves no entry" no_entry
	entry_of 'echo half >"$work/file"; kill -TERM $$; sleep 5' stops
	run sh "$dir/entry.sh"
	check "a signal while an entry is made ends by that signal" [ "$status" -eq 143 ]
	check "and leaves no entry" no_entry
}

entry_killed() {
	entry_of 'echo half >"$work/file"; kill -KILL $$' killed
	run sh "$dir/entry.sh"
	entry_of 'echo whole >"$work/file"' killed
	run sh "$dir/entry.sh"
	check "after a SIGKILL the entry is made again" says out whole
	check "and nothing else is left" [ "$(ls "$dir/cache/test")" = killed ]
}

entry_twice() {
	entry_of "echo made >>'$dir/maker.calls'; sleep 0.2; echo whole >\"\$work/file\"" twice
	sh "$dir/entry.sh" >"$dir/other" 2>&1 &
	run sh "$dir/entry.sh"
	wait $!
	check "two at once make an entry once" calls 1 maker
	check "and both get it" cmp -s "$dir/out" "$dir/other"
}

# --- kernels ------------------------------------------------------------------

# patch FILE OFFSET BYTES: as printf's %b has them, \0ooo.
patch() {
	printf %b "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# A file with the header of a 64-bit bzImage and the release 6.12.1-test.
image() {
	head -c 4096 /dev/zero >"$1"
	patch "$1" 497 '\0003'				# setup sectors
	patch "$1" 514 'HdrS'
	patch "$1" 526 '\0000\0002'			# release is at 0x400
	patch "$1" 566 '\0001'				# 64-bit
	patch "$1" 1024 '6.12.1-test (me@here) #1'
}

kernel_names() {
	refuses "0 arguments" kernel.sh
	refuses "2 arguments" kernel.sh a b
	refuses "not a kernel" kernel.sh --stock
	refuses "not a kernel package" kernel.sh deb:bash
	refuses "bad name" kernel.sh 'deb:linux-image-$(id)'
	refuses "debug information" kernel.sh deb:linux-image-amd64-dbg
	refuses "no such file" kernel.sh "$dir/none"
	refuses "no such file" kernel.sh stock+kasan
	refuses "too many colons" kernel.sh a:b:c:d
}

kernel_files() {
	for name in good narrow short unnamed; do image "$dir/$name"; done
	patch "$dir/narrow" 566 '\0000'
	patch "$dir/short" 500 '\0377\0377'
	patch "$dir/unnamed" 1024 '\0000'
	: >"$dir/empty"
	cp "$dir/good" "$dir/elf" && patch "$dir/elf" 0 '\0177ELF' && patch "$dir/elf" 514 '\0000'
	refuses "an empty file" kernel.sh "$dir/empty"
	refuses "an ELF file" kernel.sh "$dir/elf"
	refuses "a script" kernel.sh "$vm/kernel.sh"
	refuses "a 32-bit kernel" kernel.sh "$dir/narrow"
	refuses "cut short" kernel.sh "$dir/short"
	refuses "no release" kernel.sh "$dir/unnamed"
}

kernel_modules() {
	modules=$dir/m/lib/modules
	mkdir -p "$modules/6.1.0" "$dir/tree/include/generated"
	refuses "no lib/modules/6.12.1-test" kernel.sh "$dir/good:$dir/m"
	refuses "not a folder" kernel.sh "$dir/good:$dir/none"
	refuses "no Makefile" kernel.sh "$dir/good::$dir"
	: >"$dir/tree/Makefile"
	echo '#define UTS_RELEASE "6.1.0"' >"$dir/tree/include/generated/utsrelease.h"
	refuses "built 6.1.0" kernel.sh "$dir/good::$dir/tree"
	echo '#define UTS_RELEASE "6.12.1-test"' >"$dir/tree/include/generated/utsrelease.h"
	mkdir "$modules/6.12.1-test"
	: >"$modules/6.12.1-test/modules.order"
	: >"$modules/6.12.1-test/modules.builtin"
}

kernel_folder() {
	run "$vm/kernel.sh" "$dir/good:$dir/m:$dir/tree"
	check "kernel.sh makes a folder for an image" [ "$status" -eq 0 ]
	folder=$(cat "$dir/out")
	check "with the release of the image" [ "$(cat "$folder/release")" = 6.12.1-test ]
	check "with the name of the folder" [ "$(cat "$folder/name")" = "${folder##*/}" ]
	check "with an index of the modules" \
		[ -f "$folder/modules/lib/modules/6.12.1-test/modules.dep" ]
	check "with the tree it was built in" [ -f "$folder/build/Makefile" ]
	answers "the folder of a release names the same kernel" \
		"$folder" kernel.sh "$dir/good:$modules/6.12.1-test:$dir/tree"
}

kernel_changed() {
	patch "$dir/good" 2000 'changed'
	run "$vm/kernel.sh" "$dir/good:$dir/m:$dir/tree"
	check "another image gets another folder" [ "$(cat "$dir/out")" != "$folder" ]
}

built_names() {
	refuses "0 arguments" kernel-build.sh
	refuses "not a version" kernel-build.sh src:6
	refuses "bad name" kernel-build.sh 'src:6.12;id'
	refuses "no such config bit, expected base or " kernel-build.sh src:6.12+nosuch
	refuses "bad name of a config bit" kernel-build.sh src:6.12+../base
	refuses "an empty config bit" kernel-build.sh src:6.12+
	refuses "no such folder" kernel-build.sh "$dir/none+kasan"
	refuses "is a file, expected a kernel tree" kernel.sh "$dir/good+kasan"
	check "tests/config is what the bits say" \
		[ "$("$vm/tests-config.sh")" = "$(cat "$vm/../tests/config")" ]
	run "$vm/kernel.sh" "$dir"
	check "kernel.sh takes a folder for a tree" \
		says err "kernel-build.sh: $dir: no Makefile, expected a kernel tree"
}

sources() {
	refuses "2 arguments" linux-source.sh a b
	refuses "not a source package" linux-source.sh bash
	refuses "bad name" linux-source.sh 'linux-source-6.12;id'
	export DAXPIN_LINUX_SOURCE=linux-source-6.12=1
	parts=
	sed -n "/^parts='/,/^'/p" "$vm/linux-source.sh" >"$dir/parts"
	# shellcheck source=/dev/null
	. "$dir/parts"
	id=1-$(printf %s "$parts" | cksum | cut -d ' ' -f 1)
	mkdir -p "$DAXPIN_CACHE/linux-source-$id"
	answers "a source in the cache needs no network" \
		"$DAXPIN_CACHE/linux-source-$id" linux-source.sh
	answers "and can be named" \
		"$DAXPIN_CACHE/linux-source-$id" linux-source.sh linux-source-6.12=1
}

# --- a kernel tree ------------------------------------------------------------

# A tree whose makefile builds nothing; what it says and does is in files of it.
tree() {
	fake=$dir/fake+tree
	mkdir -p "$fake/scripts/kconfig" "$fake/arch/x86" "$fake/fs" "$fake/include"
	: >"$fake/arch/x86/Kconfig" && : >"$fake/include/fs.h" && : >"$fake/fs/Kconfig"
	echo 'config FS_DAX' >"$fake/Kconfig"
	echo 'shift 3; cat "$@" >"$KCONFIG_CONFIG"' >"$fake/scripts/kconfig/merge_config.sh"
	: >"$fake/lost" && : >"$fake/fails" && seq 9 >"$fake/fs/dax.c"
	tree_makefile >"$fake/Makefile"
}

tree_makefile() {
	cat <<-'EOF'
		.RECIPEPREFIX := >
		parts := arch/x86/boot arch/x86/include include/config scripts tools/objtool
		files := Module.symvers System.map arch/x86/boot/bzImage tools/objtool/objtool
		tinyconfig:
		>ln -sfn $(CURDIR) $(O)/source
		>echo CONFIG_TINY=y >$(O)/.config
		olddefconfig:
		>sed -i -f lost $(O)/.config
		bzImage:
		>cd $(O) && mkdir -p $(parts) && touch $(files)
		>echo include $(CURDIR)/Makefile >$(O)/Makefile
		>echo 6.12.1-fake >$(O)/include/config/kernel.release
		>cp fs/dax.c $(O)/System.map
		>sh ./fails >&2
		modules: bzImage
		kernelversion:
		>@echo 6.12.1
		fs/dax.o:
		>mkdir -p $(O)/fs
		>grep -qx CONFIG_DAX_DEBUG_PINS=y $(O)/.config && cp fs/dax.c $(O)/$@ || \
		>	sed '/^pins/d' fs/dax.c >$(O)/$@
		.PHONY: fs/dax.o
		mrproper:
		>rm -r .config include/config include/generated.h
	EOF
}

tree_state() {
	find "$fake" -printf '%p %s %T@\n' | sort
}

# Nothing half-built: no entry, neither whole nor unfinished.
no_kernel() {
	[ -z "$(find "$dir/cache/kernels" -name "${1:-fake-tree}*")" ]
}

tree_refused() {
	mv "$fake/Kconfig" "$dir/Kconfig"
	refuses "no Kconfig, expected a kernel tree" kernel-build.sh "$fake"
	mv "$dir/Kconfig" "$fake/Kconfig"
	program df 'echo; echo disk 9 4 5 0 /'
	refuses "disk full, 5 MB left" kernel-build.sh "$fake"
	rm "$dir/bin/df"
	echo '/CONFIG_KASAN=y/d; /CONFIG_FS_DAX=y/d' >"$fake/lost"
	refuses "kasan: CONFIG_KASAN=y: this version has no such option" \
		kernel-build.sh "$fake+kasan"
	check "and says what is missing of another" \
		says err "dax: CONFIG_FS_DAX=y: something that it depends on is off"
	: >"$fake/lost"
	echo 'echo fs/dax.c:7:1: error: no such thing; false' >"$fake/fails"
	refuses "fs/dax.c:7:1: error: no such thing" kernel-build.sh "$fake"
	log=$(sed -n 's/.*all that was said is in //p' "$dir/err")
	check "and keeps the log" grep -qF "no such thing" "$log"
	check "what fails leaves no kernel" no_kernel
}

# For a bisection: what a revision is has a status of its own, what the machine is has not.
tree_lax() {
	run "$vm/kernel-build.sh" --lax "$fake"
	check "kernel-build.sh --lax: a source that cannot be built" [ "$status" -eq 3 ]
	echo 'echo as: error: No space left on device; false' >"$fake/fails"
	refuses "No space left on device" kernel-build.sh --lax "$fake"
	: >"$fake/fails"
	echo '/CONFIG_FS_DAX=y/d' >"$fake/lost"
	run "$vm/kernel-build.sh" --lax "$fake"
	check "kernel-build.sh --lax: an option that it has and is off" [ "$status" -eq 3 ]
	echo '/CONFIG_KASAN=y/d' >"$fake/lost"
	run "$vm/kernel-build.sh" --lax "$fake+kasan"
	check "kernel-build.sh --lax: an option that it does not have" [ "$status" -eq 0 ]
	check "is named" says err "kasan: CONFIG_KASAN=y: this version has no such option"
	refuses "kasan: CONFIG_KASAN=y: this version has no such option" kernel-build.sh "$fake+kasan"
	: >"$fake/lost"
	rm -rf "$dir"/cache/kernels/fake-tree*
}

# While it is copied: somebody writes to it, or there is no more room.
tree_copied() {
	real=$(command -v rsync)
	program rsync "echo >>'$fake/fs/dax.c'" "exec $real \"\$@\""
	refuses "changed while it was copied" kernel-build.sh "$fake"
	program rsync "$real \"\$@\"" 'exit 11'
	refuses "cannot be copied" kernel-build.sh "$fake"
	rm "$dir/bin/rsync"
	check "what is not copied is not built" no_kernel
	seq 9 >"$fake/fs/dax.c"
}

tree_built() {
	echo "echo built >>$dir/tree.calls" >"$fake/fails"
	before=$(tree_state)
	run "$vm/kernel-build.sh" "$fake"
	check "kernel-build.sh makes a folder for a tree" [ "$status" -eq 0 ]
	folder=$(cat "$dir/out")
	check "with its release" [ "$(cat "$folder/release")" = 6.12.1-fake ]
	check "with its version" [ "$(cat "$folder/version")" = 6.12.1 ]
	check "with what modules are built with" [ -f "$folder/build/Module.symvers" ]
	check "and with the source of then" \
		grep -qxF "include $folder/source/Makefile" "$folder/build/Makefile"
	check "and leaves the tree as it was" [ "$(tree_state)" = "$before" ]
	answers "and finds it again" "$folder" kernel-build.sh "$fake"
	answers "with the bits in any order" "$folder" kernel-build.sh "$fake+dm+base"
	check "without a build" calls 1 tree
}

# The copy's files in $1: name and time of each.
copy_times() {
	find "$dir/cache/build"/fake-tree-*.source/"$1" -type f -printf '%f %T@\n' | sort
}

tree_changed() {
	before=$(copy_times include)
	old=$(copy_times fs)
	echo 10 >>"$fake/fs/dax.c" && touch -d '1 day ago' "$fake/fs/dax.c"
	run "$vm/kernel-build.sh" "$fake"
	check "another content gets another folder" [ "$(cat "$dir/out")" != "$folder" ]
	check "and a build" calls 2 tree
	check "for which what changed is new, whatever its time" [ "$(copy_times fs)" != "$old" ]
	check "and the rest is as old as it was" [ "$(copy_times include)" = "$before" ]
	seq 9 >"$fake/fs/dax.c"
}

# A tree that was built in place has objects; neither they nor it are touched.
tree_in_place() {
	mkdir "$fake/include/config"
	: >"$fake/.config" && : >"$fake/include/config/X" && : >"$fake/include/generated.h" && : >"$fake/fs/dax.o"
	before=$(tree_state)
	run "$vm/kernel-build.sh" "$fake"
	check "a tree that was built in place is built" [ "$status" -eq 0 ]
	check "without what that left" [ -z "$(find "$dir/cache/build"/fake-tree-*.source \
		-name '*.o' -o -name generated.h)" ]
	check "which stays where it was" [ "$(tree_state)" = "$before" ]
	rm -r "$fake/include/config" "$fake/.config" "$fake/include/generated.h" "$fake/fs/dax.o"
}

# --- patches ------------------------------------------------------------------

# diff FILE OLD NEW: a patch that has this line of the file changed.
diff_of() {
	(cd "$fake" && sed "s/^$2\$/$3/" "$1" | diff -u --label "a/$1" --label "b/$1" "$1" -) || :
}

patches_refused() {
	series=$dir/series
	mkdir "$series"
	refuses "no such folder" kernel-build.sh --patches "$dir/none" "$fake"
	refuses "no *.patch in it" kernel-build.sh --patches "$series" "$fake"
	refuses "expected a folder" kernel-build.sh --patches
	diff_of fs/dax.c 5 five >"$series/0001-good.patch"
	diff_of fs/dax.c 5 six >"$series/0002-bad.patch"
	refuses "0002-bad.patch: does not apply" kernel-build.sh --patches "$series" "$fake"
	check "and says where" says err "patch failed: fs/dax.c:2"
	check "and what" says err "+six"
	check "what has no patches is not built" no_kernel fake-tree+patches
	rm "$series/0002-bad.patch"
	refuses "expected no --patches" kernel-build.sh --patches "$series" "$fake+unpatched"
}

patches_applied() {
	before=$(tree_state)
	run "$vm/kernel-build.sh" --patches "$series" "$fake"
	check "a tree is built with patches" [ "$status" -eq 0 ]
	folder=$(cat "$dir/out")
	check "and its name says so" [ "${folder%-*}" = "$dir/cache/kernels/fake-tree+patches" ]
	check "and it has them" grep -qx five "$folder/System.map"
	check "and the tree has not" [ "$(tree_state)" = "$before" ]
	run "$vm/kernel-build.sh" "$fake"
	check "and not in a kernel without" grep -qx 5 "$(cat "$dir/out")/System.map"
}

# A file that no patch is for any more is not older than objects made with it.
patches_changed() {
	old=$(find "$dir/cache/build"/fake-tree+patches-*.source/fs/dax.c -printf %T@)
	mv "$series/0001-good.patch" "$dir/"
	diff_of include/fs.h x y >/dev/null
	printf '%s\n' '--- /dev/null' '+++ b/include/new.h' '@@ -0,0 +1 @@' '+new' \
		>"$series/0001-new.patch"
	run "$vm/kernel-build.sh" --patches "$series" "$fake"
	check "other patches make another kernel" [ "$(cat "$dir/out")" != "$folder" ]
	check "without those of before" grep -qx 5 "$(cat "$dir/out")/System.map"
	file=$(find "$dir/cache/build"/fake-tree+patches-*.source/fs/dax.c -newermt "@$old")
	check "whose files are new" [ -n "$file" ]
	check "and the first kernel keeps its source" [ ! -e "$folder/source/include/new.h" ]
	check "as the other one has its own" [ -f "$(cat "$dir/out")/source/include/new.h" ]
}

# --- a series -----------------------------------------------------------------

# A checkout with series of its own, and packages' sources in the cache.
checkout() {
	mkdir -p "$dir/co" "$dir/cache/source" "$dir/series-7.2"
	cp -r "$vm" "$vm/../configs" "$dir/co/"
	rm -rf "$dir/co/vm/patches"
	mkdir -p "$dir/co/vm/patches/6.1" "$dir/co/vm/patches/7.2"
	printf '%s\n' '--- /dev/null' '+++ b/fs/Kconfig' '@@ -0,0 +1 @@' '+config DAX_DEBUG_PINS' \
		>"$dir/co/vm/patches/7.2/0001-option.patch"
	cp "$dir/0001-good.patch" "$dir/co/vm/patches/7.2/0002-good.patch"
	for version in 7.2 7.3 7.12 5.10; do package "$version"; done
	sed -i s/5/other/ "$dir/cache/source/linux-source-7.12_1/fs/dax.c"
}

package() {
	cp -r "$fake" "$dir/cache/source/linux-source-${1}_1"
	rm "$dir/cache/source/linux-source-${1}_1/fs/Kconfig"
	echo "$dir/cache/source/linux-source-${1}_1" >"$dir/cache/.newest-$1-tree"
}

# builds VERSION LABEL LINE: the kernel's name, and a line that its System.map has.
builds() {
	run "$dir/co/vm/kernel-build.sh" "src:$1"
	[ "$status" -eq 0 ] && folder=$(cat "$dir/out") &&
		[ "${folder%-*}" = "$dir/cache/kernels/$2" ] &&
		grep -qx "$3" "$folder/System.map" || status=1
	result "src:$1 builds $2"
}

series() {
	builds 7.2 src-7.2 five
	check "with its bit" grep -qx CONFIG_DAX_DEBUG_PINS=y "$folder/config"
	builds 7.2+unpatched src-7.2+unpatched 5
	check "without its bit" [ "$(grep -c DAX_DEBUG_PINS "$folder/config")" -eq 0 ]
	builds 7.2+unpatched+kasan src-7.2+kasan+unpatched 5
	builds 7.3 src-7.3 five
	builds 7.12 src-7.12+unpatched other
	check "and says what does not apply" says err \
		"src:7.12: 0002-good.patch of the series for 7.2 does not apply"
	builds 5.10 src-5.10 5
	check "the packages' sources stay" [ -z "$(find "$dir/cache/source" -name new.h -o \
		-path '*7.[23]_1/fs/dax.c' -exec grep -l five {} +)" ]
}

# What a run has of --patches when none of its kernels is built: nothing.
patches_unused() {
	cp "$vm/../run.sh" "$dir/co/"
	run "$dir/co/run.sh" cells -k "$dir/good:$dir/m:$dir/tree" --patches "$dir/series"
	[ "$status" -eq 2 ] && says err "no kernel is built" && status=0 || status=1
	result "run.sh refuses patches when no kernel is built"
}

# --- the check of a series ----------------------------------------------------

# Of two patches the first is right; PATCH is the second.  The stand-in for
# checkpatch has something to say of what has a tab at the end of a line.
checks() {
	cp "$dir/co/vm/patches/7.2/0001-option.patch" "$dir/check/"
	run "$dir/co/vm/patches-check.sh" --patches "$dir/check" 7.2
	rm "$dir/check"/*
}

series_checked() {
	mkdir "$dir/check"
	printf '%s\n' '#!/bin/sh' 'for patch; do :; done' '! grep "	$" "$patch"' \
		>"$dir/cache/source/linux-source-7.2_1/scripts/checkpatch.pl"
	chmod +x "$dir/cache/source/linux-source-7.2_1/scripts/checkpatch.pl"
	refuses "expected a series" patches-check.sh --patches "$dir/check" 7.2
	diff_of fs/dax.c 5 '5\npins' >"$dir/check/0002-pins.patch"
	checks
	check "patches-check.sh finds nothing wrong" [ "$status" -eq 0 ]
	check "and made objects with the option" says out "ok 11 - 0002-pins.patch: objects with the"
	cp "$dir/0001-good.patch" "$dir/check/0002-changes.patch"
	checks
	check "patches-check.sh fails" [ "$status" -eq 1 ]
	check "when objects change" says out "not ok 10 - 0002-changes.patch: are as without"
	diff_of fs/dax.c 5 'pins	' >"$dir/check/0002-style.patch"
	checks
	check "or checkpatch has something to say" says out "not ok 8 - 0002-style.patch: checkpatch"
	diff_of fs/dax.c 5 five | sed s/6/7/ >"$dir/check/0002-no.patch"
	checks
	check "or a patch does not apply" says out "not ok 7 - 0002-no.patch applies"
	check "and says where" says out "patch failed: fs/dax.c:2"
}

# --- what nobody uses ---------------------------------------------------------

# clean OPTION...: what clean-cache.sh says of a cache of its own.
clean() {
	DAXPIN_CACHE=$dir/old run "$dir/co/vm/clean-cache.sh" "$@"
}

old_cache() {
	mkdir -m 700 "$dir/old"
	cd "$dir/old"
	mkdir -p kernels/src-6.12-aaaaaaaaaaaa kernels/src-6.12-bbbbbbbbbbbb \
		kernels/src-6.12+kasan-bbbbbbbbbbbb kernels/src-6.12-cccccccccccc.tmp.1 \
		kernels/linux-image-6.1.0-9-amd64_6.1.1-1 kernels/linux-image-6.1.0-10-amd64_6.1.2-1 \
		kernels/image-aaaaaaaaaaaa kernels/image-bbbbbbbbbbbb \
		build/src-6.12 build/src-6.12.source build/src-6.1 build/tree-12345678 apt/lists \
		snapshots/aaaaaaaaaaaa snapshots/bbbbbbbbbbbb.tmp.1
	touch -d '3 days ago' build/* apt apt/lists snapshots/*
	touch -d '60 hours ago' kernels/*
	touch -d '330 minutes ago' kernels/*bbbbbbbb kernels/*_6.1.2-1
	mkdir build/new snapshots/cccccccccccc
	head -c 3000000 /dev/zero >kernels/src-6.12-aaaaaaaaaaaa/bzImage
	touch -d '60 hours ago' kernels/src-6.12-aaaaaaaaaaaa
	cd "$OLDPWD"
	printf '%s\n' build/new build/src-6.12 build/src-6.12.source kernels/image-aaaaaaaaaaaa \
		kernels/image-bbbbbbbbbbbb kernels/linux-image-6.1.0-10-amd64_6.1.2-1 \
		kernels/src-6.12+kasan-bbbbbbbbbbbb kernels/src-6.12-bbbbbbbbbbbb \
		snapshots/cccccccccccc >"$dir/stays"
	mkdir -p "$dir/co/out/kernels"
	ln -s "$dir/old/kernels/image-aaaaaaaaaaaa" "$dir/co/out/kernels/6.12.1"
}

cleaned() {
	before=$(find "$dir/old" ! -name '.lock*' | sort)
	clean -n
	check "clean-cache.sh -n lists the cache" \
		grep -qx 'remove      3 MB      2 d  kernels/src-6.12-aaaaaaaaaaaa' "$dir/out"
	check "and the sum" grep -qx '[0-9]* MB, of which [0-9]* MB would be removed' "$dir/out"
	check "and removes nothing" [ "$(find "$dir/old" ! -name '.lock*' | sort)" = "$before" ]
	exec 5>"$dir/old/.lock-src-6.12"
	flock 5
	clean
	check "it does nothing while an entry is made" \
		says err "in use by another run (.lock-src-6.12)"
	exec 5>&-
	clean
	(cd "$dir/old" && printf '%s\n' */*) >"$dir/out"
	check "it keeps what is used, new, or the newest" cmp -s "$dir/out" "$dir/stays"
	clean -a
	check "with -a it keeps nothing" [ "$(cd "$dir/old" && echo */*)" = "*/*" ]
	clean -x
	check "it refuses other options" says err "clean-cache.sh: -x: unknown, expected -n or -a"
}

# --- packages and accelerator -------------------------------------------------

# The stand-ins come first: no test may install anything.
packages() {
	program apt-get "echo \"\$*\" >>'$dir/apt-get.calls'"
	program sudo 'exit 1'
	PATH=$dir/bin:$PATH
	refuses "unknown group" packages.sh all
	program dpkg-query 'for p; do echo "installed $p"; done'
	answers "packages.sh is silent when nothing is missing" "" packages.sh check
	check "and installs nothing" calls 0 apt-get
	program dpkg-query 'for p; do [ "$p" = make ] || echo "installed $p"; done'
	run "$vm/packages.sh"
	[ "$(id -u)" -eq 0 ] && what=apt-get.calls || what=out
	check "packages.sh installs what is missing, or says how" says "$what" \
		"install -y --no-install-recommends make"
}

accel_override() {
	program qemu "echo called >>'$dir/qemu.calls'"
	export QEMU="$dir/bin/qemu"
	answers "kvm can be asked for" kvm accel.sh -a kvm
	answers "tcg can be asked for, with options" tcg,thread=single accel.sh -a tcg,thread=single
	refuses "not an accelerator" accel.sh -a xen
	refuses "bad arguments" accel.sh -a
	check "an accelerator that is given is not tried" calls 0 qemu
	refuses "runs no guest" accel.sh
	QEMU=$dir/none
	refuses "not found" accel.sh
}

# A QEMU whose guest answers under TCG only, as where /dev/kvm is of no use.
accel_probe() {
	program qemu "echo called >>'$dir/qemu.calls'" '[ "$2" != tcg ] || exit 85'
	QEMU=$dir/bin/qemu
	rm -f "$dir/qemu.calls"
	answers "accel.sh prints what runs a guest" tcg accel.sh
	tried=$(wc -l <"$dir/qemu.calls")
	answers "and prints it again" tcg accel.sh
	check "the answer is remembered" calls "$tried" qemu
	touch -d '1 hour ago' "$QEMU"
	answers "and for another QEMU" tcg accel.sh
	check "another QEMU is tried again" calls $((tried * 2)) qemu
}

case ${1:-} in
-h | --help) sed -n '/^# usage:/,/^[^#]/ s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
caches
entry_fails
entry_killed
entry_twice
kernel_names
kernel_files
kernel_modules
kernel_folder
kernel_changed
built_names
sources
accel_override
accel_probe
packages				# from here on PATH has the stand-ins
program dpkg-query 'for p; do echo "installed $p"; done'
for tool in flex bison bc; do program $tool; done
tree
tree_refused
tree_lax
tree_copied
tree_built
tree_changed
tree_in_place
patches_refused
patches_applied
patches_changed
checkout
series
patches_unused
series_checked
old_cache
cleaned
echo "1..$count"
[ "$failed" -eq 0 ]
