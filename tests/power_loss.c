// SPDX-License-Identifier: GPL-2.0
/*
 * The power goes while pages of a DAX file are pinned and operations collide with the pins.
 *
 * Each row works in a loop: a file is written and synced, some of its blocks are pinned,
 * an operation that gives them up waits, another file is written and synced meanwhile,
 * the late DMA happens, the pin goes, the operation ends, a third file takes the blocks.
 * The host cuts the power at moments that it draws (vm/power.c), and has a fresh guest
 * look at the copy (tests/power_check.c).
 *
 * What may be relied on is told to the host before the file system could give it up and
 * after it has promised it: data is promised when fsync(2) has returned, or when a store
 * through a MAP_SYNC mapping has.  QEMU's memory has no caches that could be lost, so it
 * is the order of what the kernel stores that is looked at, and not its flushes; for
 * those see tests/flush.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/dp.h"
#include "power.h"
#include "premise.h"
#include "remap.h"

#define BLOCKS		8u
#define PINNED		4u			/* from this block on, to the end */
#define LEN		((off_t)BLOCKS * POWER_BLOCK)
#define PIN_OFF		((off_t)PINNED * POWER_BLOCK)
#define PIN_LEN		(LEN - PIN_OFF)

#define CUTS		42			/* of each row */
#define BOUND_MS	20000
#define ROW_S		600
#define ANSWER_MAX	4096
#define PROMISE		"# power: promise %s %u %u %u\n"

enum owner { FILE_A = 1, FILE_B, FILE_C, FILE_S };

struct file {
	const char	*name;
	enum owner	 owner;
	int		 fd;
	char		*map;
};

struct work {
	int		dir;
	int		host;
	struct file	a, b, c;
	unsigned int	gen;
	int		waits;			/* of operations for pins */
	char		answer[ANSWER_MAX];	/* of the host, what there is of it */
	size_t		answered;
};

struct op {
	int		(*run)(struct work *w);
	unsigned int	 keeps;		/* blocks of the file, which stay promised */
	bool		 waits;		/* for the pin */
};

typedef void turn_fn(struct __test_metadata *_metadata, struct work *w, const struct op *op);

FIXTURE(power_loss) {
	struct work w;
};

/* One line, which no other tears. */
__attribute__((format(printf, 1, 2)))
static void tell(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (write(STDOUT_FILENO, line, n) != n)
		abort();
}

static void promise(const struct file *f, enum owner whose, unsigned int blocks, unsigned int gen)
{
	tell(PROMISE, f->name, whose, blocks, gen);
}

static void file_open(struct __test_metadata *_metadata, int dir, struct file *f, const char *name,
		      enum owner owner)
{
	*f = (struct file){ name, owner };
	f->fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_GE(f->fd, 0);
}

