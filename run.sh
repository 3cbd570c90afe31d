#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: ./run.sh [run] [OPTION...]	run cells in guests and print the table
#        ./run.sh cells [OPTION...]	list the cells that would run
#        ./run.sh shell [OPTION...]	an interactive guest, file system mounted
#        ./run.sh matrix [OPTION...] [SUITE]	the kernels of a suite, each as soon as it is built
#        ./run.sh report [OPTION...] [RUN...]	print a run (default: the last), or shards of one
#        ./run.sh diff [OPTION...] A B	what is different in run B
#        ./run.sh score [OPTION...] [FAULT...]	seed bugs: which are noticed, and by what
#        ./run.sh faults [OPTION...] [FAULT...]	which of them a kernel can have
#        ./run.sh bisect ...		find what brought a failure (bisect --help)
#        ./run.sh bundle [OPTION...]	make a run, each cell as one file that needs only QEMU
#        ./run.sh collect RUN FILE...	put what these files made into the run, and print it
#        ./run.sh help [TOPIC]		the usage, or what the manual page says of TOPIC
#        ./run.sh doctor		what this machine can do
#        ./run.sh clean-cache [-n] [-a]	remove what is no longer used; -n: only say so
#
#   -k KERNEL    stock (default), deb:PACKAGE[=VERSION], IMAGE[:MODULES[:BUILD]], or
#                built from source: src:VERSION[+BIT]... or TREE[+BIT]..., where
#                BIT is a file of configs/kernel, or `unpatched`; may be given
#                more than once
#   --patches D  build kernels with D/*.patch instead of those of vm/patches
#   -s SUITE     cells of configs/suites/SUITE (default: smoke, without -t)
#   -t SCENARIO  only this one (tests/SCENARIO.scn); may be repeated, as -f and -r
#   -f FS        only on this file system (configs/fs/FS)
#   -r GLOB      only rows whose whole name matches
#   -m MACHINE   on this machine (configs/machine/MACHINE)
#   -j N         that many guests at a time (default: two more than CPUs)
#   --fail-fast  stop at the first cell that is fail, fixed or lost
#   --retry-lost N run a cell that is lost again, up to N times
#   --shard K/N  every Nth cell only, from the Kth on, and all controls
#   --seed S     of what a run draws by lot, 64 hexadecimal digits; each cell says its own
#   -n           print the QEMU command lines and stop
#   --cold       boot every guest; by default they are restored from snapshots
#   --matrix     with cells: count rows by holder and collision (default: full)
#   --accel A    kvm or tcg, without asking what works
#   --resume RUN run what has no verdict yet in results/RUN
#   --format F   print text, ktap, junit, jsonl, kcidb, markdown or html
#   --output O   into this file, whole or not at all
#   --baseline B only what run B, or its file of --format jsonl, does not have is wrong
#   --diff       what is different in the other kernels than the first -k
#   --all        with score: by the whole suite, not by the rows that should notice
#
# Controls are part of every run.  Exit status: 0 all as expected, 1 a result
# that is not, 2 usage or set-up, 3 evidence is missing.
set -euf	# words of options may have * in them

cd "$(dirname "$0")"

kernels=
patches=
suite=
scenarios=
select=
machine=
jobs=$(($(nproc) + 2))	# some cells mostly wait
accel=
cold=
matrix=
resume=
report=
compare=
fast=
retry=0
shard=
seed=
takes_suite=
takes_runs=
takes_faults=
faults=
runs=
dry=
all=
names=
builder=
command=
given=			# options, without values
args=			# lines of a name and what -k was
pid=

die() {
	printf 'run.sh: %s\n' "$*" >&2
	exit 2
}

usage() {
	sed -n '/^# usage:/,/^set/ s/^# \{0,1\}//p' "$0"
	exit 0
}

# Words are kept in lists; what make, QEMU or the shell would cut apart is refused.
word() {
	case $2 in
	'' | -* | *[!A-Za-z0-9_.:/=+*?@%,~-]*) die "$1 $2: expected a plain word" ;;
	esac
}

