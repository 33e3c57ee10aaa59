/*
 * task/event.c - something has happened
 */
#include "task/waiters.h"

#include <eddy/event.h>

struct event {
    bool set;
    struct eddy_waiters line; /* empty while it is set */
} __attribute__((may_alias));

static_assert(sizeof(struct event) <= sizeof(struct eddy_event), "a placed event has room");

static struct event *event_of(struct eddy_event *e)
{
    return (struct event *)(void *)e;
}

void eddy_event_init(struct eddy_event *e)
{
    *e = (struct eddy_event)EDDY_EVENT_INIT;
}

void eddy_event_done(struct eddy_event *e)
{
    assert(eddy_waiters_are_parents(&event_of(e)->line) || !eddy_waiters_first(&event_of(e)->line));
    (void)e;
}

void eddy_event_set(struct eddy_event *e)
{
    event_of(e)->set = true;
    if (eddy_waiters_are_parents(&event_of(e)->line))
        return;
    eddy_waiters_wake_all(&event_of(e)->line, 0);
}

void eddy_event_clear(struct eddy_event *e)
{
    event_of(e)->set = false;
}

bool eddy_event_is_set(const struct eddy_event *e)
{
    return ((const struct event *)(const void *)e)->set;
}

int eddy_event_wait(struct eddy_event *event)
{
    struct event *e = event_of(event);
    struct eddy_task *t;

    int r = eddy_waiters_enter(&e->line, &t);
    if (r < 0)
        return r;
    if (e->set) /* what was set once is not taken back by a clear while we give way */
        return eddy_lock_spend(t);
    struct eddy_waiter w = EDDY_WAITER("event", e, NULL);
    return eddy_waiters_wait(&e->line, t, &w);
}
