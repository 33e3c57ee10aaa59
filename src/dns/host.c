/*
 * dns/host.c - from a name to its addresses: what is known here, the hosts file, then questions
 *
 * The names that are asked for are, in order (resolv.conf(5)): one that ends with a dot, alone; one
 * with as many dots as `ndots`, itself and then under each search domain; any other under each
 * search domain and then itself. For each both families are asked at a time, and the next is tried
 * when both are settled and neither has an address: so the two families of an answer are always of
 * one name.
 */
#include "base/memory.h"
#include "dns/channel.h"
#include "dns/room.h"

#include <netinet/in.h>
#include <stdio.h>

static const unsigned type_of[2] = { EDDY_DNS_AAAA, EDDY_DNS_A };
static const int family_of[2] = { AF_INET6, AF_INET };

static int advance(struct dns_host *h);

/* --- ending ---------------------------------------------------------------------------------- */

static int finish(struct dns_host *h, int status, const char *why)
{
    h->over = true;
    h->have[0] = h->have[1] = true;
    h->status = status;
    h->why = why;
    return 1;
}

static size_t count_of(const struct dns_host *h)
{
    return h->found[0].count + h->found[1].count;
}

static int fail(struct dns_host *h)
{
    if (h->failure)
        return finish(h, h->failure, h->failure_why);
    return finish(h, -EDDY_ENONAME,
                  h->no_data  ? "no address"
                  : h->no_why ? h->no_why
                              : "no such name");
}

/* --- what is known here ---------------------------------------------------------------------- */

static bool is_localhost(struct eddy_slice host)
{
    static const struct eddy_slice name = { "localhost", 9 };

    if (host.len && host.ptr[host.len - 1] == '.')
        host.len--;
    if (host.len < name.len)
        return false;
    struct eddy_slice tail = { host.ptr + host.len - name.len, name.len };
    return eddy_slice_ieq(tail, name) &&
           (host.len == name.len || host.ptr[host.len - name.len - 1] == '.');
}

static void put(struct dns_host *h, const struct dns_ip *ip)
{
    const int i = ip->family == AF_INET;
    struct dns_ips *to = &h->found[i];

    if ((h->family && h->family != family_of[i]) || to->count == EDDY_ADDRESSES_MAX)
        return;
    to->at[to->count++] = *ip;
}

/* 1: over. 0: it has to be asked for. */
static int find_here(struct dns_host *h, struct eddy_slice host)
{
    static const struct dns_ip here[2] = { { .family = AF_INET6, .bytes = { [15] = 1 } },
                                           { .family = AF_INET, .bytes = { 127, 0, 0, 1 } } };
    struct eddy_address address;
    struct dns_ip ip;

    if (eddy_address_of_ip(host, 0, &address) == 0) {
        dns_ip_of_sockaddr((const struct sockaddr *)&address.storage, &ip);
        put(h, &ip);
    } else if (is_localhost(host)) {
        put(h, &here[0]);
        put(h, &here[1]);
        h->order.count = 0;
        for (int i = 0; i < 2; i++)
            if (h->found[i].count)
                h->order.at[h->order.count++] = here[i];
        h->sorted = true;
    } else {
        return 0;
    }
    h->via = EDDY_DNS_HERE;
    h->no_data = true;
    return count_of(h) ? finish(h, 0, NULL) : fail(h);
}

static bool find_in_hosts(struct dns_host *h)
{
    struct dns_ips ips;
    char name[DNS_NAME_MAX + 1];
    size_t len = strlen(h->name);

    memcpy(name, h->name, len + 1);
    if (name[len - 1] == '.')
        name[len - 1] = '\0';
    if (!dns_hosts_find(h->room->hosts, name, h->family, &ips))
        return false;
    for (size_t i = 0; i < ips.count; i++)
        put(h, &ips.at[i]);
    h->via = EDDY_DNS_FILES;
    h->cached = false;
    h->ttl_s = 0;
    finish(h, 0, NULL);
    return true;
}

/* --- questions ------------------------------------------------------------------------------- */

