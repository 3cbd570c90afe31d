#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# html.sh [REPORT]: the page of a report in a real browser, without a screen.
#
# Screenshots stay in out/check/html-*.png.  TAP on standard output; exit status 1 when
# anything differs.

set -eu

cd "$(dirname "$0")/.."
report=${1:-out/report}
# shellcheck source=SCRIPTDIR/tap.sh
. selftest/tap.sh
# shellcheck source=SCRIPTDIR/runs.sh
. selftest/runs.sh

if ! command -v npm >/dev/null || ! command -v chromium >/dev/null; then
	echo "ok 1 - the page in a browser # SKIP no npm or no chromium"
	echo "1..1"
	exit 0
fi

run_make "$tmp/base" old/ext4/control_a=pass new/ext4/control_a=pass old/ext4/pin=fail \
	new/ext4/pin=pass new/xfs/cow=fail
run_make "$tmp/run" old/ext4/control_a=pass new/ext4/control_a=pass old/ext4/pin=fail \
	old/xfs/pin=pass old/ext4/cow=known new/ext4/pin=fail new/xfs/pin=pass new/xfs/cow=pass
cell_make "$tmp/run" new/ext4/evil lost "$hostile"
printf 'runs 2\nbad 2\n' >>"$tmp/run/new/ext4/pin/verdict"
printf 'old src:8.8\nnew src:9.9\n' >"$tmp/run/kernels"
cat >"$tmp/run/score.json" <<-END
	{"kernel":"old","fault":"wake_up","promise":"Who waits is woken","state":"detected","reason":null,"seconds":2.5,"by":[{"fs":"ext4","scenario":"pin+wake_up","row":"pin.a","how":"hang","why":"<b>"},{"fs":"ext4","scenario":"pin+wake_up","row":null,"how":"log","why":"WARNING"}]}
	{"kernel":"new","fault":"wake_up","promise":"Who waits is woken","state":"inapplicable","reason":"<script>","seconds":0,"by":[]}
	END
mkdir "$tmp/run/known"
printf '# it is so\nscenario pin\nrows .*\nkernel 6.1 -\nsignature x\nreference y\n' \
	>"$tmp/run/known/issue"
"$report" -f html -b "$tmp/base" -o "$tmp/page.html" "$tmp/run" || :
run_many "$tmp/many"
"$report" -f html -o "$tmp/big.html" "$tmp/many"

modules=$(vm/npm.sh puppeteer-core=24.0.0)
mkdir -p out/check
node selftest/html.mjs "$modules/package.json" "$(command -v chromium)" \
	"$tmp/page.html" "$tmp/big.html" out/check
