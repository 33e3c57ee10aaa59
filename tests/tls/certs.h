/*
 * certs.h - certificates made when a test runs, into its scratch folder
 */
#ifndef EDDY_TESTS_TLS_CERTS_H
#define EDDY_TESTS_TLS_CERTS_H

#include <stdbool.h>

/* A certificate and its key in one PEM file. */
struct cert {
    const char *file;
    const char *names;  /* "DNS:a.test", "IP:127.0.0.1", "DNS:a.test,DNS:*.a.test"; NULL: none */
    const char *cn;     /* its subject; NULL: the file's name */
    const char *issuer; /* such a file, which may sign; NULL: by itself */
    const char *usage;  /* extendedKeyUsage, "clientAuth"; NULL: anything */
    int from, to;       /* valid, in days from now */
    int rsa_bits;       /* 0: a P-256 key */
    bool ca;            /* may sign others; who signs itself always may */
    bool chain;         /* with the issuer's behind it, and what is behind that */
};
bool cert_write(const struct cert *cert);

/* The same for a @host, signed by @issuer (NULL: by itself), valid from @from to @to. */
bool cert_make(const char *file, const char *host, const char *issuer, int from, int to);

/* The key of @from alone into @to; with @passphrase it is encrypted. */
bool cert_key_only(const char *to, const char *from, const char *passphrase);

/* The pin of a certificate's key, for .pins: 44 characters. */
const char *cert_pin(const char *file, char buf[45]);

#endif
