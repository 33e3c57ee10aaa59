/*
 * serve/serve.c - from an application to a program: everything a main() would have to do
 *
 *   check      routes, address, backend: a mistake is told before anything starts
 *   start      listen, the application's start(), the server, the banner
 *   wait       until SIGINT or SIGTERM
 *   stop       accept no more; running requests have their grace; a second signal ends it
 *   done       the application's stop(), the loop if it was made here
 *
 * What goes wrong before the banner is told on standard error in a line that says what to mend;
 * this is the one library of eddy's that prints, because it is a program's main() in disguise.
 */
#include "loop/loop.h"
#include "serve/nearest.h"
#include "task/wait.h"

#include <eddy/address.h>
#include <eddy/dns.h>
#include <eddy/inspect.h>
#include <eddy/log.h>
#include <eddy/net.h>
#include <eddy/serve.h>
#include <eddy/task.h>
#include <eddy/tls.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define PORT_DEFAULT 8000
#define GRACE_MS 1500
#define DESCRIPTORS 65536

/* One run of eddy_serve(). */
struct serving {
    const struct eddy_app *app;
    struct eddy_serve_options options; /* complete: no field is missing */
    const char *name;                  /* the application's */
    struct eddy_loop *own_loop;        /* made here, freed here; else NULL */
    struct eddy_listener *listener;
    struct eddy_http_server *server;
    struct eddy_tls *tls;       /* NULL: plain http */
    unsigned signals;           /* that came so far */
    int signo;                  /* the first one */
    struct eddy_wait *awaiting; /* who waits for one more signal; NULL */
};

static int complain(int code, const char *format, ...) EDDY_PRINTF(2, 3);
static int complain(int code, const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "eddy: %s\n", line);
    return code;
}

/* --- signals -------------------------------------------------------------------------------------- */

static void on_signal(void *ctx, int signo)
{
    struct serving *s = ctx;

    if (s->signals++ == 0)
        s->signo = signo;
    if (s->awaiting)
        eddy__wake(EDDY_TAKE(s->awaiting), 0);
}

struct signal_wait {
    struct eddy_wait wait; /* first */
    struct serving *s;
};

static void signal_wait_interrupted(struct eddy_wait *w, int why)
{
    ((struct signal_wait *)(void *)w)->s->awaiting = NULL;
    eddy__wake(w, why);
}

/* Suspends until @count signals have come. */
static int await_signals(struct serving *s, unsigned count)
{
    while (s->signals < count) {
        int r = eddy__wait_check();
        if (r < 0)
            return r;
        struct signal_wait w = { .wait = EDDY_WAIT(signal_wait_interrupted, "signal"), .s = s };
        s->awaiting = &w.wait;
        r = eddy__wait(&w.wait);
        if (r < 0)
            return r;
    }
    return 0;
}

static void on_hangup(void *ctx, int signo)
{
    struct serving *s = ctx;
    struct eddy_error err = { 0 };

    (void)signo;
    if (eddy_tls_server_reload(s->tls, &err) < 0)
        complain(err.code, "the certificate stays as it was: %s", err.text);
    else if (!s->options.quiet)
        fprintf(stderr, "eddy: the certificate was read again\n");
}

static int take_signals(struct serving *s, struct eddy_loop *loop)
{
    int r = eddy_loop_on_signal(loop, SIGINT, on_signal, s);
    if (r == 0)
        r = eddy_loop_on_signal(loop, SIGTERM, on_signal, s);
    if (r == 0 && s->tls)
        r = eddy_loop_on_signal(loop, SIGHUP, on_hangup, s);
    if (r == 0)
        (void)eddy_dump_on_signal(SIGQUIT); /* a program that took it knows why */
    return r < 0 ? complain(r, "cannot listen for signals: %s", eddy_strerror(r)) : 0;
}

static void give_signals_back(const struct serving *s, struct eddy_loop *loop)
{
    if (s->tls)
        eddy_loop_on_signal(loop, SIGHUP, NULL, NULL);
    eddy_loop_on_signal(loop, SIGINT, NULL, NULL);
    eddy_loop_on_signal(loop, SIGTERM, NULL, NULL);
    (void)eddy_dump_on_signal(0);
}

/* --- check ---------------------------------------------------------------------------------------- */

static int unknown_backend(const char *name)
{
    const char *all[16] = { NULL };
    char names[128];
    size_t count = 0;

    snprintf(names, sizeof names, "%s", eddy_backend_names());
    for (char *save, *one = strtok_r(names, " ", &save); one && count < 15;
         one = strtok_r(NULL, " ", &save)) {
        all[count++] = one;
        if (strcmp(one, name) == 0)
            return 0;
    }
    const char *near = eddy__nearest(name, all);
    return complain(-EDDY_EBACKEND, "there is no backend `%s`%s%s%s; there are: %s", name,
                    near ? ", did you mean `" : "", near ? near : "", near ? "`?" : "",
                    eddy_backend_names());
}

