/*
 * tls/failure.c - what went wrong, in words that say what to mend
 *
 * verify: each thing that is wrong with a chain comes by; the first is remembered.
 * explain: why OpenSSL would not go on; unless it is known already, its queue of errors tells.
 */
#include "tls/filter.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdio.h>

static const char *peer_of(const struct tls_filter *f)
{
    return f->host ? f->host : f->tls->server ? "the client" : "the server";
}

/* --- certificates ---------------------------------------------------------------------------- */

/* "2024-02-29, 3 days ago" */
static void date_text(const ASN1_TIME *at, char *buf, size_t cap)
{
    char ago[32] = "";
    struct tm tm;

    if (!at || ASN1_TIME_to_tm(at, &tm) != 1) {
        snprintf(buf, cap, "an unknown date");
        return;
    }
    int64_t late_s = eddy_wall_ns() / 1000000000 - (int64_t)timegm(&tm);
    int64_t days = (late_s + (late_s < 0 ? -43200 : 43200)) / 86400;
    if (days)
        snprintf(ago, sizeof ago, days > 0 ? ", %lld days ago" : ", in %lld days",
                 (long long)(days > 0 ? days : -days));
    snprintf(buf, cap, "%04d-%02d-%02d%s", (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100,
             tm.tm_mday % 100, ago);
}

static void name_text(const X509_NAME *name, char *buf, size_t cap)
{
    buf[0] = '\0';
    if (X509_NAME_get_text_by_NID((X509_NAME *)(uintptr_t)name, NID_commonName, buf, (int)cap) < 0)
        (void)X509_NAME_oneline(name, buf, (int)cap);
    if (!buf[0])
        snprintf(buf, cap, "one without a name");
}

static void refuse_host(struct tls_filter *f, X509 *cert)
{
    char names[200];

    tls_names_text(cert, names, sizeof names, NULL);
    if (!names[0]) {
        name_text(X509_get_subject_name(cert), names, sizeof names);
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the certificate of %.40s has no host names (subjectAltName), only the "
                       "common name %.40s, which is none",
                       peer_of(f), names);
        return;
    }
    eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                   "the host name differs: wanted %.50s, the certificate has %.60s", peer_of(f),
                   names);
}

static void refuse_issuer(struct tls_filter *f, X509 *cert, bool itself)
{
    char issuer[64];

    name_text(X509_get_issuer_name(cert), issuer, sizeof issuer);
    if (itself)
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the certificate of %.50s is self-signed: to trust it, name it as .%s",
                       peer_of(f), f->tls->server ? "client_ca_file" : "ca_file");
    else
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "%.40s: the issuer \"%.40s\" is not trusted: name its root as .%s",
                       peer_of(f), issuer,
                       f->tls->server ? "client_ca_file" : "ca_file, or send what is between");
}

static void refuse(struct tls_filter *f, X509 *cert, int error)
{
    char date[48];

    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        date_text(X509_get0_notAfter(cert), date, sizeof date);
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the certificate of %.60s expired on %s: renew it", peer_of(f), date);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        date_text(X509_get0_notBefore(cert), date, sizeof date);
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the certificate of %.50s is valid from %s only: is this clock right?",
                       peer_of(f), date);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: refuse_host(f, cert); break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: refuse_issuer(f, cert, true); break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: refuse_issuer(f, cert, false); break;
    case X509_V_ERR_INVALID_PURPOSE:
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the certificate of %.60s is not meant for a %s (extendedKeyUsage)",
                       peer_of(f), f->tls->server ? "client" : "server");
        break;
    default:
        eddy_error_set(&f->failure, -EDDY_ECERT, 0, "the certificate of %.60s was refused: %.60s",
                       peer_of(f), X509_verify_cert_error_string(error));
    }
}

int tls_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_filter *f = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);

    if (!ok && !f->tls->insecure && !f->failure.code && cert)
        refuse(f, cert, X509_STORE_CTX_get_error(store));
    return ok || f->tls->insecure;
}

/* Whether one of the pins is in the chain. An unverified chain may hold what anybody put there:
 * then only the first counts, whose key the handshake proves. */
static bool is_pinned(const struct eddy_tls *tls, X509_STORE_CTX *store, struct tls_pin *ret_first)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
    int count = tls->insecure ? 1 : sk_X509_num(chain);
    struct tls_pin pin;

    for (int i = 0; i < count && i < sk_X509_num(chain); i++) {
        if (!tls_pin_of(sk_X509_value(chain, i), &pin))
            return false;
        if (i == 0)
            *ret_first = pin;
        for (size_t k = 0; k < tls->pin_count; k++)
            if (memcmp(tls->pins[k].hash, pin.hash, PIN_LEN) == 0)
                return true;
    }
    return false;
}

