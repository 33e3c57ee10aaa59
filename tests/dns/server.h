/*
 * server.h - a name server of the test's own, on a thread, on a port of 127.0.0.1
 *
 *   good.test    A 192.0.2.7, 192.0.2.8; no AAAA        six.test   AAAA 2001:db8::7; no A
 *   nx.test      NXDOMAIN                                fail.test  SERVFAIL
 *   silent.test  nothing comes                           slow.test  as good.test, when released
 */
#ifndef EDDY_TESTS_DNS_SERVER_H
#define EDDY_TESTS_DNS_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts it once a process, and sets EDDY_NAMESERVERS. */
bool name_server_start(void);
void name_server_release(void); /* answer what asked for slow.test */
unsigned name_server_questions(void);

#endif
