/*
 * net/connect.c - from an address or a name to a connection
 *
 * The addresses of a name are tried one after the other. Two scopes bound it: the job's, with
 * .timeout_ms, and one for each try, with its share of what is left, so that one address that
 * swallows packets does not use up the time of the others.
 *
 * Those scopes are ours: when one outside ends, the wait says -ECANCELED whatever the reason; the
 * reason as the caller's scope has it is asked for after ours have been left.
 */
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/address.h>
#include <eddy/dns.h>
#include <eddy/net.h>
#include <eddy/task.h>

#define TIMEOUT_MS 30000
#define TRY_MIN_MS 250

struct closing {
    struct eddy_op op; /* first */
    struct eddy_wait wait;
};

static void close_done(struct eddy_op *op, int res)
{
    eddy__wake(&((struct closing *)(void *)op)->wait, res);
}

/* Waits even when the scope has ended: the end is near. */
static void close_and_wait(struct eddy_loop *loop, int fd)
{
    struct closing c = { .wait = EDDY_WAIT(NULL, "close") };

    eddy_op_close(&c.op, fd, close_done);
    if (!eddy__op_submit(loop, &c.op))
        eddy__wait(&c.wait);
}

static int try_one(const struct eddy_address *a, int64_t timeout_ms, struct eddy_transport **ret_t)
{
    struct eddy_op op;
    EDDY_SCOPE(patience, .timeout_ms = timeout_ms);

    eddy_op_connect(&op, (const struct sockaddr *)&a->storage, a->len, NULL);
    int fd = eddy__op_wait(&op);
    if (fd < 0)
        return fd;
    int r = eddy_transport_of_socket(fd, ret_t);
    if (r < 0)
        close_and_wait(eddy__loop(), fd);
    return r;
}

static int try_all(const struct eddy_addresses *addresses, int64_t deadline_ns,
                   struct eddy_transport **ret_t)
{
    int r = -EDDY_ENONAME;

    for (size_t i = 0; i < addresses->count; i++) {
        int64_t share = 0;
        if (deadline_ns) {
            int64_t left = (deadline_ns - eddy_now_ns()) / 1000000;
            share = left / (int64_t)(addresses->count - i);
            share = share < TRY_MIN_MS ? TRY_MIN_MS : share;
        }
        r = try_one(&addresses->at[i], share, ret_t);
        if (r == 0 || r == -ECANCELED || r == -ENOMEM)
            return r;
    }
    return r;
}

/* The address as text to a list of addresses. */
static int find(const char *text, const struct eddy_connect_options *options,
                struct eddy_addresses *ret, struct eddy_error *err)
{
    uint16_t default_port = options ? options->default_port : 0;
    struct eddy_slice host;
    uint16_t port;

    ret->count = 1;
    int r = eddy_address_parse(text, default_port, &ret->at[0], err);
    if (r != EDDY_ADDRESS_NAME)
        return r;
    r = eddy_address_split(text, default_port, &host, &port, err);
    if (r < 0)
        return r;
    return eddy_resolve(host, port, EDDY_OPT(resolve, .error = err), ret);
}

static int connect_within(const char *address, const struct eddy_connect_options *options,
                          int64_t timeout_ms, struct eddy_transport **ret_t, struct eddy_error *err)
{
    struct eddy_addresses addresses;
    EDDY_SCOPE(job, .timeout_ms = timeout_ms);

    int64_t deadline_ns = timeout_ms ? eddy_now_ns() + timeout_ms * 1000000 : 0;
    int r = find(address, options, &addresses, err);
    if (r == 0) {
        r = try_all(&addresses, deadline_ns, ret_t);
        if (r < 0)
            eddy_error_set(err, r, 0, "cannot connect to %.80s: %s", address, eddy_strerror(r));
    }
    if (r == -ECANCELED && eddy_scope_expired(&job))
        r = -ETIMEDOUT;
    if (r == -ETIMEDOUT)
        eddy_error_set(err, r, 0, "no connection to %.80s in time", address);
    return r;
}

int eddy__connect_transport(const char *address, const struct eddy_connect_options *options,
                            struct eddy_transport **ret_t)
{
    struct eddy_error *err = options ? options->error : NULL;
    int64_t timeout_ms = options && options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;

    if (!eddy_loop_current())
        return eddy_error_set(err, eddy__loop_refusal(), 0, "no event loop");
    int r = eddy__wait_check();
    if (r < 0)
        return eddy_error_set(err, r, 0, "cannot connect to %.80s: %s", address, eddy_strerror(r));
    r = connect_within(address, options, timeout_ms < 0 ? 0 : timeout_ms, ret_t, err);
    if (r == -ECANCELED) {
        int why = eddy__wait_check();
        r = eddy_error_set(err, why < 0 ? why : r, 0, "cannot connect to %.80s: %s", address,
                           eddy_strerror(why < 0 ? why : r));
    }
    return r;
}

int eddy_connect(const char *address, const struct eddy_connect_options *options,
                 struct eddy_stream **ret_stream)
{
    struct eddy_transport *t = NULL;

    int r = eddy__connect_transport(address, options, &t);
    if (r < 0)
        return r;
    assert(t);
    r = eddy_stream_of(t, ret_stream);
    if (r < 0)
        eddy_transport_close(t, 0);
    return r;
}
