/*
 * What a task may rely on when it reads and writes, over every kind of connection.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "check.h"
#include "ends.h"
#include "loop/loop.h"

#include <eddy/stream.h>
#include <eddy/task.h>

#include <stdlib.h>
#include <string.h>

void eddy_check_teardown(void)
{
    ends_loop_free();
}

/* A child that makes one call, and keeps what came of it. */
struct job {
    struct eddy_stream *s;
    char *buf;
    size_t len;
    ssize_t result;
    bool over;
};

struct act_args {
    struct job *job;
    int (*how)(struct job *job);
};

static int act(struct act_args *a)
{
    return a->how(a->job);
}
EDDY_TASK(act);

static int do_read(struct job *job)
{
    job->result = eddy_read(job->s, job->buf, job->len);
    job->over = true;
    return 0;
}

static int do_read_exactly(struct job *job)
{
    job->result = eddy_read_exactly(job->s, job->buf, job->len);
    job->over = true;
    return 0;
}

static int do_write(struct job *job)
{
    job->result = eddy_write(job->s, job->buf, job->len);
    job->over = true;
    return 0;
}

static int do_echo(struct job *job)
{
    char buf[777];
    ssize_t n;

    while ((n = eddy_read(job->s, buf, sizeof buf)) > 0) {
        int r = eddy_write(job->s, buf, (size_t)n);
        if (r < 0)
            return r;
    }
    return n < 0 ? (int)n : eddy_stream_finish(job->s);
}

/* Time for all that can go on; what is tested for behind it is that something has NOT. */
static void settle(void)
{
    for (int i = 0; i < 30; i++)
        eddy_yield();
    eddy_sleep(strcmp(eddy_check_backend(), "sim") == 0 ? 100 : 1);
}

static bool open_or_tell(enum ends_kind kind, struct ends *e)
{
    *e = (struct ends){ 0 };
    if (ends_open(kind, e))
        return true;
    EDDY_CHECK_FAIL("no connection: %s", ends_name(kind));
    return false;
}

static char *pattern(size_t len)
{
    char *p = malloc(len);

    for (size_t i = 0; p && i < len; i++)
        p[i] = (char)(i * 7 + i / 251);
    return p;
}

EDDY_TEST(what_is_written_comes_back)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        if (!open_or_tell(kind, &e))
            return;
        const size_t len = 300000;
        char *out = pattern(len), *in = calloc(1, len);
        struct job echo = { .s = e.b }, write = { .s = e.a, .buf = out, .len = len };
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, act, .how = do_echo, .job = &echo);
        EDDY_GO(&tasks, act, .how = do_write, .job = &write);
        EDDY_CHECK_EQ(eddy_read_exactly(e.a, in, len), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(e.a), 0);
        char more;
        EDDY_CHECK_EQ(eddy_read(e.a, &more, 1), 0);
        EDDY_CHECK_EQ(eddy_read(e.a, &more, 1), 0); /* the end stays the end */
        EDDY_CHECK_EQ(eddy_join(&tasks), 0);
        if (!EDDY_CHECK_MEM(in, len, out, len))
            EDDY_CHECK_FAIL("over %s", ends_name(kind));
        free(out);
        free(in);
        ends_close(&e);
    }
}

EDDY_TEST(after_finish_reading_goes_on_and_writing_is_epipe)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char buf[8];
        if (!open_or_tell(kind, &e))
            return;
        EDDY_CHECK_EQ(eddy_write_text(e.a, "last"), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(e.a), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(e.a), 0);
        EDDY_CHECK_ERR(eddy_write_text(e.a, "x"), -EPIPE);
        EDDY_CHECK_EQ(eddy_read_exactly(e.b, buf, 4), 0);
        EDDY_CHECK_EQ(eddy_read(e.b, buf, 8), 0);
        EDDY_CHECK_EQ(eddy_write_text(e.b, "reply"), 0);
        EDDY_CHECK_EQ(eddy_read_exactly(e.a, buf, 5), 0);
        EDDY_CHECK_MEM(buf, 5, "reply", 5);
        EDDY_CHECK_ERR(eddy_read(e.a, buf, 0), -EINVAL);
        ends_close(&e);
    }
}

