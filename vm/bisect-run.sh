#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/bisect-run.sh build STATE STEP KERNEL
#        vm/bisect-run.sh guests STATE STEP BATCH N
#
# What a step of a bisection takes (vm/bisect-step): a kernel, ready for guests, and
# guests.  STATE is the folder of the bisection and STEP that of the step, which gets
# build.log, kernel (a link to the kernel's folder), and for each batch a folder like
# that of a run, with N guests for each cell that the plan selects.
#
# KERNEL is own:TREE[+BIT]... (a checkout that is only ours), tree:TREE[+BIT]... (the
# user's), patches:DIR:KERNEL, or what vm/kernel.sh takes.
#
# Exit status: 0, 3 when it is the kernel that cannot be built, or another one for an
# error.  DAXPIN_BISECT_RUN names a program that does the same in its place: then what
# a revision does is up to it, and all that a bisection decides can be tested.
set -euf

cd "$(dirname "$0")/.."

die() {
	printf 'bisect-run.sh: %s\n' "$*" >&2
	exit 2
}

plan() {
	out/bisect get "$state" "$1"
}

# A run keeps what it works with: a later build makes new files.
keep() {
	ln -f "$1" "$2" 2>/dev/null || cp "$1" "$2"
}

kernel_get() {
	case $kernel in
	own:*) vm/kernel-build.sh --lax --own "${kernel#own:}" ;;
	tree:*) vm/kernel-build.sh --lax "${kernel#tree:}" ;;
	patches:*)
		rest=${kernel#patches:}
		vm/kernel-build.sh --lax --patches "${rest%%:*}" "${rest#*:}" ;;
	*) vm/kernel.sh "$kernel" ;;
	esac
}

# logged COMMAND...: what it says of its work goes to the person, and to build.log.
logged() {
	rm -f "$step/said"
	mkfifo "$step/said"
	tee -a "$step/build.log" <"$step/said" >&2 &
	status=0
	"$@" 2>"$step/said" || status=$?
	wait
	rm -f "$step/said"
	return "$status"
}

module_make() {
	flock out/.lock make -s "out/module/$name/daxpin.ko" >&2
}

# The module is of this kernel: when all else is built, it is the kernel that it
# cannot be built for.
cmd_build() {
	kernel=$1
	folder=$(logged kernel_get) || exit
	[ -d "$folder/build/" ] || { echo "error: no headers to build a module with" >"$step/build.log"; exit 3; }
	ln -sfn "$folder" "$step/kernel"
	ln -sfn "$folder" "out/kernels/$name"
	[ "$(cat "out/kernels/$name.id" 2>/dev/null)" = "$folder" ] || echo "$folder" >"out/kernels/$name.id"
	flock out/.lock make -s -j "$(nproc)" all >&2 || die "the build failed, see above"
	logged module_make || module_refused
	flock out/.lock make -s "out/root/$name.cpio" "out/root/$name.kernel" >&2 ||
		die "the build failed, see above"
	keep "out/root/$name.cpio" "$step/kernel.cpio" && keep "out/root/$name.kernel" "$step/kernel.kernel"
}

module_refused() {
	room out
	exit 3
}

# What a full disk did is no result.
room() {
	[ "$(df -Pm "$1" | awk 'NR == 2 { print $4 }')" -ge 32 ] ||
		die "$1: disk full, expected at least 32 MB"
}

# Options of out/cells for what the plan selects.  When every guest boots, what boots
# vary varies; for many runs of one kernel most of the time goes there.
selection() {
	set -- -x -t "$(plan scenario)"
	for pair in row:-r fs:-f machine:-m; do
		value=$(plan "${pair%:*}")
		[ -z "$value" ] || set -- "$@" "${pair#*:}" "$value"
	done
	case $(plan flaky):$(plan cold) in yes:) ;; *) set -- "$@" -C ;; esac
	echo "$*"
}

run_fill() {
	mkdir -p "$run/bin" "$run/known" && keep out/guest "$run/bin/guest" &&
		keep out/judge "$run/bin/judge" && keep "$step/kernel.cpio" "$run/kernel.cpio" &&
		keep "$step/kernel.kernel" "$run/kernel.kernel" || return
	# shellcheck disable=SC2046	# words without blanks
	out/cells $(selection) -c "$copies" -a "$accel" -o "$(realpath "$run")" \
		"kernel=$(readlink "$step/kernel")"
}

# No known issue excuses a failure here, and a failure that comes and goes need not be
# confirmed by a guest that boots.
cmd_guests() {
	run=$step/$1 copies=$2
	accel=$(plan accel)
	accel=$(vm/accel.sh ${accel:+-a "$accel"})
	run_fill || die "$run: not made, see above"
	make -s -k -j "$(plan jobs)" -f vm/cells.mk RUN="$run" doubt=false || :	# judged by its verdicts
	room "$run"
	find "$run" -path "$run/snapshots/*" -type f ! -name cell ! -name qemu-args -exec rm -f {} +
}

[ $# -ge 4 ] || die "$# arguments, expected build STATE STEP KERNEL or guests STATE STEP BATCH N"
command=$1 state=$2 step=$3
name=$(basename "$state")
shift 3
mkdir -p out/kernels
case $command in
build) cmd_build "$@" ;;
guests) cmd_guests "$@" ;;
*) die "$command: unknown, expected build or guests" ;;
esac
