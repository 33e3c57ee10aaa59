/*
 * drive.c - see drive.h
 */
#include "drive.h"

#include "check.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct eddy_driver_ops *ops_of(const char *backend)
{
    if (strcmp(backend, "sim") == 0)
        return &eddy_driver_sim;
    if (strcmp(backend, "uring") == 0) {
#ifdef EDDY_HAVE_URING
        return &eddy_driver_uring;
#else
        return NULL;
#endif
    }
    return &eddy_driver_ready;
}

static const char *backend_name(void)
{
    const char *backend = eddy_check_backend();

    return backend[0] ? backend : "epoll";
}

struct eddy_driver *drive_open(bool short_io, uint64_t seed)
{
    static char text[256];
    const char *why = "it was not built";
    const struct eddy_driver_ops *ops = ops_of(backend_name());
    const struct eddy_driver_config config = { .backend = backend_name(),
                                               .seed = seed,
                                               .short_io = short_io };
    struct eddy_driver *d = NULL;

    int r = ops ? ops->open(&config, &d, &why) : -EDDY_EBACKEND;
    if (r < 0) {
        snprintf(text, sizeof text, "%s: %s (%s)", backend_name(), why, eddy_strerrorname(r));
        EDDY_CHECK_NOT_RUN(text);
        return NULL;
    }
    return d;
}

bool drive_is(const struct eddy_driver *d, const char *backend)
{
    return strcmp(d->backend, backend) == 0;
}

void drive_close(struct eddy_driver *d)
{
    EDDY_CHECK_EQ(d->pending, 0);
    if (d->pending == 0)
        d->ops->close(d);
}

void drive_both(void (*test)(struct eddy_driver *d, bool few))
{
    for (int few = 0; few < 2; few++) {
        struct eddy_driver *d = drive_open(few != 0, eddy_check_number("EDDY_SEED", 1));
        if (!d)
            return;
        test(d, few != 0);
        drive_close(d);
    }
}

static int64_t real_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool drive_until(struct eddy_driver *d, const unsigned *flag)
{
    int64_t end_ns = real_ns() + (int64_t)20 * 1000000000;

    while (!*flag) {
        int r = d->ops->turn(d, 100000000);
        if (!EDDY_CHECK(r >= 0))
            return false;
        if (r == 0 && real_ns() > end_ns)
            return EDDY_CHECK_FAIL("nothing has happened for 20 s");
        if (r > 0)
            end_ns = real_ns() + (int64_t)20 * 1000000000;
    }
    return true;
}

void drive_turns(struct eddy_driver *d, unsigned count)
{
    while (count--)
        EDDY_CHECK(d->ops->turn(d, 1000000) >= 0);
}

struct call *call_new(struct eddy_driver *d, call_fn *then, void *ctx)
{
    struct call *c = calloc(1, sizeof *c);

    if (!c)
        abort();
    c->d = d;
    c->then = then;
    c->ctx = ctx;
    return c;
}

void call_free(struct call *c)
{
    EDDY_CHECK_EQ(c->ends, 1);
    EDDY_CHECK(!c->op.pending);
    free(c);
}

static void call_note(struct call *c)
{
    c->calls++;
    c->res = c->op.res;
    if (!c->op.more) {
        c->ends++;
        EDDY_CHECK(!c->op.pending);
    }
    EDDY_CHECK(c->ends <= 1);
}

void call_done(struct eddy_op *op, int res)
{
    struct call *c = eddy_container_of(op, struct call, op);

    EDDY_CHECK_EQ(op->res, res);
    call_note(c);
    if (c->then)
        c->then(c, res);
}

bool call_submit(struct call *c)
{
    if (!c->d->ops->submit(c->d, &c->op))
        return false;
    call_note(c);
    return true;
}

bool call_cancel(struct call *c)
{
    if (!c->d->ops->cancel(c->d, &c->op))
        return false;
    call_note(c);
    return true;
}

static int call_run(struct call *c)
{
    call_submit(c);
    if (!drive_until(c->d, &c->ends))
        exit(1); /* the operation is the driver's for ever */
    int res = c->res;
    call_free(c);
    return res;
}

int do_connect(struct eddy_driver *d, const struct sockaddr_storage *addr, socklen_t len)
{
    struct call *c = call_new(d, NULL, NULL);

    eddy_op_connect(&c->op, (const struct sockaddr *)addr, len, call_done);
    return call_run(c);
}

int do_recv(struct eddy_driver *d, int fd, void *buf, size_t len)
{
    struct call *c = call_new(d, NULL, NULL);

    eddy_op_recv(&c->op, fd, buf, len, call_done);
    return call_run(c);
}

int do_send(struct eddy_driver *d, int fd, const void *bytes, size_t len)
{
    struct call *c = call_new(d, NULL, NULL);
    struct iovec iov = { (void *)(uintptr_t)bytes, len };

    eddy_op_send(&c->op, fd, &iov, 1, call_done);
    return call_run(c);
}

int do_close(struct eddy_driver *d, int fd)
{
    struct call *c = call_new(d, NULL, NULL);

    eddy_op_close(&c->op, fd, call_done);
    return call_run(c);
}

int drive_listen(struct eddy_driver *d, int backlog, struct sockaddr_storage *ret_addr,
                 socklen_t *ret_len)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = d->ops->listen(d, (struct sockaddr *)&in, sizeof in, backlog, NULL);

    if (EDDY_CHECK(fd >= 0))
        EDDY_CHECK_EQ(d->ops->address(d, fd, false, ret_addr, ret_len), 0);
    return fd;
}

static void take_accepted(struct call *c, int res)
{
    if (res >= 0)
        *(int *)c->ctx = res;
}

bool drive_pair(struct eddy_driver *d, int ret_fd[2])
{
    struct sockaddr_storage addr;
    socklen_t len;

    int listener = drive_listen(d, 16, &addr, &len);
    if (listener < 0)
        return false;
    ret_fd[1] = -1;
    struct call *accept = call_new(d, take_accepted, &ret_fd[1]);
    eddy_op_accept(&accept->op, listener, call_done);
    EDDY_CHECK(!call_submit(accept));
    ret_fd[0] = do_connect(d, &addr, len);
    bool ok = EDDY_CHECK(ret_fd[0] >= 0) && drive_until(d, &accept->calls);
    call_cancel(accept);
    ok = drive_until(d, &accept->ends) && ok;
    call_free(accept);
    do_close(d, listener);
    return EDDY_CHECK(ret_fd[1] >= 0) && ok;
}

void text_fill(char *buf, size_t len, uint64_t at)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = text_at(at + i);
}

bool text_is(const char *buf, size_t len, uint64_t at)
{
    for (size_t i = 0; i < len; i++)
        if (buf[i] != text_at(at + i))
            return EDDY_CHECK_FAIL("the byte at %llu is not what was sent",
                                   (unsigned long long)(at + i));
    return true;
}
