#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/accel.sh [-a ACCEL]
#
# Print what QEMU is to run guests with: kvm or tcg.  That /dev/kvm opens does
# not mean that it ever runs a guest, so a tiny one (probe.S) is started under
# each, for five seconds at most.  The answer is kept in the cache (DAXPIN_CACHE),
# one for each machine, kernel and QEMU; remove accel/ there to ask again.
#
#	-a ACCEL	print ACCEL, kvm or tcg with QEMU's options, and try nothing
#
# QEMU in the environment is the program (default qemu-system-x86_64).
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

here=$(dirname "$0")
answer=42				# any number that QEMU does not exit with

may_open_kvm() {
	(: <>/dev/kvm) 2>/dev/null
}

# What the answer depends on.  The file says which QEMU it is and costs less
# than starting it for its version.
machine() {
	cat /etc/machine-id 2>/dev/null || uname -n
	uname -r -v
	grep -m 1 '^model name' /proc/cpuinfo || :
	stat -L -c '%n %s %Y' "$qemu"
	! may_open_kvm || echo kvm
}

# True when the guest runs under accelerator $1.
runs() {
	status=0
	timeout --kill-after=1 4 "$qemu" -accel "$1" -cpu max -machine pc -m 16 -nodefaults \
		-no-user-config -no-reboot -display none -serial none -monitor none \
		-device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel "$work/probe" </dev/null >"$work/$1.log" 2>&1 || status=$?
	[ "$status" -eq $((answer * 2 + 1)) ]
}

probe() {
	gcc -m32 -nostdlib -static -DANSWER=$answer -Wl,--build-id=none,-n,-Ttext=0x100000 \
		-o "$work/probe" "$here/probe.S" || die "probe.S: not built, expected gcc -m32 to"
	for accel in $(! may_open_kvm || echo kvm) tcg; do
		say "trying $accel"
		if runs "$accel"; then
			echo "$accel" >"$work/accel"
			return
		fi
	done
	cat "$work"/*.log >&2
	die "$qemu: runs no guest within four seconds, expected it to with kvm or tcg"
}

case ${1:-} in
-h | --help) usage ;;
esac
case $#:$* in
0:) ;;
'2:-a kvm' | '2:-a tcg' | '2:-a kvm,'* | '2:-a tcg,'*)
	echo "$2"
	exit 0 ;;
2:-a*) die "$2: not an accelerator, expected kvm or tcg" ;;
*) die "bad arguments, expected [-a ACCEL] (-h: help)" ;;
esac
qemu=$(command -v "${QEMU:-qemu-system-x86_64}") ||
	die "${QEMU:-qemu-system-x86_64}: not found, expected QEMU (vm/packages.sh installs it)"
need flock gcc timeout
once "accel/$(machine | sha256sum | cut -c 1-16)" probe
cat "$entry/accel"
