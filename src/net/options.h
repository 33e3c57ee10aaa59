/*
 * net/options.h - what listening and connecting were asked for, as the loop's drivers take it
 */
#ifndef EDDY_NET_OPTIONS_H
#define EDDY_NET_OPTIONS_H

#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/net.h>

#include <string.h>

#define NET_SETTINGS_MAX 8

/* Complete, whatever the caller's version of the struct has. It points into itself. */
struct net_options {
    struct eddy_socket_options socket; /* with the source, if there is one */
    struct eddy_socket_options other;  /* for addresses of other families: without it */
    struct eddy_socket_setting settings[NET_SETTINGS_MAX];
    struct eddy_address source;
};

/* How many settings; -EINVAL: out of range. @tcp may be NULL. */
int net_tcp_settings(const struct eddy_tcp_options *tcp,
                     struct eddy_socket_setting ret[NET_SETTINGS_MAX], struct eddy_error *err);

int net_options_listen(const struct eddy_listen_options *options, struct net_options *ret,
                       struct eddy_error *err);

/* @options may be NULL. */
int net_options_connect(const struct eddy_connect_options *options, struct net_options *ret,
                        struct eddy_error *err);

/* For op->connect.options: what suits an address of that family. */
const struct eddy_socket_options *net_options_for(const struct net_options *o, int family);

/* Where @r says that an option could not be had: a text that says what to mend. Whether it does. */
bool net_options_explain(struct eddy_error *err, int r, const struct net_options *o);

/* proxy_send.c. Send @header as the first bytes of @t, which nobody uses yet. Suspends; an error
 * means that @t is of no use any more. -EINVAL, -EDDY_ETOOBIG: it cannot be written. */
int net_announce(struct eddy_transport *t, const struct eddy_proxy *header);

static inline bool net_is_sim(const struct eddy_loop *loop)
{
    return strcmp(loop->driver->ops->name, "sim") == 0;
}

/* The options as this version has them. @to is zero. */
#define NET_OPTIONS_COPY(to, from)                                                                 \
    memcpy((to), (from), (from)->size < sizeof *(to) ? (from)->size : sizeof *(to))

#endif
