/*
 * dns/channel.h - c-ares on a loop, one channel each, in EDDY_SLOT_DNS
 */
#ifndef EDDY_DNS_CHANNEL_H
#define EDDY_DNS_CHANNEL_H

#include "loop/loop.h"

#include <ares.h>

/* Questions under way at a time; one more is refused. */
#define DNS_QUESTIONS_MAX 1024

struct dns_channel {
    ares_channel ares;
    struct eddy_loop *loop;
    struct eddy_list sockets; /* of struct dns_socket, those that c-ares has open */
    struct eddy_timer timer;
    unsigned questions; /* under way */
};

/* This loop's channel, made when there is none. -ENOMEM, -EDDY_ERESOLVER (no configuration). */
int dns_channel_of(struct eddy_loop *loop, struct dns_channel **ret_channel);

/* c-ares was called: arm its timeout anew. */
void dns_channel_refresh(struct dns_channel *c);

#endif
