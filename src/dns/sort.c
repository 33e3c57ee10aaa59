/*
 * dns/sort.c - in which order addresses are to be tried: RFC 6724 section 6
 *
 * From where the kernel would reach each is asked of it by connecting a datagram socket, which
 * sends nothing. Left out are what only the kernel knows: which source addresses are deprecated
 * (rule 3), home addresses (4), and tunnels (7). IPv4 alone stays in the server's order: what it
 * rotates is meant to be spread, and the rules hardly tell such addresses apart.
 */
#include "base/sys.h"
#include "dns/room.h"

#include <netinet/in.h>
#include <string.h>

bool dns_ip_eq(const struct dns_ip *a, const struct dns_ip *b)
{
    return a->family == b->family && a->scope == b->scope &&
           memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void dns_ip_to_address(const struct dns_ip *ip, uint16_t port, struct eddy_address *ret)
{
    memset(ret, 0, sizeof *ret);
    if (ip->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&ret->storage;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, ip->bytes, 4);
        ret->len = sizeof *in;
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret->storage;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, ip->bytes, 16);
        in6->sin6_scope_id = ip->scope;
        ret->len = sizeof *in6;
    }
}

int dns_ip_of_sockaddr(const struct sockaddr *addr, struct dns_ip *ret)
{
    *ret = (struct dns_ip){ .family = (uint8_t)addr->sa_family };
    if (addr->sa_family == AF_INET) {
        memcpy(ret->bytes, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
        return 0;
    }
    if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)addr;
        memcpy(ret->bytes, &in6->sin6_addr, 16);
        ret->scope = in6->sin6_scope_id;
        return 0;
    }
    return -EINVAL;
}

/* --- what an address is ---------------------------------------------------------------------- */

/* As IPv6; IPv4 is mapped. */
static void widen(const struct dns_ip *ip, uint8_t ret[16])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (ip->family == AF_INET) {
        memcpy(ret, mapped, 12);
        memcpy(ret + 12, ip->bytes, 4);
    } else {
        memcpy(ret, ip->bytes, 16);
    }
}

static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned max)
{
    unsigned n = 0;

    while (n < max && ((a[n / 8] ^ b[n / 8]) & (0x80 >> n % 8)) == 0)
        n++;
    return n;
}

/* RFC 6724 2.1. */
static const struct policy {
    uint8_t prefix[16];
    uint8_t bits, precedence, label;
} policies[] = {
    { { [15] = 1 }, 128, 50, 0 },                /* ::1 */
    { { [10] = 0xff, [11] = 0xff }, 96, 35, 4 }, /* IPv4 */
    { { 0 }, 96, 1, 3 },                         /* ::/96, IPv4-compatible */
    { { 0x20, 0x01, 0, 0 }, 32, 5, 5 },          /* Teredo */
    { { 0x20, 0x02 }, 16, 30, 2 },               /* 6to4 */
    { { 0x3f, 0xfe }, 16, 1, 12 },               /* 6bone */
    { { 0xfe, 0xc0 }, 10, 1, 11 },               /* site-local */
    { { 0xfc }, 7, 3, 13 },                      /* unique local */
    { { 0 }, 0, 40, 1 },
};

static const struct policy *policy_of(const uint8_t ip[16])
{
    const struct policy *p = policies;

    while (common_bits(ip, p->prefix, p->bits) < p->bits)
        p++; /* the last one fits all */
    return p;
}

/* RFC 6724 3.1, 3.2. */
static unsigned scope_of(const uint8_t ip[16])
{
    enum { LINK = 2, SITE = 5, GLOBAL = 14 };
    static const uint8_t one[16] = { [15] = 1 };

    if (policy_of(ip)->label == 4)
        return ip[12] == 127 || (ip[12] == 169 && ip[13] == 254) ? LINK : GLOBAL;
    if (ip[0] == 0xff)
        return ip[1] & 15;
    if (memcmp(ip, one, 16) == 0 || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80))
        return LINK;
    return ip[0] == 0xfe && (ip[1] & 0xc0) == 0xc0 ? SITE : GLOBAL;
}

/* --- sorting --------------------------------------------------------------------------------- */

struct candidate {
    uint8_t to[16], from[16];
    bool reachable;
    struct dns_ip ip;
};

/* From where the kernel would reach it. */
static bool source_of(const struct dns_ip *ip, struct dns_ip *ret)
{
    struct eddy_address address;
    struct sockaddr_storage own;
    socklen_t len = sizeof own;

    dns_ip_to_address(ip, 53, &address);
    int fd = eddy__sys.socket(ip->family, SOCK_DGRAM, 0);
    if (fd < 0)
        return false;
    bool ok = eddy__sys.connect(fd, (const struct sockaddr *)&address.storage, address.len) == 0 &&
              eddy__sys.getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
              dns_ip_of_sockaddr((const struct sockaddr *)&own, ret) == 0;
    eddy__sys.close(fd);
    return ok;
}

/* Negative: @a comes first. */
static int compare(const struct candidate *a, const struct candidate *b)
{
    if (a->reachable != b->reachable) /* rule 1 */
        return a->reachable ? -1 : 1;
    const unsigned scope_a = scope_of(a->to), scope_b = scope_of(b->to);
    const struct policy *policy_a = policy_of(a->to), *policy_b = policy_of(b->to);
    if (a->reachable) {
        bool fits_a = scope_a == scope_of(a->from), fits_b = scope_b == scope_of(b->from);
        if (fits_a != fits_b) /* 2 */
            return fits_a ? -1 : 1;
        fits_a = policy_a->label == policy_of(a->from)->label;
        fits_b = policy_b->label == policy_of(b->from)->label;
        if (fits_a != fits_b) /* 5 */
            return fits_a ? -1 : 1;
    }
    if (policy_a->precedence != policy_b->precedence) /* 6 */
        return policy_a->precedence > policy_b->precedence ? -1 : 1;
    if (scope_a != scope_b) /* 8 */
        return scope_a < scope_b ? -1 : 1;
    if (a->reachable && a->ip.family == AF_INET6 && b->ip.family == AF_INET6) { /* 9 */
        unsigned bits_a = common_bits(a->to, a->from, 64), bits_b = common_bits(b->to, b->from, 64);
        if (bits_a != bits_b)
            return bits_a > bits_b ? -1 : 1;
    }
    return 0; /* 10: as they came */
}

void dns_sort(struct dns_ips *ips, bool probe)
{
    struct candidate c[EDDY_ADDRESSES_MAX];
    bool six = false;

    for (size_t i = 0; i < ips->count; i++)
        six |= ips->at[i].family == AF_INET6;
    if (ips->count < 2 || !six)
        return;
    for (size_t i = 0; i < ips->count; i++) {
        struct candidate one = { .ip = ips->at[i], .reachable = true };
        struct dns_ip from = one.ip; /* not asked: as if from its like */
        if (probe)
            one.reachable = source_of(&one.ip, &from);
        widen(&one.ip, one.to);
        widen(&from, one.from);
        size_t k = i;
        for (; k > 0 && compare(&one, &c[k - 1]) < 0; k--)
            c[k] = c[k - 1];
        c[k] = one;
    }
    for (size_t i = 0; i < ips->count; i++)
        ips->at[i] = c[i].ip;
}
