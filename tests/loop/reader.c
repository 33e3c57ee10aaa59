/*
 * reader.c - see reader.h
 */
#include "reader.h"

#include "check.h"

static unsigned roll(struct reader *r, unsigned sides)
{
    r->dice = r->dice * 1664525 + 1013904223;
    return (r->dice >> 16) % sides;
}

static void reader_over(struct call *c, int res)
{
    struct reader *r = c->ctx;

    r->busy = 0;
    if (res <= 0 && res != -ECANCELED) {
        r->res = res;
        r->ended = 1;
    }
    call_free(c);
}

void reader_lent(struct call *c, int res)
{
    struct reader *r = c->ctx;

    if (res > 0) {
        text_is(c->op.lend.ptr, (size_t)res, r->at);
        r->at += (uint64_t)res;
        r->lends++;
    }
    if (!c->op.more) {
        reader_over(c, res);
    } else if (roll(r, 3) == 0) {
        r->pauses++;
        if (call_cancel(c))
            reader_over(c, c->res);
    }
}

static void reader_received(struct call *c, int res)
{
    struct reader *r = c->ctx;

    if (res > 0) {
        text_is(r->buf, (size_t)res, r->at);
        r->at += (uint64_t)res;
        r->receives++;
    }
    reader_over(c, res);
}

void reader_start(struct reader *r)
{
    bool lend = roll(r, 2) == 0;
    struct call *c = call_new(r->d, lend ? reader_lent : reader_received, r);

    r->busy = 1;
    if (lend) {
        eddy_op_lend(&c->op, r->fd, call_done);
        c->op.lend.sip = roll(r, 2) == 0;
    } else {
        eddy_op_recv(&c->op, r->fd, r->buf, 1 + roll(r, sizeof r->buf), call_done);
    }
    if (call_submit(c)) {
        c->then(c, c->res);
    } else if (roll(r, 4) == 0) {
        r->pauses++;
        if (call_cancel(c))
            reader_over(c, c->res);
    }
}

void read_all(struct eddy_driver *d, struct reader *r)
{
    for (unsigned idle = 0; !r->ended && idle < 200000; idle++) {
        if (!r->busy)
            reader_start(r);
        if (d->ops->turn(d, r->busy ? 10000000 : 0) > 0)
            idle = 0;
    }
    EDDY_CHECK(r->ended);
}
