/*
 * front_test.c - the example that `make run` serves: a page that fetches other pages
 *
 * backends: select poll epoll uring
 */
#include "check.h"
#include "support/program.h"

#include <eddy/address.h>
#include <eddy/fetch.h>
#include <eddy/http.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/task.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The example, on a free port, with @upstream ("UPSTREAM=..."). */
static bool start(struct program *p, const char *upstream)
{
    char backend[64];

    snprintf(backend, sizeof backend, "BACKEND=%s", eddy_check_backend());
    return EDDY_CHECK(program_start(p, false,
                                    PROGRAM_ARGV("/usr/bin/env", "PORT=0", backend, upstream,
                                                 EDDY_BIN_DIR "/examples/front"))) &&
           EDDY_CHECK(program_await(p, "Ctrl-C ends it"));
}

static void end(struct program *p)
{
    kill(p->pid, SIGINT);
    EDDY_CHECK(program_end(p));
    EDDY_CHECK_EQ(p->exit, 0);
}

struct get_args {
    const struct program *p;
    const char *path;
    struct eddy_response *page;
    int64_t *ret_ms;
};

static int get(struct get_args *a)
{
    int64_t began = eddy_now_ns();
    char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", program_port(a->p), a->path);
    int r = eddy_fetch(url, NULL, a->page);
    *a->ret_ms = (eddy_now_ns() - began) / 1000000;
    return r;
}
EDDY_TASK(get);

static bool holds(const struct eddy_response *page, const char *text)
{
    return memmem(page->body.ptr, page->body.len, text, strlen(text)) != NULL;
}

EDDY_TEST(three_pages_come_at_once_while_others_are_served)
{
    static struct program p;
    EDDY_AUTO(eddy_response) page = { 0 };
    EDDY_AUTO(eddy_response) other = { 0 };
    int64_t page_ms = 0, other_ms = 0;

    if (!start(&p, "UPSTREAM="))
        return;
    {
        EDDY_SCOPE(visitors, .timeout_ms = 20000);
        EDDY_GO(&visitors, get, .p = &p, .path = "/", .page = &page, .ret_ms = &page_ms);
        EDDY_GO(&visitors, get, .p = &p, .path = "/other", .page = &other, .ret_ms = &other_ms);
        EDDY_CHECK_EQ(eddy_join(&visitors), 0);
    }
    EDDY_CHECK_EQ(page.status, 200);
    EDDY_CHECK(holds(&page, "Page 1, which took its time."));
    EDDY_CHECK(holds(&page, "Page 3, which took its time."));
    /* 450, 700 and 950 ms: one after the other they would take 2100. */
    EDDY_CHECK(page_ms >= 950 && page_ms < 2000);
    EDDY_CHECK_EQ(other.status, 404);
    EDDY_CHECK(other_ms < 450);
    end(&p);
}

EDDY_TEST(an_upstream_that_refuses_is_502)
{
    static struct program p;
    EDDY_AUTO(eddy_response) page = { 0 };
    int64_t ms = 0;

    if (!start(&p, "UPSTREAM=http://127.0.0.1:9/"))
        return;
    EDDY_CHECK_EQ(get(&(struct get_args){ &p, "/", &page, &ms }), 0);
    EDDY_CHECK_EQ(page.status, 502);
    EDDY_CHECK(holds(&page, "127.0.0.1:9"));
    EDDY_CHECK(holds(&page, "refused"));
    end(&p);
}

EDDY_TEST(an_upstream_that_is_too_slow_is_504)
{
    static struct program p;
    EDDY_OWN(eddy_listener) silent = NULL; /* the kernel accepts, and nobody ever answers */
    EDDY_AUTO(eddy_response) page = { 0 };
    struct eddy_address at;
    char upstream[64];
    int64_t ms = 0;

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &silent), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(silent, &at), 0))
        return;
    snprintf(upstream, sizeof upstream, "UPSTREAM=http://127.0.0.1:%d/x", eddy_address_port(&at));
    if (!start(&p, upstream))
        return;
    EDDY_CHECK_EQ(get(&(struct get_args){ &p, "/", &page, &ms }), 0);
    EDDY_CHECK_EQ(page.status, 504);
    EDDY_CHECK(ms >= 3000 && ms < 8000);
    end(&p);
}

static int elsewhere(struct eddy_request *req, struct eddy_reply *reply)
{
    return eddy_reply_printf(reply, "from elsewhere, <b>%.*s", EDDY_SLICE_ARG(req->path));
}

EDDY_TEST(an_upstream_that_answers_is_shown_as_text)
{
    static struct program p;
    EDDY_OWN(eddy_http_server) server = NULL;
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_AUTO(eddy_response) page = { 0 };
    struct eddy_http_stats stats;
    struct eddy_address at;
    char upstream[64];
    int64_t ms = 0;

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0) ||
        !EDDY_CHECK_EQ(eddy_http_serve(door, elsewhere, NULL, &server), 0))
        return;
    eddy_disown(&door);
    snprintf(upstream, sizeof upstream, "UPSTREAM=http://127.0.0.1:%d/x", eddy_address_port(&at));
    if (!start(&p, upstream))
        return;
    EDDY_CHECK_EQ(get(&(struct get_args){ &p, "/", &page, &ms }), 0);
    EDDY_CHECK_EQ(page.status, 200);
    EDDY_CHECK(holds(&page, "from elsewhere, &#60;b&#62;/x"));
    eddy_http_stats(server, &stats);
    EDDY_CHECK_EQ(stats.requests, 3);
    end(&p);
}

EDDY_TEST(ctrl_c_gives_a_running_page_its_grace_and_then_503)
{
    static struct program p;
    EDDY_OWN(eddy_listener) silent = NULL;
    EDDY_AUTO(eddy_response) page = { 0 };
    struct eddy_address at;
    char upstream[64];
    int64_t ms = 0;

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &silent), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(silent, &at), 0))
        return;
    snprintf(upstream, sizeof upstream, "UPSTREAM=http://127.0.0.1:%d/x", eddy_address_port(&at));
    if (!start(&p, upstream))
        return;
    EDDY_SCOPE(visitors, .timeout_ms = 20000);
    EDDY_GO(&visitors, get, .p = &p, .path = "/", .page = &page, .ret_ms = &ms);
    EDDY_CHECK_EQ(eddy_sleep(200), 0);
    kill(p.pid, SIGINT);
    EDDY_CHECK_EQ(eddy_join(&visitors), 0);
    EDDY_CHECK_EQ(page.status, 503);
    EDDY_CHECK(ms >= 200 + 1490 && ms < 2900); /* before the upstream is given up */
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
}
