/*
 * http1_chunks_test.c - chunked bodies, whole and in pieces
 */
#include "check.h"
#include "codec/http/http1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct body {
    char bytes[256];
    size_t len;
    size_t used;
};

/* Feeds pieces of @step bytes; each in memory of its own size, so the sanitizers see its end. */
static int feed(const char *text, size_t len, size_t step, struct body *ret)
{
    struct eddy__http1_chunks c = { 0 };
    int r = EDDY__HTTP1_CHUNKS_MORE;

    *ret = (struct body){ .len = 0 };
    for (size_t at = 0; at < len && r == EDDY__HTTP1_CHUNKS_MORE; at += step) {
        size_t have = len - at < step ? len - at : step, from = 0, used;
        char *piece_of_text = malloc(have);
        memcpy(piece_of_text, text + at, have);
        do {
            struct eddy_slice piece = { NULL, 0 };
            r = eddy__http1_chunks_feed(&c, piece_of_text + from, have - from, &used, &piece);
            from += used;
            if (r == EDDY__HTTP1_CHUNKS_PIECE) {
                EDDY_CHECK(piece.len > 0 && ret->len + piece.len <= sizeof ret->bytes);
                memcpy(ret->bytes + ret->len, piece.ptr, piece.len);
                ret->len += piece.len;
            }
        } while (r == EDDY__HTTP1_CHUNKS_PIECE);
        ret->used += from;
        free(piece_of_text);
    }
    if (r < 0)
        EDDY_CHECK(c.why != NULL);
    else
        EDDY_CHECK_EQ(c.body, ret->len);
    return r;
}

#define MORE EDDY__HTTP1_CHUNKS_MORE
#define DONE EDDY__HTTP1_CHUNKS_DONE
#define BAD (-EDDY_EHTTP)

EDDY_TEST(chunks_are_read_in_pieces_of_any_size)
{
    static const struct {
        const char *name, *text;
        int want;
        const char *body;
        size_t behind; /* bytes that belong to the next message */
    } cases[] = {
        { "empty", "0\r\n\r\n", DONE, "", 0 },
        { "one", "5\r\nhello\r\n0\r\n\r\n", DONE, "hello", 0 },
        { "two", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET", DONE, "hello!", 3 },
        { "hex both ways", "a\r\n0123456789\r\nB\r\n0123456789a\r\n00\r\n\r\n", DONE,
          "01234567890123456789a", 0 },
        { "leading zeros", "0000000000000001\r\nx\r\n0\r\n\r\n", DONE, "x", 0 },
        { "extension", "1;a=b;c=\"d e\"\r\nx\r\n0;z\r\n\r\n", DONE, "x", 0 },
        { "trailers", "0\r\nA: b\r\nC:\r\n\r\nrest", DONE, "", 4 },
        { "binary", "3\r\n\r\n\n\r\n0\r\n\r\n", DONE, "\r\n\n", 0 },
        { "needs more", "5\r\nhel", MORE, "hel", 0 },
        { "no digits", "\r\n", BAD, "", 0 },
        { "sign", "+1\r\nx\r\n", BAD, "", 0 },
        { "prefix", "0x1\r\nx\r\n", BAD, "", 0 },
        { "blank before", " 1\r\nx\r\n", BAD, "", 0 },
        { "blank behind", "1 \r\nx\r\n", BAD, "", 0 },
        { "extension without a size", ";a\r\n", BAD, "", 0 },
        { "17 digits", "00000000000000001\r\n", BAD, "", 0 },
        { "past 63 bits", "8000000000000000\r\n", BAD, "", 0 },
        { "bare LF behind size", "1\nx\r\n0\r\n\r\n", BAD, "", 0 },
        { "bare CR behind size", "1\rx", BAD, "", 0 },
        { "bare LF in extension", "1;a\nx\r\n0\r\n\r\n", BAD, "", 0 },
        { "control in extension", "1;\x01\r\n", BAD, "", 0 },
        { "data too long", "1\r\nxy\r\n", BAD, "x", 0 },
        { "bare LF behind data", "1\r\nx\n0\r\n\r\n", BAD, "x", 0 },
        { "bare LF behind the last", "0\r\n\n", BAD, "", 0 },
        { "bare LF behind a trailer", "0\r\nA: b\n\r\n", BAD, "", 0 },
        { "folded trailer", "0\r\nA: b\r\n c\r\n\r\n", BAD, "", 0 },
        { "blank before a trailer's colon", "0\r\nA : b\r\n\r\n", BAD, "", 0 },
        { "CR in a trailer", "0\r\nA: b\rc\r\n\r\n", BAD, "", 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].text);
        for (size_t step = 1; step <= len; step++) {
            struct body body;
            int r = feed(cases[i].text, len, step, &body);
            if (r != cases[i].want)
                EDDY_CHECK_FAIL("%s, by %zu: %d, not %d", cases[i].name, step, r, cases[i].want);
            EDDY_CHECK_MEM(body.bytes, body.len, cases[i].body, strlen(cases[i].body));
            if (r == DONE)
                EDDY_CHECK_EQ(body.used,
                              len - cases[i].behind < step ? len - cases[i].behind : body.used);
            if (r == DONE && step == len)
                EDDY_CHECK_EQ(body.used, len - cases[i].behind);
        }
    }
}

EDDY_TEST(framing_is_bounded)
{
    static char text[40000];
    struct body body;
    size_t at = 0;

    /* an extension */
    memset(text, 'a', 600);
    text[0] = '1', text[1] = ';';
    EDDY_CHECK_EQ(feed(text, 600, 600, &body), BAD);

    /* trailers */
    memcpy(text, "0\r\nA:", 5);
    memset(text + 5, 'a', 9000);
    EDDY_CHECK_EQ(feed(text, 9000, 100, &body), BAD);

    /* many small chunks with long extensions: 1 byte each for 210 */
    while (at < sizeof text - 300)
        at += (size_t)sprintf(text + at, "1;%0200d\r\nx\r\n", 1);
    EDDY_CHECK_EQ(feed(text, at, at, &body), BAD);

    /* many small chunks are fine */
    for (at = 0; at < 200 * 6;)
        at += (size_t)sprintf(text + at, "1\r\nx\r\n");
    EDDY_CHECK_EQ(feed(text, at, 7, &body), MORE);
    EDDY_CHECK_EQ(body.len, 200);
}

EDDY_TEST(an_error_is_repeated)
{
    struct eddy__http1_chunks c = { 0 };
    struct eddy_slice piece;
    size_t used;

    EDDY_CHECK_ERR(eddy__http1_chunks_feed(&c, "z", 1, &used, &piece), BAD);
    EDDY_CHECK_ERR(eddy__http1_chunks_feed(&c, "0\r\n\r\n", 5, &used, &piece), BAD);
    EDDY_CHECK_EQ(used, 0);
}
