/*
 * loop/op.h - an operation: one thing asked of the kernel, owned by whoever waits for it
 *
 * The model. The caller places a struct eddy_op (on a task's stack, in a connection), fills it
 * with one of the eddy_op_… initialisers and submits it to its loop. From then on the struct,
 * and the memory it points to, belong to the driver until the operation is complete.
 *
 *   submit returns true    complete already: op->res is the result, done() is NOT called.
 *   submit returns false   pending: done(op, res) will be called from the loop, exactly once
 *                          (a multishot: any number of times with op->more, then once without).
 *   cancel returns true    complete now: op->res is the result (-ECANCELED, or what it had
 *                          reached), done() is NOT called.
 *   cancel returns false   a request only: done() will come, with -ECANCELED or with whatever
 *                          the operation reached first. The owner waits for it.
 *
 * After the last done() (or a true) the driver never touches the struct again. done() may
 * submit, cancel and free anything, its own operation included. So operations may live on task
 * stacks, provided that whoever owns one waits for its completion.
 *
 * At most one reading operation (ACCEPT, RECV, LEND, POLL for input) and one writing one (SEND,
 * CONNECT, POLL for output) may be pending on a descriptor; a second completes with -EBUSY.
 * Any number of file operations (READ, WRITE, FSYNC, STAT, RENAME, ...) may; their order is not
 * promised.
 * Nothing may be pending on a descriptor that CLOSE is submitted for: cancel it first.
 *
 * Results are byte counts, descriptors or 0; or a negative errno. The kernel's own ETIMEDOUT on
 * a connection becomes -EDDY_EPEER_TIMEOUT here, so that -ETIMEDOUT always means a deadline.
 */
#ifndef EDDY_LOOP_OP_H
#define EDDY_LOOP_OP_H

#include "base/list.h"

#include <eddy/common.h>
#include <eddy/error.h>

#include <sys/socket.h>
#include <sys/uio.h>

enum eddy_op_kind {
    EDDY_OP_ACCEPT,  /* multishot; res: a connected descriptor; ends on error (-EMFILE, ...) */
    EDDY_OP_CONNECT, /* makes the socket; res: the connected descriptor; on failure none is left */
    EDDY_OP_RECV,    /* into the caller's memory, one shot; res: bytes, 0 at the end */
    EDDY_OP_LEND,    /* multishot; res: bytes at lend.ptr until done() returns, 0 at the end */
    EDDY_OP_SEND,    /* all of it, or an error; res: bytes. The iovec array is consumed */
    EDDY_OP_CLOSE,   /* res: 0, whatever close(2) said; cannot be cancelled */
    EDDY_OP_POLL, /* readiness of any descriptor; res: EDDY_READABLE | ...; one shot, or for ever */
    /* The file operations, of a struct eddy_file_op (loop/file_op.h). */
    EDDY_OP_OPEN,   /* a file; res: the descriptor. Cancelled late: it is closed again */
    EDDY_OP_READ,   /* of a file, at an offset; res: bytes, 0 at the end */
    EDDY_OP_WRITE,  /* to a file, at an offset; res: bytes, maybe fewer */
    EDDY_OP_FSYNC,  /* res: 0 */
    EDDY_OP_STAT,   /* of a path, or of fd when the path is ""; res: 0 */
    EDDY_OP_RENAME, /* these five change names; res: 0 */
    EDDY_OP_UNLINK, /* a file, or an empty folder */
    EDDY_OP_MKDIR,
    EDDY_OP_LINK,
    EDDY_OP_SYMLINK,
    EDDY_OP_LOOKUP, /* of a name, by a driver that has names of its own; res: addresses found */
    EDDY_OP_KINDS
};

struct eddy_op;
typedef void eddy_op_fn(struct eddy_op *op, int res);

/* What a LOOKUP asks, and where the answer goes. */
struct eddy_lookup {
    const char *name;
    int family; /* 0: any */
    unsigned cap;
    struct sockaddr_storage *ret;
};

/* One option of a socket: setsockopt(2)'s. SO_LINGER's value is whether closing resets. */
struct eddy_socket_setting {
    int level, name, value;
};

