#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# ci.sh: what is shipped for others to use: the pipelines of docs/ci, the manual page, help,
# completion, and a run in parts.
#
# Pipelines are read by validators that others wrote, and so is the page.  TAP on standard
# output; exit status 1 when anything differs.

# shellcheck disable=SC2317	# functions that status() calls
set -eu

cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/tap.sh
. selftest/tap.sh

# --- pipelines ----------------------------------------------------------------

github() {	# FILE
	mkdir -p "$tmp/repo/.github/workflows"
	cp "$1" "$tmp/repo/.github/workflows/daxpin.yml"
	(cd "$tmp/repo" && "$bin/action-validator" .github/workflows/daxpin.yml)
}

gitlab() {	# FILE
	rm -rf "$tmp/lab"
	mkdir "$tmp/lab"
	cp "$1" "$tmp/lab/.gitlab-ci.yml"
	(cd "$tmp/lab" && git init -q . && git remote add origin https://example.com/none/none.git &&
		"$bin/gitlab-ci-local" --list)
}

if command -v npm >/dev/null; then
	bin=$(vm/npm.sh @action-validator/core=0.6.0 @action-validator/cli=0.6.0 \
		gitlab-ci-local=4.61.1)/node_modules/.bin
	status "GitHub's workflow" 0 github docs/ci/github.yml
	sed 's/runs-on:/runs_on:/' docs/ci/github.yml >"$tmp/broken.yml"
	status "a broken one is seen" 1 github "$tmp/broken.yml"
	status "GitLab's pipeline" 0 gitlab docs/ci/gitlab.yml
	sed 's/^  stage: test/  stages: test/' docs/ci/gitlab.yml >"$tmp/broken.yml"
	status "a broken one is seen, too" 1 gitlab "$tmp/broken.yml"
else
	echo "ok $((count += 1)) - pipelines # SKIP no npm to fetch their validators"
fi

# --- the page, help, completion -----------------------------------------------

result "mandoc has nothing against the page" "" "$(mandoc -T lint -W warning docs/daxpin.1 2>&1)"
for topic in verdicts "exit status" matrix --shard suite known options; do
	status "help $topic" 0 ./run.sh help "$topic"
	result "says something" yes "$([ "$(wc -l <"$tmp/out")" -ge 4 ] && echo yes)"
done
status "help of what there is not" 2 ./run.sh help nonsense

# An option that would be ignored is refused, before anything is made.
for words in "report -k stock" "shell -s smoke" "matrix -n" "cells --format ktap" "bundle --cold" \
	"score -t truncate" "diff --all" "--matrix" "--resume nothing --seed 1" "-n --shard 1/2" \
	"report --diff --baseline ." "report --diff --format junit" "--format nonsense"; do
	# shellcheck disable=SC2086	# words
	status "$words" 2 ./run.sh $words
	result "says why" yes "$(grep -q '^run.sh: .*expected' "$tmp/err" && echo yes)"
done

# What a page shows as a command is one: of each, the options that the command does not heed.
eval "$(sed -n '/^heeds() {/,/^}/p' run.sh)"
unheeded() {	# what pages show, on standard input: [COMMAND] WORD...
	while read -r command words; do
		case $command in
		-*) words="$command $words" command=run ;;
		bisect | collect | help | doctor | clean-cache) continue ;;
		esac
		for word in $words; do
			case $word in -*) ;; *) continue ;; esac
			case " $(heeds "$command") " in *" $word "*) ;; *) echo "$command $word" ;; esac
		done
	done
}
shown=$(grep -hoE '\./run\.sh [-a-z][^#`|&>;)]*' README.md docs/*.md docs/daxpin.1 docs/ci/* |
	sed 's/^[^ ]* //; s/\.\.\.//')
result "pages show commands" yes "$([ "$(echo "$shown" | wc -l)" -gt 100 ] && echo yes)"
result "with options that they heed" "" "$(echo "$shown" | unheeded | sort -u)"
result "and others are seen" "report -k" "$(echo "report -k stock" | unheeded)"

mkdir "$tmp/none"
printf '#!/bin/sh\n' >"$tmp/none/dpkg-query"
chmod +x "$tmp/none/dpkg-query"
status "doctor finds all" 0 ./run.sh doctor
status "or what is missing" 2 env PATH="$tmp/none:$PATH" ./run.sh doctor
result "and says what" yes "$(grep -q '^packages  *missing: .*qemu' "$tmp/out" && echo yes)"

completes() {	# WORD...
	bash -c '
		. configs/completion.bash
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_daxpin "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		printf "%s\n" "${COMPREPLY[@]}"' completes ./run.sh "$@" | sort -u | tr '\n' ' '
}

result "completes commands" "matrix " "$(completes matr)"
result "and options" "--fail-fast --format " "$(completes --f)"
result "suites" "nightly " "$(completes -s nig)"
result "file systems" "xfs-exchange " "$(completes -f xfs-ex)"
result "scenarios" "break_layouts_nvdimm " "$(completes -t break_layouts_n)"
result "kernels" "src:7.2 " "$(completes -k src:7)"
result "rows" "break_layouts.vmsplice_pte.truncate_grow " \
	"$(completes -t break_layouts -r break_layouts.vmsplice_pte.truncate_g)"

# --- a run in parts -----------------------------------------------------------

kernel=$tmp/kernel
mkdir "$kernel"
echo 6.1.0-1-amd64 >"$kernel/release"
echo 6.1.99 >"$kernel/version"

plan_of() {	# FOLDER OPTION...
	folder=$1
	shift
	out/cells -s full -f ext4-dax -f xfs-dax -o "$folder" "$@" "k=$kernel"
}

plan_of "$tmp/whole"
for k in 1 2 3; do
	plan_of "$tmp/part$k" -p "$k/3"
done
result "a whole run is its plan" "" "$(diff "$tmp/whole/plan" "$tmp/whole/cells")"
result "parts have one plan" "" "$(for k in 1 2 3; do diff "$tmp/whole/plan" "$tmp/part$k/plan"; done)"
sort "$tmp/whole/cells" >"$tmp/sorted"
result "parts are the whole" "" "$(sort -u "$tmp"/part?/cells | diff - "$tmp/sorted")"
result "controls are in each" 3 "$(grep -l k/ext4/control_hang "$tmp"/part?/cells | wc -l)"
result "no other cell is in two" "" "$(cat "$tmp"/part?/cells | grep -v /control_ | sort | uniq -d)"
for part in 0/2 3/2 1 1/2/3 a/b; do
	status "--shard $part" 2 out/cells -s smoke -p "$part" -l "k=$kernel"
done
seed=$(printf '%064d' 7)
plan_of "$tmp/seeded" -e "$seed"
result "a seed is that of each cell" "seed	$seed" "$(cat "$tmp"/seeded/k/*/*/cell | grep '^seed' | sort -u)"
for seed in 12 "$(printf '%064d' 7)0" "$(printf '%064s' x)"; do
	status "--seed $seed" 2 out/cells -s smoke -e "$seed" -l "k=$kernel"
