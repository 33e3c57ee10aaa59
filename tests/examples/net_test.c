/*
 * The examples that talk over the network, each as a program of its own, as a user runs it.
 *
 * backends: select poll epoll uring
 */
#include "check.h"
#include "support/program.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/task.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char *example(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/examples/%s", EDDY_BIN_DIR, name);
    return path;
}

/* Start one that says "... at ADDRESS" or "... from ADDRESS ..."; the address goes to @ret. */
static bool start_server(struct program *p, const char *const *argv, const char *word, char ret[64])
{
    if (!EDDY_CHECK(program_start(p, false, argv)) || !EDDY_CHECK(program_await(p, "\n")))
        return false;
    const char *at = strstr(p->text, word);
    return EDDY_CHECK(at && sscanf(at + strlen(word), "%63s", ret) == 1);
}

static void stop_server(struct program *p)
{
    kill(p->pid, SIGINT);
    EDDY_CHECK(program_end(p));
    EDDY_CHECK_EQ(p->exit, 128 + SIGINT);
}

struct talk_args {
    const char *address;
    char fill;
};

static int talk(struct talk_args *a)
{
    EDDY_OWN(eddy_stream) s = NULL;
    char out[100000], in[sizeof out];
    char more;

    memset(out, a->fill, sizeof out);
    int r = eddy_connect(a->address, NULL, &s);
    for (int i = 0; r == 0 && i < 3; i++) {
        r = eddy_write(s, out, sizeof out);
        if (r == 0)
            r = eddy_read_exactly(s, in, sizeof in);
        EDDY_CHECK(r < 0 || memcmp(in, out, sizeof in) == 0);
    }
    if (r == 0)
        r = eddy_stream_finish(s);
    if (r == 0)
        EDDY_CHECK_EQ(eddy_read(s, &more, 1), 0);
    return r;
}
EDDY_TASK(talk);

static void five_talk(const char *address)
{
    EDDY_SCOPE(s, .timeout_ms = 20000);

    for (int i = 0; i < 5; i++)
        EDDY_GO_WITH(&s, EDDY_OPT(go, .stack_bytes = 512 * 1024), talk, .address = address,
                     .fill = (char)('a' + i));
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

EDDY_TEST(echo)
{
    struct program p;
    char address[64];

    if (!start_server(&p, PROGRAM_ARGV(example("echo"), "127.0.0.1:0"), "at ", address))
        return;
    five_talk(address);
    struct program second;
    if (EDDY_CHECK(program_start(&second, false, PROGRAM_ARGV(example("echo"), address)))) {
        EDDY_CHECK(program_end(&second));
        EDDY_CHECK_EQ(second.exit, 1);
        EDDY_CHECK(strstr(second.text, address) != NULL); /* it says what is in use */
    }
    stop_server(&p);
}

EDDY_TEST(forward)
{
    struct program behind, front;
    char address[64], to[64];

    if (!start_server(&behind, PROGRAM_ARGV(example("echo"), "127.0.0.1:0"), "at ", to))
        return;
    if (start_server(&front, PROGRAM_ARGV(example("forward"), "127.0.0.1:0", to), "from ",
                     address)) {
        five_talk(address);
        stop_server(&front);
    }
    stop_server(&behind);
}

/* The connection ends, the forwarder says why, and stays. */
EDDY_TEST(forward_to_nobody)
{
    EDDY_OWN(eddy_stream) s = NULL;
    struct program p;
    char address[64], more;

    if (!start_server(&p, PROGRAM_ARGV(example("forward"), "127.0.0.1:0", "127.0.0.1:1"), "from ",
                      address))
        return;
    EDDY_CHECK_EQ(eddy_connect(address, NULL, &s), 0);
    EDDY_CHECK(eddy_read(s, &more, 1) <= 0);
    EDDY_CHECK(program_await(&p, "cannot connect to 127.0.0.1:1: "));
    stop_server(&p);
}

EDDY_TEST(scan)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address at;
    struct program p;
    char first[8], last[8], line[16];

    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0);
    EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0);
    unsigned port = eddy_address_port(&at);
    (void)snprintf(first, sizeof first, "%u", port < 600 ? 1 : port - 500);
    (void)snprintf(last, sizeof last, "%u", port > 65000 ? 65535 : port + 500);
    (void)snprintf(line, sizeof line, "%u\n", port);
    if (EDDY_CHECK(program_start(&p, false, PROGRAM_ARGV(example("scan"), first, last)))) {
        EDDY_CHECK(program_end(&p));
        EDDY_CHECK_EQ(p.exit, 0);
        EDDY_CHECK(strstr(p.text, line) != NULL);
        EDDY_CHECK(strstr(p.text, " are open\n") != NULL);
    }
    EDDY_CHECK(program_start(&p, false, PROGRAM_ARGV(example("scan"), "70000")));
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 2);
}
