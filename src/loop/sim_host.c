/*
 * loop/sim_host.c - hosts: names, addresses, who is where
 *
 * Host n has the address 10.0.0.0 + n + 1 and fd00:: + n + 1, so neither is kept anywhere.
 */
#include "base/memory.h"
#include "loop/loop.h"
#include "loop/sim.h"

#include <string.h>

/* Small letters, no dot at the end. -EINVAL: too long. */
static int copy_name(const char *name, char to[SIM_NAME_MAX + 1])
{
    size_t len = name ? strlen(name) : 0;

    if (len && name[len - 1] == '.')
        len--;
    if (len > SIM_NAME_MAX)
        return -EINVAL;
    for (size_t i = 0; i < len; i++)
        to[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    to[len] = '\0';
    return 0;
}

int eddy_sim_host_find(const struct sim *s, const char *name)
{
    char small[SIM_NAME_MAX + 1];

    if (copy_name(name, small) < 0)
        return -ENOENT;
    for (size_t i = 0; i < s->host_count; i++)
        if (strcmp(s->hosts[i]->name, small) == 0)
            return (int)i;
    return -ENOENT;
}

int eddy_sim_host_have(struct sim *s, const char *name)
{
    char small[SIM_NAME_MAX + 1];
    int found = eddy_sim_host_find(s, name);

    if (found >= 0)
        return found;
    int r = copy_name(name, small);
    if (r < 0)
        return r;
    if (s->host_count == SIM_HOSTS_MAX)
        return -ENOSPC;
    if (s->host_count == s->host_cap) {
        size_t cap = s->host_cap ? s->host_cap * 2 : 4;
        struct sim_host **hosts = eddy__resize(s->hosts, s->host_cap * sizeof(struct sim_host *),
                                               cap * sizeof(struct sim_host *));
        if (!hosts)
            return -ENOMEM;
        s->hosts = hosts;
        s->host_cap = cap;
    }
    struct sim_host *h = eddy__zalloc(sizeof *h);
    if (!h)
        return -ENOMEM;
    memcpy(h->name, small, sizeof small);
    s->hosts[s->host_count] = h;
    return (int)s->host_count++;
}

void eddy_sim_host_free(struct sim_host *host)
{
    eddy_sim_disk_free(host);
    eddy__free(host, sizeof *host);
}

int eddy_sim_host_here(struct sim *s)
{
    int here = s->driver.loop ? *eddy_loop_host(s->driver.loop) : 0;

    assert((size_t)here < s->host_count);
    return here;
}

/* --- addresses -------------------------------------------------------------------------------- */

int eddy_sim_host_at(const struct sim *s, const struct sockaddr_storage *addr, int own)
{
    uint32_t number;

    if (addr->ss_family == AF_INET) {
        number = ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr);
        if (number >> 24 != 10)
            return own;
        number &= 0xffffff;
    } else if (addr->ss_family == AF_INET6) {
        const uint8_t *ip = ((const struct sockaddr_in6 *)addr)->sin6_addr.s6_addr;
        if (ip[0] != 0xfd)
            return own;
        for (int i = 1; i < 14; i++)
            if (ip[i])
                return -1;
        number = (uint32_t)(ip[14] << 8 | ip[15]);
    } else {
        return own;
    }
    return number >= 1 && number <= s->host_count ? (int)number - 1 : -1;
}

void eddy_sim_host_address(int host, int family, struct sockaddr_storage *addr)
{
    uint32_t number = (uint32_t)host + 1;

    memset(addr, 0, sizeof *addr);
    addr->ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        ((struct sockaddr_in *)addr)->sin_addr.s_addr = htonl(UINT32_C(10) << 24 | number);
    } else {
        uint8_t *ip = ((struct sockaddr_in6 *)addr)->sin6_addr.s6_addr;
        ip[0] = 0xfd;
        ip[14] = (uint8_t)(number >> 8);
        ip[15] = (uint8_t)number;
    }
}

/* --- look-ups --------------------------------------------------------------------------------- */

int eddy_sim_lookup(struct sim *s, struct sim_slot *errand, struct eddy_op *op)
{
    struct eddy_lookup *of = op->lookup.of;
    int to = eddy_sim_host_find(s, of->name);
    const struct eddy_sim_fault *rule = eddy_sim_rule(s, EDDY_SIM_NAME, errand->host, to, 0);
    unsigned count = 0;

    if (errand->reset)
        return -EDDY_ERESOLVER;
    if (rule)
        return rule->error;
    if (to <= 0)
        return -EDDY_ENONAME;
    for (int i = 0; i < 2 && count < of->cap; i++) {
        int family = i == 0 ? AF_INET : AF_INET6;
        if (!of->family || of->family == family)
            eddy_sim_host_address(to, family, &of->ret[count++]);
    }
    return count ? (int)count : -EDDY_ENONAME;
}

bool eddy_sim_lookup_submit(struct sim *s, struct eddy_op *op)
{
    int here = eddy_sim_host_here(s);
    const struct eddy_sim_fault *slow = eddy_sim_rule(
        s, EDDY_SIM_LATENCY, here, eddy_sim_host_find(s, op->lookup.of->name), 0);
    /* Asked of a cache nearby, unless a row says more. */
    int64_t delay_ns = slow ? eddy_sim_delay(s, slow) : 50000 * (int64_t)(1 + eddy_sim_roll(s, 8));

    return !eddy_sim_errand(s, op, delay_ns);
}
