/*
 * net/udp_call.c - the calls of tasks on a datagram socket: try, else wait at its side
 *
 * Who waits stands in a list, and is served from the loop, in order, when the poll operation tells:
 * his datagram is read into his memory there. So a cancelled reader has taken nothing, two readers
 * never fight for one datagram, and one that raced in goes to the next.
 *
 * The input's poll is a multishot, and stays armed after its reader was served, because he most
 * likely comes back: a datagram then costs no call to the poller. When it tells and nobody is there,
 * it is taken back. The output's goes at once: sockets are mostly writable.
 *
 * A Unix socket that is not connected is always told writable, though its peer has no room (the
 * kernel cannot know which peer is meant): so such a sender asks again by a timer.
 */
#include "net/udp.h"

#define RETRY_MIN_MS 1
#define RETRY_MAX_MS 64

/* --- the polls ---------------------------------------------------------------------------------- */

static struct udp_call *first_call(const struct udp_side *side)
{
    return eddy_container_of(side->calls.next, struct udp_call, link);
}

static bool is_wanted(const struct eddy_udp *u, const struct udp_side *side)
{
    return !eddy_list_is_empty(&side->calls) || (side == &u->in && u->on_datagram);
}

void eddy_udp_calls_fail(struct udp_side *side, int why)
{
    struct eddy_list *link;

    while ((link = eddy_list_shift(&side->calls))) {
        struct udp_call *c = eddy_container_of(link, struct udp_call, link);
        eddy__wake(&c->wait, c->done ? (int)c->done : why);
    }
}

/* Whoever is first may be over. A bounded number: the poll tells again. */
static void serve(struct eddy_udp *u, struct udp_side *side)
{
    for (int i = 0; i < UDP_SERVED && !eddy_list_is_empty(&side->calls); i++) {
        struct udp_call *c = first_call(side);
        int r = c->try(u, c);
        if (r == -EAGAIN)
            return;
        eddy_list_remove(&c->link);
        eddy__wake(&c->wait, r);
    }
}

void eddy_udp_side_disarm(struct eddy_udp *u, struct udp_side *side)
{
    if (!side->poll.pending || side->asked)
        return;
    side->asked = !eddy__op_cancel(u->loop, &side->poll);
}

/* Nobody will tell any more: who waits hears why. May free @u. */
static void give_up(struct eddy_udp *u, struct udp_side *side, int why)
{
    eddy_udp_calls_fail(side, why);
    if (side == &u->in && u->on_datagram) {
        void (*on_datagram)(void *, const struct eddy_datagram *, int) = u->on_datagram;
        eddy_udp_stop(u);
        on_datagram(u->ctx, NULL, why);
    }
}

static void settle(struct eddy_udp *u, struct udp_side *side)
{
    int r = is_wanted(u, side) ? eddy_udp_side_arm(u, side) : 0;

    if (r < 0)
        give_up(u, side, r);
}

static void told(struct eddy_op *op, int res)
{
    struct eddy_udp *u = op->ctx;
    struct udp_side *side = eddy_container_of(op, struct udp_side, poll);

    if (!op->more)
        side->asked = false;
    if (u->freeing) {
        eddy_udp_end_step(u);
        return;
    }
    if (res < 0 && res != -ECANCELED) {
        give_up(u, side, res);
        return;
    }
    const bool was_wanted = is_wanted(u, side);
    if (side == &u->in)
        u->is_drained = false;
    if (side == &u->in && u->on_datagram && res >= 0) {
        eddy_udp_feed(u);
        return;
    }
    if (res >= 0)
        serve(u, side);
    if (!was_wanted || (side == &u->out && !is_wanted(u, side)))
        eddy_udp_side_disarm(u, side);
    else
        settle(u, side);
}

void eddy_udp_side_init(struct eddy_udp *u, struct udp_side *side)
{
    eddy_list_init(&side->calls);
    side->poll.ctx = u;
}

/* --- a peer's room --------------------------------------------------------------------------------- */

static bool is_to_somebody(const struct udp_call *c)
{
    return c->at ? c->at[c->done].peer.len > 0 : c->to != NULL;
}

static void retry(struct eddy_timer *timer)
{
    struct eddy_udp *u = eddy_container_of(timer, struct eddy_udp, retry);
    const struct udp_call *c = first_call(&u->out);
    const size_t done = c->done;

    serve(u, &u->out);
    if (c != first_call(&u->out) || c->done != done)
        u->retry_ms = 0; /* it reads */
    settle(u, &u->out);
}

static void retry_later(struct eddy_udp *u)
{
    if (eddy_timer_is_armed(&u->retry))
        return;
    u->retry_ms = !u->retry_ms ? RETRY_MIN_MS
                               : (u->retry_ms < RETRY_MAX_MS ? u->retry_ms * 2 : RETRY_MAX_MS);
    eddy__timer_start(u->loop, &u->retry, eddy_loop_clock(u->loop) + u->retry_ms * INT64_C(1000000),
                      retry);
}

