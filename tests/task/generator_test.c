/*
 * The rules of eddy/generator.h, a test for each row, on every driver.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 */
#include "check.h"

#include "base/fault.h"
#include "loop/loop.h"

#include <eddy/generator.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <string.h>

#define UNSET 12345

/* Counts up, sleeping before each value; says how far it came and how it ended. */
struct count_args {
    int upto;
    int sleep_ms;
    int result;
    int *ret_at;
    int *ret_end;
};

static int count(struct eddy_gen *gen, struct count_args *a)
{
    int r = 0;

    for (int n = 1; n <= a->upto && r >= 0; n++) {
        if (a->ret_at)
            *a->ret_at = n;
        if (a->sleep_ms && (r = eddy_sleep(a->sleep_ms)) < 0)
            break;
        r = eddy_gen_yield(gen, &n);
    }
    if (a->ret_end)
        *a->ret_end = r;
    return r < 0 ? r : a->result;
}
EDDY_GENERATOR(count, int);

/* Runs a function as a task, and waits for it: what is said of tasks is tried in one. */
struct in_task_args {
    int (*fn)(void);
};

static int in_task(struct in_task_args *a)
{
    return a->fn();
}
EDDY_TASK(in_task);

static void run_in_task(int (*fn)(void))
{
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_GO(&s, in_task, .fn = fn);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

static int read_in_order(void)
{
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 1000);
    int value = UNSET, want = 1;

    EDDY_CHECK_EQ(gen.status, 0);
    while (count_next(&gen, &value)) {
        EDDY_CHECK_EQ(gen.status, 0);
        EDDY_CHECK_EQ(value, want++);
    }
    EDDY_CHECK_EQ(want, 1001);
    EDDY_CHECK_EQ(gen.status, 0);
    EDDY_CHECK(!count_next(&gen, &value)); /* again and again */
    EDDY_CHECK_EQ(value, 1000);
    return gen.status;
}

EDDY_TEST(values_come_in_order)
{
    run_in_task(read_in_order);
}

EDDY_TEST(plain_code_may_read)
{
    EDDY_CHECK_EQ(read_in_order(), 0);

    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 3, .sleep_ms = 1);
    int value, sum = 0;
    while (count_next(&gen, &value))
        sum += value;
    EDDY_CHECK_EQ(sum, 6);
}

static int lazily(void)
{
    int at = 0, value;
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 10, .ret_at = &at);

    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(at, 0);
    for (int n = 1; n <= 3; n++) {
        EDDY_CHECK(count_next(&gen, &value));
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_EQ(at, n);
    }
    return 0;
}

EDDY_TEST(runs_only_when_asked)
{
    run_in_task(lazily);
    EDDY_CHECK_EQ(lazily(), 0);
}

struct word {
    char text[40];
};
struct words_args {
    struct word prefix;
    int upto;
};

static int words(struct eddy_gen *gen, struct words_args *a)
{
    for (int n = 0; n < a->upto; n++) {
        struct word w = a->prefix;
        w.text[0] = (char)('a' + n);
        int r = eddy_gen_yield(gen, &w);
        memset(&w, 'x', sizeof w); /* what was given is the reader's own */
        if (r < 0)
            return r;
    }
    return 0;
}
EDDY_GENERATOR(words, struct word);

static int copies(void)
{
    struct word prefix = { "-one" }, first, second;
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(words, .prefix = prefix, .upto = 2);

    memset(&prefix, 'x', sizeof prefix);
    EDDY_CHECK(words_next(&gen, &first));
    EDDY_CHECK(words_next(&gen, &second));
    EDDY_CHECK_STR(first.text, "aone");
    EDDY_CHECK_STR(second.text, "bone");
    EDDY_CHECK(!words_next(&gen, &second));
    EDDY_CHECK_STR(second.text, "bone");
    return 0;
}

EDDY_TEST(arguments_and_values_are_copied)
{
    run_in_task(copies);
}

static int wait_between(void)
{
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 5, .sleep_ms = 2);
    int64_t start = eddy_now_ns();
    int value, want = 1;

    while (count_next(&gen, &value))
        EDDY_CHECK_EQ(value, want++);
    EDDY_CHECK_EQ(want, 6);
    EDDY_CHECK(eddy_now_ns() - start >= 10000000);
    return gen.status;
}

EDDY_TEST(waits_between_values)
{
    run_in_task(wait_between);
}

