/*
 * The condition, rule by rule, and with cancels at random.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 */
#include "check.h"

#include "chaos.h"

#include <eddy/lock.h>

#include <errno.h>

#define UNSET 12345

static void settle(void)
{
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
}

struct waiting_args {
    struct eddy_condition *c;
    struct eddy_mutex *m;
    int who;
    int *order;
    int *count;
    int *result;
    struct eddy_scope **scope;
};

static int waiting(struct waiting_args *a)
{
    EDDY_SCOPE(own, .timeout_ms = 0);
    if (a->scope)
        *a->scope = &own;
    EDDY_LOCKED(held, a->m);
    if (held < 0)
        return held;
    int r = eddy_condition_wait(a->c, a->m);
    {
        EDDY_SHIELD(calm, .timeout_ms = 0);
        EDDY_CHECK_EQ(eddy_mutex_try(a->m), -EDEADLK); /* it is ours */
    }
    if (a->result)
        *a->result = r;
    if (a->order && r == 0)
        a->order[(*a->count)++] = a->who;
    return 0;
}
EDDY_TASK(waiting);

EDDY_TEST(condition_is_first_come_first_served)
{
    EDDY_AUTO(eddy_mutex) m = EDDY_MUTEX_INIT;
    EDDY_AUTO(eddy_condition) c = EDDY_CONDITION_INIT;
    int order[5], count = 0;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    eddy_condition_init(&c);
    for (int i = 0; i < 5; i++) {
        EDDY_GO(&s, waiting, .c = &c, .m = &m, .who = i, .order = order, .count = &count);
        settle();
    }
    eddy_condition_notify(&c); /* without the mutex */
    settle();
    EDDY_CHECK_EQ(count, 1);
    EDDY_CHECK_EQ(eddy_mutex_lock(&m), 0);
    eddy_condition_notify(&c); /* with it: nobody goes on before it is given back */
    settle();
    EDDY_CHECK_EQ(count, 1);
    EDDY_CHECK_EQ(eddy_mutex_unlock(&m), 0);
    settle();
    EDDY_CHECK_EQ(count, 2);
    eddy_condition_notify_all(&c);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    for (int i = 0; i < 5; i++)
        EDDY_CHECK_EQ(order[i], i);
    eddy_condition_notify(&c); /* nobody is there */
}

EDDY_TEST(condition_looks_at_its_scope_first)
{
    EDDY_AUTO(eddy_mutex) m = EDDY_MUTEX_INIT;
    EDDY_AUTO(eddy_condition) c = EDDY_CONDITION_INIT;
    int other = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_CHECK_EQ(eddy_condition_wait(&c, &m), -EPERM);
    EDDY_CHECK_EQ(eddy_mutex_lock(&m), 0);
    EDDY_GO(&s, waiting, .c = &c, .m = &m, .result = &other);
    settle();
    {
        /* The mutex is not given back, though somebody is in line for it. */
        EDDY_SCOPE(ended, .timeout_ms = 0);
        eddy_scope_cancel(&ended);
        EDDY_CHECK_ERR(eddy_condition_wait(&c, &m), -ECANCELED);
        eddy_condition_notify(&c);
        EDDY_CHECK_EQ(eddy_mutex_unlock(&m), 0);
    }
    settle();
    EDDY_CHECK_EQ(other, UNSET); /* it came to wait after that notification */
    eddy_condition_notify(&c);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(other, 0);
}

EDDY_TEST(a_condition_has_its_mutex_again)
{
    EDDY_AUTO(eddy_mutex) m = EDDY_MUTEX_INIT;
    EDDY_AUTO(eddy_condition) c = EDDY_CONDITION_INIT;
    int first = UNSET, second = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_GO(&s, waiting, .c = &c, .m = &m, .result = &first, .scope = &victim);
    settle();
    EDDY_GO(&s, waiting, .c = &c, .m = &m, .result = &second);
    settle();
    EDDY_CHECK_EQ(eddy_mutex_lock(&m), 0); /* it was given back */
    eddy_scope_cancel(victim);
    settle();
    EDDY_CHECK_EQ(first, UNSET); /* cancelled, and waits for the mutex all the same */
    EDDY_CHECK_EQ(eddy_mutex_unlock(&m), 0);
    settle();
    EDDY_CHECK_ERR(first, -ECANCELED);
    EDDY_CHECK_EQ(second, UNSET);
    {
        /* A deadline, with the mutex free. */
        EDDY_SCOPE(late, .timeout_ms = 2);
        EDDY_LOCKED(held, &m);
        EDDY_CHECK_EQ(held, 0);
        EDDY_CHECK_ERR(eddy_condition_wait(&c, &m), -ETIMEDOUT);
        EDDY_CHECK_ERR(eddy_mutex_unlock(&m), 0);
        held_guard = NULL;
    }
    eddy_condition_notify(&c);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(second, 0);
}

