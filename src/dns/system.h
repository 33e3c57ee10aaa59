/*
 * dns/system.h - the system's resolver, which tests replace; called on threads of the pool
 */
#ifndef EDDY_DNS_SYSTEM_H
#define EDDY_DNS_SYSTEM_H

#include <netdb.h>

extern int (*eddy_dns_getaddrinfo)(const char *, const char *, const struct addrinfo *,
                                   struct addrinfo **);
extern void (*eddy_dns_freeaddrinfo)(struct addrinfo *);

#endif
