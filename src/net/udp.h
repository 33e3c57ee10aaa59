/*
 * net/udp.h - a datagram socket from inside
 *
 *   udp.c          opening, names, ending
 *   udp_options.c  what is set before the socket is bound
 *   udp_call.c     the calls of tasks: try, else wait at a side
 *   udp_message.c  datagrams as the kernel's messages, and back: batches, segments, control data
 *   udp_callback.c the callback face
 *   multicast.c    groups
 */
#ifndef EDDY_NET_UDP_H
#define EDDY_NET_UDP_H

#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/poller.h>
#include <eddy/udp.h>

#include <netinet/in.h>
#include <stdalign.h>
#include <sys/socket.h>

#define UDP_BATCH 64      /* messages in one call of the kernel */
#define UDP_SERVED 32     /* calls of tasks carried out in one turn */
#define UDP_LENT 16       /* datagrams lent to a callback between two calls of the kernel ... */
#define UDP_LENT_ROUNDS 4 /* ... and how many of those in one turn */
#define UDP_LENT_SIZE 65536

/* Control data of one message: all that may be told or wanted. */
struct udp_control {
    alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                                       CMSG_SPACE(sizeof(struct in_pktinfo)) +
                                       2 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))];
};

/* Filled and emptied around one call of the kernel; nothing of it outlives that. */
struct udp_batch {
    struct mmsghdr headers[UDP_BATCH];
    struct iovec iovs[UDP_BATCH];
    struct udp_control controls[UDP_BATCH];
};

/* A call of a task. Its try says -EAGAIN when it has to wait, else it is over. */
struct udp_call {
    struct eddy_wait wait; /* first */
    struct eddy_list link; /* in its side's calls, while it waits */
    struct eddy_udp *u;
    int (*try)(struct eddy_udp *u, struct udp_call *c);
    struct udp_side *side;
    void *buf; /* one datagram; sent bytes are only read */
    size_t len;
    struct eddy_address *from;
    const struct eddy_address *to;
    struct eddy_datagram *at; /* many */
    size_t count;
    size_t done;     /* send: of them */
    size_t cut_here; /* send: 1 + the one whose segments the kernel did not take */
};

/* Reading, or writing: who waits, and the operation that will tell. It is left armed between the
 * calls of a reader, and taken back when it tells and nobody is there. */
struct udp_side {
    struct eddy_op poll;
    struct eddy_list calls; /* of struct udp_call, the oldest first */
    bool asked;             /* the poll's cancel is on its way */
};

/* What callbacks are lent. [next, count) are taken from the kernel and not handed on: a stop came
 * between. A task's next receive, or the next start, has them first. */
struct udp_lent {
    unsigned next, count;
    struct eddy_datagram at[UDP_LENT];
    char bytes[UDP_LENT][UDP_LENT_SIZE];
};

struct eddy_udp {
    struct eddy_loop *loop;
    int fd;
    int family;
    uint16_t port;    /* its own, where .packet_info wants it told */
    bool has_control; /* control data is asked for */
    bool is_gro;
    bool is_drained;   /* the kernel had no more, and has told of nothing since: not worth a try */
    unsigned expected; /* how many to ask for at a time */
    bool is_probed;    /* whether the kernel cuts segments has been asked ... */
    bool is_cutting;   /* ... and it does */
    bool busy;         /* in a callback: free only marks */
    bool freeing;
    struct udp_side in, out;
    struct udp_batch *batch; /* made by the first call that needs it */
    struct eddy_timer retry; /* a Unix peer's room, of which nobody tells */
    int64_t retry_ms;
    void (*on_datagram)(void *ctx, const struct eddy_datagram *d, int error);
    void *ctx;
    struct udp_lent *lent;
    struct eddy_soon soon;
    struct eddy_op closing;
    struct eddy_wait closer;   /* who waits in eddy_udp_close() ... */
    bool is_waited_for;        /* ... if anybody does */
    struct eddy_address local; /* as asked for: to remove a Unix path */
};

/* udp.c */
void eddy_udp_end_step(struct eddy_udp *u);

/* udp_options.c: 0, or the error, with its text in options->error. */
int eddy_udp_options_set(struct eddy_udp *u, const struct eddy_udp_options *options);
int eddy_udp_interface_index(const char *name, unsigned *ret_index); /* -ENODEV */

/* udp_call.c */
void eddy_udp_side_init(struct eddy_udp *u, struct udp_side *side);
int eddy_udp_side_arm(struct eddy_udp *u, struct udp_side *side);
void eddy_udp_side_disarm(struct eddy_udp *u, struct udp_side *side);
void eddy_udp_calls_fail(struct udp_side *side, int why);

/* Whose network it is: a simulation's, or NULL, the kernel's. */
static inline const struct eddy_datagram_ops *eddy_udp_simulated(const struct eddy_udp *u)
{
    return u->loop->driver->ops->datagrams;
}

/* udp_message.c: as a call's try. */
int eddy_udp_do_receive(struct eddy_udp *u, struct udp_call *c);
int eddy_udp_do_receive_many(struct eddy_udp *u, struct udp_call *c);
int eddy_udp_do_send(struct eddy_udp *u, struct udp_call *c);
int eddy_udp_do_send_many(struct eddy_udp *u, struct udp_call *c);
int eddy_udp_receive_batch(struct eddy_udp *u, struct eddy_datagram *at, size_t count);

/* udp_callback.c */
void eddy_udp_feed(struct eddy_udp *u); /* may free it */
static inline bool eddy_udp_has_kept(const struct eddy_udp *u)
{
    return u->lent && u->lent->next < u->lent->count;
}
int eddy_udp_take_kept(struct eddy_udp *u, struct eddy_datagram *d);

#endif
