// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is a file and no storage: shmem and hugetlbfs.
 *
 * All pins that a DAX file may refuse are given here, those for the long term as well
 * (mm/gup.c, check_vma_flags()), and nobody waits for them: what is cut off lives as long
 * as its pin, beside the file, and goes back to where it came from with it.  So a refusal
 * or a wait that has become too broad is seen.
 */
#include <poll.h>

#include "ops.h"

#define SMALL_LEN	(16 * PAGE)
#define HUGE_LEN	(2 * PMD)
#define HUGE_FREE	"HugePages_Free:"

FIXTURE(memfd) {
	struct rig r;
};

FIXTURE_VARIANT(memfd) {
	enum dp_pin_kind pin;
	bool		 huge;
};

FIXTURE_VARIANT_ADD(memfd, none_shmem)		    { DP_PIN_NONE };
FIXTURE_VARIANT_ADD(memfd, none_hugetlb)	    { DP_PIN_NONE,	       true };
FIXTURE_VARIANT_ADD(memfd, dio_read_shmem)	    { DP_PIN_DIO_READ };
FIXTURE_VARIANT_ADD(memfd, dio_read_hugetlb)	    { DP_PIN_DIO_READ,	       true };
FIXTURE_VARIANT_ADD(memfd, dio_write_shmem)	    { DP_PIN_DIO_WRITE };
FIXTURE_VARIANT_ADD(memfd, dio_write_hugetlb)	    { DP_PIN_DIO_WRITE,	       true };
FIXTURE_VARIANT_ADD(memfd, aio_read_shmem)	    { DP_PIN_AIO_READ };
FIXTURE_VARIANT_ADD(memfd, aio_read_hugetlb)	    { DP_PIN_AIO_READ,	       true };
FIXTURE_VARIANT_ADD(memfd, aio_write_shmem)	    { DP_PIN_AIO_WRITE };
FIXTURE_VARIANT_ADD(memfd, aio_write_hugetlb)	    { DP_PIN_AIO_WRITE,	       true };
FIXTURE_VARIANT_ADD(memfd, uring_read_shmem)	    { DP_PIN_URING_READ };
FIXTURE_VARIANT_ADD(memfd, uring_read_hugetlb)	    { DP_PIN_URING_READ,       true };
FIXTURE_VARIANT_ADD(memfd, uring_write_shmem)	    { DP_PIN_URING_WRITE };
FIXTURE_VARIANT_ADD(memfd, uring_write_hugetlb)	    { DP_PIN_URING_WRITE,      true };
FIXTURE_VARIANT_ADD(memfd, uring_fixed_shmem)	    { DP_PIN_URING_FIXED };
FIXTURE_VARIANT_ADD(memfd, uring_fixed_hugetlb)	    { DP_PIN_URING_FIXED,      true };
FIXTURE_VARIANT_ADD(memfd, fuse_read_shmem)	    { DP_PIN_FUSE_READ };
FIXTURE_VARIANT_ADD(memfd, fuse_read_hugetlb)	    { DP_PIN_FUSE_READ,	       true };
FIXTURE_VARIANT_ADD(memfd, fuse_write_shmem)	    { DP_PIN_FUSE_WRITE };
FIXTURE_VARIANT_ADD(memfd, fuse_write_hugetlb)	    { DP_PIN_FUSE_WRITE,       true };
FIXTURE_VARIANT_ADD(memfd, vmsplice_shmem)	    { DP_PIN_VMSPLICE };
FIXTURE_VARIANT_ADD(memfd, vmsplice_hugetlb)	    { DP_PIN_VMSPLICE,	       true };
FIXTURE_VARIANT_ADD(memfd, splice_pipe_shmem)	    { DP_PIN_SPLICE_PIPE };
FIXTURE_VARIANT_ADD(memfd, splice_pipe_hugetlb)	    { DP_PIN_SPLICE_PIPE,      true };
FIXTURE_VARIANT_ADD(memfd, splice_socket_shmem)	    { DP_PIN_SPLICE_SOCKET };
FIXTURE_VARIANT_ADD(memfd, splice_socket_hugetlb)   { DP_PIN_SPLICE_SOCKET,    true };
FIXTURE_VARIANT_ADD(memfd, zerocopy_shmem)	    { DP_PIN_ZEROCOPY };
FIXTURE_VARIANT_ADD(memfd, zerocopy_hugetlb)	    { DP_PIN_ZEROCOPY,	       true };
FIXTURE_VARIANT_ADD(memfd, uring_send_zc_shmem)	    { DP_PIN_URING_SEND_ZC };
FIXTURE_VARIANT_ADD(memfd, uring_send_zc_hugetlb)   { DP_PIN_URING_SEND_ZC,    true };
FIXTURE_VARIANT_ADD(memfd, module_get_read_shmem)   { DP_PIN_MODULE_GET_READ };
FIXTURE_VARIANT_ADD(memfd, module_get_read_hugetlb) { DP_PIN_MODULE_GET_READ,  true };
FIXTURE_VARIANT_ADD(memfd, module_get_write_shmem)  { DP_PIN_MODULE_GET_WRITE };
FIXTURE_VARIANT_ADD(memfd, module_get_write_hugetlb) { DP_PIN_MODULE_GET_WRITE, true };
FIXTURE_VARIANT_ADD(memfd, module_pin_read_shmem)   { DP_PIN_MODULE_PIN_READ };
FIXTURE_VARIANT_ADD(memfd, module_pin_read_hugetlb) { DP_PIN_MODULE_PIN_READ,  true };
FIXTURE_VARIANT_ADD(memfd, module_pin_write_shmem)  { DP_PIN_MODULE_PIN_WRITE };
FIXTURE_VARIANT_ADD(memfd, module_pin_write_hugetlb) { DP_PIN_MODULE_PIN_WRITE, true };
FIXTURE_VARIANT_ADD(memfd, vm_write_shmem)	    { DP_PIN_VM_WRITE };
FIXTURE_VARIANT_ADD(memfd, vm_write_hugetlb)	    { DP_PIN_VM_WRITE,	       true };
FIXTURE_VARIANT_ADD(memfd, mem_write_shmem)	    { DP_PIN_MEM_WRITE };
FIXTURE_VARIANT_ADD(memfd, mem_write_hugetlb)	    { DP_PIN_MEM_WRITE,	       true };

