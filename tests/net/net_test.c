/*
 * Listening, accepting, connecting, and what goes wrong with each.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/log.h>
#include <eddy/net.h>
#include <eddy/task.h>
#include <eddy/unix.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

static void settle(void)
{
    for (int i = 0; i < 30; i++)
        eddy_yield();
    eddy_sleep(is_sim() ? 100 : 1);
}

/* A listener and its address as text. */
static bool open_door(const char *address, struct eddy_listener **ret, char text[EDDY_ADDRESS_TEXT])
{
    struct eddy_address a;

    if (!EDDY_CHECK_EQ(eddy_listen(address, NULL, ret), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(*ret, &a), 0))
        return false;
    eddy_address_format(&a, text, EDDY_ADDRESS_TEXT);
    return true;
}

struct accept_one_args {
    struct eddy_listener *door;
    int *result;
    struct eddy_stream **stream;
};

static int accept_one(struct accept_one_args *a)
{
    *a->result = eddy_accept(a->door, a->stream);
    return 0;
}
EDDY_TASK(accept_one);

static void exchange(struct eddy_stream *a, struct eddy_stream *b)
{
    char buf[4] = { 0 };

    EDDY_CHECK_EQ(eddy_write_text(a, "ping"), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(b, buf, 4), 0);
    EDDY_CHECK_MEM(buf, 4, "ping", 4);
}

EDDY_TEST(a_connection_has_two_ends_that_know_their_addresses)
{
    static const char *const where[] = { "127.0.0.1:0", "unix:door.sock" };

    for (size_t i = 0; i < 2; i++) {
        EDDY_OWN(eddy_listener) door = NULL;
        EDDY_OWN(eddy_stream) client = NULL;
        EDDY_OWN(eddy_stream) server = NULL;
        struct eddy_address a, b;
        char text[EDDY_ADDRESS_TEXT];
        if (!open_door(where[i], &door, text))
            return;
        EDDY_CHECK_EQ(eddy_connect(text, NULL, &client), 0);
        EDDY_CHECK_EQ(eddy_accept(door, &server), 0);
        if (!client || !server)
            return;
        exchange(client, server);
        exchange(server, client);
        EDDY_CHECK_EQ(eddy_stream_peer(client, &a), 0);
        EDDY_CHECK_EQ(eddy_stream_local(server, &b), 0);
        EDDY_CHECK(eddy_address_eq(&a, &b));
    }
}

EDDY_TEST(a_listener_removes_its_path_and_replaces_a_dead_one)
{
    struct eddy_listener *door = NULL;
    char text[EDDY_ADDRESS_TEXT];
    struct stat st;

    if (is_sim())
        return;
    unlink("stale.sock"); /* of a run that failed */
    if (!open_door("unix:gone.sock", &door, text))
        return;
    EDDY_CHECK_EQ(stat("gone.sock", &st), 0);
    EDDY_CHECK_EQ(link("gone.sock", "stale.sock"), 0);
    eddy_listener_free(door);
    settle();
    EDDY_CHECK_EQ(stat("gone.sock", &st), -1);
    door = NULL;
    if (open_door("unix:stale.sock", &door, text))
        eddy_listener_free(door);
    EDDY_CHECK_EQ(stat("stale.sock", &st), -1);
}

EDDY_TEST(localhost_is_found_without_asking)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    char text[EDDY_ADDRESS_TEXT], name[64];

    if (!open_door("127.0.0.1:0", &door, text))
        return;
    snprintf(name, sizeof name, "localhost%s", strrchr(text, ':'));
    EDDY_CHECK_EQ(eddy_connect(name, NULL, &client), 0); /* ::1 is refused first */
    EDDY_CHECK_EQ(eddy_accept(door, &server), 0);
    if (client && server)
        exchange(client, server);
}

EDDY_TEST(a_port_in_use_is_named)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_listener) other = NULL;
    char text[EDDY_ADDRESS_TEXT];
    struct eddy_error err = { 0 };

    if (!open_door("127.0.0.1:0", &door, text))
        return;
    EDDY_CHECK_ERR(eddy_listen(text, EDDY_OPT(listen, .error = &err), &other), -EADDRINUSE);
    EDDY_CHECK(strstr(err.text, text) && strstr(err.text, "in use"));
    EDDY_CHECK(!other);
    /* Freed, it is free: at once, for the same address. */
    eddy_listener_free(EDDY_TAKE(door));
    settle();
    EDDY_CHECK_EQ(eddy_listen(text, NULL, &other), 0);
}