# What a command heeds; the rest is refused, for it would have no effect.
heeds() {	# COMMAND
	kernel="-k --patches -j --accel"
	cells="-s -t -f -r -m"
	lots="--shard --seed"
	run="--fail-fast --retry-lost"
	report="--format --output --baseline --diff"
	case $1 in
	run) echo "$kernel $cells $lots $run $report --cold --resume -n" ;;
	-n) echo "-n $kernel $cells --cold" ;;
	--resume) echo "--resume -j $run $report" ;;
	matrix) echo "$kernel $cells $lots $run $report --cold" ;;
	cells) echo "$kernel $cells --matrix" ;;
	shell) echo "$kernel -t -f -r -m --seed --cold" ;;
	bundle) echo "$kernel $cells $lots" ;;
	score) echo "$kernel -m --cold --retry-lost --all" ;;
	faults) echo "$kernel -m --cold --retry-lost" ;;
	report) echo "$report" ;;
	diff) echo "--format --output" ;;
	esac
}

heeded() {	# COMMAND
	heeds=$(heeds "$1")
	for option in $given; do
		case " $heeds " in
		*" $option "*) ;;
		*) die "$1: $option is none of its options, expected one of $heeds" ;;
		esac
	done
}

options() {
	while [ $# -gt 0 ]; do
		case $1 in -*) given="$given $1" ;; esac
		case $1 in
		-n) dry=yes; shift; continue ;;
		--cold) cold=-C; shift; continue ;;
		--matrix) matrix=yes; shift; continue ;;
		--diff) compare=yes; shift; continue ;;
		--all) all=-A; shift; continue ;;
		--fail-fast) fast=-x; shift; continue ;;
		-h | --help) usage ;;
		-[kstfrmj] | --accel | --patches | --resume | --format | --output | --baseline | --retry-lost | --shard | --seed)
			[ $# -gt 1 ] || die "$1: expected a value" ;;
		-*) die "$1: unknown, expected an option (--help lists them)" ;;
		*) run_add "$1"; shift; continue ;;
		esac
		word "$1" "$2"
		option "$1" "$2"
		shift 2
	done
	heeded "$command"
	[ -z "$dry" ] || heeded -n
	[ -z "$resume" ] || heeded --resume
	case $compare$command in yes* | diff) compares ;; esac
}

# What is different can be printed in some forms, and against one thing.
compares() {
	case "$report " in
	*" -b "*) die "--diff: expected no --baseline beside it" ;;
	*" -f "[!tjm]* | *" -f junit "*) die "--diff: expected --format text, jsonl or markdown" ;;
	esac
}

