/*
 * file_test.c - the calls of eddy/file.h
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "check.h"

#include "base/fault.h"
#include "base/sys.h"
#include "loop/backtrace.h"

#include <eddy/file.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static const char *fresh(void)
{
    (void)snprintf(path, sizeof path, "file-test-%ld", (long)getpid());
    (void)unlink(path);
    return path;
}

void eddy_check_teardown(void)
{
    (void)unlink(path);
}

EDDY_TEST(what_was_written_is_read)
{
    EDDY_OWN(eddy_file) f = NULL;
    char buf[16] = { 0 };

    EDDY_CHECK_EQ(eddy_file_open(fresh(), O_RDWR | O_CREAT | O_EXCL, 0600, &f), 0);
    EDDY_CHECK_EQ(eddy_file_size(f), 0);
    EDDY_CHECK_EQ(eddy_file_read(f, buf, sizeof buf, 0), 0);
    EDDY_CHECK_EQ(eddy_file_write(f, "hello world", 11, 0), 0);
    EDDY_CHECK_EQ(eddy_file_write(f, "W", 1, 6), 0);
    EDDY_CHECK_EQ(eddy_file_sync(f), 0);
    EDDY_CHECK_EQ(eddy_file_size(f), 11);
    EDDY_CHECK_EQ(eddy_file_read(f, buf, sizeof buf, 6), 5);
    EDDY_CHECK_STR(buf, "World");
    EDDY_CHECK_EQ(eddy_file_close(EDDY_TAKE(f)), 0);
    EDDY_CHECK_EQ(eddy_file_close(NULL), 0);
    eddy_file_free(NULL);
}

EDDY_TEST(errors_are_the_kernels)
{
    EDDY_OWN(eddy_file) f = NULL;
    EDDY_OWN(eddy_file) again = NULL;
    char byte;

    EDDY_CHECK_ERR(eddy_file_open("no such folder/x", O_RDONLY, 0, &f), -ENOENT);
    EDDY_CHECK(f == NULL);
    EDDY_CHECK_EQ(eddy_file_open(fresh(), O_WRONLY | O_CREAT, 0600, &f), 0);
    EDDY_CHECK_ERR(eddy_file_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &again), -EEXIST);
    EDDY_CHECK_ERR(eddy_file_read(f, &byte, 1, 0), -EBADF);
    EDDY_CHECK_ERR(eddy_file_read(f, &byte, 1, -1), -EINVAL);
    EDDY_CHECK_ERR(eddy_file_write(f, &byte, 1, -1), -EINVAL);
}

EDDY_TEST(o_append_writes_at_the_end)
{
    EDDY_OWN(eddy_file) f = NULL;
    char buf[16] = { 0 };

    EDDY_CHECK_EQ(eddy_file_open(fresh(), O_RDWR | O_CREAT | O_APPEND, 0600, &f), 0);
    EDDY_CHECK_EQ(eddy_file_write(f, "one", 3, 0), 0);
    EDDY_CHECK_EQ(eddy_file_write(f, "two", 3, 0), 0);
    EDDY_CHECK_EQ(eddy_file_write(f, "six", 3, 100), 0);
    EDDY_CHECK_EQ(eddy_file_size(f), 9);
    EDDY_CHECK_EQ(eddy_file_read(f, buf, sizeof buf, 0), 9);
    EDDY_CHECK_STR(buf, "onetwosix");
}

struct in_callback {
    struct eddy_file *f;
    bool close;
    bool called;
};

static void use_it(void *ctx)
{
    struct in_callback *in = ctx;
    struct eddy_file *none = NULL;
    char byte;

    in->called = true;
    if (in->close) {
        EDDY_CHECK_EQ(eddy_file_close(in->f), 0);
        return;
    }
    EDDY_CHECK_ERR(eddy_file_open(path, O_RDONLY, 0, &none), -EDEADLK);
    EDDY_CHECK_ERR(eddy_file_read(in->f, &byte, 1, 0), -EDEADLK);
    EDDY_CHECK_ERR(eddy_file_write(in->f, "x", 1, 0), -EDEADLK);
    EDDY_CHECK_ERR(eddy_file_write(in->f, "", 0, 0), -EDEADLK);
    EDDY_CHECK_ERR(eddy_file_sync(in->f), -EDEADLK);
    EDDY_CHECK_ERR(eddy_file_size(in->f), -EDEADLK);
}

static void have_it_used(struct in_callback *in)
{
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), use_it, in), 0);
    while (!in->called)
        eddy_loop_turn(eddy_loop_current(), -1);
}

EDDY_TEST(a_callback_gets_edeadlk)
{
    EDDY_OWN(eddy_file) f = NULL;

    EDDY_CHECK_EQ(eddy_file_open(fresh(), O_RDWR | O_CREAT, 0600, &f), 0);
    have_it_used(&(struct in_callback){ .f = f });
}

/* That it is closed, and its memory given back, the count at the test's end shows. */
EDDY_TEST(close_in_a_callback_is_the_loops)
{
    EDDY_OWN(eddy_file) f = NULL;

    EDDY_CHECK_EQ(eddy_file_open(fresh(), O_RDWR | O_CREAT, 0600, &f), 0);
    have_it_used(&(struct in_callback){ .f = EDDY_TAKE(f), .close = true });
    EDDY_CHECK_EQ(eddy_sleep(1), 0); /* plain code goes on with the loop */
}

