// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory regions of soft RoCE (rxe) on the loopback interface, and a pair of
 * connected queues that moves bytes from and to one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dp_longterm.h"

#define LINK	"daxpin"
#define PORT	1
#define RDMA	"/usr/bin/rdma"

#define ACCESS	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

struct rdma {
	struct ibv_context	*dev;
	struct ibv_pd		*pd;
	struct ibv_cq		*cq;
	struct ibv_qp		*qp[2];		/* the first one asks, the second one answers */
	union ibv_gid		 gid;
	int			 gid_index;
	struct ibv_mr		*mr;		/* of what is pinned */
};

/* verbs.h says that errno is set where NULL is returned. */
static int errno_of(const void *object)
{
	return object ? 0 : -errno;
}

/* The link stays: adding it takes long, and removing it longer. */
static int link_add(void)
{
	char *const argv[] = { RDMA, "link", "add", LINK, "type", "rxe", "netdev", "lo", NULL };
	int err, status;
	pid_t pid;

	err = longterm_lo_up();
	if (err)
		return err;
	err = posix_spawn(&pid, RDMA, NULL, NULL, argv, environ);
	if (err)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status ? -ENODEV : 0;
}

/* Set r->dev when there is the link. */
static int device_find(struct rdma *r)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	int err = -ENODEV;

	if (!list)
		return -errno;
	for (size_t i = 0; list[i]; i++) {
		if (strcmp(ibv_get_device_name(list[i]), LINK))
			continue;
		r->dev = ibv_open_device(list[i]);
		err = errno_of(r->dev);
		break;
	}
	ibv_free_device_list(list);
	return err;
}

static int device_open(struct rdma *r)
{
	int err = device_find(r);

	if (err != -ENODEV)
		return err;
	err = link_add();
	return err ? err : device_find(r);
}

/* The kernel's worker gives the port its addresses: soon, but not at once. */
static int gid_find(struct rdma *r)
{
	long deadline = dp_now_ms() + LONGTERM_WAIT_MS;
	union ibv_gid want = { .raw = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };
	struct ibv_port_attr port;
	int err;

	do {
		err = ibv_query_port(r->dev, PORT, &port);
		if (err)
			return -err;
		for (int i = 0; i < port.gid_tbl_len; i++) {
			r->gid_index = i;
			if (!ibv_query_gid(r->dev, PORT, i, &r->gid) &&
			    !memcmp(&r->gid, &want, sizeof(want)))
				return 0;
		}
		poll(NULL, 0, 1);
	} while (dp_now_ms() < deadline);
	return -EADDRNOTAVAIL;
}

static int qp_init(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = {
		.qp_state	 = IBV_QPS_INIT,
		.port_num	 = PORT,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ,
	};

	return -ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			      IBV_QP_ACCESS_FLAGS);
}

static int qp_receive(const struct rdma *r, struct ibv_qp *qp, const struct ibv_qp *peer)
{
	struct ibv_qp_attr attr = {
		.qp_state	    = IBV_QPS_RTR,
		.path_mtu	    = IBV_MTU_1024,
		.dest_qp_num	    = peer->qp_num,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer	    = 1,
		.ah_attr = {
			.is_global	= 1,
			.port_num	= PORT,
			.grh = {
				.dgid		= r->gid,
				.sgid_index	= r->gid_index,
				.hop_limit	= 1,
			},
		},
	};

	return -ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			      IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			      IBV_QP_MIN_RNR_TIMER);
}

/* An answer that does not come is asked for again after 4 us * 2^14, 7 times. */
static int qp_send(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = {
		.qp_state	= IBV_QPS_RTS,
		.timeout	= 14,
		.retry_cnt	= 7,
		.rnr_retry	= 7,
		.max_rd_atomic	= 1,
	};

	return -ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			      IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
}

static int qps_connect(struct rdma *r)
{
	struct ibv_qp_init_attr init = {
		.send_cq = r->cq,
		.recv_cq = r->cq,
		.qp_type = IBV_QPT_RC,
		.cap	 = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1,
			     .max_recv_sge = 1 },
	};
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		r->qp[i] = ibv_create_qp(r->pd, &init);
		err = errno_of(r->qp[i]);
	}
	for (int i = 0; i < 2 && !err; i++)
		err = qp_init(r->qp[i]);
	for (int i = 0; i < 2 && !err; i++)
		err = qp_receive(r, r->qp[i], r->qp[!i]);
	for (int i = 0; i < 2 && !err; i++)
		err = qp_send(r->qp[i]);
	return err;
}

