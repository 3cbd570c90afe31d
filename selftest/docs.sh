#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# docs.sh: do the texts say what the code does?
#
# The man page must document each key of each kind of data file (the tables of
# vm/conf.c), each command and option of run.sh and each variable of the
# environment that the code reads or sets, and nothing else.  Every path of this
# tree that a text names must be there.  TAP on standard output; exit status 1
# when anything differs.

set -euf	# words of texts may have * in them

cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/tap.sh
. selftest/tap.sh

man=docs/daxpin.1

# One line, sorted, for result() to compare and print.
words() {
	LC_ALL=C sort -u | tr '\n' ' '
}

# --- keys of data files -------------------------------------------------------

# "KIND KEY FLAGS" of each line of the table, with the words that the man page has for flags.
code_keys() {
	awk '
	/MUST|MAY/ && match($0, /^\t\{ CONF_[A-Z]+,\t+"[a-z]+"/) {
		split(substr($0, RSTART, RLENGTH), part, /CONF_|,|"/)
		how = "?"
		if (/MUST,/) how = "required"
		if (/MAY,/) how = "optional"
		if (/MUST \| MANY,/) how = "repeatable"
		if (/MAY \| MANY,/) how = "any"
		print tolower(part[2]), part[4], how
	}' vm/conf.c
}

# The same of the man page: ".Ss KIND: FILE", then ".It Cm KEY" and a first word.
man_keys() {
	awk '
	/^\.S[hs] / { kind = "" }
	/^\.Ss [A-Za-z ]+: / { sub(/^\.Ss /, ""); sub(/:.*/, ""); kind = tolower($0) }
	kind == "file system" { kind = "fs" }
	kind == "known issue" { kind = "known" }
	key {
		how = "?"
		if (/^(Required|Optional)\./) { how = tolower($1); sub(/\./, "", how) }
		if (/^Required, repeatable\./) how = "repeatable"
		if (/^Optional, repeatable\./) how = "any"
		print kind, key, how
		key = ""
	}
	kind && /^\.It Cm / { key = $3 }' "$man"
}

# --- commands and options of run.sh -------------------------------------------

# The labels of case in shell function $1 of script $2, one a line.
labels() {
	sed -n "/^$1() {/,/^}/ s/^[[:blank:]]*\(-[^)]*\)).*/\1/p" "${2:-run.sh}" |
		tr -d ' ' | tr '|' '\n' | grep -v '[][*]'
}

code_options() {
	{ labels options; labels option; } | words
}

man_options() {
	sed -n '/^\.Sh OPTIONS/,/^\.Sh FILES/ s/^\.It Fl //p' "$man" |
		sed 's/ Ar .*//; s/ , Fl /\n/; s/ , /\n/' | sed 's/^/-/' | words
}

# The first lines of run.sh are its usage, which does not list what prints it.
usage_options() {
	{
		sed -nE '/^# usage:/,/^set/ s/^#   (-[-a-z]+).*/\1/p' run.sh
		printf '%s\n' -h --help
	} | words
}

code_commands() {
	sed -n '/^case \${1:-run}/,/^esac/ s/^\([a-z][a-z-]*\)) .*/\1/p' run.sh | words
}

man_commands() {
	sed -n '/^\.Sh COMMANDS/,/^\.Sh OPTIONS/ s/^\.It Cm //p' "$man" | words
}

# bisect has options of its own.
bisect_options() {
	{ labels flag vm/bisect.sh; labels option vm/bisect.sh; } | words
}

man_bisect_options() {
	sed -n '/^\.Sh BISECTION/,/^\.Sh VERDICTS/ s/^\.It Fl //p' "$man" |
		sed 's/ Ar .*//; s/ , Fl /\n/; s/ , /\n/' | sed 's/^/-/' | words
}

bisect_usage_options() {
	{
		sed -nE '/^# usage:/,/^set/ s/^#   (-.*)/\1/p' vm/bisect.sh | grep -oE '(^|[ ,])--?[a-z-]+'
		sed -n '/^#   -t SCENARIO/,/^#   --sig/p' vm/bisect.sh | grep -oE ' --?[a-z]+ [A-Z]' | sed 's/ [A-Z]$//'
		printf '%s\n' -h --help
	} | tr -d ' ,' | words
}

# --- environment --------------------------------------------------------------

code_variables() {
	{
		find lib tests selftest vm -name '*.c' -exec \
			sed -nE 's/.*[sg]etenv\("([A-Z_]+)".*/\1/p' {} +
		find run.sh vm \( -name '*.sh' -o -name bisect-step \) -exec \
			sed -nE 's/.*\$\{(DAXPIN_[A-Z_]+|QEMU):-.*/\1/p' {} +
		sed -nE 's/^([A-Z_]+) \?=.*/\1/p' vm/cells.mk
	} | grep -vxE 'PATH|HOME|TMPDIR' | words
}

man_variables() {
	sed -n '/^\.Sh ENVIRONMENT/,/^\.Sh FILES/ s/^\.It Ev //p' "$man" | words
}

# --- paths --------------------------------------------------------------------

# Words of text $1 that look like files of this tree.  NAME is a placeholder, README is not.
paths() {
	grep -oE '(^|[^A-Za-z0-9_./$-])((configs|docs|lib|selftest|tests|vm)/[A-Za-z0-9_.*/-]*|run\.sh|Makefile|README\.md)' "$1" |
		sed -E 's/^[^A-Za-z]//; s/[.-]+$//' | grep -vE '[A-Z]{2}|\.\.|^lib/modules' |
		words
	! grep -qE '(^|[^A-Za-z])README\.md' "$1" || echo README.md
}

# Those of text $1 that are not there; a star stands for at least one file.
missing_paths() {
	for path in $(paths "$1"); do
		set +f
		# shellcheck disable=SC2086	# a pattern
		set -- $path
		set -f
		[ -e "$1" ] || echo "$path"
	done | words
}

# -----------------------------------------------------------------------------

for kind in $(code_keys | cut -d ' ' -f 1 | words); do
	result "keys: $kind" "$(code_keys | grep "^$kind " | words)" \
		"$(man_keys | grep "^$kind " | words)"
done
result "no other kind of file" "$(code_keys | cut -d ' ' -f 1 | words)" \
	"$(man_keys | cut -d ' ' -f 1 | words)"
result "commands" "$(code_commands)" "$(man_commands)"
result "options" "$(code_options)" "$(man_options)"
result "options of the usage" "$(code_options)" "$(usage_options)"
result "options of bisect" "$(bisect_options)" "$(man_bisect_options)"
result "options of bisect: the usage" "$(bisect_options)" "$(bisect_usage_options)"
result "environment" "$(code_variables)" "$(man_variables)"
for text in README.md $(find docs -name '*.md' | LC_ALL=C sort) "$man"; do
	[ ! -f "$text" ] || result "paths: $text" "" "$(missing_paths "$text")"
done

plan