EDDY_TEST(runs_under_its_own_scope)
{
    int end = UNSET, value = UNSET;
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 3, .sleep_ms = 5, .ret_end = &end);
    {
        EDDY_SCOPE(inner, .timeout_ms = 0); /* the reader's; its end is not the generator's */
        EDDY_CHECK(count_next(&gen, &value));
        EDDY_CHECK_EQ(value, 1);
        eddy_scope_cancel(&inner);
        EDDY_CHECK(!count_next(&gen, &value));
        EDDY_CHECK_EQ(gen.status, -ECANCELED);
    }
    EDDY_CHECK_EQ(end, UNSET);
    EDDY_CHECK(count_next(&gen, &value));
    EDDY_CHECK_EQ(value, 2);
    EDDY_CHECK_EQ(gen.status, 0);
}

/* Cancels a scope when everybody else has had a few turns. */
struct canceller_args {
    struct eddy_scope *scope;
};

static int canceller(struct canceller_args *a)
{
    for (int i = 0; i < 3; i++)
        eddy_yield();
    eddy_scope_cancel(a->scope);
    return 0;
}
EDDY_TASK(canceller);

static int cancelled_reader(void)
{
    int at = 0, value = UNSET;
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 4, .sleep_ms = 20, .ret_at = &at);

    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_SCOPE(one, .timeout_ms = 0);
        EDDY_GO(&s, canceller, .scope = &one);
        EDDY_CHECK(!count_next(&gen, &value));
        EDDY_CHECK_EQ(gen.status, -ECANCELED);
    }
    EDDY_CHECK_EQ(value, UNSET);
    /* It comes to its value, keeps it, and goes no further. */
    EDDY_CHECK_EQ(eddy_sleep(50), 0);
    EDDY_CHECK_EQ(at, 1);
    for (int n = 1; n <= 4; n++) {
        EDDY_CHECK(count_next(&gen, &value));
        EDDY_CHECK_EQ(value, n);
    }
    EDDY_CHECK(!count_next(&gen, &value));
    return gen.status;
}

EDDY_TEST(cancelled_reader_loses_no_value)
{
    run_in_task(cancelled_reader);
    EDDY_CHECK_EQ(cancelled_reader(), 0);
}

EDDY_TEST(its_scopes_end_ends_it)
{
    int value = UNSET, end = UNSET, kept = UNSET;
    struct eddy_gen gen, other;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        gen = EDDY_GEN(count, .upto = 9, .ret_end = &end);
        other = EDDY_GEN(count, .upto = 9, .sleep_ms = 1, .ret_end = &kept);
        EDDY_CHECK(count_next(&gen, &value));
        {
            EDDY_SCOPE(cancelled, .timeout_ms = 1);
            EDDY_CHECK(count_next(&other, &value) || other.status < 0);
            while (count_next(&other, &value))
                ;
        }
        EDDY_CHECK_EQ(eddy_sleep(20), 0); /* by now it keeps a value */
    }
    EDDY_CHECK_EQ(end, -ECANCELED);
    EDDY_CHECK_EQ(kept, -ECANCELED);
    EDDY_CHECK(!count_next(&gen, &value));
    EDDY_CHECK_EQ(gen.status, -ECANCELED);
    EDDY_CHECK(count_next(&other, &value)); /* what it kept */
    EDDY_CHECK(!count_next(&other, &value));
    EDDY_CHECK_EQ(other.status, -ECANCELED);
    eddy_gen_done(&gen);
    eddy_gen_done(&other);

    /* Made in a scope that has ended: it runs at once, so that leaving can wait for it. */
    end = UNSET;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        eddy_scope_cancel(&s);
        gen = EDDY_GEN(count, .upto = 2, .ret_end = &end);
        EDDY_CHECK(!count_next(&gen, &value));
        EDDY_CHECK_EQ(gen.status, -ECANCELED);
    }
    EDDY_CHECK_EQ(end, -ECANCELED);
    eddy_gen_done(&gen);
}

static int leave_early(int *ret_end)
{
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 100, .ret_end = ret_end);
    int value;

    while (count_next(&gen, &value))
        if (value == 3)
            break;
    return value;
}

static int leave_early_in_task(void)
{
    int end = UNSET;

    EDDY_CHECK_EQ(leave_early(&end), 3);
    EDDY_CHECK_EQ(end, -ECANCELED);
    return 0;
}

EDDY_TEST(left_early_it_is_closed)
{
    run_in_task(leave_early_in_task);
    leave_early_in_task();
}

/* At the end of its reader it waits for a while in a shield, tries to go on, and says so. */
struct stubborn_args {
    int *ret_yields, *ret_farewell;
};

