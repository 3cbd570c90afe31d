// SPDX-License-Identifier: GPL-2.0
/*
 * Take blocks away from a file while a page of it is pinned.
 *
 * DAX has no page cache: the pinned page and the block are one thing.  So an
 * operation that gives blocks up breaks the layout first, which means that it
 * waits until nobody but page tables refers to the pages, and a long-term pin
 * is refused up front.  On a page-cache file the block is only a copy, and
 * nothing waits.
 *
 * A child runs the operation; we see whether it ends or waits before we let
 * go of the pin, and look at the data when both are over.
 */
#include "ops.h"

#define SMALL		(32 * PAGE)	/* no PMD fits in */

/* Of the file, and where a pin is in each half: no page of it is the first of a PMD. */
#define HALF		((off_t)self->r.file.len / 2)
#define PIN_LOW		(HALF / 2)
#define PIN_HIGH	(HALF + HALF / 2)

FIXTURE(break_layouts) {
	struct rig r;
};

FIXTURE_VARIANT(break_layouts) {
	enum dp_pin_kind pin;
	enum dp_map	 map;
	int		 refused;	/* errno of the pin on fsdax */
};

FIXTURE_VARIANT_ADD(break_layouts, none_pte)		  { DP_PIN_NONE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, none_pmd)		  { DP_PIN_NONE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, dio_read_pte)	  { DP_PIN_DIO_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, dio_read_pmd)	  { DP_PIN_DIO_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, dio_write_pte)	  { DP_PIN_DIO_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, dio_write_pmd)	  { DP_PIN_DIO_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, dio_readv_pte)	  { DP_PIN_DIO_READV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, dio_readv_pmd)	  { DP_PIN_DIO_READV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, dio_writev_pte)	  { DP_PIN_DIO_WRITEV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, dio_writev_pmd)	  { DP_PIN_DIO_WRITEV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, aio_read_pte)	  { DP_PIN_AIO_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, aio_read_pmd)	  { DP_PIN_AIO_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, aio_write_pte)	  { DP_PIN_AIO_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, aio_write_pmd)	  { DP_PIN_AIO_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, aio_readv_pte)	  { DP_PIN_AIO_READV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, aio_readv_pmd)	  { DP_PIN_AIO_READV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, aio_writev_pte)	  { DP_PIN_AIO_WRITEV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, aio_writev_pmd)	  { DP_PIN_AIO_WRITEV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_read_pte)	  { DP_PIN_URING_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_read_pmd)	  { DP_PIN_URING_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_write_pte)	  { DP_PIN_URING_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_write_pmd)	  { DP_PIN_URING_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_readv_pte)	  { DP_PIN_URING_READV,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_readv_pmd)	  { DP_PIN_URING_READV,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_writev_pte)	  { DP_PIN_URING_WRITEV,     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_writev_pmd)	  { DP_PIN_URING_WRITEV,     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, fuse_read_pte)	  { DP_PIN_FUSE_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, fuse_read_pmd)	  { DP_PIN_FUSE_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, fuse_write_pte)	  { DP_PIN_FUSE_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, fuse_write_pmd)	  { DP_PIN_FUSE_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, vmsplice_pte)	  { DP_PIN_VMSPLICE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, vmsplice_pmd)	  { DP_PIN_VMSPLICE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, splice_pipe_pte)	  { DP_PIN_SPLICE_PIPE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, splice_pipe_pmd)	  { DP_PIN_SPLICE_PIPE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, splice_socket_pte)	  { DP_PIN_SPLICE_SOCKET,    DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, splice_socket_pmd)	  { DP_PIN_SPLICE_SOCKET,    DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, zerocopy_pte)	  { DP_PIN_ZEROCOPY,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, zerocopy_pmd)	  { DP_PIN_ZEROCOPY,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, uring_send_zc_pte)	  { DP_PIN_URING_SEND_ZC,    DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, uring_send_zc_pmd)	  { DP_PIN_URING_SEND_ZC,    DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, module_get_read_pte)	  { DP_PIN_MODULE_GET_READ,  DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, module_get_read_pmd)	  { DP_PIN_MODULE_GET_READ,  DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, module_get_write_pte)  { DP_PIN_MODULE_GET_WRITE, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, module_get_write_pmd)  { DP_PIN_MODULE_GET_WRITE, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, module_pin_read_pte)	  { DP_PIN_MODULE_PIN_READ,  DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, module_pin_read_pmd)	  { DP_PIN_MODULE_PIN_READ,  DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, module_pin_write_pte)  { DP_PIN_MODULE_PIN_WRITE, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, module_pin_write_pmd)  { DP_PIN_MODULE_PIN_WRITE, DP_MAP_PMD };
/* It is over when the call returns: no reference is left. */
FIXTURE_VARIANT_ADD(break_layouts, vm_read_pte)		  { DP_PIN_VM_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, vm_read_pmd)		  { DP_PIN_VM_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, vm_write_pte)	  { DP_PIN_VM_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, vm_write_pmd)	  { DP_PIN_VM_WRITE,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, ptrace_read_pte)	  { DP_PIN_PTRACE_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, ptrace_read_pmd)	  { DP_PIN_PTRACE_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, ptrace_write_pte)	  { DP_PIN_PTRACE_WRITE,     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, ptrace_write_pmd)	  { DP_PIN_PTRACE_WRITE,     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, mem_read_pte)	  { DP_PIN_MEM_READ,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, mem_read_pmd)	  { DP_PIN_MEM_READ,	     DP_MAP_PMD };
FIXTURE_VARIANT_ADD(break_layouts, mem_write_pte)	  { DP_PIN_MEM_WRITE,	     DP_MAP_PTE };
FIXTURE_VARIANT_ADD(break_layouts, mem_write_pmd)	  { DP_PIN_MEM_WRITE,	     DP_MAP_PMD };
/* FOLL_LONGTERM on fsdax: mm/gup.c, check_vma_flags(). */
FIXTURE_VARIANT_ADD(break_layouts, uring_fixed_pte) { DP_PIN_URING_FIXED, DP_MAP_PTE, EOPNOTSUPP };
FIXTURE_VARIANT_ADD(break_layouts, uring_fixed_pmd) { DP_PIN_URING_FIXED, DP_MAP_PMD, EOPNOTSUPP };

