/*
 * loop/sim_net.c - the simulated network: listeners, connections, bytes on their way
 *
 * A connection is two slots that know each other; the bytes of a direction stand in the slot
 * that will read them, first those that have arrived, then those on their way. A close takes
 * away the closer's slot and nothing else: what it had sent still arrives. As TCP does it, a
 * close with bytes unread is a reset, and so is the answer to bytes sent to a closed end.
 *
 * What does not get through (a partition, a loss, a host that is down) is sent again, as TCP does
 * it: the event is put back in the queue, and what comes after it waits for it. So a partition
 * needs no list of what it holds, and its end no event.
 */
#include "base/memory.h"
#include "loop/sim.h"

#include <netinet/in.h>
#include <string.h>

/* --- addresses -------------------------------------------------------------------------------- */

static const uint8_t *ip_of(const struct sockaddr_storage *a, size_t *ret_len)
{
    if (a->ss_family == AF_INET) {
        *ret_len = sizeof(struct in_addr);
        return (const uint8_t *)&((const struct sockaddr_in *)a)->sin_addr;
    }
    *ret_len = sizeof(struct in6_addr);
    return (const uint8_t *)&((const struct sockaddr_in6 *)a)->sin6_addr;
}

/* sin_port and sin6_port stand at one place. */
static in_port_t *port_of(struct sockaddr_storage *a)
{
    return &((struct sockaddr_in *)a)->sin_port;
}

in_port_t eddy_sim_port(const struct sockaddr_storage *addr)
{
    return ((const struct sockaddr_in *)addr)->sin_port;
}

bool eddy_sim_is_any(const struct sockaddr_storage *a)
{
    size_t len;
    const uint8_t *ip = ip_of(a, &len);

    for (size_t i = 0; i < len; i++)
        if (ip[i])
            return false;
    return true;
}

bool eddy_sim_is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    size_t a_len, b_len;
    const uint8_t *a_ip = ip_of(a, &a_len), *b_ip = ip_of(b, &b_len);

    return a_len == b_len && eddy_sim_port(a) == eddy_sim_port(b) && memcmp(a_ip, b_ip, a_len) == 0;
}

bool eddy_sim_is_match(struct sim_slot *listener, enum sim_type type, struct sockaddr_storage *addr,
                       socklen_t len, int host)
{
    struct sockaddr_storage *local = &listener->local;
    size_t n, addr_n;

    if (listener->type != type || listener->reset || listener->host != host)
        return false;
    if (local->ss_family == AF_UNIX || addr->ss_family == AF_UNIX)
        return local->ss_family == addr->ss_family && listener->local_len == len &&
               memcmp(local, addr, len) == 0;
    if (*port_of(local) != *port_of(addr))
        return false;
    const uint8_t *ip = ip_of(local, &n);
    const uint8_t *addr_ip = ip_of(addr, &addr_n);
    if (eddy_sim_is_any(local))
        return local->ss_family == addr->ss_family ||
               (local->ss_family == AF_INET6 && !listener->v6_only);
    return n == addr_n && (eddy_sim_is_any(addr) || memcmp(ip, addr_ip, n) == 0);
}

static struct sim_slot *find_listener(struct sim *s, struct sockaddr_storage *addr, socklen_t len,
                                      int host)
{
    struct sim_slot *found = NULL;
    uint64_t matches = 0;

    for (size_t i = 0; i < s->slot_count; i++) {
        struct sim_slot *slot = s->slots[i];
        if (!eddy_sim_is_match(slot, SIM_LISTENER, addr, len, host))
            continue;
        /* Of several with reuse_port, each is as likely. */
        if (eddy_sim_roll(s, ++matches) == 0)
            found = slot;
    }
    return found;
}

int eddy_sim_copy_address(struct sockaddr_storage *to, const struct sockaddr *addr, socklen_t len)
{
    size_t least = addr->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
                   : addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                 : sizeof(sa_family_t) + 1;

    if (addr->sa_family != AF_INET && addr->sa_family != AF_INET6 && addr->sa_family != AF_UNIX)
        return -EAFNOSUPPORT;
    if (len < least || len > sizeof *to)
        return -EINVAL;
    memset(to, 0, sizeof *to);
    memcpy(to, addr, len);
    return 0;
}

