/*
 * stream/socket.h - what only a transport over a socket can
 */
#ifndef EDDY_STREAM_SOCKET_H
#define EDDY_STREAM_SOCKET_H

#include <eddy/proxy.h>
#include <eddy/transport.h>

/* From now on @header (copied, with its extensions) says who the peer of @t is. @t is over a
 * socket, and has none yet. 0 or -ENOMEM. */
int eddy_transport_set_proxy(struct eddy_transport *t, const struct eddy_proxy *header);

/* Whether @t is a socket itself, with no filter above it. */
bool eddy_transport_is_socket(const struct eddy_transport *t);

#endif
