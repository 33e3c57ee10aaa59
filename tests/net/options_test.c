/*
 * Options of sockets: that each reaches the kernel, and what is told where it cannot.
 *
 * backends: select poll epoll uring sim
 */
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/dns.h>
#include <eddy/net.h>
#include <eddy/task.h>
#include <eddy/udp.h>
#include <eddy/unix.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

void eddy_check_teardown(void)
{
    eddy__sys = eddy__sys_kernel;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static const char *text_of(const struct eddy_listener *door, char text[EDDY_ADDRESS_TEXT])
{
    struct eddy_address a = { 0 };

    EDDY_CHECK_EQ(eddy_listener_address(door, &a), 0);
    return eddy_address_format(&a, text, EDDY_ADDRESS_TEXT);
}

static int option(const struct eddy_stream *s, int level, int name)
{
    int value = -1, fd = -1;
    socklen_t len = sizeof value;

    EDDY_CHECK_EQ(eddy_stream_info(s, EDDY_INFO_FD, &fd), 0);
    EDDY_CHECK_EQ(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static struct linger linger_of(const struct eddy_stream *s)
{
    struct linger value = { -1, -1 };
    socklen_t len = sizeof value;
    int fd = -1;

    EDDY_CHECK_EQ(eddy_stream_info(s, EDDY_INFO_FD, &fd), 0);
    EDDY_CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &len), 0);
    return value;
}

#define ALL_SET                                                                                    \
    EDDY_OPT(tcp, .no_delay = EDDY_OFF, .keep_idle_s = 11, .keep_interval_s = 7, .keep_count = 5,  \
             .user_timeout_ms = 4321)

static void check_all(const struct eddy_stream *s)
{
    if (is_sim())
        return;
    EDDY_CHECK_EQ(option(s, IPPROTO_TCP, TCP_NODELAY), 0);
    EDDY_CHECK_EQ(option(s, SOL_SOCKET, SO_KEEPALIVE), 1);
    EDDY_CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 11);
    EDDY_CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPINTVL), 7);
    EDDY_CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPCNT), 5);
    EDDY_CHECK_EQ(option(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 4321);
}

/* A connection over @door; false: it failed, and that was told. */
static bool meet(struct eddy_listener *door, const struct eddy_connect_options *options,
                 struct eddy_stream **ret_client, struct eddy_stream **ret_server)
{
    char text[EDDY_ADDRESS_TEXT];

    return EDDY_CHECK_EQ(eddy_connect(text_of(door, text), options, ret_client), 0) &&
           EDDY_CHECK_EQ(eddy_accept(door, ret_server), 0);
}

EDDY_TEST(settings_reach_the_kernel)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) plain = NULL;
    EDDY_OWN(eddy_stream) set = NULL;
    EDDY_OWN(eddy_stream) off = NULL;
    struct eddy_stream *server[3] = { NULL };

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
        !meet(door, NULL, &plain, &server[0]) ||
        !meet(door, EDDY_OPT(connect, .tcp = ALL_SET), &set, &server[1]) ||
        !meet(door, EDDY_OPT(connect, .tcp = EDDY_OPT(tcp, .abort = EDDY_ON)), &off, &server[2]))
        return;
    check_all(set);
    if (!is_sim()) {
        EDDY_CHECK_EQ(option(plain, IPPROTO_TCP, TCP_NODELAY), 1);
        EDDY_CHECK_EQ(option(plain, SOL_SOCKET, SO_KEEPALIVE), 0);
        EDDY_CHECK_EQ(option(plain, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
        EDDY_CHECK_EQ(linger_of(plain).l_onoff, 0);
        EDDY_CHECK_EQ(linger_of(off).l_onoff, 1);
        EDDY_CHECK_EQ(linger_of(off).l_linger, 0);
    }
    for (int i = 0; i < 3; i++)
        eddy_stream_free(server[i]);
}

/* Names have their addresses raced: each attempt has them. */
EDDY_TEST(settings_reach_a_race)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    char text[EDDY_ADDRESS_TEXT], name[64];

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0))
        return;
    snprintf(name, sizeof name, "localhost%s", strrchr(text_of(door, text), ':'));
    /* A source of one family is of no use for the other's attempts, which go without it. */
    EDDY_CHECK_EQ(
        eddy_connect(name, EDDY_OPT(connect, .tcp = ALL_SET, .source = "127.0.0.1:0"), &client), 0);
    EDDY_CHECK_EQ(eddy_accept(door, &server), 0);
    if (client)
        check_all(client);
}

