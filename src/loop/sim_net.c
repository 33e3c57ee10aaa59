/*
 * loop/sim_net.c - the simulated network: descriptors, connections, bytes on their way
 *
 * A connection is two slots that know each other; the bytes of a direction stand in the slot
 * that will read them, first those that have arrived, then those on their way. A close takes
 * away the closer's slot and nothing else: what it had sent still arrives. As TCP does it, a
 * close with bytes unread is a reset, and so is the answer to bytes sent to a closed end.
 */
#include "base/memory.h"
#include "loop/sim.h"

#include <netinet/in.h>
#include <string.h>

static struct eddy_sim *sim_of(struct eddy_driver *d)
{
    return eddy_container_of(d, struct eddy_sim, driver);
}

/* --- slots ----------------------------------------------------------------------------------- */

int eddy_sim_fd(const struct eddy_sim_slot *slot)
{
    return EDDY_SIM_FD + (int)slot->index;
}

struct eddy_sim_slot *eddy_sim_slot(const struct eddy_sim *s, int fd)
{
    if (fd < EDDY_SIM_FD || (size_t)(fd - EDDY_SIM_FD) >= s->slot_count)
        return NULL;
    struct eddy_sim_slot *slot = s->slots[fd - EDDY_SIM_FD];
    return slot->type == EDDY_SIM_FREE ? NULL : slot;
}

static int slots_grow(struct eddy_sim *s)
{
    size_t cap = s->slot_cap ? s->slot_cap * 2 : 16;

    struct eddy_sim_slot **slots = eddy__resize(s->slots, s->slot_cap * sizeof *slots,
                                                cap * sizeof *slots);
    if (!slots)
        return -ENOMEM;
    s->slots = slots;
    uint32_t *unused = eddy__resize(s->unused, s->slot_cap * sizeof *unused, cap * sizeof *unused);
    if (!unused) {
        /* Back to what slot_cap says; shrinking cannot fail in a way that matters. */
        slots = eddy__resize(s->slots, cap * sizeof *slots, s->slot_cap * sizeof *slots);
        s->slots = s->slot_cap ? slots : NULL;
        return -ENOMEM;
    }
    s->unused = unused;
    s->slot_cap = cap;
    return 0;
}

static int slot_add(struct eddy_sim *s)
{
    if (s->slot_count == s->slot_cap) {
        int r = slots_grow(s);
        if (r < 0)
            return r;
    }
    int r = eddy_sim_reserve(s, (s->slot_count + 1) * EDDY_SIM_EVENTS);
    if (r < 0)
        return r;
    struct eddy_sim_slot *slot = eddy__zalloc(sizeof *slot);
    if (!slot)
        return -ENOMEM;
    slot->index = (uint32_t)s->slot_count;
    s->slots[s->slot_count++] = slot;
    s->unused[s->unused_count++] = slot->index;
    return 0;
}

int eddy_sim_slot_new(struct eddy_sim *s, enum eddy_sim_type type, struct eddy_sim_slot **ret_slot)
{
    if (s->unused_count == 0) {
        int r = slot_add(s);
        if (r < 0)
            return r;
    }
    uint32_t index = s->unused[--s->unused_count];
    struct eddy_sim_slot *slot = s->slots[index];
    assert(slot->type == EDDY_SIM_FREE && slot->events == 0 && !slot->in);
    *slot = (struct eddy_sim_slot){ .type = type, .index = index };
    eddy_list_init(&slot->queue);
    *ret_slot = slot;
    return 0;
}

void eddy_sim_slot_free(struct eddy_sim *s, struct eddy_sim_slot *slot)
{
    assert(!slot->read.op && !slot->write.op);
    eddy__free(slot->in, slot->in_cap);
    slot->in = NULL;
    slot->in_cap = 0;
    slot->type = EDDY_SIM_FREE;
    if (slot->events == 0)
        s->unused[s->unused_count++] = slot->index;
}

