/*
 * loop/driver_sim.c - a network, a clock and a dice of its own
 *
 * The model. Time is virtual and stands still while code runs; turn() moves it to the next
 * event, or to the end of its timeout, and never sleeps: an hour of timeouts takes no time. Only
 * when there is neither an event nor a timeout does it really wait, for wake(): then somebody
 * outside (another thread's post, a signal) is all that can happen.
 *
 * Everything that a kernel leaves open is decided by dice from the seed: how long bytes are on
 * their way, in how many pieces they come and go, what completes first of what could, whether a
 * cancel takes effect at once or later, and then, whether something still completes before it.
 *
 * What it does not do, it refuses with -EDDY_ESIM, and the log names it: POLL but of
 * its own datagram sockets, and every descriptor
 * not its own.
 */
#include "base/memory.h"
#include "base/sanitize.h"
#include "base/sys.h"
#include "loop/loop.h"
#include "loop/sim.h"

#include <eddy/poller.h>

#include <limits.h>
#include <string.h>

#define EVENTS_A_TURN 1024
#define WALL_START_NS 1704067200000000000 /* 2024-01-01T00:00:00Z */
#define CONNECT_REPEATS 6                 /* tcp_syn_retries' default, tcp(7) */
#define REFUSED_NS 50000                  /* by a rule: before the network */

/* The seed of the simulation made last, for reports about what failed under it; 0: none. */
static _Atomic uint64_t last_seed;

uint64_t eddy__sim_last_seed(bool forget)
{
    return forget ? atomic_exchange(&last_seed, 0) : atomic_load(&last_seed);
}

/* --- completing ------------------------------------------------------------------------------- */

static bool finish_at_once(struct eddy_op *op, int res)
{
    op->res = res;
    op->more = false;
    op->pending = false;
    return true;
}

static void detach(struct sim *s, struct sim_side *side)
{
    assert(side->op);
    eddy_driver_ended(&s->driver, side->op);
    side->op->more = false;
    side->op = NULL;
    side->cancelled = false;
}

/* After it neither the slot nor the operation is touched: done() may have ended both. */
static unsigned finish(struct sim *s, struct sim_slot *slot, struct sim_side *side, int res)
{
    struct eddy_op *op = side->op;

    detach(s, side);
    eddy_sim_log(s, SIM_DONE, slot->index, (uint64_t)(int64_t)res);
    op->res = res;
    op->done(op, res);
    return 1;
}

static unsigned deliver(struct sim *s, struct sim_slot *slot, struct eddy_op *op, int res)
{
    eddy_sim_log(s, SIM_DONE, slot->index, (uint64_t)(int64_t)res);
    op->more = true;
    op->res = res;
    op->done(op, res);
    return 1;
}

/* --- events ------------------------------------------------------------------------------------ */

static unsigned read_bytes(struct sim *s, struct sim_slot *slot)
{
    struct eddy_op *op = slot->read.op;

    if (op->kind == EDDY_OP_RECV) {
        size_t cap = op->recv.len < INT_MAX ? op->recv.len : INT_MAX;
        return finish(s, slot, &slot->read, (int)eddy_sim_read(s, slot, op->recv.ptr, cap));
    }
    eddy_unpoison(s->lend, SIM_LEND);
    size_t len = eddy_sim_read(s, slot, s->lend, SIM_LEND);
    eddy_sim_look(s, slot, SIM_READ); /* there may be more, the end, or a cancel */
    op->lend.ptr = s->lend;
    deliver(s, slot, op, (int)len);
    eddy_poison(s->lend, SIM_LEND);
    return 1;
}

/* A POLL: told for as long as it is so, to a multishot. */
static unsigned tell_ready(struct sim *s, struct sim_slot *slot, struct sim_side *side,
                           unsigned events)
{
    struct eddy_op *op = side->op;

    if (side->cancelled)
        return finish(s, slot, side, -ECANCELED);
    if (!events)
        return 0;
    if (!op->poll.multishot)
        return finish(s, slot, side, (int)events);
    eddy_sim_look(s, slot, side == &slot->read ? SIM_READ : SIM_WRITE);
    return deliver(s, slot, op, (int)events);
}

