/*
 * tls/sessions.c - what servers hand a client so that it comes back faster
 *
 * A list, the newest first, with a bound over all names; of one name at most NAME_MAX, as a server
 * hands out several at once. It is searched from the front: a handshake costs more than a thousand
 * steps through it.
 *
 * A TLS 1.3 session is taken out when it is used, since a second use would tell onlookers that both
 * connections are one client's (RFC 8446 C.4). A TLS 1.2 session stays, and the next replaces it.
 */
#include "tls/filter.h"

#include "base/memory.h"

#include <openssl/err.h>

#define NAME_MAX_KEPT 4

struct kept_session {
    struct eddy_list link;
    SSL_SESSION *session; /* owned */
    size_t host_len;
    char host[];
};

/* With the lock held. */
static void drop(struct eddy_tls *tls, struct kept_session *k)
{
    eddy_list_remove(&k->link);
    tls->session_count--;
    SSL_SESSION_free(k->session);
    eddy__free(k, sizeof *k + k->host_len + 1);
}

static struct kept_session *kept_of(struct eddy_list *link)
{
    return eddy_container_of(link, struct kept_session, link);
}

/* With the lock held: forget what is over the bounds, and what the newest replaces. */
static void trim(struct eddy_tls *tls, const struct kept_session *newest)
{
    bool once = SSL_SESSION_get_protocol_version(newest->session) >= TLS1_3_VERSION;
    size_t keep = once ? NAME_MAX_KEPT : 1, of_name = 0;
    struct eddy_list *next;

    for (struct eddy_list *l = tls->sessions.next; l != &tls->sessions; l = next) {
        next = l->next;
        if (strcmp(kept_of(l)->host, newest->host) == 0 && ++of_name > keep)
            drop(tls, kept_of(l));
    }
    while (tls->session_count > tls->session_max)
        drop(tls, kept_of(tls->sessions.prev));
}

/* OpenSSL's, when a server has handed one out: 0: it stays the connection's. What is kept is a copy, and
 * what is offered a copy of that: no two threads ever have the same one. */
static int keep(SSL *ssl, SSL_SESSION *session)
{
    struct tls_filter *f = SSL_get_app_data(ssl);
    size_t len = f->host ? strlen(f->host) : 0;

    if (!len || !SSL_SESSION_is_resumable(session))
        return 0;
    struct kept_session *k = eddy__alloc(sizeof *k + len + 1);
    if (!k)
        return 0; /* the next handshake is a full one */
    k->session = SSL_SESSION_dup(session);
    if (!k->session) {
        ERR_clear_error();
        eddy__free(k, sizeof *k + len + 1);
        return 0;
    }
    k->host_len = len;
    memcpy(k->host, f->host, len + 1);
    pthread_mutex_lock(&f->tls->lock);
    eddy_list_push_front(&f->tls->sessions, &k->link);
    f->tls->session_count++;
    trim(f->tls, k);
    pthread_mutex_unlock(&f->tls->lock);
    return 0;
}

void tls_sessions_renew(SSL *ssl)
{
    SSL_SESSION *session = SSL_version(ssl) < TLS1_3_VERSION ? SSL_get1_session(ssl) : NULL;

    if (session)
        (void)keep(ssl, session);
    SSL_SESSION_free(session);
}

void tls_sessions_use(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep);
}

bool tls_sessions_offer(struct eddy_tls *tls, const char *host, SSL *ssl)
{
    SSL_SESSION *session = NULL;

    pthread_mutex_lock(&tls->lock);
    for (struct eddy_list *l = tls->sessions.next; l != &tls->sessions; l = l->next) {
        struct kept_session *k = kept_of(l);
        if (strcmp(k->host, host) != 0)
            continue;
        session = SSL_SESSION_dup(k->session);
        if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
            drop(tls, k);
        break;
    }
    pthread_mutex_unlock(&tls->lock);
    bool offered = session && SSL_set_session(ssl, session) == 1;
    ERR_clear_error(); /* if not: a full handshake, then */
    SSL_SESSION_free(session);
    return offered;
}

void tls_sessions_forget(struct eddy_tls *tls, const char *host)
{
    struct eddy_list *next;

    pthread_mutex_lock(&tls->lock);
    for (struct eddy_list *l = tls->sessions.next; l != &tls->sessions; l = next) {
        next = l->next;
        if (!host || strcmp(kept_of(l)->host, host) == 0)
            drop(tls, kept_of(l));
    }
    pthread_mutex_unlock(&tls->lock);
}