static int stubborn(struct eddy_gen *gen, struct stubborn_args *a)
{
    int r = 0, n = 0;

    while (r >= 0)
        r = eddy_gen_yield(gen, &n);
    for (int i = 0; i < 3; i++)
        if (eddy_gen_yield(gen, &n) == -ECANCELED)
            ++*a->ret_yields;
    EDDY_SHIELD(bye, .timeout_ms = 1000);
    if (eddy_gen_yield(gen, &n) == -ECANCELED)
        ++*a->ret_yields;
    *a->ret_farewell = eddy_sleep(5);
    return r;
}
EDDY_GENERATOR(stubborn, int);

static int close_it(void)
{
    int yields = 0, farewell = UNSET, value;
    struct eddy_gen gen = EDDY_GEN(stubborn, .ret_yields = &yields, .ret_farewell = &farewell);

    EDDY_CHECK(stubborn_next(&gen, &value));
    eddy_gen_done(&gen);
    EDDY_CHECK_EQ(yields, 4);
    EDDY_CHECK_EQ(farewell, 0);
    EDDY_CHECK(!stubborn_next(&gen, &value));
    eddy_gen_done(&gen);

    /* The same when the closer is cancelled: what it made is waited for. */
    EDDY_SCOPE(s, .timeout_ms = 0);
    gen = EDDY_GEN(stubborn, .ret_yields = &yields, .ret_farewell = &farewell);
    EDDY_CHECK(stubborn_next(&gen, &value));
    farewell = UNSET;
    eddy_scope_cancel(&s);
    eddy_gen_done(&gen);
    EDDY_CHECK_EQ(farewell, 0);
    return 0;
}

EDDY_TEST(closing_cancels_and_waits)
{
    run_in_task(close_it);
    close_it();
}

static void close_in_callback(void *ctx)
{
    eddy_gen_done(ctx);
}

EDDY_TEST(closed_in_a_callback_it_frees_itself)
{
    int end = UNSET, value;
    struct eddy_gen gen = EDDY_GEN(count, .upto = 5, .ret_end = &end);

    EDDY_CHECK(count_next(&gen, &value));
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), close_in_callback, &gen), 0);
    for (int i = 0; i < 3; i++)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(end, -ECANCELED);
    EDDY_CHECK(!count_next(&gen, &value));
}

static int never_asked(void)
{
    int end = UNSET, at = 0;
    {
        EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 5, .ret_at = &at, .ret_end = &end);
    }
    EDDY_CHECK_EQ(at, 1); /* its first line, ... */
    EDDY_CHECK_EQ(end, -ECANCELED);
    end = UNSET;
    at = 0;
    struct eddy_gen gen;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        gen = EDDY_GEN(count, .upto = 5, .ret_at = &at, .ret_end = &end);
    }
    EDDY_CHECK_EQ(at, 1); /* ... whoever ends it */
    EDDY_CHECK_EQ(end, -ECANCELED);
    eddy_gen_done(&gen);
    return 0;
}

EDDY_TEST(runs_from_its_first_line)
{
    run_in_task(never_asked);
    never_asked();
}

struct sleeper_args {
    int *ret_result;
};

static int sleeper(struct sleeper_args *a)
{
    *a->ret_result = eddy_sleep(10);
    return 0;
}
EDDY_TASK(sleeper);

EDDY_TEST(its_failure_belongs_to_its_reader)
{
    int sibling = UNSET, value, values = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 2, .result = -EPROTO);

    EDDY_GO(&s, sleeper, .ret_result = &sibling);
    while (count_next(&gen, &value))
        values++;
    EDDY_CHECK_EQ(values, 2);
    EDDY_CHECK_EQ(gen.status, -EPROTO);
    EDDY_CHECK(!count_next(&gen, &value));
    EDDY_CHECK_EQ(gen.status, -EPROTO);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(sibling, 0);
    EDDY_CHECK_EQ(eddy_scope_failures(&s), 0);
}

static void make_in_callback(void *ctx)
{
    struct eddy_gen *gen = ctx;

    *gen = EDDY_GEN(count, .upto = 3);
}

struct huge_args {
    char bytes[5000];
};

static int huge(struct eddy_gen *gen, struct huge_args *a)
{
    return eddy_gen_yield(gen, a->bytes);
}
EDDY_GENERATOR(huge, char);

