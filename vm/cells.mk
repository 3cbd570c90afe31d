# SPDX-License-Identifier: GPL-2.0-only
#
# make -f vm/cells.mk RUN=results/NAME -j N: every cell of RUN/cells that has no
# verdict yet.  One cell is one target, and a failed one stops no other.

SCALE ?= 1
cells := $(shell cat $(RUN)/cells)

all: $(cells:%=$(RUN)/%/verdict)

# The judge's exit status is its verdict, which the file says too; any other is none.
$(RUN)/%/verdict:
	@$(RUN)/bin/guest -s $(SCALE) $(@D)
	@$(RUN)/bin/judge -K $(RUN)/known $(@D) >$@.tmp 2>$(@D)/judge.log || \
		case $$? in 1|4|5|6|7) ;; *) false ;; esac
	@mv $@.tmp $@
	@printf '%-6s %s\n' "$$(sed -n 's/^verdict //p' $@)" "$*"

.PHONY: all
