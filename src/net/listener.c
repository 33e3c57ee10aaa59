/*
 * net/listener.c - a listening socket: accepting for tasks, or for a server's callback
 *
 * One multishot ACCEPT is armed while somebody wants connections. What it brings goes through
 * `kept`: to the callback, or to the task that has waited longest. With tasks it stays armed
 * between two calls of eddy_accept(), until KEPT_LOW wait here: from then on the kernel's backlog
 * holds them. When it is cancelled, what races in is kept too, and comes first later.
 *
 * Starved: the accept failed (descriptors, memory), or there is no memory for a transport. Then
 * nothing is armed for RETRY_MS. The log hears of the first failure, and of the end; an episode
 * ends with the next connection handed on.
 *
 * Where a PROXY header is asked for, what the accept brings goes to proxy_accept.c, which reads it
 * and tells when a connection has its own.
 *
 * Freeing: cancel -> the accept's last completion -> CLOSE of what is kept, then of the socket,
 * one after the other with one operation -> free.
 *
 * How a listener is made stands in listen.c.
 */
#include "net/listener.h"

#include "base/memory.h"
#include "base/sys.h"
#include "loop/debug.h"
#include "task/wait.h"

#include <eddy/log.h>
#include <eddy/task.h>

#include <sys/un.h>
#include <unistd.h>

#define KEPT_LOW 8
#define RETRY_MS 100

/* A task in eddy_accept(). */
struct acceptor {
    struct eddy_wait wait; /* first */
    struct eddy_list link;
    struct eddy_listener *l;
    struct eddy_stream *stream;
};

static void settle(struct eddy_listener *l);

static bool is_wanted(const struct eddy_listener *l)
{
    return !l->freeing && (l->on_accept || !eddy_list_is_empty(&l->waiters));
}

static const char *address_text(const struct eddy_listener *l, char *buf, size_t cap)
{
    struct eddy_address a;

    return eddy_address_format(eddy_listener_address(l, &a) == 0 ? &a : &l->address, buf, cap);
}

/* --- starving ------------------------------------------------------------------------------- */

static void retry(struct eddy_timer *timer)
{
    settle(eddy_container_of(timer, struct eddy_listener, retry));
}

static void starve(struct eddy_listener *l, int why)
{
    char text[EDDY_ADDRESS_TEXT];

    if (!l->starved)
        eddy_log(EDDY_LOG_WARNING, "%s: cannot accept connections (%s); trying again every %d ms",
                 address_text(l, text, sizeof text), eddy_strerror(why), RETRY_MS);
    l->starved = true;
    eddy__timer_start(l->loop, &l->retry, eddy_loop_clock(l->loop) + RETRY_MS * INT64_C(1000000),
                      retry);
}

static void recovered(struct eddy_listener *l)
{
    char text[EDDY_ADDRESS_TEXT];

    if (!l->starved)
        return;
    l->starved = false;
    eddy_log(EDDY_LOG_INFO, "%s: accepting connections again", address_text(l, text, sizeof text));
}

/* --- accepting ------------------------------------------------------------------------------ */

static unsigned kept_count(const struct eddy_listener *l)
{
    return (unsigned)(eddy_buffer_bytes(&l->kept).len / sizeof(int));
}

/* Connections that can be handed on: with a PROXY header asked for, those whose header has come. */
static unsigned ready_count(const struct eddy_listener *l)
{
    return l->proxy ? net_proxy_ready(l->proxy) : kept_count(l);
}

static int first_kept(const struct eddy_listener *l)
{
    int fd;

    memcpy(&fd, eddy_buffer_bytes(&l->kept).ptr, sizeof fd);
    return fd;
}

static void drop_first(struct eddy_listener *l)
{
    eddy_buffer_take(&l->kept, sizeof(int));
    if (!l->on_accept)
        eddy_buffer_release(&l->kept);
}