EDDY_TEST(a_live_stream_is_set_anew)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    struct eddy_error err = { 0 };

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
        !meet(door, NULL, &client, &server))
        return;
    EDDY_CHECK_EQ(eddy_stream_set_tcp(server, ALL_SET), 0);
    check_all(server);
    EDDY_CHECK_EQ(eddy_stream_set_tcp(server, EDDY_OPT(tcp, .no_delay = EDDY_ON)), 0);
    EDDY_CHECK_EQ(eddy_stream_set_tcp(server, EDDY_OPT(tcp, .keep_alive = EDDY_OFF)), 0);
    EDDY_CHECK_EQ(eddy_stream_set_tcp(server, EDDY_OPT(tcp, .abort = EDDY_ON)), 0);
    EDDY_CHECK_EQ(eddy_stream_set_tcp(server, EDDY_OPT(tcp, .abort = EDDY_OFF)), 0);
    EDDY_CHECK_EQ(eddy_stream_set_tcp(server, NULL), 0);
    if (!is_sim()) {
        EDDY_CHECK_EQ(option(server, IPPROTO_TCP, TCP_NODELAY), 1);
        EDDY_CHECK_EQ(option(server, SOL_SOCKET, SO_KEEPALIVE), 0);
        EDDY_CHECK_EQ(option(server, IPPROTO_TCP, TCP_KEEPIDLE), 11); /* it was not mentioned */
        EDDY_CHECK_EQ(linger_of(server).l_onoff, 0);
    }
    EDDY_CHECK_ERR(eddy_stream_set_tcp(server, EDDY_OPT(tcp, .keep_count = 128, .error = &err)),
                   -EINVAL);
    EDDY_CHECK(strstr(err.text, "keep_count") && strstr(err.text, "127"));
    EDDY_CHECK_EQ(eddy_stream_pair(&a, &b), 0);
    EDDY_CHECK_ERR(eddy_stream_set_tcp(a, EDDY_OPT(tcp, .error = &err)), -EOPNOTSUPP);
    EDDY_CHECK(strstr(err.text, "TCP") != NULL);
    EDDY_CHECK_EQ(eddy_stream_close(server), 0);
    EDDY_CHECK_ERR(eddy_stream_set_tcp(server, ALL_SET), -EBADF);
}

EDDY_TEST(values_out_of_range_are_named)
{
    static const struct {
        struct eddy_tcp_options tcp;
        const char *named;
    } cases[] = {
        { { .keep_idle_s = -1 }, ".keep_idle_s" },
        { { .keep_idle_s = 32768 }, ".keep_idle_s" },
        { { .keep_interval_s = 32768 }, ".keep_interval_s" },
        { { .keep_count = -1 }, ".keep_count" },
        { { .user_timeout_ms = -1 }, ".user_timeout_ms" },
        { { .user_timeout_ms = INT64_C(1) << 31 }, ".user_timeout_ms" },
        { { .no_delay = (enum eddy_setting)3 }, ".no_delay" },
        { { .keep_alive = EDDY_OFF, .keep_idle_s = 1 }, ".keep_alive" },
    };
    struct eddy_listener *door = NULL;
    struct eddy_stream *s = NULL;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_tcp_options tcp = cases[i].tcp;
        struct eddy_error err = { 0 };
        tcp.size = sizeof tcp;
        EDDY_CHECK_ERR(
            eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .tcp = &tcp, .error = &err), &door),
            -EINVAL);
        EDDY_CHECK(strstr(err.text, cases[i].named) != NULL);
        err.text[0] = '\0';
        EDDY_CHECK_ERR(
            eddy_connect("127.0.0.1:1", EDDY_OPT(connect, .tcp = &tcp, .error = &err), &s),
            -EINVAL);
        EDDY_CHECK(strstr(err.text, cases[i].named) != NULL);
    }
}

EDDY_TEST(accepted_connections_inherit)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;

    if (EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .tcp = ALL_SET), &door), 0) &&
        meet(door, NULL, &client, &server))
        check_all(server);
}

EDDY_TEST(abort_resets_the_peer)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    char buf[4];

    if (is_sim()) /* settings change nothing there */
        return;
    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0);
    if (!meet(door, EDDY_OPT(connect, .tcp = EDDY_OPT(tcp, .abort = EDDY_ON)), &client, &server))
        return;
    EDDY_CHECK_EQ(eddy_stream_close(client), 0);
    EDDY_CHECK_ERR(eddy_read(server, buf, sizeof buf), -ECONNRESET);
}

