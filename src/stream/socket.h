/*
 * stream/socket.h - what only a transport over a socket can
 */
#ifndef EDDY_STREAM_SOCKET_H
#define EDDY_STREAM_SOCKET_H

#include <eddy/proxy.h>
#include <eddy/transport.h>

/* From now on @header (copied, with its extensions) says who the peer of @base is, which is over a
 * socket, and has none yet. 0 or -ENOMEM. */
int eddy_transport_set_proxy(struct eddy_transport *base, const struct eddy_proxy *header);

/* Whether @t is a socket itself, with no filter above it. */
bool eddy_transport_is_socket(const struct eddy_transport *t);

/* Who is above will pause while there is more to be read: where the kernel delivers ahead (io_uring),
 * a buffer at a time is asked for. Nothing, where @t is no socket. */
EDDY_PRIVATE void eddy__transport_sip(struct eddy_transport *t);

/* Bytes that @base, over a socket, has received and not delivered. */
size_t eddy_transport_kept(const struct eddy_transport *base);

/* A write past @base, over a socket, failed with @error. Where that says that the connection is lost,
 * nobody else will hear of it from the kernel: later writes fail with it, and so does the input. */
void eddy_transport_lost(struct eddy_transport *base, int error);

/* A read past @base, over a socket, came to a 0: 0 if it is the end, or why the connection was lost. */
int eddy_transport_end(struct eddy_transport *base);

/*
 * Two things that a socket's transport does besides, for tasks that make calls of their own on its
 * descriptor. A read with a NULL pointer is over, with a number over 0, when there is something to
 * be read; a write without an array and a count of 1 when there is room. Closing the transport ends
 * them as it ends others.
 */

#endif