/* What is done to a socket between socket() and connect() or bind(). Zero: nothing. */
struct eddy_socket_options {
    const struct eddy_socket_setting *settings;
    unsigned count;
    bool reuse_port; /* to listen */
    bool v6_only;
    unsigned mode;                 /* of the file of a Unix socket that listens; 0: the umask's */
    const char *interface;         /* NULL: any */
    const struct sockaddr *source; /* to connect; NULL: the kernel chooses */
    socklen_t source_len;
};

struct eddy_op {
    eddy_op_fn *done;
    void *ctx;     /* the owner's; kept by everybody, set after the initialiser */
    uint8_t kind;  /* enum eddy_op_kind */
    bool more;     /* a multishot: this completion is not the last */
    bool pending;  /* between a submit that returned false and the last completion */
    uint8_t state; /* the driver's */
    int fd;
    int res;
    socklen_t addr_len; /* CONNECT: of connect.addr */
    union {
        struct {
            const struct sockaddr *addr;               /* stays valid until completion; */
            const struct eddy_socket_options *options; /* so does this. NULL: none */
        } connect;
        struct {
            bool blocking; /* the socket is: to be looked at before; set after the initialiser */
        } accept;
        struct {
            void *ptr;
            size_t len;
        } recv;
        struct {
            const char *ptr; /* valid inside done() only; poisoned after it in debug builds */
            bool sip;        /* no more than a buffer is on the way: who pauses gets nothing else */
        } lend;
        struct {
            struct iovec *iov; /* consumed as bytes leave; both array and bytes stay valid */
            unsigned count;
        } send;
        struct {
            unsigned events; /* EDDY_READABLE | EDDY_WRITABLE, and the hint EDDY_EDGE */
            bool multishot;  /* told of for as long as it is ready, until it is cancelled */
        } poll;
        struct {
            struct eddy_lookup *of; /* stays valid until completion */
        } lookup;
    };
    struct eddy_list link; /* the driver's */
    uint64_t scratch[2];   /* the driver's */
};

static inline void eddy_op_accept(struct eddy_op *op, int fd, eddy_op_fn *done)
{
    *op = (struct eddy_op){ .kind = EDDY_OP_ACCEPT, .fd = fd, .done = done };
}

static inline void eddy_op_connect(struct eddy_op *op, const struct sockaddr *addr, socklen_t len,
                                   eddy_op_fn *done)
{
    *op = (struct eddy_op){
        .kind = EDDY_OP_CONNECT, .fd = -1, .done = done, .addr_len = len, .connect = { addr, NULL }
    };
}

static inline void eddy_op_recv(struct eddy_op *op, int fd, void *ptr, size_t len, eddy_op_fn *done)
{
    *op = (struct eddy_op){ .kind = EDDY_OP_RECV, .fd = fd, .done = done, .recv = { ptr, len } };
}

static inline void eddy_op_lend(struct eddy_op *op, int fd, eddy_op_fn *done)
{
    *op = (struct eddy_op){ .kind = EDDY_OP_LEND, .fd = fd, .done = done };
}

static inline void eddy_op_send(struct eddy_op *op, int fd, struct iovec *iov, unsigned count,
                                eddy_op_fn *done)
{
    *op = (struct eddy_op){ .kind = EDDY_OP_SEND, .fd = fd, .done = done, .send = { iov, count } };
}

static inline void eddy_op_close(struct eddy_op *op, int fd, eddy_op_fn *done)
{
    *op = (struct eddy_op){ .kind = EDDY_OP_CLOSE, .fd = fd, .done = done };
}

static inline void eddy_op_poll(struct eddy_op *op, int fd, unsigned events, eddy_op_fn *done)
{
    *op = (struct eddy_op){
        .kind = EDDY_OP_POLL, .fd = fd, .done = done, .poll = { .events = events }
    };
}

static inline void eddy_op_lookup(struct eddy_op *op, struct eddy_lookup *of, eddy_op_fn *done)
{
    *op = (struct eddy_op){ .kind = EDDY_OP_LOOKUP, .fd = -1, .done = done, .lookup = { of } };
}

/* A file operation: what the ready driver gives to the pool. */
static inline bool eddy_op_is_file(const struct eddy_op *op)
{
    return op->kind >= EDDY_OP_OPEN && op->kind <= EDDY_OP_SYMLINK;
}

#endif
