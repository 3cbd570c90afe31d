#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/clean-cache.sh [-n] [-a]
#
# List the entries of the cache (DAXPIN_CACHE) with size and age, and remove those
# that this checkout would not use next.  What out/ refers to stays; of every kind
# of kernel and source the newest; what those kernels are built in; and what was
# built, restored, or fetched to know packages, within a day.
#
#	-n	remove nothing, only say what would be
#	-a	remove all of it
#
# Nothing is removed while another run uses the cache.  Files of locks stay.
set -eu

# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"

top=$(cd "$(dirname "$0")/.." && pwd)
dry='' all='' lock=''
folders="kernels source build bisect snapshots accel npm unstable unstable/source"

# "TIME PATH" of each entry, the newest first.
entries() {
	for folder in . $folders; do
		[ ! -d "$folder" ] ||
			find "$folder" -mindepth 1 -maxdepth 1 ! -name '.*' -printf '%T@ %p\n'
	done | sed 's| \./| |' | grep -vE " ($(printf %s "$folders" | tr ' ' '|'))\$" | sort -rn
}

# "used PATH" of what out/ has links to, and "fresh PATH" of what is of today.
uses() {
	find "$top/out/linux" "$top/out/kernels" -type l -printf 'used %l\n' 2>/dev/null |
		sed "s|$CACHE/||"
	for folder in apt unstable/apt; do
		[ -z "$(find "$folder" -mtime -1 2>/dev/null | sed q)" ] || echo "fresh $folder"
	done
	for folder in build snapshots; do
		[ ! -d "$folder" ] ||
			find "$folder" -mindepth 1 -maxdepth 1 -mtime -1 -printf 'fresh %p\n'
	done
	[ ! -d "$top/vm/patches" ] ||
		find "$top/vm/patches" -mindepth 1 -maxdepth 1 -printf 'fresh build/check-%f\n'
}

# The verdict on each, "keep PATH" or "remove PATH".  What an area is for is told
# by its name, that of the kernel's entry with another hash or with none.
sort_out() {
	awk -v all="$all" '
	function kind(path) {
		if (path ~ /\.tmp\.[0-9]+$/) return ""
		sub(/-[0-9a-f]*$/, "", path)
		if (match(path, /linux-(image|source)-[0-9]+\.[0-9]+/)) {
			flavour = substr(path, RSTART + RLENGTH)
			sub(/_.*/, "", flavour)
			sub(/^[0-9.+~-]*(deb[0-9]+)?/, "", flavour)
			return substr(path, 1, RSTART + RLENGTH - 1) flavour
		}
		return path
	}
	function area(path) {
		sub(/\.(log|source|source\.log|with|without)$/, "", path)
		return path
	}
	$1 == "used" || $1 == "fresh" { keep[$2]; next }
	{ order[++n] = $2 }
	$2 !~ /^(build|snapshots|apt|unstable\/apt)/ && kind($2) != "" && !(kind($2) in newest) {
		newest[kind($2)]
		keep[$2]
	}
	END {
		for (path in keep)
			if (path ~ /^kernels\//) {
				sub(/^kernels/, "build", path)
				sub(/-[0-9a-f]*$/, "", path)
				kept[path]
			}
		for (i = 1; i <= n; i++) {
			path = bare = area(order[i])
			sub(/-[0-9a-f]*$/, "", bare)
			stays = order[i] in keep || path in keep || path in kept || bare in kept
			print (stays && !all) ? "keep" : "remove", order[i]
		}
	}'
}

# "VERDICT MB AGE PATH" of each.  One du for all counts what has several links once.
measure() {
	now=$(date +%s)
	cut -d ' ' -f 2 "$scratch/verdicts" | xargs -r du -sm >"$scratch/sizes"
	awk -v now="$now" '
	function age(s) {
		if (s >= 172800) return int(s / 86400) " d"
		if (s >= 7200) return int(s / 3600) " h"
		return int(s / 60) " min"
	}
	FILENAME ~ /entries$/ { time[$2] = $1; next }
	FILENAME ~ /sizes$/ { size[$2] = $1; next }
	{
		printf "%-6s %6d MB %8s  %s\n", $1, size[$2], age(now - time[$2]), $2
		total += size[$2]
		if ($1 == "remove") removed += size[$2]
	}
	END { printf "%d MB, of which %d MB %s\n", total, removed, ENVIRON["VERB"] }
	' "$scratch/entries" "$scratch/sizes" "$scratch/verdicts"
}

# Every script that uses the cache holds .lock-use, and who makes an entry its lock.
alone() {
	exec 7>&- 8>.lock-use
	flock -n 8 || in_use
	for lock in .lock-*; do
		[ "$lock" = .lock-use ] || (flock -n 9) 9>>"$lock" || in_use
	done
}

in_use() {
	die "$CACHE: in use by another run${lock:+ ($lock)}, expected none: try again later"
}

while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) usage ;;
	-n) dry=yes ;;
	-a) all=yes ;;
	*) die "$1: unknown, expected -n or -a" ;;
	esac
	shift
done
cd "$CACHE"
[ -n "$dry" ] || alone
scratch=$(mktemp -d)
entries >"$scratch/entries"
{ uses; cat "$scratch/entries"; } | sort_out >"$scratch/verdicts"
VERB=$([ -n "$dry" ] && echo "would be removed" || echo removed)
export VERB
measure
[ -z "$dry" ] || exit 0
sed -n 's/^remove //p' "$scratch/verdicts" | xargs -r rm -rf