static unsigned look_read(struct sim *s, struct sim_slot *slot)
{
    struct sim_side *side = &slot->read;

    side->queued = false;
    if (!side->op)
        return 0;
    if (slot->type == SIM_DATAGRAM)
        return tell_ready(s, slot, side, eddy_sim_datagrams_ready(slot));
    /* A cancel that was asked for races with what is there, and may lose: several times. */
    bool give_up = side->cancelled && eddy_sim_roll(s, 2) == 0;

    if (slot->type == SIM_LISTENER) {
        if (slot->reset)
            return finish(s, slot, side, side->cancelled ? -ECANCELED : slot->why);
        struct sim_slot *connection = give_up ? NULL : eddy_sim_accept(slot);
        if (connection) {
            eddy_sim_look(s, slot, SIM_READ);
            return deliver(s, slot, side->op, eddy_sim_fd(connection));
        }
        return side->cancelled ? finish(s, slot, side, -ECANCELED) : 0;
    }
    if (slot->arrived > 0 && !give_up)
        return read_bytes(s, slot);
    if (side->cancelled)
        return finish(s, slot, side, -ECANCELED);
    if ((slot->ended && slot->flying == 0) || (slot->reset && slot->reset_told))
        return finish(s, slot, side, 0);
    if (slot->reset) {
        slot->reset_told = true;
        return finish(s, slot, side, slot->why ? slot->why : -ECONNRESET);
    }
    return 0;
}

/* The same for what has no descriptor, or not yet: its slot goes first. */
static unsigned finish_and_free(struct sim *s, struct sim_slot *slot, int res)
{
    struct eddy_op *op = slot->write.op;
    uint32_t index = slot->index;

    detach(s, &slot->write);
    eddy_sim_slot_free(s, slot);
    eddy_sim_log(s, SIM_DONE, index, (uint64_t)(int64_t)res);
    op->res = res;
    op->done(op, res);
    return 1;
}

static bool send_is_over(struct eddy_op *op)
{
    while (op->send.count > 0 && op->send.iov->iov_len == 0) {
        op->send.iov++;
        op->send.count--;
    }
    return op->send.count == 0;
}

static unsigned look_write(struct sim *s, struct sim_slot *slot)
{
    struct sim_side *side = &slot->write;
    struct eddy_op *op = side->op;

    side->queued = false;
    if (!op)
        return 0;
    if (slot->type == SIM_DATAGRAM)
        return tell_ready(s, slot, side, EDDY_WRITABLE);
    if (slot->type == SIM_CONNECTING) {
        if (!side->cancelled && !slot->reset)
            return 0;
        return finish_and_free(s, slot, side->cancelled ? -ECANCELED : slot->why);
    }
    if (side->cancelled)
        return finish(s, slot, side, -ECANCELED);

    ssize_t n = eddy_sim_write(s, slot, op->send.iov->iov_base, op->send.iov->iov_len);
    if (n < 0)
        return finish(s, slot, side, (int)n);
    if (n == 0)
        return 0; /* a reader, or an arrival, makes room and looks here again */
    op->send.iov->iov_base = (char *)op->send.iov->iov_base + n;
    op->send.iov->iov_len -= (size_t)n;
    op->scratch[0] += (uint64_t)n;
    if (send_is_over(op))
        return finish(s, slot, side, (int)op->scratch[0]);
    eddy_sim_look(s, slot, SIM_WRITE);
    return 0;
}

static unsigned finish_errand(struct sim *s, struct sim_slot *slot, int res)
{
    if (slot->file)
        eddy_sim_disk_drop(s->hosts[slot->host], slot->file);
    slot->file = NULL;
    return finish_and_free(s, slot, res);
}

static unsigned reach_listener(struct sim *s, struct sim_slot *slot, uint32_t try)
{
    struct sim_side *side = &slot->write;

    if (slot->type != SIM_CONNECTING || slot->reset)
        return 0; /* cancelled meanwhile, or the host went down */
    /* What gets no answer (a full backlog drops the SYN, too) is repeated after 1, 2, 4, ... s. */
    int r = try > CONNECT_REPEATS ? -EDDY_EPEER_TIMEOUT : eddy_sim_establish(s, slot);
    if (r == -EAGAIN) {
        eddy_sim_post(s, slot, SIM_CONNECT, s->now_ns + ((int64_t)1000000000 << try), try + 1);
        return 0;
    }
    return r == 0 ? finish(s, slot, side, eddy_sim_fd(slot)) : finish_and_free(s, slot, r);
}

static unsigned errand_done(struct sim *s, struct sim_slot *slot)
{
    struct eddy_op *op = slot->write.op;

    if (slot->write.cancelled && eddy_sim_roll(s, 2) == 0)
        return finish_errand(s, slot, -ECANCELED);
    return finish_errand(s, slot,
                         op->kind == EDDY_OP_LOOKUP ? eddy_sim_lookup(s, slot, op)
                                                    : eddy_sim_file_do(s, slot, op));
}

