#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: vm/help.sh TOPIC
#
# What docs/daxpin.1 says of TOPIC: a section (.Sh, .Ss), or an entry of a list (.It), by its
# name in any case.  Exit status 2 when it says nothing.
set -eu

cd "$(dirname "$0")/.."
page=docs/daxpin.1

# The macros of the topic, as a page of its own.
topic() {
	awk -v want="$1" '
	function plain(s) {
		gsub(/\\[&-]/, "", s)
		sub(/^-+/, "", s)
		return tolower(s)
	}
	BEGIN { want = plain(want) }
	NR < 8 && /^\.(Dd|Dt|Os)/ { print }
	/^\.S[hs] / {
		title = plain(substr($0, 5))
		level = $1
		if (on == "section" && (mark == ".Ss" || level == ".Sh")) on = ""
		if (!on && (title == want || index(title, want ":") == 1)) {
			on = "section"; mark = level; found = 1
			sub(/^\.Ss /, ".Sh ")
		}
	}
	/^\.Bl/ { depth++ }
	on == "entry" && depth == at && (/^\.It / || /^\.El/) { print ".El"; on = "" }
	!on && /^\.It / {
		for (i = 3; i <= NF && $i !~ /^(Ar|Op|\|)$/; i++)
			if (plain($i) == want) {
				print ".Sh " toupper(want)
				print ".Bl -tag -width Ds"
				on = "entry"; at = depth; found = 1
				break
			}
	}
	/^\.El/ { depth-- }
	on { print }
	END { exit !found }' "$page"
}

[ $# -eq 1 ] || { sed -n '/^# usage/,/^[^#]/ s/^# \{0,1\}//p' "$0" >&2; exit 2; }
part=$(topic "$1") || {
	echo "help.sh: $1: not in $page, expected one of its sections, commands, options or keys" >&2
	exit 2
}
if command -v mandoc >/dev/null; then
	printf '%s\n' "$part" | mandoc -T ascii -O width=90 | sed "s/.$(printf '\010')//g; 1d; \$d"
else
	printf '%s\n' "$part" | sed 's/^\.[A-Z][a-z] *//'
fi
