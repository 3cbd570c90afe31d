#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# spread.sh [CELL...]: cells run on another machine, by GNU parallel over ssh, as docs/ci says.
#
# The other machine is this one, by an sshd of our own on the loopback interface with keys
# that live as long as the test.  The report must be that of a run on one machine, apart from
# times.  Without arguments, three controls.  TAP on standard output.

# shellcheck disable=SC2317	# away() is called by trap
set -eu

cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/tap.sh
. selftest/tap.sh

cells=${*:-control_assert control_skip control_empty}
port=$((20000 + $$ % 20000))
sshd=

away() {
	[ -z "$sshd" ] || kill "$sshd" 2>/dev/null || :
	rm -rf "$tmp"
}
trap away EXIT

sshd_start() {
	for key in host user; do
		ssh-keygen -q -t ed25519 -N "" -f "$tmp/$key"
	done
	cat >"$tmp/sshd_config" <<-END
	ListenAddress 127.0.0.1:$port
	HostKey $tmp/host
	AuthorizedKeysFile $tmp/user.pub
	StrictModes no
	UsePAM no
	PermitRootLogin prohibit-password
	PidFile none
	END
	[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
	"$(command -v sshd || echo /usr/sbin/sshd)" -D -f "$tmp/sshd_config" 2>"$tmp/sshd.log" &
	sshd=$!
	echo "[127.0.0.1]:$port $(cut -d ' ' -f 1,2 "$tmp/host.pub")" >"$tmp/known_hosts"
	ssh="ssh -p $port -i $tmp/user -o UserKnownHostsFile=$tmp/known_hosts -o BatchMode=yes"
	# Until it answers; a connection that is refused is refused at once.
	i=0
	until $ssh 127.0.0.1 true 2>/dev/null || [ $((i += 1)) -ge 50 ]; do sleep 0.1; done
}

# The cells of the run that are asked for, and no others.
narrow() {	# RUN
	for cell in $cells; do
		grep "/$cell\$" "results/$1/plan"
	done >"$tmp/cells"
	cp "$tmp/cells" "results/$1/cells"
	cp "$tmp/cells" "results/$1/plan"
}

lines() {	# RUN
	./run.sh report --format jsonl "$1" | jq -c 'del(.time)' || :
}

run=$(./run.sh bundle -t control_assert)
narrow "$run"
bundles=$(sed "s,/,_,g; s,.*,results/$run/bundles/&.sh," "$tmp/cells")
sshd_start
status=0
# shellcheck disable=SC2086,SC1083	# a list of files; braces are parallel's
PARALLEL_SSH=$ssh parallel --will-cite -j 2 --sshlogin 127.0.0.1 --transferfile {} \
	--return {.}.tar --cleanup 'sh {} {.}.tar' ::: $bundles >"$tmp/log" 2>&1 || status=$?
result "parallel ran them" 0 "$status"
[ "$status" -eq 0 ] || sed 's/^/# /' "$tmp/log" "$tmp/sshd.log"
status=0
# shellcheck disable=SC2046	# a list of files
./run.sh collect "$run" $(echo "$bundles" | sed 's/\.sh$/.tar/') >"$tmp/out" || status=$?
result "their results are a run" 0 "$status"
sed 's/^/# /' "$tmp/out"
lines "$run" >"$tmp/spread"
rm -rf "results/$run/bundles"

# The same cells here.
whole=results/again-$$
cp -r "results/$run" "$whole"
while read -r cell; do
	(cd "$whole/$cell" && rm -rf verdict guest console.log ktap.log judge.log first)
done <"$tmp/cells"
sed -i "s,results/$run/,$whole/," "$whole"/*/*/*/qemu-args
make -s -f vm/cells.mk RUN="$whole" >/dev/null
lines "${whole#results/}" >"$tmp/here"
result "the report is that of one machine" "" "$(diff "$tmp/here" "$tmp/spread")"
rm -rf "$whole"
echo one >"$tmp/nothing.tar"
result "a result of no cell is refused" 2 "$(./run.sh collect "$run" "$tmp/nothing.tar" \
	>/dev/null 2>&1 || echo $?)"
mkdir -p "$tmp/evil/bin"
cell=$(head -n 1 "$tmp/cells")
mkdir -p "$tmp/evil/$cell"
echo evil >"$tmp/evil/bin/judge"
tar -cf "$tmp/$(echo "$cell" | tr / _).tar" -C "$tmp/evil" "$cell" bin/judge
./run.sh collect "$run" "$tmp/$(echo "$cell" | tr / _).tar" >/dev/null 2>&1 || :
result "what is not below the cell is not taken" 0 "$(grep -cx evil "results/$run/bin/judge")"
rm -rf "results/$run"

plan
