/*
 * The table of rules in eddy/task.h, a test for each row, on every driver.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/event.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <string.h>

static int64_t elapsed_ms(int64_t since_ns)
{
    return (eddy_now_ns() - since_ns) / 1000000;
}

/* Sleeps, and says how it ended. */
struct sleeper_args {
    int64_t ms;
    int result;
    int *ended;
};

static int sleeper(struct sleeper_args *a)
{
    int r = eddy_sleep(a->ms);

    if (a->ended)
        *a->ended = r;
    return r < 0 ? r : a->result;
}
EDDY_TASK(sleeper);

#define UNSET 12345

EDDY_TEST(leaving_cancels_and_waits)
{
    int ended = UNSET;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, sleeper, .ms = 60000, .ended = &ended);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_EQ(ended, UNSET);
    }
    EDDY_CHECK_EQ(ended, -ECANCELED);
}

EDDY_TEST(leaving_twice_is_leaving_once)
{
    int ended = UNSET, outer = UNSET;
    EDDY_SCOPE(o, .timeout_ms = 0);

    EDDY_GO(&o, sleeper, .ms = 1, .ended = &outer);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, sleeper, .ms = 60000, .ended = &ended);
        eddy_scope_cancel(&s);
        EDDY_CHECK_EQ(eddy_sleep(1), -ECANCELED);
        eddy_scope_leave(&s);
        EDDY_CHECK_EQ(ended, -ECANCELED);
        EDDY_CHECK_EQ(eddy_sleep(2), 0); /* in the outer one now */
        EDDY_CHECK_EQ(EDDY_GO(&s, sleeper, .ms = 1, .ended = &ended), -EBADF);
        EDDY_CHECK_EQ(eddy_join(&s), -EBADF);
        eddy_scope_cancel(&s);
        eddy_scope_leave(&s);
    }
    EDDY_CHECK_EQ(outer, 0);
    EDDY_CHECK_EQ(eddy_join(&o), 0);
}

EDDY_TEST(join_waits_without_cancelling)
{
    int a = UNSET, b = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, sleeper, .ms = 5, .ended = &a);
    EDDY_GO(&s, sleeper, .ms = 10, .ended = &b);
    int64_t start = eddy_now_ns();
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(a, 0);
    EDDY_CHECK_EQ(b, 0);
    EDDY_CHECK(elapsed_ms(start) >= 10);
    EDDY_CHECK_EQ(eddy_scope_tasks(&s), 0);
}

EDDY_TEST(first_failure_cancels_siblings)
{
    int a = UNSET, b = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, sleeper, .ms = 60000, .ended = &a);
    EDDY_GO(&s, sleeper, .ms = 1, .result = -EIO, .ended = &b);
    EDDY_CHECK_EQ(eddy_join(&s), -EIO);
    EDDY_CHECK_EQ(a, -ECANCELED);
    EDDY_CHECK_EQ(b, 0);
}

EDDY_TEST(first_failure_cancels_body)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, sleeper, .ms = 1, .result = -EIO);
    EDDY_CHECK_EQ(eddy_sleep(60000), -ECANCELED);
}

EDDY_TEST(join_returns_first_failure)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, sleeper, .ms = 2, .result = -EPROTO);
    EDDY_GO(&s, sleeper, .ms = 1, .result = -EIO);
    EDDY_GO(&s, sleeper, .ms = 60000);
    EDDY_CHECK_EQ(eddy_join(&s), -EIO);
    EDDY_CHECK_EQ(eddy_join(&s), -EIO);
}

struct failures {
    int count;
    int last;
    const char *name;
};

static void on_fail(void *ctx, const char *name, int error)
{
    struct failures *f = ctx;

    f->count++;
    f->last = error;
    f->name = name;
}

EDDY_TEST(isolated_children_fail_alone)
{
    struct failures f = { 0 };
    int other = UNSET;
    EDDY_SCOPE(s, .isolate = true, .on_fail = on_fail, .ctx = &f);

    EDDY_GO(&s, sleeper, .ms = 1, .result = -EIO);
    EDDY_GO(&s, sleeper, .ms = 5, .ended = &other);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(other, 0);
    EDDY_CHECK_EQ(f.count, 1);
    EDDY_CHECK_EQ(f.last, -EIO);
    EDDY_CHECK_STR(f.name, "sleeper");
    EDDY_CHECK_EQ(eddy_scope_failures(&s), 1);
}

struct owner_args {
    int *ran;
    int *then;
};

static int owner(struct owner_args *a)
{
    *a->ran = 1;
    *a->then = eddy_sleep(1000);
    return 0;
}
EDDY_TASK(owner);

