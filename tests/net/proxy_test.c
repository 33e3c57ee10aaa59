/*
 * The PROXY protocol on accept and on connect: who is told, who is dropped, who waits.
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

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned warnings, told;
static char last_line[512];

static void count_lines(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx;
    told++;
    warnings += level >= EDDY_LOG_WARNING;
    snprintf(last_line, sizeof last_line, "%s", line);
}

static void hear(void)
{
    warnings = told = 0;
    last_line[0] = '\0';
    eddy_log_to(count_lines, NULL, EDDY_LOG_DEBUG);
}

void eddy_check_teardown(void)
{
    eddy_log_to(NULL, NULL, EDDY_LOG_WARNING);
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

static bool open_door(const struct eddy_listen_options *options, struct eddy_listener **ret,
                      char text[EDDY_ADDRESS_TEXT])
{
    struct eddy_address a;

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", options, ret), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(*ret, &a), 0))
        return false;
    eddy_address_format(&a, text, EDDY_ADDRESS_TEXT);
    return true;
}

#define REQUIRED(...) EDDY_OPT(listen, .proxy = EDDY_PROXY_REQUIRED, __VA_ARGS__)

/* A client that writes @bytes; and, when they are a header, the server's side of it. */
static struct eddy_stream *say(const char *address, const void *bytes, size_t len)
{
    struct eddy_stream *s = NULL;

    if (EDDY_CHECK_EQ(eddy_connect(address, NULL, &s), 0))
        EDDY_CHECK_EQ(eddy_write(s, bytes, len), 0);
    return s;
}

#define SAY(address, text) say((address), (text), sizeof(text) - 1)

static bool is_peer(const struct eddy_stream *s, const char *want)
{
    char text[EDDY_ADDRESS_TEXT];
    struct eddy_address a;

    return EDDY_CHECK_EQ(eddy_stream_peer(s, &a), 0) &&
           EDDY_CHECK_STR(eddy_address_format(&a, text, sizeof text), want);
}

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define IP4 "\xc0\0\2\1\xc0\0\2\2\x9c\x40\1\xbb"

EDDY_TEST(the_client_is_the_peer)
{
    EDDY_OWN(eddy_listener) door = NULL;
    char text[EDDY_ADDRESS_TEXT], local[EDDY_ADDRESS_TEXT], buf[16];
    struct eddy_proxy p;
    struct eddy_slice value;
    struct eddy_address a;

    if (!open_door(REQUIRED(), &door, text))
        return;
    /* Bytes behind the header, in the same piece, are the first that are read. */
    {
        EDDY_OWN(eddy_stream)
        client = SAY(text, "PROXY TCP4 203.0.113.7 192.0.2.2 40000 443\r\nhello");
        EDDY_OWN(eddy_stream) server = NULL;
        if (!EDDY_CHECK_EQ(eddy_accept(door, &server), 0))
            return;
        is_peer(server, "203.0.113.7:40000");
        EDDY_CHECK_EQ(eddy_stream_local(server, &a), 0); /* ours stays ours */
        EDDY_CHECK_STR(eddy_address_format(&a, local, sizeof local), text);
        EDDY_CHECK_EQ(eddy_read_exactly(server, buf, 5), 0);
        EDDY_CHECK_MEM(buf, 5, "hello", 5);
        EDDY_CHECK_EQ(eddy_stream_info(server, EDDY_INFO_PROXY, &p), 0);
        EDDY_CHECK_EQ(p.version, 1);
        EDDY_CHECK_STR(eddy_address_format(&p.destination, buf, sizeof buf), "192.0.2.2:443");
        EDDY_CHECK_EQ(eddy_stream_local(client, &a), 0);
        EDDY_CHECK(eddy_address_eq(&p.via, &a)); /* who told it */
    }
    {
        EDDY_OWN(eddy_stream)
        client = SAY(text, V2 "\x21\x11\0\x1f" IP4 "\1\0\2h2\2\0\13example.org"
                              "x");
        EDDY_OWN(eddy_stream) server = NULL;
        if (!EDDY_CHECK_EQ(eddy_accept(door, &server), 0))
            return;
        is_peer(server, "192.0.2.1:40000");
        EDDY_CHECK_EQ(eddy_stream_info(server, EDDY_INFO_PROXY, &p), 0);
        EDDY_CHECK_EQ(eddy_proxy_extension(&p, EDDY_PROXY_AUTHORITY, &value), 0);
        EDDY_CHECK_MEM(value.ptr, value.len, "example.org", 11);
        EDDY_CHECK_EQ(eddy_read(server, buf, sizeof buf), 1);
    }
}