static void keep(struct eddy_listener *l, int fd)
{
    int r = l->proxy && !l->freeing ? net_proxy_greet(l->proxy, fd)
                                    : eddy_buffer_append(&l->kept, &fd, sizeof fd);

    if (r == 0)
        return;
    /* No memory even to remember it. Nothing is pending on it, so it may be closed directly; under
     * the simulator, whose descriptors the kernel does not know, its peer hears nothing. */
    eddy__sys.close(fd);
    if (!l->freeing)
        starve(l, r);
}

static void accepted(struct eddy_op *op, int res)
{
    struct eddy_listener *l = op->ctx;

    if (!op->more)
        l->asked = false;
    if (res >= 0)
        keep(l, res);
    else if (res != -ECANCELED && !l->freeing)
        starve(l, res);
    settle(l);
}

static void cancel_accept(struct eddy_listener *l)
{
    if (!l->accept.pending || l->asked)
        return;
    l->asked = true;
    if (!eddy__op_cancel(l->loop, &l->accept))
        return;
    l->asked = false;
    if (l->accept.res >= 0)
        keep(l, l->accept.res);
}

static void arm(struct eddy_listener *l)
{
    while (is_wanted(l) && !l->accept.pending && !eddy_timer_is_armed(&l->retry)) {
        eddy_op_accept(&l->accept, l->fd, accepted);
        l->accept.ctx = l;
        l->accept.accept.blocking = l->is_blocking;
        if (!eddy__op_submit(l->loop, &l->accept))
            return;
        if (l->accept.res >= 0)
            keep(l, l->accept.res);
        else
            starve(l, l->accept.res);
    }
}

/* The next connection as a transport, in ->next. */
static int make_next(struct eddy_listener *l)
{
    if (l->next)
        return 0;
    if (l->proxy)
        return net_proxy_take(l->proxy, &l->next);
    int r = eddy_transport_of_socket(first_kept(l), &l->next);
    if (r < 0)
        return r;
    drop_first(l);
    return 0;
}

/* Hand one connection to whoever is first. */
static int hand_on(struct eddy_listener *l)
{
    struct eddy_stream *stream;

    int r = make_next(l);
    if (r < 0)
        return r;
    if (l->on_accept) {
        recovered(l);
        l->on_accept(l->ctx, EDDY_TAKE(l->next));
        return 0;
    }
    r = eddy_stream_of(l->next, &stream);
    if (r < 0)
        return r;
    l->next = NULL;
    recovered(l);
    struct eddy_list *link = eddy_list_shift(&l->waiters);
    struct acceptor *a = eddy_container_of(link, struct acceptor, link);
    a->stream = stream;
    eddy__wake(&a->wait, 0);
    return 0;
}

/* --- ending --------------------------------------------------------------------------------- */

static void end_step(struct eddy_listener *l);

static void close_done(struct eddy_op *op, int res)
{
    (void)res;
    end_step(op->ctx);
}

/* True: closed at once. */
static bool close_one(struct eddy_listener *l, int fd)
{
    eddy_op_close(&l->closing, fd, close_done);
    l->closing.ctx = l;
    return eddy__op_submit(l->loop, &l->closing);
}

static void end_step(struct eddy_listener *l)
{
    if (l->accept.pending || l->closing.pending)
        return;
    if (l->proxy && !net_proxy_end(l->proxy))
        return; /* it tells */
    l->proxy = NULL;
    while (kept_count(l)) {
        int fd = first_kept(l);
        drop_first(l);
        if (!close_one(l, fd))
            return;
    }
    if (l->fd >= 0) {
        int fd = l->fd;
        l->fd = -1;
        if (!close_one(l, fd))
            return;
    }
    eddy_buffer_done(&l->kept);
    eddy__debug_gone(l->loop, l);
    eddy__free(l, sizeof *l);
}

static void forget_path(const struct eddy_listener *l)
{
    struct sockaddr_un un;

    if (l->keep_path || net_is_sim(l->loop) || eddy_address_family(&l->address) != AF_UNIX ||
        l->address.len <= offsetof(struct sockaddr_un, sun_path))
        return;
    memcpy(&un, &l->address.storage, sizeof un);
    char path[sizeof un.sun_path + 1] = { 0 };
    memcpy(path, un.sun_path, sizeof un.sun_path);
    if (path[0])
        unlink(path);
}