static void rdma_free(struct rdma *r)
{
	for (int i = 0; i < 2; i++)
		if (r->qp[i])
			ibv_destroy_qp(r->qp[i]);
	if (r->cq)
		ibv_destroy_cq(r->cq);
	if (r->pd)
		ibv_dealloc_pd(r->pd);
	if (r->dev)
		ibv_close_device(r->dev);
	free(r);
}

static int rdma_fill(struct rdma *r)
{
	int err;

	err = device_open(r);
	if (err)
		return err;
	err = gid_find(r);
	if (err)
		return err;
	r->pd = ibv_alloc_pd(r->dev);
	if (!r->pd)
		return -errno;
	r->cq = ibv_create_cq(r->dev, 2, NULL, NULL, 0);
	if (!r->cq)
		return -errno;
	return qps_connect(r);
}

static int rdma_open(struct dp_longterm *l)
{
	struct rdma *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = rdma_fill(r);
	if (err)
		rdma_free(r);
	else
		l->ctx = r;
	return err;
}

static void rdma_close(struct dp_longterm *l)
{
	rdma_free(l->ctx);
}

static int rdma_pin(struct dp_longterm *l)
{
	struct rdma *r = l->ctx;

	r->mr = ibv_reg_mr(r->pd, l->addr, l->len, ACCESS);
	return errno_of(r->mr);
}

static int rdma_unpin(struct dp_longterm *l)
{
	struct rdma *r = l->ctx;

	return -ibv_dereg_mr(r->mr);
}

static int completion_wait(struct rdma *r)
{
	long deadline = dp_now_ms() + LONGTERM_WAIT_MS;
	struct ibv_wc wc;

	do {
		int n = ibv_poll_cq(r->cq, 1, &wc);

		if (n < 0)
			return -EIO;
		if (n)
			return wc.status == IBV_WC_SUCCESS ? 0 : -EREMOTEIO;
		poll(NULL, 0, 1);
	} while (dp_now_ms() < deadline);
	return -ETIMEDOUT;
}

/* Let the first queue move bytes between @local and the pinned memory, by way of the second. */
static int rdma_move(struct dp_longterm *l, struct ibv_mr *local, enum ibv_wr_opcode opcode)
{
	struct rdma *r = l->ctx;
	struct ibv_sge sge = { (uintptr_t)local->addr, l->len, local->lkey };
	struct ibv_send_wr *bad, wr = {
		.sg_list	= &sge,
		.num_sge	= 1,
		.opcode		= opcode,
		.send_flags	= IBV_SEND_SIGNALED,
		.wr.rdma	= { (uintptr_t)l->addr, r->mr->rkey },
	};
	int err;

	err = ibv_post_send(r->qp[0], &wr, &bad);
	return err ? -err : completion_wait(r);
}

/* The other end has memory of its own, which is a region only as long as it takes. */
static int rdma_with(struct dp_longterm *l, void *buf, enum ibv_wr_opcode opcode)
{
	struct rdma *r = l->ctx;
	struct ibv_mr *local;
	int err;

	local = ibv_reg_mr(r->pd, buf, l->len, IBV_ACCESS_LOCAL_WRITE);
	if (!local)
		return -errno;
	err = rdma_move(l, local, opcode);
	ibv_dereg_mr(local);
	return err;
}

static int rdma_read(struct dp_longterm *l, void *buf)
{
	return rdma_with(l, buf, IBV_WR_RDMA_READ);
}

/* Local memory is pinned to be written whatever is done with it: the copy is not const. */
static int rdma_write(struct dp_longterm *l, const void *buf)
{
	void *copy = malloc(l->len);
	int err;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, buf, l->len);
	err = rdma_with(l, copy, IBV_WR_RDMA_WRITE);
	free(copy);
	return err;
}

const struct longterm_ops longterm_rdma = {
	rdma_open, rdma_close, rdma_pin, rdma_unpin, rdma_read, rdma_write,
};