int eddy_udp_side_arm(struct eddy_udp *u, struct udp_side *side)
{
    if (side == &u->out && u->family == AF_UNIX && is_to_somebody(first_call(side))) {
        eddy_udp_side_disarm(u, side);
        retry_later(u);
        return 0;
    }
    if (side->poll.pending)
        return 0; /* one whose cancel is on its way is armed anew when that has come */
    eddy_op_poll(&side->poll, u->fd, side == &u->in ? EDDY_READABLE : EDDY_WRITABLE, told);
    side->poll.poll.multishot = true;
    side->poll.ctx = u;
    return eddy__op_submit(u->loop, &side->poll) ? side->poll.res : 0;
}

/* --- waiting ----------------------------------------------------------------------------------------- */

static void interrupted(struct eddy_wait *w, int why)
{
    struct udp_call *c = (struct udp_call *)(void *)w;
    struct eddy_udp *u = c->u;

    eddy_list_remove(&c->link);
    if (!is_wanted(u, c->side)) {
        eddy_udp_side_disarm(u, c->side);
        if (c->side == &u->out)
            eddy__timer_stop(u->loop, &u->retry);
    }
    eddy__wake(w, c->done ? (int)c->done : why);
}

static int wait_for(struct eddy_udp *u, struct udp_call *c, const char *what)
{
    c->wait = EDDY_WAIT(interrupted, what);
    c->wait.fd = u->fd;
    eddy_list_push(&c->side->calls, &c->link);
    int r = eddy_udp_side_arm(u, c->side);
    if (r < 0) {
        eddy_list_remove(&c->link);
        return c->done ? (int)c->done : r;
    }
    return eddy__wait(&c->wait); /* from here on @u may be gone */
}

static int check(const struct eddy_udp *u)
{
    return eddy_loop_is_parents(u->loop) ? -EDDY_EFORKED : eddy__wait_check();
}

static int carry_out(struct eddy_udp *u, struct udp_call *c, bool try_first, const char *what)
{
    c->u = u;
    if (try_first && eddy_list_is_empty(&c->side->calls)) {
        int r = c->try(u, c);
        if (r != -EAGAIN) {
            eddy__budget_spend();
            return r;
        }
    }
    return wait_for(u, c, what);
}

static int receive_by(struct eddy_udp *u, struct udp_call *c)
{
    if (u->on_datagram)
        return -EBUSY;
    return carry_out(u, c, !u->is_drained || eddy_udp_has_kept(u), "datagram");
}

static int send_by(struct eddy_udp *u, struct udp_call *c)
{
    if (eddy_list_is_empty(&u->out.calls))
        u->retry_ms = 0;
    return carry_out(u, c, true, "room for a datagram");
}

ssize_t eddy_udp_receive(struct eddy_udp *u, void *buf, size_t cap, struct eddy_address *ret_from)
{
    int r = check(u);

    if (r < 0)
        return r;
    if (u->is_gro)
        return -EINVAL;
    return receive_by(
        u,
        &(struct udp_call){
            .try = eddy_udp_do_receive, .side = &u->in, .buf = buf, .len = cap, .from = ret_from });
}

int eddy_udp_receive_many(struct eddy_udp *u, struct eddy_datagram *datagrams, size_t count)
{
    int r = check(u);

    if (r < 0 || !count)
        return r;
    return receive_by(
        u, &(struct udp_call){
               .try = eddy_udp_do_receive_many, .side = &u->in, .at = datagrams, .count = count });
}

int eddy_udp_send(struct eddy_udp *u, const struct eddy_address *to, const void *buf, size_t len)
{
    int r = check(u);

    if (r < 0)
        return r;
    return send_by(u, &(struct udp_call){ .try = eddy_udp_do_send,
                                          .side = &u->out,
                                          .buf = (void *)(uintptr_t)buf,
                                          .len = len,
                                          .to = to });
}

int eddy_udp_try_send(struct eddy_udp *u, const struct eddy_address *to, const void *buf,
                      size_t len)
{
    struct udp_call c = { .buf = (void *)(uintptr_t)buf, .len = len, .to = to };

    if (eddy_loop_is_parents(u->loop))
        return -EDDY_EFORKED;
    return eddy_list_is_empty(&u->out.calls) ? eddy_udp_do_send(u, &c) : -EAGAIN;
}

int eddy_udp_send_many(struct eddy_udp *u, struct eddy_datagram *datagrams, size_t count)
{
    int r = check(u);

    if (r < 0 || !count)
        return r;
    if (count > INT32_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        datagrams[i].sent = 0;
    return send_by(
        u, &(struct udp_call){
               .try = eddy_udp_do_send_many, .side = &u->out, .at = datagrams, .count = count });
}
