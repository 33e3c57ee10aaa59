#include "certs.h"

#include "check.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool load(const char *file, X509 **cert, EVP_PKEY **key)
{
    FILE *in = fopen(file, "r");

    if (!in)
        return false;
    *key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
    rewind(in);
    *cert = PEM_read_X509(in, NULL, NULL, NULL);
    fclose(in);
    return *cert && *key;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

/* The certificates of @from, behind what @out holds. */
static bool append_certs(FILE *out, const char *from)
{
    FILE *in = fopen(from, "r");
    bool ok = in != NULL;
    X509 *cert;

    while (ok && (cert = PEM_read_X509(in, NULL, NULL, NULL))) {
        ok = PEM_write_X509(out, cert) == 1;
        X509_free(cert);
    }
    if (in)
        fclose(in);
    return ok;
}

static bool store(const struct cert *c, X509 *cert, EVP_PKEY *key)
{
    FILE *out = fopen(c->file, "w");

    if (!out)
        return false;
    bool ok = PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              PEM_write_X509(out, cert) == 1 &&
              (!c->chain || !c->issuer || append_certs(out, c->issuer));
    return fclose(out) == 0 && ok;
}

bool cert_write(const struct cert *c)
{
    static long serial = 1;
    X509 *issuer_cert = NULL;
    EVP_PKEY *issuer_key = NULL;
    const char *cn = c->cn ? c->cn : c->file;

    if (c->issuer && !load(c->issuer, &issuer_cert, &issuer_key))
        return false;
    EVP_PKEY *key = c->rsa_bits ? EVP_RSA_gen((unsigned)c->rsa_bits) : EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509 *by = issuer_cert ? issuer_cert : cert;
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    /* The simulator judges by its own clock. */
    time_t now = strcmp(eddy_check_backend(), "sim") == 0 ? 1704067200 : time(NULL);
    X509_time_adj(X509_getm_notBefore(cert), (long)c->from * 86400, &now);
    X509_time_adj(X509_getm_notAfter(cert), (long)c->to * 86400, &now);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(by));
    extend(cert, by, NID_basic_constraints, c->issuer && !c->ca ? "CA:FALSE" : "CA:TRUE");
    if (c->names)
        extend(cert, by, NID_subject_alt_name, c->names);
    if (c->usage)
        extend(cert, by, NID_ext_key_usage, c->usage);
    bool ok = X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) > 0 &&
              store(c, cert, key);
    X509_free(cert);
    X509_free(issuer_cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    return ok;
}

bool cert_make(const char *file, const char *host, const char *issuer, int from, int to)
{
    return cert_write(
        &(struct cert){ .file = file, .names = host, .issuer = issuer, .from = from, .to = to });
}

bool cert_key_only(const char *to, const char *from, const char *passphrase)
{
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    bool ok = load(from, &cert, &key);
    FILE *out = ok ? fopen(to, "w") : NULL;

    ok = out && PEM_write_PrivateKey(out, key, passphrase ? EVP_aes_256_cbc() : NULL,
                                     (const unsigned char *)passphrase,
                                     passphrase ? (int)strlen(passphrase) : 0, NULL, NULL) == 1;
    if (out)
        ok = fclose(out) == 0 && ok;
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

const char *cert_pin(const char *file, char buf[45])
{
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    unsigned char *der = NULL, hash[32];

    buf[0] = '\0';
    if (load(file, &cert, &key)) {
        int len = i2d_PUBKEY(key, &der);
        EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL);
        EVP_EncodeBlock((unsigned char *)buf, hash, sizeof hash);
    }
    OPENSSL_free(der);
    X509_free(cert);
    EVP_PKEY_free(key);
    return buf;
}
