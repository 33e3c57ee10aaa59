/*
 * codec/address.c - addresses of sockets as text and as the system has them
 */
#include <eddy/address.h>

#include <arpa/inet.h>
#include <assert.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

static_assert(sizeof(struct sockaddr_un) <= sizeof(struct sockaddr_storage), "any address fits");

#define UNIX_PATH offsetof(struct sockaddr_un, sun_path)

static struct sockaddr_in *as_in(struct eddy_address *a)
{
    return (struct sockaddr_in *)(void *)&a->storage;
}

static struct sockaddr_in6 *as_in6(struct eddy_address *a)
{
    return (struct sockaddr_in6 *)(void *)&a->storage;
}

static struct sockaddr_un *as_un(struct eddy_address *a)
{
    return (struct sockaddr_un *)(void *)&a->storage;
}

static int parse_unix(struct eddy_slice path, struct eddy_address *ret, struct eddy_error *err)
{
    struct eddy_address a = { 0 };
    struct sockaddr_un *un = as_un(&a);
    bool abstract = path.len && path.ptr[0] == '@';

    if (!path.len || (abstract && path.len == 1))
        return eddy_error_set(err, -EINVAL, 5, "no path behind unix:");
    /* A path keeps its NUL; an abstract name has none, and its '@' becomes one. */
    if (path.len + !abstract > sizeof un->sun_path)
        return eddy_error_set(err, -EINVAL, 5, "a Unix socket's path of %zu bytes; %zu is the most",
                              path.len, sizeof un->sun_path - 1);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.ptr, path.len);
    if (abstract)
        un->sun_path[0] = '\0';
    a.len = (socklen_t)(UNIX_PATH + path.len + !abstract);
    *ret = a;
    return 0;
}

static int parse_port(const char *text, const char *from, struct eddy_error *err,
                      uint16_t *ret_port)
{
    struct eddy_slice digits = eddy_slice_of(from);
    uint64_t port;

    if (eddy_slice_u64(digits, &port) < 0 || port > 65535)
        return eddy_error_set(err, -EINVAL, (size_t)(from - text),
                              "'%.32s' is not a port from 0 to 65535", from);
    *ret_port = (uint16_t)port;
    return 0;
}

/* A host's bytes: enough to keep blanks, controls and URLs out; the resolver judges the rest. */
static int check_host(const char *text, struct eddy_slice host, struct eddy_error *err)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (c <= ' ' || c == 0x7f || strchr("/?#@[]\\\"'<>", (char)c))
            return eddy_error_set(err, -EINVAL, (size_t)(host.ptr - text) + i,
                                  c == '/' ? "a '/' in a host: an address, not a URL, is wanted"
                                           : "a byte that no host's name holds");
    }
    return 0;
}

int eddy_address_split(const char *text, uint16_t default_port, struct eddy_slice *ret_host,
                       uint16_t *ret_port, struct eddy_error *err)
{
    struct eddy_slice host = eddy_slice_of(text);
    const char *colon = strchr(text, ':'), *port = NULL;
    uint64_t number;

    if (!host.len)
        return eddy_error_set(err, -EINVAL, 0, "an empty address");
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (!close || close == text + 1)
            return eddy_error_set(err, -EINVAL, 0, "a '[' without an address and its ']'");
        if (close[1] && close[1] != ':')
            return eddy_error_set(err, -EINVAL, (size_t)(close + 1 - text),
                                  "no ':' behind the ']'");
        host = (struct eddy_slice){ text + 1, (size_t)(close - text - 1) };
        port = close[1] ? close + 2 : NULL;
    } else if (colon && !strchr(colon + 1, ':')) {
        host.len = (size_t)(colon - text);
        port = colon + 1;
    } else if (!colon && eddy_slice_u64(host, &number) == 0) {
        host = EDDY_SLICE("127.0.0.1");
        port = text;
    }
    if (host.len == 1 && host.ptr[0] == '*')
        host = (struct eddy_slice){ text, 0 };

    uint16_t value = default_port;
    int r = port ? parse_port(text, port, err, &value) : 0;
    if (r == 0)
        r = check_host(text, host, err);
    if (r < 0)
        return r;
    if (!port && !default_port)
        return eddy_error_set(err, -EINVAL, strlen(text), "no port (write host:8000)");
    *ret_host = host;
    *ret_port = value;
    return 0;
}

/* "fe80::1%eth0": the scope is an interface, by name or number. */
static int parse_ipv6(char *host, struct eddy_address *ret)
{
    char *percent = strchr(host, '%');
    uint64_t scope = 0;

    if (percent) {
        *percent = '\0';
        scope = if_nametoindex(percent + 1);
        if (!scope &&
            (eddy_slice_u64(eddy_slice_of(percent + 1), &scope) < 0 || scope > UINT32_MAX))
            return EDDY_ADDRESS_NAME;
    }
    if (inet_pton(AF_INET6, host, &as_in6(ret)->sin6_addr) != 1)
        return EDDY_ADDRESS_NAME;
    as_in6(ret)->sin6_family = AF_INET6;
    as_in6(ret)->sin6_scope_id = (uint32_t)scope;
    ret->len = sizeof(struct sockaddr_in6);
    return 0;
}

