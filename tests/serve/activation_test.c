/*
 * activation_test.c - an application on a socket that systemd has opened, and behind a proxy
 *
 * A child is this program again, which serves what it was given; curl, a real peer, asks.
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <eddy/net.h>
#include <eddy/serve.h>
#include <eddy/task.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int whoami(struct eddy_request *req, struct eddy_reply *reply)
{
    return eddy_reply_printf(reply, "peer %s\n", eddy_request_peer(req));
}

static const struct eddy_route routes[] = {
    EDDY_GET("/", whoami),
};

EDDY_APP(app, EDDY_ROUTES(routes));

/* What a child serves: "systemd", or "proxy" as well. */
static void __attribute__((constructor)) serve_if_child(void)
{
    const char *child = getenv("EDDY_CHILD");

    if (!child)
        return;
    const enum eddy_proxy_mode proxy = strcmp(child, "proxy") == 0 ? EDDY_PROXY_REQUIRED
                                                                   : EDDY_PROXY_NONE;
    _exit(eddy_serve(&app, EDDY_OPT(serve, .address = "systemd:", .grace_ms = -1,
                                    .listen = EDDY_OPT(listen, .proxy = proxy,
                                                       .proxy_from = proxy ? "unix:" : NULL))) < 0);
}

static pid_t activate(const char *path, const char *child)
{
    char exe[256] = "", backend[64];

    pid_t pid = fork();
    if (pid)
        return pid;
    if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0)
        _exit(127);
    setenv("EDDY_CHILD", child, 1);
    snprintf(backend, sizeof backend, "EDDY_BACKEND=%s", eddy_check_backend());
    execl("/usr/bin/systemd-socket-activate", "systemd-socket-activate", "-l", path, "-E",
          "EDDY_CHILD", "-E", backend, exe, (char *)NULL);
    _exit(127);
}

/* What curl gets there. It tries again until somebody listens. */
static bool curl(const char *path, const char *options, char *buf, size_t cap)
{
    char line[512];

    snprintf(line, sizeof line,
             "curl -sS --max-time 10 --retry 100 --retry-connrefused --retry-delay 0 "
             "--retry-max-time 10 %s --unix-socket %s http://localhost/ 2>/dev/null",
             options, path);
    for (int i = 0; i < 200 && access(path, F_OK) < 0; i++)
        usleep(10000);
    FILE *f = popen(line, "r");
    size_t n = f ? fread(buf, 1, cap - 1, f) : 0;
    buf[n] = '\0';
    return f && pclose(f) == 0;
}

static bool have_peers(void)
{
    if (access("/usr/bin/systemd-socket-activate", X_OK) == 0 && access("/usr/bin/curl", X_OK) == 0)
        return true;
    EDDY_CHECK_FAIL(
        "systemd-socket-activate or curl is missing: scripts/deps --test installs them");
    return false;
}

static void try_it(const char *child, const char *options, const char *want)
{
    char path[64], got[256];
    int status = -1;

    if (!have_peers())
        return;
    fflush(stdout);
    snprintf(path, sizeof path, "/tmp/eddy-serve-%d", (int)getpid());
    pid_t pid = activate(path, child);
    EDDY_CHECK(curl(path, options, got, sizeof got));
    EDDY_CHECK_STR(got, want);
    kill(pid, SIGTERM);
    EDDY_CHECK_EQ(waitpid(pid, &status, 0), pid);
    EDDY_CHECK_EQ(status, 0);
    unlink(path);
}

EDDY_TEST(an_application_is_served_on_an_inherited_socket)
{
    try_it("systemd", "", "peer unix:\n");
}

/* curl speaks version 1, and for a Unix socket says UNKNOWN: it is nobody's but its own. */
EDDY_TEST(a_header_before_the_request_is_taken)
{
    try_it("proxy", "--haproxy-protocol", "peer unix:\n");
}
