/*
 * Lines and delimiters: wherever the bytes are cut, the same comes out.
 *
 * backends: epoll uring sim
 */
#include "check.h"
#include "ends.h"

#include <eddy/stream.h>
#include <eddy/task.h>

#include <stdio.h>
#include <string.h>

void eddy_check_teardown(void)
{
    ends_loop_free();
}

struct feed_args {
    struct eddy_stream *s;
    const char *text;
    size_t len;
    size_t cut; /* bytes of a write; 0: all at once */
};

static int feed(struct feed_args *a)
{
    for (size_t at = 0; at < a->len;) {
        size_t n = a->cut && a->cut < a->len - at ? a->cut : a->len - at;
        int r = eddy_write(a->s, a->text + at, n);
        if (r < 0)
            return r;
        at += n;
        eddy_yield();
        eddy_yield();
    }
    return eddy_stream_finish(a->s);
}
EDDY_TASK(feed);

/* The lines as "[one][two]0". */
static void lines_of(enum ends_kind kind, const char *text, size_t cut, size_t max, char *out,
                     size_t cap)
{
    struct ends e = { 0 };
    size_t len = 0;

    out[0] = '\0';
    if (!ends_open(kind, &e))
        return;
    EDDY_SCOPE(tasks, .isolate = true);
    EDDY_GO(&tasks, feed, .s = e.a, .text = text, .len = strlen(text), .cut = cut);
    {
        EDDY_AUTO(eddy_lines) in = eddy_lines(e.b, EDDY_OPT(lines, .max_bytes = max));
        while (eddy_lines_next(&in))
            len += (size_t)snprintf(out + len, cap - len, "[%.*s]", EDDY_SLICE_ARG(in.line));
        snprintf(out + len, cap - len, "%s", in.status ? eddy_strerrorname(in.status) : "0");
        EDDY_CHECK(!eddy_lines_next(&in)); /* over is over */
    }
    eddy_scope_cancel(&tasks);
    eddy_join(&tasks);
    ends_close(&e);
}

EDDY_TEST(lines_are_the_same_wherever_they_are_cut)
{
    static const struct {
        const char *text, *want;
        size_t max;
    } cases[] = {
        { "", "0", 0 },
        { "one\ntwo\n", "[one][two]0", 0 },
        { "one\r\ntwo\r\n", "[one][two]0", 0 },
        { "no end", "[no end]0", 0 },
        { "one\n\n\nfour", "[one][][][four]0", 0 },
        { "\r\n\n", "[][]0", 0 },
        { "a\rb\r\r\n", "[a\rb\r]0", 0 },
        { "end with cr\r", "[end with cr\r]0", 0 },
        { "1234\r\n1234\n", "[1234][1234]0", 4 },
        { "1234\n12345\n", "[1234]EDDY_ETOOBIG", 4 },
        { "12345", "EDDY_ETOOBIG", 4 },
        { "1234\r", "EDDY_ETOOBIG", 4 },
        { "123456789012345678901234567890", "EDDY_ETOOBIG", 4 },
    };
    char got[256];

    ENDS_EACH(kind)
    {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            for (size_t cut = 0; cut < 7; cut++) {
                lines_of(kind, cases[i].text, cut, cases[i].max, got, sizeof got);
                if (!EDDY_CHECK_STR(got, cases[i].want))
                    EDDY_CHECK_FAIL("case %zu over %s, cut %zu", i, ends_name(kind), cut);
            }
        }
    }
}

EDDY_TEST(a_delimiter_is_found_wherever_it_is_cut)
{
    static const char text[] = "head: a\r\n\r\r\n\r\nbody";

    ENDS_EACH(kind)
    {
        for (size_t cut = 0; cut < sizeof text; cut++) {
            struct ends e = { 0 };
            char buf[64];
            if (!ends_open(kind, &e))
                return;
            EDDY_SCOPE(tasks, .timeout_ms = 0);
            EDDY_GO(&tasks, feed, .s = e.a, .text = text, .len = sizeof text - 1, .cut = cut);
            EDDY_CHECK_EQ(eddy_read_until(e.b, EDDY_SLICE("\r\n\r\n"), buf, sizeof buf), 14);
            EDDY_CHECK_MEM(buf, 14, text, 14);
            EDDY_CHECK_ERR(eddy_read_until(e.b, EDDY_SLICE("x"), buf, sizeof buf), -EDDY_EEOF);
            EDDY_CHECK_EQ(eddy_read_exactly(e.b, buf, 4), 0);
            EDDY_CHECK_MEM(buf, 4, "body", 4);
            EDDY_CHECK_EQ(eddy_join(&tasks), 0);
            ends_close(&e);
        }
    }
}

EDDY_TEST(a_block_over_its_limit_stays_to_be_read)
{
    ENDS_EACH(kind)
    {
        struct ends e = { 0 };
        char buf[64];
        if (!ends_open(kind, &e))
            return;
        EDDY_CHECK_EQ(eddy_write_text(e.a, "12345678;"), 0);
        EDDY_CHECK_ERR(eddy_read_until(e.b, EDDY_SLICE(";"), buf, 8), -EDDY_ETOOBIG);
        EDDY_CHECK_ERR(eddy_read_until(e.b, EDDY_SLICE(";"), buf, 3), -EDDY_ETOOBIG);
        EDDY_CHECK_EQ(eddy_read_until(e.b, EDDY_SLICE(";"), buf, 9), 9);
        EDDY_CHECK_MEM(buf, 9, "12345678;", 9);
        EDDY_CHECK_ERR(eddy_read_until(e.b, EDDY_SLICE(""), buf, 9), -EINVAL);
        ends_close(&e);
    }
}

struct until_args {
    struct eddy_stream *s;
    ssize_t *result;
};

static int until(struct until_args *a)
{
    char buf[64];

    *a->result = eddy_read_until(a->s, EDDY_SLICE("\n"), buf, sizeof buf);
    return 0;
}
EDDY_TASK(until);

EDDY_TEST(a_cancelled_search_keeps_what_it_has_seen)
{
    ENDS_EACH(kind)
    {
        struct ends e = { 0 };
        char buf[64];
        ssize_t result = 0;
        if (!ends_open(kind, &e))
            return;
        {
            EDDY_SCOPE(tasks, .timeout_ms = 0);
            EDDY_GO(&tasks, until, .s = e.b, .result = &result);
            EDDY_CHECK_EQ(eddy_write_text(e.a, "half a "), 0);
            eddy_sleep(2);
            eddy_scope_cancel(&tasks);
            eddy_join(&tasks);
        }
        EDDY_CHECK_ERR(result, -ECANCELED);
        EDDY_CHECK_EQ(eddy_write_text(e.a, "line\n"), 0);
        EDDY_CHECK_EQ(eddy_read_until(e.b, EDDY_SLICE("\n"), buf, sizeof buf), 12);
        EDDY_CHECK_MEM(buf, 12, "half a line\n", 12);
        ends_close(&e);
    }
}
