// SPDX-License-Identifier: GPL-2.0
/*
 * An operation waits for several pins, and for pins that change hands.
 *
 * Whoever gives blocks up looks for the first busy page of the file, waits for that
 * one alone, and looks again (ext4_break_layouts() and xfs_break_dax_layouts(), since
 * 6.15 dax_break_layout()).  So it must go on waiting after the release of each pin but
 * the last, in whatever order they go, and return after the last, whoever drops it:
 * a process that got the pipe from another one, or the exit of one that was killed.
 */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "ops.h"

#define LEN	(16 * PAGE)
#define PIN	(6 * PAGE)
#define MAX_PINS 4

static struct collision all_of_it(const struct rig *r, const struct op *op, off_t pin)
{
	return (struct collision){ op, .len = r->file.len, .pin = pin, .outcome = WAITS };
}

/* It has not ended, and waits (again, should the release have woken it). */
static void still_waits(struct __test_metadata *_metadata, struct rig *r, const char *when)
{
	struct dp_sight s;
	int err = dp_child_settle(&r->racer, &s, SETTLE_MS);

	TH_LOG("witness: after=%s operation=%s task=%c", when, state_names[s.state], s.task);
	ASSERT_EQ(0, err);
	ASSERT_EQ(DP_WAITS, s.state)
		TH_LOG("the operation ended before the last pin was dropped");
}

/*
 * Several pins
 */

struct several {
	struct rig	r;		/* the first pin is its own */
	struct dp_pin	more[MAX_PINS - 1];
};

/* PIN_LEN bytes each.  There is one device, so that the first alone may be direct I/O. */
struct pins {
	off_t		 len;		/* PMDs, or small */
	enum dp_pin_kind first;
	int		 n;
	off_t		 at[MAX_PINS];
};

FIXTURE(release) {
	struct several s;
};

FIXTURE_VARIANT(release) {
	struct pins p;
};

#define GET	DP_PIN_VMSPLICE
#define WRITES	DP_PIN_DIO_READ		/* FOLL_PIN since 6.5, as are all of direct I/O */
#define READS	DP_PIN_DIO_WRITE
#define NEXT	(PMD + PIN)
#define HALF	(PMD / 2)

FIXTURE_VARIANT_ADD(release, same_2)	   { { LEN, GET, 2, { PIN, PIN } } };
FIXTURE_VARIANT_ADD(release, same_4)	   { { LEN, GET, 4, { PIN, PIN, PIN, PIN } } };
FIXTURE_VARIANT_ADD(release, same_writes)  { { LEN, WRITES, 3, { PIN, PIN, PIN } } };
FIXTURE_VARIANT_ADD(release, same_reads)   { { LEN, READS, 3, { PIN, PIN, PIN } } };
FIXTURE_VARIANT_ADD(release, overlap)	   { { LEN, GET, 3, { PIN, PIN + 2 * PAGE, PIN - PAGE } } };
FIXTURE_VARIANT_ADD(release, beside)	   { { LEN, GET, 3, { 0, PIN_LEN, 2 * PIN_LEN } } };
FIXTURE_VARIANT_ADD(release, beside_writes) { { LEN, WRITES, 3, { 0, PIN_LEN, 2 * PIN_LEN } } };
FIXTURE_VARIANT_ADD(release, behind_writes) { { LEN, WRITES, 3, { 2 * PIN_LEN, PIN_LEN, 0 } } };
FIXTURE_VARIANT_ADD(release, pmd_same)	   { { PMD, GET, 3, { PIN, PIN, HALF } } };
FIXTURE_VARIANT_ADD(release, pmd_writes)   { { PMD, WRITES, 3, { HALF, PIN, HALF } } };
FIXTURE_VARIANT_ADD(release, two_pmds)	   { { 2 * PMD, GET, 2, { PIN, NEXT } } };
FIXTURE_VARIANT_ADD(release, pmds_writes)  { { 2 * PMD, WRITES, 4, { NEXT, PIN, PIN, NEXT } } };

FIXTURE_SETUP(release)
{
	enum dp_map map = variant->p.len < PMD ? DP_MAP_PTE : DP_MAP_PMD;

	if (rig_missing(map))
		SKIP(return, "%s", rig_missing(map));
	rig_open(_metadata, &self->s.r, map, variant->p.len);
}

FIXTURE_TEARDOWN(release)
{
	for (int i = 0; i < MAX_PINS - 1; i++)
		dp_unpin(&self->s.more[i], NULL);
	rig_close(&self->s.r);
}

static void take_all(struct __test_metadata *_metadata, struct several *s,
		     const struct pins *p)
{
	struct rig *r = &s->r;

	r->kind = p->first;
	take_pin(_metadata, r);
	for (int i = 1; i < p->n; i++)
		ASSERT_EQ(0, dp_pin(&s->more[i - 1], GET, &r->dev,
				    r->file.map + p->at[i], PIN_LEN));
}

