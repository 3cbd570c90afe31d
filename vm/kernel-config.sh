# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154,SC2034	# who reads this sets what it says
#
# Sourced by kernel-build.sh and patches-check.sh, after kernel-source.sh: the
# configuration of a kernel, which is made of config bits.
#
# Set before: $configs to the folder of the bits, $label to what messages call the
# kernel, $log to where the kernel's makefiles say what they do, and $lax when options
# that the source does not have are no error.

lax=${lax:-}

# The compiler does not remember which macros within a macro a token is from, which takes it a
# seventh of its time and changes no object: an error in a macro is shown where that is used.
variables="ARCH=x86_64 LOCALVERSION= KBUILD_BUILD_USER=daxpin KBUILD_BUILD_HOST=daxpin
	KCFLAGS=-ftrack-macro-expansion=0"

# kernel_makefile ARG...: make in $area, of $source.
kernel_makefile() {
	# shellcheck disable=SC2086	# a list of words
	clean make --no-print-directory -C "$source" O="$area" $variables \
		CC="$cc" HOSTCC=gcc "$@"
}

# Set $cc to the compiler.  It has no folder: another checkout's makes the same objects.
compiler_find() {
	cc=gcc
	! command -v ccache >/dev/null || cc=kernel-cc.sh
}

logged() {
	"$@" >>"$log" 2>&1 || failed
}

# Who asks for a revision that may be broken wants to know that it is.
broken() {
	[ -z "$lax" ] || error=3
}

# The first errors are the telling ones; without any, the end of the log.  It is the
# source that cannot be built, unless there was no room, or no memory for the compiler.
failed() {
	[ "$(room_mb)" -lt 32 ] || grep -qE 'No space left|Killed|virtual memory' "$log" || broken
	grep -E '(^|[^a-z])error: |undefined reference|No space left|\*\*\*' "$log" |
		head -n 20 | grep . >&2 || tail -n 10 "$log" >&2
	die "$label: not built, expected a kernel; all that was said is in $log"
}

# configure BIT...: what the bits ask for goes before tinyconfig: of two lines
# kconfig takes the last.
configure() {
	logged kernel_makefile tinyconfig
	mv "$area/.config" "$area/.config.tiny"
	for bit in "$@"; do
		shift
		set -- "$@" "$configs/$bit"
	done
	merge "$@"
	cat "$area/.config.tiny" "$area/.config.bits" >"$area/.config"
	logged kernel_makefile olddefconfig
	config_check "$@"
}

# The bits must agree (-s).  The script makes temporary files where it is run.
merge() {
	(
		cd "$area"
		clean KCONFIG_CONFIG="$area/.config.bits" \
			sh "$source/scripts/kconfig/merge_config.sh" -m -s /dev/null "$@"
	) >"$area/merge.log" 2>&1 || {
		grep -A 2 redefined "$area/merge.log" >&2 || cat "$area/merge.log" >&2
		die "$label: config bits that contradict each other, expected one value for an option"
	}
}

# Kconfig drops, without a word, what it does not know and what has a missing dependency.
config_check() {
	lost=$(awk '
		FNR == NR { have[$0]; if (/^CONFIG_/) { sub(/=.*/, ""); set[$0] } next }
		/^CONFIG_/ && !($0 in have) { print FILENAME, $0 }
		/^# CONFIG_[A-Za-z0-9_]+ is not set$/ && ($2 in set) { print FILENAME, $0 }
	' "$area/.config" "$@")
	[ -z "$lost" ] || {
		printf '%s\n' "$lost" >"$area.lost"
		while read -r line; do config_lost "${line%% *}" "${line#* }"; done <"$area.lost" >&2
		[ -z "$lax" ] || ! config_old || return 0
		broken
		die "$label: the kernel's configuration lacks the options above, expected them all"
	}
}

# Whether all that is lost are options that the source does not have yet, or no more.
config_old() {
	while read -r line; do
		! config_knows "$(config_symbol "${line#* }")" || return 1
	done <"$area.lost"
}

config_symbol() {
	printf %s "$1" | sed 's/^# //; s/^CONFIG_//; s/[= ].*//'
}

config_knows() {
	grep -rqE --include='Kconfig*' "^[[:blank:]]*(menu)?config $1\$" "$source"
}

# config_lost FILE LINE: why the line of the file is not in the result.
config_lost() {
	if ! config_knows "$(config_symbol "$2")"; then
		why="this version has no such option"
	elif [ "${2#"#"}" = "$2" ]; then
		why="something that it depends on is off"
	else
		why="something else selects it"
	fi
	printf '%s: configs/kernel/%s: %s: %s\n' "$me" "${1##*/}" "$2" "$why"
}