static pthread_t loops_thread;
static unsigned on_the_loop, elsewhere;

static ssize_t pread_seen(int fd, void *buf, size_t len, int64_t offset, int flags)
{
    __atomic_add_fetch(pthread_equal(pthread_self(), loops_thread) ? &on_the_loop : &elsewhere, 1,
                       __ATOMIC_RELAXED);
    return eddy__sys_kernel.pread(fd, buf, len, offset, flags);
}

/* With O_DIRECT the kernel waits for the disk even when it is told not to: the loop may not ask it. */
EDDY_TEST(what_goes_past_the_cache_does_not_hold_the_loop)
{
    static char block[4096] __attribute__((aligned(4096)));
    EDDY_OWN(eddy_file) f = NULL;

    if (strcmp(eddy_check_backend(), "sim") == 0 || strcmp(eddy_check_backend(), "uring") == 0)
        return;
    loops_thread = pthread_self();
    on_the_loop = elsewhere = 0;
    int r = eddy_file_open(fresh(), O_RDWR | O_CREAT | O_DIRECT, 0600, &f);
    if (r == -EINVAL) {
        EDDY_CHECK_NOT_RUN("no O_DIRECT on this file system");
        return;
    }
    EDDY_CHECK_EQ(r, 0);
    EDDY_CHECK_EQ(eddy_file_write(f, block, sizeof block, 0), 0);
    eddy__sys.pread = pread_seen;
    EDDY_CHECK_EQ(eddy_file_read(f, block, sizeof block, 0), sizeof block);
    eddy__sys.pread = eddy__sys_kernel.pread;
    EDDY_CHECK_EQ(on_the_loop, 0);
    EDDY_CHECK_EQ(elsewhere, 1);
}

static int complaints;

static void __attribute__((constructor)) load_once(void)
{
    (void)eddy__backtrace_is_there(); /* keeps two descriptors */
}

static void count_complaints(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx, (void)level;
    complaints += strstr(line, "EDEADLK") != NULL;
}

/* It is not the mistake that debug mode tells of; a read there is. */
EDDY_TEST(close_in_a_callback_is_no_mistake)
{
    struct eddy_loop *loop = NULL;
    struct eddy_file *f = NULL;

    if (strcmp(eddy_check_backend(), "sim") == 0)
        return; /* one loop a simulation, without debug */
    complaints = 0;
    eddy_log_to(count_complaints, NULL, EDDY_LOG_WARNING);
    EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .debug = true, .stall_ms = 60000), &loop), 0);
    EDDY_CHECK_EQ(eddy_file_open(fresh(), O_RDWR | O_CREAT, 0600, &f), 0);
    have_it_used(&(struct in_callback){ .f = f, .close = true });
    EDDY_CHECK_EQ(complaints, 0);
    EDDY_CHECK_EQ(eddy_file_open(path, O_RDWR, 0600, &f), 0);
    have_it_used(&(struct in_callback){ .f = f });
    EDDY_CHECK(complaints > 0);
    EDDY_CHECK_EQ(eddy_file_close(f), 0);
    eddy_loop_free(loop);
    eddy_log_to(NULL, NULL, EDDY_LOG_DEBUG);
}

struct writer_args {
    struct eddy_file *f;
    int index;
};

#define PIECE 3000

