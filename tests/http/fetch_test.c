/*
 * fetch_test.c - what a fetch makes of an answer, and of a question that cannot be asked
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "check.h"
#include "script.h"

#include "base/fault.h"
#include "base/memory.h"

#include <eddy/address.h>
#include <eddy/fetch.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ok_hi[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/* One question, one answer, one server. */
static int fetch_answer(const struct script_answer *answer,
                        const struct eddy_fetch_options *options, struct eddy_response *ret,
                        struct script *ret_script)
{
    struct script s = { .answers = answer, .count = 1 };
    EDDY_SCOPE(servers, .isolate = true);

    int r = script_start(&s, &servers);
    if (r == 0)
        r = eddy_fetch(s.url, options, ret);
    if (ret_script)
        *ret_script = s;
    return r;
}

EDDY_TEST(a_body_ends_by_length_by_chunks_or_by_close)
{
    static const struct {
        const char *name, *answer, *body;
        enum script_then then;
    } cases[] = {
        { "length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", SCRIPT_HANG },
        { "length zero", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", SCRIPT_HANG },
        { "chunks",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
          "hello", SCRIPT_HANG },
        { "chunks with a trailer",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: "
          "b\r\n\r\n",
          "hello", SCRIPT_HANG },
        { "until close", "HTTP/1.1 200 OK\r\n\r\nhello", "hello", SCRIPT_CLOSE },
        { "HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello", "hello", SCRIPT_CLOSE },
        { "interim answers first",
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
          "hello", SCRIPT_HANG },
        { "204 has none", "HTTP/1.1 204 No Content\r\n\r\n", "", SCRIPT_HANG },
        { "304 has none, whatever it says",
          "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", SCRIPT_HANG },
        { "errors are answers, too", "HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\nhello", "hello",
          SCRIPT_HANG },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EDDY_AUTO(eddy_response) page = { 0 };
        struct script_answer answer = { cases[i].answer, cases[i].then, 0 };
        int r = fetch_answer(&answer, NULL, &page, NULL);
        if (!EDDY_CHECK_EQ(r, 0) ||
            !EDDY_CHECK_MEM(page.body.ptr, page.body.len, cases[i].body, strlen(cases[i].body)))
            EDDY_CHECK_FAIL("case: %s", cases[i].name);
    }
}

EDDY_TEST(a_broken_answer_is_an_error_with_a_reason)
{
    static const struct {
        const char *name, *answer;
        int want;
    } cases[] = {
        { "nothing", NULL, -EDDY_EEOF },
        { "half a head", "HTTP/1.1 200 OK\r\nConte", -EDDY_EEOF },
        { "half a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", -EDDY_EEOF },
        { "half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
          -EDDY_EEOF },
        { "no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
          -EDDY_EEOF },
        { "not HTTP", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", -EDDY_EUPSTREAM },
        { "two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
          -EDDY_EUPSTREAM },
        { "length and chunks",
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          -EDDY_EUPSTREAM },
        { "a chunk size with a sign",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n",
          -EDDY_EUPSTREAM },
        { "another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi",
          -EDDY_EUPSTREAM },
        { "another version", "HTTP/3.7 200 OK\r\nContent-Length: 2\r\n\r\nhi", -EDDY_EUPSTREAM },
        { "a protocol nobody asked for",
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
          -EDDY_EUPSTREAM },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EDDY_AUTO(eddy_response) page = { 0 };
        struct eddy_error err = { 0 };
        struct script_answer answer = { cases[i].answer, SCRIPT_CLOSE, 0 };
        int r = fetch_answer(&answer, EDDY_OPT(fetch, .error = &err, .method = "POST"), &page,
                             NULL);
        if (!EDDY_CHECK_ERR(r, cases[i].want) || !EDDY_CHECK_EQ(err.code, r) ||
            !EDDY_CHECK(err.text[0] != '\0') || !EDDY_CHECK_EQ(page.status, 0))
            EDDY_CHECK_FAIL("case: %s; it says: %s", cases[i].name, err.text);
    }
}

EDDY_TEST(a_body_over_the_bound_is_refused_whichever_way_it_comes)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"),
        "HTTP/1.1 200 OK\r\n\r\nhello world",
    };

    for (size_t i = 0; i < 3; i++) {
        for (size_t bound = 10; bound <= 11; bound++) {
            EDDY_AUTO(eddy_response) page = { 0 };
            struct script_answer answer = { answers[i], SCRIPT_CLOSE, 0 };
            int r = fetch_answer(&answer, EDDY_OPT(fetch, .max_body = bound), &page, NULL);
            if (!EDDY_CHECK_ERR(r, bound == 11 ? 0 : -EDDY_EANSWER_TOOBIG))
                EDDY_CHECK_FAIL("answer %zu, bound %zu", i, bound);
        }
    }
}