static void take_addresses(struct dns_host *h, const struct dns_answer *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct eddy_record *record = &a->at[i];
        struct dns_ip ip = { .family = record->type == EDDY_DNS_A ? AF_INET : AF_INET6 };
        if (record->type != EDDY_DNS_A && record->type != EDDY_DNS_AAAA)
            continue;
        memcpy(ip.bytes, record->text, record->len < 16 ? record->len : 16);
        if (record->len == 20)
            memcpy(&ip.scope, record->text + 16, 4);
        put(h, &ip);
        /* getaddrinfo(3) has sorted them, by gai.conf(5) too. */
        if (h->system && h->order.count < EDDY_ADDRESSES_MAX &&
            (!h->family || h->family == ip.family))
            h->order.at[h->order.count++] = ip;
    }
    h->sorted = h->system;
}

static void take(struct dns_host *h, const struct dns_answer *a, bool cached)
{
    h->via = a->via;
    if (a->status == 0) {
        int64_t left_ns = a->until_ns - eddy_loop_clock(h->room->loop);
        uint32_t left_s = a->timed && left_ns > 0 ? (uint32_t)((left_ns + 999999999) / 1000000000)
                                                  : 0;
        h->cached = cached && (count_of(h) == 0 || h->cached);
        h->ttl_s = count_of(h) == 0 || left_s < h->ttl_s ? left_s : h->ttl_s;
        take_addresses(h, a);
    } else if (a->status == -EDDY_ENONAME) {
        if (a->no_data)
            h->no_data = true;
        else
            h->no_why = a->why;
    } else {
        h->failure = a->status;
        h->failure_why = a->why;
        h->silent |= a->silent || a->status == -ENOMEM;
    }
}

static void answered(struct dns_ask *ask, const struct dns_answer *a, bool cached)
{
    const bool is_second = ask->index == 1;
    struct dns_host *h = eddy_container_of(is_second ? ask - 1 : ask, struct dns_host, ask[0]);

    h->asking--;
    take(h, a, cached);
    h->have[ask->index] = true;
    if (h->asking == 0) {
        int r = count_of(h) ? finish(h, 0, NULL) : advance(h);
        if (r < 0)
            finish(h, r, "out of memory");
    }
    h->changed(h);
}

/* 1: both are settled. 0: one at least has been asked for. */
static int ask(struct dns_host *h, const char *name, unsigned type, int i)
{
    const struct dns_answer *a = NULL;

    h->ask[i].done = answered;
    h->ask[i].index = i;
    h->have[i] = false;
    int r = dns_ask(h->room, name, type, h->no_cache, &h->ask[i], &a);
    if (r == 1) {
        h->have[i] = true;
        take(h, a, true);
    } else if (r == 0) {
        h->asking++;
    }
    return r;
}

static int ask_both(struct dns_host *h, const char *name)
{
    int r = 1;

    for (int i = 0; i < 2 && r >= 0; i++)
        if (!h->family || h->family == family_of[i])
            r = ask(h, name, type_of[i], i);
    return r < 0 ? r : h->asking == 0;
}

/* The how manyeth name to ask for, into @buf; false: there are no more. */
static bool name_of_step(const struct dns_host *h, const struct dns_channel *c, unsigned step,
                         char buf[DNS_NAME_MAX + 1])
{
    size_t len = strlen(h->name);
    unsigned dots = 0;

    memcpy(buf, h->name, len + 1);
    if (buf[len - 1] == '.') {
        buf[len - 1] = '\0';
        return step == 0;
    }
    for (const char *p = h->name; *p; p++)
        dots += *p == '.';
    const bool itself_first = dots >= c->ndots;
    if (step > c->domain_count)
        return false;
    if (step == (itself_first ? 0 : c->domain_count))
        return true;
    const char *domain = c->domains[itself_first ? step - 1 : step];
    const size_t domain_len = strlen(domain);
    if (domain_len == 0 || strcmp(domain, ".") == 0)
        return true;
    if (len + 1 + domain_len > DNS_NAME_MAX)
        buf[0] = '\0'; /* too long: nobody has it */
    else {
        buf[len] = '.';
        for (size_t i = 0; i <= domain_len; i++)
            buf[len + 1 + i] = (char)(domain[i] >= 'A' && domain[i] <= 'Z' ? domain[i] | 0x20
                                                                           : domain[i]);
        if (buf[len + domain_len] == '.')
            buf[len + domain_len] = '\0';
    }
    return true;
}

