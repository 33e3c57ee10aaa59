/*
 * Connections as a list of tasks shows them, and as debug reports them when nobody closes them.
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include "loop/backtrace.h"
#include "loop/debug.h"

#include <eddy/address.h>
#include <eddy/inspect.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <stdio.h>
#include <string.h>

static void __attribute__((constructor)) load_once(void)
{
    (void)eddy__backtrace_is_there(); /* keeps two descriptors */
}

struct reader_args {
    struct eddy_stream *s;
};

static int reader(struct reader_args *a)
{
    char byte;

    return (int)eddy_read(a->s, &byte, 1);
}
EDDY_TASK(reader);

struct waiter_args {
    struct eddy_listener *l;
};

static int waiter(struct waiter_args *a)
{
    struct eddy_stream *s;

    return eddy_accept(a->l, &s);
}
EDDY_TASK(waiter);

/* A listener, and both ends of a connection to it. */
static bool connect_here(struct eddy_listener **l, struct eddy_stream **here,
                         struct eddy_stream **there)
{
    struct eddy_address address;
    char text[EDDY_ADDRESS_TEXT];

    return EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, l), 0) &&
           EDDY_CHECK_EQ(eddy_listener_address(*l, &address), 0) &&
           EDDY_CHECK_EQ(eddy_connect(eddy_address_format(&address, text, sizeof text), NULL, here),
                         0) &&
           EDDY_CHECK_EQ(eddy_accept(*l, there), 0);
}

struct seen {
    struct eddy_task_info reader, waiter;
};

static bool see(void *ctx, const struct eddy_task_info *task)
{
    struct seen *seen = ctx;

    if (strcmp(task->name, "reader") == 0)
        seen->reader = *task;
    else
        seen->waiter = *task;
    return true;
}

EDDY_TEST(a_waiting_task_shows_its_descriptor_and_addresses)
{
    EDDY_OWN(eddy_listener) l = NULL;
    EDDY_OWN(eddy_stream) here = NULL;
    EDDY_OWN(eddy_stream) there = NULL;
    struct eddy_address local, peer;
    char text[EDDY_ADDRESS_TEXT];
    struct seen seen = { 0 };

    if (!connect_here(&l, &here, &there))
        return;
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_GO(&s, reader, .s = there);
    EDDY_GO(&s, waiter, .l = l);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(
        eddy_tasks_each(eddy_loop_current(), EDDY_OPT(tasks, .addresses = true), see, &seen), 2);
    EDDY_CHECK_STR(seen.reader.waits, "read");
    EDDY_CHECK(seen.reader.fd >= 0);
    EDDY_CHECK_EQ(eddy_stream_local(there, &local), 0);
    EDDY_CHECK_EQ(eddy_stream_peer(there, &peer), 0);
    EDDY_CHECK_STR(seen.reader.local, eddy_address_format(&local, text, sizeof text));
    EDDY_CHECK_STR(seen.reader.peer, eddy_address_format(&peer, text, sizeof text));
    EDDY_CHECK_STR(seen.waiter.waits, "accept");
    EDDY_CHECK(seen.waiter.fd >= 0 && seen.waiter.fd != seen.reader.fd);
    EDDY_CHECK_STR(seen.waiter.local, seen.reader.local);
    EDDY_CHECK_STR(seen.waiter.peer, "");
}

EDDY_TEST(operations_in_flight_are_told_by_kind)
{
    EDDY_OWN(eddy_listener) l = NULL;
    EDDY_OWN(eddy_stream) here = NULL;
    EDDY_OWN(eddy_stream) there = NULL;
    struct eddy_loop_info info;
    unsigned reads = 0, accepts = 0;

    if (!connect_here(&l, &here, &there))
        return;
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_GO(&s, reader, .s = there);
    EDDY_GO(&s, waiter, .l = l);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    eddy_loop_info(eddy_loop_current(), &info);
    for (const struct eddy_operations *o = info.operations; o->name; o++) {
        if (strcmp(o->name, "recv") == 0 || strcmp(o->name, "lend") == 0)
            reads += o->pending;
        else if (strcmp(o->name, "accept") == 0)
            accepts = o->pending;
        else
            EDDY_CHECK_EQ(o->pending, 0);
    }
    EDDY_CHECK_EQ(reads, 1);
    EDDY_CHECK_EQ(accepts, 1);
    EDDY_CHECK_EQ(info.pending, 2);
}

/* --- what nobody closes ----------------------------------------------------------------------------- */

static char log_text[4][1200];
static int lines;

static void keep(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    if (lines < 4)
        snprintf(log_text[lines], sizeof log_text[lines], "%s", line);
    lines++;
}

EDDY_TEST(a_descriptor_that_nobody_closed_is_reported_with_its_birthplace)
{
    struct eddy_loop *loop;
    unsigned connections = 0, listeners = 0;

    lines = 0;
    eddy_log_to(keep, NULL, EDDY_LOG_WARNING);
    if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .debug = true, .stall_ms = 60000), &loop), 0))
        return;
    {
        EDDY_OWN(eddy_listener) l = NULL;
        EDDY_OWN(eddy_stream) here = NULL;
        EDDY_OWN(eddy_stream) there = NULL;

        if (connect_here(&l, &here, &there)) {
            EDDY_CHECK_EQ(eddy_stream_close(here), 0);
            eddy_stream_free(EDDY_TAKE(here));
            EDDY_CHECK_EQ(lines, 0);
            eddy_debug_end(loop); /* as at the loop's end: but then they could not be freed */
        }
    }
    for (int i = 0; i < lines && i < 4; i++) {
        connections += strstr(log_text[i], "a connection was never closed; made by ") != NULL;
        listeners += strstr(log_text[i], "a listener was never closed; made by ") != NULL;
        if (eddy__backtrace_is_there() && !EDDY_CHECK(strstr(log_text[i], "made by eddy_") &&
                                                      !strstr(log_text[i], "made by eddy__")))
            printf("log: %s\n", log_text[i]);
    }
    EDDY_CHECK_EQ(connections, 1);
    EDDY_CHECK_EQ(listeners, 1);
    EDDY_CHECK_EQ(lines, 2);
    eddy_loop_free(loop);
    eddy_log_to(NULL, NULL, EDDY_LOG_DEBUG);
}