EDDY_TEST(a_head_without_end_is_refused)
{
    static char endless[70000];
    struct script_answer answer = { endless, SCRIPT_HANG, 0 };
    EDDY_AUTO(eddy_response) page = { 0 };

    memset(endless, 'a', sizeof endless - 1);
    memcpy(endless, "HTTP/1.1 200 OK\r\nX: ", 20);
    EDDY_CHECK_ERR(fetch_answer(&answer, NULL, &page, NULL), -EDDY_EUPSTREAM);
}

EDDY_TEST(a_fetch_sends_what_it_was_told)
{
    static const struct eddy_header headers[] = {
        { { "X-One", 5 }, { "1", 1 } },
        { { "user-agent", 10 }, { "me", 2 } },
    };
    struct script_answer answer = { ok_hi, SCRIPT_KEEP, 0 };
    EDDY_AUTO(eddy_response) page = { 0 };
    struct script s;

    int r = fetch_answer(
        &answer, EDDY_OPT(fetch, .headers = headers, .header_count = 2, .body = EDDY_SLICE("abc")),
        &page, &s);
    EDDY_CHECK_EQ(r, 0);
    EDDY_CHECK(strncmp(s.request, "POST / HTTP/1.1\r\nHost: 127.0.0.1:", 33) == 0);
    EDDY_CHECK(strstr(s.request, "\r\nX-One: 1\r\nuser-agent: me\r\nContent-Length: 3\r\n\r\n"));
    EDDY_CHECK(!strstr(s.request, "User-Agent: eddy"));
}

struct mirror_args {
    struct eddy_listener *door;
    size_t len;
    bool refuses; /* answers, reads no body, and ends nothing */
};

/* Gives a body back while it comes. */
static int mirror(struct mirror_args *a)
{
    EDDY_OWN(eddy_stream) s = NULL;
    char buf[8192];

    int r = eddy_accept(a->door, &s);
    ssize_t n = r < 0 ? r : eddy_read_until(s, EDDY_SLICE("\r\n\r\n"), buf, sizeof buf);
    if (n < 0)
        return (int)n;
    if (a->refuses) {
        r = eddy_write_text(s, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
        return r < 0 ? r : eddy_sleep(60000);
    }
    snprintf(buf, sizeof buf, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", a->len);
    r = eddy_write_text(s, buf);
    for (size_t left = a->len; left && r == 0; left -= (size_t)n) {
        n = eddy_read(s, buf, left < sizeof buf ? left : sizeof buf);
        r = n <= 0 ? (int)n - !n : eddy_write(s, buf, (size_t)n);
    }
    return r;
}
EDDY_TASK(mirror);

/* More than all the buffers between hold: who sent everything first would never come to read. */
EDDY_TEST(a_server_may_answer_while_it_reads)
{
    const size_t len = (size_t)(strcmp(eddy_check_backend(), "sim") == 0 ? 2 : 24) << 20;
    char *body = malloc(len);

    for (size_t i = 0; i < len; i++)
        body[i] = (char)(i * 7 + i / 256);
    for (int refuses = 0; refuses < 2; refuses++) {
        EDDY_AUTO(eddy_response) page = { 0 };
        EDDY_OWN(eddy_listener) door = NULL;
        struct eddy_error err = { 0 };
        struct eddy_address at;
        char url[64];
        if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
            !EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0))
            break;
        snprintf(url, sizeof url, "http://127.0.0.1:%u/", eddy_address_port(&at));
        EDDY_SCOPE(servers, .isolate = true);
        EDDY_GO(&servers, mirror, .door = door, .len = len, .refuses = refuses == 1);
        int r = eddy_fetch(url,
                           EDDY_OPT(fetch, .body = { body, len }, .max_body = len,
                                    .timeout_ms = 60000, .error = &err),
                           &page);
        if (!EDDY_CHECK_EQ(r, 0))
            EDDY_CHECK_FAIL("it says: %s", err.text);
        EDDY_CHECK_EQ(page.status, refuses ? 413 : 200);
        if (!refuses)
            EDDY_CHECK_MEM(page.body.ptr, page.body.len, body, len);
    }
    free(body);
}

