/*
 * position_test.c - an open file with a place in it, and what is set of it
 *
 * backends: select poll epoll uring sim
 * threads: yes
 */
#include "scratch.h"

#include <eddy/stream.h>

void eddy_check_teardown(void)
{
    scratch_clean();
}

EDDY_TEST(reads_in_a_row_go_on)
{
    EDDY_OWN(eddy_file) f = NULL;
    char text[8] = "";

    EDDY_CHECK_EQ(eddy_file_open(scratch("f"), O_RDWR | O_CREAT, 0600, &f), 0);
    EDDY_CHECK_EQ(eddy_file_write_next(f, "one", 3), 0);
    EDDY_CHECK_EQ(eddy_file_write_next(f, "two", 3), 0);
    EDDY_CHECK_EQ(eddy_file_tell(f), 6);
    EDDY_CHECK_EQ(eddy_file_read_next(f, text, 3), 0);
    EDDY_CHECK_EQ(eddy_file_seek(f, 1), 0);
    EDDY_CHECK_EQ(eddy_file_read_next(f, text, 2), 2);
    EDDY_CHECK_STR(text, "ne");
    EDDY_CHECK_EQ(eddy_file_read_next(f, text, 7), 3);
    EDDY_CHECK_STR(text, "two");
    EDDY_CHECK_EQ(eddy_file_tell(f), 6);
    EDDY_CHECK_ERR(eddy_file_seek(f, -1), -EINVAL);
    EDDY_CHECK_EQ(eddy_file_read(f, text, 1, 0), 1); /* says where: the place stays */
    EDDY_CHECK_EQ(eddy_file_tell(f), 6);
}

EDDY_TEST(a_stream_goes_on_from_the_place)
{
    EDDY_OWN(eddy_file) f = NULL;
    EDDY_OWN(eddy_stream) s = NULL;
    EDDY_OWN(eddy_file) temporary = NULL;

    scratch_put(scratch("f"), "skipped\none\ntwo\n");
    EDDY_CHECK_EQ(eddy_file_open(scratch("f"), O_RDONLY, 0, &f), 0);
    EDDY_CHECK_EQ(eddy_file_seek(f, 8), 0);
    if (!EDDY_CHECK_EQ(eddy_file_stream(f, &s), 0))
        return;
    (void)EDDY_TAKE(f);
    {
        EDDY_AUTO(eddy_lines) in = eddy_lines(s, NULL);
        EDDY_CHECK(eddy_lines_next(&in));
        EDDY_CHECK_MEM(in.line.ptr, in.line.len, "one", 3);
        EDDY_CHECK(eddy_lines_next(&in));
        EDDY_CHECK(!eddy_lines_next(&in));
        EDDY_CHECK_EQ(in.status, 0);
    }
    EDDY_CHECK_ERR(eddy_write(s, "x", 1), -EPIPE); /* it was opened for reading */
    EDDY_CHECK_EQ(eddy_stream_close(s), 0);
    eddy_stream_free(EDDY_TAKE(s));

    EDDY_CHECK_EQ(eddy_file_open(scratch("f"), O_WRONLY, 0, &f), 0);
    EDDY_CHECK_EQ(eddy_file_seek(f, 8), 0);
    if (!EDDY_CHECK_EQ(eddy_file_stream(f, &s), 0))
        return;
    (void)EDDY_TAKE(f);
    EDDY_CHECK_EQ(eddy_write(s, "ONE\nTW", 6), 0);
    EDDY_CHECK_EQ(eddy_stream_close(s), 0);
    eddy_stream_free(EDDY_TAKE(s));
    scratch_has(scratch("f"), "skipped\nONE\nTWo\n");

    EDDY_CHECK_EQ(eddy_file_temporary(EDDY_OPT(temporary, .folder = scratch("")), &temporary), 0);
    EDDY_CHECK_ERR(eddy_file_stream(temporary, &s), -EINVAL);
    EDDY_CHECK_EQ(eddy_file_close(EDDY_TAKE(temporary)), 0);
}

struct reader_args {
    struct eddy_file *f;
    ssize_t *ret;
};

static int reader(struct reader_args *a)
{
    char byte;

    *a->ret = eddy_file_read_next(a->f, &byte, 1);
    return 0;
}
EDDY_TASK(reader);

EDDY_TEST(one_task_at_a_time_has_the_position)
{
    EDDY_OWN(eddy_file) f = NULL;
    EDDY_OWN(eddy_file) writer = NULL;
    ssize_t one = 9, two = 9;

    if (on_sim())
        return;
    EDDY_CHECK_EQ(mkfifo(scratch("p"), 0600), 0);
    EDDY_CHECK_EQ(eddy_file_open(scratch("p"), O_RDWR, 0, &f), 0); /* a read of it waits */
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, reader, .f = f, .ret = &one);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_GO(&s, reader, .f = f, .ret = &two);
        EDDY_CHECK_EQ(eddy_yield(), 0);
        EDDY_CHECK_ERR(two, -EBUSY);
        EDDY_CHECK_ERR(eddy_file_stream(f, &(struct eddy_stream *){ NULL }), -EBUSY);
        EDDY_CHECK_ERR(eddy_file_seek(f, 0), -EBUSY);
        EDDY_CHECK_ERR(eddy_file_write_next(f, "x", 1), -EBUSY);
        eddy_scope_cancel(&s);
    }
    EDDY_CHECK_ERR(one, -ECANCELED);
    EDDY_CHECK_EQ(eddy_file_tell(f), 0);
    EDDY_CHECK_EQ(eddy_file_seek(f, 0), 0); /* nobody is in it any more */
}