static uint16_t take_port(struct sim *s)
{
    if (s->next_port < 49152) /* the first of the dynamic range; also after the last */
        s->next_port = 49152;
    return s->next_port++;
}

static bool is_taken(const struct sim *s, enum sim_type type, struct sockaddr_storage *addr,
                     socklen_t len, int host, bool shared)
{
    for (size_t i = 0; i < s->slot_count; i++)
        if (eddy_sim_is_match(s->slots[i], type, addr, len, host) &&
            !(shared && s->slots[i]->reuse_port))
            return true;
    return false;
}

static int bind_address(struct sim *s, enum sim_type type, struct sockaddr_storage *local,
                        socklen_t len, int host, bool shared)
{
    if (local->ss_family == AF_UNIX || *port_of(local))
        return is_taken(s, type, local, len, host, shared) ? -EADDRINUSE : 0;
    do
        *port_of(local) = htons(take_port(s));
    while (is_taken(s, type, local, len, host, false));
    return 0;
}

int eddy_sim_bound(struct sim *s, enum sim_type type, const struct sockaddr_storage *local,
                   socklen_t len, bool shared, struct sim_slot **ret_slot)
{
    struct sockaddr_storage at = *local;
    struct sim_slot *slot = NULL;

    int host = eddy_sim_host_at(s, &at, eddy_sim_host_here(s));
    if (host < 0)
        return -EADDRNOTAVAIL;
    if (s->hosts[host]->down)
        return -ENETDOWN;
    int r = bind_address(s, type, &at, len, host, shared);
    if (r == 0)
        r = eddy_sim_slot_new(s, type, &slot);
    if (r < 0)
        return r;
    assert(slot);
    slot->host = (uint16_t)host;
    slot->local = at;
    slot->local_len = len;
    slot->reuse_port = shared;
    *ret_slot = slot;
    return 0;
}

int eddy_sim_listen(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len, int backlog,
                    const struct eddy_socket_options *options)
{
    struct sim *s = eddy_sim_of(d);
    struct sim_slot *slot = NULL;
    struct sockaddr_storage local;

    if (options && options->interface)
        return -EDDY_ESIM;
    int r = eddy_sim_copy_address(&local, addr, len);
    if (r < 0)
        return r;
    r = eddy_sim_bound(s, SIM_LISTENER, &local, len, options && options->reuse_port, &slot);
    if (r < 0)
        return r;
    assert(slot);
    slot->v6_only = options && options->v6_only;
    slot->backlog = backlog < 1 ? 1 : (unsigned)backlog;
    return eddy_sim_fd(slot);
}

int eddy_sim_address(struct eddy_driver *d, int fd, bool peer, struct sockaddr_storage *ret_addr,
                     socklen_t *ret_len)
{
    struct sim *s = eddy_sim_of(d);
    const struct sim_slot *slot = eddy_sim_slot(s, fd);

    if (!slot)
        return eddy_sim_not_ours(s, fd);
    if (peer && slot->type != SIM_STREAM && !(slot->type == SIM_DATAGRAM && slot->remote_len))
        return -ENOTCONN;
    *ret_addr = peer ? slot->remote : slot->local;
    *ret_len = peer ? slot->remote_len : slot->local_len;
    return 0;
}

/* --- connections ------------------------------------------------------------------------------ */

static int prepare(struct sim *s, struct sim_slot *client,
                   const struct eddy_socket_options *options)
{
    if (!options)
        return 0;
    if (options->interface)
        return -EDDY_ESIM;
    if (!options->source)
        return 0;
    int r = eddy_sim_copy_address(&client->local, options->source, options->source_len);
    if (r == 0 && eddy_sim_host_at(s, &client->local, client->host) != client->host)
        r = -EADDRNOTAVAIL;
    if (r == 0)
        client->local_len = options->source_len;
    return r;
}

int eddy_sim_client_new(struct sim *s, const struct eddy_op *op, int here,
                        struct sim_slot **ret_slot)
{
    struct sockaddr_storage remote;
    struct sim_slot *slot;