EDDY_TEST(child_runs_though_cancelled)
{
    int ran = 0, then = UNSET;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_CHECK_EQ(EDDY_GO(&s, owner, .ran = &ran, .then = &then), 0);
        eddy_scope_cancel(&s);
        EDDY_CHECK_EQ(ran, 0);
    }
    EDDY_CHECK_EQ(ran, 1);
    EDDY_CHECK_EQ(then, -ECANCELED);
}

EDDY_TEST(cancellation_is_level)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    eddy_scope_cancel(&s);
    for (int i = 0; i < 3; i++) {
        EDDY_CHECK_EQ(eddy_sleep(1), -ECANCELED);
        EDDY_CHECK_EQ(eddy_yield(), -ECANCELED);
    }
}

EDDY_TEST(entry_is_checked_first)
{
    EDDY_SCOPE(s, .timeout_ms = 1);
    int64_t start = eddy_now_ns();

    /* Computing past the deadline: no timer could fire, yet the next call knows that it is late.
     * The simulator's clock stands still while we compute, so it is moved by a sleep. */
    while (elapsed_ms(start) < 3 && strcmp(eddy_check_backend(), "sim") != 0)
        ;
    if (strcmp(eddy_check_backend(), "sim") == 0)
        eddy_sleep(3);
    EDDY_CHECK_EQ(eddy_sleep(0), -ETIMEDOUT);
    EDDY_CHECK(eddy_scope_expired(&s));
}

static void wake_it(void *ctx)
{
    eddy__wake(ctx, 7);
}

static void never_interrupted(struct eddy_wait *w, int why)
{
    (void)w;
    (void)why; /* a request only: the event is on its way */
}

EDDY_TEST(completion_wins)
{
    EDDY_SCOPE(s, .timeout_ms = 0);
    struct eddy_wait w = EDDY_WAIT(never_interrupted, "test");

    EDDY_CHECK_EQ(eddy__wait_check(), 0);
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), wake_it, &w), 0);
    eddy_scope_cancel(&s);
    EDDY_CHECK_EQ(eddy__wait(&w), 7);
    EDDY_CHECK_EQ(eddy_sleep(1), -ECANCELED);
}

static int ended_with;

static void take_note(struct eddy_wait *w, int why)
{
    ended_with = why;
    eddy__wake(w, why);
}

/* A call that waits twice looks at its scope once: the end that came in between must not be lost. */
EDDY_TEST(a_wait_that_begins_in_an_ended_scope_is_over)
{
    EDDY_SCOPE(s, .timeout_ms = 0);
    struct eddy_wait w = EDDY_WAIT(take_note, "test");

    EDDY_CHECK_EQ(eddy__wait_check(), 0);
    eddy_scope_cancel(&s);
    EDDY_CHECK_EQ(eddy__wait(&w), -ECANCELED);
    EDDY_CHECK_EQ(ended_with, -ECANCELED);
}

EDDY_TEST(own_deadline_is_etimedout)
{
    EDDY_CHECK_EQ(eddy_yield(), 0); /* there is a loop now, whose clock it is */
    int64_t start = eddy_now_ns();
    EDDY_SCOPE(s, .timeout_ms = 5);

    EDDY_CHECK(!eddy_scope_expired(&s));
    EDDY_CHECK_EQ(eddy_sleep(60000), -ETIMEDOUT);
    EDDY_CHECK(elapsed_ms(start) >= 5);
    EDDY_CHECK(eddy_scope_expired(&s));

    int child = UNSET;
    EDDY_SCOPE(t, .timeout_ms = 5, .shield = true);
    EDDY_GO(&t, sleeper, .ms = 60000, .ended = &child);
    EDDY_CHECK_EQ(eddy_join(&t), -ETIMEDOUT);
    EDDY_CHECK_EQ(child, -ETIMEDOUT);
}

EDDY_TEST(a_time_without_end_is_long)
{
    static const int64_t times[] = { INT64_MAX, INT64_MAX / 2, INT64_MAX / 1000000 };

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int ended = UNSET;
        EDDY_SCOPE(outer, .timeout_ms = times[i]);
        EDDY_SCOPE(s, .timeout_ms = 500);
        EDDY_GO(&s, sleeper, .ms = times[i], .ended = &ended);
        EDDY_GO(&s, sleeper, .ms = 1);
        eddy_scope_drain(&outer, times[i]);
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
        EDDY_CHECK_EQ(ended, UNSET);
        EDDY_CHECK_ERR(eddy_join(&s), -ETIMEDOUT);
        EDDY_CHECK_ERR(ended, -ETIMEDOUT);
        EDDY_CHECK(!eddy_scope_expired(&outer));
    }
}

