/*
 * codec/http/http1_start.c - the request line and the status line
 *
 * RFC 9112 3 and 4, by the letter: single blanks, nothing behind the version. The head was scanned,
 * so its first line ends in CR LF and holds no control byte.
 */
#include "codec/http/http1_chars.h"
#include "codec/http/http1_inside.h"

/* 'HTTP/1.x' at @p, where 8 bytes are readable. */
static int version(const char *p, const char *base, int *ret_minor, struct eddy_error *err)
{
    if (memcmp(p, "HTTP/", 5) != 0 || !eddy__http1_is(p[5], EDDY__HTTP1_DIGIT) || p[6] != '.' ||
        !eddy__http1_is(p[7], EDDY__HTTP1_DIGIT))
        return eddy__http1_refuse(err, -EDDY_EHTTP, base, p, "no HTTP version in the first line");
    if (p[5] != '1' || p[7] > '1')
        return eddy__http1_refuse(err, -EDDY_EHTTP_VERSION, base, p,
                                  "an HTTP version other than 1.0 and 1.1");
    *ret_minor = p[7] - '0';
    return 0;
}

/* Divides @path at its first '?'. */
static void split_query(struct eddy__http1_head *ret, const char *path, size_t len)
{
    const char *mark = memchr(path, '?', len);

    ret->path = (struct eddy_slice){ path, mark ? (size_t)(mark - path) : len };
    ret->query = mark ? (struct eddy_slice){ mark + 1, len - ret->path.len - 1 }
                      : (struct eddy_slice){ path + len, 0 };
}

/* "http://host/path": what proxies are sent, and what a server must take too (RFC 9112 3.2.2). */
static int absolute_form(struct eddy__http1_head *ret)
{
    const char *p = ret->target.ptr, *end = p + ret->target.len;
    size_t scheme = ret->target.len > 7 && eddy__http1_same(p, "http", 4) ? 4 : 0;

    if (scheme && (p[4] | 0x20) == 's')
        scheme = 5;
    if (!scheme || ret->target.len <= scheme + 3 || memcmp(p + scheme, "://", 3) != 0)
        return -EDDY_EHTTP;

    const char *host = p + scheme + 3, *at = host;
    while (at < end && *at != '/' && *at != '?')
        at++;
    ret->host = (struct eddy_slice){ host, (size_t)(at - host) };
    if (!ret->host.len || !eddy__http1_host_ok(ret->host, false))
        return -EDDY_EHTTP;

    split_query(ret, at, (size_t)(end - at));
    if (!ret->path.len)
        ret->path = EDDY_SLICE("/");
    return 0;
}

static int target(struct eddy__http1_head *ret)
{
    struct eddy_slice t = ret->target;

    if (ret->method == EDDY_METHOD_CONNECT) {
        ret->host = t;
        ret->path = ret->query = (struct eddy_slice){ t.ptr + t.len, 0 };
        return eddy__http1_host_ok(t, true) ? 0 : -EDDY_EHTTP;
    }
    if (t.ptr[0] == '/') {
        split_query(ret, t.ptr, t.len);
        return 0;
    }
    if (t.len == 1 && t.ptr[0] == '*' && ret->method == EDDY_METHOD_OPTIONS) {
        split_query(ret, t.ptr, t.len);
        return 0;
    }
    return absolute_form(ret);
}

int eddy__http1_request_line(const char *head, size_t len, struct eddy__http1_head *ret,
                             size_t *ret_used, struct eddy_error *err)
{
    size_t at = eddy__http1_run(head, 0, len, EDDY__HTTP1_TOKEN);
    if (!at || at == len || head[at] != ' ')
        return eddy__http1_refuse(err, -EDDY_EHTTP, head, head + at, "not a method and a blank");
    ret->method_text = (struct eddy_slice){ head, at };
    ret->method = eddy_method_of(ret->method_text);

    size_t from = ++at;
    at = eddy__http1_run(head, at, len, EDDY__HTTP1_TARGET);
    if (at == from || len - at < 11 || head[at] != ' ')
        return eddy__http1_refuse(err, -EDDY_EHTTP, head, head + at,
                                  "the request line is not: method, target, version");
    ret->target = (struct eddy_slice){ head + from, at - from };

    int r = version(head + at + 1, head, &ret->minor_version, err);
    if (r < 0)
        return r;
    if (memcmp(head + at + 9, "\r\n", 2) != 0)
        return eddy__http1_refuse(err, -EDDY_EHTTP, head, head + at + 9,
                                  "bytes behind the HTTP version");
    *ret_used = at + 11;

    if (target(ret) < 0)
        return eddy__http1_refuse(err, -EDDY_EHTTP, head, head + from,
                                  "a request target of no form that this method may have");
    return 0;
}

int eddy__http1_response_line(const char *head, size_t len, struct eddy__http1_head *ret,
                              size_t *ret_used, struct eddy_error *err)
{
    const char *cr = memchr(head, '\r', len);
    size_t line = cr ? (size_t)(cr - head) : 0;

    if (line < 12 || (size_t)(cr - head) + 2 > len)
        return eddy__http1_refuse(err, -EDDY_EHTTP, head, head, "not a status line");
    int r = version(head, head, &ret->minor_version, err);
    if (r < 0)
        return r;

    /* A blank must stand before the phrase even when that is empty; many leave it out, and
     * nothing can be misread by allowing that. */
    const char *p = head + 9;
    if (head[8] != ' ' || !eddy__http1_is(p[0], EDDY__HTTP1_DIGIT) ||
        !eddy__http1_is(p[1], EDDY__HTTP1_DIGIT) || !eddy__http1_is(p[2], EDDY__HTTP1_DIGIT) ||
        (line > 12 && p[3] != ' '))
        return eddy__http1_refuse(err, -EDDY_EHTTP, head, head + 8, "no status of three digits");
    ret->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
    if (ret->status < 100)
        return eddy__http1_refuse(err, -EDDY_EHTTP, head, p, "a status below 100");

    ret->reason = line > 13 ? (struct eddy_slice){ p + 4, line - 13 } : EDDY_SLICE("");
    *ret_used = line + 2;
    return 0;
}
