/*
 * certs.h - certificates made when a test runs, into its scratch folder
 */
#ifndef EDDY_TESTS_TLS_CERTS_H
#define EDDY_TESTS_TLS_CERTS_H

#include <stdbool.h>

/* A certificate and its key in one PEM file, for @host ("DNS:a.test" or "IP:127.0.0.1"), signed by
 * @issuer (such a file; NULL: by itself), valid from @from to @to, in days from now. */
bool cert_make(const char *file, const char *host, const char *issuer, int from, int to);

#endif
