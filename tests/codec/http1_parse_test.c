/*
 * http1_parse_test.c - what a head is taken apart into, limits, and heads made by chance
 */
#include "check.h"
#include "codec/http/http1.h"

#include <stdlib.h>
#include <string.h>

struct parsed {
    char bytes[4096];
    struct eddy_header headers[EDDY__HTTP1_HEADERS];
    struct eddy__http1_head head;
};

static int request(struct parsed *p, const char *text)
{
    struct eddy__http1_scan scan = { 0 };
    size_t len = strlen(text);

    memcpy(p->bytes, text, len);
    ssize_t n = eddy__http1_scan(&scan, p->bytes, len, NULL);
    if (n <= 0)
        return n ? (int)n : -EAGAIN;
    return eddy__http1_parse_request(p->bytes, (size_t)n, p->headers, EDDY__HTTP1_HEADERS, &p->head,
                                     NULL);
}

static int response(struct parsed *p, const char *text, enum eddy_method asked)
{
    size_t len = strlen(text);

    memcpy(p->bytes, text, len);
    return eddy__http1_parse_response(p->bytes, len, asked, p->headers, EDDY__HTTP1_HEADERS,
                                      &p->head, NULL);
}

static bool is(struct eddy_slice s, const char *want)
{
    return s.ptr && eddy_slice_eq(s, eddy_slice_of(want));
}

EDDY_TEST(a_request_is_taken_apart)
{
    struct parsed p;

    EDDY_CHECK_EQ(request(&p,
                          "\r\nPOST /a/b?c=d?e HTTP/1.1\r\nHost: x.org:80\r\nX-Empty:\r\n"
                          "Accept:\t */* \t\r\ncontent-LENGTH: 12\r\nExpect: 100-Continue\r\n\r\n"),
                  0);
    EDDY_CHECK_EQ(p.head.method, EDDY_METHOD_POST);
    EDDY_CHECK(is(p.head.method_text, "POST") && is(p.head.target, "/a/b?c=d?e"));
    EDDY_CHECK(is(p.head.path, "/a/b") && is(p.head.query, "c=d?e"));
    EDDY_CHECK(is(p.head.host, "x.org:80"));
    EDDY_CHECK_EQ(p.head.minor_version, 1);
    EDDY_CHECK_EQ(p.head.header_count, 5);
    EDDY_CHECK(is(p.head.headers[1].name, "X-Empty") && is(p.head.headers[1].value, ""));
    EDDY_CHECK(is(p.head.headers[2].value, "*/*"));
    EDDY_CHECK_EQ(p.head.content_length, 12);
    EDDY_CHECK(p.head.keep_alive && p.head.expect_continue && !p.head.chunked);
    EDDY_CHECK(eddy__http1_has_body(&p.head) && !p.head.upgrade.ptr);
    EDDY_CHECK(is(eddy__http1_header(p.head.headers, 5, EDDY_SLICE("accept")), "*/*"));
    EDDY_CHECK(!eddy__http1_header(p.head.headers, 5, EDDY_SLICE("cookie")).ptr);
}

