/*
 * tls/failure.c - what went wrong, in words that say what to mend
 */
#include "tls/filter.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdio.h>

static void date_text(const ASN1_TIME *at, char *buf, size_t cap)
{
    struct tm tm;

    if (at && ASN1_TIME_to_tm(at, &tm) == 1)
        snprintf(buf, cap, "%04d-%02d-%02d", (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100,
                 tm.tm_mday % 100);
    else
        snprintf(buf, cap, "an unknown date");
}

static void issuer_text(X509 *cert, char *buf, size_t cap)
{
    buf[0] = '\0';
    if (X509_NAME_get_text_by_NID(X509_get_issuer_name(cert), NID_commonName, buf, (int)cap) < 0)
        snprintf(buf, cap, "its issuer");
}

/* The first name that the certificate is for. */
static void name_text(X509 *cert, char *buf, size_t cap)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    buf[0] = '\0';
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && !buf[0]; i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type == GEN_DNS)
            snprintf(buf, cap, "%.*s", ASN1_STRING_length(n->d.dNSName),
                     (const char *)ASN1_STRING_get0_data(n->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    if (!buf[0] &&
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, buf, (int)cap) < 0)
        snprintf(buf, cap, "nobody");
}

int tls_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_filter *f = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    int error = X509_STORE_CTX_get_error(store);
    char text[64];

    if (ok || f->tls->insecure || f->failure.code || !cert)
        return ok || f->tls->insecure;
    const char *host = f->host ? f->host : "the peer";
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        date_text(X509_get0_notAfter(cert), text, sizeof text);
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the certificate of %.60s expired on %s: renew it", host, text);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        date_text(X509_get0_notBefore(cert), text, sizeof text);
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the certificate of %.60s is valid from %s only: is this clock right?", host,
                       text);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        name_text(cert, text, sizeof text);
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the host name differs: wanted %.60s, the certificate is for %.60s", host,
                       text);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the certificate of %.60s is self-signed: name it as .ca_file to trust it",
                       host);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        issuer_text(cert, text, sizeof text);
        eddy_error_set(&f->failure, -EDDY_ECERT, 0,
                       "the issuer of %.50s's certificate (%.50s) is not trusted here", host, text);
        break;
    default:
        eddy_error_set(&f->failure, -EDDY_ECERT, 0, "the certificate of %.60s was refused: %.60s",
                       host, X509_verify_cert_error_string(error));
    }
    return 0;
}

void tls_explain(struct tls_filter *f, int ssl_error)
{
    unsigned long error = ERR_peek_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    const char *peer = f->host ? f->host : "the peer";

    if (!f->failure.code) {
        if (f->out_error)
            eddy_error_set(&f->failure, f->out_error, 0, "TLS with %.60s: %s", peer,
                           eddy_strerror(f->out_error));
        else if (f->below_ended &&
                 (ssl_error == SSL_ERROR_SYSCALL || ssl_error == SSL_ERROR_ZERO_RETURN ||
                  ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING))
            eddy_error_set(&f->failure, -EDDY_EEOF, 0, "%.60s ended the connection without %s",
                           peer,
                           f->shaken ? "saying so in TLS: it may have been cut" : "a handshake");
        else if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
            eddy_error_set(&f->failure, -ENOMEM, 0, "TLS: out of memory");
        else
            eddy_error_set(&f->failure, -EDDY_ETLS, 0, "TLS with %.60s: %.70s", peer,
                           reason ? reason : "failed");
    }
    ERR_clear_error();
}
