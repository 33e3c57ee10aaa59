/*
 * eddy/transport.h - the callback face of a connection: transports, protocols, filters
 *
 * A transport moves bytes (a socket, one end of a pair, TLS over another transport); a protocol
 * is told what happens to it. HTTP stands on this, so an idle connection has no stack and no
 * read buffer. Tasks use a stream (eddy/stream.h), which is one protocol over any transport.
 *
 * The rules:
 *
 *  - Callbacks of a protocol run from the loop only, never from inside a call on the transport.
 *    They may call anything on the transport, close included, and start tasks.
 *  - received() lends: the bytes are dead when it returns.
 *  - A transport starts paused. eddy_transport_resume() asks for bytes; after
 *    eddy_transport_pause() returns no more received() is called until the next resume, and what
 *    still arrives is kept by the transport, bounded, and delivered first.
 *  - ended() is the peer's end of input, once; writing goes on.
 *  - A write is a caller-owned struct eddy_write: its memory belongs to the transport until it is
 *    done. Several may be queued; they leave in order.
 *  - closed() is the last callback, exactly once: after eddy_transport_close(), or by itself when
 *    the connection fails. Every write was done before. The transport frees itself after it.
 *  - A transport belongs to one thread and its loop.
 *
 * A filter is a transport over a transport: no I/O of its own, bytes in, bytes out. It sets itself
 * as the protocol of the one below and is owned, as a transport, by the one above. Closing the
 * filter closes what is below.
 */
#ifndef EDDY_TRANSPORT_H
#define EDDY_TRANSPORT_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <sys/uio.h>

EDDY_BEGIN

struct eddy_transport;
struct eddy_address;

/* What a connection tells its user. Rows are constant; a NULL entry is not called. */
struct eddy_protocol {
    size_t size; /* of this struct */
    void (*received)(void *ctx, const char *data, size_t len);
    void (*ended)(void *ctx);
    void (*closed)(void *ctx, int why); /* 0, or the error that ended it */
};

/* A write in the caller's hands. Fill iov, count and done; the rest is the transport's. */
struct eddy_write {
    struct iovec *iov; /* consumed as bytes leave; array and bytes stay valid until done */
    unsigned count;
    void (*done)(struct eddy_write *w); /* from the loop, when it did not complete at once */
    int res;                            /* 0, or negative: then nothing may be assumed of it */
    bool end;                           /* the transport's: this one ends the output */
    struct eddy_write *next;            /* the transport's */
    void *scratch[2];                   /* the transport's */
};

/* A read into the caller's memory, for a task that waits; what a stream uses where it can. */
struct eddy_read {
    void *ptr;
    size_t len;
    void (*done)(struct eddy_read *r); /* from the loop, when it did not complete at once */
    int res;                           /* bytes, 0 at the end, or negative */
    void *scratch[2];                  /* the transport's */
};

enum eddy_transport_key {
    EDDY_INFO_LOCAL,    /* struct eddy_address: filled */
    EDDY_INFO_PEER,     /* struct eddy_address: filled */
    EDDY_INFO_FD,       /* int: filled, the one that reads; -1 where there is none */
    EDDY_INFO_TLS,      /* struct eddy_tls_info (eddy/tls.h): filled */
    EDDY_INFO_BUFFERED, /* size_t: bytes that wait to leave, over all layers */
    EDDY_INFO_PROXY,    /* struct eddy_proxy (eddy/proxy.h): filled, where a header told the peer */
    EDDY_INFO_FD_OUT,   /* int: filled, the one that writes, where they are two */
    EDDY_INFO_FAILURE,  /* struct eddy_error: filled, why it failed, as a text; -ENOENT: it has not,
                         * or the errno says all (TLS tells; others do not) */
};

struct eddy_transport_ops {
    size_t size; /* of this struct */
    const char *name;
    void (*resume)(struct eddy_transport *t);
    void (*pause)(struct eddy_transport *t);
    /* True: done at once, w->res is set and w->done not called. */
    bool (*write)(struct eddy_transport *t, struct eddy_write *w);
    /* End the output behind what was written (FIN, close-notify); w carries no bytes. */
    bool (*finish)(struct eddy_transport *t, struct eddy_write *w);
    void (*close)(struct eddy_transport *t, int why);
    int (*info)(struct eddy_transport *t, enum eddy_transport_key key, void *ret_value);
    /* Optional (NULL: the stream reads by received()). Only while paused; one at a time. True: done
     * at once. cancel: true: done now, r->res is -ECANCELED or what it had; else done() comes. */
    bool (*read)(struct eddy_transport *t, struct eddy_read *r);
    bool (*cancel_read)(struct eddy_transport *t, struct eddy_read *r);
};

/* The first member of every transport. */
struct eddy_transport {
    const struct eddy_transport_ops *ops;
    const struct eddy_protocol *protocol;
    void *ctx; /* the protocol's */
};

/** eddy_transport_use() - set who is told
 * @t:        paused
 * @protocol: constant
 * @ctx:      handed to its callbacks
 *
 * Return: nothing.   Source: asyncio's set_protocol.   Since: 0.1 */
static inline void eddy_transport_use(struct eddy_transport *t,
                                      const struct eddy_protocol *protocol, void *ctx)
{
    t->protocol = protocol;
    t->ctx = ctx;
}

