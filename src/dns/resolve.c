/*
 * dns/resolve.c - the public call: a task that waits for a host's addresses
 */
#include "dns/room.h"
#include "task/wait.h"

#include <sys/socket.h>

/* The task that waits, on its stack. */
struct resolver {
    struct eddy_wait wait; /* first */
    struct dns_host host;
};

int dns_explain(struct eddy_error *err, int r, struct eddy_slice name, const char *why)
{
    const int len = name.len < 80 ? (int)name.len : 80;
    const char *text = why ? why : eddy_strerror(r);

    if (r == -EDDY_ENONAME)
        return eddy_error_set(err, r, 0, "the name \"%.*s\" does not resolve: %s", len, name.ptr,
                              text);
    if (r == -EDDY_ERESOLVER && !why && dns_room_is_lost(eddy__loop()))
        text = "EDDY_NAMESERVERS is not a list of name servers: write 127.0.0.1:53,[::1]:53";
    const char *servers = r == -EDDY_ERESOLVER ? dns_room_servers(eddy__loop()) : "";
    return eddy_error_set(err, r, 0, "cannot look up \"%.*s\": %s%s%s%s", len, name.ptr, text,
                          *servers ? " (asked " : "", servers, *servers ? ")" : "");
}

static void changed(struct dns_host *h)
{
    struct resolver *s = eddy_container_of(h, struct resolver, host);

    if (h->over)
        eddy__wake(&s->wait, 0);
}

static void interrupted(struct eddy_wait *w, int why)
{
    dns_host_stop(&((struct resolver *)(void *)w)->host);
    eddy__wake(w, why);
}

static int resolve(struct resolver *s, struct eddy_slice host)
{
    int r = dns_host_start(&s->host, host);
    if (r == 0)
        r = eddy__wait(&s->wait);
    return r < 0 ? r : s->host.status;
}

int eddy_resolve(struct eddy_slice host, uint16_t port, const struct eddy_resolve_options *options,
                 struct eddy_addresses *ret_addresses)
{
    struct eddy_error *err = options ? options->error : NULL;
    int family = options ? options->family : 0;
    struct resolver s = {
        .wait = EDDY_WAIT(interrupted, "resolve"),
        .host = { .changed = changed, .family = family, .no_cache = options && options->no_cache }
    };
    struct dns_ips ips;

    if (!eddy_loop_current())
        return dns_explain(err, eddy__loop_refusal(), host, NULL);
    int r = eddy__wait_check();
    if (r == 0 && family && family != AF_INET && family != AF_INET6)
        return eddy_error_set(err, -EINVAL, 0, ".family is %d: AF_INET, AF_INET6 or 0", family);
    if (r == 0)
        r = resolve(&s, host);
    if (r < 0)
        return dns_explain(err, r, host, s.host.why);
    dns_host_sorted(&s.host, &ips);
    ret_addresses->count = ips.count;
    for (size_t i = 0; i < ips.count; i++)
        dns_ip_to_address(&ips.at[i], port, &ret_addresses->at[i]);
    ret_addresses->via = s.host.via;
    ret_addresses->cached = s.host.cached;
    ret_addresses->ttl_s = s.host.ttl_s;
    return 0;
}
