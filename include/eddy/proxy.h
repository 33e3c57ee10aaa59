/*
 * eddy/proxy.h - the PROXY protocol: who the client behind a proxy is
 *
 * A proxy that forwards connections (HAProxy, nginx, a cloud's balancer) writes one header before
 * the client's first byte. Version 1 is a line of text, version 2 is binary and may carry more (the
 * TLS the client spoke, the name it asked for).
 *
 *     eddy_listen(":8000", EDDY_OPT(listen, .proxy = EDDY_PROXY_REQUIRED,
 *                                   .proxy_from = "10.0.0.0/8"), &door);
 *     eddy_connect("10.0.0.7:80", EDDY_OPT(connect, .proxy_header = &header), &s);
 *
 * WHO MAY SAY IT: the header is believed. Anybody who can reach a port that asks for it can claim
 * to be any client. So name the proxies in .proxy_from, or see to it that nobody else reaches the
 * port. A port that asks for the header refuses who sends none: there is no guessing, as the
 * specification demands.
 *
 * What follows below is the pure half: bytes in, values out, no socket. Listeners and
 * eddy_connect() (eddy/net.h) use it.
 *
 * What holds, with the test that shows it (tests/codec/proxy_test.c, tests/fuzz/proxy_fuzz.c):
 *
 *  rule                                                       test
 *  ---------------------------------------------------------  ----------------------------------
 *  Version 1: one blank, canonical numbers, CR LF, 107 bytes  version_1_is_judged_by_the_letter
 *  Version 2: versions, commands, families, lengths           version_2_is_judged_by_the_letter
 *  Any split of the bytes gives the same answer               a_header_in_pieces_is_the_same
 *  What it asks for never reaches behind the header           wanted_bytes_are_the_headers
 *  A checksum that is there is checked                        a_checksum_is_checked
 *  What is written is read as the same                        what_is_written_is_read
 *  Extensions are kept, and must fill their place             extensions_are_kept_and_found
 */
#ifndef EDDY_PROXY_H
#define EDDY_PROXY_H

#include <eddy/address.h>
#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/slice.h>

EDDY_BEGIN

/* The longest header of version 1, and the longest of version 2 that is taken here. */
#define EDDY_PROXY_V1_MAX 107
#define EDDY_PROXY_MAX 4096

/* What a version 2 header may carry besides: types of eddy_proxy_extension(). */
enum eddy_proxy_type {
    EDDY_PROXY_ALPN = 0x01,      /* the protocol agreed on, as "h2" */
    EDDY_PROXY_AUTHORITY = 0x02, /* the name asked for (SNI) */
    EDDY_PROXY_CRC32C = 0x03,    /* the checksum: see .checksum */
    EDDY_PROXY_NOOP = 0x04,
    EDDY_PROXY_UNIQUE_ID = 0x05,
    EDDY_PROXY_SSL = 0x20, /* a struct of its own, as the specification has it */
    EDDY_PROXY_NETNS = 0x30,
};

/* A header. Zero but for .version and the addresses, it is what one mostly sends. */
struct eddy_proxy {
    unsigned version; /* 1 or 2 */
    bool local;       /* nobody's connection but the proxy's own (a health check); v1: UNKNOWN */
    bool datagram;    /* version 2: the client spoke UDP, or its like */
    bool checksum;    /* version 2: a CRC32c was there, and right; to write: add one */
    struct eddy_address source;      /* the client; .len 0: not told */
    struct eddy_address destination; /* where it had connected to; .len 0: not told */
    struct eddy_slice extensions;    /* version 2: as they came, in the memory that was parsed */
    struct eddy_address via;         /* an accepted connection: the proxy; else .len is 0 */
};

/**
 * eddy_proxy_parse() - the header at the front of what has come
 * @bytes:     from the connection's first byte on
 * @len:       of it; what follows the header is not looked at
 * @ret_proxy: written on success; extensions point into @bytes
 * @ret_more:  written with -EAGAIN: so many bytes more, at least, belong to the header, so reading
 *             them never takes a byte of what follows it; may be NULL
 * @err:       says what is wrong, and where; may be NULL
 *
 * Strict: what is no header is refused at the first byte that shows it. The addresses of a local
 * header are skipped, as the specification demands.
 *
 * Return: the header's length; or negative:
 *   -EAGAIN  it goes on        -EPROTO  not a header, or one that breaks the rules
 *   -EDDY_ETOOBIG  longer than EDDY_PROXY_MAX
 * Source: HAProxy's proxy-protocol.txt, 2.1 and 2.2.   Since: 0.1
 */
EDDY_API ssize_t eddy_proxy_parse(const void *bytes, size_t len, struct eddy_proxy *ret_proxy,
                                  size_t *ret_more, struct eddy_error *err);

/**
 * eddy_proxy_write() - a header as bytes
 * @proxy: with both addresses of one family, or none (then it says UNKNOWN, or no family)
 * @buf:   filled on success
 * @cap:   EDDY_PROXY_MAX is enough
 *
 * Version 1 knows no Unix addresses (it says UNKNOWN then), and no extensions.
 *
 * Return: its length; -EINVAL (version, or addresses of two families; extensions that do not fill
 * their place); -EDDY_ETOOBIG (over EDDY_PROXY_MAX); -ENOSPC (@cap).
 * Source: HAProxy's proxy-protocol.txt, 2.1 and 2.2.   Since: 0.1
 */
EDDY_API ssize_t eddy_proxy_write(const struct eddy_proxy *proxy, void *buf, size_t cap);

/**
 * eddy_proxy_extension() - one of the extensions of a version 2 header
 * @proxy:     of eddy_proxy_parse(), or a connection's
 * @type:      enum eddy_proxy_type, or another number
 * @ret_value: inside ->extensions; the first one of that type
 *
 * Return: 0, or -ENOENT.   Source: HAProxy's proxy-protocol.txt, 2.2.1.   Since: 0.1
 */
EDDY_API int eddy_proxy_extension(const struct eddy_proxy *proxy, unsigned type,
                                  struct eddy_slice *ret_value);

EDDY_END

#endif
