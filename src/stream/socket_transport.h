/*
 * stream/socket_transport.h - inside a transport over a socket: transport_socket.c, socket_info.c
 */
#ifndef EDDY_STREAM_SOCKET_TRANSPORT_H
#define EDDY_STREAM_SOCKET_TRANSPORT_H

#include "loop/loop.h"
#include "stream/socket.h"
#include "stream/writes.h"

#include <eddy/buffer.h>

/* What a PROXY header said, and behind it the bytes of its extensions. */
struct told {
    struct eddy_proxy header;
    char extensions[];
};

enum input { INPUT_OPEN, INPUT_ENDED, INPUT_FAILED };

struct socket_transport {
    struct eddy_transport base; /* first */
    struct eddy_loop *loop;
    struct eddy_op in;
    struct eddy_op out;
    struct eddy_writes writes; /* leaves now when out.pending; NULL: nothing waits */
    struct eddy_read *reader;  /* a task's read; the protocol is paused */
    struct eddy_buffer kept;
    struct eddy_soon soon;
    struct told *told_peer; /* by a PROXY header; NULL: the kernel says */
    int fd;
    int why;           /* closing: for closed() */
    int16_t in_error;  /* INPUT_FAILED */
    int16_t out_error; /* what later writes get; 0: open */
    uint8_t input;
    bool told : 1; /* ended() was called */
    bool resumed : 1;
    bool in_asked : 1; /* in's cancel was asked for, its completion is on the way */
    bool pumping : 1;  /* in sent(): writes only queue */
    bool closing : 1;
    bool closed : 1; /* the last phase: only closed() is left */
    bool sip : 1;    /* its reader pauses while there is more */
};

static_assert(sizeof(struct socket_transport) <= 320, "half of an idle connection's budget");

/* @t is over a socket. */
static inline struct socket_transport *socket_transport_of(struct eddy_transport *t)
{
    return (struct socket_transport *)(void *)t;
}

/* ->info: see eddy_transport_info(). */
int socket_info(struct eddy_transport *base, enum eddy_transport_key key, void *ret_value);

#endif