EDDY_TEST(what_is_no_address_is_refused)
{
    struct eddy_listener *door = NULL;
    struct eddy_stream *s = NULL;
    struct eddy_error err = { 0 };

    EDDY_CHECK_ERR(eddy_listen("example.org:80", EDDY_OPT(listen, .error = &err), &door), -EINVAL);
    EDDY_CHECK(strstr(err.text, "name"));
    EDDY_CHECK_ERR(eddy_listen("127.0.0.1:x", NULL, &door), -EINVAL);
    EDDY_CHECK_ERR(eddy_connect("127.0.0.1:99999", EDDY_OPT(connect, .error = &err), &s), -EINVAL);
    EDDY_CHECK_ERR(eddy_connect("example.org", NULL, &s), -EINVAL);
}

EDDY_TEST(a_refused_connection_says_so)
{
    struct eddy_listener *door = NULL;
    struct eddy_stream *s = NULL;
    struct eddy_error err = { 0 };
    char text[EDDY_ADDRESS_TEXT];

    if (!open_door("127.0.0.1:0", &door, text))
        return;
    eddy_listener_free(door);
    settle();
    EDDY_CHECK_ERR(eddy_connect(text, EDDY_OPT(connect, .error = &err), &s), -ECONNREFUSED);
    EDDY_CHECK(strstr(err.text, text));
    if (!is_sim())
        EDDY_CHECK_ERR(eddy_connect("unix:no-such.sock", NULL, &s), -ENOENT);
}

struct connect_one_args {
    const char *to;
    int64_t timeout_ms;
    int *result;
};

static int connect_one(struct connect_one_args *a)
{
    EDDY_OWN(eddy_stream) s = NULL;

    *a->result = eddy_connect(a->to, EDDY_OPT(connect, .timeout_ms = a->timeout_ms), &s);
    return 0;
}
EDDY_TASK(connect_one);

EDDY_TEST(connecting_ends_by_its_own_time_the_scopes_or_a_cancel)
{
    /* A Unix backlog that is full does not answer at all, and a sim drops the SYN; TCP does too. */
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT];
    struct eddy_stream *filling[8] = { 0 };
    int r = 0;

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .backlog = 1), &door), 0))
        return;
    eddy_listener_address(door, &a);
    eddy_address_format(&a, text, sizeof text);
    for (int i = 0; i < 8 && r == 0; i++)
        r = eddy_connect(text, EDDY_OPT(connect, .timeout_ms = 60), &filling[i]);
    EDDY_CHECK_ERR(r, -ETIMEDOUT);

    int own = 0, scopes = 0, outer = 0, cancelled = 0;
    {
        EDDY_SCOPE(tasks, .isolate = true);
        EDDY_GO(&tasks, connect_one, .to = text, .timeout_ms = 20, .result = &own);
        EDDY_GO(&tasks, connect_one, .to = text, .timeout_ms = -1, .result = &cancelled);
        eddy_sleep(50);
        eddy_scope_cancel(&tasks);
        eddy_join(&tasks);
    }
    {
        struct eddy_stream *s = NULL;
        EDDY_SCOPE(patience, .timeout_ms = 20);
        scopes = eddy_connect(text, NULL, &s);
    }
    {
        EDDY_SCOPE(patience, .timeout_ms = 20);
        EDDY_SCOPE(inner, .timeout_ms = 1000);
        struct eddy_stream *s = NULL;
        outer = eddy_connect(text, NULL, &s);
    }
    EDDY_CHECK_ERR(own, -ETIMEDOUT);
    EDDY_CHECK_ERR(cancelled, -ECANCELED);
    EDDY_CHECK_ERR(scopes, -ETIMEDOUT);
    EDDY_CHECK_ERR(outer, -ECANCELED);
    for (int i = 0; i < 8; i++)
        eddy_stream_free(filling[i]);
}

