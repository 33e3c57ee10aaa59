/*
 * eddy/address.h - where a socket is: IPv4, IPv6 and Unix addresses as text and as bytes
 *
 *     127.0.0.1:80   [::1]:80   [fe80::1%eth0]:80      an address and a port
 *     127.0.0.1      ::1        [::1]                  the default port
 *     :8000          *:8000                            every IPv4 interface
 *     8000                                             this machine only: 127.0.0.1:8000
 *     unix:/run/x.sock   unix:@name                    a path; a name in Linux's abstract space
 *     example.org:80     example.org                   a name: not an address yet, to be resolved
 *
 * Nothing here asks a name server: that is eddy_connect()'s.
 */
#ifndef EDDY_ADDRESS_H
#define EDDY_ADDRESS_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/slice.h>
#include <sys/socket.h>

EDDY_BEGIN

/* Placed by the caller. Pass &a.storage and a.len to the system; leave the rest to the calls. */
struct eddy_address {
    socklen_t len; /* of what is used in storage; 0: no address */
    struct sockaddr_storage storage;
};

/* Room for any address as text, with its terminating NUL. */
#define EDDY_ADDRESS_TEXT 128

/* eddy_address_parse(): the text names a host that must be resolved first. */
#define EDDY_ADDRESS_NAME 1

/**
 * eddy_address_parse() - an address from text
 * @text:         in one of the forms above
 * @default_port: for a text without one; 0: then the port is required
 * @ret_address:  written when 0 is returned
 * @err:          says what is wrong, and where; may be NULL
 *
 * Return: 0; EDDY_ADDRESS_NAME (1) when the host is a name, which eddy_address_split() gives;
 * -EINVAL (not an address: empty, bad port, brackets that do not close, a path that is too long).
 * Source: RFC 3986 3.2.2; unix(7).   Since: 0.1
 */
EDDY_API int eddy_address_parse(const char *text, uint16_t default_port,
                                struct eddy_address *ret_address, struct eddy_error *err);

/**
 * eddy_address_split() - host and port of a text
 * @text:         as for eddy_address_parse(), but not unix:
 * @default_port: for a text without one; 0: then the port is required
 * @ret_host:     inside @text, without brackets; empty for every interface; a constant where @text
 *                is a port alone
 * @ret_port:     1 to 65535, or 0 where the text says so (the system chooses)
 * @err:          may be NULL
 *
 * Return: 0, or -EINVAL.   Source: RFC 3986 3.2.   Since: 0.1
 */
EDDY_API int eddy_address_split(const char *text, uint16_t default_port,
                                struct eddy_slice *ret_host, uint16_t *ret_port,
                                struct eddy_error *err);

/**
 * eddy_address_of_ip() - an address from a numeric host and a port
 * @host:        "127.0.0.1", "::1", "fe80::1%eth0"; no brackets
 * @port:        in the machine's byte order
 * @ret_address: written when 0 is returned
 *
 * Return: 0; EDDY_ADDRESS_NAME when @host is not numeric.
 * Source: inet_pton(3).   Since: 0.1
 */
EDDY_API int eddy_address_of_ip(struct eddy_slice host, uint16_t port,
                                struct eddy_address *ret_address);

/**
 * eddy_address_of_sockaddr() - an address from the system's form
 * @sockaddr:    copied
 * @len:         of it
 * @ret_address: written when 0 is returned
 *
 * Return: 0, or -EINVAL (longer than any address).   Source: accept(2).   Since: 0.1
 */
EDDY_API int eddy_address_of_sockaddr(const struct sockaddr *sockaddr, socklen_t len,
                                      struct eddy_address *ret_address);

/** eddy_address_family() - AF_INET, AF_INET6, AF_UNIX; 0: no address
 * @address: borrowed
 *
 * Return: the family.   Source: socket(2).   Since: 0.1 */
EDDY_API int eddy_address_family(const struct eddy_address *address);

/** eddy_address_port() - the port
 * @address: borrowed
 *
 * Return: the port; 0 for a Unix address.   Source: ip(7).   Since: 0.1 */
EDDY_API uint16_t eddy_address_port(const struct eddy_address *address);

/** eddy_address_set_port() - change the port
 * @address: unchanged if it is not an IP address
 * @port:    in the machine's byte order
 *
 * Return: nothing.   Source: ip(7).   Since: 0.1 */
EDDY_API void eddy_address_set_port(struct eddy_address *address, uint16_t port);

/** eddy_address_eq() - whether two addresses are the same, port included
 * @a: borrowed
 * @b: borrowed
 *
 * Return: true when they are.   Source: none, a convenience.   Since: 0.1 */
EDDY_API bool eddy_address_eq(const struct eddy_address *a, const struct eddy_address *b);

/**
 * eddy_address_format() - as text, in the form that eddy_address_parse() reads
 * @address: borrowed
 * @buf:     always terminated if @cap is not 0; too long a text is cut
 * @cap:     EDDY_ADDRESS_TEXT is enough
 *
 * Return: @buf, so that it can stand in a printf. An unnamed socket is "unix:".
 * Source: inet_ntop(3).   Since: 0.1
 */
EDDY_API const char *eddy_address_format(const struct eddy_address *address, char *buf, size_t cap);

/**
 * eddy_address_format_ip() - the numeric host alone: no port, no brackets
 * @address: borrowed
 * @buf:     always terminated if @cap is not 0; too long a text is cut
 * @cap:     EDDY_ADDRESS_TEXT is enough
 *
 * Return: @buf; a Unix address as eddy_address_format() has it.
 * Source: inet_ntop(3).   Since: 0.1
 */
EDDY_API const char *eddy_address_format_ip(const struct eddy_address *address, char *buf,
                                            size_t cap);

EDDY_END

#endif
