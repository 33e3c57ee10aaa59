/*
 * serve_test.c - an application as a program: what it says, and how it ends
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <eddy/address.h>
#include <eddy/fetch.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/serve.h>
#include <eddy/task.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- what it says --------------------------------------------------------------------------------- */

static int said_fd = -1, real_stderr = -1;
static char said[4096];

static void listen_to_stderr(void)
{
    said_fd = memfd_create("said", 0);
    real_stderr = dup(2);
    dup2(said_fd, 2);
}

static void stop_listening(void)
{
    fflush(stderr);
    dup2(real_stderr, 2);
    ssize_t n = pread(said_fd, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(real_stderr);
    close(said_fd);
}

/* --- what is served ------------------------------------------------------------------------------- */

static unsigned entered, started, stopped; /* they only grow: nobody comes too late to see it */
static int start_result;

static int on_start(void)
{
    started++;
    return start_result;
}

static void on_stop(void)
{
    /* It may wait, even when the scope around the server has ended. */
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    stopped++;
}

static int quick(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req;
    return eddy_reply_text(reply, "quick");
}

static int slow(struct eddy_request *req, struct eddy_reply *reply)
{
    struct eddy_slice ms = eddy_request_param(req, "ms");
    uint64_t number = 0;

    entered++;
    int r = eddy_slice_u64(ms, &number);
    if (r == 0)
        r = eddy_sleep((int64_t)number);
    return r < 0 ? r : eddy_reply_text(reply, "slow");
}

static const struct eddy_route routes[] = {
    EDDY_GET("/", quick),
    EDDY_GET("/slow/{ms}", slow),
};
EDDY_APP(app, EDDY_ROUTES(routes), .start = on_start, .stop = on_stop);

static const struct eddy_route bad_routes[] = { EDDY_GET("no-slash", quick) };
EDDY_APP(bad, EDDY_ROUTES(bad_routes));

/* --- running it in a task ------------------------------------------------------------------------- */

struct serve_args {
    int port;
    int64_t grace_ms;
    int *result;
};

static int serve(struct serve_args *a)
{
    *a->result = eddy_serve(
        &app, EDDY_OPT(serve, .port = a->port, .grace_ms = a->grace_ms, .quiet = true));
    return 0;
}
EDDY_TASK(serve);

struct visit_args {
    int port;
    const char *path;
    int *status;
};

static int visit(struct visit_args *a)
{
    char url[64];
    EDDY_AUTO(eddy_response) page = { 0 };

    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", a->port, a->path);
    int r = eddy_fetch(url, NULL, &page);
    *a->status = r < 0 ? r : page.status;
    return 0;
}
EDDY_TASK(visit);

/* By plain calls: what eddy closes is closed by the loop, and the port free a moment later. */
static int free_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    EDDY_CHECK_EQ(bind(fd, (struct sockaddr *)&in, len), 0);
    EDDY_CHECK_EQ(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    close(fd);
    return ntohs(in.sin_port);
}

static bool await_count(const unsigned *value, unsigned want)
{
    for (int i = 0; i < 20000 && *(const volatile unsigned *)value != want; i++)
        if (eddy_sleep(1) < 0)
            break;
    return *(const volatile unsigned *)value == want;
}

/* Serve with @grace_ms; have @path running; then @end it. What the visitor got; how long it took. */
static int status_after(const char *path, int64_t grace_ms, void (*end)(struct eddy_scope *),
                        int64_t *ret_ms, int *ret_result)
{
    int port = free_port();
    int status = 1;

    started = stopped = entered = 0;
    start_result = 0;
    *ret_result = 1;
    EDDY_SCOPE(visitors, .timeout_ms = 20000);
    {
        EDDY_SCOPE(servers, .isolate = true);
        EDDY_GO(&servers, serve, .port = port, .grace_ms = grace_ms, .result = ret_result);
        EDDY_CHECK(await_count(&started, 1));
        EDDY_GO(&visitors, visit, .port = port, .path = path, .status = &status);
        EDDY_CHECK(await_count(&entered, 1));
        int64_t began = eddy_now_ns();
        end(&servers);
        (void)eddy_join(&servers);
        *ret_ms = (eddy_now_ns() - began) / 1000000;
    }
    EDDY_CHECK_EQ(eddy_join(&visitors), 0);
    EDDY_CHECK_EQ(stopped, 1);
    return status;
}

static void one_signal(struct eddy_scope *servers)
{
    (void)servers;
    raise(SIGINT);
}

static void two_signals(struct eddy_scope *servers)
{
    (void)servers;
    raise(SIGTERM);
    eddy_sleep(30);
    raise(SIGTERM);
}

static void the_end_of_its_scope(struct eddy_scope *servers)
{
    eddy_scope_cancel(servers);
}

EDDY_TEST(a_signal_lets_running_requests_end)
{
    int64_t ms;
    int result;

    EDDY_CHECK_EQ(status_after("/slow/80", 10000, one_signal, &ms, &result), 200);
    EDDY_CHECK_EQ(result, 0);
}

EDDY_TEST(what_runs_longer_than_the_grace_gets_503)
{
    int64_t ms;
    int result;

    EDDY_CHECK_EQ(status_after("/slow/60000", 100, one_signal, &ms, &result), 503);
    EDDY_CHECK(ms >= 95);
    EDDY_CHECK_EQ(result, 0);
}

EDDY_TEST(a_second_signal_ends_the_grace)
{
    int64_t ms;
    int result;

    EDDY_CHECK_EQ(status_after("/slow/60000", 15000, two_signals, &ms, &result), 503);
    EDDY_CHECK(ms < 10000);
    EDDY_CHECK_EQ(result, 0);
}

EDDY_TEST(the_end_of_the_scope_around_is_an_end_without_grace)
{
    int64_t ms;
    int result;

    EDDY_CHECK_EQ(status_after("/slow/60000", 15000, the_end_of_its_scope, &ms, &result), 503);
    EDDY_CHECK(ms < 10000);
    EDDY_CHECK_ERR(result, -ECANCELED);
}

EDDY_TEST(the_limit_on_descriptors_is_raised_but_for_select)
{
    struct rlimit before, after;
    int64_t ms;
    int result;

    EDDY_CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = { .rlim_cur = 200, .rlim_max = before.rlim_max };
    EDDY_CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    status_after("/slow/10", 1000, one_signal, &ms, &result);
    EDDY_CHECK_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
    EDDY_CHECK_EQ(after.rlim_cur > 200, strcmp(eddy_check_backend(), "select") != 0);
    EDDY_CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

EDDY_TEST(signals_are_given_back)
{
    int64_t ms;
    int result;
    struct sigaction before, after;

    signal(SIGTERM, SIG_IGN);
    sigaction(SIGTERM, NULL, &before);
    status_after("/slow/10", 1000, one_signal, &ms, &result);
    sigaction(SIGTERM, NULL, &after);
    EDDY_CHECK(before.sa_handler == after.sa_handler);
    signal(SIGTERM, SIG_DFL);
}

EDDY_TEST(what_keeps_it_from_serving_is_said_with_how_to_mend_it)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address address;
    char taken[64];

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(door, &address), 0))
        return;
    eddy_address_format(&address, taken, sizeof taken);
    const struct {
        const struct eddy_app *app;
        struct eddy_serve_options options;
        int start_result, want;
        const char *says;
    } cases[] = {
        { &app, { .address = taken }, 0, -EADDRINUSE, "another program listens on 127.0.0.1:" },
        { &app, { .address = taken }, 0, -EADDRINUSE, "choose another port with --port / .port" },
        { &app, { .port = 65536 }, 0, -EINVAL, "65536 is no port" },
        { &app, { .port = -2 }, 0, -EINVAL, "-2 is no port" },
        { &app, { .host = "192.0.2.1" }, 0, -EADDRNOTAVAIL, "not an address of this machine" },
        { &app, { .address = "127.0.0.1:http" }, 0, -EINVAL, "cannot listen on 127.0.0.1:http" },
        { &app, { .backend = "epol" }, 0, -EDDY_EBACKEND, "did you mean `epoll`?; there are: " },
        { &app, { .backend = "zebra" }, 0, -EDDY_EBACKEND, "no backend `zebra`; there are: " },
        { &app, { .port = -1 }, -EACCES, -EACCES, "`app` did not start: " },
        { &bad, { .port = -1 }, 0, -EINVAL, "`bad` cannot be served: " },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_serve_options options = cases[i].options;
        options.size = sizeof options;
        start_result = cases[i].start_result;
        started = stopped = 0;
        listen_to_stderr();
        int r = eddy_serve(cases[i].app, &options);
        stop_listening();
        if (!EDDY_CHECK_ERR(r, cases[i].want) || !EDDY_CHECK(strstr(said, cases[i].says)) ||
            !EDDY_CHECK_EQ(stopped, 0))
            EDDY_CHECK_FAIL("case %zu; it said: %s", i, said);
    }
    start_result = 0;
    eddy_log_to(NULL, NULL, EDDY_LOG_ERROR);
}