    int r = eddy_sim_copy_address(&remote, op->connect.addr, op->addr_len);
    if (r == 0 && s->hosts[here]->down)
        r = -ENETDOWN;
    if (r == 0)
        r = eddy_sim_slot_new(s, SIM_CONNECTING, &slot);
    if (r < 0)
        return r;
    slot->host = (uint16_t)here;
    slot->remote = remote;
    slot->remote_len = op->addr_len;
    r = prepare(s, slot, op->connect.options);
    if (r < 0) {
        eddy_sim_slot_free(s, slot);
        return r;
    }
    *ret_slot = slot;
    return 0;
}

static void name_client(struct sim *s, struct sim_slot *client)
{
    bool same = client->host == client->remote_host;

    if (client->local_len && !eddy_sim_is_any(&client->local)) {
        if (*port_of(&client->local) == 0)
            *port_of(&client->local) = htons(take_port(s));
        return;
    }
    client->local.ss_family = client->remote.ss_family;
    client->local_len = client->remote_len;
    if (client->remote.ss_family == AF_UNIX) {
        client->local_len = sizeof(sa_family_t); /* unnamed, unix(7) */
        return;
    }
    if (!same)
        eddy_sim_host_address(client->host, client->remote.ss_family, &client->local);
    else if (client->remote.ss_family == AF_INET)
        ((struct sockaddr_in *)&client->local)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&client->local)->sin6_addr = in6addr_loopback;
    *port_of(&client->local) = htons(take_port(s));
}

int eddy_sim_establish(struct sim *s, struct sim_slot *client)
{
    int to = eddy_sim_host_at(s, &client->remote, client->host);
    struct sim_slot *server;

    if (client->remote.ss_family != AF_UNIX &&
        eddy_sim_rule(s, EDDY_SIM_REFUSE, client->host, to, ntohs(*port_of(&client->remote))))
        return -ECONNREFUSED;
    if (to < 0 || s->hosts[to]->down || eddy_sim_is_lost(s, client->host, to) ||
        eddy_sim_is_lost(s, to, client->host))
        return -EAGAIN;
    struct sim_slot *listener = find_listener(s, &client->remote, client->remote_len, to);
    if (!listener)
        return -ECONNREFUSED;
    if (listener->queued >= listener->backlog)
        return -EAGAIN;
    int r = eddy_sim_slot_new(s, SIM_STREAM, &server);
    if (r < 0)
        return r;
    client->remote_host = (uint16_t)to;
    name_client(s, client);
    server->host = client->remote_host;
    server->remote_host = client->host;
    server->local = client->remote;
    server->local_len = client->remote_len;
    server->remote = client->local;
    server->remote_len = client->local_len;
    server->peer = client;
    client->peer = server;
    client->type = SIM_STREAM;
    eddy_list_push(&listener->queue, &server->queue);
    listener->queued++;
    eddy_sim_look(s, listener, SIM_READ);
    return 0;
}

struct sim_slot *eddy_sim_accept(struct sim_slot *listener)
{
    struct eddy_list *link = eddy_list_shift(&listener->queue);

    if (!link)
        return NULL;
    listener->queued--;
    return eddy_container_of(link, struct sim_slot, queue);
}

/* When @len bytes that are sent now arrive. */
static int64_t arrival(struct sim *s, struct sim_slot *to, size_t len)
{
    int64_t at_ns = s->now_ns + eddy_sim_latency(s, to->remote_host, to->host);
    const struct eddy_sim_fault *slow = len ? eddy_sim_rule(s, EDDY_SIM_BANDWIDTH, to->remote_host,
                                                            to->host, 0)
                                            : NULL;

    if (at_ns <= to->last_arrival_ns)
        at_ns = to->last_arrival_ns + 1;
    if (slow)
        at_ns += (int64_t)(len * UINT64_C(1000000000) / slow->bytes_per_s);
    to->last_arrival_ns = at_ns;
    return at_ns;
}

static void send_reset(struct sim *s, struct sim_slot *to, int64_t at_ns)
{
    if (to->reset_queued)
        return;
    to->reset_queued = true;
    eddy_sim_post(s, to, SIM_RESET, at_ns, 0);
}

static int in_append(struct sim_slot *to, const char *bytes, size_t len)
{
    size_t used = to->arrived + to->flying;

    if (to->in_head + used + len > to->in_cap && to->in_head > 0) {
        memmove(to->in, to->in + to->in_head, used);
        to->in_head = 0;
    }
    if (used + len > to->in_cap) {
        size_t cap = to->in_cap ? to->in_cap : 1024;
        while (cap < used + len)
            cap *= 2;
        char *grown = eddy__resize(to->in, to->in_cap, cap);
        if (!grown)
            return -ENOMEM;
        to->in = grown;
        to->in_cap = cap;
    }
    memcpy(to->in + to->in_head + used, bytes, len);
    return 0;
}

