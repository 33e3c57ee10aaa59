/*
 * tls/peer.c - what a connection has agreed on, and who the peer says it is, as text
 */
#include "tls/filter.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <time.h>

/* What was printed, cut to fit. */
static void take_text(BIO *bio, char *to, size_t cap)
{
    int len = BIO_read(bio, to, (int)cap - 1);

    to[len > 0 ? len : 0] = '\0';
    (void)BIO_reset(bio);
}

void tls_names_text(X509 *cert, char *to, size_t cap, const char *prefix_dns)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    BIO *bio = BIO_new(BIO_s_mem());

    to[0] = '\0';
    for (int i = 0; bio && names && i < sk_GENERAL_NAME_num(names); i++) {
        GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (i)
            BIO_puts(bio, ", ");
        if (n->type == GEN_DNS && !prefix_dns)
            BIO_write(bio, ASN1_STRING_get0_data(n->d.dNSName), ASN1_STRING_length(n->d.dNSName));
        else
            GENERAL_NAME_print(bio, n);
    }
    GENERAL_NAMES_free(names);
    if (bio)
        take_text(bio, to, cap);
    BIO_free(bio);
}

static int64_t seconds(const ASN1_TIME *at)
{
    struct tm tm;

    return ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void tell_peer(SSL *ssl, struct eddy_tls_peer *ret)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    unsigned char print[EVP_MAX_MD_SIZE];
    struct tls_pin pin;
    unsigned len = 0;

    if (!cert)
        return;
    ret->present = true;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio) {
        X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253);
        take_text(bio, ret->subject, sizeof ret->subject);
        X509_NAME_print_ex(bio, X509_get_issuer_name(cert), 0, XN_FLAG_RFC2253);
        take_text(bio, ret->issuer, sizeof ret->issuer);
        BIO_free(bio);
    }
    tls_names_text(cert, ret->names, sizeof ret->names, "DNS:");
    ret->not_before_s = seconds(X509_get0_notBefore(cert));
    ret->not_after_s = seconds(X509_get0_notAfter(cert));
    if (X509_digest(cert, EVP_sha256(), print, &len) == 1)
        for (unsigned i = 0; i < len && i < 32; i++)
            snprintf(ret->fingerprint + 2 * (size_t)i, 3, "%02x", print[i]);
    if (tls_pin_of(cert, &pin))
        EVP_EncodeBlock((unsigned char *)ret->pin, pin.hash, PIN_LEN);
    ERR_clear_error();
}

int tls_info(const struct tls_filter *f, struct eddy_tls_info *ret)
{
    const unsigned char *alpn;
    unsigned len;

    if (!f->shaken)
        return -EAGAIN;
    const char *name = SSL_get_servername(f->ssl, TLSEXT_NAMETYPE_host_name);
    SSL_get0_alpn_selected(f->ssl, &alpn, &len);
    *ret = (struct eddy_tls_info){
        .version = SSL_get_version(f->ssl),
        .cipher = SSL_get_cipher_name(f->ssl),
        .resumed = SSL_session_reused(f->ssl) == 1,
    };
    if (len)
        memcpy(ret->alpn, alpn, len < sizeof ret->alpn ? len : sizeof ret->alpn - 1);
    snprintf(ret->server_name, sizeof ret->server_name, "%s", name ? name : "");
    tell_peer(f->ssl, &ret->peer);
    ret->peer.verified = ret->peer.present && !f->tls->insecure &&
                         SSL_get_verify_result(f->ssl) == X509_V_OK;
    return 0;
}
