/*
 * http/client_connect.c - from a host to a stream that may carry a request
 *
 * The stack is http on a stream on tls on tcp; without https the third is missing.
 */
#include "http/client.h"

#include <eddy/net.h>
#include <eddy/tls.h>
#include <eddy/transport.h>

#include <stdio.h>

static const struct eddy_protocol nobody = { .size = sizeof nobody };

static void close_quietly(struct eddy_transport *t)
{
    eddy_transport_use(t, &nobody, NULL);
    eddy_transport_close(t, 0);
}

/* Puts TLS over *@t and waits for the handshake. *@t is the caller's, whatever comes. */
static int secure(const struct eddy_client_key *key, struct eddy_transport **t,
                  struct eddy_error *err)
{
    struct eddy_transport *over = NULL;

    int r = eddy_tls_wrap(key->tls, *t, key->host, &over);
    if (r < 0)
        return eddy_error_set(err, r, 0, "TLS to %.80s cannot start: %s", key->host,
                              eddy_strerror(r));
    *t = over;
    return eddy_tls_handshake(over, err);
}

int eddy_client_connect(struct eddy_client_conn *conn, int64_t timeout_ms, struct eddy_error *err)
{
    const struct eddy_client_key *key = &conn->host->key;
    char address[CLIENT_HOST_MAX + 16];
    struct eddy_transport *t = NULL;

    snprintf(address, sizeof address, key->ipv6 ? "[%s]:%u" : "%s:%u", key->host,
             (unsigned)key->port);
    err->text[0] = '\0';
    int r = eddy__connect_transport(address,
                                    EDDY_OPT(connect, .timeout_ms = timeout_ms, .error = err), &t);
    if (r < 0) {
        if (!err->text[0])
            eddy_error_set(err, r, 0, "connect to %.90s: %s", address, eddy_strerror(r));
        return r;
    }
    if (key->tls)
        r = secure(key, &t, err);
    if (r == 0)
        r = eddy_stream_of(t, &conn->stream);
    if (r < 0)
        close_quietly(t);
    return r;
}
