// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders: direct I/O on a file of a FUSE file system, whose server is this process.
 *
 * The kernel takes the pages of the buffer before it sends the request
 * (fs/fuse/file.c, fuse_get_user_pages()), by FOLL_GET on 6.1 and FOLL_PIN since
 * 6.3, with FOLL_WRITE for a read, and keeps them until it has the reply: for a read,
 * that is the write into the pages, of whatever bytes we choose.  Nobody limits the
 * time between.
 *
 * Five requests are all there is, and answered in one thread, which is why no library
 * serves them: libfuse would bring a loop, a thread and a mount helper.  The file system
 * is one file, its root, and is mounted nowhere: it ends with the descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dp_holder.h"

#define SERVE_MS	10000	/* until the file is open */
#define HEAD		8192	/* of a request, and the least that the kernel wants */

/* A request as it is read, with the bytes of a write behind its own structure. */
struct request {
	struct fuse_in_header in;
	union {
		struct fuse_init_in init;
		struct fuse_read_in read;
		struct fuse_write_in write;
	};
};

static int answer(const struct dp_pin *p, const struct request *r, int err, const void *data,
		  size_t len)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + len, .error = err, .unique = r->in.unique,
	};
	struct iovec iov[] = {
		{ .iov_base = &out, .iov_len = sizeof(out) },
		{ .iov_base = (void *)data, .iov_len = len },
	};

	return writev(p->fd[0], iov, 2) < 0 ? -errno : 0;
}

static int answer_init(const struct dp_pin *p, const struct request *r)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = p->len,
	};

	if (r->init.minor < out.minor)
		out.minor = r->init.minor;
	return answer(p, r, 0, &out, sizeof(out));
}

/* Past the page cache, and with no last word when it is closed. */
static int answer_open(const struct dp_pin *p, const struct request *r)
{
	struct fuse_open_out out = { .open_flags = FOPEN_DIRECT_IO | FOPEN_NOFLUSH };

	return answer(p, r, 0, &out, sizeof(out));
}

static bool in_range(const struct dp_pin *p, uint64_t off, size_t len)
{
	return off <= p->len && len <= p->len - off;
}

static int answer_read(const struct dp_pin *p, const struct request *r)
{
	if (!in_range(p, r->read.offset, r->read.size))
		return answer(p, r, -EINVAL, NULL, 0);
	return answer(p, r, 0, p->data + r->read.offset, r->read.size);
}

static int answer_write(const struct dp_pin *p, const struct request *r)
{
	struct fuse_write_out out = { .size = r->write.size };

	if (!in_range(p, r->write.offset, r->write.size))
		return answer(p, r, -EINVAL, NULL, 0);
	memcpy(p->data + r->write.offset, &r->write + 1, r->write.size);
	return answer(p, r, 0, &out, sizeof(out));
}

static int answer_any(const struct dp_pin *p, const struct request *r)
{
	switch (r->in.opcode) {
	case FUSE_INIT:
		return answer_init(p, r);
	case FUSE_OPEN:
		return answer_open(p, r);
	case FUSE_READ:
		return answer_read(p, r);
	case FUSE_WRITE:
		return answer_write(p, r);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return 0;		/* these want none */
	}
	return answer(p, r, -EOPNOTSUPP, NULL, 0);
}

/* Answer one request: what it was, 0 when there is none, or -errno. */
static int serve_one(const struct dp_pin *p, struct request *r)
{
	ssize_t n = read(p->fd[0], r, HEAD + p->len);
	int err;

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;	/* one that was taken back */
	if (n < (ssize_t)sizeof(r->in))
		return -EPROTO;
	err = answer_any(p, r);
	return err ? err : (int)r->in.opcode;
}

#define UNTIL_END	(-1)		/* no request: until the child has ended */

/* Answer requests up to one of @last, or until the child has ended. */
static int serve(const struct dp_pin *p, int last, unsigned int bound_ms)
{
	struct pollfd wait[] = {
		{ .fd = p->fd[0], .events = POLLIN },
		{ .fd = p->child.pidfd, .events = POLLIN },
	};
	long deadline = dp_now_ms() + bound_ms, left = bound_ms;
	struct request *r = malloc(HEAD + p->len);
	int n = r ? 0 : -ENOMEM;

	while (n >= 0 && n != last) {
		n = poll(wait, 2, left > 0 ? left : 0);
		if (n > 0 && (wait[1].revents & POLLIN))
			break;
		if (n > 0)
			n = serve_one(p, r);
		else if (!n || errno != EINTR)
			n = n ? -errno : -ETIMEDOUT;
		else
			n = 0;
		left = deadline - dp_now_ms();
	}
	free(r);
	return n < 0 ? n : 0;
}

static int option(int fs, const char *name, int value, bool octal)
{
	char text[16];

	snprintf(text, sizeof(text), octal ? "%o" : "%d", value);
	return fsconfig(fs, FSCONFIG_SET_STRING, name, text, 0);
}

/* Mount a file system of one file, fd[1], whose requests come from fd[0]. */
static int mount_file(struct dp_pin *p)
{
	int fs, err = 0;

	p->fd[0] = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (p->fd[0] < 0)
		return -errno;
	fs = fsopen("fuse", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	if (option(fs, "fd", p->fd[0], false) || option(fs, "rootmode", S_IFREG | 0600, true) ||
	    option(fs, "user_id", getuid(), false) || option(fs, "group_id", getgid(), false) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) {
		err = -errno;
	} else {
		p->fd[1] = fsmount(fs, FSMOUNT_CLOEXEC, 0);
		if (p->fd[1] < 0)
			err = -errno;
	}
	close(fs);
	return err;
}

/*
 * Runs in a child.  The server's descriptor is not for it: were it the last who has it, the
 * connection would live as long as it waits, and it would wait as long as that lives.
 */
static int do_io(void *arg)
{
	struct dp_pin *p = arg;
	char path[32];
	ssize_t n;
	int fd;

	close(p->fd[0]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p->fd[1]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pin_is(p, WRITES) ? pread(fd, p->addr, p->len, 0) : pwrite(fd, p->addr, p->len, 0);
	return n < 0 ? -errno : n;
}

/* The request that holds the pages stays in the queue: it is answered by drop_fuse(). */
int hold_fuse(struct dp_pin *p)
{
	int err;

	err = mount_file(p);
	if (!err)
		err = dp_child_start(&p->child, do_io, p);
	return err ? err : serve(p, FUSE_OPEN, SERVE_MS);
}

int drop_fuse(struct dp_pin *p)
{
	int err = 0;

	if (p->fails) {
		close(p->fd[0]);
		p->fd[0] = -1;
	} else {
		err = serve(p, UNTIL_END, UNPIN_WAIT_MS);
	}
	return err ? err : dp_child_wait(&p->child, UNPIN_WAIT_MS);
}
