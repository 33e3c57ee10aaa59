/*
 * tls/turns.c - handshakes take turns with everything else
 *
 * A handshake is the most that a connection ever asks of the processor at once: a tenth of a
 * millisecond with a P-256 key, one or more with RSA, and a thousand clients may come in one
 * iteration of the loop. So those of one iteration share BUDGET_NS; who comes later stands in line,
 * with its input left below, and goes on in the next iterations, in order. One always goes on.
 *
 * Time is the loop's clock, which stands still under the simulator while we compute: there everyone
 * goes on at once, in every run of a seed.
 */
#include "tls/filter.h"

#include "base/memory.h"

#define BUDGET_NS INT64_C(2000000)

struct tls_turns {
    struct eddy_loop *loop;
    struct eddy_list line; /* of struct tls_filter */
    struct eddy_soon soon;
    uint64_t iteration; /* whose time `spent_ns` is */
    int64_t spent_ns;
};

static void turns_free(void *slot)
{
    struct tls_turns *t = slot;

    while (eddy_list_shift(&t->line)) /* nobody turns the loop any more */
        ;
    eddy__soon_cancel(&t->soon);
    eddy__free(t, sizeof *t);
}

struct tls_turns *tls_turns_of(struct eddy_loop *loop)
{
    struct tls_turns *t = loop->slot[EDDY_SLOT_TLS];

    if (t)
        return t;
    t = eddy__zalloc(sizeof *t);
    if (!t)
        return NULL;
    t->loop = loop;
    eddy_list_init(&t->line);
    loop->slot[EDDY_SLOT_TLS] = t;
    loop->slot_free[EDDY_SLOT_TLS] = turns_free;
    return t;
}

static bool has_time(struct tls_turns *t)
{
    uint64_t iteration = atomic_load_explicit(&t->loop->iterations, memory_order_relaxed);

    if (t->iteration != iteration) {
        t->iteration = iteration;
        t->spent_ns = 0;
    }
    return t->spent_ns < BUDGET_NS;
}

static void go_on(struct eddy_soon *soon)
{
    struct tls_turns *t = eddy_container_of(soon, struct tls_turns, soon);

    while (!eddy_list_is_empty(&t->line) && has_time(t)) {
        struct tls_filter *f = eddy_container_of(t->line.next, struct tls_filter, in_line);
        eddy_list_remove(&f->in_line);
        f->turn = true;
        tls_settle(f);
    }
    if (!eddy_list_is_empty(&t->line))
        eddy__soon(t->loop, &t->soon, go_on);
}

bool tls_turn_begin(struct tls_filter *f, int64_t *ret_began_ns)
{
    struct tls_turns *t = f->turns;
    bool called = f->turn;

    f->turn = false;
    if (!eddy_list_is_empty(&f->in_line))
        return false;
    if (!called && (!has_time(t) || !eddy_list_is_empty(&t->line))) {
        eddy_list_push(&t->line, &f->in_line);
        eddy__soon(t->loop, &t->soon, go_on);
        atomic_fetch_add_explicit(&f->tls->waited, 1, memory_order_relaxed);
        return false;
    }
    *ret_began_ns = eddy_loop_clock(t->loop);
    return true;
}

void tls_turn_end(struct tls_filter *f, int64_t began_ns)
{
    f->turns->spent_ns += eddy_loop_clock(f->turns->loop) - began_ns;
}
