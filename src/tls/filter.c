/*
 * tls/filter.c - TLS over a transport
 *
 * Three things take turns, in this order, whenever something has happened:
 *
 *   shake     SSL_do_handshake() until it is done; the layer below is resumed meanwhile
 *   output    writes from above are encrypted into `out` up to a record's worth, which leaves;
 *             a write is done when all that was encrypted so far is with the layer below
 *   input     only while resumed, and only from the loop: SSL_read() and received()
 *
 * drive() does the first two and calls nobody above, so a call from above may use it; settle()
 * does all, and runs from the loop.
 *
 * A failure is remembered, its alert is sent, and only then is anybody told, who might close at
 * once, and the layer below closed. While no protocol stands above (eddy_tls_handshake) the filter
 * stays, failed, for its owner to close.
 */
#include "tls/filter.h"

#include "base/memory.h"
#include "stream/socket.h"

#include <eddy/log.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdatomic.h>

#define RECORD ((size_t)16384)
#define OUT_MAX ((size_t)1 << 20)    /* a handshake with very long chains */
#define CIPHER_MAX ((size_t)8 << 20) /* what the layer below may still deliver after a pause */

enum write_state { WRITE_NEW, WRITE_ENCRYPTED, WRITE_OVER };

static void settle(struct eddy_soon *soon);

static struct tls_filter *self(struct eddy_transport *t)
{
    return (struct tls_filter *)(void *)t;
}

static void settle_soon(struct tls_filter *f)
{
    eddy__soon(f->loop, &f->soon, settle);
}

static size_t held(const struct eddy_buffer *b)
{
    return b->end - b->start;
}

static void set_state(struct eddy_write *w, enum write_state state)
{
    w->scratch[0] = (void *)(uintptr_t)state;
}

static enum write_state state_of(const struct eddy_write *w)
{
    return (enum write_state)(uintptr_t)w->scratch[0];
}

static void fail(struct tls_filter *f, int ssl_error)
{
    bool first = !f->failure.code || !f->shaken;

    tls_explain(f, ssl_error);
    if (first && !f->shaken) {
        atomic_fetch_add_explicit(&f->tls->failed, 1, memory_order_relaxed);
        if (f->offered) /* maybe because of the session: the next try is without one */
            tls_sessions_forget(f->tls, f->host);
        if (f->tls->server)
            eddy_log(EDDY_LOG_INFO, "%s", f->failure.text);
    }
    settle_soon(f);
}

/* --- output --------------------------------------------------------------------------------- */

static void out_failed(struct tls_filter *f, int error)
{
    if (f->out_error)
        return;
    f->out_error = error;
    if (!f->shaken)
        tls_explain(f, SSL_ERROR_SYSCALL);
    /* The end of a handshake was lost, or a ticket: no writer hears of it, and the peer may wait
     * for ever. One that has gone is told by what it sent before, which is read first. */
    else if (!f->writes.head && !f->failure.code && error != -EPIPE && error != -ECONNRESET)
        eddy_error_set(&f->failure, error, 0, "TLS: %s", eddy_strerror(error));
    settle_soon(f);
}

/* Give what has gathered to the layer below. */
static void flush(struct tls_filter *f)
{
    while (!f->busy && held(&f->out) && f->below && !f->out_error) {
        f->sending = f->out;
        f->out = EDDY_BUFFER(OUT_MAX);
        f->down_iov = (struct iovec){ f->sending.ptr + f->sending.start, held(&f->sending) };
        f->down.iov = &f->down_iov;
        f->down.count = 1;
        if (!eddy_transport_write(f->below, &f->down)) {
            f->busy = true;
            return;
        }
        eddy_buffer_done(&f->sending);
        if (f->down.res < 0)
            out_failed(f, f->down.res);
    }
}

/* Encrypt some of @w. False: not now, or no more. */
static bool encrypt(struct tls_filter *f, struct eddy_write *w)
{
    size_t written;

    while (w->count && w->iov->iov_len == 0) {
        w->iov++;
        w->count--;
    }
    if (!w->count)
        return false;
    ERR_clear_error();
    int ok = SSL_write_ex(f->ssl, w->iov->iov_base,
                          w->iov->iov_len < RECORD ? w->iov->iov_len : RECORD, &written);
    if (ok != 1) {
        int error = SSL_get_error(f->ssl, ok);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            fail(f, error);
        return false;
    }
    w->iov->iov_base = (char *)w->iov->iov_base + written;
    w->iov->iov_len -= written;
    return true;
}

static bool is_empty(const struct eddy_write *w)
{
    for (unsigned i = 0; i < w->count; i++)
        if (w->iov[i].iov_len)
            return false;
    return true;
}