EDDY_TEST(the_answer_to_head_has_no_body)
{
    static const struct script_answer answers[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 500\r\nX-Y:  z \r\n\r\n", SCRIPT_KEEP, 0 },
        { ok_hi, SCRIPT_KEEP, 0 },
    };
    struct script s = SCRIPT(answers);
    EDDY_AUTO(eddy_response) page = { 0 };
    EDDY_AUTO(eddy_response) next = { 0 };
    EDDY_SCOPE(servers, .isolate = true);

    EDDY_CHECK_EQ(script_start(&s, &servers), 0);
    EDDY_CHECK_EQ(eddy_fetch(s.url, EDDY_OPT(fetch, .method = "HEAD"), &page), 0);
    EDDY_CHECK_EQ(page.body.len, 0);
    EDDY_CHECK_MEM(eddy_response_header(&page, "x-y").ptr, eddy_response_header(&page, "x-y").len,
                   "z", 1);
    EDDY_CHECK(!eddy_response_header(&page, "absent").ptr);
    EDDY_CHECK_EQ(eddy_fetch(s.url, NULL, &next), 0);
    EDDY_CHECK_EQ(s.connections, 1);
}

EDDY_TEST(the_answer_goes_to_the_arena_that_was_named)
{
    struct script_answer answer = { ok_hi, SCRIPT_KEEP, 0 };
    struct eddy_arena arena = EDDY_ARENA(100000);
    struct eddy_arena small = EDDY_ARENA(1500);
    static char large[4000];
    EDDY_AUTO(eddy_response) page = { 0 };

    EDDY_CHECK_EQ(fetch_answer(&answer, EDDY_OPT(fetch, .arena = &arena), &page, NULL), 0);
    EDDY_CHECK(arena.used > 0);
    EDDY_CHECK_EQ(page.own.used, 0);
    eddy_arena_done(&arena);

    int len = snprintf(large, sizeof large, "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n");
    memset(large + len, 'x', 3000);
    answer.text = large;
    EDDY_CHECK_ERR(fetch_answer(&answer, EDDY_OPT(fetch, .arena = &small), &page, NULL),
                   -EDDY_EANSWER_TOOBIG);
    eddy_arena_done(&small);
}

EDDY_TEST(a_url_that_cannot_be_used_says_why)
{
    static const char *const urls[] = {
        "",
        "example.org",
        "ftp://example.org/",
        "http://",
        "http:///path",
        "http://host:99999/",
        "http://host/ HTTP/1.1",
        "http://host/\r\nX-Evil: 1",
        "http://host/%zz",
        "http://user:secret@host/",
    };

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct eddy_error err = { 0 };
        EDDY_AUTO(eddy_response) page = { 0 };
        int r = eddy_fetch(urls[i], EDDY_OPT(fetch, .error = &err), &page);
        if (!EDDY_CHECK_ERR(r, -EDDY_EURL) || !EDDY_CHECK(err.text[0] != '\0'))
            EDDY_CHECK_FAIL("URL: %s", urls[i]);
    }
}

