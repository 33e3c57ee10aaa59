/*
 * ends.h - two connected streams of each kind, for tests that must hold on all of them
 */
#ifndef EDDY_TESTS_STREAM_ENDS_H
#define EDDY_TESTS_STREAM_ENDS_H

#include <eddy/stream.h>
#include <eddy/transport.h>

enum ends_kind {
    ENDS_PAIR,
    ENDS_TCP,
    ENDS_UNIX,
    ENDS_XOR_PAIR,
    ENDS_XOR_TCP,
    ENDS_PIPES, /* two, one each way, as any descriptors */
    ENDS_ANY,   /* a socket, as any descriptor */
    ENDS_KINDS
};

struct ends {
    struct eddy_stream *a; /* the one that connected */
    struct eddy_stream *b;
};

const char *ends_name(enum ends_kind kind);

/* Whether the backend of this run has it: the simulator knows no descriptors of the kernel's. */
bool ends_can(enum ends_kind kind);

/* Two transports. False: a check has failed. */
bool ends_transports(enum ends_kind kind, struct eddy_transport *ret[2]);

bool ends_open(enum ends_kind kind, struct ends *ret);
void ends_close(struct ends *ends);

/* Free this thread's loop, so that the test's end finds nothing alive. */
void ends_loop_free(void);

/* A kind after another, with its name told when a check in it fails. */
#define ENDS_EACH(kind)                                                                            \
    for (enum ends_kind kind = ENDS_PAIR; kind < ENDS_KINDS; kind++)                               \
        if (ends_can(kind))

#endif
