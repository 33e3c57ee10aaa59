#include "chaos.h"

#include "check.h"

#include <errno.h>
#include <string.h>

/* Over all seeds: of one alone it may be that nobody was cancelled. */
static unsigned total_done, total_cancelled;

uint64_t chaos_roll(struct chaos *c, uint64_t sides)
{
    uint64_t z = c->dice += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (z ^ (z >> 31)) % sides;
}

int chaos_pause(struct chaos *c)
{
    int r = 0;

    if (chaos_roll(c, 3) == 0)
        return eddy_sleep(1 + (int64_t)chaos_roll(c, 2));
    for (uint64_t turns = chaos_roll(c, 5); turns > 0 && r == 0; turns--)
        r = eddy_yield();
    return r;
}

struct worker_args {
    struct chaos *c;
    unsigned who;
};

static int worker(struct worker_args *a)
{
    struct chaos *c = a->c;

    for (unsigned i = 0; i < c->rounds; i++) {
        int64_t limit_ms = chaos_roll(c, 4) == 0 ? 1 + (int64_t)chaos_roll(c, 3) : 0;
        EDDY_SCOPE(own, .timeout_ms = limit_ms);
        c->scope[a->who] = &own;
        int r = c->work(c, a->who);
        c->scope[a->who] = NULL;
        if (r >= 0)
            c->done++;
        else if (r == -ECANCELED || r == -ETIMEDOUT)
            c->cancelled++;
        else
            EDDY_CHECK_ERR(r, 0);
    }
    c->living--;
    return chaos_pause(c);
}
EDDY_TASK(worker);

struct monkey_args {
    struct chaos *c;
};

static int monkey(struct monkey_args *a)
{
    struct chaos *c = a->c;
    int r = 0;

    /* It sleeps: in the simulator time passes only when nobody is ready. */
    while (c->living && (r = eddy_sleep(1)) == 0) {
        struct eddy_scope *victim = c->scope[chaos_roll(c, c->workers)];
        if (victim && chaos_roll(c, 2) == 0)
            eddy_scope_cancel(victim);
    }
    return r;
}
EDDY_TASK(monkey);

void chaos_run(struct chaos *c)
{
    EDDY_SCOPE(all, .timeout_ms = 30000);

    c->living = c->workers;
    c->done = c->cancelled = 0;
    for (unsigned i = 0; i < c->workers; i++)
        EDDY_GO(&all, worker, .c = c, .who = i);
    EDDY_GO(&all, monkey, .c = c);
    EDDY_CHECK_ERR(eddy_join(&all), 0);
    EDDY_CHECK_EQ(c->living, 0);
    total_done += c->done;
    total_cancelled += c->cancelled;
}

void chaos_each(void (*scenario)(uint64_t seed))
{
    bool sim = strcmp(eddy_check_backend(), "sim") == 0;
    unsigned long first = eddy_check_number("EDDY_SEED_FIRST", eddy_check_number("EDDY_SEED", 1));
    unsigned long seeds = eddy_check_number("EDDY_SEEDS", sim ? 100 : 3);

    total_done = total_cancelled = 0;
    for (unsigned long seed = first; seed < first + seeds; seed++) {
        struct eddy_loop *loop;
        if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .seed = seed), &loop), 0))
            return;
        scenario(seed);
        eddy_loop_free(loop);
    }
    EDDY_CHECK(total_done > 0 && total_cancelled > 0);
}