/* Pin @i, not the last of them. */
static void drop(struct __test_metadata *_metadata, struct several *s, int i)
{
	char when[16];

	ASSERT_EQ(0, i ? dp_unpin(&s->more[i - 1], NULL) : unpin(&s->r));
	snprintf(when, sizeof(when), "pin_%d", i);
	still_waits(_metadata, &s->r, when);
}

/* drop_pin() drops that of the rig: it is empty if that was not the last. */
static void drop_all(struct __test_metadata *_metadata, struct several *s,
		     const struct op *op, const struct pins *p, bool reverse)
{
	struct collision c = all_of_it(&s->r, op, p->at[0]);
	int last = reverse ? 0 : p->n - 1;

	s->r.c = &c;
	take_all(_metadata, s, p);
	start_op(_metadata, &s->r);
	for (int i = 0; i < p->n - 1; i++)
		drop(_metadata, s, reverse ? p->n - 1 - i : i);
	if (last)
		ASSERT_EQ(0, dp_unpin(&s->more[last - 1], NULL));
	drop_pin(_metadata, &s->r);
	check_data(_metadata, &s->r);
}

TEST_F_TIMEOUT(release, truncate_in_order, ROW_S)
{
	drop_all(_metadata, &self->s, &truncation, &variant->p, false);
}

TEST_F_TIMEOUT(release, truncate_in_reverse, ROW_S)
{
	drop_all(_metadata, &self->s, &truncation, &variant->p, true);
}

TEST_F_TIMEOUT(release, punch_in_order, ROW_S)
{
	drop_all(_metadata, &self->s, &punch, &variant->p, false);
}

TEST_F_TIMEOUT(release, punch_in_reverse, ROW_S)
{
	drop_all(_metadata, &self->s, &punch, &variant->p, true);
}

/*
 * The pin changes hands, or its holder dies
 */

struct hands {
	struct rig	r;
	struct dp_child	heir;		/* who has the pipe in the end */
	int		tell[2];	/* to and from the heir */
};

FIXTURE(handover) {
	struct hands h;
};

FIXTURE_SETUP(handover)
{
	if (rig_missing(DP_MAP_PTE))
		SKIP(return, "%s", rig_missing(DP_MAP_PTE));
	self->h.tell[0] = -1;
	self->h.tell[1] = -1;
	rig_open(_metadata, &self->h.r, DP_MAP_PTE, LEN);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->h.tell));
}

FIXTURE_TEARDOWN(handover)
{
	for (int i = 0; i < 2; i++)
		if (self->h.tell[i] >= 0)
			close(self->h.tell[i]);
	dp_child_kill(&self->h.heir);
	rig_close(&self->h.r);
}

static void close_pipe(struct dp_pin *p)
{
	close(p->fd[0]);
	close(p->fd[1]);
	*p = (struct dp_pin){ 0 };
}

/* Who collides keeps no end of the pipe: only the holder's counts. */
static int truncate_alone(struct rig *r)
{
	if (r->pin.kind == DP_PIN_VMSPLICE)
		close_pipe(&r->pin);
	return run_truncate(r);
}

static const struct op truncation_alone = { truncate_alone, cut, .to_end = true };

/* One byte to the other side, and one from there. */
static int tell(int fd)
{
	return write(fd, "", 1) == 1 ? 0 : -EPIPE;
}

static int hear(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&p, 1, SETTLE_MS) != 1)
		return -ETIMEDOUT;
	return read(fd, &byte, 1) == 1 ? 0 : -EPIPE;
}

static void begin(struct __test_metadata *_metadata, struct rig *r, struct collision *c,
		  enum dp_pin_kind kind)
{
	*c = all_of_it(r, &truncation_alone, PIN);
	r->c = c;
	r->kind = kind;
	take_pin(_metadata, r);
}

/* Nobody here knows what came out of a pipe or on a device that others have read. */
static void end(struct __test_metadata *_metadata, struct hands *h)
{
	struct rig *r = &h->r;

	if (!dp_pin_writes(r->kind))
		r->kind = DP_PIN_NONE;
	drop_pin(_metadata, r);
	check_data(_metadata, r);
}

/* Told to, it reads the pipe that it has from its parent. */
static int inherit(void *arg)
{
	struct hands *h = arg;
	int err = hear(h->tell[1]);

	return err ? err : dp_unpin(&h->r.pin, NULL);
}

TEST_F_TIMEOUT(handover, inherited, ROW_S)
{
	struct rig *r = &self->h.r;
	struct collision c;

	begin(_metadata, r, &c, DP_PIN_VMSPLICE);
	ASSERT_EQ(0, dp_child_start(&self->h.heir, inherit, &self->h));
	start_op(_metadata, r);
	close_pipe(&r->pin);
	still_waits(_metadata, r, "close");
	ASSERT_EQ(0, tell(self->h.tell[0]));
	ASSERT_EQ(0, dp_child_wait(&self->h.heir, SETTLE_MS));
	end(_metadata, &self->h);
}

