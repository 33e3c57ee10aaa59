/*
 * eddy/url.h - an address on the web, taken apart
 *
 * Strict: what RFC 3986 does not allow is refused with its place, never repaired in silence,
 * because two programs that repair differently are how requests get smuggled.
 */
#ifndef EDDY_URL_H
#define EDDY_URL_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/slice.h>

EDDY_BEGIN

/* The parts point into the text that was parsed and are as they stood there: not decoded, not
 * folded to lower case. A part that is absent is empty. */
struct eddy_url {
    struct eddy_slice scheme;   /* "https" */
    struct eddy_slice userinfo; /* "user:secret" */
    struct eddy_slice host;     /* without brackets; never empty */
    struct eddy_slice path;     /* begins with '/', or is empty */
    struct eddy_slice query;    /* behind the '?' */
    struct eddy_slice fragment; /* behind the '#' */
    struct eddy_slice target; /* path and query as a request line has them; empty path: see below */
    struct eddy_slice authority; /* host and port as a Host field has them, brackets included */
    uint16_t port;               /* from the text, or 80 for http and ws, 443 for https and wss */
    bool has_port;               /* the text named one */
    bool host_is_ipv6;           /* it stood in brackets */
};

/**
 * eddy_url_parse() - take an absolute URL apart
 * @text:    borrowed; the parts point into it
 * @len:     of @text; at most 64 KiB
 * @ret_url: written when 0 is returned
 * @err:     says what is wrong, where, and how to mend it; may be NULL
 *
 * Schemes other than http, https, ws and wss are parsed too, but must name a port to have one.
 * .target is "/x?q", "?q" or "" as the text has it: where it does not begin with '/', the request
 * line puts one before it.
 *
 * Return: 0, or -EDDY_EURL: no "scheme://", an empty host, a blank or control character or any
 * byte that RFC 3986 does not allow in its place, an incomplete %-triplet, a port that is not 1
 * to 65535.
 * Source: RFC 3986.   Since: 0.1
 */
EDDY_API int eddy_url_parse(const char *text, size_t len, struct eddy_url *ret_url,
                            struct eddy_error *err);

/**
 * eddy_percent_decode() - turn %41 into A
 * @text:    any bytes; '+' stays '+'
 * @out:     room for @text.len bytes; may be @text.ptr itself. Not terminated
 * @ret_len: written when 0 is returned; never more than @text.len
 *
 * The result may hold any byte, NUL and '/' too: judge it after decoding, never before.
 *
 * Return: 0, or -EINVAL (a '%' without two hex digits; @out may be partly written).
 * Source: RFC 3986 2.1.   Since: 0.1
 */
EDDY_API int eddy_percent_decode(struct eddy_slice text, char *out, size_t *ret_len);

EDDY_END

#endif