int eddy_address_of_ip(struct eddy_slice host, uint16_t port, struct eddy_address *ret_address)
{
    struct eddy_address a = { 0 };
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];

    if (!host.len || host.len >= sizeof text || memchr(host.ptr, '\0', host.len))
        return EDDY_ADDRESS_NAME;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';

    if (inet_pton(AF_INET, text, &as_in(&a)->sin_addr) == 1) {
        as_in(&a)->sin_family = AF_INET;
        a.len = sizeof(struct sockaddr_in);
    } else if (parse_ipv6(text, &a) != 0) {
        return EDDY_ADDRESS_NAME;
    }
    eddy_address_set_port(&a, port);
    *ret_address = a;
    return 0;
}

int eddy_address_parse(const char *text, uint16_t default_port, struct eddy_address *ret_address,
                       struct eddy_error *err)
{
    struct eddy_slice host = { NULL, 0 };
    uint16_t port = 0;

    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(eddy_slice_of(text + 5), ret_address, err);

    int r = eddy_address_split(text, default_port, &host, &port, err);
    if (r < 0)
        return r;
    assert(host.ptr);
    r = eddy_address_of_ip(host.len ? host : EDDY_SLICE("0.0.0.0"), port, ret_address);
    if (r == EDDY_ADDRESS_NAME && (text[0] == '[' || memchr(host.ptr, ':', host.len)))
        return eddy_error_set(err, -EINVAL, 0, "'%.64s' is not an IPv6 address", text);
    return r;
}

int eddy_address_of_sockaddr(const struct sockaddr *sockaddr, socklen_t len,
                             struct eddy_address *ret_address)
{
    struct eddy_address a = { .len = len };

    if (len > sizeof a.storage || (len && len < sizeof(sa_family_t)))
        return -EINVAL;
    memcpy(&a.storage, sockaddr, len);
    *ret_address = a;
    return 0;
}

int eddy_address_family(const struct eddy_address *address)
{
    return address->len ? address->storage.ss_family : 0;
}

uint16_t eddy_address_port(const struct eddy_address *address)
{
    struct eddy_address a = *address;

    switch (eddy_address_family(address)) {
    case AF_INET: return ntohs(as_in(&a)->sin_port);
    case AF_INET6: return ntohs(as_in6(&a)->sin6_port);
    default: return 0;
    }
}

void eddy_address_set_port(struct eddy_address *address, uint16_t port)
{
    switch (eddy_address_family(address)) {
    case AF_INET: as_in(address)->sin_port = htons(port); break;
    case AF_INET6: as_in6(address)->sin6_port = htons(port); break;
    default: break;
    }
}

bool eddy_address_eq(const struct eddy_address *a, const struct eddy_address *b)
{
    struct eddy_address x = *a, y = *b;

    /* Not memcmp() on IP addresses: the system may leave anything in their padding. */
    if (eddy_address_family(a) != eddy_address_family(b) ||
        eddy_address_port(a) != eddy_address_port(b))
        return false;
    switch (eddy_address_family(a)) {
    case AF_INET: return as_in(&x)->sin_addr.s_addr == as_in(&y)->sin_addr.s_addr;
    case AF_INET6:
        return memcmp(&as_in6(&x)->sin6_addr, &as_in6(&y)->sin6_addr, sizeof(struct in6_addr)) ==
                   0 &&
               as_in6(&x)->sin6_scope_id == as_in6(&y)->sin6_scope_id;
    default: return x.len == y.len && memcmp(&x.storage, &y.storage, x.len) == 0;
    }
}

static void format_unix(struct eddy_address *a, char *buf, size_t cap)
{
    const char *path = as_un(a)->sun_path;
    size_t len = a->len > UNIX_PATH ? a->len - UNIX_PATH : 0;

    if (!len)
        snprintf(buf, cap, "unix:");
    else if (path[0] == '\0')
        snprintf(buf, cap, "unix:@%.*s", (int)(len - 1), path + 1);
    else
        snprintf(buf, cap, "unix:%.*s", (int)len, path);
}

/* An IPv6 host, with its interface where it has one. */
static void format_in6(struct eddy_address *a, char *buf, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "?", scope[IF_NAMESIZE] = "";
    const unsigned id = as_in6(a)->sin6_scope_id;

    inet_ntop(AF_INET6, &as_in6(a)->sin6_addr, host, sizeof host);
    if (id && !if_indextoname(id, scope))
        snprintf(scope, sizeof scope, "%u", id);
    snprintf(buf, cap, "%s%s%s", host, id ? "%" : "", scope);
}

const char *eddy_address_format_ip(const struct eddy_address *address, char *buf, size_t cap)
{
    struct eddy_address a = *address;
    char ip[INET_ADDRSTRLEN] = "?";

    if (!cap)
        return buf;
    switch (eddy_address_family(address)) {
    case AF_INET:
        inet_ntop(AF_INET, &as_in(&a)->sin_addr, ip, sizeof ip);
        snprintf(buf, cap, "%s", ip);
        break;
    case AF_INET6: format_in6(&a, buf, cap); break;
    case AF_UNIX: format_unix(&a, buf, cap); break;
    default: snprintf(buf, cap, "?"); break;
    }
    return buf;
}

const char *eddy_address_format(const struct eddy_address *address, char *buf, size_t cap)
{
    char ip[EDDY_ADDRESS_TEXT];
    const int family = eddy_address_family(address);

    if (family != AF_INET && family != AF_INET6)
        return eddy_address_format_ip(address, buf, cap);
    eddy_address_format_ip(address, ip, sizeof ip);
    if (cap)
        snprintf(buf, cap, "%s%s%s:%u", family == AF_INET ? "" : "[", ip,
                 family == AF_INET ? "" : "]", eddy_address_port(address));
    return buf;
}
