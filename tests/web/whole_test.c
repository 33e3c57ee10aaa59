/*
 * All floors at once: a fetch, a network, a server, a router, a handler that fetches in its turn.
 * With every allocation failing, and on a hundred simulated networks with impatient visitors.
 *
 * backends: select poll epoll uring sim
 * seeds: yes
 * faults: yes
 * timeout: 120
 */
#include "base/fault.h"
#include "base/memory.h"
#include "check.h"

#include <eddy/address.h>
#include <eddy/fetch.h>
#include <eddy/json.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/task.h>
#include <eddy/web.h>

#include <stdio.h>
#include <string.h>

static char base_url[64]; /* "http://127.0.0.1:4711" */

/* {"id":"7"}, by way of the writer. */
static int user(struct eddy_request *req, struct eddy_reply *reply)
{
    struct eddy_buffer text = EDDY_BUFFER(1000);
    struct eddy_json_out out = EDDY_JSON_OUT(&text);

    eddy_json_out_object(&out);
    eddy_json_out_key(&out, "id");
    eddy_json_out_string(&out, eddy_request_param(req, "id"));
    eddy_json_out_object_end(&out);
    int r = eddy_json_out_done(&out);
    if (r == 0)
        r = eddy_reply_json(reply,
                            (struct eddy_slice){ text.ptr + text.start, text.end - text.start });
    eddy_buffer_done(&text);
    return r;
}

struct grab_args {
    struct eddy_arena *arena;
    int number;
    struct eddy_response *into;
};

static int grab(struct grab_args *a)
{
    char url[96];

    snprintf(url, sizeof url, "%s/users/%d", base_url, a->number);
    return eddy_fetch(url, EDDY_OPT(fetch, .arena = a->arena, .timeout_ms = 1000), a->into);
}
EDDY_TASK(grab);

/* Two pages of this very server, at once, and both in one reply. */
static int both(struct eddy_request *req, struct eddy_reply *reply)
{
    struct eddy_response page[2] = { 0 };
    EDDY_SCOPE(grabs, .timeout_ms = 2000);

    for (int i = 0; i < 2; i++)
        EDDY_GO(&grabs, grab, .arena = req->arena, .number = i + 1, .into = &page[i]);
    int r = eddy_join(&grabs);
    if (r < 0)
        return r;
    if (page[0].status != 200 || page[1].status != 200)
        return 502;
    return eddy_reply_printf(reply, "%.*s %.*s", EDDY_SLICE_ARG(page[0].body),
                             EDDY_SLICE_ARG(page[1].body));
}

static int echo(struct eddy_request *req, struct eddy_reply *reply)
{
    return eddy_reply_write(reply, req->body.ptr, req->body.len);
}

static const struct eddy_route routes[] = {
    EDDY_GET("/users/{id}", user),
    EDDY_GET("/both", both),
    EDDY_POST("/echo", echo),
};
EDDY_APP(house, EDDY_ROUTES(routes));

static int open_house(struct eddy_http_server **ret)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address at;

    int r = eddy_listen("127.0.0.1:0", NULL, &door);
    if (r == 0)
        r = eddy_listener_address(door, &at);
    if (r == 0)
        r = eddy_app_serve(&house, door, NULL, ret);
    if (r < 0)
        return r;
    eddy_disown(&door);
    snprintf(base_url, sizeof base_url, "http://127.0.0.1:%u", eddy_address_port(&at));
    return 0;
}

/* A fetch of @path; what came must be @want, or an error page, or an error. */
static int get(const char *path, const char *post, const char *want)
{
    EDDY_AUTO(eddy_response) page = { 0 };
    char url[96];

    snprintf(url, sizeof url, "%s%s", base_url, path);
    int r = eddy_fetch(url, EDDY_OPT(fetch, .body = eddy_slice_of(post), .timeout_ms = 3000),
                       &page);
    if (r < 0)
        return r;
    if (page.status == 200)
        EDDY_CHECK_MEM(page.body.ptr, page.body.len, want, strlen(want));
    return page.status;
}

#define BOTH "{\"id\":\"1\"} {\"id\":\"2\"}"

/* --- every failed allocation -------------------------------------------------------------------------- */

/* 200, or what became of the first that failed. */
static int whole_way(void)
{
    EDDY_OWN(eddy_loop) loop = NULL;
    EDDY_OWN(eddy_http_server) server = NULL;

    int r = eddy_loop_new(NULL, &loop);
    if (r == 0)
        r = open_house(&server);
    if (r < 0)
        return r;
    r = get("/both", "", BOTH);
    if (r == 200)
        r = get("/echo", "say it again", "say it again");
    eddy_fault_stop();
    /* Whatever failed: with memory again, it serves on. */
    EDDY_CHECK_EQ(get("/users/7", "", "{\"id\":\"7\"}"), 200);
    return r;
}

EDDY_TEST(every_failed_allocation_ends_in_an_error_and_the_server_serves_on)
{
    size_t live = eddy__memory_live();

    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = whole_way();
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        EDDY_CHECK(fired || r == 200);
        EDDY_CHECK(r < 0 || r == 200 || r >= 500);
        if (!EDDY_CHECK_EQ(eddy__memory_live(), live)) {
            EDDY_CHECK_FAIL("allocation %lu%s", f.k, f.persistent ? " and all after it" : "");
            return;
        }
    }
}

/* --- a hundred networks --------------------------------------------------------------------------------- */

struct visitor_args {
    int64_t patience_ms; /* 0: as long as it takes */
    unsigned *served;
};

static int visitor(struct visitor_args *a)
{
    EDDY_SCOPE(mine, .timeout_ms = a->patience_ms);

    for (int i = 0; i < 3; i++) {
        int r = i % 2 ? get("/echo", "ech\no", "ech\no") : get("/both", "", BOTH);
        if (r == -ETIMEDOUT && a->patience_ms)
            return 0;
        if (r != 200)
            return r < 0 ? r : -EBADMSG;
    }
    ++*a->served;
    return 0;
}
EDDY_TASK(visitor);

/* One seed: five visitors who wait, five who leave in the middle of whatever it is. */
static void one_network(unsigned long seed)
{
    EDDY_OWN(eddy_loop) loop = NULL;
    EDDY_OWN(eddy_http_server) server = NULL;
    struct eddy_http_stats stats;
    unsigned served = 0, left = 0;

    if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .backend = "sim", .seed = seed), &loop), 0) ||
        !EDDY_CHECK_EQ(open_house(&server), 0))
        return;
    {
        EDDY_SCOPE(visitors, .timeout_ms = 60000);
        for (int i = 0; i < 5; i++) {
            EDDY_GO(&visitors, visitor, .served = &served);
            EDDY_GO(&visitors, visitor,
                    .patience_ms = 1 + (int64_t)(seed * 7 + (unsigned)i * 5) % 40, .served = &left);
        }
        int r = eddy_join(&visitors);
        if (r < 0 || served != 5)
            EDDY_CHECK_FAIL("seed %lu: %s, %u of 5 served", seed, eddy_strerror(r), served);
    }
    EDDY_CHECK_EQ(eddy_http_stop(server, 5000), 0);
    eddy_http_stats(server, &stats);
    EDDY_CHECK_EQ(stats.connections, 0);
    EDDY_CHECK_EQ(stats.requests_running, 0);
}

EDDY_TEST(on_every_network_the_patient_are_served_whoever_leaves)
{
    if (strcmp(eddy_check_backend(), "sim") != 0)
        return;
    for (EDDY_EACH_SEED(seed, 100))
        one_network(seed);
}
