/*
 * loop/sim_datagram.c - the simulated network's datagrams: lost, doubled, overtaken, cut off
 *
 * A datagram belongs to the socket that it will reach, which is decided when it is sent, and stands
 * there first among those on their way, by their time, then among those that have arrived. Each has
 * a delay of its own, so they overtake each other. What a partition or a loss takes, or a host that
 * is down, is gone, and nobody hears of it; where nobody listens, a connected sender does, a round
 * trip later. A socket holds so many bytes that nobody has read, as a kernel's does, and loses more.
 *
 * Of events a socket has few: one for the earliest of those on their way, and where an earlier one
 * comes after it, one more. Should those be used up, the earlier one arrives with the later.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "loop/sim.h"

#include <eddy/poller.h>

#include <string.h>

#define HELD_MAX 212992 /* net.core.rmem_default */
#define LENGTH_MAX 65507
#define ARRIVALS_MAX (SIM_EVENTS / 2)

/* One on its way to a socket, or an error for it. */
struct packet {
    struct eddy_list link;
    int64_t at_ns;
    int error; /* negative: no datagram, but what ICMP says */
    struct sockaddr_storage from;
    socklen_t from_len;
    size_t len;
    char bytes[];
};

static struct packet *first_of(const struct eddy_list *list)
{
    return eddy_list_is_empty(list) ? NULL : eddy_container_of(list->next, struct packet, link);
}

static void packet_free(struct packet *p)
{
    eddy__free(p, sizeof *p + p->len);
}

void eddy_sim_datagrams_free(struct sim_slot *slot)
{
    struct eddy_list *link;

    while ((link = eddy_list_shift(&slot->queue)) || (link = eddy_list_shift(&slot->coming)))
        packet_free(eddy_container_of(link, struct packet, link));
    slot->arrived = 0;
}

/* --- sockets ------------------------------------------------------------------------------------- */

static int sim_open(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len, bool shared,
                    bool v6_only)
{
    struct sim *s = eddy_sim_of(d);
    struct sockaddr_storage local;
    struct sim_slot *slot = NULL;

    int r = eddy_sim_copy_address(&local, addr, len);
    if (r < 0)
        return r;
    if (local.ss_family == AF_UNIX)
        return eddy_sim_refused(s, "datagrams of Unix sockets");
    r = eddy_sim_bound(s, SIM_DATAGRAM, &local, len, shared, &slot);
    if (r < 0)
        return r;
    assert(slot);
    slot->v6_only = v6_only;
    return eddy_sim_fd(slot);
}

static socklen_t length_of(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* As whom @slot sends to @to, on @host. */
static void name_sender(const struct sim_slot *slot, const struct sockaddr_storage *to, int host,
                        struct sockaddr_storage *from)
{
    *from = slot->local;
    if (!eddy_sim_is_any(&slot->local))
        return;
    memset(from, 0, sizeof *from);
    from->ss_family = to->ss_family;
    if (slot->host != host)
        eddy_sim_host_address(slot->host, to->ss_family, from);
    else if (to->ss_family == AF_INET)
        ((struct sockaddr_in *)from)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)from)->sin6_addr = in6addr_loopback;
    ((struct sockaddr_in *)from)->sin_port = eddy_sim_port(&slot->local);
}

static int sim_connect(struct eddy_driver *d, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sim *s = eddy_sim_of(d);
    struct sim_slot *slot = eddy_sim_slot(s, fd);
    struct sockaddr_storage remote, local;

    int r = eddy_sim_copy_address(&remote, addr, len);
    if (r < 0)
        return r;
    name_sender(slot, &remote, eddy_sim_host_at(s, &remote, slot->host), &local);
    slot->local = local;
    slot->local_len = length_of(&local);
    slot->remote = remote;
    slot->remote_len = len;
    return 0;
}

/* --- on the way ------------------------------------------------------------------------------------ */

static void expect(struct sim *s, struct sim_slot *slot)
{
    const struct packet *p = first_of(&slot->coming);

    if (!p || (slot->flights && (p->at_ns >= slot->held_ns || slot->flights == ARRIVALS_MAX)))
        return;
    slot->flights++;
    slot->held_ns = p->at_ns; /* the earliest event there is */
    eddy_sim_post(s, slot, SIM_ARRIVE, p->at_ns > s->now_ns ? p->at_ns : s->now_ns,
                  (uint32_t)p->len);
}

/* Behind what arrives at that time, or before. */
static int put_on_way(struct sim *s, struct sim_slot *to, int64_t at_ns, int error,
                      const struct sockaddr_storage *from, socklen_t from_len,
                      const struct msghdr *m, size_t len)
{
    struct packet *p = eddy__alloc(sizeof *p + len);
    struct eddy_list *before = to->coming.prev;
    size_t at = 0;

    if (!p)
        return -ENOMEM;
    *p = (struct packet){ .at_ns = at_ns, .error = error, .from_len = from_len, .len = len };
    p->from = *from;
    for (size_t i = 0; len && i < (size_t)m->msg_iovlen; i++) {
        memcpy(p->bytes + at, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len);
        at += m->msg_iov[i].iov_len;
    }
    while (before != &to->coming && eddy_container_of(before, struct packet, link)->at_ns > at_ns)
        before = before->prev;
    eddy_list_insert(before, &p->link);
    expect(s, to);
    return 0;
}

