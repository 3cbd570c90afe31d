# SPDX-License-Identifier: GPL-2.0-only
#
# make -f vm/cells.mk RUN=results/NAME -j N: every cell of RUN/cells that has no
# verdict yet.  One cell is one target, and a failed one stops no other.  A cell
# waits for its snapshot, if it has one; without it, it boots.

SCALE ?= 1
export SCALE
cells := $(shell cat $(RUN)/cells)
guest := $(RUN)/bin/guest -s $(SCALE)

all: $(cells:%=$(RUN)/%/verdict)

# The judge's exit status is its verdict, which the file says too; any other is none.
judge = $(RUN)/bin/judge -K $(RUN)/known $(@D) >$@.tmp 2>$(@D)/judge.log || \
	case $$? in 1|4|5|6|7) ;; *) false ;; esac

# Restored, and anything but pass: a guest that boots has to say so, too.
doubt = grep -qx 'start warm' $(@D)/guest && ! grep -qx 'verdict pass' $@.tmp

# What the restored one left stays beside it, for the judge to compare.
keep = mkdir $(@D)/warm && cd $(@D) && \
	mv guest console.log ktap.log qemu.log qemu-warm judge.log warm/

$(RUN)/%/verdict:
	@rm -rf $(@D)/warm
	@$(guest) $(@D)
	@$(judge)
	@if $(doubt); then ($(keep)) && $(guest) -c $(@D) && { $(judge); }; fi
	@mv $@.tmp $@
	@printf '%-6s %s\n' "$$(sed -n 's/^verdict //p' $@)" "$*"

$(RUN)/snapshots/%/ready:
	@vm/snapshot.sh $(RUN) $* || :
	@touch $@

-include $(RUN)/snapshots.mk

.PHONY: all