void eddy_sim_slot_settle(struct eddy_sim *s, struct eddy_sim_slot *slot)
{
    assert(slot->events > 0);
    if (--slot->events == 0 && slot->type == EDDY_SIM_FREE)
        s->unused[s->unused_count++] = slot->index;
}

void eddy_sim_look(struct eddy_sim *s, struct eddy_sim_slot *slot, enum eddy_sim_kind kind)
{
    struct eddy_sim_side *side = kind == EDDY_SIM_READ ? &slot->read : &slot->write;

    if (!side->op || side->queued)
        return;
    side->queued = true;
    int64_t delay = eddy_sim_roll(s, 2) ? (int64_t)eddy_sim_roll(s, 3) * 10000 : 0;
    eddy_sim_post(s, slot, kind, s->now_ns + delay, 0);
}

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

static bool is_any(const struct sockaddr_storage *a)
{
    size_t len;
    const uint8_t *ip = ip_of(a, &len);

    for (size_t i = 0; i < len; i++)
        if (ip[i])
            return false;
    return true;
}

/* Whether an address given to connect, or to another listen, means this listener. */
static bool is_match(struct eddy_sim_slot *listener, struct sockaddr_storage *addr, socklen_t len)
{
    struct sockaddr_storage *local = &listener->local;
    size_t n, addr_n;

    if (local->ss_family == AF_UNIX || addr->ss_family == AF_UNIX)
        return local->ss_family == addr->ss_family && listener->local_len == len &&
               memcmp(local, addr, len) == 0;
    if (*port_of(local) != *port_of(addr))
        return false;
    const uint8_t *ip = ip_of(local, &n);
    const uint8_t *addr_ip = ip_of(addr, &addr_n);
    if (is_any(local))
        return local->ss_family == AF_INET6 || addr->ss_family == AF_INET;
    return n == addr_n && (is_any(addr) || memcmp(ip, addr_ip, n) == 0);
}

