/*
 * net/networks.c - a list of networks as text, and whether an address is in one of them
 *
 * All are kept as IPv6: a socket that takes both kinds shows an IPv4 peer as ::ffff:10.0.0.1, and
 * must find it under 10.0.0.0/8.
 */
#include "net/networks.h"

#include <netinet/in.h>
#include <string.h>

static bool ip_of(const struct eddy_address *address, uint8_t ret_ip[16], unsigned *ret_shift)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    switch (eddy_address_family(address)) {
    case AF_INET:
        memcpy(&in, &address->storage, sizeof in);
        memcpy(ret_ip, mapped, sizeof mapped);
        memcpy(ret_ip + 12, &in.sin_addr, 4);
        *ret_shift = 96;
        return true;
    case AF_INET6:
        memcpy(&in6, &address->storage, sizeof in6);
        memcpy(ret_ip, &in6.sin6_addr, 16);
        *ret_shift = 0;
        return true;
    default: return false;
    }
}

static bool are_alike(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    const unsigned bytes = bits / 8, rest = bits % 8;

    return memcmp(a, b, bytes) == 0 &&
           (!rest || ((a[bytes] ^ b[bytes]) & (0xff << (8 - rest)) & 0xff) == 0);
}

static bool parse_one(struct eddy_slice text, struct net_network *ret)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    struct eddy_slice ip = text;
    struct eddy_address a;
    unsigned shift = 0;
    uint64_t bits = 128;

    if (slash)
        ip.len = (size_t)(slash - text.ptr);
    if (eddy_address_of_ip(ip, 0, &a) != 0 || !ip_of(&a, ret->ip, &shift))
        return false;
    if (slash) {
        struct eddy_slice digits = { slash + 1, text.len - ip.len - 1 };
        if (eddy_slice_u64(digits, &bits) < 0 || bits > 128 - shift)
            return false;
        bits += shift;
    }
    ret->bits = (uint8_t)bits;
    return true;
}

int net_networks_parse(const char *text, struct net_networks *ret, const char *what,
                       struct eddy_error *err)
{
    struct net_networks n = { .count = 0 };
    size_t len;

    for (const char *at = text; *at; at += len) {
        len = strcspn(at, ", ");
        if (len == 0) {
            len = 1;
            continue;
        }
        if (len == 5 && memcmp(at, "unix:", 5) == 0) {
            n.local = true;
            continue;
        }
        if (n.count == NET_NETWORKS_MAX)
            return eddy_error_set(err, -EINVAL, (size_t)(at - text), "%s: %d networks are the most",
                                  what, NET_NETWORKS_MAX);
        if (!parse_one((struct eddy_slice){ at, len }, &n.at[n.count]))
            return eddy_error_set(err, -EINVAL, (size_t)(at - text),
                                  "%s: '%.*s' is no network, as 10.0.0.0/8 or ::1", what,
                                  len < 60 ? (int)len : 60, at);
        n.count++;
    }
    if (!n.count && !n.local)
        return eddy_error_set(err, -EINVAL, 0, "%s names nobody", what);
    *ret = n;
    return 0;
}

bool net_networks_have(const struct net_networks *n, const struct eddy_address *address)
{
    uint8_t ip[16];
    unsigned shift;

    if (!ip_of(address, ip, &shift))
        return n->local;
    for (unsigned i = 0; i < n->count; i++)
        if (are_alike(ip, n->at[i].ip, n->at[i].bits))
            return true;
    return false;
}
