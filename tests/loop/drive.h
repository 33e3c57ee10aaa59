/*
 * drive.h - driving a driver without a loop: what the I/O suite stands on
 *
 * A call is an operation on the heap that counts its completions. It is freed by the test, or
 * (a call that frees itself) in its last done(), so that a driver which touches an operation
 * after its completion is caught by the address sanitizer.
 */
#ifndef EDDY_TESTS_LOOP_DRIVE_H
#define EDDY_TESTS_LOOP_DRIVE_H

#include "loop/driver.h"

struct call;
typedef void call_fn(struct call *c, int res);

struct call {
    struct eddy_op op;
    struct eddy_driver *d;
    unsigned calls; /* of done(), or a completion at submit or cancel */
    unsigned ends;  /* of these, without `more`: must become 1 and stay it */
    int res;        /* of the last */
    call_fn *then;  /* may be NULL */
    void *ctx;
};

/* Open the driver that EDDY_BACKEND names; NULL when it is not available, which is reported. */
struct eddy_driver *drive_open(bool short_io, uint64_t seed);
bool drive_is(const struct eddy_driver *d, const char *backend);
void drive_close(struct eddy_driver *d);

/* Run @test on a driver as it is, and on one that moves a few bytes at a time. */
void drive_both(void (*test)(struct eddy_driver *d, bool few));

#define DRIVER_TEST(name)                                                                          \
    static void name##_on(struct eddy_driver *d, bool few);                                        \
    EDDY_TEST(name)                                                                                \
    {                                                                                              \
        drive_both(name##_on);                                                                     \
    }                                                                                              \
    static void name##_on(EDDY_UNUSED struct eddy_driver *d, EDDY_UNUSED bool few)

/* Turn until *@flag is not 0 (true), or nothing has come of it for long (false, and a failure). */
bool drive_until(struct eddy_driver *d, const unsigned *flag);
void drive_turns(struct eddy_driver *d, unsigned count);

struct call *call_new(struct eddy_driver *d, call_fn *then, void *ctx);
void call_free(struct call *c); /* checks that it ended exactly once */
/* After an eddy_op_… on c->op, with call_done: */
void call_done(struct eddy_op *op, int res);
bool call_submit(struct call *c); /* as submit; a completion at once is counted */
bool call_cancel(struct call *c); /* likewise */

/* Submit, wait, free: the result. */
int do_connect(struct eddy_driver *d, const struct sockaddr_storage *addr, socklen_t len);
int do_recv(struct eddy_driver *d, int fd, void *buf, size_t len);
int do_send(struct eddy_driver *d, int fd, const void *bytes, size_t len);
int do_close(struct eddy_driver *d, int fd);

/* A listener on a free port of the loopback. */
int drive_listen(struct eddy_driver *d, int backlog, struct sockaddr_storage *ret_addr,
                 socklen_t *ret_len);
/* A connected pair. */
bool drive_pair(struct eddy_driver *d, int ret_fd[2]);

/* The byte at @at of the one long text all tests send. */
static inline char text_at(uint64_t at)
{
    return (char)(at * 31 + (at >> 8) * 7 + (at >> 16));
}
void text_fill(char *buf, size_t len, uint64_t at);
bool text_is(const char *buf, size_t len, uint64_t at);

#endif
