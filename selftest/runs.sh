# SPDX-License-Identifier: GPL-2.0-only
#
# Made-up runs for the tests of what is printed of a run.  Read by the scripts beside it,
# after tap.sh; not run.

# shellcheck shell=sh disable=SC2034	# who reads it uses them

# What only an attacker or a broken guest would say.
hostile="<script>alert(1)</script>\"'&]]>--><!--\`|#$(printf '\033\001\377\302\205')\${x}</script>"

# A cell below run $1 with verdict $3: a row that is ok, one that fails, a splat.
cell_make() {	# RUN CELL VERDICT
	mkdir -p "$1/$2"
	echo "$2" >>"$1/cells"
	sed "s,^kernel.*,kernel ${2%%/*}," selftest/golden/pass/cell >"$1/$2/cell"
	[ "$3" != none ] || return 0
	{
		printf 'verdict %s\nreason %s\n' "$3" "${4:-the reason of $2}"
		printf 'rows 3\nok 1\nfailed 1\nskipped 0\nknown 1\n'
		case $2 in */control_*) echo "control yes" ;; esac
		printf 'row ok a.one\nrow %s b.two: %s\nrow known c.three: issue\n' \
			"$([ "$3" = fail ] && echo failed || echo ok)" \
			"${4:-expected 0, got 5}"
		[ "$3" != fail ] || printf 'splat WARNING fs/dax.c dax_x\ntitle first WARNING in dax_x\n'
		[ "$3" != fail ] || printf 'splat Oops: dax_y\ntitle follow Oops in dax_y\n'
	} >"$1/$2/verdict"
	printf 'total_ms 1500\n' >"$1/$2/guest"
	cp selftest/golden/pass/console.log "$1/$2/"
	cat >"$1/$2/ktap.log" <<-END
	TAP version 13
	1..3
	#  RUN           a.one ...
	# x.c:1:one:event: pin=1000000000 start=1000400000 waits=1002000000
	# x.c:1:one:witness: dax=1 refs=1->2
	# x.c:2:one:event: release=1400000000 returns=1401000000
	#            OK  a.one
	ok 1 a.one
	#  RUN           b.two ...
	# x.c:3:two:Expected 0 (0) == err (5)
	# x.c:3:two:${4:-it is broken}
	not ok 2 b.two
	END
	printf 'fail: %s\n' "${4:-the reason}" >"$1/$2/judge.log"
}

# A run with these cells.
run_make() {	# RUN CELL=VERDICT...
	dir=$1
	rm -rf "$dir"
	mkdir -p "$dir"
	: >"$dir/cells"
	shift
	for word; do
		cell_make "$dir" "${word%=*}" "${word#*=}"
	done
	cp "$dir/cells" "$dir/plan"
}

# A run of 10000 rows in 100 cells.
run_many() {	# RUN
	mkdir -p "$1"
	for i in $(seq 100); do
		mkdir -p "$1/k/ext4/s$i"
		echo "k/ext4/s$i"
		{
			printf 'verdict pass\nreason 100 rows\nrows 100\n'
			seq 100 | sed 's/.*/row ok a.&.row/'
		} >"$1/k/ext4/s$i/verdict"
		{
			printf 'TAP version 13\n1..100\n'
			seq 100 | sed 's/.*/#  RUN           a.&.row ...\
# x.c:1:row:event: pin=1000000000 start=1000400000 waits=1002000000\
# x.c:1:row:witness: dax=1 refs=1->2 task=S wchan=ext4_break_layouts\
# x.c:2:row:event: release=1400000000 returns=1401000000\
#            OK  a.&.row\
ok & a.&.row/'
		} >"$1/k/ext4/s$i/ktap.log"
	done >"$1/cells"
}