/* Our close-notify has left: end the output below, too. */
static void finish_below(struct tls_filter *f, struct eddy_write *w)
{
    set_state(w, WRITE_OVER);
    if (!eddy_transport_finish(f->below, &f->down))
        f->busy = true;
    else if (f->down.res < 0)
        out_failed(f, f->down.res);
}

static void push_writes(struct tls_filter *f)
{
    for (struct eddy_write *w = f->writes.head; w && !f->failure.code && !f->out_error;
         w = w->next) {
        if (state_of(w) != WRITE_NEW)
            continue;
        for (;;) {
            if (held(&f->out) >= RECORD)
                flush(f);
            if (held(&f->out) >= RECORD || !encrypt(f, w))
                break;
        }
        if (!w->end && !is_empty(w))
            break;
        if (w->end)
            SSL_shutdown(f->ssl); /* 0: sent, the peer's has not come; that is all we want */
        set_state(w, WRITE_ENCRYPTED);
    }
    flush(f);
    if (f->writes.head && f->writes.head->end && state_of(f->writes.head) == WRITE_ENCRYPTED &&
        !f->busy && !held(&f->out) && f->below && !f->out_error)
        finish_below(f, f->writes.head);
}

/* The alert that explains a failure has yet to leave, if the layer below takes it. */
static bool is_alerting(const struct tls_filter *f)
{
    return f->failure.code && f->busy && f->below && !f->closing && !f->out_error;
}

/* Whether the first write is over; then w->res is set. */
static bool head_is_over(struct tls_filter *f)
{
    struct eddy_write *w = f->writes.head;
    enum write_state enough = w && w->end ? WRITE_OVER : WRITE_ENCRYPTED;

    if (!w || is_alerting(f))
        return false;
    w->res = f->closing ? -ECANCELED : f->out_error ? f->out_error : f->failure.code;
    if (w->res < 0)
        return true; /* the layer below holds copies, never the caller's bytes */
    return state_of(w) >= enough && !f->busy && !held(&f->out);
}

/* --- the handshake and what drives it all ----------------------------------------------------- */

static void shake(struct tls_filter *f)
{
    int64_t began_ns;

    bool idle = f->begun && !f->lent_len && !held(&f->cipher) && !f->below_ended;
    if (f->shaken || f->failure.code || idle || !tls_turn_begin(f, &began_ns))
        return;
    f->begun = true;
    ERR_clear_error();
    int r = SSL_do_handshake(f->ssl);
    tls_turn_end(f, began_ns);
    if (r == 1) {
        f->shaken = true;
        atomic_fetch_add_explicit(&f->tls->handshakes, 1, memory_order_relaxed);
        if (SSL_session_reused(f->ssl)) {
            atomic_fetch_add_explicit(&f->tls->resumed, 1, memory_order_relaxed);
            if (!f->tls->server)
                tls_sessions_renew(f->ssl);
        }
        settle_soon(f);
        return;
    }
    int error = SSL_get_error(f->ssl, r);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        fail(f, error);
}

static void drive(struct tls_filter *f)
{
    if (f->closing)
        return;
    shake(f);
    flush(f);
    if (f->shaken)
        push_writes(f);
    /* No more ciphertext before what is here has been read: who reads a record at a time would be
     * sent several for each. */
    bool want = f->below && !f->failure.code &&
                (f->shaken ? f->resumed && !held(&f->cipher) : eddy_list_is_empty(&f->in_line));
    if (want != f->below_resumed && f->below) {
        f->below_resumed = want;
        if (want)
            eddy_transport_resume(f->below);
        else
            eddy_transport_pause(f->below);
    }
}

static void down_done(struct eddy_write *down)
{
    struct tls_filter *f = eddy_container_of(down, struct tls_filter, down);

    f->busy = false;
    eddy_buffer_done(&f->sending);
    if (down->res < 0)
        out_failed(f, down->res);
    settle_soon(f);
}

/* --- input ---------------------------------------------------------------------------------- */

static void read_plain(struct tls_filter *f)
{
    char plain[RECORD];
    size_t len;

    while (f->resumed && f->shaken && !f->ended && !f->failure.code && !f->closing) {
        ERR_clear_error();
        int ok = SSL_read_ex(f->ssl, plain, sizeof plain, &len);
        if (ok == 1) {
            if (f->base.protocol->received)
                f->base.protocol->received(f->base.ctx, plain, len);
            continue;
        }
        int error = SSL_get_error(f->ssl, ok);
        if (error == SSL_ERROR_ZERO_RETURN)
            f->ended = true;
        else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            fail(f, error);
        return;
    }
}

