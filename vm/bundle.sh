#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/bundle.sh make RUN		RUN/bundles/KERNEL_FS_SCENARIO.sh of each cell without verdict
#        vm/bundle.sh collect RUN FILE...	put what they made into RUN
#
# A bundle is one cell in one file: kernel, root, QEMU's arguments, and the programs that
# watch the guest and judge it, linked statically.  `sh NAME.sh NAME.tar` runs it where
# there is a QEMU, and NAME.tar has its evidence and its verdict.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

static=out/static

# What a bundle does, on a machine that has tar, gzip and a QEMU.
runner() {	# CELL
	cat <<-END
	#!/bin/sh
	# One cell of daxpin, $1.  usage: sh FILE RESULT.tar
	set -eu
	[ \$# -eq 1 ] || { echo "usage: sh \$0 RESULT.tar" >&2; exit 2; }
	dir=\$(mktemp -d)
	trap 'rm -rf "\$dir"' EXIT
	tail -n +__LINES__ "\$0" | tar -xz -C "\$dir"
	cd "\$dir/cell"
	run() {
		../bin/guest -s "\${SCALE:-1}" -c .
		../bin/judge -K ../known . >verdict.tmp 2>judge.log ||
			case \$? in 1 | 4 | 5 | 6 | 7) ;; *) exit 2 ;; esac
	}
	run
	if head -n 1 verdict.tmp | grep -qxE 'verdict (fail|fixed)'; then
		mkdir first
		find . -maxdepth 1 -name 'cut-*' -exec mv {} first/ ';'
		mv guest console.log ktap.log qemu.log judge.log first/
		run
	fi
	mv verdict.tmp verdict
	cd "\$OLDPWD"
	tar -cf "\$1" -C "\$dir/cell" --transform 's,^\\.,$1,' \\
		--exclude=./cell --exclude='./cell.*' --exclude=./qemu-args --exclude=./image .
	exit 0
	END
}

# What is in a cell's folder; paths of the run and the checkout are those of the bundle.
cell_fill() {	# FROM TO UP
	mkdir -p "$2"
	for file in cell cell.in cell.out; do
		cp -P "$1/$file" "$2/"
	done
	sed "s,^$run/$kernel\.kernel$,$3/kernel,; s,^$run/$kernel\.cpio$,$3/root,
		s,^$PWD/configs/machine/,$3/," "$1/qemu-args" >"$2/qemu-args"
}

bundle_fill() {	# CELL
	kernel=${1%%/*}
	cell_fill "$run/$1" "$scratch/cell" ..
	[ ! -d "$run/$1/image" ] || cell_fill "$run/$1/image" "$scratch/cell/image" ../..
	ln -f "$run/$kernel.kernel" "$scratch/kernel" 2>/dev/null ||
		cp "$run/$kernel.kernel" "$scratch/kernel"
	cp "$run/$kernel.cpio" "$scratch/root"
	for file in configs/machine/*.cfg; do
		cp "$file" "$scratch/"
	done
	mkdir "$scratch/bin"
	cp "$static/guest" "$static/judge" "$scratch/bin/"
	cp -r "$run/known" "$scratch/"
}

bundle_write() {	# CELL FILE
	scratch=$(mktemp -d)
	bundle_fill "$1"
	runner "$1" >"$scratch/.runner"
	lines=$(($(wc -l <"$scratch/.runner") + 1))
	{
		sed "s/__LINES__/$lines/" "$scratch/.runner"
		tar -cz -C "$scratch" --exclude=.runner .
	} >"$2.tmp"
	mv "$2.tmp" "$2"
	rm -rf "$scratch"
	scratch=
}

bundles_make() {
	mkdir -p "$run/bundles"
	make -s O="$static" CFLAGS="-O2 -static" "$static/guest" "$static/judge" >&2
	while read -r cell; do
		[ -e "$run/$cell/verdict" ] ||
			bundle_write "$cell" "$run/bundles/$(echo "$cell" | tr / _).sh"
	done <"$run/cells"
}

# Of each file only what is below its own cell is taken.
bundles_collect() {
	for file; do
		found=
		while read -r cell; do
			[ "$(basename "$file" .tar)" = "$(echo "$cell" | tr / _)" ] || continue
			tar -xf "$file" -C "$run" "$cell" ||
				die "$file: not taken, expected the result of $cell"
			found=yes
		done <"$run/cells"
		[ -n "$found" ] || die "$file: of no cell of this run, expected KERNEL_FS_SCENARIO.tar"
	done
}

what=${1:-}
[ -n "${2:-}" ] || what=
case $what in
make | collect) ;;
*) usage ;;
esac
[ -f "$2/cells" ] || die "$2: no such run, expected a folder of results"
run=$(realpath "$2")
shift 2
case $what in
make) bundles_make ;;
collect) bundles_collect "$@" ;;
esac