FIXTURE_SETUP(power_loss)
{
	struct work *w = &self->w;

	if (env_missing())
		SKIP(return, "%s", env_missing());
	if (!getenv("DAXPIN_HOST"))
		SKIP(return, "nobody cuts the power (DAXPIN_HOST)");
	dp_case_begin(_metadata->name);
	w->dir = open(getenv("DAXPIN_DIR"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->host = open(getenv("DAXPIN_HOST"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_GE(w->dir, 0);
	ASSERT_GE(w->host, 0);
	file_open(_metadata, w->dir, &w->a, "a", FILE_A);
	file_open(_metadata, w->dir, &w->b, "b", FILE_B);
	file_open(_metadata, w->dir, &w->c, "c", FILE_C);
	ASSERT_EQ(0, ftruncate(w->a.fd, LEN));
	w->a.map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, w->a.fd, 0);
	ASSERT_NE(MAP_FAILED, w->a.map);
	ASSERT_EQ(0, fsync(w->dir));
}

FIXTURE_TEARDOWN(power_loss)
{
	struct work *w = &self->w;
	const struct file *all[] = { &w->a, &w->b, &w->c };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		promise(all[i], all[i]->owner, 0, 0);
		unlinkat(w->dir, all[i]->name, 0);
		close(all[i]->fd);
	}
	munmap(w->a.map, LEN);
	close(w->host);
	close(w->dir);
}

/* What the host has said until now; true when it is done. */
static bool host_done(struct work *w)
{
	ssize_t n = read(w->host, w->answer + w->answered,
			 ANSWER_MAX - 1 - w->answered);

	if (n > 0)
		w->answered += n;
	w->answer[w->answered] = '\0';
	return w->answered && strstr(w->answer, "done ") &&
	       w->answer[w->answered - 1] == '\n';
}

/* By write(2), behind all that is there already: what was promised of it goes first. */
static void write_synced(struct __test_metadata *_metadata, const struct file *f, unsigned int gen)
{
	char data[LEN];

	promise(f, f->owner, 0, 0);
	power_fill(data, f->owner, 0, BLOCKS, gen);
	ASSERT_EQ(0, ftruncate(f->fd, 0));
	ASSERT_EQ(LEN, pwrite(f->fd, data, LEN, 0));
	ASSERT_EQ(0, fsync(f->fd));
	promise(f, f->owner, BLOCKS, gen);
}

/* Through the mapping, over what is there; the file is as long as it was. */
static void store_synced(struct __test_metadata *_metadata, const struct file *f, unsigned int gen)
{
	ASSERT_EQ(0, ftruncate(f->fd, LEN));
	power_fill(f->map, f->owner, 0, BLOCKS, gen);
	ASSERT_EQ(0, msync(f->map, LEN, MS_SYNC));
	promise(f, f->owner, BLOCKS, gen);
}

struct racer {
	struct work	*w;
	const struct op	*op;
};

static int run_op(void *arg)
{
	const struct racer *r = arg;

	return r->op->run(r->w);
}

/* Let go of the pin, after the device has written what the file has there anyway. */
static void dma_end(struct __test_metadata *_metadata, struct work *w, int pin)
{
	char data[PIN_LEN];

	power_fill(data, FILE_A, PINNED, BLOCKS - PINNED, w->gen);
	ASSERT_EQ(0, dp_gup_write(pin, 0, data, PIN_LEN));
	tell("# power: held no\n");
	ASSERT_EQ(0, dp_gup_drop(pin, 1));	/* the child has the descriptor, too */
	close(pin);
}

static void collide(struct __test_metadata *_metadata, struct work *w, const struct op *op)
{
	struct racer racer = { w, op };
	struct dp_child child = { 0 };
	struct dp_sight sight;
	int pin;

	w->gen++;
	store_synced(_metadata, &w->a, w->gen);
	pin = dp_gup_take(w->a.map + PIN_OFF, PIN_LEN, DP_GUP_PIN | DP_GUP_WRITE, 1);
	ASSERT_GE(pin, 0);
	tell("# power: held yes\n");
	promise(&w->a, FILE_A, op->keeps, w->gen);
	ASSERT_EQ(0, dp_child_start(&child, run_op, &racer));
	ASSERT_EQ(0, dp_child_settle(&child, &sight, BOUND_MS));
	EXPECT_EQ(op->waits ? DP_WAITS : DP_DONE, sight.state);
	w->waits += sight.state == DP_WAITS;
	write_synced(_metadata, &w->b, w->gen);
	dma_end(_metadata, w, pin);
	ASSERT_EQ(0, dp_child_return(&child, BOUND_MS));
	write_synced(_metadata, &w->c, w->gen);
}

/* Turns until the host has made its cuts, and all that looked were content. */
static void work(struct __test_metadata *_metadata, struct work *w, turn_fn *turn,
		 const struct op *op)
{
	int turns = 0, cuts = 0, held = 0, read;
	char *done, *line, *save;

	turn(_metadata, w, op);	/* something is promised from the first cut on */
	tell("# power: cut %d\n", CUTS);
	do {
		turn(_metadata, w, op);
		turns++;
	} while (!host_done(w));
	done = strstr(w->answer, "done ");
	read = sscanf(done, "done %d %d", &cuts, &held);
	ASSERT_EQ(2, read);
	*done = '\0';
	TH_LOG("witness: cuts=%d held=%d turns=%d waits=%d", cuts, held, turns, w->waits);
	if (done == w->answer)
		EXPECT_EQ(CUTS, cuts);
	if (op)
		EXPECT_LT(0, held)
			TH_LOG("no cut has hit a pin");
	for (line = strtok_r(w->answer, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		EXPECT_TRUE(false)
			TH_LOG("after a power cut: %s", line);
	}
}

static int truncate_half(struct work *w)
{
	return ftruncate(w->a.fd, PIN_OFF) ? -errno : 0;
}

static int punch_half(struct work *w)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(w->a.fd, mode, PIN_OFF, PIN_LEN) ? -errno : 0;
}

static int zero_half(struct work *w)
{
	return fallocate(w->a.fd, FALLOC_FL_ZERO_RANGE, PIN_OFF, PIN_LEN) ? -errno : 0;
}

TEST_F_TIMEOUT(power_loss, truncate, ROW_S)
{
	static const struct op op = { truncate_half, PINNED, true };

	work(_metadata, &self->w, collide, &op);
}

TEST_F_TIMEOUT(power_loss, punch, ROW_S)
{
	static const struct op op = { punch_half, PINNED, true };

	work(_metadata, &self->w, collide, &op);
}

TEST_F_TIMEOUT(power_loss, zero, ROW_S)
{
	static const struct op op = { zero_half, PINNED, true };

	work(_metadata, &self->w, collide, &op);
}

/* The name of the pinned file is taken by another with younger data: it always has either. */
static int rename_over(struct work *w)
{
	struct file s = { "s", FILE_A };
	char data[LEN];
	int err = 0;

	s.fd = openat(w->dir, s.name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	power_fill(data, FILE_A, 0, BLOCKS, w->gen + 1);
	if (s.fd < 0 || pwrite(s.fd, data, LEN, 0) != LEN || fsync(s.fd) ||
	    renameat(w->dir, s.name, w->dir, w->a.name) || fsync(w->dir))
		err = -errno;
	close(s.fd);
	return err;
}

/* Open the file that has the name now, and map it where the other was. */
static void reopen(struct __test_metadata *_metadata, struct work *w)
{
	close(w->a.fd);
	w->a.fd = openat(w->dir, w->a.name, O_RDWR | O_CLOEXEC);
	ASSERT_GE(w->a.fd, 0);
	ASSERT_EQ(w->a.map, mmap(w->a.map, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				 w->a.fd, 0));
}

static void replace(struct __test_metadata *_metadata, struct work *w, const struct op *op)
{
	collide(_metadata, w, op);
	w->gen++;
	promise(&w->a, FILE_A, BLOCKS, w->gen);
	reopen(_metadata, w);
}

TEST_F_TIMEOUT(power_loss, rename_over, ROW_S)
{
	static const struct op op = { rename_over, BLOCKS, false };

	work(_metadata, &self->w, replace, &op);
}

/* The file shares its blocks with another, and then gets its own again. */
static int clone(struct work *w)
{
	int fd = openat(w->dir, "s", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = fd < 0 || clone_file(fd, w->a.fd) || fsync(fd) ? -errno : 0;

	close(fd);
	return err;
}

static void share(struct __test_metadata *_metadata, struct work *w, const struct op *op)
{
	const struct file s = { "s", FILE_A };

	promise(&s, FILE_A, 0, 0);
	collide(_metadata, w, op);
	promise(&s, FILE_A, BLOCKS, w->gen);
}

TEST_F_TIMEOUT(power_loss, clone, ROW_S)
{
	static const struct op op = { clone, BLOCKS, true };
	int err = clone(&self->w);

	if (err == -EOPNOTSUPP)
		SKIP(return, "files of this file system share no blocks");
	ASSERT_EQ(0, err);
	work(_metadata, &self->w, share, &op);
	promise(&(struct file){ "s" }, FILE_A, 0, 0);
	unlinkat(self->w.dir, "s", 0);
}

/* No fsync(2): what is stored through such a mapping is there, and so is what maps it. */
static void store_sync(struct __test_metadata *_metadata, struct work *w, const struct op *op)
{
	struct file s = { "s", FILE_S };

	w->gen++;
	promise(&s, FILE_S, 0, 0);
	unlinkat(w->dir, s.name, 0);
	file_open(_metadata, w->dir, &s, s.name, s.owner);
	ASSERT_EQ(0, ftruncate(s.fd, LEN));
	ASSERT_EQ(0, fsync(s.fd));
	s.map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, s.fd, 0);
	ASSERT_NE(MAP_FAILED, s.map);
	for (unsigned int b = 0; b < BLOCKS; b++) {
		power_fill(s.map + b * POWER_BLOCK, s.owner, b, 1, w->gen);
		promise(&s, s.owner, b + 1, w->gen);
	}
	munmap(s.map, LEN);
	close(s.fd);
}

TEST_F_TIMEOUT(power_loss, map_sync, ROW_S)
{
	work(_metadata, &self->w, store_sync, NULL);
	promise(&(struct file){ "s" }, FILE_S, 0, 0);
	unlinkat(self->w.dir, "s", 0);
}

/* A promise that nobody can keep: who looks notices. */
TEST_F_TIMEOUT(power_loss, lie, ROW_S)
{
	struct work *w = &self->w;

	store_synced(_metadata, &w->a, 1);
	promise(&w->a, FILE_A, BLOCKS, 2);
	tell("# power: cut 1\n");
	while (!host_done(w))
		poll(&(struct pollfd){ w->host, POLLIN }, 1, -1);
	TH_LOG("witness: answer=%.*s", (int)strcspn(w->answer, "\n"), w->answer);
	EXPECT_EQ(0, strncmp(w->answer, "bad cut-", strlen("bad cut-")));
	EXPECT_NE(NULL, strstr(w->answer, "data loss: a, block 0, word 0"));
}

TEST_HARNESS_MAIN