done
plan_of "$tmp/power" -t power_loss -t power_check -f ext4-dax -x
result "who looks after a power cut has no cell" k/ext4-dax/power_loss "$(cat "$tmp/power/cells")"
result "but is described beside it" "image	yes" "$(grep '^image' "$tmp/power/k/ext4-dax/power_loss/image/cell")"
result "and has a snapshot" yes "$(! [ -e "$tmp/power/k/ext4-dax/power_loss/image/snapshot/cell" ] || echo yes)"
status "no power cut where nothing can be copied" 2 \
	out/cells -t power_loss -f ext4-dax -m e820 -x -o "$tmp/none" "k=$kernel"
status "kernels of a suite" 0 out/cells -K nightly
result "as it says" "stock src:6.12 src:7.2" "$(cat "$tmp/out")"
status "kernels of none" 2 out/cells -K nothing

# --- cells that run again -----------------------------------------------------

# A run whose guest and judge are made up: what the Nth judge says is line N of "says".
fake() {	# START VERDICT...
	rm -rf "$tmp/fake"
	mkdir -p "$tmp/fake/bin" "$tmp/fake/k/f/a"
	echo k/f/a >"$tmp/fake/cells"
	echo "#!/bin/sh
for last; do :; done
case \"\$*\" in *' -c '*) start=cold ;; *) start=$1 ;; esac
echo \"start \$start\" >\$last/guest" >"$tmp/fake/bin/guest"
	echo "#!/bin/sh
n=\$((\$(cat $tmp/fake/n 2>/dev/null || echo 0) + 1))
echo \$n >$tmp/fake/n
sed -n \"\${n}s/^/verdict /p\" $tmp/fake/says
case \$(sed -n \${n}p $tmp/fake/says) in pass) exit 0 ;; lost) exit 5 ;; *) exit 1 ;; esac" \
		>"$tmp/fake/bin/judge"
	chmod +x "$tmp/fake/bin/guest" "$tmp/fake/bin/judge"
	shift
	printf '%s\n' "$@" >"$tmp/fake/says"
}

ran() {	# RETRY
	make -s -k -f vm/cells.mk RUN="$tmp/fake" RETRY="$1" >/dev/null 2>&1 || :
	(cd "$tmp/fake/k/f/a" && echo "$(cat ../../../n) $(cat verdict)" \
		"$(find . -mindepth 1 -type d | LC_ALL=C sort | tr '\n' ' ')")
}

fake cold pass
result "a pass is a pass" "1 verdict pass " "$(ran 2)"
fake cold fail fail
result "who booted and fails runs again" "2 verdict fail ./first " "$(ran 0)"
fake warm fail fail
result "and who was restored, once" "2 verdict fail ./warm " "$(ran 0)"
fake cold lost pass
result "who is lost does not" "1 verdict lost " "$(ran 0)"
fake cold lost lost pass
result "but as often as it is asked for" "3 verdict pass ./lost-1 ./lost-2 " "$(ran 2)"
fake cold lost lost lost lost
result "and no more" "3 verdict lost ./lost-1 ./lost-2 " "$(ran 2)"
fake warm fail lost pass
result "after two that differ, both are put aside" "3 verdict pass ./lost-1 ./lost-1/warm " "$(ran 1)"

