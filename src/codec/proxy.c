/*
 * codec/proxy.c - the PROXY protocol's header, both versions, both ways
 *
 * Parsing looks at all bytes from the first on each time it is called: a header is short, and so
 * there is no state to keep. What the bytes so far may still become decides between "more" and "no
 * header"; how many more are surely part of it is counted from what the shortest rest would be.
 *
 *   version 1   "PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n"
 *   version 2   12 bytes of signature, version and command, family, length, addresses, extensions
 */
#include <eddy/proxy.h>

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_LEN 12
#define V2_FIXED 16
#define UNIX_PATH_LEN 108

static_assert(sizeof SIGNATURE - 1 == SIGNATURE_LEN, "the specification's");

/* What is being read. */
struct reader {
    const char *bytes;
    size_t len;
    struct eddy_proxy *ret;
    size_t more; /* with -EAGAIN */
    struct eddy_error *err;
};

static int wrong(const struct reader *in, size_t offset, const char *why)
{
    return eddy_error_set(in->err, -EPROTO, offset, "not a PROXY header: %s", why);
}

static int more(struct reader *in, size_t count)
{
    in->more = count;
    return -EAGAIN;
}

/* --- version 1 ------------------------------------------------------------------------------- */

/* The fields behind "PROXY TCP4 ", and the shortest rest of the line from each on. */
enum { V1_SOURCE, V1_DESTINATION, V1_SOURCE_PORT, V1_DESTINATION_PORT, V1_FIELDS };

/* The shortest rest of a line in a field that is not over: its end, and the fields behind it. */
static size_t v1_shortest(int field, bool empty, size_t address)
{
    size_t n = 2; /* CR LF */

    for (int i = V1_DESTINATION_PORT; i > field; i--)
        n += (i < V1_SOURCE_PORT ? address : 1) + 1;
    return n + (empty ? (field < V1_SOURCE_PORT ? address : 1) : 0);
}

/* A port as a canonical number, or part of one. */
static bool is_port(const char *text, size_t len, uint16_t *ret_port)
{
    unsigned value = 0;

    if (!len || len > 5 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *ret_port = (uint16_t)value;
    return value <= 65535;
}

static bool is_address(const char *text, size_t len, int family, struct eddy_address *ret)
{
    const char *bytes = family == AF_INET ? "0123456789." : "0123456789abcdefABCDEF:.";

    if (!len || len > (family == AF_INET ? 15 : 39))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!text[i] || !strchr(bytes, text[i]))
            return false;
    return eddy_address_of_ip((struct eddy_slice){ text, len }, 0, ret) == 0 &&
           eddy_address_family(ret) == family;
}

/* A field that is not over: whether it can still become a good one. */
static bool v1_may_become(int field, const char *text, size_t len, int family)
{
    const char *bytes = field >= V1_SOURCE_PORT ? "0123456789"
                        : family == AF_INET     ? "0123456789."
                                                : "0123456789abcdefABCDEF:.";
    const size_t max = field >= V1_SOURCE_PORT ? 5 : family == AF_INET ? 15 : 39;

    if (len > max)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!text[i] || !strchr(bytes, text[i]))
            return false;
    return true;
}

/* Field @i is text[0, len), and over. */
static int v1_field(struct reader *in, int i, const char *text, size_t len, int family)
{
    struct eddy_address *to = i == V1_SOURCE || i == V1_SOURCE_PORT ? &in->ret->source
                                                                    : &in->ret->destination;
    const size_t offset = (size_t)(text - in->bytes);
    uint16_t port;

    if (i < V1_SOURCE_PORT)
        return is_address(text, len, family, to) ? 0 : wrong(in, offset, "an address is wanted");
    if (!is_port(text, len, &port))
        return wrong(in, offset, "a port from 0 to 65535 is wanted");
    eddy_address_set_port(to, port);
    return 0;
}

