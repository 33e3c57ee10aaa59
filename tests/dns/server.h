/*
 * server.h - a name server of the test's own, on threads, on a port of 127.0.0.1, UDP and TCP
 *
 *   good.test    A 192.0.2.7, 192.0.2.8; no AAAA        six.test    AAAA 2001:db8::7; no A
 *   nx.test      NXDOMAIN                                fail.test   SERVFAIL
 *   silent.test  nothing comes                           slow.test   as good.test, when released
 *   both.test    A 192.0.2.9, AAAA 2001:db8::9 (TTL 7)   zero.test   as good.test, with a TTL of 0
 *   nosoa.test   NXDOMAIN without an SOA                 bad.test    an A of three bytes
 *   only.b.test  A 192.0.2.10; only.* NXDOMAIN           sick.b.test SERVFAIL; sick.* A 192.0.2.11
 *   big.test     TXT, which is truncated over UDP        alias.test  CNAME good.test (TTL 5), its A
 *   srv.test     SRV of two priorities and four weights  nosrv.test  SRV "."
 *   mx.test      MX 20 b, 10 a, 10 c                     nomx.test   MX 0 "."
 *
 * TTLs are 60 s; a "no" has an SOA of the same, whose own TTL is 120 s. "nNUMBER.test" are as
 * good.test.
 */
#ifndef EDDY_TESTS_DNS_SERVER_H
#define EDDY_TESTS_DNS_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts it once a process, and sets EDDY_NAMESERVERS. */
bool name_server_start(void);
void name_server_release(void); /* answer what asked for slow.test */
unsigned name_server_questions(void);
unsigned name_server_tcp(void); /* those of them that came over TCP */
void name_server_settle(
    void); /* its ends of connections are closed: they are this process's, too */

/* The questions since the last call, as "A good.test;AAAA good.test;". */
void name_server_log(char *text, size_t cap);

#endif