static int send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &m, 0) == 1 ? 0 : -errno;
}

/* The descriptor that comes with the byte, or -errno. */
static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1)
		return -EPIPE;
	if (!CMSG_FIRSTHDR(&m))
		return -EBADF;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

/* It gets the pipe when it is told to, says so, and closes it when it is told again. */
static int adopt(void *arg)
{
	struct hands *h = arg;
	int err = hear(h->tell[1]), fd;

	if (err)
		return err;
	fd = receive_fd(h->tell[1]);
	if (fd < 0)
		return fd;
	err = tell(h->tell[1]);
	if (!err)
		err = hear(h->tell[1]);
	close(fd);
	return err;
}

/* For a while the pipe is in nobody's hands but on its way. */
TEST_F_TIMEOUT(handover, passed, ROW_S)
{
	struct rig *r = &self->h.r;
	struct collision c;

	ASSERT_EQ(0, dp_child_start(&self->h.heir, adopt, &self->h));
	begin(_metadata, r, &c, DP_PIN_VMSPLICE);
	start_op(_metadata, r);
	ASSERT_EQ(0, tell(self->h.tell[0]));
	ASSERT_EQ(0, send_fd(self->h.tell[0], r->pin.fd[0]));
	close_pipe(&r->pin);
	still_waits(_metadata, r, "send");
	ASSERT_EQ(0, hear(self->h.tell[0]));
	still_waits(_metadata, r, "receive");
	ASSERT_EQ(0, tell(self->h.tell[0]));
	ASSERT_EQ(0, dp_child_wait(&self->h.heir, SETTLE_MS));
	end(_metadata, &self->h);
}

/* Nobody receives it: closing the socket drops the pin. */
TEST_F_TIMEOUT(handover, never_received, ROW_S)
{
	struct rig *r = &self->h.r;
	struct collision c;
	int lost[2];

	begin(_metadata, r, &c, DP_PIN_VMSPLICE);
	start_op(_metadata, r);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lost));
	ASSERT_EQ(0, send_fd(lost[0], r->pin.fd[0]));
	close_pipe(&r->pin);
	still_waits(_metadata, r, "send");
	close(lost[0]);
	still_waits(_metadata, r, "close");
	close(lost[1]);
	end(_metadata, &self->h);
}

/* It takes the pin, so that nobody else has the pipe, and keeps it until it is killed. */
static int hold(void *arg)
{
	struct hands *h = arg;
	struct dp_pin pin;
	int err;

	err = dp_pin(&pin, DP_PIN_VMSPLICE, NULL, h->r.file.map + PIN, PIN_LEN);
	if (!err)
		err = tell(h->tell[1]);
	while (!err)
		pause();
	return err;
}

/* The rig has no pin of its own: what there is to see of it is the page's count. */
TEST_F_TIMEOUT(handover, killed, ROW_S)
{
	struct rig *r = &self->h.r;
	struct collision c;
	int idle;

	begin(_metadata, r, &c, DP_PIN_NONE);
	idle = dp_page_idle(r->file.map + PIN, &r->pfn);
	r->kind = DP_PIN_VMSPLICE;
	ASSERT_EQ(0, dp_child_start(&self->h.heir, hold, &self->h));
	ASSERT_EQ(0, hear(self->h.tell[0]));
	ASSERT_LT(idle, dp_pfn_refs(r->pfn));
	start_op(_metadata, r);
	still_waits(_metadata, r, "nothing");
	ASSERT_EQ(0, kill(self->h.heir.pid, SIGKILL));
	ASSERT_EQ(-EINTR, dp_child_wait(&self->h.heir, SETTLE_MS));
	end(_metadata, &self->h);
}

static void kill_reader(struct __test_metadata *_metadata, struct hands *h,
			enum dp_pin_kind kind)
{
	struct rig *r = &h->r;
	struct collision c;

	begin(_metadata, r, &c, kind);
	start_op(_metadata, r);
	ASSERT_EQ(0, kill(r->pin.child.pid, SIGKILL));
	still_waits(_metadata, r, "kill");
	/* Its I/O ends before it does, and so it never gets back to the program. */
	ASSERT_EQ(0, dp_dev_resume(&r->dev));
	ASSERT_EQ(-EINTR, dp_unpin(&r->pin, NULL));
	end(_metadata, h);
}

/* A device goes on writing for a process that was killed, and the operation waits for it. */
TEST_F_TIMEOUT(handover, killed_dio_read, ROW_S)
{
	kill_reader(_metadata, &self->h, DP_PIN_DIO_READ);
}

TEST_F_TIMEOUT(handover, killed_dio_write, ROW_S)
{
	kill_reader(_metadata, &self->h, DP_PIN_DIO_WRITE);
}

TEST_HARNESS_MAIN
