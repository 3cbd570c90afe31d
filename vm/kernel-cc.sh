#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: kernel-cc.sh ARG...
#
# gcc ARG..., by ccache, for the makefiles of a kernel, which name the source last.
#
# ccache takes gcc's word for what a source was made of (CCACHE_DEPEND), and does not have
# to preprocess it first.  But gcc knows nothing of files that the assembler includes.
set -eu

for source; do :; done
case $source in
*.[cS]) ! grep -qs '\.incbin' "$source" || exec gcc "$@" ;;
esac
CCACHE_DEPEND=1 exec ccache gcc "$@"
