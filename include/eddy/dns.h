/*
 * eddy/dns.h - names to addresses, without blocking
 *
 * Answers come from /etc/hosts first, then from the name servers of /etc/resolv.conf, asked by
 * c-ares. "localhost" and names under it are this machine, without asking anybody (RFC 6761).
 *
 * The environment variable EDDY_NAMESERVERS="127.0.0.1:5300,192.0.2.1" names other servers; it
 * is read when a loop resolves its first name. Each server has 2 s for its answer, and two tries.
 *
 * Answers are not cached. Under the simulator (eddy/sim.h) names are those of its hosts.
 */
#ifndef EDDY_DNS_H
#define EDDY_DNS_H

#include <eddy/address.h>
#include <eddy/common.h>
#include <eddy/error.h>

EDDY_BEGIN

/* More addresses than this of one name are left out. */
#define EDDY_ADDRESSES_MAX 16

struct eddy_addresses {
    size_t count;
    struct eddy_address at[EDDY_ADDRESSES_MAX]; /* in the order to be tried (RFC 6724) */
};

struct eddy_resolve_options {
    size_t size;              /* filled by EDDY_OPT(resolve, ...) */
    int family;               /* AF_INET or AF_INET6 only; 0: both */
    struct eddy_error *error; /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_resolve() - the addresses of a host
 * @host:          a name, or a numeric address without brackets
 * @port:          set in every address
 * @options:       EDDY_OPT(resolve, .family = AF_INET), may be NULL
 * @ret_addresses: written on success; at least one
 *
 * Suspends, but for numeric hosts and localhost. Looks at its scope first, for those, too.
 * Cancelled: nothing happened; the question may still be under way, its answer is dropped.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EDDY_ENONAME    there is no such name, or it has no address of that family
 *   -EDDY_ERESOLVER  no server answered, or it failed
 *   -ENOMEM
 *   -ETIMEDOUT, -ECANCELED  see eddy/task.h            -EDEADLK  in a callback
 * Source: getaddrinfo(3), RFC 6761 6.3.   Since: 0.1
 */
EDDY_API int eddy_resolve(struct eddy_slice host, uint16_t port,
                          const struct eddy_resolve_options *options,
                          struct eddy_addresses *ret_addresses);

EDDY_END

#endif