EDDY_TEST(a_writer_waits_for_a_reader_that_does_not_read)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        if (!open_or_tell(kind, &e))
            return;
        const size_t len = (size_t)32 << 20;
        char *out = pattern(len), *in = calloc(1, len);
        struct job write = { .s = e.a, .buf = out, .len = len };
        /* A read that is over must not leave the door open behind it. */
        EDDY_CHECK_EQ(eddy_write_text(e.a, "x"), 0);
        EDDY_CHECK_EQ(eddy_read(e.b, in, 1), 1);
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, act, .how = do_write, .job = &write);
        settle();
        EDDY_CHECK(!write.over);
        EDDY_CHECK_EQ(eddy_read_exactly(e.b, in, len), 0);
        EDDY_CHECK_EQ(eddy_join(&tasks), 0);
        EDDY_CHECK_EQ(write.result, 0);
        EDDY_CHECK(memcmp(in, out, len) == 0);
        free(out);
        free(in);
        ends_close(&e);
    }
}

EDDY_TEST(a_cancelled_read_leaves_the_stream_as_it_was)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char buf[8];
        if (!open_or_tell(kind, &e))
            return;
        struct job read = { .s = e.b, .buf = buf, .len = sizeof buf };
        {
            EDDY_SCOPE(tasks, .timeout_ms = 0);
            EDDY_GO(&tasks, act, .how = do_read, .job = &read);
            settle();
            EDDY_CHECK(!read.over);
            eddy_scope_cancel(&tasks);
            eddy_join(&tasks);
        }
        EDDY_CHECK_ERR(read.result, -ECANCELED);
        EDDY_CHECK_EQ(eddy_write_text(e.a, "later"), 0);
        EDDY_CHECK_EQ(eddy_read_exactly(e.b, buf, 5), 0);
        EDDY_CHECK_MEM(buf, 5, "later", 5);
        ends_close(&e);
    }
}

EDDY_TEST(a_byte_that_races_a_cancel_is_never_lost)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        if (!open_or_tell(kind, &e))
            return;
        size_t got = 0;
        for (int round = 0; round < 40; round++) {
            char buf[8];
            struct job read = { .s = e.b, .buf = buf, .len = 1 };
            EDDY_SCOPE(tasks, .timeout_ms = 0);
            EDDY_GO(&tasks, act, .how = do_read, .job = &read);
            for (int i = 0; i < round % 5; i++)
                eddy_yield();
            EDDY_CHECK_EQ(eddy_write_text(e.a, "b"), 0);
            for (int i = 0; i < round % 7; i++)
                eddy_yield();
            eddy_scope_cancel(&tasks);
            eddy_join(&tasks);
            EDDY_CHECK(read.result == 1 || read.result == -ECANCELED);
            got += read.result == 1;
        }
        EDDY_CHECK_EQ(eddy_stream_finish(e.a), 0);
        char rest[64];
        ssize_t n;
        while ((n = eddy_read(e.b, rest, sizeof rest)) > 0)
            got += (size_t)n;
        EDDY_CHECK_EQ(n, 0);
        if (!EDDY_CHECK_EQ(got, 40))
            EDDY_CHECK_FAIL("over %s", ends_name(kind));
        ends_close(&e);
    }
}

EDDY_TEST(a_cancelled_write_breaks_the_stream)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char buf[8];
        if (!open_or_tell(kind, &e))
            return;
        const size_t len = (size_t)32 << 20;
        char *out = calloc(1, len);
        struct job write = { .s = e.a, .buf = out, .len = len };
        {
            EDDY_SCOPE(tasks, .timeout_ms = 0);
            EDDY_GO(&tasks, act, .how = do_write, .job = &write);
            settle();
            EDDY_CHECK(!write.over);
            eddy_scope_cancel(&tasks);
            eddy_join(&tasks);
        }
        EDDY_CHECK_ERR(write.result, -ECANCELED);
        EDDY_CHECK_ERR(eddy_write_text(e.a, "x"), -EDDY_EBROKEN);
        EDDY_CHECK_ERR(eddy_read(e.a, buf, 1), -EDDY_EBROKEN);
        EDDY_CHECK_ERR(eddy_stream_finish(e.a), -EDDY_EBROKEN);
        free(out);
        ends_close(&e);
    }
}