/* Nobody's connection but the proxy's own: its address stays. */
EDDY_TEST(a_local_header_leaves_the_proxy_as_the_peer)
{
    EDDY_OWN(eddy_listener) door = NULL;
    char text[EDDY_ADDRESS_TEXT], local[EDDY_ADDRESS_TEXT];
    struct eddy_address a;
    struct eddy_proxy p;

    if (!open_door(REQUIRED(), &door, text))
        return;
    for (int i = 0; i < 2; i++) {
        EDDY_OWN(eddy_stream)
        client = i ? SAY(text, V2 "\x20\0\0\0") : SAY(text, "PROXY UNKNOWN\r\n");
        EDDY_OWN(eddy_stream) server = NULL;
        if (!EDDY_CHECK_EQ(eddy_accept(door, &server), 0))
            return;
        EDDY_CHECK_EQ(eddy_stream_local(client, &a), 0);
        is_peer(server, eddy_address_format(&a, local, sizeof local));
        EDDY_CHECK_EQ(eddy_stream_info(server, EDDY_INFO_PROXY, &p), 0);
        EDDY_CHECK(p.local);
    }
    EDDY_OWN(eddy_listener) plain = NULL;
    if (!open_door(NULL, &plain, text))
        return;
    EDDY_OWN(eddy_stream) client = SAY(text, "x");
    EDDY_OWN(eddy_stream) server = NULL;
    EDDY_CHECK_EQ(eddy_accept(plain, &server), 0);
    EDDY_CHECK_ERR(eddy_stream_info(server, EDDY_INFO_PROXY, &p), -ENOENT);
}

/* The longest header, one byte at a time. */
EDDY_TEST(a_long_header_may_come_in_pieces)
{
    struct eddy_proxy p = { .version = 2, .checksum = true }, got;
    static char large[3 + 3000] = { EDDY_PROXY_NOOP, (char)(3000 >> 8), (char)(3000 & 255) };
    EDDY_OWN(eddy_listener) door = NULL;
    char text[EDDY_ADDRESS_TEXT], buf[EDDY_PROXY_MAX];

    EDDY_CHECK_EQ(eddy_address_parse("[2001:db8::1]:1", 0, &p.source, NULL), 0);
    EDDY_CHECK_EQ(eddy_address_parse("[2001:db8::2]:2", 0, &p.destination, NULL), 0);
    p.extensions = (struct eddy_slice){ large, sizeof large };
    ssize_t n = eddy_proxy_write(&p, buf, sizeof buf);
    if (!EDDY_CHECK(n > 3000) || !open_door(REQUIRED(), &door, text))
        return;
    EDDY_OWN(eddy_stream) client = say(text, buf, 1);
    EDDY_OWN(eddy_stream) server = NULL;
    for (ssize_t i = 1; i < n && client; i += i < 60 ? 1 : 777) {
        EDDY_CHECK_EQ(eddy_yield(), 0);
        size_t len = i < 60 ? 1 : n - i < 777 ? (size_t)(n - i) : 777;
        EDDY_CHECK_EQ(eddy_write(client, buf + i, len), 0);
    }
    if (!EDDY_CHECK_EQ(eddy_accept(door, &server), 0))
        return;
    is_peer(server, "[2001:db8::1]:1");
    EDDY_CHECK_EQ(eddy_stream_info(server, EDDY_INFO_PROXY, &got), 0);
    EDDY_CHECK(got.checksum);
    EDDY_CHECK_EQ(got.extensions.len, sizeof large + 7);
    EDDY_CHECK_MEM(got.extensions.ptr, sizeof large, large, sizeof large);
}

/* Whether the other end has dropped @s, within 10 s. */
static bool is_dropped(struct eddy_stream *s)
{
    EDDY_SCOPE(patience, .timeout_ms = 10000);
    char byte;
    ssize_t n = eddy_read(s, &byte, 1);

    return EDDY_CHECK(n == 0 || n == -ECONNRESET);
}