EDDY_TEST(a_cancelled_accept_loses_no_connection)
{
    EDDY_OWN(eddy_listener) door = NULL;
    char text[EDDY_ADDRESS_TEXT];
    int got = 0;

    if (!open_door("127.0.0.1:0", &door, text))
        return;
    for (int round = 0; round < 20; round++) {
        EDDY_OWN(eddy_stream) client = NULL;
        struct eddy_stream *server = NULL;
        int result = 1;
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, accept_one, .door = door, .result = &result, .stream = &server);
        for (int i = 0; i < round % 4; i++)
            eddy_yield();
        EDDY_CHECK_EQ(eddy_connect(text, NULL, &client), 0);
        for (int i = 0; i < round % 3; i++)
            eddy_yield();
        eddy_scope_cancel(&tasks);
        eddy_join(&tasks);
        EDDY_CHECK(result == 0 || result == -ECANCELED);
        got += result == 0;
        eddy_stream_free(server);
    }
    while (got < 20) {
        EDDY_OWN(eddy_stream) server = NULL;
        EDDY_SCOPE(patience, .timeout_ms = 2000);
        if (!EDDY_CHECK_EQ(eddy_accept(door, &server), 0))
            break;
        got++;
    }
    EDDY_CHECK_EQ(got, 20);
}

EDDY_TEST(a_burst_waits_until_it_is_accepted)
{
    enum { BURST = 100 };
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_stream *client[BURST] = { 0 };
    char text[EDDY_ADDRESS_TEXT];

    if (!open_door("127.0.0.1:0", &door, text))
        return;
    for (int i = 0; i < BURST; i++) {
        EDDY_OWN(eddy_stream) first = NULL;
        EDDY_CHECK_EQ(eddy_connect(text, NULL, &client[i]), 0);
        if (i == 0)
            EDDY_CHECK_EQ(eddy_accept(door, &first), 0); /* what it armed stays armed */
    }
    settle();
    for (int i = 1; i < BURST; i++) {
        EDDY_OWN(eddy_stream) server = NULL;
        char c = 0;
        EDDY_SCOPE(patience, .timeout_ms = 2000);
        EDDY_CHECK_EQ(eddy_write_text(client[i], "c"), 0);
        if (!EDDY_CHECK_EQ(eddy_accept(door, &server), 0))
            break;
        EDDY_CHECK_EQ(eddy_read(server, &c, 1), 1);
    }
    for (int i = 0; i < BURST; i++)
        eddy_stream_free(client[i]);
}

EDDY_TEST(accepting_ends_with_a_drain_and_with_the_listener)
{
    struct eddy_listener *door = NULL;
    char text[EDDY_ADDRESS_TEXT];
    struct eddy_stream *server = NULL;
    int result = 0;

    if (!open_door("127.0.0.1:0", &door, text))
        return;
    {
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, accept_one, .door = door, .result = &result, .stream = &server);
        settle();
        eddy_scope_drain(&tasks, 10000);
        EDDY_CHECK_EQ(eddy_join(&tasks), 0);
        EDDY_CHECK_ERR(result, -EDDY_EDRAINING);
    }
    {
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, accept_one, .door = door, .result = &result, .stream = &server);
        settle();
        eddy_listener_free(door);
        eddy_join(&tasks);
        EDDY_CHECK_ERR(result, -EBADF);
    }
}

/* --- for servers ------------------------------------------------------------------------------ */

struct hall {
    struct eddy_listener *door;
    int guests;
    int stop_at;
};

static const struct eddy_protocol nobody = { .size = sizeof(struct eddy_protocol) };

static void welcome(void *ctx, struct eddy_transport *t)
{
    struct hall *h = ctx;

    h->guests++;
    eddy_transport_use(t, &nobody, NULL);
    eddy_transport_close(t, 0);
    if (h->guests == h->stop_at)
        eddy__listener_stop(h->door);
}

EDDY_TEST(a_server_is_called_until_it_stops_and_again_when_it_starts)
{
    struct hall h = { .stop_at = 2 };
    struct eddy_stream *client[6] = { 0 };
    struct eddy_stream *server = NULL;
    char text[EDDY_ADDRESS_TEXT];

    if (!open_door("127.0.0.1:0", &h.door, text))
        return;
    EDDY_CHECK_EQ(eddy__listener_start(h.door, welcome, &h), 0);
    EDDY_CHECK_ERR(eddy__listener_start(h.door, welcome, &h), -EBUSY);
    EDDY_CHECK_ERR(eddy_accept(h.door, &server), -EBUSY);
    for (int i = 0; i < 6; i++)
        EDDY_CHECK_EQ(eddy_connect(text, NULL, &client[i]), 0);
    settle();
    EDDY_CHECK_EQ(h.guests, 2);
    EDDY_CHECK_EQ(eddy__listener_start(h.door, welcome, &h), 0);
    for (int i = 0; i < 1000 && h.guests < 6; i++)
        eddy_sleep(1);
    EDDY_CHECK_EQ(h.guests, 6);
    for (int i = 0; i < 6; i++)
        eddy_stream_free(client[i]);
    eddy_listener_free(h.door);
}

