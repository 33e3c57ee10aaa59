/*
 * net/udp.c - a datagram socket: opening, names, ending
 *
 * Freeing: those who wait hear of it -> the polls' last completions -> CLOSE -> free.
 */
#include "net/udp.h"

#include "base/memory.h"
#include "base/sys.h"
#include "loop/debug.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* --- ending ------------------------------------------------------------------------------------- */

static void closed(struct eddy_op *op, int res)
{
    struct eddy_udp *u = op->ctx;
    (void)res;

    eddy__free(u->batch, sizeof *u->batch);
    eddy__free(u->lent, sizeof *u->lent);
    if (u->is_waited_for)
        eddy__wake(&u->closer, 0); /* who frees it */
    else
        eddy__free(u, sizeof *u);
}

void eddy_udp_end_step(struct eddy_udp *u)
{
    if (u->in.poll.pending || u->out.poll.pending)
        return;
    eddy__debug_gone(u->loop, u);
    eddy_op_close(&u->closing, u->fd, closed);
    u->closing.ctx = u;
    if (eddy__op_submit(u->loop, &u->closing))
        closed(&u->closing, 0);
}

/* The path that a Unix socket was bound to, or "". */
static void path_of(const struct eddy_address *a, char path[static sizeof(struct sockaddr_un) + 1])
{
    struct sockaddr_un un;

    path[0] = '\0';
    if (eddy_address_family(a) != AF_UNIX || a->len <= offsetof(struct sockaddr_un, sun_path))
        return;
    memcpy(&un, &a->storage, sizeof un);
    memcpy(path, un.sun_path, sizeof un.sun_path);
    path[sizeof un.sun_path] = '\0';
}

static void forget_path(const struct eddy_udp *u)
{
    char path[sizeof(struct sockaddr_un) + 1];

    path_of(&u->local, path);
    if (path[0])
        (void)unlink(path);
}

void eddy_udp_free(struct eddy_udp *u)
{
    if (!u || u->freeing)
        return;
    const bool ours = !eddy_loop_is_parents(u->loop); /* else tasks and path are the parent's */
    u->freeing = true;
    u->on_datagram = NULL;
    eddy__timer_stop(u->loop, &u->retry);
    eddy__soon_cancel(&u->soon);
    if (ours) {
        eddy_udp_calls_fail(&u->in, -EBADF);
        eddy_udp_calls_fail(&u->out, -EBADF);
        forget_path(u);
    }
    eddy_udp_side_disarm(u, &u->in);
    eddy_udp_side_disarm(u, &u->out);
    if (!u->busy)
        eddy_udp_end_step(u);
}

int eddy_udp_close(struct eddy_udp *u)
{
    if (!u)
        return 0;
    int r = eddy__wait_check();
    if (r == -EDEADLK || r == -ENOMEM) { /* nobody who could wait; an ended scope is no reason */
        eddy_udp_free(u);
        return 0;
    }
    u->closer = EDDY_WAIT(NULL, "close");
    u->closer.fd = u->fd;
    u->is_waited_for = true;
    eddy_udp_free(u);
    if (!u->closer.done)
        eddy__wait(&u->closer);
    eddy__free(u, sizeof *u);
    return 0;
}

/* --- names -------------------------------------------------------------------------------------- */

static int name_of(const struct eddy_udp *u, bool peer, struct eddy_address *ret_address)
{
    struct eddy_driver *d = u->loop->driver;

    return d->ops->address(d, u->fd, peer, &ret_address->storage, &ret_address->len);
}

int eddy_udp_address(const struct eddy_udp *u, struct eddy_address *ret_address)
{
    return name_of(u, false, ret_address);
}

int eddy_udp_peer(const struct eddy_udp *u, struct eddy_address *ret_address)
{
    return name_of(u, true, ret_address);
}

/* --- opening ------------------------------------------------------------------------------------ */

/* Where to be and whom to talk to; .len 0: anywhere, nobody. */
struct ends {
    struct eddy_address local, peer;
    const char *local_text, *peer_text;
};

static int parse(const char *text, const char *what, struct eddy_address *ret,
                 struct eddy_error *err)
{
    int r = eddy_address_parse(text, 0, ret, err);

    if (r == EDDY_ADDRESS_NAME)
        return eddy_error_set(err, -EINVAL, 0,
                              "%.60s is a name: %s an address, as eddy_resolve() finds it", text,
                              what);
    return r;
}

static int parse_ends(const char *local, const struct eddy_udp_options *o, struct ends *ret,
                      char peer_text[EDDY_ADDRESS_TEXT], struct eddy_error *err)
{
    struct ends e = { .local_text = local ? local : "any address", .peer_text = "nobody" };
    int r = local ? parse(local, "bind to", &e.local, err) : 0;

    if (r == 0 && o && o->connect) {
        r = parse(o->connect, "connect to", &e.peer, err);
        e.peer_text = o->connect;
    } else if (o && o->peer) {
        e.peer = *o->peer;
        e.peer_text = eddy_address_format(o->peer, peer_text, EDDY_ADDRESS_TEXT);
    }
    if (r < 0)
        return r;
    if (e.local.len && e.peer.len && eddy_address_family(&e.local) != eddy_address_family(&e.peer))
        return eddy_error_set(err, -EINVAL, 0, "%.60s and %.60s are of different families",
                              e.local_text, e.peer_text);
    *ret = e;
    return 0;
}

