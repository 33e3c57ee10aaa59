/*
 * dns/resolve.c - one name: numeric, this machine, or a question that a task waits for
 */
#include "base/memory.h"
#include "dns/channel.h"
#include "task/wait.h"

#include <eddy/dns.h>

#include <netdb.h>
#include <netinet/in.h>

#define HOST_MAX 255

/* One question to c-ares. Owned by it: freed in answered(), whether somebody waits or not. */
struct question {
    struct dns_channel *channel;
    struct asker *asker; /* NULL: it was cancelled */
};

/* The task that waits, on its stack. */
struct asker {
    struct eddy_wait wait; /* first */
    struct question *question;
    struct eddy_addresses *addresses;
    uint16_t port;
    int status; /* of c-ares */
};

/* --- without asking ------------------------------------------------------------------------- */

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

static void add(struct eddy_addresses *to, const char *ip, uint16_t port)
{
    if (eddy_address_of_ip(eddy_slice_of(ip), port, &to->at[to->count]) == 0)
        to->count++;
}

/* 1: answered. 0: it has to be asked for. */
static int answer_here(struct eddy_slice host, uint16_t port, int family,
                       struct eddy_addresses *ret)
{
    struct eddy_addresses found = { 0 };

    if (eddy_address_of_ip(host, port, &found.at[0]) == 0) {
        found.count = family && eddy_address_family(&found.at[0]) != family ? 0 : 1;
    } else if (is_localhost(host)) {
        if (family != AF_INET)
            add(&found, "::1", port);
        if (family != AF_INET6)
            add(&found, "127.0.0.1", port);
    } else {
        return 0;
    }
    if (!found.count)
        return -EDDY_ENONAME;
    *ret = found;
    return 1;
}

/* --- asking --------------------------------------------------------------------------------- */

static void copy_addresses(struct asker *a, const struct ares_addrinfo *result)
{
    struct eddy_addresses *to = a->addresses;

    to->count = 0;
    for (struct ares_addrinfo_node *n = result->nodes; n && to->count < EDDY_ADDRESSES_MAX;
         n = n->ai_next) {
        struct eddy_address *at = &to->at[to->count];
        if (eddy_address_of_sockaddr(n->ai_addr, n->ai_addrlen, at) < 0)
            continue;
        eddy_address_set_port(at, a->port);
        to->count++;
    }
}

static int code_of(int status)
{
    switch (status) {
    case ARES_SUCCESS: return 0;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
    case ARES_EBADNAME: return -EDDY_ENONAME;
    case ARES_ENOMEM: return -ENOMEM;
    default: return -EDDY_ERESOLVER;
    }
}

static void answered(void *ctx, int status, int timeouts, struct ares_addrinfo *result)
{
    struct question *q = ctx;
    struct asker *a = q->asker;

    (void)timeouts;
    q->channel->questions--;
    if (a) {
        a->question = NULL;
        a->status = status;
        if (status == ARES_SUCCESS && result) {
            copy_addresses(a, result);
            if (!a->addresses->count)
                a->status = ARES_ENODATA;
        }
        eddy__wake(&a->wait, code_of(a->status));
    }
    if (result)
        ares_freeaddrinfo(result);
    eddy__free(q, sizeof *q);
}

static void interrupted(struct eddy_wait *w, int why)
{
    struct asker *a = (struct asker *)(void *)w;

    a->question->asker = NULL;
    a->question = NULL;
    eddy__wake(w, why);
}

static int ask(struct dns_channel *c, const char *host, int family, struct asker *a)
{
    struct ares_addrinfo_hints hints = { .ai_family = family ? family : AF_UNSPEC,
                                         .ai_socktype = SOCK_STREAM };
    struct question *q = eddy__alloc(sizeof *q);

    if (!q)
        return -ENOMEM;
    q->channel = c;
    q->asker = a;
    a->question = q;
    c->questions++;
    /* May answer before it returns: then the wait below is over before it begins. */
    ares_getaddrinfo(c->ares, host, NULL, &hints, answered, q);
    dns_channel_refresh(c);
    return eddy__wait(&a->wait);
}

/* A driver that makes up its network has names in it. */
static int ask_driver(const char *name, int family, struct asker *a)
{
    struct sockaddr_storage found[EDDY_ADDRESSES_MAX] = { 0 };
    struct eddy_lookup lookup = {
        .name = name, .family = family, .cap = EDDY_ADDRESSES_MAX, .ret = found
    };
    struct eddy_op op;

    eddy_op_lookup(&op, &lookup, NULL);
    int count = eddy__op_wait(&op);
    a->addresses->count = 0;
    for (int i = 0; i < count; i++) {
        struct eddy_address *at = &a->addresses->at[i];
        socklen_t len = found[i].ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                      : sizeof(struct sockaddr_in6);
        int r = eddy_address_of_sockaddr((const struct sockaddr *)&found[i], len, at);
        if (r < 0)
            return r;
        eddy_address_set_port(at, a->port);
        a->addresses->count++;
    }
    if (count < 0 && count != -ETIMEDOUT && count != -ECANCELED)
        a->status = count == -EDDY_ENONAME ? ARES_ENOTFOUND : ARES_ESERVFAIL;
    return count < 0 ? count : 0;
}

static int explain(struct eddy_error *err, int r, struct eddy_slice host, int status)
{
    const int len = host.len < 80 ? (int)host.len : 80;

    switch (r) {
    case -EDDY_ENONAME:
        return eddy_error_set(err, r, 0, "the name \"%.*s\" has no address (%s)", len, host.ptr,
                              status ? ares_strerror(status) : "of that family");
    case -EDDY_ERESOLVER:
        return eddy_error_set(err, r, 0, "cannot look up \"%.*s\": %s", len, host.ptr,
                              status ? ares_strerror(status) : "no name server can be asked");
    default:
        return eddy_error_set(err, r, 0, "cannot look up \"%.*s\": %s", len, host.ptr,
                              eddy_strerror(r));
    }
}

static int resolve_name(struct eddy_slice host, struct asker *a, int family)
{
    struct eddy_loop *loop = eddy__loop();
    char name[HOST_MAX + 1];
    struct dns_channel *c;

    if (!host.len || host.len > HOST_MAX || memchr(host.ptr, '\0', host.len))
        return -EDDY_ENONAME;
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    if (eddy_driver_is_simulated(loop->driver))
        return ask_driver(name, family, a);
    int r = dns_channel_of(loop, &c);
    if (r < 0)
        return r;
    if (c->questions >= DNS_QUESTIONS_MAX)
        return -EDDY_ERESOLVER;
    return ask(c, name, family, a);
}

int eddy_resolve(struct eddy_slice host, uint16_t port, const struct eddy_resolve_options *options,
                 struct eddy_addresses *ret_addresses)
{
    struct eddy_error *err = options ? options->error : NULL;
    int family = options ? options->family : 0;
    struct eddy_addresses found;
    struct asker a = { .wait = EDDY_WAIT(interrupted, "resolve"),
                       .addresses = &found,
                       .port = port,
                       .status = ARES_SUCCESS };

    if (!eddy_loop_current())
        return explain(err, eddy__loop_refusal(), host, 0);
    int r = eddy__wait_check();
    if (r == 0)
        r = answer_here(host, port, family, ret_addresses);
    if (r == 1)
        return 0;
    if (r == 0)
        r = resolve_name(host, &a, family);
    if (r < 0)
        return explain(err, r, host, a.status);
    *ret_addresses = found;
    return 0;
}
