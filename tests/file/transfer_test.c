/*
 * transfer_test.c - the rules of eddy/transfer.h
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/path.h>
#include <eddy/task.h>
#include <eddy/transfer.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE ((size_t)3 << 20)

static char bytes[SIZE], got[SIZE + 16];

/* Two ends of each kind: what the kernel can move between, and what it cannot. */
enum kind { TCP, XOR, PAIR, KINDS };

static const char *fresh(void)
{
    static char path[64];
    static unsigned count;

    (void)snprintf(path, sizeof path, "transfer-%u", count++);
    return path;
}

static void fill(void)
{
    uint32_t x = 1;

    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
}

static struct eddy_file *a_file(size_t len)
{
    struct eddy_file *f = NULL;

    fill();
    const char *path = fresh();
    EDDY_CHECK_EQ(eddy_file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, &f), 0);
    EDDY_CHECK_EQ(eddy_path_remove(path), 0);
    EDDY_CHECK_EQ(eddy_file_write(f, bytes, len, 0), 0);
    return f;
}

struct take_one_args {
    struct eddy_listener *door;
    struct eddy_stream **ret;
};

static int take_one(struct take_one_args *a)
{
    return eddy_accept(a->door, a->ret);
}
EDDY_TASK(take_one);

static void tcp(struct eddy_stream *end[2])
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address at;
    char text[EDDY_ADDRESS_TEXT];
    EDDY_SCOPE(s, .timeout_ms = 20000);

    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0);
    EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0);
    EDDY_GO(&s, take_one, .door = door, .ret = &end[1]);
    EDDY_CHECK_EQ(eddy_connect(eddy_address_format(&at, text, sizeof text), NULL, &end[0]), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

/* A filter over it: the socket is not the stream's own any more. */
static void filtered(struct eddy_stream **s)
{
    struct eddy_transport *t, *over;
    struct eddy_buffer kept;

    EDDY_CHECK_EQ(eddy_stream_take_transport(*s, &t, &kept), 0);
    eddy_buffer_done(&kept);
    EDDY_CHECK_EQ(eddy_filter_xor(t, 0x5a, &over), 0);
    eddy_stream_free(*s);
    EDDY_CHECK_EQ(eddy_stream_of(over, s), 0);
}

static void ends(enum kind kind, struct eddy_stream *end[2])
{
    if (kind == PAIR) {
        EDDY_CHECK_EQ(eddy_stream_pair(&end[0], &end[1]), 0);
        return;
    }
    tcp(end);
    if (kind == XOR) {
        filtered(&end[0]);
        filtered(&end[1]);
    }
}

static void end_both(struct eddy_stream *end[2])
{
    eddy_stream_free(end[0]);
    eddy_stream_free(end[1]);
}

struct read_all_args {
    struct eddy_stream *s;
    size_t *ret_len;
};

static int read_all(struct read_all_args *a)
{
    ssize_t n;

    while ((n = eddy_read(a->s, got + *a->ret_len, sizeof got - *a->ret_len)) > 0)
        *a->ret_len += (size_t)n;
    return (int)n;
}
EDDY_TASK(read_all);

struct write_bytes_args {
    struct eddy_stream *s;
    size_t len;
};

static int write_bytes(struct write_bytes_args *a)
{
    int r = eddy_write(a->s, bytes, a->len);

    return r < 0 ? r : eddy_stream_finish(a->s);
}
EDDY_TASK(write_bytes);

EDDY_TEST(every_byte_arrives)
{
    for (enum kind kind = TCP; kind < KINDS; kind++) {
        EDDY_OWN(eddy_file) f = a_file(SIZE);
        EDDY_OWN(eddy_file) copy = NULL;
        struct eddy_stream *end[2];
        int64_t moved = 0;
        size_t len = 0;

        ends(kind, end);
        {
            EDDY_SCOPE(s, .timeout_ms = 30000);
            EDDY_GO(&s, read_all, .s = end[1], .ret_len = &len);
            EDDY_CHECK_EQ(eddy_send_file(end[0], f, 0, -1, &moved), 0);
            EDDY_CHECK_EQ(eddy_stream_finish(end[0]), 0);
            EDDY_CHECK_EQ(eddy_join(&s), 0);
        }
        EDDY_CHECK_EQ(moved, SIZE);
        EDDY_CHECK_MEM(got, len, bytes, SIZE);
        end_both(end);

        ends(kind, end);
        copy = a_file(0);
        {
            EDDY_SCOPE(s, .timeout_ms = 30000);
            EDDY_GO(&s, write_bytes, .s = end[0], .len = SIZE);
            EDDY_CHECK_EQ(eddy_receive_file(end[1], copy, 0, -1, &moved), 0);
            EDDY_CHECK_EQ(eddy_join(&s), 0);
        }
        EDDY_CHECK_EQ(moved, SIZE);
        EDDY_CHECK_EQ(eddy_file_size(copy), SIZE);
        memset(got, 0, sizeof got);
        for (size_t at = 0; at < SIZE;) {
            ssize_t n = eddy_file_read(copy, got + at, SIZE - at, (int64_t)at);
            if (!EDDY_CHECK(n > 0))
                break;
            at += (size_t)n;
        }
        EDDY_CHECK_MEM(got, SIZE, bytes, SIZE);
        end_both(end);
    }
}

static void forward_between(enum kind from, enum kind to)
{
    struct eddy_stream *a[2], *b[2];
    int64_t moved = 0;
    size_t len = 0;

    ends(from, a);
    ends(to, b);
    {
        EDDY_SCOPE(s, .timeout_ms = 30000);
        EDDY_GO(&s, write_bytes, .s = a[0], .len = SIZE);
        EDDY_GO(&s, read_all, .s = b[1], .ret_len = &len);
        EDDY_CHECK_EQ(eddy_forward(a[1], b[0], &moved), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(b[0]), 0);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
    EDDY_CHECK_EQ(moved, SIZE);
    EDDY_CHECK_MEM(got, len, bytes, SIZE);
    end_both(a);
    end_both(b);
}

EDDY_TEST(every_byte_is_forwarded)
{
    fill();
    for (enum kind from = TCP; from < KINDS; from++)
        for (enum kind to = TCP; to < KINDS; to++)
            forward_between(from, to);
}

EDDY_TEST(a_part_of_a_file)
{
    for (enum kind kind = TCP; kind < KINDS; kind++) {
        EDDY_OWN(eddy_file) f = a_file(10000);
        struct eddy_stream *end[2];
        int64_t sent;

        ends(kind, end);
        EDDY_CHECK_EQ(eddy_send_file(end[0], f, 5000, 10, &sent), 0);
        EDDY_CHECK_EQ(sent, 10);
        EDDY_CHECK_EQ(eddy_send_file(end[0], f, 9995, 10, &sent), 0);
        EDDY_CHECK_EQ(sent, 5);
        EDDY_CHECK_EQ(eddy_send_file(end[0], f, 20000, -1, &sent), 0);
        EDDY_CHECK_EQ(sent, 0);
        EDDY_CHECK_EQ(eddy_send_file(end[0], f, 0, 0, NULL), 0);
        EDDY_CHECK_ERR(eddy_send_file(end[0], f, -1, 1, &sent), -EINVAL);
        EDDY_CHECK_EQ(eddy_read_exactly(end[1], got, 15), 0);
        EDDY_CHECK_MEM(got, 10, bytes + 5000, 10);
        EDDY_CHECK_MEM(got + 10, 5, bytes + 9995, 5);
        end_both(end);
    }
}

struct lengthen_args {
    struct eddy_file *f;
};

static int lengthen(struct lengthen_args *a)
{
    return eddy_file_write(a->f, bytes, 1000, (int64_t)SIZE);
}
EDDY_TASK(lengthen);

EDDY_TEST(what_is_written_behind_it_meanwhile_is_not_sent)
{
    for (enum kind kind = TCP; kind < KINDS && strcmp(eddy_check_backend(), "sim") != 0; kind++) {
        EDDY_OWN(eddy_file) f = a_file(SIZE);
        struct eddy_stream *end[2];
        size_t len = 0;
        ends(kind, end);
        EDDY_SCOPE(s, .timeout_ms = 30000);
        EDDY_GO(&s, lengthen, .f = f); /* it runs when the sending waits */
        EDDY_GO(&s, read_all, .s = end[1], .ret_len = &len);
        EDDY_CHECK_EQ(eddy_send_file(end[0], f, 0, -1, NULL), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(end[0]), 0);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
        EDDY_CHECK_EQ(len, SIZE);
        end_both(end);
    }
}

EDDY_TEST(what_was_received_before_comes_first)
{
    for (enum kind kind = TCP; kind < KINDS; kind++) {
        EDDY_OWN(eddy_file) f = a_file(0);
        struct eddy_stream *a[2], *b[2];
        char line[16];
        int64_t moved;

        ends(kind, a);
        ends(kind, b);
        EDDY_CHECK_EQ(eddy_write_text(a[0], "PUT\nsome bytes"), 0);
        EDDY_CHECK_EQ(eddy_read_until(a[1], EDDY_SLICE("\n"), line, sizeof line), 4);
        EDDY_CHECK_EQ(eddy_receive_file(a[1], f, 0, 4, &moved), 0);
        EDDY_CHECK_EQ(eddy_file_read(f, got, 16, 0), 4);
        EDDY_CHECK_MEM(got, 4, "some", 4);
        EDDY_CHECK_EQ(eddy_write_text(a[0], " and more"), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(a[0]), 0);
        EDDY_CHECK_EQ(eddy_forward(a[1], b[0], &moved), 0);
        EDDY_CHECK_EQ(moved, 15);
        EDDY_CHECK_EQ(eddy_read_exactly(b[1], got, 15), 0);
        EDDY_CHECK_MEM(got, 15, " bytes and more", 15);
        end_both(a);
        end_both(b);
    }
}

EDDY_TEST(an_end_before_the_length)
{
    for (enum kind kind = TCP; kind < KINDS; kind++) {
        EDDY_OWN(eddy_file) f = a_file(0);
        struct eddy_stream *end[2];
        int64_t moved;

        ends(kind, end);
        EDDY_CHECK_EQ(eddy_write_text(end[0], "abc"), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(end[0]), 0);
        EDDY_CHECK_ERR(eddy_receive_file(end[1], f, 0, 4, &moved), -EDDY_EEOF);
        EDDY_CHECK_EQ(moved, 3);
        end_both(end);
    }
}

struct send_it_args {
    struct eddy_stream *s;
    struct eddy_file *f;
    int *ret;
    int64_t *ret_sent;
};

static int send_it(struct send_it_args *a)
{
    *a->ret = eddy_send_file(a->s, a->f, 0, -1, a->ret_sent);
    return 0;
}
EDDY_TASK(send_it);

/* Larger than all that a socket's buffers take. */
static struct eddy_file *a_large_file(void)
{
    struct eddy_file *f = a_file(SIZE);

    for (int i = 1; i < 8; i++)
        EDDY_CHECK_EQ(eddy_file_write(f, bytes, SIZE, (int64_t)SIZE * i), 0);
    return f;
}

EDDY_TEST(a_peer_that_does_not_read)
{
    for (enum kind kind = TCP; kind < KINDS; kind++) {
        EDDY_OWN(eddy_file) f = a_large_file();
        struct eddy_stream *end[2];
        int64_t sent = -1;
        int r = 1, beats = 0;

        ends(kind, end);
        EDDY_SCOPE(s, .timeout_ms = 30000);
        EDDY_GO(&s, send_it, .s = end[0], .f = f, .ret = &r, .ret_sent = &sent);
        for (; beats < 20; beats++)
            EDDY_CHECK_EQ(eddy_sleep(1), 0);
        EDDY_CHECK_EQ(r, 1); /* it waits, and nobody with it */
        eddy_scope_cancel(&s);
        eddy_join(&s);
        EDDY_CHECK_ERR(r, -ECANCELED);
        EDDY_CHECK(sent > 0 && sent < 8 * (int64_t)SIZE);
        EDDY_CHECK_ERR(eddy_write(end[0], "x", 1), -ECANCELED); /* this scope has ended */
        end_both(end);
    }
}

EDDY_TEST(a_cancelled_transfer_breaks_the_stream)
{
    for (enum kind kind = TCP; kind < KINDS; kind++) {
        EDDY_OWN(eddy_file) f = a_large_file();
        struct eddy_stream *end[2];
        int64_t sent = -1;

        ends(kind, end);
        {
            EDDY_SCOPE(over, .timeout_ms = 0);
            eddy_scope_cancel(&over);
            EDDY_CHECK_ERR(eddy_send_file(end[0], f, 0, -1, &sent), -ECANCELED);
            EDDY_CHECK_EQ(sent, 0);
            EDDY_CHECK_ERR(eddy_receive_file(end[0], f, 0, 1, &sent), -ECANCELED);
            EDDY_CHECK_ERR(eddy_forward(end[0], end[1], &sent), -ECANCELED);
        }
        EDDY_CHECK_EQ(eddy_write(end[0], "x", 1), 0); /* nothing had happened */
        {
            EDDY_SCOPE(hurry, .timeout_ms = 30);
            EDDY_CHECK_ERR(eddy_send_file(end[0], f, 0, -1, &sent), -ETIMEDOUT);
            EDDY_CHECK(sent >= 0);
        }
        EDDY_CHECK_ERR(eddy_write(end[0], "x", 1), -EDDY_EBROKEN);
        end_both(end);
    }
}

EDDY_TEST(a_cancelled_forward_loses_nothing)
{
    for (enum kind kind = TCP; kind < KINDS; kind++) {
        struct eddy_stream *a[2], *b[2];

        ends(kind, a);
        ends(kind, b);
        {
            EDDY_SCOPE(hurry, .timeout_ms = 10);
            EDDY_CHECK_ERR(eddy_forward(a[1], b[0], NULL), -ETIMEDOUT);
        }
        EDDY_CHECK_EQ(eddy_write(a[0], "abc", 3), 0);
        EDDY_CHECK_EQ(eddy_read_exactly(a[1], got, 3), 0);
        EDDY_CHECK_EQ(eddy_write(b[0], "abc", 3), 0);
        end_both(a);
        end_both(b);
    }
}

EDDY_TEST(a_peer_that_is_gone)
{
    for (enum kind kind = TCP; kind < KINDS; kind++) {
        EDDY_OWN(eddy_file) f = a_large_file();
        struct eddy_stream *end[2];
        int64_t sent = -1;

        ends(kind, end);
        EDDY_CHECK_EQ(eddy_stream_close(end[1]), 0);
        int r = eddy_send_file(end[0], f, 0, -1, &sent);
        EDDY_CHECK(r == -EPIPE || r == -ECONNRESET);
        end_both(end);
    }
}

static ssize_t no_answer(int to, int from, int64_t at, size_t len)
{
    (void)to, (void)from, (void)at, (void)len;
    return -ETIMEDOUT;
}

/* The kernel says so once; to a read behind it, it says 0. */
EDDY_TEST(a_lost_connection_is_no_deadline_and_no_end)
{
    EDDY_OWN(eddy_file) f = a_file(9);
    struct eddy_stream *a[2], *b[2];

    if (strcmp(eddy_check_backend(), "sim") == 0)
        return; /* no call of the kernel's */
    ends(TCP, a);
    ends(TCP, b);
    eddy__sys.sendfile = no_answer;
    EDDY_CHECK_ERR(eddy_send_file(a[0], f, 0, -1, NULL), -EDDY_EPEER_TIMEOUT);
    eddy__sys.sendfile = eddy__sys_kernel.sendfile;
    EDDY_CHECK_EQ(eddy_stream_close(a[1]), 0);
    EDDY_CHECK_ERR(eddy_forward(a[0], b[0], NULL), -EDDY_EPEER_TIMEOUT);
    EDDY_CHECK_ERR(eddy_read(a[0], got, 1), -EDDY_EPEER_TIMEOUT);
    end_both(a);
    end_both(b);
}

EDDY_TEST(one_writer_at_a_time)
{
    EDDY_OWN(eddy_file) f = a_large_file();
    struct eddy_stream *end[2];
    int64_t sent;
    int r = 1;

    ends(TCP, end);
    {
        EDDY_SCOPE(s, .timeout_ms = 30000);
        EDDY_GO(&s, send_it, .s = end[0], .f = f, .ret = &r, .ret_sent = &sent);
        EDDY_CHECK_EQ(eddy_sleep(20), 0);
        EDDY_CHECK_ERR(eddy_send_file(end[0], f, 0, 1, NULL), -EBUSY);
        EDDY_CHECK_ERR(eddy_forward(end[1], end[0], NULL), -EBUSY);
        eddy_scope_cancel(&s);
        eddy_join(&s);
    }
    EDDY_CHECK_EQ(eddy_stream_close(end[0]), -ECANCELED);
    EDDY_CHECK_ERR(eddy_send_file(end[0], f, 0, 1, NULL), -EDDY_EBROKEN);
    end_both(end);
}

static ssize_t no_sendfile(int to, int from, int64_t offset, size_t len)
{
    (void)to, (void)from, (void)offset, (void)len;
    return -EINVAL;
}

static ssize_t no_splice(int from, int to, size_t len)
{
    (void)from, (void)to, (void)len;
    return -EINVAL;
}

EDDY_TEST(where_the_kernel_refuses_a_buffer_does_it)
{
    EDDY_OWN(eddy_file) f = a_file(100000);
    struct eddy_stream *end[2];
    size_t len = 0;

    eddy__sys.sendfile = no_sendfile;
    eddy__sys.splice = no_splice;
    forward_between(TCP, TCP);
    ends(TCP, end);
    EDDY_SCOPE(s, .timeout_ms = 30000);
    EDDY_GO(&s, read_all, .s = end[1], .ret_len = &len);
    EDDY_CHECK_EQ(eddy_send_file(end[0], f, 0, -1, NULL), 0);
    EDDY_CHECK_EQ(eddy_stream_finish(end[0]), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_MEM(got, len, bytes, 100000);
    eddy__sys.sendfile = eddy__sys_kernel.sendfile;
    eddy__sys.splice = eddy__sys_kernel.splice;
    end_both(end);
}

static int looks;
static atomic_int fetches;
static pthread_t loops_thread;
static struct eddy_scope *ends_soon; /* when something has been sent */

/* A disk that has nothing in memory. */
static ssize_t not_in_memory(int fd, void *buf, size_t len, int64_t offset, int flags)
{
    if (flags & RWF_NOWAIT) {
        if (++looks == 3 && ends_soon)
            eddy_scope_cancel(ends_soon);
        return -EAGAIN;
    }
    if (!pthread_equal(pthread_self(), loops_thread))
        atomic_fetch_add(&fetches, 1);
    return eddy__sys_kernel.pread(fd, buf, len, offset, flags);
}

EDDY_TEST(what_is_not_in_memory_is_fetched_by_a_thread)
{
    EDDY_OWN(eddy_file) f = a_file(1000000);
    struct eddy_stream *end[2];
    size_t len = 0;

    ends(TCP, end);
    loops_thread = pthread_self();
    looks = 0;
    atomic_store(&fetches, 0);
    eddy__sys.pread = not_in_memory;
    {
        EDDY_SCOPE(s, .timeout_ms = 30000);
        EDDY_GO(&s, read_all, .s = end[1], .ret_len = &len);
        EDDY_CHECK_EQ(eddy_send_file(end[0], f, 0, -1, NULL), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(end[0]), 0);
        EDDY_CHECK_EQ(eddy_join(&s), 0);
    }
    eddy__sys.pread = eddy__sys_kernel.pread;
    if (strcmp(eddy_check_backend(), "sim") != 0)
        EDDY_CHECK(looks > 0 && atomic_load(&fetches) > 0);
    EDDY_CHECK_MEM(got, len, bytes, 1000000);
    end_both(end);
}

EDDY_TEST(cancelled_between_two_pieces_it_is_broken_too)
{
    EDDY_OWN(eddy_file) f = a_file(SIZE);
    struct eddy_stream *end[2];
    int64_t sent = 0;
    size_t len = 0;

    if (strcmp(eddy_check_backend(), "sim") == 0)
        return; /* it has no such disk */
    ends(TCP, end);
    loops_thread = pthread_self();
    looks = 0;
    EDDY_SCOPE(outer, .timeout_ms = 0);
    EDDY_GO(&outer, read_all, .s = end[1], .ret_len = &len);
    eddy__sys.pread = not_in_memory;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        ends_soon = &s;
        EDDY_CHECK_ERR(eddy_send_file(end[0], f, 0, -1, &sent), -ECANCELED);
        ends_soon = NULL;
    }
    eddy__sys.pread = eddy__sys_kernel.pread;
    EDDY_CHECK(sent > 0 && sent < (int64_t)SIZE);
    EDDY_CHECK_ERR(eddy_write(end[0], "x", 1), -EDDY_EBROKEN);
    eddy_scope_cancel(&outer);
    eddy_join(&outer);
    end_both(end);
}

EDDY_TEST(every_failure_leaves_nothing)
{
    EDDY_OWN(eddy_file) f = a_file(10000);
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_OP };

    for (int i = 0; i < 2; i++) {
        for (enum kind kind = TCP; kind < KINDS; kind++) {
            struct eddy_stream *a[2], *b[2];
            ends(kind, a);
            ends(kind, b);
            for (struct eddy_fault fault = eddy_fault_each(kinds[i]); eddy_fault_next(&fault);) {
                EDDY_SCOPE(s, .timeout_ms = 1000);
                int r = eddy_send_file(a[0], f, 0, 100, NULL);
                if (r == 0)
                    r = eddy_receive_file(a[1], f, 0, 50, NULL);
                EDDY_CHECK(r == 0 || eddy_fault_fired(&fault));
                eddy_fault_stop();
                end_both(a);
                end_both(b);
                ends(kind, a);
                ends(kind, b);
            }
            end_both(a);
            end_both(b);
        }
    }
}
