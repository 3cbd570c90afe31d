// SPDX-License-Identifier: GPL-2.0
/*
 * A signal arrives while an operation waits for a pin.
 *
 * The wait can be interrupted, before anything was given up: the operation ends with
 * EINTR or begins again, and either way size, blocks and data are as before, and the
 * pinned page is the file's still.  Who is killed dies, and who is stopped holds no
 * lock.  Only the end of an inode is not to be interrupted: nobody would be left to
 * finish it (since 6.15: fs/dax.c, dax_break_layout_final()).
 */
#include <sched.h>
#include <signal.h>

#include "beside.h"
#include "dax_folder.h"
#include "ops.h"
#include "remap.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)

enum fate {
	EINTR_AT_ONCE,	/* the call ends with EINTR */
	WAITS_AGAIN,	/* and returns when the pin is gone */
	DIES,
	STOPS,		/* until it is continued: then as WAITS_AGAIN */
	STOPS_OVER,	/* the pin goes while it is stopped */
};

struct scene {
	struct rig	 r;
	int		*handled;	/* signals that the racer's handler saw */
};

static int run_clone(struct rig *r)
{
	return clone_file(r->file.fd, r->beside);
}

static int run_dedupe(struct rig *r)
{
	return dedupe_range(r->file.fd, 0, r->beside, 0, r->file.len);
}

static int run_exchange(struct rig *r)
{
	return exchange_range(r->file.fd, 0, r->beside, 0, r->file.len);
}

static void cloned(const struct collision *c, struct dp_content *x)
{
	dp_content_put(x, 0, x->size, OTHER_SEED, 0);
}

static const struct op cloning = { run_clone, cloned, .to_end = true };
static const struct op dedupe = { run_dedupe };
static const struct op exchange = { run_exchange, cloned, .to_end = true };
static const struct op nothing;

struct interruption {
	int		 sig;
	int		 flags;		/* of the handler, which only SIGUSR1 has */
	enum fate	 fate;
};

static void scene_open(struct __test_metadata *_metadata, struct scene *s, enum dp_map map)
{
	s->handled = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, s->handled);
	rig_open(_metadata, &s->r, map, len_for(map, LEN));
}

static void scene_close(struct scene *s)
{
	if (s->r.racer.pid)
		kill(s->r.racer.pid, SIGCONT);
	rig_close(&s->r);
	if (s->r.beside > 0)
		close(s->r.beside);
}

FIXTURE(signals) {
	struct scene s;
};

