/*
 * secured.h - two ends of a TLS connection, in one process
 */
#ifndef EDDY_TESTS_TLS_SECURED_H
#define EDDY_TESTS_TLS_SECURED_H

#include <eddy/tls.h>

#include <stdbool.h>

/* Both ends, their handshakes under way. */
struct secured {
    struct eddy_transport *below[2];
    struct eddy_transport *t[2]; /* client, server */
    int r[2];                    /* of handshakes: meet() */
    struct eddy_error err[2];
    struct eddy_tls_info info[2]; /* zero when the handshake failed */
};

/* Both ends of a connection through the kernel, or the simulator's. */
bool sockets(struct eddy_transport *ret[2]);

/* TLS over sockets, or over a pair in memory. False: a check has failed. */
bool secured_begin(struct eddy_tls *client, struct eddy_tls *server, const char *host, bool pair,
                   struct secured *ret);

/* The same, and both handshakes; then a byte goes each way, so that tickets and late alerts have
 * come, when @talk. What went wrong stands in ->r and ->err. Ended by secured_drop(). */
bool secured_meet(struct eddy_tls *client, struct eddy_tls *server, const char *host, bool talk,
                  struct secured *ret);
void secured_drop(struct secured *s);

/* Fail with their text when they cannot be made. */
struct eddy_tls *client_of(const struct eddy_tls_client_options *options);
struct eddy_tls *server_of(const struct eddy_tls_server_options *options);

#endif