EDDY_TEST(read_exactly_breaks_only_when_it_has_taken_a_byte)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char buf[8];
        if (!open_or_tell(kind, &e))
            return;
        for (int sent = 0; sent < 2; sent++) {
            struct job read = { .s = e.b, .buf = buf, .len = 4 };
            EDDY_SCOPE(tasks, .timeout_ms = 0);
            EDDY_GO(&tasks, act, .how = do_read_exactly, .job = &read);
            settle();
            if (sent)
                EDDY_CHECK_EQ(eddy_write_text(e.a, "x"), 0);
            settle();
            eddy_scope_cancel(&tasks);
            eddy_join(&tasks);
            EDDY_CHECK_ERR(read.result, -ECANCELED);
        }
        EDDY_CHECK_ERR(eddy_read(e.b, buf, 1), -EDDY_EBROKEN);
        ends_close(&e);
    }
}

EDDY_TEST(read_exactly_tells_an_early_end)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char buf[8];
        if (!open_or_tell(kind, &e))
            return;
        EDDY_CHECK_EQ(eddy_write_text(e.a, "abc"), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(e.a), 0);
        EDDY_CHECK_ERR(eddy_read_exactly(e.b, buf, 4), -EDDY_EEOF);
        EDDY_CHECK_MEM(buf, 3, "abc", 3);
        ends_close(&e);
    }
}

EDDY_TEST(one_reader_and_one_writer_at_a_time)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char buf[8], other[8];
        if (!open_or_tell(kind, &e))
            return;
        const size_t len = (size_t)32 << 20;
        char *out = calloc(1, len);
        struct job read = { .s = e.a, .buf = buf, .len = sizeof buf };
        struct job write = { .s = e.a, .buf = out, .len = len };
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, act, .how = do_read, .job = &read);
        EDDY_GO(&tasks, act, .how = do_write, .job = &write);
        settle();
        EDDY_CHECK_ERR(eddy_read(e.a, other, 1), -EBUSY);
        EDDY_CHECK_ERR(eddy_write_text(e.a, "x"), -EBUSY);
        EDDY_CHECK(!read.over && !write.over);
        eddy_scope_cancel(&tasks);
        eddy_join(&tasks);
        free(out);
        ends_close(&e);
    }
}

EDDY_TEST(the_peer_going_is_the_end_for_who_reads_and_an_error_for_who_writes)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char buf[8];
        if (!open_or_tell(kind, &e))
            return;
        EDDY_CHECK_EQ(eddy_write_text(e.a, "bye"), 0);
        EDDY_CHECK_EQ(eddy_stream_close(e.a), 0);
        EDDY_CHECK_ERR(eddy_read(e.a, buf, 1), -EBADF);
        EDDY_CHECK_ERR(eddy_write_text(e.a, "x"), -EBADF);
        EDDY_CHECK_EQ(eddy_read_exactly(e.b, buf, 3), 0);
        EDDY_CHECK_EQ(eddy_read(e.b, buf, 1), 0);
        int r = 0;
        for (int i = 0; i < 1000 && r == 0; i++) {
            r = eddy_write_text(e.b, "x");
            eddy_sleep(1);
        }
        if (!EDDY_CHECK(r == -EPIPE || r == -ECONNRESET))
            EDDY_CHECK_FAIL("over %s: %d", ends_name(kind), r);
        ends_close(&e);
    }
}

EDDY_TEST(bytes_come_before_a_reset)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char buf[8];
        if (!open_or_tell(kind, &e))
            return;
        /* What a leaves unread when it closes makes its kernel reset the connection. */
        EDDY_CHECK_EQ(eddy_write_text(e.b, "unread"), 0);
        EDDY_CHECK_EQ(eddy_write_text(e.a, "data"), 0);
        settle();
        EDDY_CHECK_EQ(eddy_read_exactly(e.b, buf, 1), 0);
        EDDY_CHECK_EQ(buf[0], 'd');
        settle();
        eddy_stream_close(e.a);
        ssize_t n;
        while ((n = eddy_read(e.b, buf, sizeof buf)) > 0)
            ; /* what had arrived, unless the kernel drops what a reset overtakes */
        if (!EDDY_CHECK_ERR(n, kind == ENDS_PIPES ? 0 : -ECONNRESET)) /* a pipe has no resets */
            EDDY_CHECK_FAIL("over %s", ends_name(kind));
        ends_close(&e);
    }
}

