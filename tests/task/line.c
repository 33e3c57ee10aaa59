#include "line.h"

#include "check.h"

#include <eddy/loop.h>
#include <eddy/task.h>

#include <errno.h>

#define UNSET 12345

/* Takes the lock in a scope of its own, notes when it had it, and gives it back. */
struct taker_args {
    const struct line *l;
    int who;
    int *order; /* who had it, in turn; may be NULL */
    int *count;
    int *result;
    int *then; /* what a wait after it says */
    struct eddy_scope **scope;
};

static int taker(struct taker_args *a)
{
    EDDY_SCOPE(own, .timeout_ms = 0);
    if (a->scope)
        *a->scope = &own;
    int r = a->l->take(a->l->lock);
    if (a->result)
        *a->result = r;
    if (r < 0)
        return 0;
    if (a->order)
        a->order[(*a->count)++] = a->who;
    int then = eddy_yield();
    if (a->then)
        *a->then = then;
    a->l->give(a->l->lock);
    return 0;
}
EDDY_TASK(taker);

/* A turn and one more: whoever was spawned is in line now. */
static void settle(void)
{
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
}

static void check_free(const struct line *l)
{
    EDDY_SCOPE(s, .timeout_ms = 1000);

    if (EDDY_CHECK_EQ(l->take(l->lock), 0))
        l->give(l->lock);
}

void line_is_first_come_first_served(const struct line *l)
{
    enum { TAKERS = 5 };
    int order[TAKERS], count = 0;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_CHECK_EQ(l->take(l->lock), 0);
    for (int i = 0; i < TAKERS; i++) {
        EDDY_GO(&s, taker, .l = l, .who = i, .order = order, .count = &count);
        settle();
    }
    EDDY_CHECK_EQ(count, 0);
    l->give(l->lock);
    /* Who comes now is behind them, though the first of them has not run yet. */
    EDDY_CHECK_EQ(l->take(l->lock), 0);
    EDDY_CHECK_EQ(count, TAKERS);
    l->give(l->lock);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < TAKERS; i++)
        EDDY_CHECK_EQ(order[i], i);
    check_free(l);
}

void line_looks_at_its_scope_first(const struct line *l)
{
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_scope_cancel(&s);
        EDDY_CHECK_ERR(l->take(l->lock), -ECANCELED);
    }
    {
        EDDY_SCOPE(s, .timeout_ms = 1);
        EDDY_CHECK_ERR(eddy_sleep(1000), -ETIMEDOUT);
        EDDY_CHECK_ERR(l->take(l->lock), -ETIMEDOUT);
    }
    check_free(l);
}

void line_cancelled_is_out_of_line(const struct line *l)
{
    int order[2], count = 0, first = UNSET, second = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_CHECK_EQ(l->take(l->lock), 0);
    EDDY_GO(&s, taker, .l = l, .order = order, .count = &count, .result = &first, .scope = &victim);
    settle();
    EDDY_GO(&s, taker, .l = l, .who = 1, .order = order, .count = &count, .result = &second);
    settle();
    eddy_scope_cancel(victim);
    settle();
    EDDY_CHECK_ERR(first, -ECANCELED);
    EDDY_CHECK_EQ(second, UNSET);
    l->give(l->lock);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(second, 0);
    EDDY_CHECK_EQ(count, 1);
    check_free(l);

    /* By a deadline as well. */
    EDDY_CHECK_EQ(l->take(l->lock), 0);
    {
        EDDY_SCOPE(late, .timeout_ms = 2);
        struct line copy = *l;
        int r = UNSET;
        EDDY_GO(&late, taker, .l = &copy, .result = &r);
        EDDY_CHECK_ERR(eddy_join(&late), -ETIMEDOUT);
        EDDY_CHECK_ERR(r, -ECANCELED);
    }
    l->give(l->lock);
    check_free(l);
}

void line_handed_over_is_held(const struct line *l)
{
    int first = UNSET, second = UNSET, then = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_CHECK_EQ(l->take(l->lock), 0);
    EDDY_GO(&s, taker, .l = l, .result = &first, .then = &then, .scope = &victim);
    settle();
    EDDY_GO(&s, taker, .l = l, .result = &second);
    settle();
    l->give(l->lock);
    eddy_scope_cancel(victim);
    EDDY_CHECK_EQ(first, UNSET); /* it has not run */
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(first, 0);
    EDDY_CHECK_ERR(then, -ECANCELED);
    EDDY_CHECK_EQ(second, 0);
    check_free(l);
}

struct spinner_args {
    const struct line *l;
    int *turns;
};

static int spinner(struct spinner_args *a)
{
    for (;;) {
        int r = a->l->take(a->l->lock);
        if (r < 0)
            return r;
        ++*a->turns;
        a->l->give(a->l->lock);
    }
}
EDDY_TASK(spinner);

void line_free_spends_a_try(const struct line *l)
{
    int turns = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, spinner, .l = l, .turns = &turns);
    for (int i = 1; i <= 5; i++) {
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK(turns > 0 && turns <= 32 * i);
        EDDY_CHECK(i < 2 || turns >= 32 * (i - 1));
        check_free(l); /* it holds nothing while it gives way */
    }
}

struct call {
    const struct line *l;
    int result;
};

static void in_callback(void *ctx)
{
    struct call *call = ctx;

    call->result = call->l->take(call->l->lock);
}

void line_in_a_callback_is_edeadlk(const struct line *l)
{
    struct call call = { l, UNSET };

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), in_callback, &call), 0);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_ERR(call.result, -EDEADLK);
    check_free(l);
}
