#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A job array for Slurm, one cell a task.  A bundle needs only QEMU where it runs:
#
#	run=$(./run.sh bundle -k src:6.12 -s full)
#	sbatch --wait --array=1-$(ls results/$run/bundles/*.sh | wc -l) docs/ci/slurm.sh results/$run/bundles
#	./run.sh collect $run results/$run/bundles/*.tar
#
#SBATCH --job-name=daxpin
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=00:30:00
set -eu

bundle=$(find "$1" -name '*.sh' | LC_ALL=C sort | sed -n "${SLURM_ARRAY_TASK_ID}p")
exec sh "$bundle" "${bundle%.sh}.tar"
