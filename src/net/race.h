/*
 * net/race.h - a name's addresses, tried beside each other (RFC 8305)
 */
#ifndef EDDY_NET_RACE_H
#define EDDY_NET_RACE_H

#include "net/options.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/slice.h>

/* How a race went, for the text of a failure. */
struct net_race_report {
    unsigned tried;
    char addresses[64]; /* as many of them as a text has room for */
    const char *why;    /* the name did not resolve: a constant text */
    bool is_name;       /* it had to be asked for */
};

/* The descriptor of the first that connects, or what eddy_connect() returns. Suspends. */
int net_race(struct eddy_slice host, uint16_t port, const struct eddy_connect_options *options,
             const struct net_options *sockets, struct net_race_report *ret_report);

/* THE place where a socket is asked for: whatever is to be set before it connects is set here. */
static inline void net_connect_op(struct eddy_op *op, const struct eddy_address *to,
                                  const struct net_options *sockets, eddy_op_fn *done)
{
    eddy_op_connect(op, (const struct sockaddr *)&to->storage, to->len, done);
    op->connect.options = net_options_for(sockets, eddy_address_family(to));
}

/* Close a descriptor, and wait even when the scope has ended: the end is near. */
void net_close_and_wait(struct eddy_loop *loop, int fd);

#endif