static void below_received(void *ctx, const char *data, size_t len)
{
    struct tls_filter *f = ctx;

    if (f->closing)
        return;
    f->lent = data;
    f->lent_len = len;
    drive(f);
    read_plain(f);
    int r = f->closing ? 0 : eddy_buffer_append(&f->cipher, f->lent, f->lent_len);
    f->lent_len = 0;
    if (r < 0 && !f->failure.code)
        eddy_error_set(&f->failure, r, 0, "TLS: %s", eddy_strerror(r));
    tls_settle(f);
}

static void below_ended(void *ctx)
{
    struct tls_filter *f = ctx;

    f->below_ended = true;
    tls_settle(f);
}

static void below_closed(void *ctx, int why)
{
    struct tls_filter *f = ctx;

    f->below = NULL;
    if (!f->closing && !f->failure.code)
        eddy_error_set(&f->failure, why < 0 ? why : -EDDY_EEOF, 0, "the connection below TLS: %s",
                       eddy_strerror(why < 0 ? why : -EDDY_EEOF));
    tls_settle(f);
}

static const struct eddy_protocol below_protocol = {
    .size = sizeof(struct eddy_protocol),
    .received = below_received,
    .ended = below_ended,
    .closed = below_closed,
};

/* --- telling and closing --------------------------------------------------------------------- */

static void close_transport(struct eddy_transport *t, int why)
{
    struct tls_filter *f = self(t);

    if (f->closing)
        return;
    f->closing = true;
    f->resumed = false;
    f->why = why;
    if (f->below)
        eddy_transport_close(f->below, why);
    else
        settle_soon(f);
}

