/*
 * codec/http/http1_parse.c - a whole head taken apart, with llhttp over the fields
 *
 * llhttp's state behind a start line is the same for all messages, so it is reached once, with a
 * constant line, and copied for each head; the real start line is read by http1_start.c, which lets
 * methods pass that llhttp has no name for. llhttp's own opinions on lengths are switched off
 * (lenient flags): http1_rules.c has stricter ones, and can say which was broken.
 */
#include "codec/http/http1_inside.h"

#include <assert.h>
#include <llhttp.h>
#include <pthread.h>

struct fields {
    llhttp_t parser;
    struct eddy_header *headers;
    size_t cap, count;
    bool too_many;
    bool begun; /* the last field has a value already */
};

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct fields *f = parser->data;

    if (f->count == f->cap) {
        f->too_many = true;
        return HPE_USER;
    }
    /* A name comes whole, for the head is; but what ends it had better be its colon. */
    if (at[len] != ':')
        return HPE_USER;
    f->headers[f->count++] = (struct eddy_header){ { at, len }, { at + len + 1, 0 } };
    f->begun = false;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct fields *f = parser->data;

    assert(f->count > 0);
    while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    /* Should llhttp hand a value over in parts, they lie side by side. */
    struct eddy_slice *value = &f->headers[f->count - 1].value;
    if (f->begun)
        value->len = (size_t)(at - value->ptr) + len;
    else
        *value = (struct eddy_slice){ at, len };
    f->begun = true;
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

static llhttp_t behind_request_line, behind_status_line;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void prepare_one(llhttp_t *parser, llhttp_type_t type, const char *line)
{
    llhttp_init(parser, type, &settings);
    llhttp_set_lenient_chunked_length(parser, 1);
    llhttp_set_lenient_transfer_encoding(parser, 1);
    llhttp_errno_t r = llhttp_execute(parser, line, strlen(line));
    assert(r == HPE_OK);
    (void)r;
}

static void prepare(void)
{
    prepare_one(&behind_request_line, HTTP_REQUEST, "GET / HTTP/1.1\r\n");
    prepare_one(&behind_status_line, HTTP_RESPONSE, "HTTP/1.1 200 OK\r\n");
}

static int parse_fields(const llhttp_t *begin, const char *head, size_t at, size_t len,
                        struct eddy_header *headers, size_t cap, struct eddy__http1_head *ret,
                        struct eddy_error *err)
{
    struct fields f = { .parser = *begin, .headers = headers, .cap = cap };

    f.parser.data = &f;
    llhttp_errno_t r = llhttp_execute(&f.parser, head + at, len - at);
    if (f.too_many)
        return eddy_error_set(err, -EDDY_EHEAD_TOOBIG, len, "more fields than the limit");
    if (r != HPE_PAUSED) {
        const char *where = llhttp_get_error_pos(&f.parser);
        size_t offset = where && where >= head && where <= head + len ? (size_t)(where - head)
                                                                      : len;
        return eddy_error_set(err, -EDDY_EHTTP, offset, "a broken field line (%s)",
                              r == HPE_OK ? "cut short" : llhttp_errno_name(r));
    }
    ret->headers = headers;
    ret->header_count = f.count;
    return 0;
}

/* The empty line that the scan let pass before the start line. */
static size_t leading(const char *head, size_t len)
{
    return len > 2 && head[0] == '\r' && head[1] == '\n' ? 2 : 0;
}

/* Member by member: gcc clears a struct of this size with `rep stos`, at a tenth of a parse. And
 * not a = b = none: it reads each back, wider than it was written, and waits for that. */
static void begin(struct eddy__http1_head *h)
{
    const struct eddy_slice none = { NULL, 0 };

    h->method = EDDY_METHOD_OTHER;
    h->method_text = none;
    h->target = none;
    h->path = none;
    h->query = none;
    h->host = none;
    h->status = 0;
    h->reason = none;
    h->upgrade = none;
    h->until_close = h->no_body = false;
    h->minor_version = 0;
    h->headers = NULL;
    h->header_count = 0;
    h->content_length = -1;
    h->chunked = h->keep_alive = h->expect_continue = h->connection_upgrade = false;
}

int eddy__http1_parse_request(char *head, size_t len, struct eddy_header *headers, size_t cap,
                              struct eddy__http1_head *ret, struct eddy_error *err)
{
    size_t skip = leading(head, len), at;

    pthread_once(&prepared, prepare);
    begin(ret);
    int r = eddy__http1_request_line(head + skip, len - skip, ret, &at, err);
    if (r == 0)
        r = parse_fields(&behind_request_line, head + skip, at, len - skip, headers, cap, ret, err);
    if (r == 0)
        r = eddy__http1_judge_request(ret, head + skip, err);
    if (r < 0 && err)
        err->offset += skip;
    return r;
}

int eddy__http1_parse_response(char *head, size_t len, enum eddy_method method,
                               struct eddy_header *headers, size_t cap,
                               struct eddy__http1_head *ret, struct eddy_error *err)
{
    size_t skip = leading(head, len), at;

    pthread_once(&prepared, prepare);
    begin(ret);
    int r = eddy__http1_response_line(head + skip, len - skip, ret, &at, err);
    if (r == 0)
        r = parse_fields(&behind_status_line, head + skip, at, len - skip, headers, cap, ret, err);
    if (r == 0)
        r = eddy__http1_judge_response(ret, method, head + skip, err);
    if (r < 0 && err)
        err->offset += skip;
    return r;
}