/* The kernel tells a reset once, here to the writer; a reader must not take it for the end. */
EDDY_TEST(a_reset_that_a_write_heard_of_is_no_end)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    char buf[8];

    if (is_sim()) /* settings change nothing there */
        return;
    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0);
    if (!meet(door, EDDY_OPT(connect, .tcp = EDDY_OPT(tcp, .abort = EDDY_ON)), &client, &server))
        return;
    EDDY_CHECK_EQ(eddy_write(client, "half", 4), 0);
    EDDY_CHECK_EQ(eddy_stream_close(client), 0);
    EDDY_CHECK_ERR(eddy_write(server, "x", 1), -ECONNRESET);
    ssize_t n = eddy_read(server, buf, sizeof buf);
    EDDY_CHECK(n == 4 || n == -ECONNRESET); /* it may drop what was not read */
    EDDY_CHECK_ERR(eddy_read(server, buf, sizeof buf), -ECONNRESET);
}

/* Whether somebody answers on 127.0.0.1 at the port of @door. */
static bool is_open_to_ipv4(struct eddy_listener *door)
{
    EDDY_OWN(eddy_stream) client = NULL;
    char text[EDDY_ADDRESS_TEXT], to[64];

    snprintf(to, sizeof to, "127.0.0.1%s", strrchr(text_of(door, text), ':'));
    int r = eddy_connect(to, EDDY_OPT(connect, .timeout_ms = 5000), &client);
    EDDY_CHECK(r == 0 || r == -ECONNREFUSED);
    return r == 0;
}

EDDY_TEST(any_ipv6_takes_ipv4_unless_told)
{
    EDDY_OWN(eddy_listener) both = NULL;
    EDDY_OWN(eddy_listener) one = NULL;

    if (!EDDY_CHECK_EQ(eddy_listen("[::]:0", NULL, &both), 0) ||
        !EDDY_CHECK_EQ(eddy_listen("[::]:0", EDDY_OPT(listen, .v6_only = true), &one), 0))
        return;
    EDDY_CHECK(is_open_to_ipv4(both));
    EDDY_CHECK(!is_open_to_ipv4(one));
}

EDDY_TEST(a_port_is_shared_only_if_all_want)
{
    EDDY_OWN(eddy_listener) first = NULL;
    EDDY_OWN(eddy_listener) second = NULL;
    EDDY_OWN(eddy_listener) third = NULL;
    char text[EDDY_ADDRESS_TEXT];

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .reuse_port = true), &first), 0))
        return;
    text_of(first, text);
    EDDY_CHECK_EQ(eddy_listen(text, EDDY_OPT(listen, .reuse_port = true), &second), 0);
    EDDY_CHECK_ERR(eddy_listen(text, NULL, &third), -EADDRINUSE);
}

EDDY_TEST(a_connection_has_its_source)
{
    static const char *const sources[] = { "127.0.0.5:0", "127.0.0.5" };
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT];

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0))
        return;
    for (size_t i = 0; i < 2; i++) {
        EDDY_OWN(eddy_stream) client = NULL;
        EDDY_OWN(eddy_stream) server = NULL;
        if (!meet(door, EDDY_OPT(connect, .source = sources[i]), &client, &server))
            return;
        EDDY_CHECK_EQ(eddy_stream_peer(server, &a), 0);
        EDDY_CHECK(strncmp(eddy_address_format(&a, text, sizeof text), "127.0.0.5:", 10) == 0);
        EDDY_CHECK(eddy_address_port(&a) != 0);
    }
    {
        /* Of another family it is not used. */
        EDDY_OWN(eddy_listener) other = NULL;
        EDDY_OWN(eddy_stream) client = NULL;
        EDDY_OWN(eddy_stream) server = NULL;
        if (EDDY_CHECK_EQ(eddy_listen("[::1]:0", NULL, &other), 0))
            meet(other, EDDY_OPT(connect, .source = "127.0.0.5:0"), &client, &server);
    }
    if (is_sim())
        return;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    if (!meet(door, EDDY_OPT(connect, .interface = "lo", .source = "127.0.0.1"), &client, &server))
        return;
    char name[32] = "";
    socklen_t len = sizeof name;
    int fd = -1;
    EDDY_CHECK_EQ(eddy_stream_info(client, EDDY_INFO_FD, &fd), 0);
    EDDY_CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
    EDDY_CHECK_STR(name, "lo");
}