/* Of the connection that @slot is an end of, or of what @op asks for. */
static int family_of(const struct sim_slot *slot, const struct eddy_op *op)
{
    if (op && op->kind == EDDY_OP_LOOKUP)
        return op->lookup.of->family;
    if (op && op->kind == EDDY_OP_CONNECT)
        return op->connect.addr->sa_family;
    return slot ? slot->remote.ss_family : 0;
}

static unsigned happen(struct sim *s)
{
    struct sim_event e = eddy_sim_pop(s);
    struct sim_slot *slot = s->slots[e.slot];
    bool is_free = slot->type == SIM_FREE;

    eddy_sim_slot_settle(s, slot);
    if (is_free)
        return 0;
    s->family = family_of(slot, slot->write.op);
    eddy_sim_log(s, e.kind, e.slot, e.bytes);
    switch (e.kind) {
    case SIM_READ: return look_read(s, slot);
    case SIM_WRITE: return look_write(s, slot);
    case SIM_CONNECT: return reach_listener(s, slot, e.bytes);
    case SIM_ERRAND: return errand_done(s, slot);
    case SIM_CLOSE: {
        struct eddy_op *op = slot->close.op;
        detach(s, &slot->close);
        if (slot->file)
            eddy_sim_disk_drop(s->hosts[slot->host], slot->file);
        slot->file = NULL;
        eddy_sim_close(s, slot);
        op->res = 0;
        op->done(op, 0);
        return 1;
    }
    case SIM_ARRIVE:
        if (slot->type == SIM_DATAGRAM) {
            eddy_sim_datagrams_arrive(s, slot);
            return 0;
        } /* fall through */
    default: eddy_sim_arrive(s, slot, &e); return 0;
    }
}

/* --- submit and cancel ---------------------------------------------------------------------------- */

static bool hold(struct sim *s, struct sim_side *side, struct eddy_op *op)
{
    if (side->op)
        return finish_at_once(op, -EBUSY);
    side->op = op;
    side->cancelled = false;
    eddy_driver_began(&s->driver, op);
    return false;
}

static bool submit_connect(struct sim *s, struct eddy_op *op)
{
    const int here = eddy_sim_host_here(s);
    struct sim_slot *slot = NULL;

    int r = eddy_sim_client_new(s, op, here, &slot);
    if (r < 0)
        return finish_at_once(op, r);
    assert(slot);
    op->fd = eddy_sim_fd(slot);
    int to = eddy_sim_host_at(s, &slot->remote, here);
    bool refused = slot->remote.ss_family != AF_UNIX &&
                   eddy_sim_rule(s, EDDY_SIM_REFUSE, here, to, ntohs(eddy_sim_port(&slot->remote)));
    int64_t delay_ns = refused ? REFUSED_NS : eddy_sim_latency(s, here, to);
    eddy_sim_post(s, slot, SIM_CONNECT, s->now_ns + delay_ns, 0);
    return hold(s, &slot->write, op);
}

static bool submit_io(struct sim *s, struct sim_slot *slot, struct eddy_op *op)
{
    bool is_accept = op->kind == EDDY_OP_ACCEPT;
    bool is_send = op->kind == EDDY_OP_SEND;
    uint64_t total = 0;

    if (slot->type == SIM_FILE || slot->type == SIM_DATAGRAM)
        return finish_at_once(op, slot->type == SIM_FILE ? -ENOTSOCK : -EOPNOTSUPP);
    if (is_accept != (slot->type == SIM_LISTENER))
        return finish_at_once(op, is_accept ? -EINVAL : -ENOTCONN);
    if (is_send) {
        for (unsigned i = 0; i < op->send.count; i++)
            total += op->send.iov[i].iov_len;
        if (total > INT_MAX)
            return finish_at_once(op, -EMSGSIZE);
        if (send_is_over(op))
            return finish_at_once(op, 0);
        op->scratch[0] = 0;
    }
    if (hold(s, is_send ? &slot->write : &slot->read, op))
        return true;
    eddy_sim_look(s, slot, is_send ? SIM_WRITE : SIM_READ);
    return false;
}

static bool submit_poll(struct sim *s, struct eddy_op *op)
{
    struct sim_slot *slot = eddy_sim_slot(s, op->fd);
    bool is_write = !(op->poll.events & EDDY_READABLE);

    if (!slot || slot->type != SIM_DATAGRAM)
        return finish_at_once(op, eddy_sim_refused(s, "waiting for descriptors to be ready"));
    if (hold(s, is_write ? &slot->write : &slot->read, op))
        return true;
    eddy_sim_look(s, slot, is_write ? SIM_WRITE : SIM_READ);
    return false;
}