EDDY_TEST(outer_end_is_ecanceled)
{
    EDDY_SCOPE(outer, .timeout_ms = 5);
    {
        EDDY_SCOPE(inner, .timeout_ms = 60000);
        EDDY_CHECK_EQ(eddy_sleep(60000), -ECANCELED);
        EDDY_CHECK(!eddy_scope_expired(&inner));
    }
    {
        /* Both ended: the outer one outranks. */
        EDDY_SCOPE(inner, .timeout_ms = 1);
        EDDY_CHECK_EQ(eddy_sleep(60000), -ECANCELED);
    }
    EDDY_CHECK_EQ(eddy_sleep(1), -ETIMEDOUT);
}

EDDY_TEST(shield_lets_a_farewell_wait)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    eddy_scope_cancel(&s);
    {
        EDDY_SHIELD(bye, .timeout_ms = 5);
        EDDY_CHECK_EQ(eddy_sleep(1), 0);
        EDDY_CHECK_EQ(eddy_sleep(60000), -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(eddy_sleep(1), -ECANCELED);
}

struct adder_args {
    int value;
    int *sum;
};

static int adder(struct adder_args *a)
{
    int r = eddy_yield();

    *a->sum += a->value;
    return r;
}
EDDY_TASK(adder);

EDDY_TEST(arguments_are_copied)
{
    int sum = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    for (int i = 1; i <= 100; i++)
        EDDY_GO(&s, adder, .value = i, .sum = &sum);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(sum, 5050);
}

struct bulky_args {
    char bytes[1024];
    int *ran;
};

static int bulky(struct bulky_args *a)
{
    *a->ran = 1;
    return 0;
}
EDDY_TASK(bulky);

struct just_fits_args {
    char bytes[1016];
    int *ran;
};

static int just_fits(struct just_fits_args *a)
{
    *a->ran = a->bytes[1015];
    return 0;
}
EDDY_TASK(just_fits);

EDDY_TEST(arguments_over_1_kib_are_einval)
{
    int ran = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(EDDY_GO(&s, just_fits, .bytes = { [1015] = 7 }, .ran = &ran), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(ran, 7);
    EDDY_CHECK_ERR(EDDY_GO(&s, bulky, .ran = &ran), -EINVAL);
    EDDY_CHECK_ERR(eddy_join(&s), -EINVAL); /* and it is the scope's first failure */
    EDDY_CHECK_EQ(ran, 7);
}

EDDY_TEST(join_looks_at_an_inner_scope_first)
{
    int ended = UNSET;
    EDDY_SCOPE(outer, .timeout_ms = 0);

    {
        EDDY_SCOPE(inner, .timeout_ms = 0);
        eddy_scope_cancel(&inner);
        EDDY_CHECK_ERR(eddy_join(&outer), -ECANCELED); /* though nobody is to be waited for */
    }
    EDDY_GO(&outer, sleeper, .ms = 5, .ended = &ended);
    {
        EDDY_SCOPE(inner, .timeout_ms = 0);
        eddy_scope_cancel(&inner);
        EDDY_CHECK_ERR(eddy_join(&outer), -ECANCELED);
        EDDY_CHECK_EQ(ended, UNSET);
    }
    {
        EDDY_SCOPE(inner, .timeout_ms = 1);
        EDDY_CHECK_ERR(eddy_join(&outer), -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(eddy_join(&outer), 0);
    EDDY_CHECK_EQ(ended, 0);
}

EDDY_TEST(join_of_an_ended_scope_waits_for_its_children)
{
    int ended = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, sleeper, .ms = 60000, .ended = &ended);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_scope_cancel(&s);
    EDDY_CHECK_ERR(eddy_join(&s), -ECANCELED);
    EDDY_CHECK_ERR(ended, -ECANCELED);
}

EDDY_TEST(drain_asks_then_cancels)
{
    int ended = UNSET;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK(!eddy_draining());
    EDDY_GO(&s, sleeper, .ms = 60000, .ended = &ended);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    int64_t start = eddy_now_ns();
    eddy_scope_drain(&s, 100);
    EDDY_CHECK(eddy_draining());
    EDDY_CHECK_EQ(eddy_sleep(2), 0);
    EDDY_CHECK_EQ(ended, UNSET);
    EDDY_CHECK_EQ(eddy_join(&s), -ECANCELED);
    EDDY_CHECK(elapsed_ms(start) >= 100);
    EDDY_CHECK_EQ(ended, -ECANCELED);
}

static void in_callback(void *ctx)
{
    int *r = ctx;
    EDDY_SCOPE(s, .timeout_ms = 5);

    r[0] = eddy_sleep(1);
    r[1] = EDDY_GO(&s, sleeper, .ms = 1);
    r[2] = eddy_join(&s);
    r[3] = eddy_loop_turn(eddy_loop_current(), 0);
    r[4] = eddy_yield();
}

EDDY_TEST(callback_gets_edeadlk)
{
    int r[5] = { 0 };

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), in_callback, r), 0);
    EDDY_CHECK_EQ(eddy_sleep(2), 0);
    for (int i = 0; i < 5; i++)
        EDDY_CHECK_EQ(r[i], -EDEADLK);
}