/* The four fields, from @at on. */
static ssize_t v1_fields(struct reader *in, size_t at, int family)
{
    for (int i = 0; i < V1_FIELDS; i++) {
        const char end = i < V1_DESTINATION_PORT ? ' ' : '\r';
        const size_t left = in->len - at;
        const char *over = left ? memchr(in->bytes + at, end, left) : NULL;
        const size_t len = over ? (size_t)(over - (in->bytes + at)) : left;

        if (!over && !v1_may_become(i, in->bytes + at, len, family))
            return wrong(in, at, i < V1_SOURCE_PORT ? "an address is wanted" : "a port is wanted");
        if (!over)
            return more(in, v1_shortest(i, len == 0, family == AF_INET ? 7 : 2));
        int r = v1_field(in, i, in->bytes + at, len, family);
        if (r < 0)
            return r;
        at += len + 1;
    }
    if (at == in->len)
        return more(in, 1);
    return in->bytes[at] == '\n' ? (ssize_t)at + 1 : wrong(in, at, "CR without LF");
}

/* What stands behind "PROXY UNKNOWN" says nothing, up to CR LF. */
static ssize_t v1_unknown(struct reader *in, size_t at)
{
    in->ret->local = true;
    if (at < in->len && in->bytes[at] != ' ' && in->bytes[at] != '\r')
        return wrong(in, at, "a blank or the line's end is wanted");
    for (; at < in->len; at++) {
        if (in->bytes[at] == '\n' || in->bytes[at] == '\0')
            return wrong(in, at, "a line that does not end with CR LF");
        if (in->bytes[at] != '\r')
            continue;
        if (at + 1 == in->len)
            return at + 2 > EDDY_PROXY_V1_MAX ? wrong(in, at, "a line over 107 bytes")
                                              : more(in, 1);
        return in->bytes[at + 1] == '\n' ? (ssize_t)at + 2 : wrong(in, at + 1, "CR without LF");
    }
    return at + 2 > EDDY_PROXY_V1_MAX ? wrong(in, at, "a line over 107 bytes") : more(in, 2);
}

static ssize_t parse_v1(struct reader *in)
{
    static const struct {
        const char *text;
        size_t len, shortest; /* of the header with that start */
        int family;           /* 0: UNKNOWN */
    } kinds[] = {
        { "PROXY TCP4 ", 11, 32, AF_INET },
        { "PROXY TCP6 ", 11, 22, AF_INET6 },
        { "PROXY UNKNOWN", 13, 15, 0 },
    };
    size_t shortest = SIZE_MAX;

    in->ret->version = 1;
    for (size_t i = 0; i < 3; i++) {
        const size_t len = in->len < kinds[i].len ? in->len : kinds[i].len;
        if (memcmp(in->bytes, kinds[i].text, len) != 0)
            continue;
        if (len < kinds[i].len) {
            shortest = kinds[i].shortest < shortest ? kinds[i].shortest : shortest;
            continue;
        }
        ssize_t n = kinds[i].family ? v1_fields(in, len, kinds[i].family) : v1_unknown(in, len);
        return n > EDDY_PROXY_V1_MAX ? wrong(in, EDDY_PROXY_V1_MAX, "a line over 107 bytes") : n;
    }
    return shortest == SIZE_MAX ? wrong(in, 0, "it begins like none")
                                : more(in, shortest - in->len);
}

/* --- version 2 ------------------------------------------------------------------------------- */

