/*
 * codec/url.c - RFC 3986's generic syntax, for URLs that name a host
 */
#include <eddy/url.h>

#include <assert.h>

#define URL_MAX (64u * 1024)

struct parse {
    const char *text;
    size_t len;
    struct eddy_url url;
    struct eddy_error *err;
};

static int refuse(struct parse *p, size_t at, const char *why)
{
    return eddy_error_set(p->err, -EDDY_EURL, at, "%s, at byte %zu", why, at);
}

static bool is_alpha(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* unreserved and sub-delims: allowed in every part */
static bool is_plain(char c)
{
    return is_alpha(c) || is_digit(c) || (c && strchr("-._~!$&'()*+,;=", c));
}

static struct eddy_slice part(const struct parse *p, size_t from, size_t to)
{
    return (struct eddy_slice){ p->text + from, to - from };
}

/* @from to @to: plain bytes, %-triplets, and those of @also. */
static int check_part(struct parse *p, size_t from, size_t to, const char *also, const char *what)
{
    for (size_t i = from; i < to; i++) {
        char c = p->text[i];
        if (is_plain(c) || (c && strchr(also, c)))
            continue;
        if (c == '%') {
            if (to - i < 3 || hex_value(p->text[i + 1]) < 0 || hex_value(p->text[i + 2]) < 0)
                return refuse(p, i, "a '%' without two hex digits (write a literal one as %25)");
            i += 2;
            continue;
        }
        if (c == ' ')
            return refuse(p, i, "a blank (write it as %20)");
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return refuse(p, i, "a control character");
        return eddy_error_set(
            p->err, -EDDY_EURL, i,
            "a byte that %s may not hold, 0x%02x, at byte %zu (write it as %%%02X)", what,
            (unsigned char)c, i, (unsigned char)c);
    }
    return 0;
}

static int parse_scheme(struct parse *p, size_t *ret_next)
{
    size_t at = 0;

    while (at < p->len &&
           (is_alpha(p->text[at]) ||
            (at && (is_digit(p->text[at]) || (p->text[at] && strchr("+-.", p->text[at]))))))
        at++;
    if (!at || p->len - at < 3 || memcmp(p->text + at, "://", 3) != 0)
        return refuse(p, 0, "no scheme (put http:// or https:// in front)");
    p->url.scheme = part(p, 0, at);
    *ret_next = at + 3;
    return 0;
}

static uint16_t default_port(struct eddy_slice scheme)
{
    static const struct {
        const char *scheme;
        uint16_t port;
    } known[] = { { "http", 80 }, { "https", 443 }, { "ws", 80 }, { "wss", 443 } };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (eddy_slice_ieq(scheme, eddy_slice_of(known[i].scheme)))
            return known[i].port;
    return 0;
}

static int parse_port(struct parse *p, size_t from, size_t to)
{
    unsigned port = 0;

    if (from == to)
        return refuse(p, from, "no port behind the ':' (leave both out, or name it)");
    for (size_t i = from; i < to; i++) {
        if (!is_digit(p->text[i]))
            return refuse(p, i, "a port that is not a number");
        port = port * 10 + (unsigned)(p->text[i] - '0');
        if (port > 65535)
            return refuse(p, from, "a port above 65535");
    }
    if (!port)
        return refuse(p, from, "port 0, which nothing can be reached at");
    p->url.port = (uint16_t)port;
    p->url.has_port = true;
    return 0;
}

/* "[::1]" at @from. Its form is judged when it is used: here only its bytes. */
static int parse_ip_literal(struct parse *p, size_t from, size_t end, size_t *ret_next)
{
    const char *close = memchr(p->text + from, ']', end - from);
    if (!close)
        return refuse(p, from, "a '[' without its ']'");
    size_t to = (size_t)(close - p->text);

    for (size_t i = from + 1; i < to; i++)
        if (hex_value(p->text[i]) < 0 && p->text[i] != ':' && p->text[i] != '.')
            return refuse(p, i, "an IPv6 address that is none");
    if (to - from < 3)
        return refuse(p, from, "an empty IPv6 address");
    p->url.host = part(p, from + 1, to);
    p->url.host_is_ipv6 = true;
    *ret_next = to + 1;
    return 0;
}

static int parse_authority(struct parse *p, size_t from, size_t end)
{
    size_t host = from, at = end;

    /* The last '@' would let "a@b@c" through; the first leaves the second to the host's rules. */
    const char *sign = memchr(p->text + from, '@', end - from);
    if (sign) {
        host = (size_t)(sign - p->text) + 1;
        p->url.userinfo = part(p, from, host - 1);
        int r = check_part(p, from, host - 1, ":", "a user's name");
        if (r < 0)
            return r;
    }
    p->url.authority = part(p, host, end);

    if (host < end && p->text[host] == '[') {
        int r = parse_ip_literal(p, host, end, &at);
        if (r < 0)
            return r;
        if (at < end && p->text[at] != ':')
            return refuse(p, at, "neither a port nor a path behind the ']'");
    } else {
        const char *colon = memchr(p->text + host, ':', end - host);
        at = colon ? (size_t)(colon - p->text) : end;
        p->url.host = part(p, host, at);
        if (at == host)
            return refuse(p, host, "no host (a URL is http://host/path)");
        int r = check_part(p, host, at, "", "a host");
        if (r < 0)
            return r;
    }
    p->url.port = default_port(p->url.scheme);
    return at < end ? parse_port(p, at + 1, end) : 0;
}

/* The first of @set from @at on, or @end. */
static size_t find_any(const struct parse *p, size_t at, size_t end, const char *set)
{
    while (at < end && !(p->text[at] && strchr(set, p->text[at])))
        at++;
    return at;
}

int eddy_url_parse(const char *text, size_t len, struct eddy_url *ret_url, struct eddy_error *err)
{
    const struct eddy_slice none = { "", 0 };
    struct parse p = { .text = text, .len = len, .err = err };
    size_t host = 0;

    p.url.userinfo = p.url.path = p.url.query = p.url.fragment = none;
    if (len > URL_MAX)
        return refuse(&p, URL_MAX, "longer than any URL");

    int r = parse_scheme(&p, &host);
    if (r < 0)
        return r;
    size_t path = find_any(&p, host, len, "/?#");
    r = parse_authority(&p, host, path);
    if (r < 0)
        return r;

    size_t query = find_any(&p, path, len, "?#");
    size_t fragment = find_any(&p, query, len, "#");
    r = check_part(&p, path, query, ":@/", "a path");
    if (r == 0 && query < fragment)
        r = check_part(&p, query + 1, fragment, ":@/?", "a query");
    if (r == 0 && fragment < len)
        r = check_part(&p, fragment + 1, len, ":@/?", "a fragment");
    if (r < 0)
        return r;

    p.url.path = part(&p, path, query);
    p.url.target = part(&p, path, fragment);
    if (query < fragment)
        p.url.query = part(&p, query + 1, fragment);
    if (fragment < len)
        p.url.fragment = part(&p, fragment + 1, len);
    assert(p.url.host.len > 0);
    *ret_url = p.url;
    return 0;
}

int eddy_percent_decode(struct eddy_slice text, char *out, size_t *ret_len)
{
    size_t to = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = text.len - i < 3 ? -1 : hex_value(text.ptr[i + 1]);
            int low = high < 0 ? -1 : hex_value(text.ptr[i + 2]);
            if (low < 0)
                return -EINVAL;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[to++] = c;
    }
    *ret_len = to;
    return 0;
}
