#include "certs.h"

#include "check.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
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

static bool store(const char *file, X509 *cert, EVP_PKEY *key)
{
    FILE *out = fopen(file, "w");

    if (!out)
        return false;
    bool ok = PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              PEM_write_X509(out, cert) == 1;
    return fclose(out) == 0 && ok;
}

bool cert_make(const char *file, const char *host, const char *issuer, int from, int to)
{
    static long serial = 1;
    X509 *issuer_cert = NULL;
    EVP_PKEY *issuer_key = NULL;

    if (issuer && !load(issuer, &issuer_cert, &issuer_key))
        return false;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    /* The simulator judges by its own clock. */
    time_t now = strcmp(eddy_check_backend(), "sim") == 0 ? 1704067200 : time(NULL);
    X509_time_adj(X509_getm_notBefore(cert), (long)from * 86400, &now);
    X509_time_adj(X509_getm_notAfter(cert), (long)to * 86400, &now);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)file, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer_cert ? issuer_cert : cert));
    extend(cert, issuer_cert ? issuer_cert : cert, NID_basic_constraints,
           issuer ? "CA:FALSE" : "CA:TRUE");
    extend(cert, issuer_cert ? issuer_cert : cert, NID_subject_alt_name, host);
    bool ok = X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) > 0 &&
              store(file, cert, key);
    X509_free(cert);
    X509_free(issuer_cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    return ok;
}
