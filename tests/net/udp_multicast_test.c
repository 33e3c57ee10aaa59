/*
 * Groups, on the loopback: it has no multicast flag, but IPv4 goes by it when it is named. IPv6 wants
 * a route, which only other interfaces have: a node-local group (ff01::/16) goes by one of those, and
 * never leaves the machine (RFC 4291 2.7).
 *
 * backends: epoll uring
 */
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/task.h>
#include <eddy/udp.h>

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

void eddy_check_teardown(void)
{
    eddy__sys = eddy__sys_kernel;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static bool hears(struct eddy_udp *u, const char *want)
{
    char buf[16];
    EDDY_SCOPE(patience, .timeout_ms = want ? 20000 : 20);
    ssize_t n = eddy_udp_receive(u, buf, sizeof buf, NULL);

    if (!want)
        return EDDY_CHECK_ERR(n, -ETIMEDOUT);
    return EDDY_CHECK_EQ(n, strlen(want)) && EDDY_CHECK_MEM(buf, (size_t)n, want, strlen(want));
}

struct group {
    const char *any, *sender, *group;
    char interface[IF_NAMESIZE];
};

static const struct group four = { "0.0.0.0:0", "127.0.0.1:0", "239.255.42.7", "lo" };

/* By an interface over which the group can be reached; false: there is none. */
static bool group_of_six(struct group *ret)
{
    struct if_nameindex *all = if_nameindex();
    bool found = false;

    for (struct if_nameindex *i = all; i && i->if_index && !found; i++) {
        EDDY_OWN(eddy_udp) u = NULL;
        *ret = (struct group){ "[::]:0", "[::]:0", "ff01::42:7", "" };
        (void)snprintf(ret->interface, sizeof ret->interface, "%s", i->if_name);
        found = eddy_udp_open(NULL,
                              EDDY_OPT(udp, .connect = "[ff01::42:7]:9",
                                       .multicast_interface = ret->interface),
                              &u) == 0;
    }
    if_freenameindex(all);
    return found;
}

/* Two receivers on one port, and somebody who sends to the group. */
static bool open_three(const struct group *g, struct eddy_udp *ret[3], struct eddy_address *ret_to)
{
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT];
    const struct eddy_udp_options *shared = EDDY_OPT(udp, .reuse_addr = true);

    if (!EDDY_CHECK_EQ(eddy_udp_open(g->any, shared, &ret[0]), 0) ||
        !EDDY_CHECK_EQ(eddy_udp_address(ret[0], &a), 0))
        return false;
    eddy_address_format(&a, text, sizeof text);
    return EDDY_CHECK_EQ(eddy_udp_open(text, shared, &ret[1]), 0) &&
           EDDY_CHECK_EQ(
               eddy_udp_open(g->sender,
                             EDDY_OPT(udp, .multicast_interface = g->interface, .multicast_ttl = 2),
                             &ret[2]),
               0) &&
           EDDY_CHECK_EQ(eddy_address_of_ip(eddy_slice_of(g->group), eddy_address_port(&a), ret_to),
                         0);
}

static void join_and_leave(const struct group *g)
{
    const struct eddy_udp_join_options *by = EDDY_OPT(udp_join, .interface = g->interface);
    struct eddy_udp *u[3] = { NULL };
    struct eddy_address to;
    char number[16];

    (void)snprintf(number, sizeof number, "%u", if_nametoindex(g->interface));
    if (!open_three(g, u, &to))
        return;
    EDDY_CHECK_EQ(eddy_udp_join(u[0], g->group, by), 0);
    EDDY_CHECK_ERR(eddy_udp_join(u[0], g->group, by), -EADDRINUSE);
    EDDY_CHECK_EQ(eddy_udp_join(u[1], g->group, EDDY_OPT(udp_join, .interface = number)), 0);
    EDDY_CHECK_EQ(eddy_udp_send(u[2], &to, "all", 3), 0);
    hears(u[0], "all");
    hears(u[1], "all");
    EDDY_CHECK_EQ(eddy_udp_leave(u[1], g->group, by), 0);
    EDDY_CHECK_ERR(eddy_udp_leave(u[1], g->group, by), -EADDRNOTAVAIL);
    /* A socket that has left may still hear what comes for another one's sake (IP_MULTICAST_ALL): so
     * the silence is looked for when nobody is in the group. */
    EDDY_CHECK_EQ(eddy_udp_send(u[2], &to, "one", 3), 0);
    hears(u[0], "one");
    EDDY_CHECK_EQ(eddy_udp_leave(u[0], g->group, by), 0);
    EDDY_CHECK_EQ(eddy_udp_send(u[2], &to, "none", 4), 0);
    hears(u[0], NULL);
    for (int k = 0; k < 3; k++)
        EDDY_CHECK_EQ(eddy_udp_close(u[k]), 0);
}

EDDY_TEST(a_group_is_joined_and_left)
{
    join_and_leave(&four);
}

EDDY_TEST(a_group_of_ipv6_is_joined_and_left)
{
    struct group six;

    if (!group_of_six(&six)) {
        EDDY_CHECK_NOT_RUN("no interface has a route for IPv6 groups");
        return;
    }
    join_and_leave(&six);
}

