/*
 * net/networks.h - a list of networks as text, and whether an address is in one of them
 */
#ifndef EDDY_NET_NETWORKS_H
#define EDDY_NET_NETWORKS_H

#include <eddy/address.h>

#define NET_NETWORKS_MAX 32

struct net_network {
    uint8_t ip[16]; /* IPv4 mapped, ::ffff:a.b.c.d, so that all are alike */
    uint8_t bits;   /* 0 to 128 */
};

struct net_networks {
    struct net_network at[NET_NETWORKS_MAX];
    unsigned count;
    bool local; /* "unix:", peers that have no IP address */
};

/* "10.0.0.0/8, ::1 unix:": split by blanks and commas. @what is named in an error. -EINVAL. */
int net_networks_parse(const char *text, struct net_networks *ret, const char *what,
                       struct eddy_error *err);

bool net_networks_have(const struct net_networks *n, const struct eddy_address *address);

#endif
