#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: selftest/bench.sh [CELLS]
#
# How long the parts of a cell take on the stock kernel: one row on ext4-dax and
# on xfs-dax, CELLS times each (default 5), one guest at a time.  Then the whole
# default run, once.
set -eu

cd "$(dirname "$0")/.."
cells=${1:-5}
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT

./run.sh cells >/dev/null
ln -s "$PWD/out/root/stock.cpio" "$PWD/out/root/stock.kernel" "$run/"
for fs in ext4-dax xfs-dax; do
	out/cells -t break_layouts -f "$fs" -r break_layouts.vmsplice_pte.truncate_inside \
		-a "$(vm/accel.sh)" -o "$run" stock=out/kernels/stock
	for i in $(seq "$cells"); do
		out/guest "$run/stock/$fs/break_layouts"
		cp "$run/stock/$fs/break_layouts/guest" "$run/$fs-$i"
	done
	echo "one row on $fs, $(vm/accel.sh), $(nproc) CPUs:"
	out/times "$run/$fs"-[0-9]*
	echo
done
start=$(date +%s)
./run.sh >/dev/null 2>&1 || :	# its verdicts are not what is measured
echo "the whole default run: $(($(date +%s) - start)) s"