EDDY_TEST(a_source_port_is_used)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_listener) other = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    EDDY_OWN(eddy_stream) again = NULL;
    struct eddy_address a, b;
    struct eddy_error err = { 0 };
    char text[EDDY_ADDRESS_TEXT];

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
        !EDDY_CHECK_EQ(eddy_listen("127.0.0.6:0", NULL, &other), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(other, &a), 0))
        return;
    eddy_address_set_port(&a, (uint16_t)(eddy_address_port(&a) ^ 1)); /* most likely free */
    eddy_address_format(&a, text, sizeof text);
    if (!meet(door, EDDY_OPT(connect, .source = text), &client, &server))
        return;
    EDDY_CHECK_EQ(eddy_stream_local(client, &b), 0);
    EDDY_CHECK(eddy_address_eq(&a, &b));
    if (is_sim())
        return;
    char busy[EDDY_ADDRESS_TEXT], to[EDDY_ADDRESS_TEXT];
    text_of(other, busy);
    EDDY_CHECK_ERR(
        eddy_connect(text_of(door, to), EDDY_OPT(connect, .source = busy, .error = &err), &again),
        -EADDRINUSE);
    EDDY_CHECK(strstr(err.text, ".source") && strstr(err.text, busy));
}

static const char *refused_name;

static int refuse_device(int fd, int level, int name, const void *value, socklen_t len)
{
    if (level == SOL_SOCKET && name == SO_BINDTODEVICE) {
        refused_name = value;
        return -EPERM;
    }
    return eddy__sys_kernel.setsockopt(fd, level, name, value, len);
}

static int refuse_keepalive(int fd, int level, int name, const void *value, socklen_t len)
{
    return name == SO_KEEPALIVE ? -EIO : eddy__sys_kernel.setsockopt(fd, level, name, value, len);
}

EDDY_TEST(refused_settings_say_what_to_mend)
{
    struct eddy_listener *door = NULL;
    struct eddy_stream *s = NULL;
    struct eddy_error err = { 0 };

    static const struct {
        struct eddy_connect_options o;
        int want, want_sim;
        const char *says;
    } cases[] = {
        { { .source = "10.250.0.77:0" }, -EADDRNOTAVAIL, -EADDRNOTAVAIL, "no such address" },
        { { .source = "example.org:80" }, -EINVAL, -EINVAL, ".source" },
        { { .source = "unix:/x" }, -EINVAL, -EINVAL, ".source" },
        { { .source = "" }, -EINVAL, -EINVAL, ".source" },
        { { .interface = "eddy-none0" }, -ENODEV, -EDDY_ESIM, "interface" },
        { { .interface = "a-name-of-20-letters" }, -EINVAL, -EINVAL, "interface" },
        { { .interface = "" }, -EINVAL, -EINVAL, "interface" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_connect_options o = cases[i].o;
        o.size = sizeof o;
        o.error = &err;
        EDDY_CHECK_ERR(eddy_connect("127.0.0.1:1", &o, &s),
                       is_sim() ? cases[i].want_sim : cases[i].want);
        if (!EDDY_CHECK(strstr(err.text, cases[i].says) != NULL))
            printf("case %zu: %s\n", i, err.text);
    }
    EDDY_CHECK_ERR(eddy_listen("127.0.0.1:0",
                               EDDY_OPT(listen, .interface = "eddy-none0", .error = &err), &door),
                   is_sim() ? -EDDY_ESIM : -ENODEV);
    EDDY_CHECK(strstr(err.text, "interface") != NULL);
    EDDY_CHECK_ERR(
        eddy_listen("unix:@x", EDDY_OPT(listen, .interface = "lo", .error = &err), &door), -EINVAL);
    EDDY_CHECK(strstr(err.text, ".interface does not fit unix:@x") != NULL);
    EDDY_CHECK_ERR(eddy_listen("unix:@x", EDDY_OPT(listen, .v6_only = true, .error = &err), &door),
                   -EINVAL);
    EDDY_CHECK_ERR(eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .mode = 0600, .error = &err), &door),
                   -EINVAL);
    EDDY_CHECK(strstr(err.text, ".mode does not fit") != NULL);
    EDDY_CHECK_ERR(eddy_listen("unix:@x", EDDY_OPT(listen, .mode = 010000, .error = &err), &door),
                   -EINVAL);
    EDDY_CHECK_ERR(eddy_listen("127.0.0.1:0",
                               EDDY_OPT(listen, .proxy_from = "10.0.0.0/8", .error = &err), &door),
                   -EINVAL);
    EDDY_CHECK(strstr(err.text, "EDDY_PROXY_REQUIRED") != NULL);
    if (is_sim())
        return;
    eddy__sys.setsockopt = refuse_device;
    EDDY_CHECK_ERR(
        eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .interface = "lo", .error = &err), &door),
        -EPERM);
    EDDY_CHECK(strstr(err.text, "CAP_NET_RAW") != NULL);
    EDDY_CHECK_ERR(
        eddy_connect("127.0.0.1:1", EDDY_OPT(connect, .interface = "lo", .error = &err), &s),
        -EPERM);
    EDDY_CHECK(strstr(err.text, "CAP_NET_RAW") && refused_name);
    eddy__sys.setsockopt = refuse_keepalive;
    EDDY_CHECK_ERR(
        eddy_connect("127.0.0.1:1", EDDY_OPT(connect, .tcp = EDDY_OPT(tcp, .keep_idle_s = 9)), &s),
        -EIO);
    EDDY_CHECK_ERR(eddy_listen("127.0.0.1:0",
                               EDDY_OPT(listen, .tcp = EDDY_OPT(tcp, .keep_alive = EDDY_ON)),
                               &door),
                   -EIO);
}

