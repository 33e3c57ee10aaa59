/*
 * eddy/tls.h - TLS 1.2 and 1.3 as a filter over any transport; libeddy-tls, on OpenSSL 3
 *
 *     EDDY_OWN(eddy_tls) tls = NULL;
 *     struct eddy_error err;
 *
 *     int r = eddy_tls_client_new(NULL, &tls, &err);           the system's roots
 *     r = eddy_tls_wrap(tls, tcp, "example.org", &secured);    the handshake starts by itself
 *     r = eddy_tls_handshake(secured, &err);                   a task may wait for it
 *
 * eddy_tls_connect() and eddy_tls_accept() (eddy/tls_connect.h) do all of it over TCP;
 * eddy_starttls() secures a stream that has spoken plain text; eddy/tls_info.h tells what was
 * agreed on.
 *
 * The filter does no I/O of its own: records go in and out through the transport below. Writes
 * made before the handshake is complete wait for it. Buffers are bounded: 16 KiB of plaintext and
 * one record of ciphertext each way, and none while nothing is under way.
 *
 * An end of input without close-notify is cut off, maybe by somebody else: closed() says
 * -EDDY_EEOF, never ended(). eddy_transport_finish() sends our close-notify; a close without it
 * sends none, so the peer can tell what was finished from what was given up.
 *
 * Spoken is what Mozilla calls intermediate, without DHE: TLS 1.3 with its suites, and TLS 1.2 with
 * ECDHE-{ECDSA,RSA} and AES-128-GCM, AES-256-GCM or ChaCha20-Poly1305; the client's order
 * counts; groups X25519, P-256, P-384. No renegotiation, no compression, no early data.
 *
 * A context may be used by several threads, each with a loop of its own, and in the child of a
 * fork(2); connections belong to their loop. OpenSSL allocates by itself: eddy_memory_hook() does
 * not reach it (CRYPTO_set_mem_functions() would, and is the program's to call).
 *
 * What holds, with the test that shows it (tests/tls/, on every driver where not said otherwise):
 *
 *  rule                                                      test
 *  --------------------------------------------------------  --------------------------------------
 *  Chain, dates and host name, or IP address, are verified   every_wrong_certificate_is_refused_...
 *  An end without close-notify is an error                   an_end_without_close_notify_is_an_...
 *  A write before the handshake waits for it                 a_write_before_the_handshake_waits_...
 *  One of .pins must be in the chain, whoever signed it      a_pin_decides_whom_to_believe
 *  Below .min_version nobody is spoken to                    versions_that_do_not_meet_are_told
 *  A client's certificate is asked for, and told             a_client_shows_its_certificate
 *  ... and who has none is refused, if not .client_optional  who_shows_none_is_refused_unless_...
 *  What is held does not grow with who is slow               a_slow_reader_holds_a_few_records,
 *                                                            a_peer_that_does_not_read_costs_...
 *  Why it failed leaves before anybody is told               why_a_stream_failed_is_told_as_a_text
 *  Who speaks none of our .alpn is refused                   protocols_that_do_not_meet_are_told
 *  The certificate is chosen by SNI: exact, wildcard, first  the_certificate_is_chosen_by_name
 *  A reload is all or nothing, live connections go on        a_reload_is_all_or_nothing
 *  A second connection resumes the first's session           a_second_connection_resumes
 *  ... of the same name only, a TLS 1.3 ticket once only     sessions_are_of_one_name,
 *                                                            a_ticket_is_used_once
 *  Keys of tickets change by time                            tickets_keys_rotate (sim)
 *  Handshakes never hold the loop                            handshakes_take_turns_with_others
 *  Plain text behind STARTTLS is refused                     starttls_refuses_what_was_injected
 *  The child of a fork leaves the parent's connection alone  a_child_leaves_the_parents_...
 *  Every failure names what to mend                          every_failure_says_what_to_mend
 */
#ifndef EDDY_TLS_H
#define EDDY_TLS_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/tls_info.h>
#include <eddy/transport.h>

EDDY_BEGIN

struct eddy_stream;

struct eddy_tls; /* what connections of one kind share: certificates, roots, protocols, sessions */

enum eddy_tls_version {
    EDDY_TLS_DEFAULT, /* from 1.2 to the newest */
    EDDY_TLS_1_2 = 0x0303,
    EDDY_TLS_1_3 = 0x0304,
};

