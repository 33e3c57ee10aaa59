/*
 * net/multicast.c - groups: joined and left by interface, of anybody or of one source
 *
 * By RFC 3678's calls, which are the same for IPv4 and IPv6.
 */
#include "base/sys.h"
#include "net/udp.h"

#include <eddy/slice.h>

#include <string.h>

static bool is_group(const struct eddy_address *a)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (eddy_address_family(a) == AF_INET) {
        memcpy(&in, &a->storage, sizeof in);
        return IN_MULTICAST(ntohl(in.sin_addr.s_addr));
    }
    memcpy(&in6, &a->storage, sizeof in6);
    return IN6_IS_ADDR_MULTICAST(&in6.sin6_addr);
}

static int explain(const struct eddy_udp_join_options *o, int r, const char *verb,
                   const char *group)
{
    const char *why;

    switch (r) {
    case -ENODEV: why = "no such interface, or none for groups (name one by .interface)"; break;
    case -EADDRINUSE: why = "joined already"; break;
    case -EADDRNOTAVAIL: why = "not joined by that interface and source"; break;
    case -ENOBUFS: why = "too many groups (net.ipv4.igmp_max_memberships)"; break;
    default: why = eddy_strerror(r);
    }
    return eddy_error_set(o ? o->error : NULL, r, 0, "cannot %s %.60s: %s", verb, group, why);
}

static int change(struct eddy_udp *u, const char *group, const struct eddy_udp_join_options *o,
                  bool join)
{
    const char *verb = join ? "join" : "leave";
    struct group_source_req both = { 0 };
    struct group_req any = { 0 };
    struct eddy_address a, source;
    unsigned index = 0;

    int r = eddy_loop_is_parents(u->loop) ? -EDDY_EFORKED : eddy__sim_refuse(u->loop, "groups");
    if (r < 0)
        return explain(o, r, verb, group);
    if (u->family == AF_UNIX)
        return explain(o, -EOPNOTSUPP, verb, group);
    if (eddy_address_of_ip(eddy_slice_of(group), 0, &a) != 0 || !is_group(&a))
        return eddy_error_set(o ? o->error : NULL, -EINVAL, 0,
                              "%.60s is no group's address (224.0.0.0/4, ff00::/8)", group);
    if (u->family == AF_INET && eddy_address_family(&a) != AF_INET)
        return eddy_error_set(o ? o->error : NULL, -EINVAL, 0,
                              "%.60s is of IPv6, and the socket is not", group);
    if (o && o->interface) {
        r = eddy_udp_interface_index(o->interface, &index);
        if (r < 0)
            return explain(o, r, verb, group);
    }
    const int level = eddy_address_family(&a) == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    if (o && o->source) {
        if (eddy_address_of_ip(eddy_slice_of(o->source), 0, &source) != 0 ||
            eddy_address_family(&source) != eddy_address_family(&a))
            return eddy_error_set(o->error, -EINVAL, 0, "%.60s is no source for %.60s", o->source,
                                  group);
        both.gsr_interface = index;
        memcpy(&both.gsr_group, &a.storage, a.len);
        memcpy(&both.gsr_source, &source.storage, source.len);
        r = eddy__sys.setsockopt(u->fd, level,
                                 join ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, &both,
                                 sizeof both);
    } else {
        any.gr_interface = index;
        memcpy(&any.gr_group, &a.storage, a.len);
        r = eddy__sys.setsockopt(u->fd, level, join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &any,
                                 sizeof any);
    }
    return r < 0 ? explain(o, r, verb, group) : 0;
}

int eddy_udp_join(struct eddy_udp *u, const char *group,
                  const struct eddy_udp_join_options *options)
{
    return change(u, group, options, true);
}

int eddy_udp_leave(struct eddy_udp *u, const char *group,
                   const struct eddy_udp_join_options *options)
{
    return change(u, group, options, false);
}