/* The next name, until one has an answer or has to be waited for. 1: over; 0: asked. */
static int advance(struct dns_host *h)
{
    char name[DNS_NAME_MAX + 1];
    struct dns_channel *c;

    if (h->system || eddy_driver_is_simulated(h->room->loop->driver))
        return fail(h);
    int r = dns_room_channel(h->room, &c);
    if (r < 0)
        return r;
    while (!h->silent && name_of_step(h, c, h->step, name)) {
        h->step++;
        if (!name[0])
            continue;
        r = ask_both(h, name);
        if (r == 1 && count_of(h))
            return finish(h, 0, NULL);
        if (r != 1)
            return r;
    }
    if (h->files_last && find_in_hosts(h))
        return 1;
    return fail(h);
}

static int ask_simulated(struct dns_host *h)
{
    char key[DNS_NAME_MAX + 16];
    size_t len = strlen(h->name);

    /* Who asks is part of the key: what goes wrong in the simulator differs from host to host. */
    if (h->name[len - 1] == '.')
        h->name[len - 1] = '\0';
    snprintf(key, sizeof key, "%u/%s", (unsigned)*eddy_loop_host(h->room->loop), h->name);
    int r = ask_both(h, key);
    if (r != 1)
        return r;
    return count_of(h) ? finish(h, 0, NULL) : fail(h);
}

static int ask_system(struct dns_host *h)
{
    h->system = true;
    int r = ask(h, h->name, DNS_TYPE_SYSTEM, 0);
    if (r != 1)
        return r;
    return count_of(h) ? finish(h, 0, NULL) : fail(h);
}

/* --- starting and stopping ------------------------------------------------------------------- */

static int go(struct dns_host *h, struct eddy_slice host)
{
    int r = find_here(h, host);
    if (r == 1)
        return 1;
    if (!host.len || host.len > DNS_NAME_MAX || memchr(host.ptr, '\0', host.len) ||
        (host.len == 1 && host.ptr[0] == '.')) {
        h->why = "no name can be so";
        return -EDDY_ENONAME;
    }
    for (size_t i = 0; i < host.len; i++)
        h->name[i] = (char)(host.ptr[i] >= 'A' && host.ptr[i] <= 'Z' ? host.ptr[i] | 0x20
                                                                     : host.ptr[i]);
    h->name[host.len] = '\0';
    r = dns_room_of(eddy__loop(), &h->room);
    if (r < 0)
        return r;
    if (eddy_driver_is_simulated(h->room->loop->driver))
        return ask_simulated(h);
    r = dns_room_refresh(h->room);
    if (r < 0)
        return r;
    const struct dns_sources *s = &h->room->sources;
    if (s->system)
        return ask_system(h);
    h->files_last = s->files && s->servers_first;
    if (s->files && (!s->servers_first || !s->servers) && find_in_hosts(h))
        return 1;
    return s->servers ? advance(h) : fail(h);
}

int dns_host_start(struct dns_host *h, struct eddy_slice host)
{
    h->asking = 0;
    int r = go(h, host);
    if (r < 0)
        dns_host_stop(h);
    return r;
}

void dns_host_stop(struct dns_host *h)
{
    for (int i = 0; i < 2 && h->room; i++)
        if (h->ask[i].done)
            dns_ask_withdraw(h->room, &h->ask[i]);
    h->asking = 0;
}

void dns_host_sorted(const struct dns_host *h, struct dns_ips *ret)
{
    if (h->sorted) {
        *ret = h->order;
        return;
    }
    size_t n[2] = { h->found[0].count, h->found[1].count };
    /* More than there is room for: of each family its share. */
    for (int i = 0; i < 2; i++)
        if (n[i] > EDDY_ADDRESSES_MAX / 2 && n[0] + n[1] > EDDY_ADDRESSES_MAX)
            n[i] = n[!i] < EDDY_ADDRESSES_MAX / 2 ? EDDY_ADDRESSES_MAX - n[!i]
                                                  : EDDY_ADDRESSES_MAX / 2;
    ret->count = 0;
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < n[i]; k++)
            ret->at[ret->count++] = h->found[i].at[k];
    dns_sort(ret, !h->room || !eddy_driver_is_simulated(h->room->loop->driver));
}
