/*
 * A name's addresses on the kernel's own network: in which order they are tried, and what is left
 * when anything fails. When they are tried is eyeballs_test.c's, on the simulator's clock.
 *
 * backends: select poll epoll uring
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/dns.h>
#include <eddy/net.h>
#include <eddy/task.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
    unlink("hosts");
}

/* A hosts file of the test's own: "many.test" has these. */
static int know(const char *lines)
{
    FILE *f = fopen("hosts", "w");

    if (!EDDY_CHECK(f != NULL))
        return -EIO;
    fputs(lines, f);
    fclose(f);
    /* No other source is asked where servers are named. */
    return eddy_dns_setup(EDDY_OPT(dns, .hosts = "hosts", .servers = "127.0.0.1:9"));
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* A port of all addresses that nobody listens on, as long as the socket is held. */
static uint16_t silent_port(int *ret_fd)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;

    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(*ret_fd, (struct sockaddr *)&at, sizeof at);
    getsockname(*ret_fd, (struct sockaddr *)&at, &len);
    return ntohs(at.sin_port);
}

static int reach(uint16_t port, const struct eddy_connect_options *options, char *text)
{
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_address peer;
    char name[64];

    snprintf(name, sizeof name, "many.test:%u", (unsigned)port);
    int r = eddy_connect(name, options, &s);
    if (r == 0)
        r = eddy_stream_peer(s, &peer);
    if (r == 0)
        eddy_address_format(&peer, text, EDDY_ADDRESS_TEXT);
    return r;
}

EDDY_TEST(the_families_take_turns)
{
    static const struct {
        const char *lines;
        int first_family;
        const char *tried;
    } cases[] = {
        { "127.0.0.2 many.test\n127.0.0.3 many.test\n::1 many.test\n", 0,
          "(tried ::1, 127.0.0.2, 127.0.0.3)" },
        { "127.0.0.2 many.test\n127.0.0.3 many.test\n::1 many.test\n", AF_INET,
          "(tried 127.0.0.2, ::1, 127.0.0.3)" },
        { "127.0.0.2 many.test\n127.0.0.3 many.test\n", AF_INET6, "(tried 127.0.0.2, 127.0.0.3)" },
        { "127.0.0.1 many.test\n127.0.0.2 many.test\n127.0.0.3 many.test\n127.0.0.4 many.test\n"
          "127.0.0.5 many.test\n127.0.0.6 many.test\n127.0.0.7 many.test\n127.0.0.8 many.test\n"
          "127.0.0.9 many.test\n127.0.0.10 many.test\n127.0.0.11 many.test\n127.0.0.12 many.test\n",
          0, " more)" },
    };
    char text[EDDY_ADDRESS_TEXT];
    int hold;

    if (!has_ipv6()) {
        EDDY_CHECK_NOT_RUN("this machine has no IPv6");
        return;
    }
    uint16_t port = silent_port(&hold);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_error err = { 0 };
        EDDY_CHECK_EQ(know(cases[i].lines), 0);
        EDDY_CHECK_ERR(
            reach(port, EDDY_OPT(connect, .first_family = cases[i].first_family, .error = &err),
                  text),
            -ECONNREFUSED);
        if (!EDDY_CHECK(strstr(err.text, cases[i].tried)))
            EDDY_CHECK_FAIL("%s", err.text);
        EDDY_CHECK(strlen(err.text) < sizeof err.text - 1); /* nothing was cut */
    }
    close(hold);
}

EDDY_TEST(the_address_that_answers_is_found)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address at;
    char text[EDDY_ADDRESS_TEXT], want[EDDY_ADDRESS_TEXT];

    EDDY_CHECK_EQ(know("::1 many.test\n127.0.0.2 many.test\n127.0.0.3 many.test\n"), 0);
    EDDY_CHECK_EQ(eddy_listen("127.0.0.3:0", NULL, &door), 0);
    EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0);
    eddy_address_format(&at, want, sizeof want);
    for (int i = 0; i < 10; i++) {
        EDDY_CHECK_EQ(reach(eddy_address_port(&at), NULL, text), 0);
        EDDY_CHECK_STR(text, want);
    }
}

/* By the last byte: what the network would say. */
static int odd_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    static const int says[] = { 0, 0, -ENETUNREACH, -EHOSTUNREACH, 0, -ETIMEDOUT, -EADDRNOTAVAIL };
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
    const unsigned last = addr->sa_family == AF_INET ? ntohl(in->sin_addr.s_addr) & 255 : 0;
    const int error = last < sizeof says / sizeof *says ? says[last] : 0;

    return error ? error : eddy__sys_kernel.connect(fd, addr, len);
}