void eddy_sim_datagrams_arrive(struct sim *s, struct sim_slot *slot)
{
    struct packet *p;

    slot->flights--;
    slot->held_ns = INT64_MAX; /* that was the earliest; when the others are is not kept */
    while ((p = first_of(&slot->coming)) && p->at_ns <= s->now_ns) {
        eddy_list_remove(&p->link);
        if (p->error && !slot->why)
            slot->why = p->error;
        if (p->error || slot->arrived + p->len + sizeof *p > HELD_MAX) {
            packet_free(p);
            continue;
        }
        slot->arrived += p->len + sizeof *p; /* empty ones take room, too */
        eddy_list_push(&slot->queue, &p->link);
    }
    expect(s, slot);
    eddy_sim_look(s, slot, SIM_READ);
}

/* --- sending ---------------------------------------------------------------------------------------- */

/* Of several that share the address each is as likely; one that is connected hears its peer alone. */
static struct sim_slot *find_receiver(struct sim *s, struct sockaddr_storage *to, socklen_t len,
                                      int host, const struct sockaddr_storage *from)
{
    struct sim_slot *found = NULL;
    uint64_t matches = 0;

    for (size_t i = 0; i < s->slot_count; i++) {
        struct sim_slot *slot = s->slots[i];
        if (!eddy_sim_is_match(slot, SIM_DATAGRAM, to, len, host) ||
            (slot->remote_len && !eddy_sim_is_same(&slot->remote, from)))
            continue;
        if (eddy_sim_roll(s, ++matches) == 0)
            found = slot;
    }
    return found;
}

static int send_to(struct sim *s, struct sim_slot *slot, struct sockaddr_storage *to, socklen_t len,
                   const struct msghdr *m, size_t bytes)
{
    struct sockaddr_storage from;
    int host = eddy_sim_host_at(s, to, slot->host);

    if (host < 0 || s->hosts[host]->down || eddy_sim_is_lost(s, slot->host, host))
        return 0;
    name_sender(slot, to, host, &from);
    struct sim_slot *receiver = find_receiver(s, to, len, host, &from);
    if (!receiver) {
        if (!slot->remote_len || eddy_sim_is_lost(s, host, slot->host))
            return 0;
        int64_t at_ns = s->now_ns + eddy_sim_latency(s, slot->host, host) +
                        eddy_sim_latency(s, host, slot->host);
        return put_on_way(s, slot, at_ns, -ECONNREFUSED, to, len, m, 0);
    }
    int copies = eddy_sim_rule(s, EDDY_SIM_DUPLICATE, slot->host, host, 0) ? 2 : 1;
    int r = 0;
    while (r == 0 && copies-- > 0)
        r = put_on_way(s, receiver, s->now_ns + eddy_sim_latency(s, slot->host, host), 0, &from,
                       length_of(&from), m, bytes);
    return r;
}

/* What an earlier datagram's answer said is told once, a crash for ever. */
static int error_of(struct sim_slot *slot)
{
    int why = slot->why;

    if (!slot->reset)
        slot->why = 0;
    return why;
}

static ssize_t sim_send(struct eddy_driver *d, int fd, const struct msghdr *m)
{
    struct sim *s = eddy_sim_of(d);
    struct sim_slot *slot = eddy_sim_slot(s, fd);
    struct sockaddr_storage to = slot->remote;
    socklen_t len = slot->remote_len;
    size_t bytes = 0;

    int r = error_of(slot);
    if (r == 0 && m->msg_namelen) {
        len = m->msg_namelen;
        r = eddy_sim_copy_address(&to, m->msg_name, len);
    }
    if (r < 0)
        return r;
    if (!len)
        return -EDESTADDRREQ;
    if (to.ss_family == AF_UNIX || (slot->local.ss_family == AF_INET && to.ss_family != AF_INET))
        return -EAFNOSUPPORT;
    if (!eddy_sim_port(&to))
        return -EINVAL;
    for (size_t i = 0; i < (size_t)m->msg_iovlen; i++)
        bytes += m->msg_iov[i].iov_len;
    if (bytes > LENGTH_MAX)
        return -EMSGSIZE;
    r = send_to(s, slot, &to, len, m, bytes);
    return r < 0 ? r : (ssize_t)bytes;
}

/* --- receiving -------------------------------------------------------------------------------------- */

unsigned eddy_sim_datagrams_ready(const struct sim_slot *slot)
{
    return slot->why || slot->reset || !eddy_list_is_empty(&slot->queue) ? EDDY_READABLE : 0;
}

static ssize_t sim_receive(struct eddy_driver *d, int fd, struct msghdr *m)
{
    struct sim *s = eddy_sim_of(d);
    struct sim_slot *slot = eddy_sim_slot(s, fd);
    size_t at = 0;

    int r = error_of(slot);
    if (r < 0)
        return r;
    struct packet *p = first_of(&slot->queue);
    if (!p)
        return -EAGAIN;
    for (size_t i = 0; i < (size_t)m->msg_iovlen && at < p->len; i++) {
        const size_t room = m->msg_iov[i].iov_len;
        const size_t part = p->len - at < room ? p->len - at : room;
        if (part)
            memcpy(m->msg_iov[i].iov_base, p->bytes + at, part);
        at += part;
    }
    if (m->msg_name) {
        m->msg_namelen = p->from_len;
        memcpy(m->msg_name, &p->from, p->from_len);
    }
    m->msg_flags = at < p->len ? MSG_TRUNC : 0;
    eddy_list_remove(&p->link);
    slot->arrived -= p->len + sizeof *p;
    packet_free(p);
    return (ssize_t)at;
}

const struct eddy_datagram_ops eddy_sim_datagrams = {
    .open = sim_open,
    .connect = sim_connect,
    .send = sim_send,
    .receive = sim_receive,
};
