/*
 * net/proxy.h - connections whose PROXY header has not come yet, beside a listener
 */
#ifndef EDDY_NET_PROXY_H
#define EDDY_NET_PROXY_H

#include "loop/loop.h"

#include <eddy/net.h>

struct net_proxy;

/* @told is called, from the loop, when a connection is ready, and after net_proxy_end() when the
 * last one has gone: that one may free. @options ask for headers, and
 * have the place for an error's text. */
int net_proxy_new(struct eddy_loop *loop, const struct eddy_listen_options *options,
                  void (*told)(void *ctx), void *ctx, struct net_proxy **ret);

/* A connection: its header is read. 0: @fd is this one's; -ENOMEM: it is still the caller's. Never
 * calls told(). */
int net_proxy_greet(struct net_proxy *p, int fd);

/* How many have their header. */
unsigned net_proxy_ready(const struct net_proxy *p);

/* The first of those. -ENOMEM: it stays. */
int net_proxy_take(struct net_proxy *p, struct eddy_transport **ret_t);

/* End all, and @p. True: it is gone; else told() comes, and this is called again. */
bool net_proxy_end(struct net_proxy *p);

#endif
