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
	mkdir -p "$fake/scripts/kconfig" "$fake/arch/x86" "$fake/fs"
	: >"$fake/arch/x86/Kconfig"
	echo 'config FS_DAX' >"$fake/Kconfig"
	echo 'shift 3; cat "$@" >"$KCONFIG_CONFIG"' >"$fake/scripts/kconfig/merge_config.sh"
	: >"$fake/lost" && : >"$fake/fails" && : >"$fake/fs/dax.c"
	cat >"$fake/Makefile" <<-'EOF'
		.RECIPEPREFIX := >
		parts := arch/x86/boot arch/x86/include include/config scripts tools/objtool
		files := Makefile Module.symvers System.map arch/x86/boot/bzImage tools/objtool/objtool
		tinyconfig:
		>ln -sfn $(CURDIR) $(O)/source
		>echo CONFIG_TINY=y >$(O)/.config
		olddefconfig:
		>sed -i -f lost $(O)/.config
		bzImage:
		>cd $(O) && mkdir -p $(parts) && touch $(files)
		>echo 6.12.1-fake >$(O)/include/config/kernel.release
		>sh ./fails >&2
		modules: bzImage
		kernelversion:
		>@echo 6.12.1
	EOF
}

tree_state() {
	find "$fake" -printf '%p %s %T@\n' | sort
}

# Nothing half-built: no entry, neither whole nor unfinished.
no_kernel() {
	[ -z "$(find "$dir/cache/kernels" -name 'fake-tree*')" ]
}

tree_refused() {
	: >"$fake/.config"
	refuses "has .config of a build in place" kernel-build.sh "$fake"
	rm "$fake/.config"
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
	echo "echo >>$fake/fs/dax.c" >"$fake/fails"
	refuses "changed while it was built" kernel-build.sh "$fake"
	check "what fails leaves no kernel" no_kernel
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
	check "and leaves the tree as it was" [ "$(tree_state)" = "$before" ]
	answers "and finds it again" "$folder" kernel-build.sh "$fake"
	answers "with the bits in any order" "$folder" kernel-build.sh "$fake+dm+base"
	check "without a build" calls 1 tree
	echo >>"$fake/fs/dax.c"
	run "$vm/kernel-build.sh" "$fake"
	check "another content gets another folder" [ "$(cat "$dir/out")" != "$folder" ]
	check "and a build" calls 2 tree
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
tree_built
echo "1..$count"
[ "$failed" -eq 0 ]
