/*
 * loop/ready_table.c - the ready driver's descriptors: what the poller was told of each
 *
 * With EDDY_EDGE where the poller follows it and all that waits for a descriptor can live with it:
 * RECV, LEND, SEND and CONNECT on TCP, and a POLL that asked for it. One other makes the descriptor
 * level-triggered for as long as it waits. Each change at the poller has it tell anew what is ready,
 * so nothing need be remembered across one.
 */
#include "loop/ready.h"

#include "base/fault.h"

#include <netinet/in.h>
#include <string.h>

int eddy_ready_grow(struct ready_driver *r, int fd)
{
    size_t cap = r->watch_cap ? r->watch_cap : 64;

    if ((size_t)fd < r->watch_cap)
        return 0;
    while (cap <= (size_t)fd)
        cap *= 2;
    struct watch *grown = eddy__resize(r->watches, r->watch_cap * sizeof *grown,
                                       cap * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    memset(grown + r->watch_cap, 0, (cap - r->watch_cap) * sizeof *grown);
    r->watches = grown;
    r->watch_cap = cap;
    return 0;
}

/* --- interest ---------------------------------------------------------------------------------- */

static bool wants_edge(const struct ready_driver *r, const struct watch *w,
                       const struct eddy_op *op)
{
    if (op->kind == EDDY_OP_POLL)
        return r->edges && (op->poll.events & EDDY_EDGE);
    /* A door that is left open a crack (so many accepts a turn, no descriptors) is told of again. */
    return r->streams && (w->ready & READY_TCP) && op->kind != EDDY_OP_ACCEPT;
}

/* What waits, and whether all of it is content with edges: the second is asked for only where
 * something waits. */
static unsigned wanted(const struct ready_driver *r, const struct watch *w)
{
    const unsigned both = EDDY_READABLE | EDDY_WRITABLE;
    unsigned events = w->file_events, edge = w->file_events ? 0 : EDDY_EDGE;

    if (w->in) {
        events |= w->in->kind == EDDY_OP_POLL ? w->in->poll.events & both : EDDY_READABLE;
        if (!wants_edge(r, w, w->in))
            edge = 0;
    }
    if (w->out) {
        events |= EDDY_WRITABLE;
        if (!wants_edge(r, w, w->out))
            edge = 0;
    }
    return events ? events | edge : 0;
}

unsigned eddy_ready_unwanted(const struct ready_driver *r, const struct watch *w)
{
    return w->interest & ~wanted(r, w);
}

static int tell(struct ready_driver *r, int fd, unsigned events)
{
    struct watch *w = &r->watches[fd];
    int result;

    if (!w->interest)
        result = eddy_poller_add(r->poller, fd, events, eddy_ready_token(r, fd));
    else if (!events)
        result = eddy_poller_remove(r->poller, fd);
    else
        result = eddy_poller_modify(r->poller, fd, events, eddy_ready_token(r, fd));
    if (result < 0)
        return result;
    w->interest = (uint8_t)events;
    eddy_ready_clear(w, events ? READY_EVENTS : ~0U); /* it will be told anew */
    return 0;
}

int eddy_ready_update(struct ready_driver *r, int fd, bool shrink)
{
    const struct watch *w = &r->watches[fd];
    unsigned events = wanted(r, w);

    if (!shrink)
        events |= w->interest & ~(unsigned)EDDY_EDGE;
    return events == w->interest ? 0 : tell(r, fd, events);
}

int eddy_ready_renew(struct ready_driver *r, int fd)
{
    return tell(r, fd, r->watches[fd].interest);
}

/* --- what a descriptor is ------------------------------------------------------------------------ */

static unsigned what_is(int fd)
{
#ifdef SO_PROTOCOL
    int protocol = 0;
    socklen_t len = sizeof protocol;

    /* A refusal is an answer, too. */
    EDDY_FAULT_BENIGN_BEGIN();
    int result = eddy__sys.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
    EDDY_FAULT_BENIGN_END();
    return result == 0 && protocol == IPPROTO_TCP ? READY_TCP | READY_KNOWN : READY_KNOWN;
#else
    (void)fd;
    return READY_KNOWN;
#endif
}

void eddy_ready_ask(struct ready_driver *r, int fd)
{
    struct watch *w = &r->watches[fd];

    if (r->streams && !(w->ready & READY_KNOWN))
        w->ready = (uint8_t)(w->ready | what_is(fd));
}

void eddy_ready_born(struct ready_driver *r, int fd, unsigned what)
{
    if (!r->streams || eddy_ready_grow(r, fd) < 0)
        return;
    struct watch *w = &r->watches[fd];
    if (w->interest && !w->in && !w->out && !w->files)
        eddy_ready_forget(r, fd);
    w->ready = (uint8_t)(what & (READY_TCP | READY_KNOWN));
}

void eddy_ready_forget(struct ready_driver *r, int fd)
{
    if ((size_t)fd >= r->watch_cap)
        return;
    struct watch *w = &r->watches[fd];
    assert(!w->in && !w->out && !w->files);
    if (w->interest)
        eddy_poller_remove(r->poller, fd);
    w->interest = 0;
    w->ready = 0;
    w->generation++;
}

/* --- what is left of an event ------------------------------------------------------------------- */

void eddy_ready_list(struct ready_driver *r, struct eddy_op *op)
{
    if (op->state & READY_LISTED)
        return;
    op->state |= READY_LISTED;
    eddy_list_push(&r->again, &op->link);
}

void eddy_ready_unlist(struct eddy_op *op)
{
    if (!(op->state & READY_LISTED))
        return;
    op->state &= (uint8_t)~READY_LISTED;
    eddy_list_remove(&op->link);
}