EDDY_TEST(what_is_told_is_what_was_set)
{
    struct eddy_file_info about;
    EDDY_OWN(eddy_file) f = NULL;

    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_file_open(scratch("f"), O_RDWR | O_CREAT, 0600, &f), 0);
    EDDY_CHECK_EQ(eddy_file_truncate(f, 5000), 0);
    EDDY_CHECK_EQ(eddy_file_chmod(f, 04755), 0);
    EDDY_CHECK_EQ(eddy_file_utimes(f, 1, EDDY_TIME_KEEP), 0);
    EDDY_CHECK_EQ(eddy_file_stat(f, &about), 0);
    EDDY_CHECK_EQ(about.bytes, 5000);
    EDDY_CHECK_EQ(about.mode, 04755);
    EDDY_CHECK_EQ(about.read_ns, 1);
    EDDY_CHECK(about.written_ns > 1);
    EDDY_CHECK_ERR(eddy_file_truncate(f, -1), -EINVAL);
    EDDY_CHECK_EQ(eddy_file_chown(f, (uid_t)-1, (gid_t)-1), 0);
    if (geteuid() != 0)
        return;
    EDDY_CHECK_EQ(eddy_file_chown(f, 5, 6), 0);
    EDDY_CHECK_EQ(eddy_file_stat(f, &about), 0);
    EDDY_CHECK_EQ(about.uid, 5);
    EDDY_CHECK_EQ(about.gid, 6);
}

EDDY_TEST(room_kept_is_no_content)
{
    struct eddy_file_info about;
    EDDY_OWN(eddy_file) f = NULL;

    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_file_open(scratch("f"), O_RDWR | O_CREAT, 0600, &f), 0);
    int r = eddy_file_preallocate(f, 0, 1 << 20);
    if (r == -EOPNOTSUPP) {
        EDDY_CHECK_NOT_RUN("this file system keeps no room");
        return;
    }
    EDDY_CHECK_EQ(r, 0);
    EDDY_CHECK_EQ(eddy_file_stat(f, &about), 0);
    EDDY_CHECK_EQ(about.bytes, 0);
    EDDY_CHECK(about.allocated >= 1 << 20);
    EDDY_CHECK_ERR(eddy_file_preallocate(f, 0, 0), -EINVAL);
    EDDY_CHECK_EQ(eddy_file_advise(f, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    EDDY_CHECK_ERR(eddy_file_advise(f, 0, 0, 99), -EINVAL);
    if (!scratch_mount(scratch("small"), false))
        return;
    eddy_file_close(EDDY_TAKE(f));
    EDDY_CHECK_EQ(eddy_file_open(scratch("small/f"), O_RDWR | O_CREAT, 0600, &f), 0);
    EDDY_CHECK_ERR(eddy_file_preallocate(f, 0, 1 << 20), -ENOSPC);
    eddy_file_close(EDDY_TAKE(f));
    scratch_unmount(scratch("small"));
}

static void all_fail(struct eddy_file *f, int want)
{
    struct eddy_file_info about;
    char byte;

    EDDY_CHECK_ERR(eddy_file_stat(f, &about), want);
    EDDY_CHECK_ERR(eddy_file_read_next(f, &byte, 0), want);
    EDDY_CHECK_ERR(eddy_file_write_next(f, "", 0), want);
    EDDY_CHECK_ERR(eddy_file_truncate(f, -1), want);
    EDDY_CHECK_ERR(eddy_file_chmod(f, 0), want);
    EDDY_CHECK_ERR(eddy_file_chown(f, 0, 0), want);
    EDDY_CHECK_ERR(eddy_file_utimes(f, 0, 0), want);
    EDDY_CHECK_ERR(eddy_file_preallocate(f, 0, 0), want);
    EDDY_CHECK_ERR(eddy_file_advise(f, 0, 0, 99), want);
}

static void use_all(void *ctx)
{
    all_fail(ctx, -EDEADLK);
}

EDDY_TEST(cancelled_and_in_callbacks_they_do_nothing)
{
    EDDY_OWN(eddy_file) f = NULL;

    EDDY_CHECK_EQ(eddy_file_open(scratch("f"), O_RDWR | O_CREAT, 0600, &f), 0);
    in_callback(use_all, f);
    EDDY_SCOPE(over, .timeout_ms = 0);
    eddy_scope_cancel(&over);
    all_fail(f, -ECANCELED);
}

EDDY_TEST(the_simulator_refuses_by_name)
{
    EDDY_OWN(eddy_file) f = NULL;

    if (!on_sim())
        return;
    EDDY_CHECK_EQ(eddy_file_open("f", O_RDWR | O_CREAT, 0600, &f), 0);
    EDDY_CHECK_ERR(eddy_file_truncate(f, 0), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_file_chmod(f, 0600), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_file_chown(f, 0, 0), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_file_utimes(f, 0, 0), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_file_preallocate(f, 0, 1), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_file_advise(f, 0, 0, 0), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_file_lock(f, NULL), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_file_try_lock(f, NULL), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_file_unlock(f, NULL), -EDDY_ESIM);
}