static void filter_free(struct tls_filter *f)
{
    eddy__soon_cancel(&f->soon);
    eddy_list_remove(&f->in_line);
    /* Else the session is not resumed; a connection that was only cut may be (RFC 5246 7.2.1). */
    if (f->ssl && f->shaken && f->failure.code != -EDDY_ETLS)
        SSL_set_shutdown(f->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(f->ssl);
    ERR_clear_error();
    tls_identity_unref(f->identity);
    tls_unref(f->tls);
    eddy_buffer_done(&f->cipher);
    eddy_buffer_done(&f->out);
    eddy_buffer_done(&f->sending);
    if (f->host)
        eddy__free(f->host, strlen(f->host) + 1);
    eddy__free(f, sizeof *f);
}

static void wake_shaker(struct tls_filter *f)
{
    struct eddy_wait *w = f->shaker;

    if (!w || is_alerting(f) || (!f->shaken && !f->failure.code && !f->closing))
        return;
    f->shaker = NULL;
    eddy__wake(w, f->shaken ? 0 : f->failure.code ? f->failure.code : -EBADF);
}

/* From the loop: everything that can go on goes on. */
void tls_settle(struct tls_filter *f)
{
    drive(f);
    if (!f->lent_len)
        read_plain(f);
    drive(f);                        /* what was received may have been answered */
    eddy_buffer_release(&f->cipher); /* if it is empty */
    wake_shaker(f);
    while (head_is_over(f)) {
        struct eddy_write *w = eddy_writes_shift(&f->writes);
        w->done(w);
    }
    if (f->ended && f->resumed && !f->told) {
        f->told = true;
        if (f->base.protocol->ended)
            f->base.protocol->ended(f->base.ctx);
    }
    if (f->failure.code && f->base.protocol && !f->closing && !is_alerting(f))
        close_transport(&f->base, f->failure.code);
    if (f->told && f->out_error && !f->closing)
        close_transport(&f->base, f->out_error);
    if (f->closing && !f->below) {
        eddy_writes_cancel(&f->writes);
        if (f->base.protocol && f->base.protocol->closed)
            f->base.protocol->closed(f->base.ctx, f->why);
        filter_free(f);
    }
}

static void settle(struct eddy_soon *soon)
{
    tls_settle(eddy_container_of(soon, struct tls_filter, soon));
}

/* --- the callback face ------------------------------------------------------------------------ */

static void resume(struct eddy_transport *t)
{
    struct tls_filter *f = self(t);

    if (f->resumed || f->closing)
        return;
    f->resumed = true;
    drive(f);
    /* There may be plaintext, or records, that came before a pause. */
    if (f->ended || f->failure.code || f->below_ended || held(&f->cipher) ||
        SSL_has_pending(f->ssl))
        settle_soon(f);
}

static void pause_reading(struct eddy_transport *t)
{
    struct tls_filter *f = self(t);

    if (!f->resumed || f->closing)
        return;
    f->resumed = false;
    drive(f);
}

static bool queue_write(struct tls_filter *f, struct eddy_write *w)
{
    set_state(w, WRITE_NEW);
    eddy_writes_push(&f->writes, w);
    drive(f);
    if (f->writes.head == w && head_is_over(f)) {
        eddy_writes_shift(&f->writes);
        return true;
    }
    if (f->writes.head != w && !f->busy)
        settle_soon(f);
    return false;
}

static bool write_bytes(struct eddy_transport *t, struct eddy_write *w)
{
    struct tls_filter *f = self(t);

    return eddy_writes_refuse(&f->writes, w, false, f->closing) || queue_write(f, w);
}

static bool finish(struct eddy_transport *t, struct eddy_write *w)
{
    struct tls_filter *f = self(t);

    return eddy_writes_refuse(&f->writes, w, true, f->closing) || queue_write(f, w);
}

static int info(struct eddy_transport *t, enum eddy_transport_key key, void *ret_value)
{
    struct tls_filter *f = self(t);

    if (key == EDDY_INFO_TLS)
        return tls_info(f, ret_value);
    if (key == EDDY_INFO_FAILURE && f->failure.code) {
        *(struct eddy_error *)ret_value = f->failure;
        return 0;
    }
    if (!f->below)
        return -ENOENT;
    int r = eddy_transport_info(f->below, key, ret_value);
    if (r == 0 && key == EDDY_INFO_BUFFERED)
        *(size_t *)ret_value += held(&f->out) + eddy_writes_bytes(&f->writes);
    return r;
}

const struct eddy_transport_ops tls_ops = {
    .size = sizeof(struct eddy_transport_ops),
    .name = "tls",
    .resume = resume,
    .pause = pause_reading,
    .write = write_bytes,
    .finish = finish,
    .close = close_transport,
    .info = info,
};

/* --- making --------------------------------------------------------------------------------- */

/* Whom the certificate must be for. */
static int expect_host(struct tls_filter *f, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(f->ssl);

    f->host = eddy__strdup(name);
    if (!f->host)
        return -ENOMEM;
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
        return 0;
    ERR_clear_error();
    /* RFC 9525 2: a common name is no host's name, though OpenSSL would take it where there are no
     * others. */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (X509_VERIFY_PARAM_set1_host(param, name, 0) != 1 ||
        SSL_set_tlsext_host_name(f->ssl, name) != 1) {
        ERR_clear_error();
        return -EINVAL;
    }
    return 0;
}

static int set_up(struct tls_filter *f, const char *server_name)
{
    f->turns = tls_turns_of(f->loop);
    f->ssl = f->turns ? SSL_new(f->identity->ctx[0]) : NULL;
    BIO *bio = f->ssl ? tls_bio_new(f) : NULL;
    if (!bio) {
        ERR_clear_error();
        return -ENOMEM;
    }
    SSL_set_bio(f->ssl, bio, bio);
    if (SSL_set_app_data(f->ssl, f) != 1) {
        ERR_clear_error();
        return -ENOMEM;
    }
    if (eddy_driver_is_simulated(f->loop->driver)) /* certificates are judged by its clock */
        X509_VERIFY_PARAM_set_time(SSL_get0_param(f->ssl), eddy_wall_ns() / 1000000000);
    if (f->tls->server) {
        SSL_set_accept_state(f->ssl);
        if (f->tls->client_ca_file)
            SSL_set_verify(f->ssl,
                           SSL_VERIFY_PEER |
                               (f->tls->client_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
                           tls_verify);
        return 0;
    }
    SSL_set_connect_state(f->ssl);
    SSL_set_verify(f->ssl, SSL_VERIFY_PEER, tls_verify);
    int r = server_name && *server_name ? expect_host(f, server_name) : 0;
    if (r == 0 && f->host && !f->tls->no_resumption)
        f->offered = tls_sessions_offer(f->tls, f->host, f->ssl);
    return r;
}

int eddy_tls_wrap(struct eddy_tls *tls, struct eddy_transport *below, const char *server_name,
                  struct eddy_transport **ret_t)
{
    struct eddy_loop *loop = eddy_loop_current();

    if (!tls->server && !tls->insecure && (!server_name || !*server_name))
        return -EINVAL;
    if (tls->seeded && loop && !eddy_driver_is_simulated(loop->driver))
        return -EDDY_ESIM;
    struct tls_filter *f = loop ? eddy__zalloc(sizeof *f) : NULL;
    if (!f)
        return eddy__loop_refusal();
    f->base.ops = &tls_ops;
    f->loop = loop;
    f->tls = tls;
    tls_ref(tls);
    f->identity = tls_identity_of(tls);
    eddy_list_init(&f->in_line);
    f->cipher = EDDY_BUFFER(CIPHER_MAX);
    f->out = EDDY_BUFFER(OUT_MAX);
    f->down.done = down_done;
    int r = set_up(f, server_name);
    if (r < 0) {
        filter_free(f);
        return r;
    }
    f->below = below;
    eddy__transport_sip(below);
    eddy_transport_use(below, &below_protocol, f);
    drive(f);
    *ret_t = &f->base;
    return 0;
}
