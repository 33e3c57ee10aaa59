/*
 * codec/http/http1_rules.c - what a message may say about its own length, and about its host
 *
 * Request smuggling is two readers who disagree on where a message ends. So whatever could be
 * read in two ways is refused, also where the RFC would let us choose a reading:
 *
 *   Content-Length     digits only, once, no list, below 2^63
 *   Transfer-Encoding  "chunked" and nothing else, once, never in HTTP/1.0
 *   both               never
 *   Host               exactly one in HTTP/1.1, at most one in 1.0; host or host:port
 *
 * Rules on single bytes and lines are in http1_scan.c, where they are seen first.
 */
#include "codec/http/http1_chars.h"
#include "codec/http/http1_inside.h"

struct judge {
    struct eddy__http1_head *head;
    const char *base; /* offsets count from here */
    struct eddy_error *err;
    const struct eddy_header *host, *length, *coding, *expect, *upgrade;
    bool chunked, other_coding;
    bool close, keep_alive;
};

static int refuse(struct judge *j, int code, const char *at, const char *why)
{
    return eddy__http1_refuse(j->err, code, j->base, at, why);
}

/* The next element of a comma-separated list, trimmed; false at its end. *rest moves behind it. */
static bool next_element(struct eddy_slice *rest, struct eddy_slice *ret)
{
    if (!rest->ptr)
        return false;
    const char *comma = rest->len ? memchr(rest->ptr, ',', rest->len) : NULL;
    size_t len = comma ? (size_t)(comma - rest->ptr) : rest->len;

    *ret = eddy_slice_trim((struct eddy_slice){ rest->ptr, len });
    *rest = comma ? (struct eddy_slice){ comma + 1, rest->len - len - 1 }
                  : (struct eddy_slice){ NULL, 0 };
    return true;
}

bool eddy__http1_list_has(struct eddy_slice list, struct eddy_slice token)
{
    struct eddy_slice element;

    while (next_element(&list, &element))
        if (eddy_slice_ieq(element, token))
            return true;
    return false;
}

struct eddy_slice eddy__http1_header(const struct eddy_header *headers, size_t count,
                                     struct eddy_slice name)
{
    for (size_t i = 0; i < count; i++)
        if (eddy_slice_ieq(headers[i].name, name))
            return headers[i].value;
    return (struct eddy_slice){ NULL, 0 };
}

bool eddy__http1_host_ok(struct eddy_slice host, bool port_required)
{
    const char *p = host.ptr;
    size_t at = 0;

    if (host.len && p[0] == '[') {
        for (at = 1; at < host.len && p[at] != ']'; at++)
            if (!eddy__http1_is(p[at], EDDY__HTTP1_HEX) && p[at] != ':' && p[at] != '.')
                return false;
        if (at < 3 || at == host.len)
            return false;
        at++;
    } else {
        while ((at = eddy__http1_run(p, at, host.len, EDDY__HTTP1_HOST)) < host.len) {
            if (p[at] != '%')
                break;
            if (host.len - at < 3 || !eddy__http1_is(p[at + 1], EDDY__HTTP1_HEX) ||
                !eddy__http1_is(p[at + 2], EDDY__HTTP1_HEX))
                return false;
            at += 3;
        }
    }
    if (at == host.len)
        return !port_required;

    size_t digits = host.len - at - 1;
    if (at == 0 || p[at] != ':' || digits > 5 || (!digits && port_required))
        return false;
    unsigned port = 0;
    for (at++; at < host.len; at++) {
        if (!eddy__http1_is(p[at], EDDY__HTTP1_DIGIT))
            return false;
        port = port * 10 + (unsigned)(p[at] - '0');
    }
    return port <= 65535;
}

static int content_length(struct judge *j, const struct eddy_header *field)
{
    struct eddy_slice v = field->value;
    uint64_t value = 0;

    if (j->length)
        return refuse(j, -EDDY_EHTTP, field->name.ptr, "two Content-Length fields");
    j->length = field;
    if (!v.len)
        return refuse(j, -EDDY_EHTTP, v.ptr, "an empty Content-Length");
    for (size_t i = 0; i < v.len; i++) {
        if (!eddy__http1_is(v.ptr[i], EDDY__HTTP1_DIGIT))
            return refuse(j, -EDDY_EHTTP, v.ptr + i, "a Content-Length that is not one number");
        value = value * 10 + (uint64_t)(v.ptr[i] - '0');
        if (value > INT64_MAX / 10 && i + 1 < v.len)
            return refuse(j, -EDDY_EHTTP, v.ptr, "a Content-Length past any size");
    }
    if (value > INT64_MAX)
        return refuse(j, -EDDY_EHTTP, v.ptr, "a Content-Length past any size");
    j->head->content_length = (int64_t)value;
    return 0;
}

/* One coding of the list, over all fields of that name. Unknown ones are remembered, not refused
 * at once: that the list is broken outranks that we do not speak it. */
