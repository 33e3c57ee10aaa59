/*
 * http1_response_fuzz.c - a response's head, as the answer to several methods
 */
#include "codec/http/http1.h"
#include "fuzz.h"

static void inside(struct eddy_slice s, const char *head, size_t len)
{
    REQUIRE(!s.ptr || !s.len || (s.ptr >= head && s.ptr + s.len <= head + len));
}

static void judge(const struct eddy__http1_head *h, const char *head, size_t len)
{
    inside(h->reason, head, len);
    inside(h->upgrade, head, len);
    for (size_t i = 0; i < h->header_count; i++) {
        inside(h->headers[i].name, head, len);
        inside(h->headers[i].value, head, len);
    }
    REQUIRE(h->status >= 100 && h->status <= 999);
    REQUIRE(!(h->chunked && h->content_length >= 0));
    REQUIRE(!(h->until_close && (h->no_body || h->chunked || h->keep_alive)));
    /* How long the body is can be said in exactly one way. */
    REQUIRE(h->no_body || (h->chunked + (h->content_length >= 0) + h->until_close) == 1);
}

static void parse(const uint8_t *data, size_t len, enum eddy_method method)
{
    struct eddy_header headers[EDDY__HTTP1_HEADERS];
    struct eddy__http1_head h;
    struct eddy_error err;
    char *head = fuzz_copy(data, len);

    int r = eddy__http1_parse_response(head, len, method, headers, EDDY__HTTP1_HEADERS, &h, &err);
    if (r == 0)
        judge(&h, head, len);
    else
        REQUIRE(err.offset <= len);
    free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct eddy__http1_scan scan = { 0 };
    struct eddy__http1_scan by_bytes = { 0 };
    ssize_t n = eddy__http1_scan(&scan, (const char *)data, len, NULL);
    ssize_t r = 0;

    for (size_t i = 1; i <= len && r == 0; i++)
        r = eddy__http1_scan(&by_bytes, (const char *)data, i, NULL);
    REQUIRE(r == n);
    if (n <= 0)
        return 0;
    parse(data, (size_t)n, EDDY_METHOD_GET);
    parse(data, (size_t)n, EDDY_METHOD_HEAD);
    parse(data, (size_t)n, EDDY_METHOD_CONNECT);
    return 0;
}