static void in_callback(void *ctx)
{
    struct ends *e = ctx;
    char buf[4];

    EDDY_CHECK_ERR(eddy_read(e->a, buf, 4), -EDEADLK);
    EDDY_CHECK_ERR(eddy_write_text(e->a, "x"), -EDEADLK);
    EDDY_CHECK_ERR(eddy_stream_finish(e->a), -EDEADLK);
    EDDY_CHECK_EQ(eddy_stream_close(e->a), 0);
    eddy_loop_stop(eddy_loop_current());
}

EDDY_TEST(a_callback_may_not_wait)
{
    struct ends e;
    if (!open_or_tell(ENDS_PAIR, &e))
        return;
    eddy_post(eddy_loop_current(), in_callback, &e);
    EDDY_CHECK_EQ(eddy_loop_run(eddy_loop_current()), 0);
    ends_close(&e);
}

EDDY_TEST(a_taken_transport_brings_the_bytes_that_were_kept)
{
    ENDS_EACH(kind)
    {
        struct ends e;
        char line[16];
        struct eddy_transport *t;
        struct eddy_buffer kept;
        if (!open_or_tell(kind, &e))
            return;
        EDDY_CHECK_EQ(eddy_write_text(e.a, "UPGRADE\nrest"), 0);
        settle();
        EDDY_CHECK_EQ(eddy_read_until(e.b, EDDY_SLICE("\n"), line, sizeof line), 8);
        if (EDDY_CHECK_EQ(eddy_stream_take_transport(e.b, &t, &kept), 0)) {
            struct eddy_slice bytes = eddy_buffer_bytes(&kept);
            EDDY_CHECK_ERR(eddy_read(e.b, line, 1), -EBADF);
            eddy_stream_free(e.b);
            EDDY_CHECK_EQ(eddy_stream_of(t, &e.b), 0);
            char rest[8] = { 0 };
            memcpy(rest, bytes.ptr, bytes.len);
            EDDY_CHECK_EQ(eddy_read_exactly(e.b, rest + bytes.len, 4 - bytes.len), 0);
            EDDY_CHECK_STR(rest, "rest");
            eddy_buffer_done(&kept);
        }
        ends_close(&e);
    }
}

static int talk(enum ends_kind kind)
{
    struct eddy_transport *t[2] = { 0 };
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    char buf[64];

    int r = eddy_transport_pair(0, &t[0], &t[1]);
    if (r < 0)
        return r;
    for (int i = 0; i < 2 && r == 0 && kind == ENDS_XOR_PAIR; i++)
        r = eddy_filter_xor(t[i], 1, &t[i]);
    if (r == 0)
        r = eddy_stream_of(t[0], &a);
    if (r == 0)
        t[0] = NULL;
    if (r == 0)
        r = eddy_stream_of(t[1], &b);
    if (r == 0)
        t[1] = NULL;
    if (r == 0)
        r = eddy_write_text(a, "one\ntwo\n");
    if (r == 0)
        r = (int)eddy_read_until(b, EDDY_SLICE("\n"), buf, sizeof buf);
    if (r > 0)
        r = eddy_read_exactly(b, buf, 4);
    for (int i = 0; i < 2; i++)
        if (t[i])
            eddy_transport_close(t[i], 0);
    return r;
}

EDDY_TEST(no_failed_allocation_crashes_or_leaks)
{
    eddy_loop_current();
    for (int i = 0; i < 2; i++) {
        for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
            int r = talk(i ? ENDS_XOR_PAIR : ENDS_PAIR);
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            if (fired)
                EDDY_CHECK(r < 0);
            else
                EDDY_CHECK_EQ(r, 0);
            settle();
        }
    }
}
