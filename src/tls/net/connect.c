/*
 * tls/net/connect.c - name, connection and handshake under one deadline; and the way in
 *
 * The job's scope is ours: when one outside ends, the wait says -ECANCELED whatever the reason; the
 * reason as the caller's scope has it is asked for after ours has been left, as net/connect.c does.
 */
#include "base/memory.h"
#include "task/wait.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/task.h>
#include <eddy/tls_connect.h>

#define TIMEOUT_MS 30000
#define PORT_HTTPS 443
#define HOST_MAX 256

static const struct eddy_protocol nobody = { .size = sizeof nobody };

struct job {
    struct eddy_tls *tls;
    const char *address;
    int64_t timeout_ms; /* negative: none */
    uint16_t default_port;
    char host[HOST_MAX];                        /* whom the certificate must be for */
    const struct eddy_connect_options *connect; /* of the caller's; may be NULL */
    struct eddy_error *err;
};

static void drop(struct eddy_transport *t, int why)
{
    eddy_transport_use(t, &nobody, NULL);
    eddy_transport_close(t, why);
}

static int find_host(struct job *job, const char *server_name)
{
    struct eddy_slice host = eddy_slice_of(server_name ? server_name : "");
    uint16_t port;

    if (!server_name) {
        if (strncmp(job->address, "unix:", 5) == 0)
            return eddy_error_set(job->err, -EINVAL, 0,
                                  "%.80s names no host: say whose certificate is expected, as "
                                  ".server_name",
                                  job->address);
        int r = eddy_address_split(job->address, job->default_port, &host, &port, job->err);
        if (r < 0)
            return r;
    }
    if (host.len && host.ptr[host.len - 1] == '.') /* the root's: certificates do not have it */
        host.len--;
    if (host.len == 0 || host.len >= sizeof job->host)
        return eddy_error_set(job->err, -EINVAL, 0, "%.80s names no host", job->address);
    memcpy(job->host, host.ptr, host.len);
    job->host[host.len] = '\0';
    return 0;
}

static int secure(struct job *job, struct eddy_transport *below, struct eddy_transport **ret)
{
    struct eddy_transport *over = NULL;

    int r = eddy_tls_wrap(job->tls, below, job->host, &over);
    if (r < 0) {
        drop(below, r);
        return eddy_error_set(job->err, r, 0, "TLS with %.80s cannot start: %s", job->host,
                              eddy_strerror(r));
    }
    r = eddy_tls_handshake(over, job->err);
    if (r < 0) {
        drop(over, r);
        return r;
    }
    *ret = over;
    return 0;
}

/* The connection below, as the caller wants it, but for what is the whole job's. */
static struct eddy_connect_options options_below(const struct job *job)
{
    struct eddy_connect_options o = { .size = sizeof o };

    if (job->connect)
        memcpy(&o, job->connect, job->connect->size < sizeof o ? job->connect->size : sizeof o);
    o.size = sizeof o;
    o.timeout_ms = job->timeout_ms;
    o.default_port = job->default_port;
    o.error = job->err;
    return o;
}

static int connect_within(struct job *job, struct eddy_transport **ret)
{
    const struct eddy_connect_options o = options_below(job);
    struct eddy_transport *below = NULL;
    EDDY_SCOPE(patience, .timeout_ms = job->timeout_ms < 0 ? 0 : job->timeout_ms);

    int r = eddy__connect_transport(job->address, &o, &below);
    if (r == 0)
        r = secure(job, below, ret);
    if (r == -ECANCELED && eddy_scope_expired(&patience))
        r = -ETIMEDOUT;
    if (r == -ETIMEDOUT)
        eddy_error_set(job->err, r, 0, "no connection with TLS to %.80s in time", job->address);
    return r;
}

static int run(struct job *job, struct eddy_stream **ret_stream)
{
    struct eddy_transport *t = NULL;

    int r = connect_within(job, &t);
    if (r == -ECANCELED) {
        int why = eddy__wait_check();
        r = eddy_error_set(job->err, why < 0 ? why : r, 0, "cannot connect to %.80s: %s",
                           job->address, eddy_strerror(why < 0 ? why : r));
    }
    if (r < 0)
        return r;
    assert(t);
    r = eddy_stream_of(t, ret_stream);
    if (r < 0)
        drop(t, r);
    return r;
}

int eddy_tls_connect(struct eddy_tls *tls, const char *address,
                     const struct eddy_tls_connect_options *options,
                     struct eddy_stream **ret_stream)
{
    struct eddy_tls_connect_options o = { 0 };
    EDDY_OWN(eddy_tls) own = NULL;

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    struct job job = {
        .tls = tls,
        .address = address,
        .timeout_ms = o.timeout_ms ? o.timeout_ms : TIMEOUT_MS,
        .default_port = o.default_port ? o.default_port : PORT_HTTPS,
        .connect = o.connect,
        .err = o.error,
    };
    int r = eddy_loop_current() ? eddy__wait_check() : eddy__loop_refusal();
    if (r < 0)
        return eddy_error_set(o.error, r, 0, "cannot connect to %.80s: %s", address,
                              eddy_strerror(r));
    r = find_host(&job, o.server_name);
    if (r == 0 && !tls) {
        r = eddy_tls_client_new(NULL, &own, o.error);
        job.tls = own;
    }
    return r < 0 ? r : run(&job, ret_stream);
}

int eddy_tls_accept(struct eddy_tls *tls, struct eddy_listener *l, struct eddy_stream **ret_stream)
{
    EDDY_OWN(eddy_stream) plain = NULL;
    struct eddy_transport *below = NULL, *over = NULL;
    struct eddy_buffer kept = { 0 };

    if (!eddy__tls_is_server(tls))
        return -EINVAL;
    int r = eddy_accept(l, &plain);
    if (r < 0)
        return r;
    r = eddy_stream_take_transport(plain, &below, &kept);
    eddy_buffer_done(&kept);
    if (r < 0)
        return r;
    r = eddy_tls_wrap(tls, below, NULL, &over);
    if (r < 0) {
        drop(below, r);
        return r;
    }
    r = eddy_stream_of(over, ret_stream);
    if (r < 0)
        drop(over, r);
    return r;
}