static uint16_t get16(const char *at)
{
    return (uint16_t)((unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

static void put16(char *at, size_t value)
{
    at[0] = (char)(value >> 8);
    at[1] = (char)value;
}

/* RFC 3720 12.1: the polynomial of Castagnoli, reflected. A header in a connection's life is no
 * place for tables. */
static uint32_t crc32c(uint32_t crc, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & (0U - (crc & 1)));
    }
    return crc;
}

/* Of a header whose checksum stands at @sum and counts as 0. */
static uint32_t header_crc32c(const char *header, size_t len, size_t sum)
{
    uint32_t crc = crc32c(UINT32_MAX, header, sum);

    crc = crc32c(crc, "\0\0\0\0", 4);
    return ~crc32c(crc, header + sum + 4, len - sum - 4);
}

static uint32_t get32(const char *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* The extensions fill their place, and a checksum is right. */
static int check_extensions(const struct reader *in, size_t from, size_t to)
{
    size_t next;

    for (size_t at = from; at < to; at = next) {
        if (to - at < 3 || to - at - 3 < get16(in->bytes + at + 1))
            return wrong(in, at, "an extension reaches behind the header");
        next = at + 3 + get16(in->bytes + at + 1);
        if ((unsigned char)in->bytes[at] != EDDY_PROXY_CRC32C)
            continue;
        if (next - at != 7 || in->ret->checksum)
            return wrong(in, at, "a checksum that is none");
        if (get32(in->bytes + at + 3) != header_crc32c(in->bytes, to, at + 3))
            return wrong(in, at, "its checksum is wrong");
        in->ret->checksum = true;
    }
    in->ret->extensions = (struct eddy_slice){ in->bytes + from, to - from };
    return 0;
}

static void take_ip(struct eddy_address *to, int family, const char *ip, const char *port)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    if (family == AF_INET) {
        memcpy(&in.sin_addr, ip, 4);
        memcpy(&in.sin_port, port, 2);
        memcpy(&to->storage, &in, sizeof in);
        to->len = sizeof in;
    } else {
        memcpy(&in6.sin6_addr, ip, 16);
        memcpy(&in6.sin6_port, port, 2);
        memcpy(&to->storage, &in6, sizeof in6);
        to->len = sizeof in6;
    }
}

/* A path ends with its NUL; an abstract name begins with one, and its length is not told: zeros at
 * its end are taken for filling. */
static void take_unix(struct eddy_address *to, const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t len = strnlen(path, UNIX_PATH_LEN);

    if (len == 0) {
        len = UNIX_PATH_LEN;
        while (len && path[len - 1] == '\0')
            len--;
    } else if (len < UNIX_PATH_LEN) {
        len++;
    }
    memcpy(un.sun_path, path, len);
    memcpy(&to->storage, &un, sizeof un);
    to->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static int take_addresses(const struct reader *in, unsigned family, size_t *ret_len)
{
    static const size_t lens[] = { 0, 12, 36, 2 * UNIX_PATH_LEN };
    const size_t room = get16(in->bytes + 14);
    const char *at = in->bytes + V2_FIXED;

    if (room < lens[family])
        return wrong(in, 14, "it is too short for its addresses");
    *ret_len = lens[family];
    if (family == 1) {
        take_ip(&in->ret->source, AF_INET, at, at + 8);
        take_ip(&in->ret->destination, AF_INET, at + 4, at + 10);
    } else if (family == 2) {
        take_ip(&in->ret->source, AF_INET6, at, at + 32);
        take_ip(&in->ret->destination, AF_INET6, at + 16, at + 34);
    } else if (family == 3) {
        take_unix(&in->ret->source, at);
        take_unix(&in->ret->destination, at + UNIX_PATH_LEN);
    }
    return 0;
}

static ssize_t parse_v2(struct reader *in)
{
    const size_t prefix = in->len < SIGNATURE_LEN ? in->len : SIGNATURE_LEN;

    in->ret->version = 2;
    if (memcmp(in->bytes, SIGNATURE, prefix) != 0)
        return wrong(in, 0, "it begins like none");
    const unsigned command = in->len > 12 ? (unsigned char)in->bytes[12] : 0x20;
    const unsigned family = in->len > 13 ? (unsigned char)in->bytes[13] : 0;
    if (command >> 4 != 2 || (command & 15) > 1)
        return wrong(in, 12, "a version or command that is not known");
    in->ret->local = (command & 15) == 0;
    if (!in->ret->local && (family >> 4 > 3 || (family & 15) > 2))
        return wrong(in, 13, "an address family or protocol that is not known");
    if (in->len < V2_FIXED)
        return more(in, V2_FIXED - in->len);

    const size_t len = V2_FIXED + (size_t)get16(in->bytes + 14);
    if (len > EDDY_PROXY_MAX)
        return eddy_error_set(in->err, -EDDY_ETOOBIG, 14,
                              "a PROXY header of %zu bytes; %d is the most", len, EDDY_PROXY_MAX);
    if (in->len < len)
        return more(in, len - in->len);
    if (in->ret->local)
        return (ssize_t)len;
    size_t addresses = 0;
    /* Half a description (a family without a protocol) describes nobody. */
    bool known = (family >> 4) && (family & 15);
    int r = take_addresses(in, known ? family >> 4 : 0, &addresses);
    if (r == 0 && known)
        r = check_extensions(in, V2_FIXED + addresses, len);
    in->ret->datagram = (family & 15) == 2;
    return r < 0 ? r : (ssize_t)len;
}

ssize_t eddy_proxy_parse(const void *bytes, size_t len, struct eddy_proxy *ret_proxy,
                         size_t *ret_more, struct eddy_error *err)
{
    struct eddy_proxy proxy = { 0 };
    struct reader in = { .bytes = bytes, .len = len, .ret = &proxy, .err = err };
    ssize_t n;

    if (len == 0)
        n = more(&in, 15); /* "PROXY UNKNOWN\r\n" */
    else if (in.bytes[0] == 'P')
        n = parse_v1(&in);
    else
        n = parse_v2(&in);
    if (n > 0)
        *ret_proxy = proxy;
    else if (n == -EAGAIN && ret_more)
        *ret_more = in.more;
    return n;
}

int eddy_proxy_extension(const struct eddy_proxy *proxy, unsigned type,
                         struct eddy_slice *ret_value)
{
    struct eddy_slice all = proxy->extensions;

    while (all.len >= 3) {
        const size_t len = get16(all.ptr + 1);
        if (len > all.len - 3)
            break;
        if ((unsigned char)all.ptr[0] == type) {
            *ret_value = (struct eddy_slice){ all.ptr + 3, len };
            return 0;
        }
        all = (struct eddy_slice){ all.ptr + 3 + len, all.len - 3 - len };
    }
    return -ENOENT;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The family that both addresses have; 0: none is told. */
static int family_of(const struct eddy_proxy *p, int *ret_family)
{
    const int family = eddy_address_family(&p->source);

    if (family != eddy_address_family(&p->destination))
        return -EINVAL;
    *ret_family = p->local ? 0 : family;
    return family == 0 || family == AF_INET || family == AF_INET6 || family == AF_UNIX ? 0
                                                                                       : -EINVAL;
}

static void ip_of(const struct eddy_address *a, char ret[16], char ret_port[2])
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (eddy_address_family(a) == AF_INET) {
        memcpy(&in, &a->storage, sizeof in);
        memcpy(ret, &in.sin_addr, 4);
    } else {
        memcpy(&in6, &a->storage, sizeof in6);
        memcpy(ret, &in6.sin6_addr, 16);
    }
    put16(ret_port, eddy_address_port(a));
}

static ssize_t write_v1(const struct eddy_proxy *p, int family, char *buf)
{
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], ip[16], port[2];

    if (family != AF_INET && family != AF_INET6)
        return snprintf(buf, EDDY_PROXY_V1_MAX + 1, "PROXY UNKNOWN\r\n");
    ip_of(&p->source, ip, port);
    inet_ntop(family, ip, from, sizeof from);
    ip_of(&p->destination, ip, port);
    inet_ntop(family, ip, to, sizeof to);
    return snprintf(buf, EDDY_PROXY_V1_MAX + 1, "PROXY TCP%d %s %s %u %u\r\n",
                    family == AF_INET ? 4 : 6, from, to, eddy_address_port(&p->source),
                    eddy_address_port(&p->destination));
}

static void put_unix(char *to, const struct eddy_address *a)
{
    const size_t path = offsetof(struct sockaddr_un, sun_path);
    const size_t len = a->len > path ? a->len - path : 0;

    memset(to, 0, UNIX_PATH_LEN);
    memcpy(to, (const char *)&a->storage + path, len < UNIX_PATH_LEN ? len : UNIX_PATH_LEN);
}

static size_t put_addresses(const struct eddy_proxy *p, int family, char *at)
{
    const size_t ip = family == AF_INET ? 4 : 16;
    char bytes[16];

    if (family == 0)
        return 0;
    if (family == AF_UNIX) {
        put_unix(at, &p->source);
        put_unix(at + UNIX_PATH_LEN, &p->destination);
        return (size_t)2 * UNIX_PATH_LEN;
    }
    ip_of(&p->source, bytes, at + 2 * ip);
    memcpy(at, bytes, ip);
    ip_of(&p->destination, bytes, at + 2 * ip + 2);
    memcpy(at + ip, bytes, ip);
    return 2 * ip + 4;
}

/* The extensions but the checksum, which is made anew. -EINVAL: they do not fill their place. */
static ssize_t put_extensions(const struct eddy_proxy *p, char *at, size_t room)
{
    const char *from = p->extensions.ptr;
    size_t left = p->extensions.len, len = 0;

    while (left) {
        const size_t one = left < 3 ? left + 1 : 3 + (size_t)get16(from + 1);
        if (one > left)
            return -EINVAL;
        if ((unsigned char)from[0] != EDDY_PROXY_CRC32C) {
            if (one > room - len)
                return -EDDY_ETOOBIG;
            memcpy(at + len, from, one);
            len += one;
        }
        from += one;
        left -= one;
    }
    return (ssize_t)len;
}

static ssize_t write_v2(const struct eddy_proxy *p, int family, char *buf)
{
    static const char checksum[] = { EDDY_PROXY_CRC32C, 0, 4, 0, 0, 0, 0 };
    const unsigned families[][2] = { { AF_INET, 1 }, { AF_INET6, 2 }, { AF_UNIX, 3 } };
    unsigned code = 0;

    for (size_t i = 0; i < 3; i++)
        if (families[i][0] == (unsigned)family)
            code = families[i][1] << 4 | (p->datagram ? 2 : 1);
    memcpy(buf, SIGNATURE, SIGNATURE_LEN);
    buf[12] = (char)(0x20 | !p->local);
    buf[13] = (char)code;
    size_t len = V2_FIXED + put_addresses(p, family, buf + V2_FIXED);
    if (code) { /* who is nobody has nothing besides */
        ssize_t n = put_extensions(p, buf + len, EDDY_PROXY_MAX - len);
        if (n < 0)
            return n;
        len += (size_t)n;
    }
    if (code && p->checksum) {
        if (EDDY_PROXY_MAX - len < sizeof checksum)
            return -EDDY_ETOOBIG;
        memcpy(buf + len, checksum, sizeof checksum);
        len += sizeof checksum;
    }
    put16(buf + 14, len - V2_FIXED);
    if (code && p->checksum) {
        uint32_t crc = header_crc32c(buf, len, len - 4);
        put16(buf + len - 4, crc >> 16);
        put16(buf + len - 2, crc & 0xffff);
    }
    return (ssize_t)len;
}

ssize_t eddy_proxy_write(const struct eddy_proxy *proxy, void *buf, size_t cap)
{
    char header[EDDY_PROXY_MAX];
    int family;

    if ((proxy->version != 1 && proxy->version != 2) || family_of(proxy, &family) < 0)
        return -EINVAL;
    ssize_t n = proxy->version == 1 ? write_v1(proxy, family, header)
                                    : write_v2(proxy, family, header);
    if (n < 0)
        return n;
    if ((size_t)n > cap)
        return -ENOSPC;
    memcpy(buf, header, (size_t)n);
    return n;
}
