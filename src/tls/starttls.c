/*
 * tls/starttls.c - a filter under a stream that lives already
 */
#include "stream/stream.h"
#include "tls/filter.h"

static const struct eddy_protocol nobody = { .size = sizeof nobody };

static int refuse(struct eddy_error *err, int r)
{
    if (r == -EPROTO)
        return eddy_error_set(
            err, r, 0,
            "plain text came before TLS began: somebody on the way may have put it "
            "there, so end the connection");
    return eddy_error_set(err, r, 0, "TLS cannot start on this stream: %s", eddy_strerror(r));
}

int eddy_starttls(struct eddy_stream *s, struct eddy_tls *tls, const char *server_name,
                  struct eddy_error *err)
{
    struct eddy_transport *below = NULL, *over = NULL;
    int r = eddy__wait_check();

    if (r == 0 && !tls->server && !tls->insecure && (!server_name || !*server_name))
        return eddy_error_set(err, -EINVAL, 0, "STARTTLS: whose certificate is expected?");
    if (r == 0)
        r = eddy__stream_lift(s, &below);
    if (r < 0)
        return refuse(err, r);
    r = eddy_tls_wrap(tls, below, server_name, &over);
    if (r < 0) {
        eddy__stream_put(s, below);
        return refuse(err, r);
    }
    r = eddy_tls_handshake(over, err);
    if (r == 0) {
        eddy__stream_put(s, over);
        return 0;
    }
    eddy__stream_put(s, NULL);
    eddy_transport_use(over, &nobody, NULL);
    eddy_transport_close(over, r);
    return r;
}
