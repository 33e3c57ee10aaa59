/*
 * net/udp_options.c - what is set before a datagram socket is bound
 */
#include "base/sys.h"
#include "net/udp.h"

#include <eddy/slice.h>

#include <net/if.h>
#include <netinet/udp.h>
#include <string.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

int eddy_udp_interface_index(const char *name, unsigned *ret_index)
{
    uint64_t number;

    if (eddy_slice_u64(eddy_slice_of(name), &number) < 0)
        number = if_nametoindex(name);
    if (!number || number > INT32_MAX)
        return -ENODEV;
    *ret_index = (unsigned)number;
    return 0;
}

static int set_int(const struct eddy_udp *u, int level, int name, int value)
{
    return eddy__sys.setsockopt(u->fd, level, name, &value, sizeof value);
}

/* A setting that IPv4 and IPv6 have under two names. An IPv6 socket that is IPv4's, too, has both;
 * of those IPv4's is a nicety, which a kernel may lack. */
static int set_both(const struct eddy_udp *u, int v4, int v6, int value)
{
    if (u->family == AF_INET)
        return set_int(u, IPPROTO_IP, v4, value);
    int r = set_int(u, IPPROTO_IPV6, v6, value);
    if (r == 0)
        (void)set_int(u, IPPROTO_IP, v4, value);
    return r;
}

static int set_multicast_interface(const struct eddy_udp *u, const char *name)
{
    struct ip_mreqn by = { 0 };
    unsigned index;

    int r = eddy_udp_interface_index(name, &index);
    if (r < 0)
        return r;
    by.imr_ifindex = (int)index;
    if (u->family == AF_INET6)
        r = set_int(u, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)index);
    if (r < 0)
        return r;
    int v4 = eddy__sys.setsockopt(u->fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by);
    return u->family == AF_INET ? v4 : 0;
}

static int set_size(const struct eddy_udp *u, int name, unsigned bytes)
{
    return set_int(u, SOL_SOCKET, name, bytes < INT32_MAX ? (int)bytes : INT32_MAX);
}

/* What any socket has. NULL: done; else which option was refused, with @ret_r. */
static const char *set_general(struct eddy_udp *u, const struct eddy_udp_options *o, int *ret_r)
{
    if (o->reuse_addr && (*ret_r = set_int(u, SOL_SOCKET, SO_REUSEADDR, 1)) < 0)
        return "reuse_addr";
    if (o->reuse_port && (*ret_r = set_int(u, SOL_SOCKET, SO_REUSEPORT, 1)) < 0)
        return "reuse_port";
    if (o->broadcast && (*ret_r = set_int(u, SOL_SOCKET, SO_BROADCAST, 1)) < 0)
        return "broadcast";
    if (o->receive_buffer && (*ret_r = set_size(u, SO_RCVBUF, o->receive_buffer)) < 0)
        return "receive_buffer";
    if (o->send_buffer && (*ret_r = set_size(u, SO_SNDBUF, o->send_buffer)) < 0)
        return "send_buffer";
    return NULL;
}

/* What only IP has: refused for a Unix socket, with the name of the first that was asked for. */
static const char *only_ip(const struct eddy_udp_options *o)
{
    return o->packet_info           ? "packet_info"
           : o->tell_tos            ? "tell_tos"
           : o->no_multicast_loop   ? "no_multicast_loop"
           : o->ttl                 ? "ttl"
           : o->multicast_ttl       ? "multicast_ttl"
           : o->multicast_interface ? "multicast_interface"
           : o->interface           ? "interface"
           : o->v6_only             ? "v6_only"
                                    : NULL;
}

static const char *set_ip(struct eddy_udp *u, const struct eddy_udp_options *o, int *ret_r)
{
    if (u->family == AF_INET6 &&
        (*ret_r = set_int(u, IPPROTO_IPV6, IPV6_V6ONLY, o && o->v6_only)) < 0)
        return "v6_only";
    if (!o)
        return NULL;
    if (o->packet_info && (*ret_r = set_both(u, IP_PKTINFO, IPV6_RECVPKTINFO, 1)) < 0)
        return "packet_info";
    if (o->tell_tos && (*ret_r = set_both(u, IP_RECVTOS, IPV6_RECVTCLASS, 1)) < 0)
        return "tell_tos";
    if (o->ttl && (*ret_r = set_both(u, IP_TTL, IPV6_UNICAST_HOPS, o->ttl)) < 0)
        return "ttl";
    if (o->multicast_ttl &&
        (*ret_r = set_both(u, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, o->multicast_ttl)) < 0)
        return "multicast_ttl";
    if (o->no_multicast_loop &&
        (*ret_r = set_both(u, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, 0)) < 0)
        return "no_multicast_loop";
    if (o->multicast_interface && (*ret_r = set_multicast_interface(u, o->multicast_interface)) < 0)
        return "multicast_interface";
    if (o->interface &&
        (*ret_r = eddy__sys.setsockopt(u->fd, SOL_SOCKET, SO_BINDTODEVICE, o->interface,
                                       (socklen_t)strlen(o->interface))) < 0)
        return "interface";
    return NULL;
}

/* A simulated network has no interfaces, no marks and no limits of reach. Sizes of buffers and all
 * else that only a real one notices is taken for granted. */
static int refuse_in_sim(const struct eddy_udp *u, const struct eddy_udp_options *o)
{
    const char *what = o->packet_info           ? "packet_info"
                       : o->tell_tos            ? "tell_tos"
                       : o->multicast_interface ? "multicast_interface"
                       : o->interface           ? "interface"
                                                : NULL;

    if (!what)
        return 0;
    int r = eddy__sim_refuse(u->loop, "network interfaces and marks of datagrams");
    return eddy_error_set(o->error, r, 0, "cannot set .%s: %s", what, eddy_strerror(r));
}

int eddy_udp_options_set(struct eddy_udp *u, const struct eddy_udp_options *o)
{
    int r = 0;

    if (eddy_udp_simulated(u)) {
        u->is_gro = o && o->gro;
        return o ? refuse_in_sim(u, o) : 0;
    }
    const char *what = o ? set_general(u, o, &r) : NULL;

    if (!what && u->family == AF_UNIX) {
        what = o ? only_ip(o) : NULL;
        r = what ? -EINVAL : 0;
    } else if (!what) {
        what = set_ip(u, o, &r);
    }
    if (what)
        return eddy_error_set(o ? o->error : NULL, r, 0, "cannot set .%s of a %s: %s", what,
                              u->family == AF_UNIX ? "Unix socket" : "datagram socket",
                              eddy_strerror(r));
    if (!o)
        return 0;
    u->has_control = o->packet_info || o->tell_tos;
    /* A kernel that joins nothing hands on each by itself: nothing is amiss. */
    u->is_gro = o->gro;
    if (o->gro && u->family != AF_UNIX && set_int(u, IPPROTO_UDP, UDP_GRO, 1) == 0)
        u->has_control = true;
    return 0;
}
