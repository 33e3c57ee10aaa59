/*
 * http1_rules_test.c - each rule against smuggling, beside what llhttp alone says
 *
 * A row is a message, what we answer to it, and whether llhttp in strict mode, as it comes from
 * the distribution, takes the head. Where it does, the rule is ours alone; where it does not, the row
 * says LLHTTP_REFUSES, and that is checked too. The column is that of llhttp 8; others differ, so with
 * them only our own answers are checked.
 */
#include "check.h"
#include "codec/http/http1.h"

#include <llhttp.h>
#include <string.h>

enum llhttp_says { LLHTTP_ACCEPTS, LLHTTP_REFUSES };

struct row {
    const char *name;
    const char *text;
    size_t len;
    int want;
    enum llhttp_says llhttp;
};

/* clang-format off */
#define ROW(name, text, want, llhttp) { name, text, sizeof(text) - 1, want, llhttp }
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"
#define END "\r\n\r\n"

static const struct row requests[] = {
    /* lines */
    ROW("a good one", GET "Host: h" END, 0, LLHTTP_ACCEPTS),
    ROW("folded value", GET "Host: h\r\nX: a\r\n b" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("folded by a tab", GET "Host: h\r\nX: a\r\n\tb" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("folded length", POST "Content-Length:\r\n 5" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("first line folded", GET " Host: h" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("blank before colon", GET "Host : h" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("blank before colon, length", POST "Content-Length : 5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("tab before colon", GET "Host: h\r\nX\t: a" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("no colon", GET "Host: h\r\nX" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("no name", GET "Host: h\r\n: a" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("a byte no name holds", GET "Host: h\r\nX(y): a" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("bare LF after start line", "GET / HTTP/1.1\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("bare LF after a field", GET "Host: h\nX: a" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("bare LF at the end", GET "Host: h\r\n\n", -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("bare CR in a value", GET "Host: h\r\nX: a\rb" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("bare CR in a name", GET "Host: h\r\nX\ry: a" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("bare CR in the start line", "GET / HTTP/1.1\rHost: h" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("NUL in a value", GET "Host: h\r\nX: a\0b" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("NUL in a name", GET "Host: h\r\nX\0: a" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("control in a value", GET "Host: h\r\nX: a\x01" "b" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("DEL in a value", GET "Host: h\r\nX: a\x7f" "b" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("not quite a framing field", POST "Transfer_Encoding: chunked\r\nContent_Length: 5" END, 0, LLHTTP_ACCEPTS),
    ROW("nor this one", POST "Content-Length: 5\r\nTransferxEncoding: chunked" END, 0, LLHTTP_ACCEPTS),
    ROW("tab in a value is fine", GET "Host: h\r\nX: a\tb" END, 0, LLHTTP_ACCEPTS),
    ROW("Latin-1 in a value is fine", GET "Host: h\r\nX: \xe9" END, 0, LLHTTP_ACCEPTS),
    ROW("one empty line before", "\r\n" GET "Host: h" END, 0, LLHTTP_ACCEPTS),
    ROW("two empty lines before", "\r\n\r\n" GET "Host: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("bare LF before", "\n" GET "Host: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),

    /* the request line */
    ROW("two blanks", "GET  / HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("blank behind the version", "GET / HTTP/1.1 \r\nHost: h" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("HTTP/0.9", "GET /\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("HTTP/2.0", "GET / HTTP/2.0\r\nHost: h" END, -EDDY_EHTTP_VERSION, LLHTTP_ACCEPTS),
    ROW("HTTP/1.2", "GET / HTTP/1.2\r\nHost: h" END, -EDDY_EHTTP_VERSION, LLHTTP_REFUSES),
    ROW("HTTP/0.9 spelled", "GET / HTTP/0.9\r\nHost: h" END, -EDDY_EHTTP_VERSION, LLHTTP_ACCEPTS),
    ROW("lower-case name", "GET / http/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("another protocol", "SOURCE / ICE/1.0\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("method without a name here", "BREW / HTTP/1.1\r\nHost: h" END, 0, LLHTTP_REFUSES),
    ROW("fragment in the target", "GET /a#b HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("quote in the target", "GET /\"a HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("raw byte in the target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("star for GET", "GET * HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("star for OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h" END, 0, LLHTTP_ACCEPTS),
    ROW("no slash", "GET a HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("absolute", "GET http://x/a HTTP/1.1\r\nHost: h" END, 0, LLHTTP_ACCEPTS),
    ROW("absolute, other scheme", "GET ftp://x/a HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("absolute with a user", "GET http://u@x/ HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("absolute without a host", "GET http:///a HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h" END, 0, LLHTTP_ACCEPTS),
    ROW("CONNECT without a port", "CONNECT h HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("CONNECT of a path", "CONNECT /a HTTP/1.1\r\nHost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),

    /* Host */
    ROW("no Host", GET "X: a" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("no Host in 1.0 is fine", "GET / HTTP/1.0\r\nX: a" END, 0, LLHTTP_ACCEPTS),
    ROW("two Hosts", GET "Host: h\r\nHost: i" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("two equal Hosts", GET "Host: h\r\nhost: h" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: h\r\nHost: i" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("Host with a blank", GET "Host: a b" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("Host with a comma list", GET "Host: a, b" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("Host with a path", GET "Host: a/b" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("Host with a user", GET "Host: a@b" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("Host with a bad port", GET "Host: a:b" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("Host with a port too large", GET "Host: a:65536" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("Host with an open bracket", GET "Host: [::1" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("Host of IPv6", GET "Host: [::1]:80" END, 0, LLHTTP_ACCEPTS),
    ROW("empty Host is fine", GET "Host:" END, 0, LLHTTP_ACCEPTS),

    /* lengths */
    ROW("length with plus", POST "Content-Length: +5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("length with minus", POST "Content-Length: -5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("length in hex", POST "Content-Length: 0x5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("length list", POST "Content-Length: 5, 5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("length with an inner blank", POST "Content-Length: 5 5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("length empty", POST "Content-Length:" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("length past 64 bits", POST "Content-Length: 18446744073709551616" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("length past 63 bits", POST "Content-Length: 9223372036854775808" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("two lengths that differ", POST "Content-Length: 5\r\nContent-Length: 6" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("two equal lengths", POST "Content-Length: 5\r\nContent-Length: 5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("blanks around a length", POST "Content-Length: \t 5  " END, 0, LLHTTP_ACCEPTS),

    /* transfer codings */
    ROW("both", POST "Content-Length: 5\r\nTransfer-Encoding: chunked" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("both, turned", POST "Transfer-Encoding: chunked\r\nContent-Length: 5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("chunked twice", POST "Transfer-Encoding: chunked, chunked" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("chunked in two fields", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("chunked is not last", POST "Transfer-Encoding: chunked, gzip" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("gzip before chunked", POST "Transfer-Encoding: gzip, chunked" END, -EDDY_EHTTP_CODING, LLHTTP_ACCEPTS),
    ROW("gzip alone", POST "Transfer-Encoding: gzip" END, -EDDY_EHTTP_CODING, LLHTTP_REFUSES),
    ROW("identity", POST "Transfer-Encoding: identity" END, -EDDY_EHTTP_CODING, LLHTTP_REFUSES),
    ROW("identity and chunked", POST "Transfer-Encoding: identity, chunked" END, -EDDY_EHTTP_CODING, LLHTTP_ACCEPTS),
    ROW("a coding that ends in it", POST "Transfer-Encoding: xchunked" END, -EDDY_EHTTP_CODING, LLHTTP_REFUSES),
    ROW("empty element", POST "Transfer-Encoding: , chunked" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("empty", POST "Transfer-Encoding:" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("chunked with a parameter", POST "Transfer-Encoding: chunked;a=b" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("chunked in quotes", POST "Transfer-Encoding: \"chunked\"" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("chunked behind a vertical tab", POST "Transfer-Encoding: \x0b" "chunked" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("CHUNKED is chunked", POST "transfer-encoding: CHUNKED" END, 0, LLHTTP_ACCEPTS),

    /* expectations */
    ROW("another expectation", POST "Expect: 200-ok" END, -EDDY_EEXPECT, LLHTTP_ACCEPTS),
    ROW("two expectations", POST "Expect: 100-continue\r\nExpect: 100-continue" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
};

static const struct row responses[] = {
    ROW("a good one", "HTTP/1.1 200 OK\r\nContent-Length: 5" END, 0, LLHTTP_ACCEPTS),
    ROW("no phrase", "HTTP/1.1 200\r\nX: a" END, 0, LLHTTP_ACCEPTS),
    ROW("folded", "HTTP/1.1 200 OK\r\nX: a\r\n b" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("bare LF", "HTTP/1.1 200 OK\nX: a" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("two digits", "HTTP/1.1 20 OK\r\nX: a" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("four digits", "HTTP/1.1 2000 OK\r\nX: a" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("below 100", "HTTP/1.1 099 OK\r\nX: a" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("HTTP/2", "HTTP/2.0 200 OK\r\nX: a" END, -EDDY_EHTTP_VERSION, LLHTTP_ACCEPTS),
    ROW("both lengths", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("two equal lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5" END, -EDDY_EHTTP, LLHTTP_REFUSES),
    ROW("unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip" END, -EDDY_EHTTP_CODING, LLHTTP_ACCEPTS),
    ROW("chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
    ROW("chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked" END, -EDDY_EHTTP, LLHTTP_ACCEPTS),
};
/* clang-format on */

static int stop(llhttp_t *parser)
{
    *(bool *)parser->data = true;
    return 0;
}

/* llhttp's own view of the head. A body it would now wait for is none of its offences. */
static enum llhttp_says ask_llhttp(const struct row *row, llhttp_type_t type)
{
    llhttp_settings_t settings;
    llhttp_t parser;
    bool complete = false;

    llhttp_settings_init(&settings);
    settings.on_headers_complete = stop;
    llhttp_init(&parser, type, &settings);
    parser.data = &complete;
    llhttp_errno_t r = llhttp_execute(&parser, row->text, row->len);
    return complete && (r == HPE_OK || r == HPE_PAUSED_UPGRADE || r == HPE_PAUSED_H2_UPGRADE)
               ? LLHTTP_ACCEPTS
               : LLHTTP_REFUSES;
}

/* Scan, then parse: as a server does. */
static int ask_us(const struct row *row, bool request, struct eddy_error *err)
{
    struct eddy_header headers[EDDY__HTTP1_HEADERS];
    struct eddy__http1_scan scan = { 0 };
    struct eddy__http1_head head;
    char copy[512];

    memcpy(copy, row->text, row->len);
    ssize_t n = eddy__http1_scan(&scan, copy, row->len, NULL);
    if (n <= 0) {
        EDDY_CHECK(n == 0 || scan.why != NULL);
        return n ? (int)n : -EAGAIN;
    }
    return request ? eddy__http1_parse_request(copy, (size_t)n, headers, EDDY__HTTP1_HEADERS, &head,
                                               err)
                   : eddy__http1_parse_response(copy, (size_t)n, EDDY_METHOD_GET, headers,
                                                EDDY__HTTP1_HEADERS, &head, err);
}

static void judge(const struct row *rows, size_t count, bool request)
{
    for (size_t i = 0; i < count; i++) {
        struct eddy_error err = { 0 };
        int r = ask_us(&rows[i], request, &err);
        if (r != rows[i].want)
            EDDY_CHECK_FAIL("%s: %s, not %s (%s)", rows[i].name, eddy_strerrorname(r),
                            eddy_strerrorname(rows[i].want), err.text);
        if (err.code) {
            EDDY_CHECK_EQ(err.code, r);
            EDDY_CHECK(err.text[0] != '\0' && err.offset <= rows[i].len);
        }
        if (LLHTTP_VERSION_MAJOR == 8 &&
            ask_llhttp(&rows[i], request ? HTTP_REQUEST : HTTP_RESPONSE) != rows[i].llhttp)
            EDDY_CHECK_FAIL("%s: llhttp alone %s it, the table says otherwise", rows[i].name,
                            rows[i].llhttp == LLHTTP_ACCEPTS ? "refuses" : "accepts");
    }
}

EDDY_TEST(every_request_rule_holds_and_llhttp_alone_says_what_the_table_says)
{
    judge(requests, sizeof requests / sizeof requests[0], true);
}

EDDY_TEST(every_response_rule_holds_and_llhttp_alone_says_what_the_table_says)
{
    judge(responses, sizeof responses / sizeof responses[0], false);
}

/* The same bytes in two pieces, at every place, come to the same end. */
EDDY_TEST(a_head_in_two_pieces_is_judged_like_one)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const struct row *row = &requests[i];
        struct eddy__http1_scan whole = { 0 };
        ssize_t want = eddy__http1_scan(&whole, row->text, row->len, NULL);

        for (size_t cut = 0; cut <= row->len; cut++) {
            struct eddy__http1_scan s = { 0 };
            ssize_t n = eddy__http1_scan(&s, row->text, cut, NULL);
            if (n == 0)
                n = eddy__http1_scan(&s, row->text, row->len, NULL);
            if (n != want || s.at != whole.at || s.fields != whole.fields)
                EDDY_CHECK_FAIL("%s cut at %zu: %zd, not %zd", row->name, cut, n, want);
        }
    }
}

EDDY_TEST(a_bad_line_is_refused_before_the_head_is_complete)
{
    static const char *const begun[] = {
        "GET / HTTP/1.1\n",       GET " x",        GET "Host :", "\x16\x03\x01",
        GET "Host: h\r\nX: a\rb", GET "Host: h\nX"
    };

    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        struct eddy__http1_scan s = { 0 };
        EDDY_CHECK_ERR(eddy__http1_scan(&s, begun[i], strlen(begun[i]), NULL), -EDDY_EHTTP);
        EDDY_CHECK(s.why != NULL && s.at < strlen(begun[i]));
    }
}