static struct eddy_sim_slot *find_listener(struct eddy_sim *s, struct sockaddr_storage *addr,
                                           socklen_t len)
{
    struct eddy_sim_slot *found = NULL;
    uint64_t matches = 0;

    for (size_t i = 0; i < s->slot_count; i++) {
        struct eddy_sim_slot *slot = s->slots[i];
        if (slot->type != EDDY_SIM_LISTENER || !is_match(slot, addr, len))
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

static uint16_t take_port(struct eddy_sim *s)
{
    if (s->next_port < 49152) /* the first of the dynamic range; also after the last */
        s->next_port = 49152;
    return s->next_port++;
}

int eddy_sim_listen(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len, int backlog,
                    bool reuse_port)
{
    struct eddy_sim *s = sim_of(d);
    struct eddy_sim_slot *slot;
    struct sockaddr_storage local;

    int r = eddy_sim_copy_address(&local, addr, len);
    if (r < 0)
        return r;
    if (local.ss_family != AF_UNIX && *port_of(&local) == 0) {
        do
            *port_of(&local) = htons(take_port(s));
        while (find_listener(s, &local, len));
    }
    for (size_t i = 0; i < s->slot_count; i++)
        if (s->slots[i]->type == EDDY_SIM_LISTENER && is_match(s->slots[i], &local, len) &&
            !(reuse_port && s->slots[i]->reuse_port))
            return -EADDRINUSE;
    r = eddy_sim_slot_new(s, EDDY_SIM_LISTENER, &slot);
    if (r < 0)
        return r;
    slot->local = local;
    slot->local_len = len;
    slot->reuse_port = reuse_port;
    slot->backlog = backlog < 1 ? 1 : (unsigned)backlog;
    return eddy_sim_fd(slot);
}

int eddy_sim_address(struct eddy_driver *d, int fd, bool peer, struct sockaddr_storage *ret_addr,
                     socklen_t *ret_len)
{
    const struct eddy_sim_slot *slot = eddy_sim_slot(sim_of(d), fd);

    if (!slot)
        return fd >= 0 && fd < EDDY_SIM_FD ? -EDDY_ESIM : -EBADF;
    if (peer && slot->type != EDDY_SIM_STREAM)
        return -ENOTCONN;
    *ret_addr = peer ? slot->remote : slot->local;
    *ret_len = peer ? slot->remote_len : slot->local_len;
    return 0;
}

/* --- connections ------------------------------------------------------------------------------ */

static void name_client(struct eddy_sim *s, struct eddy_sim_slot *client)
{
    client->local.ss_family = client->remote.ss_family;
    client->local_len = client->remote_len;
    if (client->remote.ss_family == AF_UNIX) {
        client->local_len = sizeof(sa_family_t); /* unnamed, unix(7) */
        return;
    }
    *port_of(&client->local) = htons(take_port(s));
    if (client->remote.ss_family == AF_INET)
        ((struct sockaddr_in *)&client->local)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&client->local)->sin6_addr = in6addr_loopback;
}

int eddy_sim_establish(struct eddy_sim *s, struct eddy_sim_slot *client)
{
    struct eddy_sim_slot *server;
    struct eddy_sim_slot *listener = find_listener(s, &client->remote, client->remote_len);

    if (!listener)
        return -ECONNREFUSED;
    if (listener->queued >= listener->backlog)
        return -EAGAIN;
    int r = eddy_sim_slot_new(s, EDDY_SIM_STREAM, &server);
    if (r < 0)
        return r;
    name_client(s, client);
    server->local = client->remote;
    server->local_len = client->remote_len;
    server->remote = client->local;
    server->remote_len = client->local_len;
    server->peer = client;
    client->peer = server;
    client->type = EDDY_SIM_STREAM;
    eddy_list_push(&listener->queue, &server->queue);
    listener->queued++;
    eddy_sim_look(s, listener, EDDY_SIM_READ);
    return 0;
}

struct eddy_sim_slot *eddy_sim_accept(struct eddy_sim_slot *listener)
{
    struct eddy_list *link = eddy_list_shift(&listener->queue);

    if (!link)
        return NULL;
    listener->queued--;
    return eddy_container_of(link, struct eddy_sim_slot, queue);
}

static int64_t arrival(struct eddy_sim *s, struct eddy_sim_slot *to)
{
    int64_t at_ns = s->now_ns + eddy_sim_latency(s);

    if (at_ns <= to->last_arrival_ns)
        at_ns = to->last_arrival_ns + 1;
    to->last_arrival_ns = at_ns;
    return at_ns;
}

static void send_reset(struct eddy_sim *s, struct eddy_sim_slot *to, int64_t at_ns)
{
    if (to->reset_queued)
        return;
    to->reset_queued = true;
    eddy_sim_post(s, to, EDDY_SIM_RESET, at_ns, 0);
}

static int in_append(struct eddy_sim_slot *to, const char *bytes, size_t len)
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

/* How much of @len is moved at a time: mostly all, sometimes a part; a few bytes if asked. */
static size_t some_of(struct eddy_sim *s, size_t len)
{
    if (s->short_io) {
        size_t few = 1 + eddy_sim_roll(s, 3);
        return few < len ? few : len;
    }
    return eddy_sim_roll(s, 4) ? len : 1 + eddy_sim_roll(s, len);
}

ssize_t eddy_sim_write(struct eddy_sim *s, struct eddy_sim_slot *slot, const char *bytes,
                       size_t len)
{
    struct eddy_sim_slot *to = slot->peer;

    if (slot->reset) {
        bool told = slot->reset_told || slot->ended;
        slot->reset_told = true;
        return told ? -EPIPE : -ECONNRESET;
    }
    if (slot->shut)
        return -EPIPE;
    if (!to) {
        /* Taken by this end's kernel; the other answers with a reset, a round trip later. */
        send_reset(s, slot, arrival(s, slot) + eddy_sim_latency(s));
        return (ssize_t)len;
    }

    size_t room = EDDY_SIM_PIPE - (to->arrived + to->flying);
    if (room == 0 || to->flights == EDDY_SIM_FLIGHTS)
        return 0;
    len = some_of(s, len < room ? len : room);
    int r = in_append(to, bytes, len);
    if (r < 0)
        return r;
    to->flying += len;
    to->flights++;
    eddy_sim_post(s, to, EDDY_SIM_ARRIVE, arrival(s, to), (uint32_t)len);
    return (ssize_t)len;
}

size_t eddy_sim_read(struct eddy_sim *s, struct eddy_sim_slot *slot, char *buf, size_t cap)
{
    size_t len = slot->arrived < cap ? slot->arrived : cap;

    if (len == 0)
        return 0;
    len = some_of(s, len);
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
        eddy_sim_look(s, slot->peer, EDDY_SIM_WRITE);
    return len;
}

void eddy_sim_arrive(struct eddy_sim *s, struct eddy_sim_slot *slot,
                     const struct eddy_sim_event *event)
{
    if (event->kind == EDDY_SIM_ARRIVE) {
        assert(slot->flights > 0);
        slot->flights--;
        if (slot->reset)
            return;
        assert(slot->flying >= event->bytes);
        slot->flying -= event->bytes;
        slot->arrived += event->bytes;
        if (slot->peer)
            eddy_sim_look(s, slot->peer, EDDY_SIM_WRITE);
    } else if (event->kind == EDDY_SIM_END) {
        slot->ended = true;
    } else {
        slot->reset = true;
        slot->flying = 0;
        eddy_sim_look(s, slot, EDDY_SIM_WRITE);
    }
    eddy_sim_look(s, slot, EDDY_SIM_READ);
}

int eddy_sim_shutdown(struct eddy_driver *d, int fd)
{
    struct eddy_sim *s = sim_of(d);
    struct eddy_sim_slot *slot = eddy_sim_slot(s, fd);

    if (!slot)
        return fd >= 0 && fd < EDDY_SIM_FD ? -EDDY_ESIM : -EBADF;
    if (slot->type != EDDY_SIM_STREAM || slot->reset)
        return -ENOTCONN;
    if (!slot->shut) {
        slot->shut = true;
        if (slot->peer)
            eddy_sim_post(s, slot->peer, EDDY_SIM_END, arrival(s, slot->peer), 0);
        eddy_sim_look(s, slot, EDDY_SIM_WRITE); /* one that waits for room gets -EPIPE */
    }
    return 0;
}

void eddy_sim_close(struct eddy_sim *s, struct eddy_sim_slot *slot)
{
    for (struct eddy_sim_slot *c; slot->type == EDDY_SIM_LISTENER && (c = eddy_sim_accept(slot));) {
        if (c->peer)
            send_reset(s, c->peer, arrival(s, c->peer));
        c->shut = true;
        eddy_sim_close(s, c);
    }
    struct eddy_sim_slot *peer = slot->peer;
    if (peer) {
        if (!slot->reset && slot->arrived + slot->flying > 0)
            send_reset(s, peer, arrival(s, peer));
        else if (!slot->reset && !slot->shut)
            eddy_sim_post(s, peer, EDDY_SIM_END, arrival(s, peer), 0);
        peer->peer = NULL;
        /* It may be waiting for room that nobody will make. */
        eddy_sim_look(s, peer, EDDY_SIM_WRITE);
    }
    eddy_sim_slot_free(s, slot);
}

int eddy_sim_cut(struct eddy_driver *d, int fd)
{
    struct eddy_sim *s = sim_of(d);
    struct eddy_sim_slot *slot = eddy_sim_slot(s, fd);

    if (!slot || slot->type != EDDY_SIM_STREAM)
        return -ENOTCONN;
    send_reset(s, slot, s->now_ns);
    if (slot->peer)
        send_reset(s, slot->peer, s->now_ns);
    return 0;
}