static int writer(struct writer_args *a)
{
    char piece[PIECE];

    memset(piece, 'a' + a->index, sizeof piece);
    return eddy_file_write(a->f, piece, sizeof piece, (int64_t)a->index * PIECE);
}
EDDY_TASK(writer);

EDDY_TEST(many_tasks_write_one_file)
{
    EDDY_OWN(eddy_file) f = NULL;
    char piece[PIECE];

    EDDY_CHECK_EQ(eddy_file_open(fresh(), O_RDWR | O_CREAT, 0600, &f), 0);
    EDDY_SCOPE(writers, .timeout_ms = 0);
    for (int i = 0; i < 20; i++)
        EDDY_GO(&writers, writer, .f = f, .index = i);
    EDDY_CHECK_EQ(eddy_join(&writers), 0);
    EDDY_CHECK_EQ(eddy_file_size(f), 20 * PIECE);
    for (int i = 0; i < 20; i++) {
        size_t got = 0;
        while (got < PIECE) {
            ssize_t n = eddy_file_read(f, piece + got, PIECE - got, i * PIECE + (int64_t)got);
            if (!EDDY_CHECK(n > 0))
                return;
            got += (size_t)n;
        }
        EDDY_CHECK_EQ(piece[0], 'a' + i);
        EDDY_CHECK_EQ(piece[PIECE - 1], 'a' + i);
    }
}

EDDY_TEST(a_cancelled_call_does_nothing)
{
    EDDY_OWN(eddy_file) f = NULL;
    EDDY_OWN(eddy_file) other = NULL;
    char byte;

    EDDY_CHECK_EQ(eddy_file_open(fresh(), O_RDWR | O_CREAT, 0600, &f), 0);
    EDDY_SCOPE(over, .timeout_ms = 0);
    eddy_scope_cancel(&over);
    EDDY_CHECK_ERR(eddy_file_open(path, O_RDONLY, 0, &other), -ECANCELED);
    EDDY_CHECK_ERR(eddy_file_read(f, &byte, 1, 0), -ECANCELED);
    EDDY_CHECK_ERR(eddy_file_read(f, &byte, 1, -1), -ECANCELED);
    EDDY_CHECK_ERR(eddy_file_read(f, &byte, 0, 0), -ECANCELED);
    EDDY_CHECK_ERR(eddy_file_write(f, "x", 1, 0), -ECANCELED);
    EDDY_CHECK_ERR(eddy_file_write(f, "x", 1, -1), -ECANCELED);
    EDDY_CHECK_ERR(eddy_file_write(f, "", 0, 0), -ECANCELED);
    EDDY_CHECK_ERR(eddy_file_sync(f), -ECANCELED);
    EDDY_CHECK_ERR(eddy_file_size(f), -ECANCELED);
    EDDY_CHECK_EQ(eddy_file_close(EDDY_TAKE(f)), 0); /* this one is never cancelled */
    /* The scope comes before memory, too. */
    for (struct eddy_fault fault = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&fault);)
        EDDY_CHECK_ERR(eddy_file_open(path, O_RDONLY, 0, &other), -ECANCELED);
}

/* Open, write, sync, read, close: 0, or the first error. */
static int scenario(void)
{
    EDDY_OWN(eddy_file) f = NULL;
    char buf[4];

    int r = eddy_file_open(path, O_RDWR | O_CREAT, 0600, &f);
    if (r == 0)
        r = eddy_file_write(f, "abcd", 4, 0);
    if (r == 0)
        r = eddy_file_sync(f);
    if (r == 0)
        r = (int)eddy_file_read(f, buf, sizeof buf, 0);
    if (r > 0)
        r = eddy_file_close(EDDY_TAKE(f));
    return r;
}

EDDY_TEST(every_failed_allocation_and_operation_is_an_error_and_leaks_nothing)
{
    fresh();
    eddy_loop_current();
    EDDY_CHECK_EQ(scenario(), 0); /* the pool's threads, the task's room */
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = scenario();
        EDDY_CHECK_ERR(r, eddy_fault_fired(&f) ? -ENOMEM : 0);
    }
    int survived = 0;
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_OP); eddy_fault_next(&f);) {
        int r = scenario();
        EDDY_CHECK(r == 0 || eddy_fault_fired(&f));
        survived += r == 0 && eddy_fault_fired(&f);
    }
    /* The close, failed alone and with all that follows: nobody could mend that. */
    EDDY_CHECK_EQ(survived, 2);
}
