/*
 * net/connect.c - from an address or a name to a connection
 *
 * An address is one attempt, a name a race of them (race.c). One scope bounds the job, name
 * included, with .timeout_ms. It is ours: when one outside ends, the wait says -ECANCELED whatever
 * the reason; the reason as the caller's scope has it is asked for after ours has been left.
 */
#include "dns/room.h"
#include "net/race.h"
#include "task/wait.h"

#include <eddy/task.h>

#include <sys/socket.h>

#define TIMEOUT_MS 30000

struct closing {
    struct eddy_op op; /* first */
    struct eddy_wait wait;
};

static void close_done(struct eddy_op *op, int res)
{
    eddy__wake(&((struct closing *)(void *)op)->wait, res);
}

void net_close_and_wait(struct eddy_loop *loop, int fd)
{
    struct closing c = { .wait = EDDY_WAIT(NULL, "close") };

    eddy_op_close(&c.op, fd, close_done);
    if (!eddy__op_submit(loop, &c.op))
        eddy__wait(&c.wait);
}

/* --- one job ---------------------------------------------------------------------------------- */

static int connect_address(const struct eddy_address *to, const struct net_options *sockets)
{
    struct eddy_op op;

    net_connect_op(&op, to, sockets, NULL);
    return eddy__op_wait(&op);
}

/* How it failed, as a text: which addresses were tried, or that the name was the matter. */
static int explain(struct eddy_error *err, int r, const char *address,
                   const struct net_race_report *how, const struct net_options *sockets)
{
    if (net_options_explain(err, r, sockets))
        return r;
    if (!how->tried && how->why)
        return dns_explain(err, r, eddy_slice_of(address), how->why);
    if (how->tried < 2)
        return eddy_error_set(err, r, 0, "cannot connect to %.80s: %s", address, eddy_strerror(r));
    return eddy_error_set(err, r, 0, "cannot connect to %.30s: %s (tried %s)", address,
                          eddy_strerror(r), how->addresses);
}

static int explain_late(struct eddy_error *err, int r, const char *address,
                        const struct net_race_report *how)
{
    if (how->tried)
        return eddy_error_set(err, r, 0, "no connection to %.40s in time (tried %s)", address,
                              how->addresses);
    if (how->is_name)
        return eddy_error_set(err, r, 0,
                              "no connection to %.40s in time: no name server has told its address",
                              address);
    return eddy_error_set(err, r, 0, "no connection to %.80s in time", address);
}

/* The descriptor of a connection; the text says how it went. */
static int connect_text(const char *text, const struct eddy_connect_options *options,
                        const struct net_options *sockets, struct net_race_report *how,
                        struct eddy_error *err)
{
    uint16_t default_port = options ? options->default_port : 0;
    struct eddy_address address;
    struct eddy_slice host;
    uint16_t port;

    int r = eddy_address_parse(text, default_port, &address, err);
    if (r < 0)
        return r;
    if (r != EDDY_ADDRESS_NAME) {
        r = connect_address(&address, sockets);
    } else {
        r = eddy_address_split(text, default_port, &host, &port, err);
        if (r < 0)
            return r;
        r = net_race(host, port, options, sockets, how);
        how->is_name = true;
    }
    return r < 0 ? explain(err, r, text, how, sockets) : r;
}

/* What the other end is to be told first. */
static int announce(struct eddy_transport *t, const struct eddy_connect_options *options,
                    const char *address, struct eddy_error *err)
{
    if (!options || !options->proxy_header)
        return 0;
    int r = net_announce(t, options->proxy_header);
    if (r == -EINVAL || r == -EDDY_ETOOBIG)
        return eddy_error_set(err, r, 0,
                              ".proxy_header cannot be written: version 1 or 2, addresses of one "
                              "family, and not over %d bytes",
                              EDDY_PROXY_MAX);
    return r < 0 ? eddy_error_set(err, r, 0, "the PROXY header to %.80s: %s", address,
                                  eddy_strerror(r))
                 : 0;
}

static int connect_within(const char *address, const struct eddy_connect_options *options,
                          const struct net_options *sockets, int64_t timeout_ms,
                          struct eddy_transport **ret_t, struct eddy_error *err)
{
    struct net_race_report how = { .tried = 0 };
    EDDY_SCOPE(job, .timeout_ms = timeout_ms);

    int fd = connect_text(address, options, sockets, &how, err);
    struct eddy_transport *t = NULL;
    int r = fd < 0 ? fd : eddy_transport_of_socket(fd, &t);
    if (fd >= 0 && r < 0) {
        net_close_and_wait(eddy__loop(), fd);
        explain(err, r, address, &how, sockets);
    }
    if (r >= 0)
        r = announce(t, options, address, err);
    if (r < 0 && t)
        eddy_transport_close(t, r);
    else if (r >= 0)
        *ret_t = t;
    if (r == -ECANCELED && eddy_scope_expired(&job))
        r = -ETIMEDOUT;
    if (r == -ETIMEDOUT)
        explain_late(err, r, address, &how);
    return r;
}

static int check(const struct eddy_connect_options *o)
{
    const int families[2] = { o ? o->family : 0, o ? o->first_family : 0 };

    for (int i = 0; i < 2; i++)
        if (families[i] && families[i] != AF_INET && families[i] != AF_INET6)
            return eddy_error_set(o->error, -EINVAL, 0, ".%s is %d: AF_INET, AF_INET6 or 0",
                                  i ? "first_family" : "family", families[i]);
    return 0;
}

int eddy__connect_transport(const char *address, const struct eddy_connect_options *options,
                            struct eddy_transport **ret_t)
{
    struct eddy_connect_options o = { 0 }; /* complete, whatever version the caller's is of */

    if (options)
        NET_OPTIONS_COPY(&o, options);
    options = &o;
    struct eddy_error *err = o.error;
    int64_t timeout_ms = o.timeout_ms ? o.timeout_ms : TIMEOUT_MS;
    if (!eddy_loop_current())
        return eddy_error_set(err, eddy__loop_refusal(), 0, "cannot connect to %.80s: %s", address,
                              eddy_strerror(eddy__loop_refusal()));
    int r = eddy__wait_check();
    if (r < 0)
        return eddy_error_set(err, r, 0, "cannot connect to %.80s: %s", address, eddy_strerror(r));
    struct net_options sockets;
    r = check(options);
    if (r == 0)
        r = net_options_connect(options, &sockets, err);
    if (r < 0)
        return r;
    r = connect_within(address, options, &sockets, timeout_ms < 0 ? 0 : timeout_ms, ret_t, err);
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