EDDY_TEST(the_most_telling_error_is_returned)
{
    static const struct {
        const char *lines;
        int want;
    } cases[] = {
        { "127.0.0.2 many.test\n", -ENETUNREACH },
        { "127.0.0.3 many.test\n127.0.0.2 many.test\n", -EHOSTUNREACH },
        { "127.0.0.5 many.test\n127.0.0.3 many.test\n", -EDDY_EPEER_TIMEOUT },
        { "127.0.0.4 many.test\n127.0.0.5 many.test\n127.0.0.2 many.test\n", -ECONNREFUSED },
        { "127.0.0.6 many.test\n127.0.0.2 many.test\n", -ENETUNREACH },
    };
    char text[EDDY_ADDRESS_TEXT];
    int hold;

    if (strcmp(eddy_check_backend(), "uring") == 0)
        return; /* the ring connects by itself */
    uint16_t port = silent_port(&hold);
    eddy__sys.connect = odd_connect;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EDDY_CHECK_EQ(know(cases[i].lines), 0);
        EDDY_CHECK_ERR(reach(port, NULL, text), cases[i].want);
    }
    eddy__sys.connect = eddy__sys_kernel.connect;
    close(hold);
}

/* Listens, and its backlog is full: who connects gets no answer. The port of the first is all's. */
struct full {
    int fd[8];
};

static bool make_full(struct full *f, const char *ip, uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(*port) };
    socklen_t len = sizeof at;

    memset(f->fd, -1, sizeof f->fd);
    inet_pton(AF_INET, ip, &at.sin_addr);
    f->fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(f->fd[0], (struct sockaddr *)&at, sizeof at) < 0 || listen(f->fd[0], 0) < 0 ||
        getsockname(f->fd[0], (struct sockaddr *)&at, &len) < 0)
        return false;
    *port = ntohs(at.sin_port);
    for (int i = 1; i < 8; i++) {
        f->fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(f->fd[i], (struct sockaddr *)&at, sizeof at);
    }
    return true;
}

static void end_full(struct full *f)
{
    for (int i = 0; i < 8; i++)
        if (f->fd[i] >= 0)
            close(f->fd[i]);
}

/* What hangs is cancelled, on the ring by a request that has to be waited for. */
EDDY_TEST(attempts_that_hang_are_ended)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_error err = { 0 };
    struct full two, three;
    uint16_t port = 0;
    char text[EDDY_ADDRESS_TEXT], address[64];

    bool ok = make_full(&two, "127.0.0.2", &port) && make_full(&three, "127.0.0.3", &port);
    snprintf(address, sizeof address, "127.0.0.4:%u", (unsigned)port);
    if (!EDDY_CHECK(ok) || !EDDY_CHECK_EQ(eddy_listen(address, NULL, &door), 0))
        return;
    EDDY_CHECK_EQ(know("127.0.0.2 many.test\n127.0.0.3 many.test\n"), 0);
    EDDY_CHECK_ERR(
        reach(port, EDDY_OPT(connect, .timeout_ms = 300, .attempt_delay_ms = 10, .error = &err),
              text),
        -ETIMEDOUT);
    EDDY_CHECK(strstr(err.text, "in time (tried 127.0.0.2, 127.0.0.3)"));
    EDDY_CHECK_EQ(know("127.0.0.2 many.test\n127.0.0.3 many.test\n127.0.0.4 many.test\n"), 0);
    EDDY_CHECK_EQ(reach(port, EDDY_OPT(connect, .attempt_delay_ms = 10), text), 0);
    EDDY_CHECK_STR(text, address);
    end_full(&two);
    end_full(&three);
}

static int try_it(void)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address at;
    char text[EDDY_ADDRESS_TEXT];

    if (!eddy_loop_current())
        return -ENOMEM;
    int r = know("127.0.0.2 many.test\n127.0.0.3 many.test\n");
    if (r == 0)
        r = eddy_listen("127.0.0.3:0", NULL, &door);
    if (r == 0)
        r = eddy_listener_address(door, &at);
    if (r == 0)
        r = reach(eddy_address_port(&at), EDDY_OPT(connect, .timeout_ms = 2000), text);
    return r;
}

EDDY_TEST(a_race_survives_every_failure)
{
    for (int kind = 0; kind < EDDY_FAULT_KINDS; kind++) {
        for (struct eddy_fault f = eddy_fault_each((enum eddy_fault_kind)kind);
             eddy_fault_next(&f);) {
            int r = try_it();
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            EDDY_CHECK(r == 0 || fired);
            eddy_check_teardown();
        }
    }
}
