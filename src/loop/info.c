/*
 * loop/info.c - what a loop has done and has in hand, for whoever asks
 *
 * Nothing is counted here: the counters lie where the work is done, and are only gathered.
 */
#include "loop/loop.h"

#include <string.h>

static const char *const kinds[EDDY_OP_KINDS] = {
    [EDDY_OP_ACCEPT] = "accept", [EDDY_OP_CONNECT] = "connect", [EDDY_OP_RECV] = "recv",
    [EDDY_OP_LEND] = "lend",     [EDDY_OP_SEND] = "send",       [EDDY_OP_CLOSE] = "close",
    [EDDY_OP_POLL] = "poll",     [EDDY_OP_OPEN] = "open",       [EDDY_OP_READ] = "read",
    [EDDY_OP_WRITE] = "write",   [EDDY_OP_FSYNC] = "fsync",     [EDDY_OP_STAT] = "stat",
    [EDDY_OP_RENAME] = "rename", [EDDY_OP_UNLINK] = "unlink",   [EDDY_OP_MKDIR] = "mkdir",
    [EDDY_OP_LINK] = "link",     [EDDY_OP_SYMLINK] = "symlink", [EDDY_OP_LOOKUP] = "lookup",
};
static_assert(EDDY_OP_LOOKUP + 1 == EDDY_OP_KINDS, "a new kind needs a name here");

#define PLACES (sizeof((struct eddy_loop_info *)NULL)->operations / sizeof(struct eddy_operations))

static_assert(EDDY_OP_KINDS < PLACES, "every kind has a place in the report, and an end behind it");

const char *eddy__op_name(unsigned kind)
{
    assert(kind < EDDY_OP_KINDS);
    return kinds[kind];
}

void eddy_loop_info_sized(const struct eddy_loop *loop, struct eddy_loop_info *ret_info,
                          size_t size)
{
    const size_t live = (size_t)(loop->tasks_spawned - loop->tasks_finished);
    const size_t running = loop->current ? 1 : 0;
    struct eddy_loop_info info = {
        .backend = loop->driver->backend,
        .why = loop->why,
        .iterations = atomic_load_explicit(&loop->iterations, memory_order_relaxed),
        .completions = loop->completions,
        .timers_fired = loop->timers_fired,
        .timers = loop->wheel.count,
        .pending = loop->driver->pending,
        .timers_armed = loop->wheel.order,
        .posts = loop->posts_run,
        .sleeps = loop->sleeps,
        .total_ns = loop->driver->ops->now_ns(loop->driver) - loop->born_ns,
        .asleep_ns = loop->asleep_ns,
        .longest_ns = loop->longest_ns,
        .switches = atomic_load_explicit(&loop->switches, memory_order_relaxed),
        .tasks_spawned = loop->tasks_spawned,
        .tasks_finished = loop->tasks_finished,
        .tasks_running = running,
        .tasks_waiting = loop->tasks_waiting,
        .scopes = loop->scopes,
    };

    assert(live >= running + loop->tasks_waiting);
    info.tasks_ready = live - running - loop->tasks_waiting;
    for (unsigned kind = 0; kind < EDDY_OP_KINDS; kind++)
        info.operations[kind] = (struct eddy_operations){ eddy__op_name(kind),
                                                          loop->driver->in_flight[kind] };

    memset(ret_info, 0, size);
    memcpy(ret_info, &info, size < sizeof info ? size : sizeof info);
}