ssize_t eddy_sim_write(struct sim *s, struct sim_slot *slot, const char *bytes, size_t len)
{
    struct sim_slot *to = slot->peer;

    if (slot->reset) {
        bool told = slot->reset_told || slot->ended;
        slot->reset_told = true;
        return told ? -EPIPE : slot->why ? slot->why : -ECONNRESET;
    }
    if (slot->shut)
        return -EPIPE;
    if (!to) {
        /* Taken by this end's kernel; the other answers with a reset, a round trip later. */
        send_reset(s, slot,
                   arrival(s, slot, 0) + eddy_sim_latency(s, slot->host, slot->remote_host));
        return (ssize_t)len;
    }

    size_t room = SIM_PIPE - (to->arrived + to->flying);
    if (room == 0 || to->flights == SIM_FLIGHTS)
        return 0;
    len = eddy_sim_some_of(s, slot->host, slot->remote_host, len < room ? len : room);
    int r = in_append(to, bytes, len);
    if (r < 0)
        return r;
    to->flying += len;
    to->flights++;
    eddy_sim_post(s, to, SIM_ARRIVE, arrival(s, to, len), (uint32_t)len);
    return (ssize_t)len;
}

size_t eddy_sim_read(struct sim *s, struct sim_slot *slot, char *buf, size_t cap)
{
    size_t len = slot->arrived < cap ? slot->arrived : cap;

    if (len == 0)
        return 0;
    len = eddy_sim_some_of(s, slot->remote_host, slot->host, len);
    memcpy(buf, slot->in + slot->in_head, len);
    slot->in_head += len;
    slot->arrived -= len;
    if (slot->arrived + slot->flying == 0) {
        /* An idle connection holds no buffer. */
        eddy__free(slot->in, slot->in_cap);
        slot->in = NULL;
        slot->in_cap = slot->in_head = 0;
    }
    if (slot->peer)
        eddy_sim_look(s, slot->peer, SIM_WRITE);
    return len;
}

static void die(struct sim *s, struct sim_slot *slot, int why)
{
    slot->reset = true;
    slot->why = why;
    slot->flying = 0;
    eddy_sim_look(s, slot, SIM_READ);
    eddy_sim_look(s, slot, SIM_WRITE);
}

/* Whether the event does not get through now, and was put back or given up. */
static bool hold_back(struct sim *s, struct sim_slot *slot, const struct sim_event *event)
{
    int from = slot->remote_host;

    if (s->now_ns < slot->held_ns) { /* behind something that was lost */
        if (slot->last_arrival_ns < slot->held_ns)
            slot->last_arrival_ns = slot->held_ns;
        eddy_sim_post(s, slot, event->kind, ++slot->last_arrival_ns, event->bytes);
        return true;
    }
    bool is_down = event->kind == SIM_RESET && s->hosts[from]->down; /* an answer to us */
    if (!is_down && !eddy_sim_is_lost(s, from, slot->host)) {
        slot->lost_since_ns = slot->repeat_ns = 0;
        return false;
    }
    if (!slot->lost_since_ns)
        slot->lost_since_ns = s->now_ns;
    if (s->now_ns - slot->lost_since_ns >= SIM_GIVE_UP_NS) {
        slot->mute = true;
        if (event->kind == SIM_RESET)
            die(s, slot, -EDDY_EPEER_TIMEOUT); /* it was our bytes that got no answer */
        else if (slot->peer && !slot->peer->reset)
            die(s, slot->peer, -EDDY_EPEER_TIMEOUT);
        return false;
    }
    slot->repeat_ns = slot->repeat_ns == 0                      ? SIM_REPEAT_NS
                      : slot->repeat_ns > SIM_REPEAT_MAX_NS / 2 ? SIM_REPEAT_MAX_NS
                                                                : slot->repeat_ns * 2;
    slot->held_ns = s->now_ns + slot->repeat_ns;
    eddy_sim_post(s, slot, event->kind, slot->held_ns, event->bytes);
    return true;
}