static bool sim_submit(struct eddy_driver *d, struct eddy_op *op)
{
    struct sim *s = eddy_sim_of(d);

    assert(!op->pending && op->kind < EDDY_OP_KINDS);
    s->family = family_of(op->fd >= 0 ? eddy_sim_slot(s, op->fd) : NULL, op);
    if (op->kind == EDDY_OP_CONNECT)
        return submit_connect(s, op);
    if (op->kind == EDDY_OP_POLL)
        return submit_poll(s, op);
    if (op->kind == EDDY_OP_LOOKUP)
        return eddy_sim_lookup_submit(s, op);
    if (eddy_op_is_file(op))
        return eddy_sim_file_submit(s, op);

    struct sim_slot *slot = eddy_sim_slot(s, op->fd);
    if (!slot || slot->type == SIM_CONNECTING)
        return finish_at_once(op, eddy_sim_not_ours(s, op->fd));
    if (op->kind != EDDY_OP_CLOSE)
        return submit_io(s, slot, op);

    assert(!slot->read.op && !slot->write.op);
    if (hold(s, &slot->close, op))
        return true;
    eddy_sim_post(s, slot, SIM_CLOSE, s->now_ns + (int64_t)eddy_sim_roll(s, 20000), 0);
    return false;
}

static bool sim_cancel(struct eddy_driver *d, struct eddy_op *op)
{
    struct sim *s = eddy_sim_of(d);
    bool is_errand = op->kind == EDDY_OP_LOOKUP || eddy_op_is_file(op);
    struct sim_slot *slot = is_errand ? eddy_sim_errand_of(s, op) : eddy_sim_slot(s, op->fd);

    assert(op->pending && slot);
    if (op->kind == EDDY_OP_CLOSE)
        return false;
    struct sim_side *side = slot->read.op == op ? &slot->read : &slot->write;
    assert(side->op == op);
    if (side->cancelled)
        return false;
    if (op->kind != EDDY_OP_LOOKUP && eddy_sim_roll(s, 2)) {
        side->cancelled = true;
        if (!is_errand)
            eddy_sim_look(s, slot, side == &slot->read ? SIM_READ : SIM_WRITE);
        return false;
    }
    detach(s, side);
    if (is_errand && slot->file)
        eddy_sim_disk_drop(s->hosts[slot->host], slot->file);
    slot->file = NULL;
    if (is_errand || slot->type == SIM_CONNECTING)
        eddy_sim_slot_free(s, slot);
    return finish_at_once(op, -ECANCELED);
}

/* --- the turn ---------------------------------------------------------------------------------------- */

static bool take_wake(struct sim *s)
{
    uint64_t count;

    if (!atomic_exchange(&s->woken, false))
        return false;
    (void)eddy__sys.read(s->event_fd, &count, sizeof count);
    return true;
}

static int sim_turn(struct eddy_driver *d, int64_t timeout_ns)
{
    struct sim *s = eddy_sim_of(d);
    unsigned count = 0;
    bool woken = take_wake(s);
    int64_t until_ns = timeout_ns < 0                       ? INT64_MAX
                       : timeout_ns > INT64_MAX - s->now_ns ? INT64_MAX
                                                            : s->now_ns + timeout_ns;

    if (woken)
        until_ns = s->now_ns;
    if (until_ns == INT64_MAX && s->heap_count == 0) {
        struct pollfd p = { .fd = s->event_fd, .events = POLLIN };
        uint64_t rest;
        int r = eddy__sys.poll(&p, 1, -1);

        /* Whatever woken says: a wake() may stand between setting it and writing. */
        (void)eddy__sys.read(s->event_fd, &rest, sizeof rest);
        atomic_store(&s->woken, false);
        return r == -EINTR || r > 0 ? 0 : r;
    }

    for (unsigned events = 0; events < EVENTS_A_TURN; events++) {
        if (s->heap_count > 0 && s->heap[0].at_ns <= s->now_ns) {
            count += happen(s);
            continue;
        }
        /* All of this moment is over: time goes on only if nobody has anything to do. */
        if (count > 0 || s->now_ns >= until_ns || take_wake(s))
            break;
        bool is_event = s->heap_count > 0 && s->heap[0].at_ns <= until_ns;
        if (!is_event && until_ns == INT64_MAX)
            break;
        s->now_ns = is_event ? s->heap[0].at_ns : until_ns;
        if (d->clock)
            *d->clock = s->now_ns;
    }
    return (int)count;
}

