/*
 * eddy/serve.h - run an application as a program: address, log, signals, a graceful end
 */
#ifndef EDDY_SERVE_H
#define EDDY_SERVE_H

#include <eddy/common.h>
#include <eddy/web.h>

EDDY_BEGIN

struct eddy_listen_options;

struct eddy_serve_options {
    size_t size;         /* filled by EDDY_OPT(serve, ...) */
    const char *host;    /* NULL: 127.0.0.1 */
    int port;            /* 0: 8000; -1: any free one, printed */
    const char *address; /* instead of both: "unix:/run/app.sock", "[::]:80", "systemd:" */
    const char *backend; /* NULL: $EDDY_BACKEND, or the default */
    int64_t grace_ms;    /* for running requests at the end; 0: 1500; negative: none */
    bool quiet;          /* nothing on standard error but errors */
    const char *cert;    /* https: PEM, ours, then the intermediate ones; NULL: http */
    const char *key;     /* PEM; NULL: in cert */
    const struct eddy_listen_options *listen; /* of eddy/net.h: a PROXY header, ...; may be NULL */
};

/**
 * eddy_serve() - serve until SIGINT or SIGTERM
 * @app:     constant
 * @options: EDDY_OPT(serve, .port = 8888), may be NULL
 *
 * Suspends. Looks at its scope before it listens. Cancelled: it ends as after a signal, with no
 * grace, and has ended when this returns. Installs a log to standard error, signal handlers and the
 * overflow report, and raises the soft limit on descriptors (RLIMIT_NOFILE), but for the backend
 * select. The first signal stops accepting and gives running requests their grace, then cancels
 * them with 503; a second one cancels at once. SIGQUIT (Ctrl-\) has all tasks written down with
 * their stacks: eddy/inspect.h. With .cert SIGHUP has the certificate and its key read again; when
 * they cannot be used, those that were go on.
 *
 * Return: 0 after a signal; or negative, with a text on standard error that says what to mend:
 * -EADDRINUSE, -EACCES, -EDDY_EBACKEND, -EDDY_ETLS, -EINVAL (routes, address), -ENOMEM, what
 * eddy_listen() and start returned; without one -ECANCELED, -ETIMEDOUT, -EDEADLK (a callback).
 * Source: uvicorn.   Since: 0.1
 */
EDDY_API int eddy_serve(const struct eddy_app *app, const struct eddy_serve_options *options);

EDDY_END

#endif