# Known issues: what the judge says of the cell, and of CELL/cold.
known() {	# VERDICT OF-COLD
	fake warm "$@"
	echo "#!/bin/sh
for last; do :; done
case \$last in */cold) file=cold ;; *) file=warm ;; esac
echo \$(basename \$last) >>$tmp/fake/n
awk -v RS=, NF $tmp/fake/\$file" >"$tmp/fake/bin/judge"
	echo "$1" >"$tmp/fake/warm"
	echo "$2" >"$tmp/fake/cold"
	printf 'scenario a\nrow\tx.y\nrow\tx.z\nrow\tx.y.z\n' >"$tmp/fake/k/f/a/cell"
	touch "$tmp/fake/k/f/a/qemu-args" "$tmp/fake/k/f/a/cell.in" "$tmp/fake/k/f/a/cell.out"
}

planned() {
	sed -n 's/^row\t//p' "$tmp/fake/k/f/a/cold/cell" | tr '\n' ' '
}

y="row known x.y: issue" z="splat-known WARNING,title first WARNING,at x.z"
known "verdict known,rows 3,$y" "verdict known,rows 1,$y"
result "of a known issue its row is confirmed" "a cold verdict known ./cold x.y " \
	"$(ran 0 | tr '\n' ' ' | sed "s/ rows .* \\.\//  .\//; s/  */ /g")$(planned)"
known "verdict known,rows 3,$y,$z" "verdict known,rows 2,$y,$z"
result "and that of a splat" "x.y x.z " "$(ran 0 >/dev/null; planned)"
known "verdict known,rows 3,$y" "verdict pass,rows 1,row ok x.y"
result "when it does not show, the whole cell boots" "a cold a " \
	"$(ran 0 >/dev/null; tr '\n' ' ' <"$tmp/fake/n")"
known "verdict known,rows 1,$y" "verdict known,rows 1,$y"
result "an only row is confirmed like any other" "a cold " \
	"$(ran 0 >/dev/null; tr '\n' ' ' <"$tmp/fake/n")"

again() {	# a further run with the same snapshot: who was judged, and what the cell has
	rm -rf "$tmp/fake/k/f/a/verdict" "$tmp/fake/n"
	ran 0 >/dev/null
	(cd "$tmp/fake/k/f/a" && tr '\n' ' ' <../../../n &&
		find . -path ./snapshot -prune -o \( -name cold -o -name confirmed \) -print)
}

known "verdict known,rows 3,$y" "verdict known,rows 1,$y"
mkdir -p "$tmp/fake/k/f/a/snapshot/entry"
touch "$tmp/fake/k/f/a/snapshot/ready"
result "with a snapshot as well" "a cold ./cold" "$(again)"
result "which remembers it" "a ./confirmed" "$(again)"
result "and where it was" "$(realpath "$tmp")/fake/k/f/a/cold" \
	"$(sed 's/.* in //' "$tmp/fake/k/f/a/confirmed")"
echo "seed	1" >>"$tmp/fake/k/f/a/cell"
result "whatever the seed" "a ./confirmed" "$(again)"
printf 'row\tx.a\n' >>"$tmp/fake/k/f/a/cell"
result "but of this cell alone" "a cold ./cold" "$(again)"
echo "verdict known,rows 3,$y,$z" >"$tmp/fake/warm"
result "and nothing that has not shown" "a cold a ./cold" "$(again)"

# --- progress -----------------------------------------------------------------

mkdir -p "$tmp/results/2/k/f/a" "$tmp/results/1/k/f/b"
printf 'k/f/a\nk/f/b\nk/f/c\n' >"$tmp/results/2/cells"
echo "total_ms 90000" >"$tmp/results/1/k/f/b/guest"
printf 'start  k/f/a\nstart  k/f/b\npass   k/f/a\nfail   k/f/b\npass   k/f/c\n' >"$tmp/said"
result "verdicts are lines" "pass   k/f/a fail   k/f/b pass   k/f/c " \
	"$(out/progress "$tmp/results/2" <"$tmp/said" | tr '\n' ' ')"
status "the first failure ends it, if asked" 1 sh -c "out/progress -x '$tmp/results/2' <'$tmp/said'"
result "and nothing comes after" "pass   k/f/a fail   k/f/b " "$(tr '\n' ' ' <"$tmp/out")"
result "on a terminal one line, with what is left" yes "$(script -qec \
	"out/progress -j 1 '$tmp/results/2' <'$tmp/said'" /dev/null | tr '\r' '\n' |
	grep -q '1 of 3 done, 1 running, 0 not as expected, 3:00 left' && echo yes)"
mkdir -p "$tmp/results/1/k/f/c/warm"
echo "total_ms 1000" >"$tmp/results/1/k/f/c/guest"
echo "total_ms 99000" >"$tmp/results/1/k/f/c/warm/guest"
result "a new cell comes first, then what takes longest" "k/f/a k/f/c k/f/b " \
	"$(out/progress -o "$tmp/results/2" | tr '\n' ' ')"

plan
