/*
 * stream/fd.h - the transport over descriptors from inside: transport_fd.c reads, fd_write.c writes
 */
#ifndef EDDY_STREAM_FD_H
#define EDDY_STREAM_FD_H

#include "loop/file_op.h"
#include "stream/writes.h"

enum fd_input { FD_OPEN, FD_ENDED, FD_FAILED };

struct fd_transport {
    struct eddy_transport base; /* first */
    struct eddy_loop *loop;
    struct eddy_file_op in_op; /* at the very end the CLOSE, too */
    struct eddy_file_op out_op;
    struct eddy_writes writes; /* NULL: nothing waits */
    struct eddy_read *reader;  /* a task's read; the protocol is paused */
    char *buffer;              /* may be NULL */
    size_t start, end;         /* what it holds */
    struct eddy_soon soon;
    int64_t in_at; /* in the file; -1: where the descriptor stands */
    int64_t out_at;
    int in;  /* -1: none */
    int out; /* -1: none, or closed; may be `in` */
    int why; /* closing: for closed() */
    int in_error;
    int out_error; /* what later writes get; 0: open */
    uint8_t input;
    bool owned;
    bool in_tty;
    bool out_tty;
    bool told; /* ended() was called */
    bool resumed;
    bool direct;   /* the READ goes into the reader's memory */
    bool in_asked; /* its cancel was asked for, its completion is on the way */
    bool lending;  /* received() is being called */
    bool pumping;  /* writes only queue */
    bool closing;
    bool closed; /* the last phase: only closed() is left */
};

static inline struct fd_transport *fd_transport_of(struct eddy_transport *t)
{
    return (struct fd_transport *)(void *)t;
}

/* transport_fd.c: look at what may have to be told, from the loop. */
void fd_settle_soon(struct fd_transport *t);

/* fd_write.c: the entries of the transport, and on from the loop: tell of @done (may be NULL), and
 * write what is queued. */
bool fd_write(struct eddy_transport *base, struct eddy_write *w);
bool fd_finish(struct eddy_transport *base, struct eddy_write *w);
void fd_pump(struct fd_transport *t, struct eddy_write *done);

#endif