EDDY_TEST(plain_code_turns_the_loop)
{
    EDDY_CHECK(eddy_loop_current() != NULL); /* from here on its clock is ours */
    int64_t start = eddy_now_ns();

    EDDY_CHECK_STR(eddy_task_name(), "main");
    EDDY_CHECK_EQ(eddy_sleep(5), 0);
    EDDY_CHECK(elapsed_ms(start) >= 5);
}

/* --- the end of the loop --------------------------------------------------------------------------- */

static void count_up(void *ctx)
{
    ++*(int *)ctx;
}

/* A task that starts others in the scope it was started in, at its first line and after a wait. */
struct breeder_args {
    struct eddy_scope *scope;
    int more;
    int *begun;
    int *ended;
};

static int breeder(struct breeder_args *a);
EDDY_TASK(breeder);

static int breeder(struct breeder_args *a)
{
    ++*a->begun;
    if (a->more)
        EDDY_GO(a->scope, breeder, a->scope, a->more - 1, a->begun, a->ended);
    int r = eddy_sleep(60000);
    if (a->more)
        EDDY_GO(a->scope, breeder, a->scope, a->more - 1, a->begun, a->ended);
    ++*a->ended;
    return r;
}

EDDY_TEST(children_start_others_while_their_scope_is_closed)
{
    int begun = 0, ended = 0, closed = 0;
    struct eddy_scope *scope;

    EDDY_CHECK_EQ(eddy_scope_new(NULL, &scope), 0);
    EDDY_GO(scope, breeder, scope, 3, &begun, &ended);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_scope_close(scope, count_up, &closed);
    while (!closed)
        EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(begun, 15);
    EDDY_CHECK_EQ(ended, 15);
}

/* A worker, and who starts another one when it has ended, from outside its scope. */
struct shift {
    struct eddy_scope *workers;
    struct eddy_event ended;
    int begun;
};

struct worker_args {
    struct shift *shift;
};

static int worker(struct worker_args *a)
{
    a->shift->begun++;
    int r = eddy_sleep(60000);
    eddy_event_set(&a->shift->ended);
    return r;
}
EDDY_TASK(worker);

static int foreman(struct worker_args *a)
{
    for (int i = 0; i < 2; i++) {
        int r = eddy_event_wait(&a->shift->ended);
        if (r < 0)
            return r;
        eddy_event_clear(&a->shift->ended);
        EDDY_GO(a->shift->workers, worker, a->shift);
    }
    return 0;
}
#define foreman_args worker_args
EDDY_TASK(foreman);

EDDY_TEST(who_comes_while_a_scope_is_left_is_waited_for)
{
    for (int join = 0; join < 2; join++) {
        struct shift shift = { .ended = EDDY_EVENT_INIT };
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, foreman, &shift);
        {
            EDDY_SCOPE(workers, .timeout_ms = 0);
            shift.workers = &workers;
            EDDY_GO(&workers, worker, &shift);
            EDDY_CHECK_EQ(eddy_sleep(2), 0);
            if (join) {
                eddy_scope_cancel(&workers);
                EDDY_CHECK_ERR(eddy_join(&workers), -ECANCELED);
                EDDY_CHECK_EQ(eddy_scope_tasks(&workers), 0);
            }
        }
        EDDY_CHECK_EQ(shift.begun, 3);
        eddy_scope_cancel(&s);
    }
}

EDDY_TEST(a_scope_closed_just_before_its_loop_ends_says_so)
{
    struct eddy_scope *scope = NULL;
    struct eddy_stack_info info = { .size = sizeof info };
    int closed = 0;

    EDDY_CHECK_EQ(eddy_scope_new(NULL, &scope), 0);
    EDDY_GO(scope, sleeper, .ms = 3600000);
    eddy_stack_info(&info);
    EDDY_CHECK_EQ(info.live, 1);
    eddy_scope_close(scope, count_up, &closed);
    eddy_loop_free(eddy_loop_current());
    EDDY_CHECK_EQ(closed, 1);
}