EDDY_TEST(a_slow_header_holds_nobody)
{
    EDDY_OWN(eddy_listener) door = NULL;
    char text[EDDY_ADDRESS_TEXT];

    hear();
    if (!open_door(REQUIRED(.proxy_timeout_ms = 200), &door, text))
        return;
    EDDY_OWN(eddy_stream) silent = SAY(text, "");
    EDDY_OWN(eddy_stream) slow = SAY(text, "PROXY TCP4 1.2.3.4");
    EDDY_OWN(eddy_stream) quick = SAY(text, "PROXY TCP4 1.2.3.5 1.1.1.1 5 1\r\n");
    EDDY_OWN(eddy_stream) server = NULL;
    EDDY_CHECK_EQ(eddy_accept(door, &server), 0);
    is_peer(server, "1.2.3.5:5");
    is_dropped(silent);
    is_dropped(slow);
    EDDY_CHECK_EQ(warnings, 1); /* one for a row of them */
    EDDY_CHECK(strstr(last_line, "in time") != NULL);
    /* It goes on, and who is late but in time is taken. */
    EDDY_OWN(eddy_stream) next = SAY(text, "PROXY TCP4 1.2.3.6");
    EDDY_CHECK_EQ(eddy_sleep(20), 0);
    EDDY_CHECK_EQ(eddy_write(next, " 1.1.1.1 6 1\r\n", 14), 0);
    EDDY_OWN(eddy_stream) other = NULL;
    EDDY_CHECK_EQ(eddy_accept(door, &other), 0);
    is_peer(other, "1.2.3.6:6");
}

EDDY_TEST(what_is_no_header_is_dropped)
{
    static const char *const lines[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                         "PROXY TCP4 1.2.3.4 1.1.1.1 5 65536\r\n",
                                         "\r\n\r\n1234567890" };
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    char text[EDDY_ADDRESS_TEXT];

    hear();
    if (!open_door(REQUIRED(), &door, text))
        return;
    EDDY_SCOPE(accepting, .isolate = true);
    for (size_t i = 0; i < 3; i++) {
        EDDY_OWN(eddy_stream) client = say(text, lines[i], strlen(lines[i]));
        {
            EDDY_SCOPE(patience, .timeout_ms = 30);
            EDDY_CHECK_ERR(eddy_accept(door, &server), -ETIMEDOUT);
        }
        is_dropped(client);
    }
    EDDY_CHECK_EQ(warnings, 1);
    EDDY_CHECK_EQ(told, 3);
    EDDY_CHECK(strstr(last_line, "127.0.0.1:") && strstr(last_line, "not a PROXY header"));
    /* And one that ends in the middle. */
    EDDY_OWN(eddy_stream) half = SAY(text, "PROXY TCP4");
    EDDY_CHECK_EQ(eddy_stream_close(half), 0);
    EDDY_SCOPE(patience, .timeout_ms = 30);
    EDDY_CHECK_ERR(eddy_accept(door, &server), -ETIMEDOUT);
}

EDDY_TEST(only_the_named_proxies_are_heard)
{
    static const struct {
        const char *from;
        bool heard;
    } cases[] = {
        { "127.0.0.1", true },
        { "127.0.0.0/8", true },
        { "10.0.0.0/8, ::1 127.0.0.1/32", true },
        { "0.0.0.0/0", true },
        { "::/0", true },
        { "::ffff:127.0.0.1", true },
        { "127.0.0.2", false },
        { "127.0.0.2/31", false },
        { "127.0.0.0/30", true },
        { "127.0.0.0/31", true },
        { "128.0.0.0/1", false },
        { "10.0.0.0/8 ::1", false },
        { "unix:", false },
    };
    static const char *const wrong[] = { "",      " , ",       "10.0.0.0/33", "::/129",
                                         "x",     "10.0.0.0/", "/8",          "10.0.0.0/-1",
                                         "1.2.3", "unix:/x",   "10.0.0.0/8/8" };
    char text[EDDY_ADDRESS_TEXT];
    struct eddy_error err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EDDY_OWN(eddy_listener) door = NULL;
        EDDY_OWN(eddy_stream) server = NULL;
        if (!open_door(REQUIRED(.proxy_from = cases[i].from), &door, text))
            return;
        EDDY_OWN(eddy_stream) client = SAY(text, "PROXY TCP4 1.2.3.4 1.1.1.1 5 1\r\n");
        EDDY_SCOPE(patience, .timeout_ms = cases[i].heard ? 10000 : 30);
        if (!EDDY_CHECK_EQ(eddy_accept(door, &server), cases[i].heard ? 0 : -ETIMEDOUT))
            printf("from %s\n", cases[i].from);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct eddy_listener *door = NULL;
        EDDY_CHECK_ERR(
            eddy_listen("127.0.0.1:0", REQUIRED(.proxy_from = wrong[i], .error = &err), &door),
            -EINVAL);
        EDDY_CHECK(strstr(err.text, ".proxy_from") != NULL);
    }
}

