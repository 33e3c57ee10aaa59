/*
 * net/listen.c - from an address and options to a listener
 */
#include "base/memory.h"
#include "base/sys.h"
#include "loop/debug.h"
#include "net/listener.h"

#include <assert.h>
#include <fcntl.h>

#define BACKLOG 1024

static int explain(struct eddy_error *err, int r, const char *address)
{
    const bool is_path = strncmp(address, "unix:", 5) == 0;

    switch (r) {
    case -EADDRINUSE:
        return eddy_error_set(err, r, 0,
                              is_path ? "%.60s is in use: stop who listens there (`ss -lxp` names "
                                        "it), remove what is no socket, or choose another path"
                                      : "%.60s is in use by another program: stop it (`ss -ltnp` "
                                        "names it), or choose another port",
                              address);
    case -EACCES:
        return eddy_error_set(err, r, 0, "cannot listen on %.60s: not allowed (%s)", address,
                              is_path ? "to write in the folder"
                                      : "ports below 1024 belong to the administrator");
    case -EADDRNOTAVAIL:
        return eddy_error_set(err, r, 0, "cannot listen on %.60s: this machine has no such address",
                              address);
    default:
        return eddy_error_set(err, r, 0, "cannot listen on %.60s: %s", address, eddy_strerror(r));
    }
}

int net_listener_new(const struct eddy_address *address, const struct eddy_listen_options *options,
                     struct eddy_listener **ret_listener)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct eddy_listener *l = eddy__zalloc(sizeof *l);
    int r = l ? 0 : -ENOMEM;

    /* Who names the proxies means to keep others out. */
    if (r == 0 && options->proxy == EDDY_PROXY_NONE && options->proxy_from)
        r = eddy_error_set(options->error, -EINVAL, 0,
                           ".proxy_from without .proxy keeps nobody out: say .proxy = "
                           "EDDY_PROXY_REQUIRED");
    if (r == 0 && options->proxy != EDDY_PROXY_NONE)
        r = net_proxy_new(loop, options, net_listener_told, l, &l->proxy);
    if (r < 0) {
        eddy__free(l, sizeof *l);
        return r == -ENOMEM ? eddy_error_set(options->error, r, 0, "cannot listen: no memory") : r;
    }
    assert(l);
    l->loop = loop;
    l->address = *address;
    l->kept = EDDY_BUFFER(KEPT_MAX * sizeof(int));
    eddy_list_init(&l->waiters);
    l->fd = -1;
    *ret_listener = l;
    return 0;
}

void net_listener_drop(struct eddy_listener *l)
{
    assert(l->fd < 0);
    if (l->proxy)
        (void)net_proxy_end(l->proxy); /* it has nobody: it is gone at once */
    eddy__free(l, sizeof *l);
}

/* Options that say nothing about such an address are a mistake that is told. */
static int check_fit(const struct eddy_listen_options *o, int family, const char *address)
{
    const char *misfit = NULL;

    if (family == AF_UNIX)
        misfit = o->interface ? ".interface" : o->v6_only ? ".v6_only" : NULL;
    else if (o->mode)
        misfit = ".mode";
    if (!misfit)
        return 0;
    return eddy_error_set(o->error, -EINVAL, 0, "%s does not fit %.60s", misfit, address);
}

static int open_at(const char *address, const struct eddy_listen_options *o,
                   const struct eddy_address *a)
{
    const unsigned backlog = o->backlog ? o->backlog : BACKLOG;
    struct eddy_loop *loop = eddy_loop_current();
    struct net_options options;

    int r = check_fit(o, eddy_address_family(a), address);
    if (r == 0)
        r = net_options_listen(o, &options, o->error);
    if (r < 0)
        return r;
    int fd = loop->driver->ops->listen(loop->driver, (const struct sockaddr *)&a->storage, a->len,
                                       backlog < INT32_MAX ? (int)backlog : INT32_MAX,
                                       &options.socket);
    if (fd >= 0)
        return fd;
    if (!net_options_explain(o->error, fd, &options))
        explain(o->error, fd, address);
    return fd;
}

static int listen_at(const char *address, const struct eddy_listen_options *o,
                     struct eddy_listener **ret_listener)
{
    struct eddy_address a;

    int r = eddy_address_parse(address, 0, &a, o->error);
    if (r == EDDY_ADDRESS_NAME)
        return eddy_error_set(o->error, -EINVAL, 0,
                              "%.60s is a name: listen on an address, such as 127.0.0.1:8000",
                              address);
    if (r < 0)
        return r;
    struct eddy_listener *l = NULL;
    r = net_listener_new(&a, o, &l);
    if (r < 0)
        return r;
    assert(l);
    int fd = open_at(address, o, &l->address);
    if (fd < 0) {
        net_listener_drop(l);
        return fd;
    }
    l->fd = fd;
    *ret_listener = l;
    return 0;
}

int eddy_listen(const char *address, const struct eddy_listen_options *options,
                struct eddy_listener **ret_listener)
{
    struct eddy_listen_options o = { 0 };

    if (options)
        NET_OPTIONS_COPY(&o, options);
    if (!eddy_loop_current()) {
        int r = eddy__loop_refusal();
        return eddy_error_set(o.error, r, 0, "cannot listen on %.60s: %s", address,
                              eddy_strerror(r));
    }
    const bool is_open = strncmp(address, "systemd:", 8) == 0 || strncmp(address, "fd:", 3) == 0;
    struct eddy_listener *l = NULL;
    int r = is_open ? net_listen_inherited(address, &o, &l) : listen_at(address, &o, &l);
    if (r < 0)
        return r;
    assert(l);
    eddy__debug_born(l->loop, l, "a listener");
    *ret_listener = l;
    return 0;
}

int eddy_listener_address(const struct eddy_listener *l, struct eddy_address *ret_address)
{
    struct eddy_driver *d = l->loop->driver;

    return d->ops->address(d, l->fd, false, &ret_address->storage, &ret_address->len);
}

int eddy_listener_fd(const struct eddy_listener *l)
{
    return l->fd;
}

int eddy_listener_detach(struct eddy_listener *l)
{
    if (eddy_loop_is_parents(l->loop))
        return -EDDY_EFORKED;
    if (net_is_sim(l->loop))
        return eddy__sim_refuse(l->loop, "descriptors that others know");
    /* One more name for the same socket: the listener ends its operations in its own time. */
    int fd = eddy__sys.fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    l->keep_path = true;
    eddy_listener_free(l);
    return fd;
}
