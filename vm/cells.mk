# SPDX-License-Identifier: GPL-2.0-only
#
# make -f vm/cells.mk RUN=results/NAME -j N: every cell of RUN/cells that has no
# verdict yet.  One cell is one target, and a failed one stops no other.  A cell
# is restored from its snapshot, if it has one; without it, it boots.  RETRY is how often
# a cell that is lost is run again.  RUN/order is the cells in another order, if it is there.
# With RUN/seeded there are bugs to be noticed: no verdict is confirmed, no issue is known.

SCALE ?= 1
RETRY := 0
export SCALE
cells := $(shell cat $(RUN)/order 2>/dev/null || cat $(RUN)/cells)
guest := $(RUN)/bin/guest -s $(SCALE)
seeded := $(wildcard $(RUN)/seeded)

todo := $(foreach cell,$(cells),$(if $(wildcard $(RUN)/$(cell)/verdict),,$(cell)))
snapshots := $(patsubst $(realpath $(RUN))/%,$(RUN)/%/ready,\
	$(realpath $(foreach link,snapshot image/snapshot,$(todo:%=$(RUN)/%/$(link)))))

# All snapshots first: make would come back to cells that wait for one when all others
# have begun, and the longest would be the last.
all:
	@$(MAKE) -f vm/cells.mk snapshots
	@$(MAKE) -f vm/cells.mk cells

snapshots: $(sort $(snapshots))

cells: $(todo:%=$(RUN)/%/verdict)

# The judge's exit status is its verdict, which the file says too; any other is none.
judge = $(RUN)/bin/judge $(if $(seeded),,-K $(RUN)/known) $(@D) >$@.tmp 2>$(@D)/judge.log || \
	case $$? in 1|4|5|6|7) ;; *) false ;; esac

# Restored, and anything but pass: a guest that boots has to say so, too.  One that
# booted and failed is run again: does it always?
doubt = case "$$(head -n 1 $@.tmp), $$(grep '^start ' $(@D)/guest)" in \
	'verdict pass, '*) false ;; \
	*', start warm') to=warm ;; \
	'verdict fail, start cold' | 'verdict fixed, start cold') to=first ;; \
	*) false ;; esac

# For known issues those rows are enough that show them.
confirmed = grep -qx 'verdict known' $@.tmp && vm/confirm.sh $(RUN) $(@D) $@.tmp

# What the first one left stays beside it, for the judge to compare.
evidence = guest console.log ktap.log qemu.log qemu-warm judge.log cut-* warm first cold
keep = mkdir $(@D)/$$to && cd $(@D) && \
	for file in $(filter-out warm first cold,$(evidence)); do [ ! -e $$file ] || mv $$file $$to/; done

# A lost cell, as often as RETRY says.
lost = [ $$n -lt $(RETRY) ] && grep -qx 'verdict lost' $@.tmp
aside = mkdir $(@D)/lost-$$n && cd $(@D) && \
	for file in $(evidence); do [ ! -e $$file ] || mv $$file lost-$$n/; done

$(RUN)/%/verdict:
	@cd $(@D) && rm -rf warm first cold confirmed lost-* cut-*
	@printf 'start  %s\n' "$*"
	@$(guest) $(@D)
	@$(judge)
	@if [ -z "$(seeded)" ] && $(doubt) && ! { $(confirmed); }; then \
		($(keep)) && $(guest) -c $(@D) && { $(judge); }; fi
	@n=0; while $(lost); do \
		n=$$((n + 1)); ($(aside)) && $(guest) -c $(@D) && { $(judge); }; done
	@mv $@.tmp $@
	@printf '%-6s %s\n' "$$(sed -n 's/^verdict //p' $@)" "$*"

$(RUN)/snapshots/%/ready:
	@vm/snapshot.sh $(RUN) $* || :
	@touch $@

-include $(RUN)/snapshots.mk

.PHONY: all snapshots cells
