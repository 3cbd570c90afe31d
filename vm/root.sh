#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# root.sh KERNEL PROGRAMS MODULE OUT.cpio: pack the root of a guest.
#
# KERNEL is a kernel folder (kernel.sh); its modules go in, as far as
# configs/ names them, and MODULE, daxpin.ko.  PROGRAMS is a folder with init and
# the test programs.  Everything else comes from the host, by configs/root.
set -eu

top=$(dirname "$(dirname "$(realpath "$0")")")
kernel=$1 programs=$2 module=$3 out=$4
root=$out.d
release=$(cat "$kernel/release")

die() {
	echo "root.sh: $*" >&2
	exit 2
}

# install_file PATH: copy a file of the host to the same place.
install_file() {
	[ -e "$1" ] || die "$1: not found, expected the program (vm/packages.sh installs it)"
	[ -e "$root$1" ] || install -D -m 755 "$1" "$root$1"
}

# libraries PATH: what the dynamic loader maps for it, itself included.
libraries() {
	ldd "$1" 2>/dev/null | sed -n 's,^[^/]*\(/[^ ]*\) (0x.*,\1,p'
}

install_program() {
	install_file "$1"
	for lib in $(libraries "$1"); do
		install_file "$lib"
	done
}

# Every module that a file system, a machine, a scenario or init.c itself asks for.
wanted_modules() {
	printf '%s\n' virtio_pci virtio_console
	sed -n 's/^modules[[:blank:]]*//p' "$top"/configs/fs/* "$top"/configs/machine/* \
		"$top"/configs/guest "$top"/tests/*.scn "$top"/selftest/*.scn |
		xargs -n 1 | grep -vx daxpin | sort -u
}

# The files of one module and of what it depends on; a built-in one has none.
module_files() {
	modprobe -C /dev/null -d "$kernel/modules" -S "$release" --show-depends "$1" 2>/dev/null |
		sed -n 's/^insmod \([^ ]*\).*/\1/p'
}

# A kernel without modules must have everything built in: modprobe is told so.
install_modules() {
	dir=$root/lib/modules/$release
	mkdir -p "$dir"
	if [ ! -d "$kernel/modules" ]; then
		wanted_modules | sed 's,.*,kernel/&.ko,' > "$dir/modules.builtin"
		touch "$dir/modules.order" "$dir/modules.builtin.modinfo"	# depmod looks for them
		return
	fi
	for name in $(wanted_modules); do
		module_files "$name"
	done | sort -u | xargs -r cp -t "$dir"
	cp "$kernel/modules/lib/modules/$release"/modules.builtin* "$dir"
	cp "$kernel/modules/lib/modules/$release/modules.order" "$dir"
}

rm -rf "$root"
mkdir -p "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/etc" "$root/daxpin"
# One place for programs and one for libraries, as the host has it.
for dir in bin sbin lib lib64; do
	mkdir -p "$root/usr/$dir"
	ln -s "usr/$dir" "$root/$dir"
done
while read -r path _; do
	case $path in ''|'#'*) continue ;; esac
	install_program "$path"
done < "$top/configs/root"
ln -s /proc/mounts "$root/etc/mtab"
ln -sf busybox "$root/usr/bin/sh"
for program in "$programs"/*; do
	[ -x "$program" ] || continue	# the harness is there, too
	for lib in $(libraries "$program"); do
		install_file "$lib"
	done
	install "$program" "$root/daxpin/"
done
mv "$root/daxpin/init" "$root/init"
install_modules
install -D -m 644 -t "$root/lib/modules/$release" "$module"
depmod -b "$root" "$release"
# Snapshots are known by the content of this: when it was made is not part of it.
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --reproducible) > "$out.tmp"
rm -rf "$root"
mv "$out.tmp" "$out"
