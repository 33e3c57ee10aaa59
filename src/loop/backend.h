/*
 * loop/backend.h - what the choice of a backend goes by
 *
 *   default.c   the rule: which backends, in which order, on which kernel
 *   backend.c   opens the one that was asked for, or the first that the rule lets through
 */
#ifndef EDDY_LOOP_BACKEND_H
#define EDDY_LOOP_BACKEND_H

#include <stdatomic.h>
#include <stdbool.h>

/* What an io_uring can do, as far as it was found out. */
enum {
    EDDY_RING_SINGLE_ISSUER = 1, /* one thread submits, which spares locks */
    EDDY_RING_DEFER_TASKRUN = 2, /* the kernel finishes things while we wait, not in between */
    EDDY_RING_BUFFERS = 4,       /* a ring of provided buffers: an idle connection pins none */
    EDDY_RING_MULTISHOT = 8,     /* accept and receive go on by themselves */
    EDDY_RING_NODROP = 16,       /* completions past the queue's end are kept */
    EDDY_RING_ALL = 31
};

/* Facts about a kernel; tests make them up. */
struct eddy_kernel {
    unsigned version; /* 6001 is 6.1; 0: not Linux */
    unsigned ring;    /* EDDY_RING_... */
};

/* Whether io_uring comes first where the rule lets it. */
extern bool eddy_default_uring;

/* The log has heard in this process that the default is not io_uring, and why. */
extern atomic_bool eddy_default_told;

/* The name to be tried @i-th, from 0, best first; NULL: there are no more. */
const char *eddy_default_name(unsigned i);

/* Why @backend is not to be a default on such a kernel; NULL: it may be. A constant text. */
const char *eddy_default_objection(const char *backend, const struct eddy_kernel *kernel);

/* The running kernel's version, as above. */
unsigned eddy_kernel_version(void);

#endif