EDDY_TEST(what_cannot_be_made_says_so)
{
    struct eddy_gen gen = { 0 };
    int value = UNSET;
    char byte;

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), make_in_callback, &gen), 0);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK(!count_next(&gen, &value));
    EDDY_CHECK_EQ(gen.status, -EDEADLK);
    eddy_gen_done(&gen);

    EDDY_AUTO(eddy_gen) large = EDDY_GEN(huge, .bytes = "");
    EDDY_CHECK(!huge_next(&large, &byte));
    EDDY_CHECK_EQ(large.status, -EINVAL);

    EDDY_AUTO(eddy_gen) other = EDDY_GEN(count, .upto = 1);
    EDDY_CHECK(!huge_next(&other, &byte)); /* not of this type */
    EDDY_CHECK_EQ(other.status, -EINVAL);
    EDDY_CHECK(count_next(&other, &value));
    EDDY_CHECK_EQ(value, 1);
}

/* Every allocation fails once, then all after it: told in status, nothing leaks, no sibling hears. */
EDDY_TEST(out_of_memory_is_told_in_status)
{
    EDDY_CHECK_EQ(eddy_yield(), 0);
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 3);
        int value, sum = 0;
        while (count_next(&gen, &value))
            sum += value;
        EDDY_CHECK_EQ(gen.status, eddy_fault_fired(&f) ? -ENOMEM : 0);
        EDDY_CHECK_EQ(sum, eddy_fault_fired(&f) ? 0 : 6);
        EDDY_CHECK_EQ(eddy_scope_failures(&s), 0);
    }
}

/* The values of another, twice. */
struct twice_args {
    int upto, depth;
};

static int twice(struct eddy_gen *gen, struct twice_args *a);
EDDY_GENERATOR(twice, int);

static int twice(struct eddy_gen *gen, struct twice_args *a)
{
    EDDY_AUTO(eddy_gen)
    in = a->depth ? EDDY_GEN(twice, .upto = a->upto, .depth = a->depth - 1)
                  : EDDY_GEN(count, .upto = a->upto);
    int value, r;

    while (a->depth ? twice_next(&in, &value) : count_next(&in, &value))
        for (int i = 0; i < 2; i++)
            if ((r = eddy_gen_yield(gen, &value)) < 0)
                return r;
    return in.status;
}

static int nest(void)
{
    int value = UNSET, seen = 0;
    {
        EDDY_AUTO(eddy_gen) gen = EDDY_GEN(twice, .upto = 20, .depth = 3);
        while (twice_next(&gen, &value)) {
            EDDY_CHECK_EQ(value, 1 + seen / 16);
            seen++;
        }
        EDDY_CHECK_EQ(gen.status, 0);
    }
    EDDY_CHECK_EQ(seen, 20 * 16);
    {
        EDDY_AUTO(eddy_gen) gen = EDDY_GEN(twice, .upto = 20, .depth = 3); /* left early */
        for (int i = 0; i < 5; i++)
            EDDY_CHECK(twice_next(&gen, &value));
    }
    return 0;
}

EDDY_TEST(generators_nest)
{
    run_in_task(nest);
    EDDY_CHECK_EQ(nest(), 0);
}

struct endless_args {
    bool *stop;
    long *seen;
};

static int endless(struct endless_args *a)
{
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = INT32_MAX);
    int value;

    while (!*a->stop && count_next(&gen, &value))
        ++*a->seen;
    return gen.status;
}
EDDY_TASK(endless);

EDDY_TEST(long_one_starves_nobody)
{
    bool stop = false;
    long seen = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, endless, .stop = &stop, .seen = &seen);
    for (int i = 0; i < 100; i++)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK(seen > 100 && seen < 100000);
    stop = true;
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

struct second_args {
    struct eddy_gen *gen;
    int *ret_status;
    bool *ret_read;
};

static int second(struct second_args *a)
{
    int value;

    *a->ret_read = count_next(a->gen, &value);
    *a->ret_status = a->gen->status;
    return 0;
}
EDDY_TASK(second);

EDDY_TEST(one_reader_at_a_time)
{
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(count, .upto = 2, .sleep_ms = 5);
    int status = UNSET, value = UNSET;
    bool read = true;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, second, .gen = &gen, .ret_status = &status, .ret_read = &read);
    EDDY_CHECK(count_next(&gen, &value));
    EDDY_CHECK_EQ(value, 1);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK(!read);
    EDDY_CHECK_EQ(status, -EBUSY);
    EDDY_CHECK(count_next(&gen, &value));
    EDDY_CHECK_EQ(value, 2);
}

/* A scope inside the generator cuts its yields short: a value is kept, the next one waits. */
struct impatient_args {
    int upto;
    struct eddy_scope **ret_scope;
    int *ret_at;
};