EDDY_TEST(wrong_options_are_named)
{
    struct eddy_listener *door = NULL;
    struct eddy_error err = { 0 };
    char many[40 * 9 + 1] = "";

    EDDY_CHECK_ERR(eddy_listen("127.0.0.1:0",
                               EDDY_OPT(listen, .proxy = (enum eddy_proxy_mode)7, .error = &err),
                               &door),
                   -EINVAL);
    EDDY_CHECK(strstr(err.text, ".proxy is 7") != NULL);
    EDDY_CHECK_ERR(
        eddy_listen("127.0.0.1:0", REQUIRED(.proxy_timeout_ms = -1, .error = &err), &door),
        -EINVAL);
    EDDY_CHECK(strstr(err.text, ".proxy_timeout_ms") != NULL);
    for (int i = 0; i < 33; i++)
        strcat(many, "10.0.0.1 ");
    EDDY_CHECK_ERR(eddy_listen("127.0.0.1:0", REQUIRED(.proxy_from = many, .error = &err), &door),
                   -EINVAL);
    EDDY_CHECK(strstr(err.text, "32 networks") != NULL);
}

/* A listener goes while headers are due, are there, and have been accepted. */
EDDY_TEST(a_listener_may_go_at_any_time)
{
    for (int turns = 0; turns < 8; turns++) {
        struct eddy_listener *door = NULL;
        char text[EDDY_ADDRESS_TEXT];
        if (!open_door(REQUIRED(), &door, text))
            return;
        EDDY_OWN(eddy_stream) first = SAY(text, "PROXY UNKNOWN\r\n");
        EDDY_OWN(eddy_stream) server = NULL;
        EDDY_CHECK_EQ(eddy_accept(door, &server), 0); /* an accept stays armed */
        EDDY_OWN(eddy_stream) slow = SAY(text, "PROXY TC");
        EDDY_OWN(eddy_stream) ready = SAY(text, "PROXY UNKNOWN\r\n");
        for (int i = 0; i < turns; i++)
            EDDY_CHECK_EQ(eddy_yield(), 0);
        eddy_listener_free(door);
        is_dropped(slow);
        is_dropped(ready);
    }
}

/* So many slow ones that the oldest have to go. */
EDDY_TEST(a_crowd_of_slow_ones_loses_its_oldest)
{
    enum { CROWD = 1024 };
    static struct eddy_stream *slow[CROWD + 2];
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    char text[EDDY_ADDRESS_TEXT], byte;

    if (strcmp(eddy_check_backend(), "select") == 0)
        return; /* it holds fewer descriptors */
    hear();
    if (!open_door(REQUIRED(.proxy_timeout_ms = 60000, .backlog = 4096), &door, text))
        return;
    EDDY_SCOPE(s, .isolate = true);
    for (int i = 0; i < CROWD + 2; i++) {
        slow[i] = SAY(text, "PROXY");
        if (i == 0) {
            EDDY_SCOPE(patience, .timeout_ms = 20); /* it is the first that was accepted */
            EDDY_CHECK_ERR(eddy_accept(door, &server), -ETIMEDOUT);
        }
    }
    EDDY_CHECK_EQ(eddy_write(slow[CROWD + 1], " UNKNOWN\r\n", 10), 0);
    EDDY_CHECK_EQ(eddy_accept(door, &server), 0);
    is_dropped(slow[0]);
    {
        EDDY_SCOPE(patience, .timeout_ms = 20);
        EDDY_CHECK_ERR(eddy_read(slow[CROWD], &byte, 1), -ETIMEDOUT);
    }
    for (int i = 0; i < CROWD + 2; i++)
        eddy_stream_free(slow[i]);
    eddy_listener_free(EDDY_TAKE(door));
}