/* Huge pages that nobody has, or -1. */
static long huge_free(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long n = -1;

	while (f && n < 0 && fgets(line, sizeof(line), f))
		sscanf(line, HUGE_FREE " %ld", &n);
	if (f)
		fclose(f);
	return n;
}

static int file_make(struct dp_file *f, bool huge)
{
	*f = (struct dp_file){ .dir = -1, .len = huge ? HUGE_LEN : SMALL_LEN, .seed = FILE_SEED };
	f->fd = memfd_create("daxpin", MFD_CLOEXEC | (huge ? MFD_HUGETLB : 0));
	if (f->fd < 0 || ftruncate(f->fd, f->len))
		return -errno;
	f->map = mmap(NULL, f->len, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (f->map == MAP_FAILED)
		return -errno;
	dp_data_fill(f->map, f->len, 0, FILE_SEED);
	return 0;
}

FIXTURE_SETUP(memfd)
{
	struct rig *r = &self->r;

	if (env_missing())
		SKIP(return, "%s", env_missing());
	if (variant->huge) {
		dp_knob_set("/proc/sys/vm/nr_hugepages", "2");
		if (huge_free() < (long)(HUGE_LEN / PMD))
			SKIP(return, "no two huge pages are free");
	}
	dp_case_begin(_metadata->name);
	ASSERT_EQ(0, file_make(&r->file, variant->huge));
	ASSERT_EQ(0, dp_dev_open(&r->dev, getenv("DAXPIN_RAMDISK"), PIN_LEN, DEV_SEED));
	r->kind = variant->pin;
}

FIXTURE_TEARDOWN(memfd)
{
	rig_close(&self->r);
}

/* A huge page that was cut off goes back when its last reference does. */
static void check_returned(struct __test_metadata *_metadata, long before)
{
	long deadline = dp_now_ms() + SOON_MS;

	while (huge_free() == before && dp_now_ms() < deadline)
		poll(NULL, 0, 1);
	EXPECT_EQ(before + 1, huge_free())
		TH_LOG("the pin is gone and its huge page is not free");
}

static void cut_off(struct __test_metadata *_metadata, struct rig *r, bool huge,
		    const struct op *op)
{
	off_t half = r->file.len / 2;
	/* To look at a hole of hugetlbfs through a mapping takes the page back from the pool. */
	struct collision c = { op, .off = half, .len = half, .pin = half + half / 2,
			       .outcome = RETURNS, .unmap = huge };
	long free = huge ? huge_free() : 0;

	collide(_metadata, r, &c);
	if (huge)
		check_returned(_metadata, free);
}

TEST_F_TIMEOUT(memfd, truncate, ROW_S)
{
	cut_off(_metadata, &self->r, variant->huge, &truncation);
}

TEST_F_TIMEOUT(memfd, punch, ROW_S)
{
	cut_off(_metadata, &self->r, variant->huge, &punch);
}

TEST_HARNESS_MAIN