static int stop_at_once(void)
{
    raise(SIGINT);
    return 0;
}

EDDY_TEST(the_banner_says_where_and_with_what)
{
    static const struct eddy_route few[] = { EDDY_GET("/", quick) };
    const struct eddy_app brief = { .size = sizeof brief,
                                    .route_size = sizeof few[0],
                                    .name = "brief",
                                    .routes = few,
                                    .route_count = 1,
                                    .start = stop_at_once };
    char want[64];
    struct eddy_loop_info info;

    eddy_loop_info(eddy_loop_current(), &info);
    snprintf(want, sizeof want, " (%s), Ctrl-C ends it\n", info.backend);
    listen_to_stderr();
    EDDY_CHECK_EQ(eddy_serve(&brief, EDDY_OPT(serve, .port = -1)), 0);
    stop_listening();
    EDDY_CHECK(strncmp(said, "eddy: serving `brief` on http://127.0.0.1:", 42) == 0);
    EDDY_CHECK(strstr(said, want));

    listen_to_stderr();
    EDDY_CHECK_EQ(
        eddy_serve(&brief, EDDY_OPT(serve, .port = -1, .host = "localhost", .quiet = true)), 0);
    EDDY_CHECK_EQ(eddy_serve(&brief, EDDY_OPT(serve, .address = "unix:brief.sock", .quiet = true)),
                  0);
    stop_listening();
    EDDY_CHECK_STR(said, "");
    eddy_log_to(NULL, NULL, EDDY_LOG_ERROR);
}
