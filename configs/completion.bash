# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of run.sh for bash: . configs/completion.bash
#
# Words come from where run.sh has them: its usage, the folders of data files, the cache's
# kernels, the runs; rows from the test programs that are built.

_daxpin_files() {	# FOLDER SUFFIX
	find "$1" -maxdepth 1 -name "*$2" ! -name '.*' ! -type d -printf '%f\n' 2>/dev/null |
		sed "s/${2:-$}\$//"
}

_daxpin_kernels() {
	echo stock
	find /usr/src "${DAXPIN_CACHE:-/var/tmp/daxpin-$(id -u)}/source" -maxdepth 1 \
		-name 'linux-source-*' -printf '%f\n' 2>/dev/null |
		sed -n 's/^linux-source-\([0-9.]*\).*/src:\1/p'
	find vm/patches -mindepth 1 -maxdepth 1 -type d -printf 'src:%f\n' 2>/dev/null
}

# Of the scenarios that are named on the line, or of all.
_daxpin_rows() {
	local i names=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} != -t ]] || names+=("tests/${COMP_WORDS[i + 1]}.scn")
	done
	[[ ${#names[@]} -gt 0 ]] || names=(tests/*.scn)
	sed -n 's/^run[[:blank:]]*\([^[:blank:]]*\).*/\1/p' "${names[@]}" 2>/dev/null | sort -u |
		while read -r program; do
			env -u DAXPIN_DIR -u DAXPIN_GUEST "out/programs/$program" 2>/dev/null
		done | sed -n 's/^ok [0-9]* \([^ ]*\) # SKIP.*/\1/p'
}

_daxpin_runs() {
	find results -mindepth 1 -maxdepth 1 -name '[0-9l]*' -printf '%f\n' 2>/dev/null
}

_daxpin_words() {	# PREVIOUS-WORD
	case $1 in
	-k) _daxpin_kernels ;;
	-s | matrix) _daxpin_files configs/suites "" ;;
	-t) _daxpin_files tests .scn; _daxpin_files selftest .scn ;;
	-f) _daxpin_files configs/fs "" ;;
	score | faults) _daxpin_files configs/faults "" ;;
	-m) _daxpin_files configs/machine "" | grep -v '\.' ;;
	-r) _daxpin_rows ;;
	--accel) printf '%s\n' kvm tcg ;;
	--format) printf '%s\n' text ktap junit jsonl kcidb markdown html ;;
	--resume | --baseline | report | diff | collect) _daxpin_runs ;;
	help) sed -n 's/^\.S[hs] \([^:]*\).*/\1/p' docs/daxpin.1 | tr 'A-Z ' 'a-z\n' ;;
	-j | --shard | --seed | --retry-lost | --output | --patches) ;;
	*)
		sed -nE 's/^#   (-[-a-z]+).*/\1/p' run.sh
		sed -nE 's|^# .*\./run\.sh ([a-z][a-z-]*).*|\1|p' run.sh
		;;
	esac
}

_daxpin() {
	local here=${COMP_WORDS[0]%/*}

	[[ -f $here/run.sh ]] || here=.
	mapfile -t COMPREPLY < <(cd "$here" && compgen -W "$(_daxpin_words "$3")" -- "$2")
	# bash takes a colon for the end of a word.
	declare -F __ltrimcolons >/dev/null && [[ ${COMP_WORDBREAKS} == *:* ]] &&
		[[ $2 == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${2%"${2##*:}"}"}")
	return 0
}

complete -o default -F _daxpin ./run.sh run.sh
