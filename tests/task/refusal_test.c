/*
 * refusal_test.c - calls in plain code that need a loop which cannot be made say why
 */
#include "check.h"

#include <eddy/channel.h>
#include <eddy/event.h>
#include <eddy/lock.h>
#include <eddy/loop.h>
#include <eddy/signal.h>
#include <eddy/task.h>
#include <eddy/watch.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static void ask_for(const char *backend)
{
    if (setenv("EDDY_BACKEND", backend, 1) < 0)
        abort();
}

void eddy_check_teardown(void)
{
    (void)unsetenv("EDDY_BACKEND");
}

static void on_event(void *ctx, unsigned events)
{
    (void)ctx;
    (void)events;
}

static void on_alarm(void *ctx)
{
    (void)ctx;
}

static bool on_idle(void *ctx)
{
    (void)ctx;
    return false;
}

struct nothing_args {
    int none;
};

static int nothing(struct nothing_args *a)
{
    return a->none;
}
EDDY_TASK(nothing);

static int work(void *arg)
{
    (void)arg;
    return 0;
}

EDDY_TEST(an_unknown_backend_comes_out_of_every_wait)
{
    EDDY_OWN(eddy_channel) ch = NULL;
    struct eddy_mutex mutex = EDDY_MUTEX_INIT;
    struct eddy_event event = EDDY_EVENT_INIT;
    int signo;

    EDDY_CHECK_EQ(eddy_channel_new(0, NULL, &ch), 0);
    ask_for("nonsense");
    EDDY_CHECK(eddy_loop_current() == NULL);
    EDDY_CHECK_ERR(eddy_sleep(1), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_yield(), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_offload(work, NULL), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_channel_receive(ch, NULL), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_mutex_lock(&mutex), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_event_wait(&event), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_signal_wait(EDDY_SIGNAL(SIGUSR1), &signo), -EDDY_EBACKEND);
    EDDY_SCOPE(scope, .timeout_ms = 0);
    EDDY_CHECK_ERR(EDDY_GO(&scope, nothing, 0), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_join(&scope), -EDDY_EBACKEND);
}

EDDY_TEST(an_unknown_backend_comes_out_of_what_is_made_for_a_loop)
{
    struct eddy_watch *watch = NULL;
    struct eddy_alarm *alarm = NULL;
    struct eddy_idle *idle = NULL;
    struct eddy_scope *scope = NULL;

    ask_for("nonsense");
    EDDY_CHECK_ERR(eddy_watch_new(0, EDDY_READABLE, on_event, NULL, &watch), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_alarm_new(on_alarm, NULL, &alarm), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_idle_new(on_idle, NULL, &idle), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_scope_new(NULL, &scope), -EDDY_EBACKEND);
}

EDDY_TEST(a_refusal_is_forgotten_when_a_loop_can_be_made)
{
    ask_for("nonsense");
    EDDY_CHECK_ERR(eddy_sleep(0), -EDDY_EBACKEND);
    eddy_check_teardown();
    EDDY_CHECK_EQ(eddy_sleep(0), 0);
    eddy_loop_free(eddy_loop_current());
    ask_for("nonsense");
    EDDY_CHECK_ERR(eddy_sleep(0), -EDDY_EBACKEND);
}
