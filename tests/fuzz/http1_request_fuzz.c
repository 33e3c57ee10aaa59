/*
 * http1_request_fuzz.c - a request's head: the same verdict however it arrives, and no slice outside
 */
#include "codec/http/http1.h"
#include "fuzz.h"

static const struct eddy__http1_limits tight = { .head = 256, .line = 40, .headers = 4 };

/* In two parts, each at the end of memory of its own, so that looking ahead is seen. */
static ssize_t scan_in_two(const uint8_t *data, size_t len, size_t cut,
                           const struct eddy__http1_limits *limits, struct eddy__http1_scan *scan)
{
    char *first = fuzz_copy(data, cut);

    *scan = (struct eddy__http1_scan){ 0 };
    ssize_t r = eddy__http1_scan(scan, first, cut, limits);
    free(first);
    return r != 0 ? r : eddy__http1_scan(scan, (const char *)data, len, limits);
}

static ssize_t scan_by_bytes(const uint8_t *data, size_t len,
                             const struct eddy__http1_limits *limits, struct eddy__http1_scan *scan)
{
    ssize_t r = 0;

    *scan = (struct eddy__http1_scan){ 0 };
    for (size_t n = 1; n <= len && r == 0; n++)
        r = eddy__http1_scan(scan, (const char *)data, n, limits);
    return r;
}

/* Return: what the scan says of all at once. */
static ssize_t scan_every_way(const uint8_t *data, size_t len,
                              const struct eddy__http1_limits *limits)
{
    struct eddy__http1_scan whole = { 0 }, scan;
    ssize_t want = eddy__http1_scan(&whole, (const char *)data, len, limits);

    REQUIRE(want <= (ssize_t)len && whole.at <= len);
    REQUIRE((want < 0) == (whole.why != NULL));
    size_t step = len > 512 ? len / 64 : 1;
    for (size_t cut = 0; cut <= len; cut += step) {
        REQUIRE(scan_in_two(data, len, cut, limits, &scan) == want);
        REQUIRE(want < 0 || scan.at == whole.at);
    }
    REQUIRE(scan_by_bytes(data, len, limits, &scan) == want);
    return want;
}

static void inside(struct eddy_slice s, const char *head, size_t len)
{
    REQUIRE(!s.ptr || !s.len || (s.ptr >= head && s.ptr + s.len <= head + len) ||
            (s.len == 1 && s.ptr[0] == '/'));
}

static void headers_inside(const struct eddy__http1_head *h, const char *head, size_t len)
{
    for (size_t i = 0; i < h->header_count; i++) {
        struct eddy_header f = h->headers[i];
        inside(f.name, head, len);
        inside(f.value, head, len);
        REQUIRE(f.name.len > 0 && f.value.ptr > f.name.ptr);
        REQUIRE(!f.value.len || (f.value.ptr[0] != ' ' && f.value.ptr[f.value.len - 1] != ' '));
        for (size_t k = 0; k < f.value.len; k++)
            REQUIRE(f.value.ptr[k] != '\r' && f.value.ptr[k] != '\n' && f.value.ptr[k] != '\0');
    }
}

/* Which fields decide is found again, in the plainest way. */
static void framed_by_fields(const struct eddy__http1_head *h)
{
    struct eddy_slice coding, length, host;

    coding = eddy__http1_header(h->headers, h->header_count, EDDY_SLICE("Transfer-Encoding"));
    length = eddy__http1_header(h->headers, h->header_count, EDDY_SLICE("Content-Length"));
    host = eddy__http1_header(h->headers, h->header_count, EDDY_SLICE("Host"));
    REQUIRE(h->chunked == (coding.ptr != NULL));
    REQUIRE(!h->chunked || eddy_slice_ieq(coding, EDDY_SLICE("chunked")));
    REQUIRE((h->content_length >= 0) == (length.ptr != NULL));
    REQUIRE(host.ptr || h->minor_version == 0);
    if (length.ptr) {
        uint64_t value;
        REQUIRE(eddy_slice_u64(length, &value) == 0 && value == (uint64_t)h->content_length);
    }
}

static void judge(const struct eddy__http1_head *h, const char *head, size_t len)
{
    inside(h->method_text, head, len);
    inside(h->target, head, len);
    inside(h->path, head, len);
    inside(h->query, head, len);
    inside(h->host, head, len);
    inside(h->upgrade, head, len);
    headers_inside(h, head, len);
    framed_by_fields(h);
    REQUIRE(h->method_text.len && h->target.len);
    REQUIRE(h->minor_version == 0 || h->minor_version == 1);
    REQUIRE(!(h->chunked && h->content_length >= 0));
    REQUIRE(!(h->chunked && h->minor_version == 0));
    REQUIRE(h->content_length >= -1);
    REQUIRE(!h->no_body && !h->until_close);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct eddy_header headers[EDDY__HTTP1_HEADERS];
    struct eddy__http1_head h, again;
    struct eddy_error err;

    (void)scan_every_way(data, len, &tight);
    ssize_t n = scan_every_way(data, len, NULL);
    if (n <= 0)
        return 0;
    char *head = fuzz_copy(data, (size_t)n);
    int r = eddy__http1_parse_request(head, (size_t)n, headers, EDDY__HTTP1_HEADERS, &h, &err);
    if (r == 0)
        judge(&h, head, (size_t)n);
    else
        REQUIRE(err.offset <= (size_t)n);
    /* Parsing changes nothing, and too small an array never hides a refusal of another kind. */
    REQUIRE(memcmp(head, data, (size_t)n) == 0);
    int few = eddy__http1_parse_request(head, (size_t)n, headers, 1, &again, NULL);
    REQUIRE(few == r || few == -EDDY_EHEAD_TOOBIG);
    free(head);
    return 0;
}