/** eddy_transport_resume() - ask for bytes
 * @t: may be resumed already
 *
 * Return: nothing; a failure comes as closed().   Source: asyncio's resume_reading.   Since: 0.1 */
static inline void eddy_transport_resume(struct eddy_transport *t)
{
    t->ops->resume(t);
}

/** eddy_transport_pause() - no more received() until the next resume
 * @t: may be paused already
 *
 * Return: nothing.   Source: asyncio's pause_reading.   Since: 0.1 */
static inline void eddy_transport_pause(struct eddy_transport *t)
{
    t->ops->pause(t);
}

/**
 * eddy_transport_write() - send bytes
 * @t: not finished
 * @w: caller's; valid until done, as is all it points to
 *
 * Return: true when it was done at once (w->res is set, w->done is not called): the kernel, or
 * the layer below, has the bytes. False: w->done will be called from the loop. w->res: 0,
 * -EPIPE (finished or ended), -ECONNRESET, -ECANCELED (closed meanwhile), or what send(2) says.
 * Source: sendmsg(2).   Since: 0.1
 */
static inline bool eddy_transport_write(struct eddy_transport *t, struct eddy_write *w)
{
    return t->ops->write(t, w);
}

/** eddy_transport_finish() - end the output behind what was written
 * @t: reading goes on
 * @w: caller's; without bytes
 *
 * Return: as eddy_transport_write().   Source: shutdown(2), asyncio's write_eof.   Since: 0.1 */
static inline bool eddy_transport_finish(struct eddy_transport *t, struct eddy_write *w)
{
    return t->ops->finish(t, w);
}

/** eddy_transport_close() - end the connection now
 * @t:   what was not sent is dropped; finish first where that matters. Harmless when repeated
 * @why: handed to closed(); 0 or negative
 *
 * Return: nothing; closed() comes from the loop.   Source: close(2).   Since: 0.1 */
static inline void eddy_transport_close(struct eddy_transport *t, int why)
{
    t->ops->close(t, why);
}

/** eddy_transport_info() - ask about the connection; filters pass on what they do not know
 * @t:         any
 * @key:       what
 * @ret_value: of the type that the key names
 *
 * Return: 0, or -ENOENT (no layer knows it).   Source: asyncio's get_extra_info.   Since: 0.1 */
static inline int eddy_transport_info(struct eddy_transport *t, enum eddy_transport_key key,
                                      void *ret_value)
{
    return t->ops->info(t, key, ret_value);
}

/**
 * eddy_transport_pair() - two transports joined in memory
 * @capacity: bytes that one end takes before its writes wait; 0: 64 KiB
 * @ret_a:    owned
 * @ret_b:    owned
 *
 * No descriptor, no kernel; what one writes the other receives, from the loop.
 *
 * Return: 0 or -ENOMEM.   Source: socketpair(2).   Since: 0.1
 */
EDDY_API int eddy_transport_pair(size_t capacity, struct eddy_transport **ret_a,
                                 struct eddy_transport **ret_b);

/**
 * eddy_transport_of_socket() - a transport over a connected stream socket
 * @fd:    owned from now on when 0 is returned; of this loop's driver
 * @ret_t: owned, paused
 *
 * Return: 0 or -ENOMEM.   Source: none.   Since: 0.1
 */
EDDY_API int eddy_transport_of_socket(int fd, struct eddy_transport **ret_t);

struct eddy_fd_options {
    size_t size; /* filled by EDDY_OPT(fd, ...) */
    bool borrow; /* the descriptors stay the caller's: they are not closed */
    bool at;     /* files: read and write from @offset on; else where the descriptor stands */
    int64_t offset;
    struct eddy_error *error; /* what, where, how to mend it; may be NULL */
};

/**
 * eddy_transport_of_fd() - a transport over any descriptors: pipes, terminals, devices, files
 * @in:      read from; -1: there is only the end
 * @out:     written to, may be @in; -1: every write is -EPIPE
 * @options: EDDY_OPT(fd, .borrow = true), may be NULL
 * @ret_t:   owned, paused; the descriptors are its, too, but for .borrow, when 0 is returned
 *
 * Blocking or not, and never changed from one to the other: the open file may be shared with other
 * processes. While it is resumed it holds a buffer of 16 KiB, while it is paused none. Finishing
 * shuts a socket down and closes an @out that is owned and not @in, too; of others it is only
 * remembered. A terminal whose other end is gone (EIO) is at its end, and a write to it -EPIPE. No
 * SIGPIPE. A write of several pieces is one write(2) for each.
 *
 * Return: 0; or negative, and the descriptors are the caller's:
 *   -EBADF      not open, or not for this direction     -EINVAL  neither @in nor @out
 *   -EDDY_ESIM  under the simulator only its own files are known     -ENOMEM
 * Source: read(2), write(2), asyncio's connect_read_pipe.   Since: 0.1
 */
EDDY_API int eddy_transport_of_fd(int in, int out, const struct eddy_fd_options *options,
                                  struct eddy_transport **ret_t);

/**
 * eddy_filter_xor() - a filter that flips bits: the smallest there is, to learn from and test with
 * @below: owned from now on when 0 is returned
 * @key:   each byte is xored with it, both ways
 * @ret_t: owned, paused
 *
 * Return: 0 or -ENOMEM.   Source: none.   Since: 0.1
 */
EDDY_API int eddy_filter_xor(struct eddy_transport *below, unsigned char key,
                             struct eddy_transport **ret_t);

EDDY_END

#endif