FIXTURE_VARIANT(signals) {
	struct interruption i;
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(signals, eintr)	   { { SIGUSR1, 0,	  EINTR_AT_ONCE } };
FIXTURE_VARIANT_ADD(signals, restart)	   { { SIGUSR1, SA_RESTART, WAITS_AGAIN } };
FIXTURE_VARIANT_ADD(signals, kill)	   { { SIGKILL, 0,	  DIES } };
FIXTURE_VARIANT_ADD(signals, term)	   { { SIGTERM, 0,	  DIES } };
FIXTURE_VARIANT_ADD(signals, stop)	   { { SIGSTOP, 0,	  STOPS } };
FIXTURE_VARIANT_ADD(signals, stop_over)	   { { SIGSTOP, 0,	  STOPS_OVER } };
FIXTURE_VARIANT_ADD(signals, eintr_pmd)	   { { SIGUSR1, 0,	  EINTR_AT_ONCE }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(signals, restart_pmd)  { { SIGUSR1, SA_RESTART, WAITS_AGAIN }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(signals, kill_pmd)	   { { SIGKILL, 0,	  DIES }, DP_MAP_PMD };
FIXTURE_VARIANT_ADD(signals, stop_over_pmd) { { SIGSTOP, 0,	  STOPS_OVER }, DP_MAP_PMD };

FIXTURE_SETUP(signals)
{
	if (rig_missing(variant->map))
		SKIP(return, "%s", rig_missing(variant->map));
	scene_open(_metadata, &self->s, variant->map);
}

FIXTURE_TEARDOWN(signals)
{
	scene_close(&self->s);
}

static int *seen;

static void handler(int sig)
{
	__atomic_add_fetch(seen, 1, __ATOMIC_RELAXED);
}

struct start {
	struct rig	 *r;
	struct sigaction sa;
	int		 sig;
};

static int run_handled(void *arg)
{
	struct start *s = arg;

	if (s->sa.sa_handler && sigaction(s->sig, &s->sa, NULL))
		return -errno;
	return run_op(s->r);
}

/* The child's own disposition: the harness gives its processes other ones. */
static void start_handled(struct __test_metadata *_metadata, struct scene *scene,
			  const struct interruption *i)
{
	struct start s = { &scene->r, { .sa_handler = SIG_DFL }, i->sig };

	seen = scene->handled;
	if (i->sig == SIGUSR1)
		s.sa = (struct sigaction){ .sa_handler = handler, .sa_flags = i->flags };
	ASSERT_EQ(0, dp_child_start(&scene->r.racer, run_handled, &s));
	watch_op(_metadata, &scene->r);
	ASSERT_TRUE(scene->r.waited);
	check_wait(_metadata, &scene->r);
}

/* Wait until the task is in this state; what it does there is up to the caller. */
static char task_becomes(struct rig *r, char task)
{
	long deadline = dp_now_ms() + SETTLE_MS;
	struct dp_sight s = { .task = '?' };

	while (s.task != task && dp_now_ms() < deadline)
		if (dp_child_look(&r->racer, &s))
			break;
	return s.task;
}

/* The file is what it was before the operation, and has the page that it had. */
static void check_untouched(struct __test_metadata *_metadata, struct rig *r)
{
	static char want[PMD];
	struct stat st;
	uint64_t pfn;

	dp_data_fill(want, r->file.len, 0, FILE_SEED);
	ASSERT_EQ(0, fstat(r->file.fd, &st));
	EXPECT_EQ((off_t)r->file.len, st.st_size);
	EXPECT_EQ(r->blocks, st.st_blocks);
	EXPECT_EQ(-1, dp_data_differ(want, r->file.map, r->file.len))
		TH_LOG("who was interrupted has changed data, from the offset that is seen on");
	ASSERT_LT(0, dp_page_refs(r->file.map + PIN, &pfn))
		TH_LOG("the pin is gone");
	EXPECT_EQ(r->pfn, pfn)
		TH_LOG("the file has another block where the pin is");
}

static int read_all(void *arg)
{
	struct rig *r = arg;
	struct dp_content want;

	dp_content_init(&want, r->file.len, FILE_SEED);
	return file_wrong_at(r->file.fd, &want, 0, want.size) < 0 ? 0 : -EILSEQ;
}

/* No lock was left behind: read(2) takes the one that the operation held. */
static void check_unlocked(struct __test_metadata *_metadata, struct rig *r)
{
	ASSERT_EQ(0, dp_child_start(&r->toucher, read_all, r));
	EXPECT_EQ(0, dp_child_wait(&r->toucher, SETTLE_MS))
		TH_LOG("read(2) waits for who was interrupted, or has wrong data");
}

/* It is over, and nothing was done. */
static void ends_with(struct __test_metadata *_metadata, struct rig *r, int err)
{
	static const struct collision done = { &nothing, .pin = PIN, .outcome = WAITS };

	EXPECT_EQ(err, dp_child_wait(&r->racer, RETURN_MS));
	check_untouched(_metadata, r);
	check_unlocked(_metadata, r);
	r->c = &done;
	ASSERT_EQ(0, unpin(r));
	check_data(_metadata, r);
}

/* The waiter of before still waits, for the same. */
static void waits_again(struct __test_metadata *_metadata, struct rig *r)
{
	struct dp_sight s;

	ASSERT_EQ(0, dp_child_settle(&r->racer, &s, SETTLE_MS));
	ASSERT_EQ(DP_WAITS, s.state);
	check_untouched(_metadata, r);
	/* Our look has mapped the page; a mapping is not what this is about. */
	ASSERT_EQ(0, madvise(r->file.map, r->file.len, MADV_DONTNEED));
	drop_pin(_metadata, r);
	check_data(_metadata, r);
}

static void handled_once(struct __test_metadata *_metadata, struct scene *scene)
{
	long deadline = dp_now_ms() + SETTLE_MS;

	while (!__atomic_load_n(scene->handled, __ATOMIC_RELAXED) && dp_now_ms() < deadline)
		sched_yield();
	ASSERT_EQ(1, *scene->handled);
}

static void stop_it(struct __test_metadata *_metadata, struct rig *r, bool over)
{
	ASSERT_EQ('T', task_becomes(r, 'T'));
	check_untouched(_metadata, r);
	check_unlocked(_metadata, r);
	if (over)
		ASSERT_EQ(0, unpin(r));
	ASSERT_EQ(0, kill(r->racer.pid, SIGCONT));
	if (!over)
		return waits_again(_metadata, r);
	ASSERT_EQ(0, dp_child_return(&r->racer, RETURN_MS));
	check_data(_metadata, r);
}

static void interrupt(struct __test_metadata *_metadata, struct scene *scene,
		      const struct interruption *i, const struct collision *c,
		      enum dp_pin_kind kind)
{
	struct rig *r = &scene->r;

	r->c = c;
	r->kind = kind;
	take_pin(_metadata, r);
	start_handled(_metadata, scene, i);
	ASSERT_EQ(0, kill(r->racer.pid, i->sig));
	TH_LOG("witness: signal=%d fate=%d", i->sig, i->fate);
	if (i->sig == SIGUSR1)
		handled_once(_metadata, scene);
	if (i->fate == EINTR_AT_ONCE || i->fate == DIES)
		ends_with(_metadata, r, -EINTR);
	else if (i->fate == WAITS_AGAIN)
		waits_again(_metadata, r);
	else
		stop_it(_metadata, r, i->fate == STOPS_OVER);
}

TEST_F_TIMEOUT(signals, truncate, ROW_S)
{
	struct collision c = { &truncation, .off = PAGE, .pin = PIN, .outcome = WAITS };

	interrupt(_metadata, &self->s, &variant->i, &c, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(signals, punch, ROW_S)
{
	struct collision c = { &clearing, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       .off = PIN - PAGE, .len = 3 * PAGE, .pin = PIN, .outcome = WAITS };

	interrupt(_metadata, &self->s, &variant->i, &c, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(signals, zero, ROW_S)
{
	struct collision c = { &clearing, FALLOC_FL_ZERO_RANGE, .off = PIN - 100, .len = 3 * PAGE,
			       .pin = PIN, .outcome = WAITS };

	interrupt(_metadata, &self->s, &variant->i, &c, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(signals, collapse, ROW_S)
{
	struct collision c = { &shift_down, FALLOC_FL_COLLAPSE_RANGE, .off = PAGE, .len = 2 * PAGE,
			       .pin = PIN, .outcome = WAITS };

	interrupt(_metadata, &self->s, &variant->i, &c, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(signals, insert, ROW_S)
{
	struct collision c = { &shift_up, FALLOC_FL_INSERT_RANGE, .off = PAGE, .len = 2 * PAGE,
			       .pin = PIN, .outcome = WAITS };

	interrupt(_metadata, &self->s, &variant->i, &c, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(signals, open, ROW_S)
{
	struct collision c = { &by_open, .pin = PIN, .outcome = WAITS };

	interrupt(_metadata, &self->s, &variant->i, &c, DP_PIN_VMSPLICE);
}

TEST_F_TIMEOUT(signals, remove, ROW_S)
{
	struct collision c = { &removal, .off = PIN - PAGE, .len = 3 * PAGE, .pin = PIN,
			       .outcome = WAITS };

	interrupt(_metadata, &self->s, &variant->i, &c, DP_PIN_VMSPLICE);
}

/* Another file of the same length, which is locked after the pinned one. */
static void other_open(struct __test_metadata *_metadata, struct scene *s, enum dp_map map,
		       uint64_t seed)
{
	ssize_t len = len_for(map, LEN);
	static char data[PMD];

	beside_open(_metadata, &s->r, LOWER, map, len);
	dp_data_fill(data, len, 0, seed);
	ASSERT_EQ(len, pwrite(s->r.beside, data, len, 0));
}

static void check_other(struct __test_metadata *_metadata, const struct scene *s, uint64_t seed)
{
	struct dp_content want;

	dp_content_init(&want, s->r.file.len, seed);
	check_whole(_metadata, s->r.beside, &want);
}

/* The blocks of the pinned file would be freed, for it is to have those of another. */
static void interrupt_remap(struct __test_metadata *_metadata, struct scene *s,
			    const struct interruption *i, enum dp_map map, const struct op *op,
			    uint64_t seed)
{
	struct collision c = { op, .pin = PIN, .outcome = WAITS };
	int err;

	other_open(_metadata, s, map, seed);
	err = try_clone(s->r.beside);
	if (cannot_clone(err))
		SKIP(return, CANNOT_CLONE);
	ASSERT_EQ(0, err);
	interrupt(_metadata, s, i, &c, DP_PIN_VMSPLICE);
	check_other(_metadata, s, seed);
}

TEST_F_TIMEOUT(signals, clone, ROW_S)
{
	interrupt_remap(_metadata, &self->s, &variant->i, variant->map, &cloning, OTHER_SEED);
}

TEST_F_TIMEOUT(signals, dedupe, ROW_S)
{
	interrupt_remap(_metadata, &self->s, &variant->i, variant->map, &dedupe, FILE_SEED);
}

/* With a device that writes when all is over. */
TEST_F_TIMEOUT(signals, truncate_dio_read, ROW_S)
{
	struct collision c = { &truncation, .off = PAGE, .pin = PIN, .outcome = WAITS };

	interrupt(_metadata, &self->s, &variant->i, &c, DP_PIN_DIO_READ);
}

/*
 * Two files that are to exchange their blocks
 */

FIXTURE(exchanging) {
	struct scene s;
};

FIXTURE_VARIANT(exchanging) {
	struct interruption i;
	enum dp_map map;
};

FIXTURE_VARIANT_ADD(exchanging, eintr)	   { { SIGUSR1, 0,	     EINTR_AT_ONCE } };
FIXTURE_VARIANT_ADD(exchanging, restart)   { { SIGUSR1, SA_RESTART, WAITS_AGAIN } };
FIXTURE_VARIANT_ADD(exchanging, kill)	   { { SIGKILL, 0,	     DIES } };
FIXTURE_VARIANT_ADD(exchanging, stop)	   { { SIGSTOP, 0,	     STOPS } };
FIXTURE_VARIANT_ADD(exchanging, stop_over) { { SIGSTOP, 0,	     STOPS_OVER } };
FIXTURE_VARIANT_ADD(exchanging, eintr_pmd) { { SIGUSR1, 0,	     EINTR_AT_ONCE }, DP_MAP_PMD };

FIXTURE_SETUP(exchanging)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	dax_folder(_metadata);
	scene_open(_metadata, &self->s, variant->map);
	other_open(_metadata, &self->s, variant->map, OTHER_SEED);
}

FIXTURE_TEARDOWN(exchanging)
{
	scene_close(&self->s);
}

TEST_F_TIMEOUT(exchanging, range, ROW_S)
{
	struct collision c = { &exchange, .len = self->s.r.file.len, .pin = PIN,
			       .outcome = WAITS };
	enum fate fate = variant->i.fate;
	bool over = fate == EINTR_AT_ONCE || fate == DIES;

	interrupt(_metadata, &self->s, &variant->i, &c, DP_PIN_VMSPLICE);
	check_other(_metadata, &self->s, over ? OTHER_SEED : FILE_SEED);
}

/*
 * The last one who lets go of a file
 */

struct ending {
	struct rig	r;
	int		go[2];		/* the child begins when nobody can write to it */
};

FIXTURE(last) {
	struct ending s;
};

FIXTURE_SETUP(last)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	self->s.go[0] = -1;
	self->s.go[1] = -1;
	rig_open(_metadata, &self->s.r, DP_MAP_PTE, LEN);
	ASSERT_EQ(0, pipe2(self->s.go, O_CLOEXEC));
}

FIXTURE_TEARDOWN(last)
{
	rig_close(&self->s.r);
	for (int i = 0; i < 2; i++)
		if (self->s.go[i] >= 0)
			close(self->s.go[i]);
}

static int unlink_last(void *arg)
{
	struct ending *end = arg;
	struct dp_file *f = &end->r.file;
	char byte;

	munmap(f->map, LEN);
	close(f->fd);
	close(end->go[1]);
	if (read(end->go[0], &byte, 1))
		return -EIO;
	return unlinkat(f->dir, f->name, 0) ? -errno : 0;
}

/* Who is killed there dies only when the pin is gone, and the file with it. */
static void kill_last(struct __test_metadata *_metadata, struct ending *end, int sig)
{
	struct collision c = { &nothing, .pin = PIN, .outcome = WAITS };
	struct rig *r = &end->r;
	struct dp_sight s;

	r->c = &c;
	r->kind = DP_PIN_VMSPLICE;
	take_pin(_metadata, r);
	ASSERT_EQ(0, dp_child_start(&r->racer, unlink_last, end));
	munmap(r->file.map, LEN);
	close(r->file.fd);
	r->file.map = NULL;		/* and no longer that of rig_close() */
	close(end->go[1]);
	end->go[1] = -1;
	watch_op(_metadata, r);
	if (!r->waited)
		return;			/* watch_op() has said so */
	ASSERT_EQ(0, kill(r->racer.pid, sig));
	ASSERT_EQ(0, dp_child_settle(&r->racer, &s, SETTLE_MS));
	TH_LOG("witness: signal=%d task=%c wchan=%s", sig, s.task, s.wchan);
	EXPECT_EQ(DP_WAITS, s.state);
	EXPECT_EQ('D', s.task);
	ASSERT_EQ(0, unpin(r));
	EXPECT_EQ(-EINTR, dp_child_return(&r->racer, RETURN_MS));
	EXPECT_EQ(-1, faccessat(r->file.dir, r->file.name, F_OK, 0))
		TH_LOG("the file still has its name");
}

TEST_F_TIMEOUT(last, kill, ROW_S)
{
	kill_last(_metadata, &self->s, SIGKILL);
}

TEST_F_TIMEOUT(last, term, ROW_S)
{
	kill_last(_metadata, &self->s, SIGTERM);
}

TEST_HARNESS_MAIN