struct eddy_tls_client_options {
    size_t size;           /* filled by EDDY_OPT(tls_client, ...) */
    const char *ca_file;   /* PEM; trusted instead of the system's roots */
    bool insecure;         /* believe any certificate: for experiments, or with .pins */
    const char *alpn;      /* protocols to offer, "h2,http/1.1"; NULL: none */
    const char *cert_file; /* PEM: ours, for servers that ask for one; NULL: none */
    const char *key_file;  /* PEM, without a passphrase; NULL: in cert_file */
    const char *pins;      /* "A,B": SHA-256 of public keys (SubjectPublicKeyInfo), in base64; one
                            * must be in the verified chain (the peer's own, when .insecure) */
    enum eddy_tls_version min_version, max_version;
    unsigned sessions; /* kept for resumption, over all names; 0: 64; at most 4096 */
    bool no_resumption;
};

/* One of several certificates of a server. */
struct eddy_tls_cert {
    const char *cert_file; /* PEM: ours, then the intermediate ones */
    const char *key_file;  /* PEM, without a passphrase; NULL: in cert_file */
};

struct eddy_tls_server_options {
    size_t size;                       /* filled by EDDY_OPT(tls_server, ...) */
    const char *cert_file;             /* PEM: ours, then the intermediate ones */
    const char *key_file;              /* PEM, without a passphrase; NULL: in cert_file */
    const char *alpn;                  /* protocols we speak, the best first; NULL: none. Who offers
                                        * others only is refused; who offers none is not */
    const struct eddy_tls_cert *certs; /* more of them, for other names: copied; see below */
    size_t cert_count;
    const char *client_ca_file; /* PEM: clients must show a certificate of these; NULL: not asked */
    bool client_optional;       /* ... or none at all; a wrong one is refused still */
    enum eddy_tls_version min_version, max_version;
    bool no_resumption;
    int64_t
        ticket_key_ms; /* how long a key makes tickets; it opens them twice as long; 0: 1 hour */
};

/**
 * eddy_tls_client_new() - what outgoing connections share
 * @options: EDDY_OPT(tls_client, .ca_file = "roots.pem"), may be NULL
 * @ret_tls: owned; connections keep it alive after it is freed
 * @err:     says which file, and what is wrong with it; may be NULL
 *
 * Reads files: call it once, not for each connection. The peer's chain, dates and host name are
 * verified, unless .insecure. Sessions that servers hand out are kept, so that a second connection
 * to a name is cheaper; a TLS 1.3 server's come with the first bytes that are read.
 *
 * Return: 0; -EDDY_ETLS (a file cannot be used); -ENOENT, -EACCES; -EINVAL (.alpn, .pins,
 * versions); -ENOMEM.
 * Source: SSL_CTX_new(3), RFC 9525, RFC 7469 2.4 (pins).   Since: 0.1
 */
EDDY_API int eddy_tls_client_new(const struct eddy_tls_client_options *options,
                                 struct eddy_tls **ret_tls, struct eddy_error *err);

/**
 * eddy_tls_server_new() - what incoming connections share
 * @options: EDDY_OPT(tls_server, .cert_file = "cert.pem", .key_file = "key.pem")
 * @ret_tls: owned; connections keep it alive after it is freed
 * @err:     says which file, and what is wrong with it; may be NULL
 *
 * The first certificate is for who names no host, or one that none is for; .cert_file comes before
 * .certs. Names are those of the certificates themselves (subjectAltName): one that is written out
 * comes before a wildcard, "*.example.org", which is for one label only; then the earlier one.
 *
 * Return: as eddy_tls_client_new(); -EINVAL without a certificate.
 * Source: SSL_CTX_use_certificate_chain_file(3), RFC 6066 3, RFC 9525 6.3.   Since: 0.1
 */
EDDY_API int eddy_tls_server_new(const struct eddy_tls_server_options *options,
                                 struct eddy_tls **ret_tls, struct eddy_error *err);

/**
 * eddy_tls_server_reload() - read a server's files again
 * @tls: of eddy_tls_server_new()
 * @err: as eddy_tls_server_new(); may be NULL
 *
 * All or nothing: when one file cannot be used, what was read before goes on serving. Live
 * connections keep what they have; tickets handed out stay good, but for certificates of clients,
 * which are judged by the new .client_ca_file. Reads files; any thread.
 *
 * Return: 0, or as eddy_tls_server_new(); -EINVAL (a client's).
 * Source: nginx's reload.   Since: 0.1
 */
EDDY_API int eddy_tls_server_reload(struct eddy_tls *tls, struct eddy_error *err);

