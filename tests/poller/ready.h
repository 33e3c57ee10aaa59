/*
 * ready.h - what the tests of pollers share: descriptors that become ready, and what was told of them
 */
#ifndef EDDY_TESTS_POLLER_READY_H
#define EDDY_TESTS_POLLER_READY_H

#include <eddy/poller.h>

#define MS INT64_C(1000000)
#define LONG (INT64_C(5000) * MS) /* for what is ready already: passes only when a test fails */
#define BOTH (EDDY_READABLE | EDDY_WRITABLE)

const char *backend(void);
bool is(const char *name);

/* libkqueue keeps a table of its own over epoll: it takes the error from a socket when it looks at
 * it, and what was closed behind its back stays in its table. The kernels that have a kqueue do
 * neither. */
bool is_library(void);

struct eddy_poller *open_poller(void);
void make_pair(int fd[2]);
void make_tcp(int fd[2]); /* two ends of a TCP connection on the loopback */
void close_pair(int fd[2]);

/* The events of the one descriptor that is ready within @timeout_ns, which must bear @token. */
unsigned events_within(struct eddy_poller *p, uint64_t token, int64_t timeout_ns);

/* What select cannot tell apart is left out of what is expected of it. */
unsigned told(unsigned events);

#endif