static int transfer_coding(struct judge *j, struct eddy_slice coding)
{
    size_t token = eddy__http1_run(coding.ptr, 0, coding.len, EDDY__HTTP1_TOKEN);

    if (!token)
        return refuse(j, -EDDY_EHTTP, coding.ptr, "an empty or broken transfer coding");
    if (j->chunked)
        return refuse(j, -EDDY_EHTTP, coding.ptr, "a transfer coding behind chunked");
    if (token != 7 || !eddy__http1_same(coding.ptr, "chunked", 7)) {
        if (token < coding.len && coding.ptr[token] != ';' && coding.ptr[token] != ' ' &&
            coding.ptr[token] != '\t')
            return refuse(j, -EDDY_EHTTP, coding.ptr + token, "a broken transfer coding");
        j->other_coding = true;
        return 0;
    }
    if (coding.len != 7)
        return refuse(j, -EDDY_EHTTP, coding.ptr + 7, "chunked with something behind it");
    j->chunked = true;
    return 0;
}

static int transfer_encoding(struct judge *j, const struct eddy_header *field)
{
    struct eddy_slice rest = field->value, coding;
    int r = 0;

    j->coding = field;
    while (r == 0 && next_element(&rest, &coding))
        r = transfer_coding(j, coding);
    return r;
}

static void connection(struct judge *j, struct eddy_slice v)
{
    struct eddy_slice element;

    if (v.len == 10 && eddy__http1_same(v.ptr, "keep-alive", 10)) {
        j->keep_alive = true;
        return;
    }
    while (next_element(&v, &element)) {
        if (element.len == 5 && eddy__http1_same(element.ptr, "close", 5))
            j->close = true;
        else if (element.len == 7 && eddy__http1_same(element.ptr, "upgrade", 7))
            j->head->connection_upgrade = true;
        else if (element.len == 10 && eddy__http1_same(element.ptr, "keep-alive", 10))
            j->keep_alive = true;
    }
}

/* Names by length first: most fields are passed over with one jump. */
static int field(struct judge *j, const struct eddy_header *f)
{
    const char *name = f->name.ptr;

    switch (f->name.len) {
    case 4:
        if (eddy__http1_same(name, "host", 4)) {
            if (j->host)
                return refuse(j, -EDDY_EHTTP, name, "two Host fields");
            j->host = f;
        }
        return 0;
    case 6:
        if (eddy__http1_same(name, "expect", 6)) {
            if (j->expect)
                return refuse(j, -EDDY_EHTTP, name, "two Expect fields");
            j->expect = f;
        }
        return 0;
    case 7:
        if (eddy__http1_same(name, "upgrade", 7) && !j->upgrade)
            j->upgrade = f;
        return 0;
    case 10:
        if (eddy__http1_same(name, "connection", 10))
            connection(j, f->value);
        return 0;
    case 14: return eddy__http1_same(name, "content-length", 14) ? content_length(j, f) : 0;
    case 17: return eddy__http1_same(name, "transfer-encoding", 17) ? transfer_encoding(j, f) : 0;
    default: return 0;
    }
}

static int framing(struct judge *j)
{
    struct eddy__http1_head *head = j->head;

    head->content_length = -1;
    for (size_t i = 0; i < head->header_count; i++) {
        int r = field(j, &head->headers[i]);
        if (r < 0)
            return r;
    }
    if (j->coding) {
        const char *at = j->coding->name.ptr;
        if (head->minor_version == 0)
            return refuse(j, -EDDY_EHTTP, at, "Transfer-Encoding in HTTP/1.0");
        if (j->length)
            return refuse(j, -EDDY_EHTTP, at, "both Content-Length and Transfer-Encoding");
        if (j->other_coding)
            return refuse(j, -EDDY_EHTTP_CODING, at, "a transfer coding other than chunked");
    }
    head->chunked = j->chunked;
    head->keep_alive = !j->close && (head->minor_version == 1 || j->keep_alive);
    if (head->connection_upgrade && j->upgrade && head->minor_version == 1)
        head->upgrade = j->upgrade->value;
    return 0;
}

int eddy__http1_judge_request(struct eddy__http1_head *head, const char *base,
                              struct eddy_error *err)
{
    struct judge j = { .head = head, .base = base, .err = err };

    int r = framing(&j);
    if (r < 0)
        return r;

    if (!j.host && head->minor_version == 1)
        return refuse(&j, -EDDY_EHTTP, base, "no Host field");
    if (j.host) {
        if (!eddy__http1_host_ok(j.host->value, false))
            return refuse(&j, -EDDY_EHTTP, j.host->value.ptr,
                          "a Host that is not host or host:port");
        /* An absolute target's own host wins (RFC 9112 3.2.2). */
        if (!head->host.ptr)
            head->host = j.host->value;
    }
    if (j.expect) {
        if (!eddy_slice_ieq(j.expect->value, EDDY_SLICE("100-continue")))
            return refuse(&j, -EDDY_EEXPECT, j.expect->value.ptr,
                          "an expectation other than 100-continue");
        head->expect_continue = head->minor_version == 1 && eddy__http1_has_body(head);
    }
    return 0;
}

int eddy__http1_judge_response(struct eddy__http1_head *head, enum eddy_method asked,
                               const char *base, struct eddy_error *err)
{
    struct judge j = { .head = head, .base = base, .err = err };

    int r = framing(&j);
    if (r < 0)
        return r;

    int status = head->status;
    head->no_body = status < 200 || status == 204 || status == 304 || asked == EDDY_METHOD_HEAD ||
                    (asked == EDDY_METHOD_CONNECT && status < 300);
    head->until_close = !head->no_body && !head->chunked && head->content_length < 0;
    if (head->until_close)
        head->keep_alive = false;
    return 0;
}