/* This thread's loop: the one there is, or a new one with the backend that was asked for. */
static int make_loop(struct serving *s)
{
    const char *backend = s->options.backend;

    if (!backend || !*backend)
        backend = getenv("EDDY_BACKEND");
    if (backend && !*backend)
        backend = NULL;
    if (backend) {
        int r = unknown_backend(backend);
        if (r < 0)
            return r;
    }
    if (eddy__loop())
        return 0;
    if (backend && strcmp(backend, "sim") == 0)
        return complain(-EDDY_EBACKEND,
                        "the backend `sim` simulates a network for tests: nobody outside could "
                        "reach what it serves");
    int r = eddy_loop_new(EDDY_OPT(loop, .backend = backend), &s->own_loop);
    if (r == -EDDY_EBACKEND)
        return complain(r, "the backend `%s` does not work on this machine; choose another of: %s",
                        backend ? backend : "default", eddy_backend_names());
    return r < 0 ? complain(r, "cannot make the event loop: %s", eddy_strerror(r)) : 0;
}

/* The soft limit on descriptors is small (1024) for the sake of programs that use select(), which
 * cannot hold more; it would be reached long before the server's own bound on connections. */
static void raise_descriptor_limit(void)
{
    struct eddy_loop_info info;
    struct rlimit limit;

    eddy_loop_info(eddy_loop_current(), &info);
    if (strcmp(info.backend, "select") == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    rlim_t want = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    if (limit.rlim_cur >= want)
        return;
    limit.rlim_cur = want;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* if not: accept pauses at the limit there is */
}

/* The text of the address to listen on. */
static int address_text(const struct serving *s, char *buf, size_t cap)
{
    const struct eddy_serve_options *o = &s->options;
    const char *host = o->host && *o->host ? o->host : "127.0.0.1";
    int port = o->port == 0 ? PORT_DEFAULT : o->port == -1 ? 0 : o->port;
    bool bare_ipv6 = strchr(host, ':') && host[0] != '[';

    if (port < 0 || port > 65535)
        return complain(-EINVAL, "%d is no port: it must be 1 to 65535", o->port);
    if (o->address)
        snprintf(buf, cap, "%s", o->address);
    else
        snprintf(buf, cap, bare_ipv6 ? "[%s]:%d" : "%s:%d", host, port);
    return 0;
}

/* A name (localhost) stands for its first address. */
static int resolve_text(char *text, size_t cap)
{
    struct eddy_address address;
    struct eddy_error err = { 0 };

    if (strncmp(text, "systemd:", 8) == 0 || strncmp(text, "fd:", 3) == 0)
        return 0; /* opened by somebody else */
    int r = eddy_address_parse(text, PORT_DEFAULT, &address, &err);
    if (r < 0)
        return complain(r, "cannot listen on %s: %s", text, err.text);
    if (r == 0)
        return 0;

    struct eddy_slice host;
    uint16_t port;
    struct eddy_addresses found;
    r = eddy_address_split(text, PORT_DEFAULT, &host, &port, &err);
    if (r == 0)
        r = eddy_resolve(host, port, EDDY_OPT(resolve, .error = &err), &found);
    if (r < 0)
        return complain(r, "cannot listen on %s: %s", text,
                        err.text[0] ? err.text : eddy_strerror(r));
    eddy_address_format(&found.at[0], text, cap);
    return 0;
}

static int listen_on(struct serving *s)
{
    const struct eddy_listen_options *given = s->options.listen;
    struct eddy_listen_options options = { .size = sizeof options };
    struct eddy_error err = { 0 };
    char text[256];

    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    options.size = sizeof options;
    options.error = &err;
    int r = address_text(s, text, sizeof text);
    if (r == 0)
        r = resolve_text(text, sizeof text);
    if (r < 0)
        return r;
    r = eddy_listen(text, &options, &s->listener);
    switch (r) {
    case 0: return 0;
    case -EADDRINUSE:
        return complain(r,
                        "another program listens on %s (`ss -ltnp` names it); stop it or choose "
                        "another port with --port / .port",
                        text);
    case -EACCES:
        return complain(r,
                        "not allowed to listen on %s; ports below 1024 need privileges, choose "
                        "another with --port / .port",
                        text);
    case -EADDRNOTAVAIL:
        return complain(r,
                        "%s is not an address of this machine; 127.0.0.1 is for this machine only, "
                        "0.0.0.0 for every network it is on (--host / .host)",
                        text);
    default:
        return complain(r, "cannot listen on %s: %s", text,
                        err.text[0] ? err.text : eddy_strerror(r));
    }
}

/* --- start ---------------------------------------------------------------------------------------- */

static void banner(const struct serving *s)
{
    struct eddy_address address;
    struct eddy_loop_info info;
    char text[EDDY_ADDRESS_TEXT];

    if (s->options.quiet || eddy_listener_address(s->listener, &address) < 0)
        return;
    eddy_address_format(&address, text, sizeof text);
    eddy_loop_info(eddy_loop_current(), &info);
    fprintf(stderr, "eddy: serving `%s` on %s%s (%s), Ctrl-C ends it\n", s->name,
            strncmp(text, "unix:", 5) == 0 ? ""
            : s->tls                       ? "https://"
                                           : "http://",
            text, info.backend);
}

static int load_certificate(struct serving *s)
{
    const struct eddy_serve_options *o = &s->options;
    struct eddy_error err = { 0 };

    if (o->key && !o->cert)
        return complain(-EINVAL, "a .key without a .cert");
    int r = o->cert ? eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = o->cert,
                                                   .key_file = o->key, .alpn = "http/1.1"),
                                          &s->tls, &err)
                    : 0;
    return r < 0 ? complain(r, "cannot serve https: %s", err.text) : 0;
}