EDDY_TEST(targets_have_four_forms)
{
    struct parsed p;

    EDDY_CHECK_EQ(request(&p, "GET HTTPS://a.b:1?x HTTP/1.1\r\nHost: other\r\n\r\n"), 0);
    EDDY_CHECK(is(p.head.path, "/") && is(p.head.query, "x") && is(p.head.host, "a.b:1"));
    EDDY_CHECK_EQ(request(&p, "GET http://a.b/c HTTP/1.1\r\nHost: other\r\n\r\n"), 0);
    EDDY_CHECK(is(p.head.path, "/c") && is(p.head.query, "") && is(p.head.host, "a.b"));
    EDDY_CHECK_EQ(request(&p, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
    EDDY_CHECK(is(p.head.path, "*"));
    EDDY_CHECK_EQ(request(&p, "CONNECT [::1]:443 HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
    EDDY_CHECK(is(p.head.host, "[::1]:443") && is(p.head.path, ""));
    EDDY_CHECK_EQ(request(&p, "LIST / HTTP/1.0\r\n\r\n"), 0);
    EDDY_CHECK_EQ(p.head.method, EDDY_METHOD_OTHER);
    EDDY_CHECK(is(p.head.method_text, "LIST") && !p.head.host.ptr);
}

EDDY_TEST(connection_decides_whether_another_message_follows)
{
    static const struct {
        const char *text;
        bool keep;
    } cases[] = {
        { "GET / HTTP/1.1\r\nHost: h\r\n\r\n", true },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: CLOSE , x\r\n\r\n", false },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
          false },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n", true },
        { "GET / HTTP/1.0\r\n\r\n", false },
        { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
        { "GET / HTTP/1.0\r\nConnection: a,,keep-alive\r\n\r\n", true },
        { "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
    };
    struct parsed p;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EDDY_CHECK_EQ(request(&p, cases[i].text), 0);
        if (p.head.keep_alive != cases[i].keep)
            EDDY_CHECK_FAIL("%s", cases[i].text);
    }
}

EDDY_TEST(upgrade_needs_both_fields)
{
    struct parsed p;

    EDDY_CHECK_EQ(request(&p, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                              "Connection: keep-alive, Upgrade\r\n\r\n"),
                  0);
    EDDY_CHECK(p.head.connection_upgrade && is(p.head.upgrade, "websocket"));
    EDDY_CHECK_EQ(request(&p, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n"), 0);
    EDDY_CHECK(!p.head.upgrade.ptr);
    EDDY_CHECK_EQ(request(&p, "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n\r\n"), 0);
    EDDY_CHECK(!p.head.upgrade.ptr);
}

EDDY_TEST(a_response_says_where_its_body_ends)
{
    struct parsed p;

    EDDY_CHECK_EQ(
        response(&p, "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n", EDDY_METHOD_GET), 0);
    EDDY_CHECK_EQ(p.head.status, 404);
    EDDY_CHECK(is(p.head.reason, "Not Found") && p.head.keep_alive && !p.head.until_close);
    EDDY_CHECK(eddy__http1_has_body(&p.head));

    EDDY_CHECK_EQ(response(&p, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", EDDY_METHOD_HEAD),
                  0);
    EDDY_CHECK(p.head.no_body && p.head.content_length == 3 && !eddy__http1_has_body(&p.head));
    EDDY_CHECK_EQ(response(&p, "HTTP/1.1 200 OK\r\n\r\n", EDDY_METHOD_CONNECT), 0);
    EDDY_CHECK(p.head.no_body && p.head.keep_alive);
    EDDY_CHECK_EQ(
        response(&p, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", EDDY_METHOD_GET), 0);
    EDDY_CHECK(p.head.no_body && !eddy__http1_has_body(&p.head));
    EDDY_CHECK_EQ(response(&p, "HTTP/1.1 100\r\n\r\n", EDDY_METHOD_POST), 0);
    EDDY_CHECK(p.head.no_body && is(p.head.reason, ""));

    EDDY_CHECK_EQ(response(&p, "HTTP/1.1 200 OK\r\nX: a\r\n\r\n", EDDY_METHOD_GET), 0);
    EDDY_CHECK(p.head.until_close && !p.head.keep_alive && eddy__http1_has_body(&p.head));
    EDDY_CHECK_EQ(
        response(&p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", EDDY_METHOD_GET), 0);
    EDDY_CHECK(p.head.chunked && p.head.keep_alive && !p.head.until_close);
    EDDY_CHECK_EQ(response(&p, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", EDDY_METHOD_GET), 0);
    EDDY_CHECK(!p.head.keep_alive && !eddy__http1_has_body(&p.head));
}

EDDY_TEST(limits_are_seen_as_soon_as_they_are_passed)
{
    const struct eddy__http1_limits limits = { .head = 64, .line = 32, .headers = 2 };
    char text[128] = "GET /";
    struct eddy__http1_scan s = { 0 };

    memset(text + 5, 'a', 100);
    EDDY_CHECK_EQ(eddy__http1_scan(&s, text, 32, &limits), 0);
    EDDY_CHECK_ERR(eddy__http1_scan(&s, text, 33, &limits), -EDDY_EURI_TOOBIG);

    s = (struct eddy__http1_scan){ 0 };
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    EDDY_CHECK_EQ(eddy__http1_scan(&s, text, 63, &limits), 0);
    EDDY_CHECK_ERR(eddy__http1_scan(&s, text, 64, &limits), -EDDY_EHEAD_TOOBIG);

    const char *many = "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC";
    s = (struct eddy__http1_scan){ 0 };
    EDDY_CHECK_EQ(eddy__http1_scan(&s, many, strlen(many) - 1, &limits), 0);
    EDDY_CHECK_ERR(eddy__http1_scan(&s, many, strlen(many), &limits), -EDDY_EHEAD_TOOBIG);

    struct eddy__http1_head head;
    struct eddy_header one[1];
    char two[] = "GET / HTTP/1.1\r\nHost: h\r\nB: 2\r\n\r\n";
    EDDY_CHECK_ERR(eddy__http1_parse_request(two, sizeof two - 1, one, 1, &head, NULL),
                   -EDDY_EHEAD_TOOBIG);
}

EDDY_TEST(a_head_ends_where_it_ends_whatever_stands_behind)
{
    const char *two = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
    struct eddy__http1_scan s = { 0 };

    EDDY_CHECK_EQ(eddy__http1_scan(&s, two, strlen(two), NULL), strlen(two) / 2);
}

/* seeds: yes. Bytes changed by chance: whole or byte by byte the scan says the same, and what it
 * passes is parsed or refused, within bounds (the sanitizers watch a copy of the exact size). */
EDDY_TEST(heads_changed_by_chance_break_nothing)
{
    static const char seed_text[] =
        "POST /a?b HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n"
        "Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 5\r\n\r\n";
    static const char likely[] = "\r\n :\t,;\0x5CH[]%";
    unsigned long rounds = 200 * eddy_check_number("EDDY_SEEDS", 100);
    struct eddy_header headers[8];
    size_t passed = 0;

    srand(1);
    for (unsigned long i = 0; i < rounds; i++) {
        size_t len = sizeof seed_text - 1, changes = (size_t)rand() % 4;
        char *head = malloc(len);
        memcpy(head, seed_text, len);
        for (size_t k = 0; k < changes; k++)
            head[(size_t)rand() % len] = rand() % 2 ? (char)rand() : likely[(size_t)rand() % 16];

        struct eddy__http1_scan whole = { 0 }, bytes = { 0 };
        ssize_t n = eddy__http1_scan(&whole, head, len, NULL), m = 0;
        for (size_t at = 1; at <= len && m == 0; at++)
            m = eddy__http1_scan(&bytes, head, at, NULL);
        EDDY_CHECK_EQ(m, n);
        EDDY_CHECK_EQ(bytes.at, whole.at);

        char *copy = malloc(n > 0 ? (size_t)n : 1);
        if (n > 0) {
            struct eddy__http1_head parsed;
            struct eddy_error err = { 0 };
            memcpy(copy, head, (size_t)n);
            int r = eddy__http1_parse_request(copy, (size_t)n, headers, 8, &parsed, &err);
            EDDY_CHECK(r == 0 ? parsed.header_count == whole.fields
                              : err.code == r && err.offset <= (size_t)n);
            passed += r == 0;
            eddy__http1_parse_response(copy, (size_t)n, EDDY_METHOD_GET, headers, 8, &parsed, &err);
        }
        free(copy);
        free(head);
    }
    /* Both lengths stand in the seed: only where a change broke one of their names does it pass. */
    EDDY_CHECK(passed > 0 && passed < rounds / 2);
}