void eddy_listener_free(struct eddy_listener *l)
{
    struct eddy_list *link;

    if (!l || l->freeing)
        return;
    const bool ours = !eddy_loop_is_parents(l->loop); /* else the path is the parent's, too */
    l->freeing = true;
    l->on_accept = NULL;
    eddy__timer_stop(l->loop, &l->retry);
    while (ours && (link = eddy_list_shift(&l->waiters)))
        eddy__wake(&eddy_container_of(link, struct acceptor, link)->wait, -EBADF);
    if (l->next) {
        eddy_transport_close(l->next, 0);
        l->next = NULL;
    }
    if (ours)
        forget_path(l);
    eddy__soon_cancel(&l->soon);
    cancel_accept(l);
    if (!l->busy)
        end_step(l);
}

/* Hand on what is there, arm or disarm the accept. May free @l. */
static void settle(struct eddy_listener *l)
{
    if (l->busy)
        return;
    l->busy = true;
    while (is_wanted(l) && (l->next || ready_count(l)) && !eddy_timer_is_armed(&l->retry)) {
        int r = hand_on(l);
        if (r < 0)
            starve(l, r);
    }
    if (!l->freeing) {
        if (is_wanted(l))
            arm(l);
        else if (!l->on_accept && ready_count(l) >= KEPT_LOW)
            cancel_accept(l);
    }
    l->busy = false;
    if (l->freeing)
        end_step(l);
    else if (is_wanted(l) && ready_count(l) && !eddy_timer_is_armed(&l->retry))
        settle(l); /* arming brought one at once */
}

void net_listener_told(void *ctx)
{
    struct eddy_listener *l = ctx;

    if (!l->freeing)
        settle(l);
    else if (!l->busy)
        end_step(l);
}

/* --- for tasks ------------------------------------------------------------------------------ */

static void interrupted(struct eddy_wait *w, int why)
{
    struct acceptor *a = (struct acceptor *)(void *)w;

    eddy_list_remove(&a->link);
    if (eddy_list_is_empty(&a->l->waiters))
        cancel_accept(a->l);
    eddy__wake(w, why);
}

int eddy_accept(struct eddy_listener *l, struct eddy_stream **ret_stream)
{
    if (eddy_loop_is_parents(l->loop))
        return -EDDY_EFORKED;
    int r = eddy__wait_check();
    if (r < 0)
        return r;
    if (eddy_draining())
        return -EDDY_EDRAINING;
    if (l->on_accept)
        return -EBUSY;

    struct acceptor a = { .wait = EDDY_WAIT(interrupted, "accept"), .l = l };
    a.wait.fd = l->fd;
    a.wait.polite = true;
    eddy_list_push(&l->waiters, &a.link);
    settle(l);
    bool at_once = a.wait.done;
    r = eddy__wait(&a.wait);
    if (r < 0)
        return r;
    *ret_stream = a.stream;
    if (at_once)
        eddy__budget_spend();
    return 0;
}

/* --- for servers ---------------------------------------------------------------------------- */

static void start_soon(struct eddy_soon *soon)
{
    settle(eddy_container_of(soon, struct eddy_listener, soon));
}

int eddy__listener_start(struct eddy_listener *l,
                         void (*on_accept)(void *ctx, struct eddy_transport *t), void *ctx)
{
    if (eddy_loop_is_parents(l->loop))
        return -EDDY_EFORKED;
    if (l->on_accept || !eddy_list_is_empty(&l->waiters))
        return -EBUSY;
    l->on_accept = on_accept;
    l->ctx = ctx;
    /* What is kept is handed on from the loop; arming now saves a turn. */
    if (ready_count(l) || l->next)
        eddy__soon(l->loop, &l->soon, start_soon);
    else
        arm(l);
    return 0;
}

void eddy__listener_stop(struct eddy_listener *l)
{
    l->on_accept = NULL;
    cancel_accept(l);
}