# A run is named by its folder in results, or by any path.
run_path() {
	case $1 in */*) path=$1 ;; *) path=results/$1 ;; esac
	[ -e "$path" ] || die "$1: no such run, expected the name of a folder in results"
}

run_add() {
	[ -z "$takes_suite" ] || { word suite "$1"; suite=$1; return; }
	[ -z "$takes_faults" ] || { word fault "$1"; faults="$faults -b $1"; return; }
	[ -n "$takes_runs" ] || die "$1: unknown, expected an option (--help lists them)"
	word run "$1"
	run_path "$1"
	runs="$runs $path"
}

option() {
	case $1 in
	-k) kernels="$kernels $2" ;;
	-s) suite=$2 ;;
	-t) scenarios=yes select="$select -t $2" ;;
	-f | -r) select="$select $1 $2" ;;
	-m) machine="-m $2" ;;
	-j) [ "$2" -gt 0 ] 2>/dev/null || die "-j $2: expected a number from 1 on"; jobs=$2 ;;
	--accel) accel=$2 ;;
	--patches) patches=$2 ;;
	--resume) resume=results/${2#results/} ;;
	--retry-lost) [ "$2" -ge 0 ] 2>/dev/null || die "--retry-lost $2: expected a number"; retry=$2 ;;
	--shard) shard="-p $2" ;;
	--seed) seed="-e $2" ;;
	--format)
		case $2 in
		text | ktap | junit | jsonl | kcidb | markdown | html) report="$report -f $2" ;;
		*) die "--format $2: expected text, ktap, junit, jsonl, kcidb, markdown or html" ;;
		esac
		;;
	--output) report="$report -o $2" ;;
	--baseline) run_path "$2"; report="$report -b $path" ;;
	esac
}

# A kernel's name in paths: stock, what it was built from, or its release.
kernel_name() {
	if [ "$1" = stock ]; then
		echo stock
	elif [ -f "$2/build.log" ]; then
		sed 's/-[0-9a-f]*$//' "$2/name"
	else
		cat "$2/release"
	fi
}

# Fetch what is missing; sets names to NAME=FOLDER of every kernel.
kernels_get() {
	mkdir -p out/kernels
	for kernel in ${kernels:-stock}; do
		folder=$(vm/kernel.sh ${patches:+--patches "$patches"} "$kernel")
		in_use "$folder"
		name=$(kernel_name "$kernel" "$folder")
		case " $names" in *" $name="*) die "-k $kernel: a second kernel is called $name" ;; esac
		[ -d "$folder/build/" ] ||
			die "-k $kernel: no build tree, expected IMAGE:MODULES:BUILD: the daxpin module is built for each kernel"
		ln -sfn "$folder" "out/kernels/$name"
		[ "$(cat "out/kernels/$name.id" 2>/dev/null)" = "$folder" ] || echo "$folder" > "out/kernels/$name.id"
		names="$names $name=$folder"
		args="$args$name $kernel
"
	done
	patches_used
}

# Until the run has its own copies, the cache is in use (clean-cache.sh).
in_use() {
	exec 7>"${1%/kernels/*}/.lock-use"
	flock -s 7
}

patches_used() {
	[ -n "$patches" ] || return 0
	for name in $names; do
		[ ! -f "${name#*=}/build.log" ] || return 0
	done
	die "--patches $patches: no kernel is built, expected -k src:VERSION or -k TREE"
}

# One run at a time builds in this checkout; others wait, and use what it built.
make_targets() {
	mkdir -p out
	flock out/.lock make -s -j "$jobs" "$@" >&2 || die "the build failed, see above"
}

# Who may only read this folder has what is there.
make_report() {
	[ ! -w . ] || make_targets out/report
}

build() {
	roots=
	for name in $names; do
		roots="$roots out/root/${name%%=*}.cpio out/root/${name%%=*}.kernel"
	done
	# shellcheck disable=SC2086	# a list of targets
	make_targets all $roots
}

prepare() {
	vm/packages.sh run
	kernels_get
	accel=$(vm/accel.sh ${accel:+-a "$accel"})
	build
	[ -n "$suite$scenarios" ] || suite=smoke
}

# cells with the selection that the options made.
cells() {
	# shellcheck disable=SC2086	# lists of words without blanks
	out/cells ${suite:+-s "$suite"} $select $machine $cold $shard $seed $faults -a "$accel" "$@" $names
}

# A run keeps what it works with: a later build makes new files.
keep() {
	ln "$1" "$2" 2>/dev/null || cp "$1" "$2"
}

run_tools() {
	mkdir -p "$run/bin" && keep out/guest "$run/bin/" && keep out/judge "$run/bin/" &&
		cp -r configs/known configs/faults "$run/"
}

run_fill() {
	for name in $names; do
		keep "out/root/${name%%=*}.cpio" "$run/" &&
			keep "out/root/${name%%=*}.kernel" "$run/" || return
	done
	printf %s "$args" >>"$run/kernels" && cells "$@" -o "$(realpath "$run")"
}

run_make() {
	run=results/$(date +%Y%m%d-%H%M%S)-$$
	if ! run_tools || ! run_fill; then
		rm -rf "$run"
		die "$run: not made, see above ($(df -Pm results | awk 'NR == 2 { print $4 }') MB are left)"
	fi
	ln -sfn "${run#results/}" results/latest
	exec 7>&-
}

interrupted() {
	trap '' INT TERM HUP
	[ -z "$builder" ] || matrix_stop
	[ -z "$pid" ] || kill -s TERM -- "-$pid" 2>/dev/null || :
	[ -z "$pid" ] || wait "$pid" 2>/dev/null || :
	snapshots_drop
	echo "run.sh: interrupted; the verdicts so far are in $run, and --resume ${run#results/} goes on" >&2
	exit 130
}

# The cache has them; what stays is how they are made.
snapshots_drop() {
	find "$run/" -path "$run/snapshots/*" -type f \
		! -name cell ! -name qemu-args -exec rm -f {} +
}

# Cells are make's targets; a verdict that is there is not made again.
make_cells() {
	rm -f "$run/.said"
	mkfifo "$run/.said"
	out/progress -o "$run" >"$run/order"
	# A group of its own: what make's shells have started is ended with them.
	setsid make -s -k -j "$jobs" -f vm/cells.mk RUN="$run" RETRY="$retry" >"$run/.said" &
	pid=$!
	out/progress $fast -j "$jobs" "$run" <"$run/.said" &
	wait $! || [ $? -ne 1 ] || stopped=yes	# the first failure, if asked
	[ -z "$stopped" ] || kill -s TERM -- "-$pid" 2>/dev/null || :
	wait "$pid" || :	# a cell without a verdict is lost, and the report says so
	pid=
	rm -f "$run/.said"
}

run_begin() {
	exec 9>"$run/.lock"
	flock -n 9 || die "${run#results/} is running"
	trap interrupted INT TERM HUP
	stopped=
}

run_end() {
	snapshots_drop
	vm/trace.sh "$run"
	trap - INT TERM HUP
}

run_cells() {
	run_begin
	make_cells
	run_end
}

cmd_run() {
	if [ -n "$resume" ]; then
		[ "$resume" != results/latest ] || resume=results/$(readlink results/latest)
		run=$resume
		[ -f "$run/cells" ] || die "--resume ${run#results/}: no such run"
		build
	else
		prepare
		[ -z "$dry" ] || { cells -n; return; }
		run_make
	fi
	run_cells
	runs=$run
	print_runs
}

# What the options made of it; the text says with --diff what is different, and decides.
print_runs() {
	# shellcheck disable=SC2086	# lists of words without blanks
	[ -n "$compare" ] || { out/report $report $runs; return; }
	out/report "$run" || :
	# shellcheck disable=SC2086
	out/report -d $report "$run"
}

# One kernel of a matrix, in a shell of its own: its end is no end of the others.
matrix_kernel() {
	kernels=$1 names='' args=''
	kernels_get
	build
	for name in $names; do
		[ ! -e "$run/${name%%=*}.cpio" ] || die "-k $1: a second kernel is called ${name%%=*}"
	done
	run_fill
}

# A kernel that is not there is a lost cell.
matrix_lost() {
	cell=$(printf %s "$1" | tr -c 'A-Za-z0-9_.+~-' -)/none/build
	! grep -Fqsx "$cell" "$run/cells" || return 0
	mkdir -p "$run/$cell"
	printf 'verdict lost\nreason kernel %s cannot be had, see %s\nrows 0\n' "$1" \
		"$run/$cell/build.log" >"$run/$cell/verdict"
	cp "$run/.build.log" "$run/$cell/build.log" 2>/dev/null || :
	echo "$cell" >>"$run/cells"
	echo "$cell" >>"$run/plan"
}

# In a group of its own, so that a build ends with all that it has started.
matrix_fetch() {
	setsid vm/kernel.sh ${patches:+--patches "$patches"} "$1" >/dev/null 2>"$run/.build.log" &
	echo $! >"$run/.fetch"
	fetched=0
	wait $! || fetched=$?
	rm -f "$run/.fetch"	# its number may be another's from now on
	return "$fetched"
}

# Kernels come one after the other, and each is tested while the next is built.
matrix_build() {
	trap - INT TERM HUP
	for one in $kernels; do
		if matrix_fetch "$one"; then
			(matrix_kernel "$one") 2>>"$run/.build.log" &
			wait $! || matrix_lost "$one"
		else
			matrix_lost "$one"
		fi
		echo "$one"
	done
}

# Kernels that were not reached are lost: nobody shall take the rest for the whole.
matrix_stop() {
	kill -s TERM "$builder" 2>/dev/null || :
	[ ! -f "$run/.fetch" ] || kill -s TERM -- "-$(cat "$run/.fetch")" 2>/dev/null || :
	wait "$builder" 2>/dev/null || :
	builder=
	for one in $kernels; do
		awk -v kernel="$one" '$2 == kernel { found = 1 } END { exit !found }' \
			"$run/kernels" 2>/dev/null || matrix_lost "$one"
	done
}

matrix_run() {
	run_begin
	mkfifo "$run/.ready"
	matrix_build >"$run/.ready" &
	builder=$!
	exec 3<"$run/.ready"
	while [ -z "$stopped" ] && read -r one <&3; do
		make_cells
	done
	exec 3<&-
	[ -z "$stopped" ] || matrix_stop
	[ -z "$builder" ] || wait "$builder" || :
	builder=
	rm -f "$run/.ready" "$run/.build.log" "$run/.fetch"
	run_end
}

cmd_matrix() {
	takes_suite=yes
	options "$@"
	[ -n "$suite$scenarios" ] || suite=smoke
	vm/packages.sh run
	accel=$(vm/accel.sh ${accel:+-a "$accel"})
	build
	[ -n "$kernels" ] || [ -z "$suite" ] || kernels=$(out/cells -K "$suite")
	[ -n "$kernels" ] || kernels=stock
	run=results/$(date +%Y%m%d-%H%M%S)-$$
	run_tools
	: >"$run/cells"
	ln -sfn "${run#results/}" results/latest
	matrix_run
	runs=$run
	print_runs
}

cmd_cells() {
	[ -z "$matrix" ] || [ -n "$suite$scenarios" ] || suite=full
	prepare
	[ -z "$matrix" ] || { cells -R | out/matrix configs/matrix; return; }
	cells -l
}

cmd_shell() {
	[ -n "$scenarios" ] || select="$select -t break_layouts"
	scenarios=yes
	prepare
	run=$(mktemp -d)
	run_tools
	run_fill -S
	cell=$(head -n 1 "$run/cells")
	[ ! -e "$run/$cell/snapshot" ] || snapshot "$(realpath "$run/$cell/snapshot")" || :
	"$run/bin/guest" "$run/$cell"
	rm -rf "$run"
}

snapshot() {
	vm/snapshot.sh "$run" "${1#"$run/snapshots/"}"
}

cmd_report() {
	takes_runs=yes
	options "$@"
	[ -n "$runs" ] || run_add latest
	run=${runs# } run=${run%% *}
	make_report
	print_runs
}

cmd_diff() {
	takes_runs=yes
	options "$@"
	# shellcheck disable=SC2086	# a list of words without blanks
	set -- $runs
	[ $# -eq 2 ] || die "diff: $# runs, expected two"
	make_report
	# shellcheck disable=SC2086
	out/report -d $report "$@"
}

cmd_bundle() {
	options "$@"
	cold=-C
	prepare
	run_make
	vm/bundle.sh make "$run"
	echo "${run#results/}"
}

cmd_collect() {
	[ $# -ge 2 ] || die "collect: expected a run and the files that its bundles made"
	run_path "$1"
	shift
	vm/bundle.sh collect "$path" "$@"
	make_report
	runs=$path
	print_runs
}

# score_run OPTION...: the cells that `cells -F OPTION...` makes.
score_run() {
	prepare
	suite=
	faults="-F $* $faults"
	run_make
	: >"$run/seeded"
	run_cells
}

# Text for who looks, the same for machines beside the run's evidence.
cmd_score() {
	takes_faults=yes
	options "$@"
	score_run $all
	out/score -j "$run" >"$run/score.json" || :
	cp "$run/score.json" results/		# for the reports of runs without one
	out/score "$run"
}

cmd_faults() {
	takes_faults=yes
	options "$@"
	score_run -P >&2
	out/score -p "$run"
}

cmd_help() {
	[ $# -gt 0 ] || usage
	exec vm/help.sh "$@"
}

cmd_doctor() {
	exec vm/doctor.sh
}

cmd_clean_cache() {
	exec vm/clean-cache.sh "$@"
}

cmd_bisect() {
	exec vm/bisect.sh "$@"
}

case ${1:-run} in -*) command=run ;; *) command=${1:-run} ;; esac
case ${1:-run} in
run) [ $# -eq 0 ] || shift; options "$@"; cmd_run ;;
-*) options "$@"; cmd_run ;;
cells) shift; options "$@"; cmd_cells ;;
shell) shift; options "$@"; cmd_shell ;;
report) shift; cmd_report "$@" ;;
bisect) shift; cmd_bisect "$@" ;;
matrix) shift; cmd_matrix "$@" ;;
diff) shift; cmd_diff "$@" ;;
score) shift; cmd_score "$@" ;;
faults) shift; cmd_faults "$@" ;;
bundle) shift; cmd_bundle "$@" ;;
collect) shift; cmd_collect "$@" ;;
help) shift; cmd_help "$@" ;;
doctor) cmd_doctor ;;
clean-cache) shift; cmd_clean_cache "$@" ;;
*) die "$1: unknown, expected a command (--help lists them)" ;;
esac
