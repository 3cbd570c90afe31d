// SPDX-License-Identifier: GPL-2.0
/*
 * Memory fails under a page that is pinned.
 *
 * The page of a DAX file has a place in storage, so that no other can be put there: who
 * maps it loses the mapping, and gets SIGBUS if he met the failure or asked to be told
 * early (mm/memory-failure.c, mf_generic_kill_procs()).  The file keeps its block and the
 * device its pin; truncate waits for it as ever, and finds no reference left behind.  To
 * take the page offline softly would be to move it, which is refused.
 */
#include <linux/mman.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "nameless.h"
#include "ops.h"
#include "remap.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)

#define HARD_OFFLINE	"/sys/devices/system/memory/hard_offline_page"

enum how { MADVISE, HARD, SOFT };

/* What a handler has seen of SIGBUS. */
struct hit {
	int	 n;
	int	 code;
	int	 lsb;
	void	*addr;
};

enum { HOLDER, POISONER, TASKS };

struct scene {
	struct rig	 r;
	struct hit	*hits;		/* of TASKS, shared by them */
	enum how	 how;
	int		 clone;		/* has the file's blocks, or -1 */
	bool		 shared;	/* the pinned one, too: who poisons it maps the clone */
};

static void scene_open(struct __test_metadata *_metadata, struct scene *s, enum how means,
		       enum dp_map map)
{
	s->how = means;
	s->clone = -1;
	s->hits = mmap(NULL, TASKS * sizeof(*s->hits), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, s->hits);
	rig_open(_metadata, &s->r, map, len_for(map, LEN));
}

FIXTURE(poison) {
	struct scene s;
};

FIXTURE_VARIANT(poison) {
	enum how	 how;
	enum dp_map	 map;
};

FIXTURE_VARIANT_ADD(poison, madvise_pte) { MADVISE, DP_MAP_PTE };
FIXTURE_VARIANT_ADD(poison, madvise_pmd) { MADVISE, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(poison, hard_pte)	 { HARD,    DP_MAP_PTE };
FIXTURE_VARIANT_ADD(poison, hard_pmd)	 { HARD,    DP_MAP_PMD };
FIXTURE_VARIANT_ADD(poison, soft_pte)	 { SOFT,    DP_MAP_PTE };
FIXTURE_VARIANT_ADD(poison, soft_pmd)	 { SOFT,    DP_MAP_PMD };

FIXTURE_SETUP(poison)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	if (variant->how == HARD && access(HARD_OFFLINE, W_OK))
		SKIP(return, "no %s", HARD_OFFLINE);
	scene_open(_metadata, &self->s, variant->how, variant->map);
}

FIXTURE_TEARDOWN(poison)
{
	rig_close(&self->s.r);
}

static struct hit *hit;

static void handler(int sig, siginfo_t *info, void *context)
{
	hit->n++;
	hit->code = info->si_code;
	hit->lsb = info->si_addr_lsb;
	hit->addr = info->si_addr;
}

static int watch_signals(struct hit *mine)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	hit = mine;
	return sigaction(SIGBUS, &sa, NULL) ? -errno : 0;
}