/* --- bad luck ----------------------------------------------------------------------------------- */

static int warnings;

static void count_warnings(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx;
    if (level == EDDY_LOG_WARNING && strstr(line, "cannot accept"))
        warnings++;
}

/* No descriptor is left to be given out, or as many as before. */
static void limit_descriptors(bool on)
{
    static struct rlimit before;
    struct rlimit now;

    if (on) {
        int next = dup(0);
        close(next);
        getrlimit(RLIMIT_NOFILE, &before);
        now = before;
        now.rlim_cur = (rlim_t)next;
        setrlimit(RLIMIT_NOFILE, &now);
    } else {
        setrlimit(RLIMIT_NOFILE, &before);
    }
}

EDDY_TEST(out_of_descriptors_it_waits_says_so_once_and_goes_on)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    struct eddy_stream *server = NULL;
    char text[EDDY_ADDRESS_TEXT];
    struct eddy_loop_info before, after;
    int result = 1;

    if (is_sim()) /* its descriptors are not the kernel's */
        return;
    if (!open_door("127.0.0.1:0", &door, text))
        return;
    EDDY_CHECK_EQ(eddy_connect(text, NULL, &client), 0);
    warnings = 0;
    eddy_log_to(count_warnings, NULL, EDDY_LOG_WARNING);
    EDDY_SCOPE(tasks, .timeout_ms = 0);
    limit_descriptors(true);
    EDDY_GO(&tasks, accept_one, .door = door, .result = &result, .stream = &server);
    eddy_loop_info(eddy_loop_current(), &before);
    eddy_sleep(350);
    eddy_loop_info(eddy_loop_current(), &after);
    limit_descriptors(false);
    EDDY_CHECK_EQ(result, 1);
    EDDY_CHECK_EQ(warnings, 1);
    EDDY_CHECK(after.iterations - before.iterations < 30); /* no busy loop */
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    EDDY_CHECK_EQ(result, 0);
    if (server)
        exchange(client, server);
    eddy_stream_free(server);
    eddy_log_to(NULL, NULL, EDDY_LOG_WARNING);
}

static int meet(void)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT];
    EDDY_SCOPE(patience, .timeout_ms = 250);

    int r = eddy_listen("127.0.0.1:0", NULL, &door);
    if (r == 0)
        r = eddy_listener_address(door, &a);
    if (r == 0)
        r = eddy_connect(eddy_address_format(&a, text, sizeof text),
                         EDDY_OPT(connect, .timeout_ms = 200), &client);
    if (r == 0)
        r = eddy_accept(door, &server);
    if (r == 0)
        r = eddy_write_text(client, "x");
    return r;
}

EDDY_TEST(no_failed_allocation_crashes_or_leaks)
{
    eddy_loop_current();
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = meet();
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        EDDY_CHECK(fired || r == 0);
        settle();
    }
}

struct count_args {
    struct eddy_stream *s;
    uint64_t *ret_count;
    char *ret_last; /* 4 bytes */
};

static int count(struct count_args *a)
{
    static char buf[1 << 20];
    ssize_t n;

    while ((n = eddy_read(a->s, buf, sizeof buf)) > 0) {
        *a->ret_count += (uint64_t)n;
        if (n >= 4)
            memcpy(a->ret_last, buf + n - 4, 4);
    }
    return (int)n;
}
EDDY_TASK(count);

/* More than the result of one operation could say. */
EDDY_TEST(a_write_may_have_over_2_gib)
{
    const size_t len = ((size_t)2 << 30) + 5;
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    uint64_t arrived = 0;
    char last[4] = "";

    if (is_sim() || !EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    void *zeros = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (zeros == MAP_FAILED)
        return; /* no room for so many addresses */
    struct iovec iov[] = { { "head", 4 }, { "", 0 }, { zeros, len }, { "0123456789tail", 14 } };
    EDDY_SCOPE(s, .timeout_ms = 60000);
    EDDY_GO(&s, count, .s = b, .ret_count = &arrived, .ret_last = last);
    EDDY_CHECK_EQ(eddy_writev(a, iov, 4), 0);
    EDDY_CHECK_EQ(eddy_stream_finish(a), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(arrived, len + 18);
    EDDY_CHECK_MEM(last, 4, "tail", 4);
    munmap(zeros, len);
}