EDDY_TEST(a_notification_is_not_lost)
{
    EDDY_AUTO(eddy_mutex) m = EDDY_MUTEX_INIT;
    EDDY_AUTO(eddy_condition) c = EDDY_CONDITION_INIT;
    int first = UNSET, second = UNSET;
    struct eddy_scope *victim = NULL;
    EDDY_SCOPE(s, .timeout_ms = 10000);

    EDDY_GO(&s, waiting, .c = &c, .m = &m, .result = &first, .scope = &victim);
    settle();
    EDDY_GO(&s, waiting, .c = &c, .m = &m, .result = &second);
    settle();
    /* Cancelled first, then notified: it goes to the second. */
    EDDY_CHECK_EQ(eddy_mutex_lock(&m), 0);
    eddy_scope_cancel(victim);
    eddy_condition_notify(&c);
    EDDY_CHECK_EQ(eddy_mutex_unlock(&m), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_ERR(first, -ECANCELED);
    EDDY_CHECK_EQ(second, 0);

    /* Notified first, then cancelled while it waits for the mutex: it has taken it. */
    first = UNSET;
    EDDY_GO(&s, waiting, .c = &c, .m = &m, .result = &first, .scope = &victim);
    settle();
    EDDY_CHECK_EQ(eddy_mutex_lock(&m), 0);
    eddy_condition_notify(&c);
    eddy_scope_cancel(victim);
    settle();
    EDDY_CHECK_EQ(eddy_mutex_unlock(&m), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(first, 0);
}

/* --- at random: tickets that are put in and taken out, one notification each ---------------------- */

struct box {
    struct eddy_mutex m;
    struct eddy_condition filled;
    int inside;
    int tickets;
    int put;
    int taken;
};

static int puts_in(struct chaos *c, struct box *b)
{
    EDDY_LOCKED(held, &b->m);
    if (held < 0)
        return held;
    EDDY_CHECK_EQ(++b->inside, 1);
    int r = chaos_pause(c);
    b->tickets++;
    b->put++;
    eddy_condition_notify(&b->filled);
    b->inside--;
    return r;
}

static int takes_out(struct chaos *c, struct box *b)
{
    EDDY_LOCKED(held, &b->m);
    if (held < 0)
        return held;
    while (b->tickets == 0) {
        int r = eddy_condition_wait(&b->filled, &b->m);
        EDDY_CHECK_EQ(++b->inside, 1);
        b->inside--;
        /* Who was notified and cannot use it would pass it on; here, all that was put in while
         * somebody waited has its own notification, and a cancelled wait used none up. */
        if (r < 0)
            return r;
    }
    b->tickets--;
    b->taken++;
    EDDY_CHECK_EQ(++b->inside, 1);
    b->inside--;
    return chaos_pause(c);
}

static int works(struct chaos *c, unsigned who)
{
    return who % 2 ? puts_in(c, c->ctx) : takes_out(c, c->ctx);
}

static void cancelled_at_random(uint64_t seed)
{
    struct box b = { EDDY_MUTEX_INIT, EDDY_CONDITION_INIT, 0, 0, 0, 0 };
    struct chaos c = { .work = works, .ctx = &b, .workers = 8, .rounds = 30, .dice = seed };

    /* A taker may wait for a ticket that never comes, until it is cancelled: so they all end. */
    chaos_run(&c);
    EDDY_CHECK(b.taken > 0);
    EDDY_CHECK_EQ(b.tickets, b.put - b.taken);
    EDDY_CHECK_EQ(eddy_mutex_try(&b.m), 0);
    EDDY_CHECK_EQ(eddy_mutex_unlock(&b.m), 0);
    eddy_condition_done(&b.filled);
    eddy_mutex_done(&b.m);
}

EDDY_TEST(condition_survives_random_cancels)
{
    chaos_each(cancelled_at_random);
}