static void sim_wake(struct eddy_driver *d)
{
    static const uint64_t one = 1;
    struct sim *s = eddy_sim_of(d);
    int saved = errno; /* a signal handler must leave it */

    if (!atomic_exchange(&s->woken, true))
        (void)eddy__sys.write(s->event_fd, &one, sizeof one);
    errno = saved;
}

/* --- the rest ------------------------------------------------------------------------------------------- */

static int64_t sim_now_ns(struct eddy_driver *d)
{
    return eddy_sim_of(d)->now_ns;
}

static int64_t sim_wall_ns(struct eddy_driver *d)
{
    return eddy_sim_of(d)->now_ns + eddy_sim_of(d)->wall_offset_ns;
}

static int sim_random(struct eddy_driver *d, void *buf, size_t len)
{
    struct sim *s = eddy_sim_of(d);

    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t word = eddy_sim_next(&s->randomness);
        memcpy((char *)buf + at, &word, len - at < sizeof word ? len - at : sizeof word);
    }
    return 0;
}

static uint64_t sim_dice(struct eddy_driver *d, uint64_t sides)
{
    return eddy_sim_roll(eddy_sim_of(d), sides);
}

uint64_t eddy_sim_history(const struct eddy_driver *d)
{
    return ((const struct sim *)(const void *)d)->hash;
}

static void sim_free(struct sim *s)
{
    for (size_t i = 0; i < s->slot_count; i++) {
        if (s->slots[i]->type == SIM_DATAGRAM)
            eddy_sim_datagrams_free(s->slots[i]);
        eddy__free(s->slots[i]->in, s->slots[i]->in_cap);
        eddy__free(s->slots[i], sizeof *s->slots[i]);
    }
    for (size_t i = 0; i < s->host_count; i++)
        eddy_sim_host_free(s->hosts[i]);
    eddy__free(s->hosts, s->host_cap * sizeof *s->hosts);
    eddy__free(s->rules, s->rule_cap * sizeof *s->rules);
    eddy__free(s->slots, s->slot_cap * sizeof *s->slots);
    eddy__free(s->unused, s->slot_cap * sizeof *s->unused);
    eddy__free(s->heap, s->heap_cap * sizeof *s->heap);
    if (s->lend) {
        eddy_unpoison(s->lend, SIM_LEND);
        eddy__free(s->lend, SIM_LEND);
    }
    if (s->event_fd >= 0)
        eddy__sys.close(s->event_fd);
    eddy__free(s, sizeof *s);
}

static int sim_open(const struct eddy_driver_config *config, struct eddy_driver **ret_driver,
                    const char **why)
{
    struct sim *s = eddy__zalloc(sizeof *s);
    (void)why;

    if (!s)
        return -ENOMEM;
    s->driver.ops = &eddy_driver_sim;
    s->driver.backend = "sim";
    s->short_io = config->short_io;
    s->now_ns = SIM_START_NS;
    s->wall_offset_ns = WALL_START_NS - SIM_START_NS;
    s->disk_bytes = SIM_DISK_BYTES;
    s->seed = s->dice = config->seed;
    s->randomness = ~config->seed;
    s->event_fd = eddy__sys.eventfd(0);
    s->lend = eddy__alloc(SIM_LEND);
    int r = s->event_fd < 0 ? s->event_fd : s->lend ? eddy_sim_host_have(s, "") : -ENOMEM;
    if (r < 0) {
        sim_free(s);
        return r;
    }
    eddy_poison(s->lend, SIM_LEND);
    atomic_store(&last_seed, config->seed);
    *ret_driver = &s->driver;
    return 0;
}

static void sim_close(struct eddy_driver *d)
{
    assert(d->pending == 0);
    sim_free(eddy_sim_of(d));
}

static void sim_abandon(struct eddy_driver *d)
{
    struct sim *s = eddy_sim_of(d);

    s->heap_count = 0;
    eddy__sys.close(s->event_fd);
}

const struct eddy_driver_ops eddy_driver_sim = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .submit = sim_submit,
    .cancel = sim_cancel,
    .turn = sim_turn,
    .wake = sim_wake,
    .listen = eddy_sim_listen,
    .shutdown = eddy_sim_shutdown,
    .address = eddy_sim_address,
    .now_ns = sim_now_ns,
    .wall_ns = sim_wall_ns,
    .random = sim_random,
    .abandon = sim_abandon,
    .dice = sim_dice,
    .datagrams = &eddy_sim_datagrams,
};
