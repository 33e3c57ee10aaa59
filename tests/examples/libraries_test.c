/*
 * The examples in which another library does its own I/O, each against a real server: libpq a
 * PostgreSQL of the test's own, libcurl an application under `eddy run`.
 *
 * backends: select epoll uring
 * timeout: 120
 */
#include "check.h"
#include "support/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool is_built(const char *name, char path[512])
{
    (void)snprintf(path, 512, "%s/examples/%s", EDDY_BIN_DIR, name);
    if (access(path, X_OK) == 0)
        return true;
    EDDY_CHECK_NOT_RUN("its library was not found when this was built: scripts/deps --test");
    return false;
}

EDDY_TEST(libcurl_fetches_in_our_loop)
{
    static const char eddy[] = EDDY_BIN_DIR "/eddy";
    struct program server, p;
    char path[512], here[64], missing[96];

    if (!is_built("libcurl", path))
        return;
    program_bin = eddy;
    if (!EDDY_CHECK(program_start(
            &server, false,
            PROGRAM_ARGV("eddy", "run", "--port", "0", EDDY_TESTS_DIR "/../examples/hello.c"))) ||
        !EDDY_CHECK(program_await(&server, "http://127.0.0.1:")) ||
        !EDDY_CHECK(program_await(&server, "\n")))
        return;
    (void)snprintf(here, sizeof here, "http://127.0.0.1:%d/", program_port(&server));
    (void)snprintf(missing, sizeof missing, "%sno-such-page", here);
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV(path, here, missing, here)), 0);
    EDDY_CHECK(strstr(p.text, "Hello from a small eddy.\n") != NULL);
    EDDY_CHECK(strstr(p.text, "/no-such-page: 404, No error\n") != NULL);
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV(path, here, "http://127.0.0.1:1/")), 1);
    EDDY_CHECK(strstr(p.text, "http://127.0.0.1:1/: 0, Couldn't connect to server\n") != NULL);
    kill(server.pid, SIGINT);
    EDDY_CHECK(program_end(&server));
}

/* PostgreSQL refuses to run as root: then it runs as the user its package made. */
#define AS_POSTGRES                                                                                \
    "as=; if [ $(id -u) = 0 ]; then as='setpriv --reuid=postgres --regid=postgres "                \
    "--clear-groups'; "                                                                            \
    "chown postgres \"$1\"; fi; bin=$(pg_config --bindir); "

static void ask_database(const char *example, const char *where)
{
    struct program p;
    struct timespec before, after;

    clock_gettime(CLOCK_MONOTONIC, &before);
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV(example, where, "select 6 * 7 from pg_sleep(0.4)",
                                               "select 'b' from pg_sleep(0.4)",
                                               "select 'c' from pg_sleep(0.4)",
                                               "select repeat('x', 3)", "select nonsense")),
                  0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    EDDY_CHECK(strstr(p.text, "pg_sleep(0.4): 42\n") != NULL);
    EDDY_CHECK(strstr(p.text, "select repeat('x', 3): xxx\n") != NULL);
    EDDY_CHECK(strstr(p.text, "column \"nonsense\" does not exist") != NULL);
    /* The one that takes no time was answered before those that sleep. */
    EDDY_CHECK(strstr(p.text, "xxx\n") < strstr(p.text, ": 42\n"));
    EDDY_CHECK(after.tv_sec - before.tv_sec < 20);
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV(example, "host=/nowhere user=nobody", "select 1")),
                  1);
    EDDY_CHECK(strstr(p.text, "/nowhere") != NULL);
}

EDDY_TEST(libpq_asks_a_real_database)
{
    char folder[] = "/tmp/eddy-pg-XXXXXX", path[512], where[128];
    struct program server, p;

    if (!is_built("libpq", path) || !EDDY_CHECK(mkdtemp(folder) != NULL))
        return;
    const char *make = AS_POSTGRES "exec $as $bin/initdb -D \"$1/d\" -A trust -U eddy --no-sync";
    const char *run = AS_POSTGRES "exec $as $bin/postgres -D \"$1/d\" -k \"$1\" "
                                  "-c listen_addresses= -c fsync=off";
    if (!EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("/bin/sh", "-c", make, "sh", folder)), 0)) {
        EDDY_CHECK_FAIL("cannot make a database: %.400s", p.text);
    } else if (EDDY_CHECK(program_start(&server, false,
                                        PROGRAM_ARGV("/bin/sh", "-c", run, "sh", folder)))) {
        if (EDDY_CHECK(program_await(&server, "ready to accept connections"))) {
            (void)snprintf(where, sizeof where, "host=%s user=eddy dbname=postgres", folder);
            ask_database(path, where);
        }
        kill(server.pid, SIGINT);
        EDDY_CHECK(program_end(&server));
    }
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("/bin/rm", "-r", folder)), 0);
}
