/*
 * stream/stream.h - the stream from inside: the task face over any transport
 *
 * A stream is a protocol that gathers nothing while nobody reads. Where the transport has the
 * `read` face a read goes straight into the task's memory; elsewhere the transport is resumed for
 * one received(), which pauses it again. `in` holds what came beyond what was asked for: the rest
 * of a received(), and what read_until and lines look through.
 *
 *   t        NULL once closed() came, or the transport was taken
 *   broken   a call was cancelled in the middle: every later one fails
 *   closing  eddy_stream_close() was called, or the transport was taken
 */
#ifndef EDDY_STREAM_STREAM_H
#define EDDY_STREAM_STREAM_H

#include "task/wait.h"

#include <eddy/stream.h>

struct eddy_stream {
    struct eddy_transport *t;
    struct eddy_buffer in;
    struct eddy_read read;    /* reader's, in the transport's hands */
    struct eddy_write write;  /* writer's, likewise */
    struct eddy_wait *reader; /* suspended; NULL: nobody */
    struct eddy_wait *writer;
    struct eddy_wait *closer;
    void *into; /* received() goes here first; NULL: into `in` */
    size_t into_cap;
    struct eddy_error *failure; /* what its transport said of its end; NULL: nothing */
    int fd;                     /* told to who asks what a task waits for; -1: none */
    int why;                    /* of closed() */
    unsigned forks; /* eddy_forks where it was made: in a child of a fork it is the parent's */
    bool reading;   /* a call that reads is under way */
    bool writing;
    bool ended; /* told by ended(); a transport with the read face keeps that itself */
    bool finished;
    bool broken;
    bool closing;
};

/* For who puts a filter under a live stream: lift takes its transport out, paused, and until put
 * nobody else can use the stream (-EBUSY). -EPROTO: bytes were received that nobody has read;
 * -EDDY_EEOF, -EPIPE: one way has ended; else as eddy_stream_take_transport(). put gives it one
 * again, with nobody told; NULL: there is none, and the stream is broken. */
EDDY_PRIVATE int eddy__stream_lift(struct eddy_stream *s, struct eddy_transport **ret_t);
EDDY_PRIVATE void eddy__stream_put(struct eddy_stream *s, struct eddy_transport *t);

/* Begin a call that reads: 0, or why it cannot be. stream_read_end() ends it. */
int stream_read_begin(struct eddy_stream *s);

/* Another transport for a stream that is broken and has none left. What it holds stays to be read. */
void stream_renew(struct eddy_stream *s, struct eddy_transport *t);

static inline void stream_read_end(struct eddy_stream *s)
{
    s->reading = false;
}

/* Put at least a byte more into `in`. Its bytes may move. 0 at the end. Suspends. */
ssize_t stream_fill(struct eddy_stream *s);

/* Why nothing can be done on @s any more, or 0. */
int stream_gone(const struct eddy_stream *s);

/* Give back the @len bytes that were read last: they are read again first. 0, -ENOMEM or -EDDY_ETOOBIG,
 * and nothing changed. */
int stream_unread(struct eddy_stream *s, const char *bytes, size_t len);

/* A read within a call that reads: as eddy_read(). With NULL, over a socket and with nothing held:
 * only waits until it is readable; over 0, or the end or an error. Suspends. */
ssize_t stream_read_more(struct eddy_stream *s, void *buf, size_t cap);

/* Over a socket: wait until it takes bytes. Suspends. Cancelled: as eddy_write(). */
int stream_wait_room(struct eddy_stream *s);

static inline struct eddy_slice stream_held(const struct eddy_stream *s)
{
    return eddy_buffer_bytes(&s->in);
}

#endif