void eddy_sim_arrive(struct sim *s, struct sim_slot *slot, const struct sim_event *event)
{
    if (!slot->reset && !slot->mute && hold_back(s, slot, event))
        return;
    if (event->kind == SIM_ARRIVE) {
        assert(slot->flights > 0);
        slot->flights--;
        if (slot->reset || slot->mute) {
            /* Nobody takes it: the sender hears of it, if he does not know. */
            if (slot->reset && slot->peer && !slot->peer->reset)
                send_reset(s, slot->peer, arrival(s, slot->peer, 0));
            return;
        }
        assert(slot->flying >= event->bytes);
        slot->flying -= event->bytes;
        slot->arrived += event->bytes;
        if (slot->peer)
            eddy_sim_look(s, slot->peer, SIM_WRITE);
        if (eddy_sim_rule(s, EDDY_SIM_RESET, slot->remote_host, slot->host, 0))
            eddy_sim_reset(s, slot);
    } else if (slot->mute) {
        return;
    } else if (event->kind == SIM_END) {
        slot->ended = true;
    } else if (!slot->reset) {
        die(s, slot, 0);
    }
    eddy_sim_look(s, slot, SIM_READ);
}

int eddy_sim_shutdown(struct eddy_driver *d, int fd)
{
    struct sim *s = eddy_sim_of(d);
    struct sim_slot *slot = eddy_sim_slot(s, fd);

    if (!slot)
        return eddy_sim_not_ours(s, fd);
    if (slot->type != SIM_STREAM || slot->reset)
        return -ENOTCONN;
    if (!slot->shut) {
        slot->shut = true;
        if (slot->peer)
            eddy_sim_post(s, slot->peer, SIM_END, arrival(s, slot->peer, 0), 0);
        eddy_sim_look(s, slot, SIM_WRITE); /* one that waits for room gets -EPIPE */
    }
    return 0;
}

void eddy_sim_close(struct sim *s, struct sim_slot *slot)
{
    for (struct sim_slot *c; slot->type == SIM_LISTENER && (c = eddy_sim_accept(slot));) {
        if (c->peer)
            send_reset(s, c->peer, arrival(s, c->peer, 0));
        c->shut = true;
        eddy_sim_close(s, c);
    }
    if (slot->type == SIM_DATAGRAM)
        eddy_sim_datagrams_free(slot);
    struct sim_slot *peer = slot->peer;
    if (peer) {
        if (!slot->reset && slot->arrived + slot->flying > 0)
            send_reset(s, peer, arrival(s, peer, 0));
        else if (!slot->reset && !slot->shut)
            eddy_sim_post(s, peer, SIM_END, arrival(s, peer, 0), 0);
        peer->peer = NULL;
        /* It may be waiting for room that nobody will make. */
        eddy_sim_look(s, peer, SIM_WRITE);
    }
    eddy_sim_slot_free(s, slot);
}

int eddy_sim_cut_fd(struct eddy_driver *d, int fd)
{
    struct sim *s = eddy_sim_of(d);
    struct sim_slot *slot = eddy_sim_slot(s, fd);

    if (!slot || slot->type != SIM_STREAM)
        return -ENOTCONN;
    eddy_sim_reset(s, slot);
    return 0;
}

void eddy_sim_reset(struct sim *s, struct sim_slot *slot)
{
    struct sim_slot *peer = slot->peer;

    eddy_sim_log(s, SIM_RESET, slot->index, 0);
    if (!slot->reset)
        die(s, slot, 0);
    if (peer && !peer->reset)
        die(s, peer, 0);
}

void eddy_sim_kill(struct sim *s, struct sim_slot *slot)
{
    for (struct sim_slot *c; slot->type == SIM_LISTENER && (c = eddy_sim_accept(slot));) {
        if (c->peer)
            c->peer->peer = NULL;
        c->peer = NULL;
        eddy_sim_slot_free(s, c);
    }
    if (slot->peer) {
        slot->peer->peer = NULL;
        eddy_sim_look(s, slot->peer, SIM_WRITE); /* it may wait for room that nobody will make */
        slot->peer = NULL;
    }
    if (slot->type == SIM_FILE || slot->type == SIM_ON_ERRAND)
        slot->reset = true; /* it finds out by itself */
    else
        die(s, slot, -ENETDOWN);
}