EDDY_TEST(no_header_ends_a_line)
{
    static const struct eddy_header bad[] = {
        { { "X", 1 }, { "a\r\nX-Evil: 1", 12 } },
        { { "X", 1 }, { "a\nb", 3 } },
        { { "X", 1 }, { "a\0b", 3 } },
        { { "X Y", 3 }, { "a", 1 } },
        { { "X:", 2 }, { "a", 1 } },
        { { "", 0 }, { "a", 1 } },
        { { "X\r\nY", 4 }, { "a", 1 } },
        { { "Content-Length", 14 }, { "5", 1 } },
        { { "transfer-encoding", 17 }, { "chunked", 7 } },
    };
    static const char *const methods[] = { "GET / HTTP/1.1\r\nX: y\r\n\r\n", "G T", "", "CONNECT" };
    EDDY_AUTO(eddy_response) page = { 0 };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!EDDY_CHECK_ERR(eddy_fetch("http://127.0.0.1:1/",
                                       EDDY_OPT(fetch, .headers = &bad[i], .header_count = 1),
                                       &page),
                            -EINVAL))
            EDDY_CHECK_FAIL("header %zu", i);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (!EDDY_CHECK_ERR(
                eddy_fetch("http://127.0.0.1:1/", EDDY_OPT(fetch, .method = methods[i]), &page),
                -EINVAL))
            EDDY_CHECK_FAIL("method %zu", i);
}

static void in_a_callback(void *ctx)
{
    EDDY_AUTO(eddy_response) page = { 0 };

    *(int *)ctx = eddy_fetch("http://127.0.0.1:1/", NULL, &page);
}

EDDY_TEST(a_callback_may_not_fetch)
{
    int r = 1;

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), in_a_callback, &r), 0);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_ERR(r, -EDEADLK);
}

/* --- every failed allocation -------------------------------------------------------------------- */

/* Two fetches on one connection, with the loop's making and end: nothing may be left. */
static int two_fetches(void)
{
    static const struct script_answer answers[] = {
        { ok_hi, SCRIPT_KEEP, 0 },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", SCRIPT_KEEP,
          0 },
    };
    struct script s = SCRIPT(answers);
    EDDY_OWN(eddy_loop) loop = NULL;
    EDDY_AUTO(eddy_response) first = { 0 };
    EDDY_AUTO(eddy_response) second = { 0 };

    int r = eddy_loop_new(NULL, &loop);
    if (r < 0)
        return r;
    EDDY_SCOPE(servers, .isolate = true);
    r = script_start(&s, &servers);
    if (r == 0)
        r = eddy_fetch(s.url, EDDY_OPT(fetch, .timeout_ms = 250), &first);
    if (r == 0)
        r = eddy_fetch(s.url, EDDY_OPT(fetch, .timeout_ms = 250), &second);
    if (r == 0)
        EDDY_CHECK_MEM(second.body.ptr, second.body.len, "hi", 2);
    return r;
}

/* Under every failure of a kind: an error or none, and nothing is left. */
static void survive_every(enum eddy_fault_kind kind, const char *what)
{
    size_t live = eddy__memory_live();

    for (struct eddy_fault f = eddy_fault_each(kind); eddy_fault_next(&f);) {
        int r = two_fetches();
        eddy_fault_stop();
        /* The server shares our process, and what fails may be its part, which the client sees as
         * a connection that ends; or be shrugged off. */
        if (!eddy_fault_fired(&f))
            EDDY_CHECK_EQ(r, 0);
        EDDY_CHECK(r <= 0);
        if (!EDDY_CHECK_EQ(eddy__memory_live(), live)) {
            EDDY_CHECK_FAIL("%s %lu%s", what, f.k, f.persistent ? " and all after it" : "");
            return;
        }
    }
}

EDDY_TEST(a_failed_allocation_is_an_error_and_leaves_nothing)
{
    survive_every(EDDY_FAULT_ALLOC, "allocation");
}

EDDY_TEST(a_failed_system_call_is_an_error_and_leaves_nothing)
{
    survive_every(EDDY_FAULT_SYS, "system call");
}

EDDY_TEST(a_failed_operation_is_an_error_and_leaves_nothing)
{
    survive_every(EDDY_FAULT_OP, "operation");
}