static int offline(uint64_t pfn)
{
	int fd = open(HARD_OFFLINE, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = dprintf(fd, "0x%llx", (unsigned long long)pfn * PAGE) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* The same page of the clone, instead of the file and where that is mapped. */
static int map_clone(const struct scene *s)
{
	const struct rig *r = &s->r;
	uint64_t pfn;
	int refs;

	if (mmap(r->file.map, r->file.len, PROT_READ, MAP_SHARED | MAP_FIXED, s->clone, 0) ==
	    MAP_FAILED)
		return -errno;
	refs = dp_page_refs(r->file.map + r->c->pin, &pfn);
	if (refs < 0)
		return refs;
	return pfn == r->pfn ? 0 : -ESTALE;
}

static int poison(void *arg)
{
	struct scene *s = arg;
	struct rig *r = &s->r;
	int advice = s->how == SOFT ? MADV_SOFT_OFFLINE : MADV_HWPOISON;
	int err = watch_signals(&s->hits[POISONER]);

	if (!err && s->shared)
		err = map_clone(s);
	if (err)
		return err;
	if (s->how == HARD)
		return offline(r->pfn);
	return madvise(r->file.map + r->c->pin, PAGE, advice) ? -errno : 0;
}

/* Who has the page mapped was told where, once; who met the failure, that he cannot go on. */
static void check_hit(struct __test_metadata *_metadata, const struct scene *s, int task)
{
	static const int codes[] = { [HOLDER] = BUS_MCEERR_AO, [POISONER] = BUS_MCEERR_AR };
	const struct hit *h = &s->hits[task];
	const struct rig *r = &s->r;
	/* madvise(2) faults the page in for who calls it. */
	bool maps = s->how == MADVISE || (s->how == HARD && task == HOLDER);

	TH_LOG("witness: task=%d signals=%d code=%d lsb=%d", task, h->n, h->code, h->lsb);
	EXPECT_EQ(maps, h->n)
		TH_LOG("%d SIGBUS for who has poisoned memory mapped, expected %d", h->n, maps);
	if (!h->n)
		return;
	EXPECT_EQ(codes[task], h->code);
	EXPECT_EQ(r->file.pmds ? 21 : 12, h->lsb);
	/* si_addr is as exact as si_addr_lsb says (sigaction(2)). */
	EXPECT_EQ((uintptr_t)(r->file.map + r->c->pin) >> h->lsb, (uintptr_t)h->addr >> h->lsb);
}

static void fail_memory(struct __test_metadata *_metadata, struct scene *s)
{
	struct rig *r = &s->r;
	int held = dp_pfn_refs(r->pfn), want = s->how == SOFT ? -EIO : 0, err;

	ASSERT_EQ(0, watch_signals(&s->hits[HOLDER]));
	ASSERT_EQ(0, prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	ASSERT_EQ(0, dp_child_start(&r->toucher, poison, s));
	err = dp_child_wait(&r->toucher, SETTLE_MS);
	EXPECT_EQ(want, err)
		TH_LOG("memory failure ends with %d, expected %d", err, want);
	check_hit(_metadata, s, HOLDER);
	check_hit(_metadata, s, POISONER);
	EXPECT_EQ(held, dp_pfn_refs(r->pfn))
		TH_LOG("memory failure has taken or left a reference");
}

static void fail_and_cut(struct __test_metadata *_metadata, struct scene *s,
			 enum dp_pin_kind kind)
{
	static const struct collision c = { &truncation, .off = PAGE, .pin = PIN,
					    .outcome = WAITS };
	struct rig *r = &s->r;

	r->c = &c;
	r->kind = kind;
	take_pin(_metadata, r);
	fail_memory(_metadata, s);
	start_op(_metadata, r);
	drop_pin(_metadata, r);
	check_data(_metadata, r);
}

TEST_F_TIMEOUT(poison, none, ROW_S)
{
	fail_and_cut(_metadata, &self->s, DP_PIN_NONE);
}

TEST_F_TIMEOUT(poison, vmsplice, ROW_S)
{
	fail_and_cut(_metadata, &self->s, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(poison, aio_write, ROW_S)
{
	fail_and_cut(_metadata, &self->s, DP_PIN_AIO_WRITE);
}

TEST_F_TIMEOUT(poison, aio_read, ROW_S)
{
	fail_and_cut(_metadata, &self->s, DP_PIN_AIO_READ);
}

/*
 * A file has a clone.  The page of a block that both have does not say whose it is, nor does
 * the one that was made of it for who has written (fs/dax.c, dax_associate_entry()).  The file
 * system knows by its reverse mappings (fs/xfs/xfs_notify_failure.c).
 */
FIXTURE(poisoned) {
	struct scene s;
};

FIXTURE_VARIANT(poisoned) {
	bool written;		/* the pinned page, after the clone was made */
};

FIXTURE_VARIANT_ADD(poisoned, shared) { false };
FIXTURE_VARIANT_ADD(poisoned, copied) { true };

FIXTURE_SETUP(poisoned)
{
	struct scene *s = &self->s;
	uint64_t was, is;
	char *page;

	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	scene_open(_metadata, s, MADVISE, DP_MAP_PTE);
	s->shared = !variant->written;
	s->clone = nameless();
	ASSERT_LE(0, s->clone);
	page = s->r.file.map + PIN;
	ASSERT_LE(0, dp_page_refs(page, &was));
	ASSERT_EQ(0, clone_file(s->clone, s->r.file.fd));
	if (variant->written)
		ASSERT_EQ(0, madvise(page, PAGE, MADV_POPULATE_WRITE));
	ASSERT_LE(0, dp_page_refs(page, &is));
	TH_LOG("witness: copied=%d", is != was);
	ASSERT_EQ(variant->written, is != was);
}

FIXTURE_TEARDOWN(poisoned)
{
	if (self->s.clone >= 0)
		close(self->s.clone);
	rig_close(&self->s.r);
}

/* One row a guest: a kernel that fails here does not let go of a lock (mf_mutex). */
TEST_F_TIMEOUT(poisoned, vmsplice, ROW_S)
{
	struct scene *s = &self->s;
	struct dp_content want;

	fail_and_cut(_metadata, s, DP_PIN_VMSPLICE);
	dp_content_init(&want, s->r.file.len, FILE_SEED);
	check_whole(_metadata, s->clone, &want);
}

/*
 * The machine finds the page bad while nobody uses it.  The kernel then takes it out of its
 * own mapping of memory as well (arch/x86/mm/pat/set_memory.c, set_mce_nospec()): to read
 * the file there is an error, and the block must not become another file's.
 */
FIXTURE(machine_check) {
	struct scene s;
	char keep[32];		/* a name that the file keeps */
};

FIXTURE_VARIANT(machine_check) {
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(machine_check, pte) { DP_MAP_PTE };
FIXTURE_VARIANT_ADD(machine_check, pmd) { DP_MAP_PMD };

FIXTURE_SETUP(machine_check)
{
	static const struct collision c = { &truncation, .pin = PIN };
	struct scene *s = &self->s;

	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	if (!getenv("DAXPIN_MCE"))
		SKIP(return, "no host that has the machine check its memory (DAXPIN_MCE)");
	/* As if an administrator had asked for it. */
	scene_open(_metadata, s, HARD, variant->map);
	s->r.c = &c;
	snprintf(self->keep, sizeof(self->keep), "bad-%d", getpid());
	ASSERT_EQ(0, linkat(s->r.file.dir, s->r.file.name, s->r.file.dir, self->keep, 0));
	/* What is not clean would be flushed, and the CPU can no longer reach it. */
	ASSERT_EQ(0, fsync(s->r.file.fd));
}

FIXTURE_TEARDOWN(machine_check)
{
	rig_close(&self->s.r);
}

static void check_memory(struct __test_metadata *_metadata, struct scene *s)
{
	struct hit *told = &s->hits[HOLDER];
	struct rig *r = &s->r;
	int held = dp_pfn_refs(r->pfn);
	long deadline;
	char line[64];
	int n;

	ASSERT_EQ(0, watch_signals(told));
	ASSERT_EQ(0, prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	/* By one write(2), for the host reads with us: vm/guest.c, machine_check(). */
	n = snprintf(line, sizeof(line), "# machine check: 0x%llx\n",
		     (unsigned long long)r->pfn * PAGE);
	ASSERT_EQ(n, write(STDOUT_FILENO, line, n));
	deadline = dp_now_ms() + SETTLE_MS;
	while ((!told->n || dp_pfn_refs(r->pfn) != held) && dp_now_ms() < deadline)
		poll(NULL, 0, 1);
	check_hit(_metadata, s, HOLDER);
	EXPECT_EQ(held, dp_pfn_refs(r->pfn))
		TH_LOG("memory failure has taken or left a reference");
}

/* The bad page, and nothing beside it. */
static void check_rest(struct __test_metadata *_metadata, struct rig *r)
{
	long deadline = dp_now_ms() + SOON_MS;
	struct dp_content want;
	char got[PAGE];
	ssize_t n;

	/*
	 * The last that the kernel does about it.  EIO where it knows of bad blocks; where it
	 * does not, nothing could be copied: EFAULT (fs/dax.c, dax_iomap_iter()).
	 */
	while ((n = pread(r->file.fd, got, PAGE, PIN)) >= 0 && dp_now_ms() < deadline)
		poll(NULL, 0, 1);
	TH_LOG("witness: read=%zd errno=%d", n, n < 0 ? errno : 0);
	EXPECT_TRUE(n < 0 && (errno == EIO || errno == EFAULT))
		TH_LOG("the page that failed can be read, or fails otherwise");
	dp_content_init(&want, r->file.len, FILE_SEED);
	EXPECT_EQ(-1, file_wrong_at(r->file.fd, &want, 0, PIN))
		TH_LOG("a page before it is not what it was");
	EXPECT_EQ(-1, file_wrong_at(r->file.fd, &want, PIN + PAGE, r->file.len))
		TH_LOG("a page behind it is not what it was");
}

static void fail_pinned(struct __test_metadata *_metadata, struct scene *s, int flags)
{
	struct rig *r = &s->r;
	int idle = dp_page_refs(r->file.map + PIN, &r->pfn), pins = -1;

	ASSERT_LE(0, idle);
	if (flags >= 0) {
		pins = dp_gup_take(r->file.map + PIN, PAGE, flags, 1);
		ASSERT_LE(0, pins);
		ASSERT_LT(idle, dp_pfn_refs(r->pfn));
	}
	check_memory(_metadata, s);
	if (flags >= 0) {
		EXPECT_EQ(0, dp_gup_drop(pins, 1));
		close(pins);
	}
	EXPECT_EQ(idle, dp_pfn_refs(r->pfn))
		TH_LOG("a reference of the pin is left");
	check_rest(_metadata, r);
}

TEST_F_TIMEOUT(machine_check, none, ROW_S)
{
	fail_pinned(_metadata, &self->s, -1);
}

TEST_F_TIMEOUT(machine_check, get, ROW_S)
{
	fail_pinned(_metadata, &self->s, DP_GUP_GET | DP_GUP_WRITE);
}

TEST_F_TIMEOUT(machine_check, pin, ROW_S)
{
	fail_pinned(_metadata, &self->s, DP_GUP_PIN);
}

TEST_HARNESS_MAIN
