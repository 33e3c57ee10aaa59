/*
 * net/listener.h - a listener from inside: made by listen.c, accepts in listener.c
 */
#ifndef EDDY_NET_LISTENER_H
#define EDDY_NET_LISTENER_H

#include "base/list.h"
#include "loop/loop.h"
#include "net/options.h"
#include "net/proxy.h"

#include <eddy/address.h>
#include <eddy/buffer.h>
#include <eddy/net.h>

#define KEPT_MAX ((size_t)65536) /* a burst that one turn of a driver can bring */

struct eddy_listener {
    struct eddy_loop *loop;
    struct eddy_op accept;
    struct eddy_op closing;
    struct eddy_address address; /* as asked for: to remove a Unix path */
    struct eddy_list waiters;    /* of struct acceptor */
    void (*on_accept)(void *ctx, struct eddy_transport *t);
    void *ctx;
    struct eddy_transport *next; /* made of a kept descriptor, but its stream was not */
    struct eddy_timer retry;
    struct eddy_soon soon;
    int fd;
    struct eddy_buffer kept; /* connected descriptors, as ints */
    bool asked;              /* the accept's cancel is on its way */
    bool starved;
    bool busy; /* in settle(): free only marks */
    bool freeing;
    bool keep_path;          /* the socket's file is not ours to remove */
    bool is_blocking;        /* inherited: without O_NONBLOCK */
    struct net_proxy *proxy; /* NULL: no header is asked for */
};

/* Of l->proxy: a connection has its header, or the last one is gone that had to go. */
void net_listener_told(void *ctx);

/* listen.c: a listener without a socket yet: it gets one, or is dropped. @options are complete. */
int net_listener_new(const struct eddy_address *address, const struct eddy_listen_options *options,
                     struct eddy_listener **ret_listener);
void net_listener_drop(struct eddy_listener *l);

/* inherit.c: at "systemd:...", "fd:...". */
int net_listen_inherited(const char *address, const struct eddy_listen_options *options,
                         struct eddy_listener **ret_listener);

#endif