/** eddy_tls_free() - give the context back
 * @tls: NULL is fine
 *
 * Return: nothing.   Source: SSL_CTX_free(3).   Since: 0.1 */
EDDY_API void eddy_tls_free(struct eddy_tls *tls);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_tls)
#endif

/**
 * eddy_tls_wrap() - TLS over a transport; the handshake starts by itself
 * @tls:         client's or server's; borrowed
 * @below:       paused; owned by the filter from now on when 0 is returned
 * @server_name: client: the host to be verified, a name or an IP address, also sent as SNI (a
 *               name); NULL is -EINVAL unless the context is .insecure. Server: NULL
 * @ret_t:       owned, paused
 *
 * Does not suspend. A handshake that fails ends the transport: closed() says -EDDY_ECERT or
 * -EDDY_ETLS, and eddy_tls_failure(), called in it, why. The handshake has no timeout of its own.
 * Many at once take turns with everything else: those of one iteration of the loop share 2 ms.
 *
 * Return: 0, -EINVAL or -ENOMEM; -EDDY_ESIM (@tls was made under the simulator, this loop is real).
 * Source: SSL_new(3), RFC 6066 3.   Since: 0.1
 */
EDDY_API int eddy_tls_wrap(struct eddy_tls *tls, struct eddy_transport *below,
                           const char *server_name, struct eddy_transport **ret_t);

/**
 * eddy_tls_handshake() - wait until the handshake is done
 * @t:   of eddy_tls_wrap(), with no protocol or stream over it yet
 * @err: what went wrong and what to mend ("the certificate expired on ..."); may be NULL
 *
 * Suspends. Looks at its scope first. One task at a time. Once it has failed, close @t, which is
 * still the caller's; -EBUSY and -EDEADLK leave it as it is. In TLS 1.3 the client is done before
 * the server has judged the client's certificate: a refusal comes with the first read. Cancelled:
 * unknown, close it.
 *
 * Return: 0, or negative:
 *   -EDDY_ECERT  the peer's certificate was refused: expired, another host's, unknown issuer
 *   -EDDY_ETLS   the peer speaks no TLS that we accept, or refused us
 *   -EDDY_EEOF   it ended the connection    -ECONNRESET, ...  as eddy_read()
 *   -EBUSY       another task waits for it  -EDDY_EFORKED     it is the parent's
 *   -ECANCELED, -ETIMEDOUT, -EDEADLK        see eddy/task.h
 * Source: SSL_do_handshake(3).   Since: 0.1
 */
EDDY_API int eddy_tls_handshake(struct eddy_transport *t, struct eddy_error *err);

/** eddy_tls_failure() - why it failed, as text
 * @t:       of eddy_tls_wrap()
 * @ret_err: filled; code 0 when nothing failed
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_tls_failure(const struct eddy_transport *t, struct eddy_error *ret_err);

/**
 * eddy_starttls() - TLS on a stream that has spoken plain text, and its handshake
 * @s:           live; the same stream goes on, secured
 * @tls:         client's or server's; borrowed
 * @server_name: as eddy_tls_wrap()
 * @err:         what went wrong and what to mend; may be NULL
 *
 * Suspends until the handshake is done. Looks at its scope first. Call it when both ends have said
 * what the protocol asks for ("220 Go ahead"). Bytes that the peer sent behind that and that were
 * received already would have come from anybody on the way: with one of those it refuses, and the
 * connection should be ended. Cancelled: unknown, close it (-EDDY_EBROKEN from then on).
 *
 * Return: 0, or negative:
 *   -EPROTO   plain text has been received that nobody read: @s is as it was
 *   -EINVAL   a client without @server_name: @s is as it was
 *   -EBUSY    another task reads or writes @s     -EBADF, -EDDY_EBROKEN  as eddy_read()
 *   -ENOMEM, -EDDY_ESIM  as eddy_tls_wrap(): @s is as it was
 *   and what eddy_tls_handshake() says: @s is broken
 * Source: RFC 3207 6, RFC 8314.   Since: 0.1
 */
EDDY_API int eddy_starttls(struct eddy_stream *s, struct eddy_tls *tls, const char *server_name,
                           struct eddy_error *err);

/* --- for eddy's own servers and clients ------------------------------------------------------ */

EDDY_PRIVATE bool eddy__tls_is_server(const struct eddy_tls *tls);
/* One more owner, who calls eddy_tls_free() as well. */
EDDY_PRIVATE struct eddy_tls *eddy__tls_share(struct eddy_tls *tls);

EDDY_END

#endif
