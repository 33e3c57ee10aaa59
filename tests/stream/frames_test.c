/*
 * frames_test.c - the rules of eddy/frames.h
 *
 * backends: epoll uring sim
 */
#include "check.h"
#include "ends.h"

#include <eddy/frames.h>
#include <eddy/task.h>

#include <stdio.h>
#include <string.h>

void eddy_check_teardown(void)
{
    ends_loop_free();
}

static const struct eddy_framing line = { .kind = EDDY_FRAMING_LINE };
static const struct eddy_framing net = { .kind = EDDY_FRAMING_NETSTRING };
static const struct eddy_framing word = { .kind = EDDY_FRAMING_LENGTH, .prefix = 2 };

struct feed_args {
    struct eddy_stream *s;
    const char *text;
    size_t len;
    size_t cut;
};

static int feed(struct feed_args *a)
{
    for (size_t at = 0; at < a->len; at += a->cut) {
        size_t n = a->cut < a->len - at ? a->cut : a->len - at;
        int r = eddy_write(a->s, a->text + at, n);
        if (r < 0)
            return r;
        eddy_yield();
        eddy_yield();
    }
    return eddy_stream_finish(a->s);
}
EDDY_TASK(feed);

/* What @text, written in pieces of @cut, is read as: "[one][two]0". */
static void read_as(enum ends_kind kind, const struct eddy_framing *f, const char *text, size_t len,
                    size_t cut, const char *want)
{
    char out[256] = "";
    struct ends e;
    size_t at = 0;

    if (!ends_open(kind, &e))
        return;
    EDDY_SCOPE(tasks, .isolate = true);
    EDDY_GO(&tasks, feed, .s = e.a, .text = text, .len = len, .cut = cut);
    {
        EDDY_AUTO(eddy_frames) in = eddy_frames(e.b, f);
        while (eddy_frames_next(&in))
            at += (size_t)snprintf(out + at, sizeof out - at, "[%.*s]", EDDY_SLICE_ARG(in.message));
        snprintf(out + at, sizeof out - at, "%s", in.status ? eddy_strerrorname(in.status) : "0");
        EDDY_CHECK(!eddy_frames_next(&in));
    }
    EDDY_CHECK_STR(out, want);
    eddy_scope_cancel(&tasks);
    eddy_join(&tasks);
    ends_close(&e);
}

#define READ_AS(framing, text, want)                                                               \
    for (size_t cut = 1; cut < 8; cut += 3)                                                        \
    read_as(kind, (framing), (text), sizeof(text) - 1, cut, (want))

EDDY_TEST(messages_arrive_whole)
{
    ENDS_EACH(kind)
    {
        READ_AS(&net, "3:one,0:,5:three,", "[one][][three]0");
        READ_AS(&word, "\0\3one\0\0\0\5three", "[one][][three]0");
        READ_AS(&line, "one\r\n\nthree\n", "[one][][three]0");
    }
}

EDDY_TEST(an_end_inside_a_message_is_an_error)
{
    ENDS_EACH(kind)
    {
        READ_AS(&net, "3:one,3:tw", "[one]EDDY_EEOF");
        READ_AS(&word, "\0\3one\0", "[one]EDDY_EEOF");
        READ_AS(&line, "one\ntwo", "[one][two]0");
    }
}

EDDY_TEST(what_breaks_the_framing_ends_it)
{
    const struct eddy_framing small = { .kind = EDDY_FRAMING_NETSTRING, .max_bytes = 4 };

    ENDS_EACH(kind)
    {
        READ_AS(&net, "3:one,x:two,", "[one]EDDY_ESYNTAX");
        READ_AS(&small, "3:one,5:three,", "[one]EDDY_ETOOBIG");
    }
}

struct late_args {
    struct eddy_stream *s;
};

static int late(struct late_args *a)
{
    EDDY_CHECK_EQ(eddy_sleep(20), 0);
    return eddy_write(a->s, "ee,", 3);
}
EDDY_TASK(late);

EDDY_TEST(a_cancelled_wait_leaves_the_bytes)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        if (!ends_open(kind, &e))
            return;
        EDDY_CHECK_EQ(eddy_write(e.a, "5:thr", 5), 0);
        {
            EDDY_SCOPE(hurry, .timeout_ms = 5);
            EDDY_AUTO(eddy_frames) in = eddy_frames(e.b, &net);
            EDDY_CHECK(!eddy_frames_next(&in));
            EDDY_CHECK_ERR(in.status, -ETIMEDOUT);
        }
        {
            EDDY_SCOPE(over, .timeout_ms = 0);
            eddy_scope_cancel(&over);
            EDDY_AUTO(eddy_frames) in = eddy_frames(e.b, &net);
            EDDY_CHECK(!eddy_frames_next(&in));
            EDDY_CHECK_ERR(in.status, -ECANCELED);
            EDDY_CHECK_ERR(eddy_frame_write(e.b, &net, "x", 1), -ECANCELED);
        }
        {
            EDDY_SCOPE(tasks, .timeout_ms = 0);
            EDDY_GO(&tasks, late, .s = e.a);
            EDDY_AUTO(eddy_frames) in = eddy_frames(e.b, &net);
            EDDY_CHECK(eddy_frames_next(&in));
            EDDY_CHECK_MEM(in.message.ptr, in.message.len, "three", 5);
            eddy_join(&tasks);
        }
        ends_close(&e);
    }
}

EDDY_TEST(the_framing_may_be_changed)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char raw[4];
        if (!ends_open(kind, &e))
            return;
        EDDY_CHECK_EQ(eddy_write(e.a, "BINARY\r\n\0\3oneraw", 16), 0);
        EDDY_AUTO(eddy_frames) in = eddy_frames(e.b, &line);
        EDDY_CHECK(eddy_frames_next(&in));
        EDDY_CHECK_MEM(in.message.ptr, in.message.len, "BINARY", 6);
        in.framing = &word;
        EDDY_CHECK(eddy_frames_next(&in));
        EDDY_CHECK_MEM(in.message.ptr, in.message.len, "one", 3);
        eddy_frames_done(&in);
        EDDY_CHECK_EQ(eddy_read_exactly(e.b, raw, 3), 0);
        EDDY_CHECK_MEM(raw, 3, "raw", 3);
        ends_close(&e);
    }
}

EDDY_TEST(what_cannot_be_framed_is_not_written)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char got[16];
        if (!ends_open(kind, &e))
            return;
        EDDY_CHECK_ERR(eddy_frame_write(e.a, &line, "a\nb", 3), -EDDY_ESYNTAX);
        EDDY_CHECK_ERR(
            eddy_frame_write(
                e.a, &(struct eddy_framing){ .kind = EDDY_FRAMING_LENGTH, .prefix = 5 }, "a", 1),
            -EINVAL);
        EDDY_CHECK_ERR(
            eddy_frame_write(
                e.a, &(struct eddy_framing){ .kind = EDDY_FRAMING_LINE, .max_bytes = 2 }, "abc", 3),
            -EMSGSIZE);
        EDDY_CHECK_EQ(eddy_frame_write(e.a, &line, "ok", 2), 0);
        EDDY_CHECK_EQ(eddy_frame_write(e.a, &net, "ok", 2), 0);
        EDDY_CHECK_EQ(eddy_frame_write(e.a, &word, "", 0), 0);
        EDDY_CHECK_EQ(eddy_read_exactly(e.b, got, 11), 0);
        EDDY_CHECK_MEM(got, 11, "ok\r\n2:ok,\0\0", 11);
        ends_close(&e);
    }
}