static int start(struct serving *s)
{
    struct eddy_listener *listener = s->listener;

    if (s->app->start) {
        int r = s->app->start();
        if (r < 0)
            return complain(r, "`%s` did not start: %s", s->name, eddy_strerror(r));
    }
    banner(s);
    int r = eddy_app_serve(s->app, listener, EDDY_OPT(http, .tls = s->tls), &s->server);
    if (r < 0) {
        if (s->app->stop)
            s->app->stop();
        return complain(r, "cannot serve `%s`: %s", s->name, eddy_strerror(r));
    }
    s->listener = NULL;
    return 0;
}

/* --- stop ----------------------------------------------------------------------------------------- */

struct hurry_args {
    struct serving *s;
};

/* While the server drains: the next signal ends the grace. */
static int hurry(struct hurry_args *a)
{
    int r = await_signals(a->s, 2);

    if (r < 0)
        return r;
    return eddy_http_stop(a->s->server, 0) < 0 ? -ECANCELED : 0;
}
EDDY_TASK(hurry);

static void stop(struct serving *s, int64_t grace_ms)
{
    struct eddy_http_stats stats;
    /* The scope around may have ended: that is one way to end a server. */
    EDDY_SHIELD(goodbye, .timeout_ms = 0);

    eddy_http_stats(s->server, &stats);
    if (!s->options.quiet && stats.requests_running > 0 && grace_ms > 0)
        fprintf(stderr, "eddy: ending: %zu running request%s %lld ms, Ctrl-C ends %s now\n",
                stats.requests_running, stats.requests_running == 1 ? " has" : "s have",
                (long long)grace_ms, stats.requests_running == 1 ? "it" : "them");
    {
        EDDY_SCOPE(impatience, .isolate = true);
        if (s->signals > 0)
            (void)EDDY_GO(&impatience, hurry, .s = s);
        int cut = eddy_http_stop(s->server, grace_ms);
        if (!s->options.quiet && cut > 0)
            fprintf(stderr, "eddy: ended, %d request%s cancelled with 503\n", cut,
                    cut == 1 ? " was" : "s were");
    }
    eddy_http_server_free(EDDY_TAKE(s->server));
    if (s->app->stop)
        s->app->stop();
}

/* --- all of it -------------------------------------------------------------------------------------- */

static int run(struct serving *s)
{
    struct eddy_loop *loop = eddy_loop_current();

    if (!loop)
        return complain(eddy__loop_refusal(), "no event loop");
    raise_descriptor_limit();
    int r = load_certificate(s);
    if (r == 0)
        r = listen_on(s);
    if (r == 0)
        r = take_signals(s, loop);
    if (r == 0)
        r = start(s);
    if (r == 0) {
        int64_t grace_ms = s->options.grace_ms ? s->options.grace_ms : GRACE_MS;
        r = await_signals(s, 1);
        stop(s, grace_ms < 0 || r < 0 ? 0 : grace_ms);
    }
    eddy_listener_free(s->listener);
    give_signals_back(s, loop);
    eddy_tls_free(s->tls);
    return r;
}

int eddy_serve(const struct eddy_app *app, const struct eddy_serve_options *options)
{
    struct serving s = { .app = app };
    struct eddy_error err = { 0 };

    if (!app)
        return -EINVAL;
    if (options)
        memcpy(&s.options, options,
               options->size < sizeof s.options ? options->size : sizeof s.options);
    s.name = app->name ? app->name : "app";
    eddy_log_to(eddy_log_stderr, NULL, s.options.quiet ? EDDY_LOG_ERROR : EDDY_LOG_WARNING);
    (void)eddy_overflow_report(); /* without it an overflow is a crash without a name: no worse */

    int r = eddy_app_check(app, &err);
    if (r < 0)
        return complain(r, "`%s` cannot be served: %s", s.name, err.text);
    r = make_loop(&s);
    if (r < 0)
        return r;
    r = eddy__wait_check();
    if (r == 0)
        r = run(&s);
    eddy_loop_free(s.own_loop);
    return r;
}
