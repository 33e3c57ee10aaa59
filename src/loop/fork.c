/*
 * loop/fork.c - what a fork leaves of a loop: everything in the parent, nothing in the child
 *
 * The kernel's part of a loop is shared by both processes: an epoll set, a ring's queues, a counter
 * that wakes. If the child went on with any of it, the parent would lose events. So the handler that
 * runs in the child before fork(2) returns there puts the loop of the forking thread out of action:
 * its driver is replaced by one that refuses, what was ready is forgotten, its scopes are refused,
 * its signals given back. The thread has no loop then, and the next call that waits makes one.
 *
 * The fork may have been made by a task or a callback, deep in an iteration, which goes on in the
 * child when that returns. It finds nothing more to do and ends with -EDDY_EFORKED.
 *
 * Loops of other threads are recognised by their number: who uses one is told the same. So is who
 * uses what was made on a loop: it knows its loop, or (channels, futures, locks) the number.
 *
 * Plain code of the parent that waited when a task or a callback forked comes back from its wait in
 * the child, and its frame goes, with what stood in it in some list or in the wheel of timers. So in
 * the child nothing is taken out of, or put into, those any more.
 */
#include "base/sys.h"
#include "loop/loop.h"
#include "loop/stall.h"

#include <pthread.h>

unsigned eddy_forks;

/* --- a driver that refuses ------------------------------------------------------------------------ */

bool eddy_dead_submit(struct eddy_op *op)
{
    op->more = false;
    op->res = -EDDY_EFORKED;
    /* The child's copy of a descriptor is the child's to close. */
    if (op->kind == EDDY_OP_CLOSE) {
        eddy__sys.close(op->fd);
        op->res = 0;
    }
    return true;
}

bool eddy_dead_cancel(struct eddy_op *op)
{
    op->more = false;
    op->pending = false;
    op->res = -ECANCELED;
    return true;
}

static bool dead_submit(struct eddy_driver *d, struct eddy_op *op)
{
    (void)d;
    return eddy_dead_submit(op);
}

static bool dead_cancel(struct eddy_driver *d, struct eddy_op *op)
{
    (void)d;
    return eddy_dead_cancel(op);
}

static int dead_turn(struct eddy_driver *d, int64_t timeout_ns)
{
    (void)d;
    (void)timeout_ns;
    return -EDDY_EFORKED;
}

static void dead_wake(struct eddy_driver *d)
{
    (void)d;
}

static int dead_listen(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len,
                       int backlog, const struct eddy_socket_options *options)
{
    (void)d;
    (void)addr;
    (void)len;
    (void)backlog;
    (void)options;
    return -EDDY_EFORKED;
}

/* The connection is the parent's as well. */
static int dead_shutdown(struct eddy_driver *d, int fd)
{
    (void)d;
    (void)fd;
    return -EDDY_EFORKED;
}

/* The seam's type, though nothing is written. */
static int dead_address(struct eddy_driver *d, int fd, bool peer, struct sockaddr_storage *ret_addr,
                        socklen_t *ret_len) // NOLINT(readability-non-const-parameter)
{
    (void)d;
    (void)fd;
    (void)peer;
    (void)ret_addr;
    (void)ret_len;
    return -EDDY_EFORKED;
}

const struct eddy_driver_ops eddy_driver_dead = {
    .name = "dead",
    .submit = dead_submit,
    .cancel = dead_cancel,
    .turn = dead_turn,
    .wake = dead_wake,
    .listen = dead_listen,
    .shutdown = dead_shutdown,
    .address = dead_address,
    .now_ns = eddy_sockets_now_ns,
    .wall_ns = eddy_sockets_wall_ns,
    .random = eddy_sockets_random,
};

bool eddy__loop_is_parents(const struct eddy_loop *loop)
{
    return eddy_loop_is_parents(loop);
}

/* --- in the child ------------------------------------------------------------------------------------ */

static struct eddy_driver dead = { .ops = &eddy_driver_dead, .backend = "dead" };

/* The parents' loops, so that no tool calls what they hold lost. Each has a `before`. */
static struct eddy_loop *abandoned;
static struct eddy_list forgotten;

static void forget(struct eddy_list *list)
{
    struct eddy_list *link;

    while ((link = eddy_list_shift(list)))
        eddy_list_push(&forgotten, link);
}

static void abandon(struct eddy_loop *loop)
{
    loop->driver->ops->abandon(loop->driver);
    eddy_guest_free(loop);
    loop->driver = &dead;
    forget(&loop->ready);
    forget(&loop->batch);
    forget(&loop->idle);
    loop->wheel.expiring = false;
    atomic_store(&loop->posts, NULL);
    atomic_store(&loop->signals, 0);
    loop->stop = loop->nudged = true;
    if (loop->slot[EDDY_SLOT_TASK] && loop->on_fork)
        loop->on_fork(loop);
    loop->before = abandoned;
    abandoned = loop;
    eddy_loop_set(NULL);
}

static void in_child(void)
{
    struct eddy_loop *loop = eddy__loop();

    eddy_forks++;
    eddy_signals_forked();
    eddy_stall_forked();
    if (!forgotten.next)
        eddy_list_init(&forgotten);
    if (loop)
        abandon(loop);
}

static int watching;

static void watch(void)
{
    watching = -pthread_atfork(NULL, NULL, in_child);
}

int eddy_fork_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch);
    return watching;
}