EDDY_TEST(a_source_is_chosen)
{
    struct eddy_udp *u[3] = { NULL };
    struct eddy_address to;
    struct eddy_udp_join_options from = { .size = sizeof from, .interface = "lo" };

    if (!open_three(&four, u, &to))
        return;
    EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(u[1])), 0);
    from.source = "127.0.0.2";
    EDDY_CHECK_EQ(eddy_udp_join(u[0], four.group, &from), 0);
    EDDY_CHECK_EQ(eddy_udp_send(u[2], &to, "not this", 8), 0);
    hears(u[0], NULL);
    from.source = "127.0.0.1";
    EDDY_CHECK_EQ(eddy_udp_join(u[0], four.group, &from), 0);
    EDDY_CHECK_EQ(eddy_udp_send(u[2], &to, "this", 4), 0);
    hears(u[0], "this");
    EDDY_CHECK_EQ(eddy_udp_leave(u[0], four.group, &from), 0);
    EDDY_CHECK_EQ(eddy_udp_send(u[2], &to, "no more", 7), 0);
    hears(u[0], NULL);
    for (int k = 0; k < 3; k++)
        EDDY_CHECK_EQ(eddy_udp_close(u[k]), 0);
}

static int settings[8][3], settings_count;

static int noted_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (settings_count < 8 && (level == IPPROTO_IP || level == IPPROTO_IPV6)) {
        int *s = settings[settings_count++];
        s[0] = level;
        s[1] = name;
        memcpy(&s[2], value, sizeof s[2]);
    }
    return eddy__sys_kernel.setsockopt(fd, level, name, value, len);
}

static bool is_set(int level, int name, int value)
{
    for (int i = 0; i < settings_count; i++)
        if (settings[i][0] == level && settings[i][1] == name && settings[i][2] == value)
            return true;
    return false;
}

/* The loopback's loop is of no effect: all it sends comes back. So what is asked for is looked at. */
EDDY_TEST(the_loop_and_the_reach_are_set)
{
    EDDY_OWN(eddy_udp) u4 = NULL;
    EDDY_OWN(eddy_udp) u6 = NULL;
    const struct eddy_udp_options *o = EDDY_OPT(udp, .no_multicast_loop = true, .multicast_ttl = 9);

    settings_count = 0;
    eddy__sys.setsockopt = noted_setsockopt;
    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", o, &u4), 0);
    EDDY_CHECK(is_set(IPPROTO_IP, IP_MULTICAST_LOOP, 0));
    EDDY_CHECK(is_set(IPPROTO_IP, IP_MULTICAST_TTL, 9));
    settings_count = 0;
    EDDY_CHECK_EQ(eddy_udp_open("[::1]:0", o, &u6), 0);
    EDDY_CHECK(is_set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0));
    EDDY_CHECK(is_set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9));
    EDDY_CHECK(is_set(IPPROTO_IP, IP_MULTICAST_TTL, 9));
}

static int full_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    (void)fd, (void)level, (void)name, (void)value, (void)len;
    return -ENOBUFS;
}

EDDY_TEST(a_wrong_group_says_what_is_wrong)
{
    EDDY_OWN(eddy_udp) u4 = NULL;
    EDDY_OWN(eddy_udp) un = NULL;
    struct eddy_error err = { 0 };

    EDDY_CHECK_EQ(eddy_udp_open("127.0.0.1:0", NULL, &u4), 0);
    EDDY_CHECK_EQ(eddy_udp_open("unix:group.sock", NULL, &un), 0);
    EDDY_CHECK_ERR(eddy_udp_join(u4, "10.0.0.1", EDDY_OPT(udp_join, .error = &err)), -EINVAL);
    EDDY_CHECK(strstr(err.text, "224.0.0.0/4") != NULL);
    EDDY_CHECK_ERR(eddy_udp_join(u4, "example.org", NULL), -EINVAL);
    EDDY_CHECK_ERR(eddy_udp_join(u4, "ff02::1", EDDY_OPT(udp_join, .interface = "lo")), -EINVAL);
    EDDY_CHECK_ERR(
        eddy_udp_join(u4, "239.0.0.1", EDDY_OPT(udp_join, .interface = "none0", .error = &err)),
        -ENODEV);
    EDDY_CHECK(strstr(err.text, "no such interface") != NULL);
    EDDY_CHECK_ERR(eddy_udp_join(u4, "239.0.0.1", EDDY_OPT(udp_join, .source = "::1")), -EINVAL);
    EDDY_CHECK_ERR(eddy_udp_leave(u4, "239.0.0.1", EDDY_OPT(udp_join, .interface = "lo")),
                   -EADDRNOTAVAIL);
    EDDY_CHECK_ERR(eddy_udp_join(un, "239.0.0.1", NULL), -EOPNOTSUPP);
    eddy__sys.setsockopt = full_setsockopt;
    EDDY_CHECK_ERR(eddy_udp_join(u4, "239.0.0.1", EDDY_OPT(udp_join, .error = &err)), -ENOBUFS);
    EDDY_CHECK(strstr(err.text, "too many groups") != NULL);
}
