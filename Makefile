# SPDX-License-Identifier: GPL-2.0-only
#
# make			everything that is built on the host
# make run_tests	the suite in guests (./run.sh)
# make check		the project's own tests
# make install		the test programs as an installable kselftest, in INSTALL_PATH
# make bench		how long the parts of a cell take; with BENCH=build, a kernel's build
# make soak		the suite collisions on src:6.12, 20 times: does any verdict differ?
# make spread		cells as bundles, run by GNU parallel over ssh on this machine
# make tests/config	the kernel options that the tests need, from configs/kernel
# make clean		all that was built here; results and the cache stay

CC ?= gcc
CFLAGS ?= -O2 -g
HOST_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror
INSTALL_PATH ?= $(CURDIR)/out/install

# Where to build; the guests' parts below are always in out.
O ?= out
TOOLS := bisect cells guest judge losses matrix progress report score times
TESTS := $(patsubst tests/%.c,%,$(wildcard tests/*.c))
PROGRAMS := $(addprefix $(O)/programs/,init ctl dm_helper $(TESTS))

# Unpacked from the distribution's linux-source package, once.
KSFT := $(CURDIR)/out/linux/tools/testing/selftests

all: $(addprefix $(O)/,$(TOOLS)) $(PROGRAMS)

$(O)/guest: $(addprefix vm/,clock.h list.c list.h power.c power.h qmp.c qmp.h says.c says.h snapshot.c snapshot.h)
$(O)/guest: LDLIBS := -ljansson
$(O)/bisect: vm/decide.c vm/decide.h vm/list.c vm/list.h
$(O)/judge: vm/title.c vm/title.h
$(O)/cells $(O)/progress: vm/list.c vm/list.h
$(O)/losses $(O)/score: $(addprefix vm/,list.c list.h record.c record.h title.c title.h)
$(O)/losses $(O)/score: LDLIBS := -ljansson
$(O)/report: $(addprefix vm/,list.c list.h record.c record.h title.c title.h formats.c formats.h diff.c diff.h html.c) $(wildcard vm/html/*)
$(O)/report: LDLIBS := -ljansson
$(O)/%: vm/%.c vm/conf.c vm/conf.h | $(O)/programs
	$(CC) $(HOST_CFLAGS) $(CFLAGS) -Ivm $(filter %.c,$^) -o $@ $(LDLIBS)

$(O)/programs:
	mkdir -p $@

# The guests' programs are always built with the default source package: what
# the judge reads is what its harness prints.
out/linux: FORCE
	@mkdir -p out
	@ln -sfn "$$(env -u DAXPIN_LINUX_SOURCE vm/linux-source.sh)" $@

# One call builds them all; lib.mk has the rules.
$(addprefix $(O)/programs/,dm_helper $(TESTS)) &: $(wildcard tests/*.[ch] lib/*.[ch] lib/*/*.c) tests/Makefile | out/linux $(O)/programs
	$(MAKE) -s -C tests OUTPUT=$(abspath $(O)/programs) KSFT=$(KSFT) CC="$(CC)"

# After the tests, which make the copy of the harness.
$(O)/programs/ctl: selftest/ctl.c lib/daxpin_uapi.h $(addprefix $(O)/programs/,$(TESTS))
	$(CC) $(HOST_CFLAGS) $(CFLAGS) -Wno-unused-parameter -isystem $(O)/programs -isystem $(KSFT) \
		-I. $< $(O)/programs/libdp.a -o $@

$(O)/programs/init: vm/init.c vm/clock.h vm/xfs_sb.c vm/xfs_sb.h $(addprefix lib/,dp_data.c dp_flag.c dp_kept.c dp_knob.c dp.h daxpin_uapi.h) | $(O)/programs
	$(CC) $(HOST_CFLAGS) $(CFLAGS) -Ilib -static $(filter %.c,$^) -o $@

# What depends on a kernel: out/kernels/NAME is a folder of vm/kernel.sh, and
# NAME.id, which run.sh writes when it is another one, its path.
out/module/%/daxpin.ko: $(wildcard vm/module/*) lib/daxpin_uapi.h out/kernels/%.id
	mkdir -p $(@D)
	cp vm/module/* $(@D)
	$(MAKE) -s -C out/kernels/$*/build M=$(CURDIR)/$(@D) DAXPIN_LIB=$(CURDIR)/lib modules >$(@D)/build.log 2>&1 || \
		{ cat $(@D)/build.log >&2; echo "daxpin.ko: not built for $*, see above" >&2; exit 1; }

out/root/%.cpio: out/module/%/daxpin.ko $(PROGRAMS) vm/root.sh $(wildcard configs/*/* configs/*) $(wildcard tests/*.scn selftest/*.scn)
	mkdir -p $(@D)
	vm/root.sh out/kernels/$* out/programs $< $@

# QEMU starts an ELF kernel without its decompressor and most of the firmware
# (PVH), which under emulation is half of the boot.
out/root/%.kernel: out/kernels/%.id | out/linux
	mkdir -p $(@D)
	{ grep -qx CONFIG_PVH=y out/kernels/$*/config && \
		out/linux/scripts/extract-vmlinux out/kernels/$*/bzImage >$@.tmp 2>/dev/null; } || \
		cp out/kernels/$*/bzImage $@.tmp
	mv $@.tmp $@

run_tests:
	./run.sh

check:
	selftest/check.sh

bench:
	selftest/bench.sh $(BENCH)

spread:
	selftest/spread.sh

soak:
	selftest/soak.sh

tests/config: $(addprefix configs/kernel/,tests dax dm rdma xdp gup-test) vm/tests-config.sh
	vm/tests-config.sh >$@.tmp
	mv $@.tmp $@

install: | out/linux $(O)/programs
	$(MAKE) -s -C tests OUTPUT=$(abspath $(O)/programs) KSFT=$(KSFT) CC="$(CC)" \
		INSTALL_PATH=$(abspath $(INSTALL_PATH)) install

clean:
	rm -rf out

.PHONY: all run_tests check bench spread soak install clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