EDDY_TEST(an_announced_client_comes_first)
{
    static const struct {
        unsigned version;
        const char *from, *to, *peer; /* NULL: our own end */
        bool local;
    } cases[] = {
        { 1, "203.0.113.9:1234", "192.0.2.1:80", "203.0.113.9:1234", false },
        { 2, "203.0.113.9:1234", "192.0.2.1:80", "203.0.113.9:1234", false },
        { 2, "[2001:db8::9]:1", "[::1]:80", "[2001:db8::9]:1", false },
        { 2, "unix:/run/x", "unix:@y", "unix:/run/x", false },
        { 1, NULL, NULL, NULL, false },
        { 2, NULL, NULL, NULL, false },
        { 2, NULL, NULL, NULL, true },
    };
    EDDY_OWN(eddy_listener) door = NULL;
    char text[EDDY_ADDRESS_TEXT], own[EDDY_ADDRESS_TEXT], buf[2];
    struct eddy_address a;

    if (!open_door(REQUIRED(), &door, text))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EDDY_OWN(eddy_stream) client = NULL;
        EDDY_OWN(eddy_stream) server = NULL;
        struct eddy_proxy p = { .version = cases[i].version, .local = cases[i].local }, got;
        if (cases[i].from) {
            EDDY_CHECK_EQ(eddy_address_parse(cases[i].from, 0, &p.source, NULL), 0);
            EDDY_CHECK_EQ(eddy_address_parse(cases[i].to, 0, &p.destination, NULL), 0);
        }
        if (!EDDY_CHECK_EQ(eddy_connect(text, EDDY_OPT(connect, .proxy_header = &p), &client), 0) ||
            !EDDY_CHECK_EQ(eddy_write(client, "hi", 2), 0) ||
            !EDDY_CHECK_EQ(eddy_accept(door, &server), 0))
            return;
        EDDY_CHECK_EQ(eddy_stream_local(client, &a), 0);
        is_peer(server, cases[i].peer ? cases[i].peer : eddy_address_format(&a, own, sizeof own));
        EDDY_CHECK_EQ(eddy_stream_info(server, EDDY_INFO_PROXY, &got), 0);
        EDDY_CHECK_EQ(got.version, cases[i].version);
        EDDY_CHECK_EQ(got.local, cases[i].local);
        EDDY_CHECK_EQ(got.source.len != 0, !cases[i].local);
        EDDY_CHECK_EQ(eddy_read_exactly(server, buf, 2), 0);
        EDDY_CHECK_MEM(buf, 2, "hi", 2);
    }
}

EDDY_TEST(a_header_that_cannot_be_written_is_refused)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_stream *s = NULL;
    struct eddy_proxy p = { .version = 3 };
    struct eddy_error err = { 0 };
    char text[EDDY_ADDRESS_TEXT];

    if (!open_door(NULL, &door, text))
        return;
    EDDY_CHECK_ERR(eddy_connect(text, EDDY_OPT(connect, .proxy_header = &p, .error = &err), &s),
                   -EINVAL);
    EDDY_CHECK(strstr(err.text, ".proxy_header") != NULL);
    p.version = 2;
    EDDY_CHECK_EQ(eddy_address_parse("1.2.3.4:1", 0, &p.source, NULL), 0);
    EDDY_CHECK_ERR(eddy_connect(text, EDDY_OPT(connect, .proxy_header = &p), &s), -EINVAL);
}

static int meet(void)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    struct eddy_proxy p = { .version = 2, .extensions = EDDY_SLICE("\1\0\2h2") };
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT];
    EDDY_SCOPE(patience, .timeout_ms = 250);

    int r = eddy_listen("127.0.0.1:0", REQUIRED(), &door);
    if (r == 0)
        r = eddy_listener_address(door, &a);
    if (r == 0)
        r = eddy_connect(eddy_address_format(&a, text, sizeof text),
                         EDDY_OPT(connect, .timeout_ms = 200, .proxy_header = &p), &client);
    if (r == 0)
        r = eddy_accept(door, &server);
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
        for (int i = 0; i < 30; i++)
            eddy_yield();
        eddy_sleep(is_sim() ? 100 : 1);
    }
}
