/*
 * eddy/tls_connect.h - TLS over TCP in one call: connect by name, accept
 *
 *     EDDY_OWN(eddy_stream) s = NULL;
 *     int r = eddy_tls_connect(tls, "example.org:443", EDDY_OPT(tls_connect, .error = &err), &s);
 *
 * What holds, with the test that shows it (tests/tls/connect_test.c, on every driver):
 *
 *  rule                                                test
 *  --------------------------------------------------  --------------------------------------------
 *  Name, connection and handshake, in one call         a_name_becomes_a_secured_stream
 *  One deadline is over all of it                      one_deadline_is_over_all_of_it
 *  What is below is connected as .connect says         the_connection_below_is_as_asked
 *  Nothing is left behind when it fails                what_fails_leaves_nothing
 *  Why one failed can be asked for, as a text          why_a_stream_failed_is_told_as_a_text
 *  An accepted stream's handshake holds up nobody      a_silent_client_does_not_hold_up_the_door
 */
#ifndef EDDY_TLS_CONNECT_H
#define EDDY_TLS_CONNECT_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/stream.h>
#include <eddy/tls.h>

EDDY_BEGIN

struct eddy_connect_options;
struct eddy_listener;

struct eddy_tls_connect_options {
    size_t size;             /* filled by EDDY_OPT(tls_connect, ...) */
    int64_t timeout_ms;      /* the whole job, handshake included; 0: 30 s; negative: no limit */
    uint16_t default_port;   /* for an address that names none; 0: 443 */
    const char *server_name; /* to be verified and asked for; NULL: the address's name or IP */
    const struct eddy_connect_options *connect; /* EDDY_OPT(connect, .source = ...), eddy/net.h; its
                                                 * timeout, port and error are not used; or NULL */
    struct eddy_error *error;                   /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_tls_connect() - connect to an address or a name, with TLS
 * @tls:        of eddy_tls_client_new(); NULL: the system's roots, read at each call
 * @address:    "example.org:443", "example.org", "[::1]:443"; "unix:/run/x.sock" with .server_name
 * @options:    EDDY_OPT(tls_connect, .timeout_ms = 2000), may be NULL
 * @ret_stream: owned; its handshake is done
 *
 * Suspends. Looks at its scope first. Cancelled: nothing is left behind.
 *
 * Return: 0, or negative, with the text in options->error: as eddy_connect(), then as
 * eddy_tls_handshake(). -ETIMEDOUT: .timeout_ms passed, wherever it was by then.
 * Source: connect(2), RFC 9525.   Since: 0.1
 */
EDDY_API int eddy_tls_connect(struct eddy_tls *tls, const char *address,
                              const struct eddy_tls_connect_options *options,
                              struct eddy_stream **ret_stream);

/**
 * eddy_tls_accept() - wait for the next connection, with TLS over it
 * @tls:        of eddy_tls_server_new()
 * @l:          as eddy_accept()
 * @ret_stream: owned; its handshake is under way
 *
 * Suspends until there is a connection, not until its handshake is done, which is the peer's to
 * delay: the stream's first read or write waits for it, and gets its failure. To know the peer
 * first, accept plainly and call eddy_starttls() in the task that serves it. Looks at its scope
 * first. Cancelled: nothing happened.
 *
 * Return: as eddy_accept(); -ENOMEM (this connection was closed); -EINVAL (a client's context).
 * Source: accept(2).   Since: 0.1
 */
EDDY_API int eddy_tls_accept(struct eddy_tls *tls, struct eddy_listener *l,
                             struct eddy_stream **ret_stream);

EDDY_END

#endif