static int impatient(struct eddy_gen *gen, struct impatient_args *a)
{
    for (int n = 1; n <= a->upto; n++) {
        EDDY_SCOPE(hurry, .timeout_ms = 0);
        *a->ret_scope = &hurry;
        *a->ret_at = n;
        EDDY_CHECK_EQ(eddy_gen_yield(gen, &n), -ECANCELED);
    }
    *a->ret_at = 0;
    return 0;
}
EDDY_GENERATOR(impatient, int);

static int slow_reader(void)
{
    struct eddy_scope *hurry = NULL;
    int value = UNSET, at = UNSET;
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(impatient, .upto = 3, .ret_scope = &hurry, .ret_at = &at);

    EDDY_CHECK(impatient_next(&gen, &value));
    EDDY_CHECK_EQ(value, 1);
    for (int n = 1; n <= 3; n++) { /* 1 was given, 2 is kept, 3 finds the place taken */
        EDDY_CHECK_EQ(at, n);
        eddy_scope_cancel(hurry);
        for (int i = 0; i < 3; i++)
            EDDY_CHECK_EQ(eddy_yield(), 0);
    }
    EDDY_CHECK_EQ(at, 0);
    EDDY_CHECK(impatient_next(&gen, &value));
    EDDY_CHECK_EQ(value, 2);
    EDDY_CHECK(!impatient_next(&gen, &value));
    return gen.status;
}

EDDY_TEST(a_kept_value_is_not_overwritten)
{
    run_in_task(slow_reader);
}

/* --- by chance ------------------------------------------------------------------------------------------- */

struct jumpy_args {
    int upto;
    uint64_t *dice;
};

static unsigned roll(uint64_t *dice, unsigned sides)
{
    *dice = *dice * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(*dice >> 33) % sides;
}

static int jumpy(struct eddy_gen *gen, struct jumpy_args *a)
{
    for (int n = 1; n <= a->upto; n++) {
        int r = 0;
        switch (roll(a->dice, 4)) {
        case 0: r = eddy_sleep(roll(a->dice, 3)); break;
        case 1: r = eddy_yield(); break;
        default: break;
        }
        if (r == 0)
            r = eddy_gen_yield(gen, &n);
        if (r < 0)
            return r;
    }
    return 0;
}
EDDY_GENERATOR(jumpy, int);

struct meddler_args {
    struct eddy_scope **current;
    const bool *stop;
    uint64_t *dice;
};

static int meddler(struct meddler_args *a)
{
    while (!*a->stop) {
        if (*a->current && roll(a->dice, 3) == 0) {
            eddy_scope_cancel(*a->current);
            *a->current = NULL;
        }
        if (roll(a->dice, 3))
            eddy_yield();
        else
            eddy_sleep(1);
    }
    return 0;
}
EDDY_TASK(meddler);

/* A reader that is cancelled again and again still sees every value, once and in order. */
static unsigned read_by_chance(uint64_t seed)
{
    uint64_t dice = seed;
    struct eddy_scope *current = NULL;
    bool stop = false;
    unsigned cancelled = 0;
    int want = 1;
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(jumpy, .upto = 200, .dice = &dice);

    EDDY_GO(&s, meddler, .current = &current, .stop = &stop, .dice = &dice);
    for (;;) {
        int value = UNSET;
        EDDY_SCOPE(one, .timeout_ms = roll(&dice, 4) ? 0 : 1);
        current = &one;
        bool read = jumpy_next(&gen, &value);
        current = NULL;
        if (read)
            EDDY_CHECK_EQ(value, want++);
        else
            EDDY_CHECK_EQ(value, UNSET);
        if (!read && gen.status == 0)
            break;
        cancelled += !read;
        EDDY_CHECK(read || gen.status == -ECANCELED || gen.status == -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(want, 201);
    stop = true;
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    return cancelled;
}

EDDY_TEST(random_cancels_lose_no_value)
{
    bool sim = strcmp(eddy_check_backend(), "sim") == 0;
    unsigned long first = eddy_check_number("EDDY_SEED", 1);
    unsigned long seeds = sim ? eddy_check_number("EDDY_SEEDS", 40) : 2;
    unsigned cancelled = 0;

    for (unsigned long seed = first; seed < first + seeds; seed++) {
        EDDY_OWN(eddy_loop) loop = NULL;
        if (sim)
            EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .seed = seed), &loop), 0);
        cancelled += read_by_chance(seed);
    }
    EDDY_CHECK(cancelled > 5);
}