EDDY_TEST(a_socket_file_has_its_mode)
{
    const unsigned modes[] = { 0600, 0666, 0660 };
    struct stat st;

    if (is_sim())
        return;
    mode_t before = umask(027);
    for (size_t i = 0; i < 3; i++) {
        EDDY_OWN(eddy_listener) door = NULL;
        EDDY_CHECK_EQ(eddy_listen("unix:mode.sock", EDDY_OPT(listen, .mode = modes[i]), &door), 0);
        EDDY_CHECK_EQ(stat("mode.sock", &st), 0);
        EDDY_CHECK_EQ(st.st_mode & 0777, modes[i]);
    }
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_CHECK_EQ(eddy_listen("unix:mode.sock", NULL, &door), 0);
    EDDY_CHECK_EQ(stat("mode.sock", &st), 0);
    EDDY_CHECK_EQ(st.st_mode & 0777, 0750);
    umask(before);
}

EDDY_TEST(a_taken_port_names_the_way_to_its_owner)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_listener) unix_door = NULL;
    EDDY_OWN(eddy_listener) other = NULL;
    struct eddy_error err = { 0 };
    char text[EDDY_ADDRESS_TEXT];

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) ||
        !EDDY_CHECK_EQ(eddy_listen("unix:eddy-taken.sock", NULL, &unix_door), 0))
        return;
    text_of(door, text);
    EDDY_CHECK_ERR(eddy_listen(text, EDDY_OPT(listen, .error = &err), &other), -EADDRINUSE);
    EDDY_CHECK(strstr(err.text, text) && strstr(err.text, "`ss -ltnp` names it"));
    EDDY_CHECK_ERR(eddy_listen("unix:eddy-taken.sock", EDDY_OPT(listen, .error = &err), &other),
                   -EADDRINUSE);
    EDDY_CHECK(strstr(err.text, "`ss -lxp` names it") && strstr(err.text, "no socket"));
}

/* A program compiled when the structs were shorter: what it does not know is not read. */
EDDY_TEST(who_is_late_is_told_that_the_name_was_the_matter)
{
    EDDY_OWN(eddy_udp) silent = NULL;
    struct eddy_error err = { 0 };
    struct eddy_stream *s = NULL;
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT];

    if (is_sim())
        return;
    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", NULL, &silent), 0);
    EDDY_CHECK_EQ(eddy_udp_address(silent, &a), 0);
    EDDY_CHECK_EQ(
        eddy_dns_setup(EDDY_OPT(dns, .servers = eddy_address_format(&a, text, sizeof text),
                                .hosts = "/dev/null")),
        0);
    EDDY_CHECK_ERR(
        eddy_connect("late.test:80", EDDY_OPT(connect, .timeout_ms = 20, .error = &err), &s),
        -ETIMEDOUT);
    EDDY_CHECK(strstr(err.text, "name server") != NULL);
    eddy_udp_close(EDDY_TAKE(silent));
}

EDDY_TEST(shorter_options_are_taken)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    struct eddy_listen_options l = { .size = offsetof(struct eddy_listen_options, v6_only),
                                     .interface = "garbage",
                                     .mode = 0777 };
    char text[EDDY_ADDRESS_TEXT];

    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", &l, &door), 0);
    struct eddy_connect_options c = { .size = offsetof(struct eddy_connect_options, source),
                                      .source = "garbage",
                                      .interface = "garbage" };
    EDDY_CHECK_EQ(eddy_connect(text_of(door, text), &c, &client), 0);
}