FIXTURE_SETUP(break_layouts)
{
	struct rig *r = &self->r;

	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	rig_open(_metadata, r, variant->map, variant->map == DP_MAP_PMD ? 2 * PMD : SMALL);
	r->kind = variant->pin;
	r->refused = r->file.dax ? variant->refused : 0;
}

FIXTURE_TEARDOWN(break_layouts)
{
	rig_close(&self->r);
}

TEST_F_TIMEOUT(break_layouts, truncate_to_zero, ROW_S)
{
	struct collision c = { &truncation, .off = 0, .pin = PIN_HIGH, .outcome = WAITS };

	collide(_metadata, &self->r, &c);
}

TEST_F_TIMEOUT(break_layouts, truncate_inside, ROW_S)
{
	struct collision c = { &truncation, .off = HALF, .pin = PIN_HIGH, .outcome = WAITS };

	collide(_metadata, &self->r, &c);
}

/* It waits for pins: what the page tables do meanwhile does not matter. */
TEST_F_TIMEOUT(break_layouts, truncate_touched, ROW_S)
{
	struct collision c = { &truncation, .off = HALF, .pin = PIN_HIGH, .outcome = WAITS,
			       .touch = true };

	collide(_metadata, &self->r, &c);
}

TEST_F_TIMEOUT(break_layouts, truncate_outside, ROW_S)
{
	struct collision c = { &truncation, .off = HALF, .pin = PIN_LOW, .outcome = MAY_WAIT };

	collide(_metadata, &self->r, &c);
}

TEST_F_TIMEOUT(break_layouts, truncate_grow, ROW_S)
{
	struct collision c = { &truncation, .off = 3 * HALF, .pin = PIN_HIGH, .outcome = MAY_WAIT };

	collide(_metadata, &self->r, &c);
}

TEST_F_TIMEOUT(break_layouts, punch_inside, ROW_S)
{
	struct collision c = { &punch, .off = HALF, .len = HALF, .pin = PIN_HIGH,
			       .outcome = WAITS };

	collide(_metadata, &self->r, &c);
}

TEST_F_TIMEOUT(break_layouts, punch_outside, ROW_S)
{
	struct collision c = { &punch, .off = HALF, .len = HALF, .pin = PIN_LOW,
			       .outcome = MAY_WAIT };

	collide(_metadata, &self->r, &c);
}

TEST_HARNESS_MAIN