int tls_verify_chain(X509_STORE_CTX *store, void *unused)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_filter *f = SSL_get_app_data(ssl);
    struct tls_pin first = { { 0 } };
    char text[48];
    int ok = X509_verify_cert(store);

    (void)unused;
    if (ok != 1 || is_pinned(f->tls, store, &first))
        return ok;
    EVP_EncodeBlock((unsigned char *)text, first.hash, PIN_LEN);
    if (!f->failure.code)
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "no key of %.40s is among the .pins; the one it showed is %s", peer_of(f),
                       text);
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/* --- alerts and everything else --------------------------------------------------------------- */

/* What an alert of the peer's means for us: it refused, and only it knows the details. */
static const char *alert_meaning(const struct tls_filter *f, int alert)
{
    bool server = f->tls->server;

    switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
        return server ? "no cipher or signature in common"
                      : "no cipher in common, or it wants a .cert_file of ours";
    case SSL_AD_BAD_CERTIFICATE: return "it finds fault with our certificate (names, dates?)";
    case SSL_AD_UNSUPPORTED_CERTIFICATE: return "our certificate is of a kind it does not take";
    case SSL_AD_CERTIFICATE_REVOKED: return "our certificate was revoked";
    case SSL_AD_CERTIFICATE_EXPIRED: return "our certificate has expired: renew it";
    case SSL_AD_CERTIFICATE_UNKNOWN: return "it does not accept our certificate";
    case SSL_AD_UNKNOWN_CA:
        return server ? "it does not trust who signed our certificate"
                      : "it does not know who signed our .cert_file";
    case SSL_AD_PROTOCOL_VERSION: return "no version of TLS in common";
    case SSL_AD_INSUFFICIENT_SECURITY: return "it asks for stronger ciphers";
    case SSL_AD_UNRECOGNIZED_NAME: return "it knows no host of that name";
    case SSL_AD_NO_APPLICATION_PROTOCOL: return "it speaks none of our .alpn";
    case SSL_AD_CERTIFICATE_REQUIRED: return "it wants a certificate of ours: .cert_file";
    case SSL_AD_USER_CANCELLED: return "it gave up";
    default: return NULL;
    }
}

static void explain_alert(struct tls_filter *f, int alert)
{
    const char *meaning = alert_meaning(f, alert);
    const char *name = SSL_alert_desc_string_long(alert);

    eddy_error_set(&f->failure, -EDDY_ETLS, 0, "%.60s refused us (alert \"%.40s\")%s%s", peer_of(f),
                   name, meaning ? ": " : "", meaning ? meaning : "");
}

static const char *reason_text(const struct tls_filter *f, int reason)
{
    switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return "it speaks plain HTTP (http request) to a port for TLS";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNEXPECTED_MESSAGE:
        return f->shaken ? NULL : "what it sent is no TLS: is this the right port?";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_NO_PROTOCOLS_AVAILABLE: return "no version of TLS in common: see .min_version";
    case SSL_R_NO_SHARED_CIPHER: return "no cipher in common";
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_GROUPS: return "no group in common";
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS: return "no kind of signature in common";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "it showed no certificate, which .client_ca_file asks for";
    case SSL_R_NO_APPLICATION_PROTOCOL: return "it speaks none of our .alpn";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: return "a record was changed on the way";
    case SSL_R_DH_KEY_TOO_SMALL:
    case SSL_R_EE_KEY_TOO_SMALL: return "its key is too short";
    default: return NULL;
    }
}

static void explain_queue(struct tls_filter *f, unsigned long error)
{
    int reason = ERR_GET_REASON(error);
    const char *text = NULL;

    if (reason == ERR_R_MALLOC_FAILURE) {
        eddy_error_set(&f->failure, -ENOMEM, 0, "TLS: out of memory");
        return;
    }
    if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
        if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
            explain_alert(f, reason - SSL_AD_REASON_OFFSET);
            return;
        }
        text = reason_text(f, reason);
    }
    if (!text)
        text = error ? ERR_reason_error_string(error) : NULL;
    eddy_error_set(&f->failure, -EDDY_ETLS, 0, "TLS with %.60s: %.90s", peer_of(f),
                   text ? text : "failed");
}

void tls_explain(struct tls_filter *f, int ssl_error)
{
    unsigned long error = ERR_peek_error();
    bool cut = f->below_ended &&
               (ssl_error == SSL_ERROR_SYSCALL || ssl_error == SSL_ERROR_ZERO_RETURN ||
                ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING);

    if (!f->failure.code) {
        if (f->out_error)
            eddy_error_set(&f->failure, f->out_error, 0, "TLS with %.60s: %s", peer_of(f),
                           eddy_strerror(f->out_error));
        else if (cut)
            eddy_error_set(&f->failure, -EDDY_EEOF, 0, "%.60s ended the connection without %s",
                           peer_of(f),
                           f->shaken ? "saying so in TLS: it may have been cut" : "a handshake");
        else
            explain_queue(f, error);
    }
    ERR_clear_error();
}
