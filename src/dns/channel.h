/*
 * dns/channel.h - c-ares on a loop: its sockets, its timeouts
 *
 * A room has one, and those it had before, while their questions go on. Not to be ended from inside
 * a callback of c-ares.
 */
#ifndef EDDY_DNS_CHANNEL_H
#define EDDY_DNS_CHANNEL_H

#include "loop/loop.h"

#include <ares.h>

#define DNS_DOMAINS_MAX 32

struct dns_channel {
    ares_channel ares;
    struct eddy_loop *loop;
    struct eddy_list link;    /* in room->retired */
    struct eddy_list sockets; /* of struct dns_socket, those that c-ares has open */
    struct eddy_timer timer;
    unsigned questions; /* under way; the room's */
    unsigned ndots;
    unsigned domain_count; /* to search in */
    char *domains[DNS_DOMAINS_MAX];
    char servers[64]; /* "127.0.0.53, [::1]:5353", for texts; cut to what fits */
};

struct dns_channel_options {
    const char *servers;     /* NULL: resolv.conf's */
    const char *resolv_conf; /* a path */
    int64_t timeout_ms;
    unsigned tries;
};

/* -ENOMEM, -EDDY_ERESOLVER (no configuration, or not a list of servers). */
int dns_channel_new(struct eddy_loop *loop, const struct dns_channel_options *options,
                    struct dns_channel **ret_channel);

/* Its questions are told ARES_EDESTRUCTION. */
void dns_channel_free(struct dns_channel *c);

/* c-ares was called: arm its timeout anew. */
void dns_channel_refresh(struct dns_channel *c);

#endif