static int explain(struct eddy_error *err, int r, const char *verb, const char *address)
{
    const char *why;

    switch (r) {
    case -EADDRINUSE:
        return eddy_error_set(err, r, 0,
                              "%.60s is in use by another program: choose another port, or stop it",
                              address);
    case -EACCES:
        why = verb[0] == 'c' ? "not allowed (a broadcast address needs .broadcast)"
                             : "not allowed (ports below 1024 belong to the administrator)";
        break;
    case -EADDRNOTAVAIL: why = "this machine has no such address"; break;
    case -EAFNOSUPPORT: why = "this machine has no addresses of that kind"; break;
    default: why = eddy_strerror(r);
    }
    return eddy_error_set(err, r, 0, "cannot %s %.60s: %s", verb, address, why);
}

/* As of a listener's path: it may go if it is a socket that nobody has any more. */
static bool remove_stale(const struct eddy_address *a)
{
    char path[sizeof(struct sockaddr_un) + 1];
    struct stat st;

    path_of(a, path);
    if (!path[0] || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = eddy__sys.socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0)
        return false;
    int r = eddy__sys.connect(fd, (const struct sockaddr *)&a->storage, a->len);
    eddy__sys.close(fd);
    return r == -ECONNREFUSED && unlink(path) == 0;
}

static int bind_to(struct eddy_udp *u, const struct eddy_address *a)
{
    const struct sockaddr *addr = (const struct sockaddr *)&a->storage;
    int r = eddy__sys.bind(u->fd, addr, a->len);

    if (r == -EADDRINUSE && remove_stale(a))
        r = eddy__sys.bind(u->fd, addr, a->len);
    if (r == 0)
        u->local = *a;
    return r;
}

/* Nobody said which family: both, or what there is. */
static int open_anywhere(struct eddy_udp *u, struct ends *e)
{
    u->family = AF_INET6;
    u->fd = eddy__sys.socket(AF_INET6, SOCK_DGRAM, 0);
    if (u->fd == -EAFNOSUPPORT) {
        u->family = AF_INET;
        u->fd = eddy__sys.socket(AF_INET, SOCK_DGRAM, 0);
    }
    return eddy_address_parse(u->family == AF_INET ? "0.0.0.0:0" : "[::]:0", 0, &e->local, NULL);
}

static int open_socket(struct eddy_udp *u, struct ends *e, const struct eddy_udp_options *o,
                       struct eddy_error *err)
{
    int r = 0;

    if (!e->local.len && !e->peer.len) {
        r = open_anywhere(u, e);
    } else {
        u->family = eddy_address_family(e->local.len ? &e->local : &e->peer);
        u->fd = eddy__sys.socket(u->family, SOCK_DGRAM, 0);
    }
    if (r < 0 || u->fd < 0)
        return explain(err, r < 0 ? r : u->fd, "open", e->local_text);
    r = eddy_udp_options_set(u, o);
    if (r < 0)
        return r; /* it has said why */
    if (e->local.len && (r = bind_to(u, &e->local)) < 0)
        return explain(err, r, "bind to", e->local_text);
    if (e->peer.len) {
        r = eddy__sys.connect(u->fd, (const struct sockaddr *)&e->peer.storage, e->peer.len);
        if (r < 0) {
            forget_path(u);
            return explain(err, r, "connect to", e->peer_text);
        }
    }
    return 0;
}

static int open_simulated(struct eddy_udp *u, struct ends *e, const struct eddy_udp_options *o,
                          struct eddy_error *err)
{
    const struct eddy_datagram_ops *sim = eddy_udp_simulated(u);
    struct eddy_driver *d = u->loop->driver;
    const int peer_family = eddy_address_family(&e->peer);

    if (!e->local.len && peer_family == AF_UNIX)
        e->local = e->peer; /* to be refused as such */
    else if (!e->local.len)
        (void)eddy_address_parse(peer_family == AF_INET ? "0.0.0.0:0" : "[::]:0", 0, &e->local,
                                 NULL);
    u->family = eddy_address_family(&e->local);
    int r = eddy_udp_options_set(u, o);
    if (r < 0)
        return r; /* it has said why */
    u->fd = sim->open(d, (const struct sockaddr *)&e->local.storage, e->local.len,
                      o && (o->reuse_addr || o->reuse_port), o && o->v6_only);
    if (u->fd < 0)
        return explain(err, u->fd, "bind to", e->local_text);
    if (e->peer.len)
        r = sim->connect(d, u->fd, (const struct sockaddr *)&e->peer.storage, e->peer.len);
    return r < 0 ? explain(err, r, "connect to", e->peer_text) : 0;
}

static void note_port(struct eddy_udp *u)
{
    struct eddy_address a = { 0 };

    if (u->has_control && eddy_udp_address(u, &a) == 0)
        u->port = eddy_address_port(&a);
}

int eddy_udp_open(const char *local, const struct eddy_udp_options *options,
                  struct eddy_udp **ret_udp)
{
    struct eddy_error *err = options ? options->error : NULL;
    char peer_text[EDDY_ADDRESS_TEXT];
    struct ends ends = { 0 };

    int r = parse_ends(local, options, &ends, peer_text, err);
    if (r < 0)
        return r;
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_udp *u = loop ? eddy__zalloc(sizeof *u) : NULL;
    if (!u)
        return explain(err, eddy__loop_refusal(), "open", ends.local_text);
    u->loop = loop;
    u->fd = -1;
    eddy_udp_side_init(u, &u->in);
    eddy_udp_side_init(u, &u->out);
    r = eddy_udp_simulated(u) ? open_simulated(u, &ends, options, err)
                              : open_socket(u, &ends, options, err);
    if (r < 0 && u->fd >= 0 && eddy_udp_simulated(u)) {
        eddy_udp_end_step(u); /* only the loop can close it */
        return r;
    }
    if (r < 0) {
        if (u->fd >= 0)
            eddy__sys.close(u->fd);
        eddy__free(u, sizeof *u);
        return r;
    }
    note_port(u);
    eddy__debug_born(loop, u, "a datagram socket");
    *ret_udp = u;
    return 0;
}
