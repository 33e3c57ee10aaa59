/*
 * copy_test.c - copying files
 *
 * backends: select poll epoll uring sim
 * faults: yes
 * threads: yes
 */
#include "scratch.h"

#include "base/fault.h"
#include "base/sys.h"

void eddy_check_teardown(void)
{
    scratch_clean();
}

static char text[700001];

static void fill(void)
{
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = (char)('a' + (i * 7 + i / 251) % 26);
    scratch_put(scratch("from"), text);
}

static int copy(const struct eddy_copy_options *options)
{
    return eddy_file_copy(scratch("from"), scratch("to"), options);
}

EDDY_TEST(a_copy_is_the_same)
{
    struct eddy_file_info about;

    fill();
    if (!on_sim())
        EDDY_CHECK_EQ(eddy_path_chmod(scratch("from"), 04640), 0);
    EDDY_CHECK_EQ(copy(NULL), 0);
    scratch_has(scratch("to"), text);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("to"), 0, &about), 0);
    EDDY_CHECK_EQ(about.mode, on_sim() ? 0644 : 0640);
    scratch_put(scratch("from"), "short");
    EDDY_CHECK_ERR(copy(EDDY_OPT(copy, .no_replace = true)), -EEXIST);
    EDDY_CHECK_EQ(copy(EDDY_OPT(copy, .synced = true)), 0);
    scratch_has(scratch("to"), "short");
    if (on_sim())
        return;
    EDDY_CHECK_EQ(copy(EDDY_OPT(copy, .mode = 0604)), 0);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("to"), 0, &about), 0);
    EDDY_CHECK_EQ(about.mode, 0604);
    EDDY_CHECK_EQ(scratch_count(scratch("")), 2);
}

static int refusal;

static ssize_t copy_refused(int a, int64_t from, int b, int64_t to, size_t len)
{
    (void)a, (void)from, (void)b, (void)to, (void)len;
    return refusal;
}

static int64_t seek_plain(int fd, int64_t offset, int whence)
{
    return whence == SEEK_DATA || whence == SEEK_HOLE ? -EINVAL
                                                      : eddy__sys_kernel.seek(fd, offset, whence);
}

EDDY_TEST(a_copy_without_the_kernels_help)
{
    static const int refusals[] = { -EXDEV, -EINVAL, -EOPNOTSUPP, -ENOSYS, 0 };

    if (on_sim())
        return;
    fill();
    eddy__sys.copy_range = copy_refused;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        refusal = refusals[i];
        eddy__sys.seek = i % 2 ? seek_plain : eddy__sys_kernel.seek;
        EDDY_CHECK_EQ(copy(NULL), 0);
        scratch_has(scratch("to"), text);
        EDDY_CHECK_EQ(eddy_path_remove(scratch("to")), 0);
    }
    refusal = -ENOSPC;
    EDDY_CHECK_ERR(copy(NULL), -ENOSPC);
    EDDY_CHECK_EQ(scratch_count(scratch("")), 1);
}

EDDY_TEST(what_is_made_when_it_is_read_is_copied)
{
    struct eddy_buffer a = EDDY_BUFFER(0), b = EDDY_BUFFER(0);

    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_file_copy("/proc/version", scratch("to"), NULL), 0);
    EDDY_CHECK_EQ(eddy_file_read_all("/proc/version", 10000, &a, NULL), 0);
    EDDY_CHECK_EQ(eddy_file_read_all(scratch("to"), 10000, &b, NULL), 0);
    EDDY_CHECK_MEM(eddy_buffer_bytes(&a).ptr, eddy_buffer_bytes(&a).len, eddy_buffer_bytes(&b).ptr,
                   eddy_buffer_bytes(&b).len);
    eddy_buffer_done(&a);
    eddy_buffer_done(&b);
}

EDDY_TEST(holes_stay_holes)
{
    static const int64_t size = (int64_t)40 << 20;
    struct eddy_file_info about;
    EDDY_OWN(eddy_file) f = NULL;
    EDDY_OWN(eddy_file) to = NULL;
    char byte[2] = "";

    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_file_open(scratch("from"), O_RDWR | O_CREAT, 0600, &f), 0);
    EDDY_CHECK_EQ(eddy_file_write(f, "x", 1, 20 << 20), 0);
    EDDY_CHECK_EQ(eddy_file_truncate(f, size), 0);
    EDDY_CHECK_EQ(eddy_file_stat(f, &about), 0);
    if (about.allocated >= 1 << 20) {
        EDDY_CHECK_NOT_RUN("this file system keeps no holes");
        return;
    }
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        refusal = -EXDEV;
        eddy__sys.copy_range = by_hand ? copy_refused : eddy__sys_kernel.copy_range;
        EDDY_CHECK_EQ(copy(NULL), 0);
        EDDY_CHECK_EQ(eddy_path_stat(scratch("to"), 0, &about), 0);
        EDDY_CHECK_EQ(about.bytes, size);
        EDDY_CHECK(about.allocated < 1 << 20);
        EDDY_CHECK_EQ(eddy_file_open(scratch("to"), O_RDONLY, 0, &to), 0);
        EDDY_CHECK_EQ(eddy_file_read(to, byte, 1, 20 << 20), 1);
        EDDY_CHECK_STR(byte, "x");
        eddy_file_close(EDDY_TAKE(to));
    }
}

struct copier_args {
    const char *from, *to;
    int *ret;
};

static int copier(struct copier_args *a)
{
    *a->ret = eddy_file_copy(a->from, a->to, NULL);
    return 0;
}
EDDY_TASK(copier);

EDDY_TEST(a_cancelled_copy_leaves_nothing)
{
    char from[128], to[128];
    unsigned cancelled = 0;

    fill();
    (void)snprintf(from, sizeof from, "%s", scratch("from"));
    (void)snprintf(to, sizeof to, "%s", scratch("to"));
    for (int i = 0; i < 40; i++) {
        int result = 1;
        {
            EDDY_SCOPE(s, .timeout_ms = 0);
            EDDY_GO(&s, copier, .from = from, .to = to, .ret = &result);
            for (int k = 0; k < i && result == 1; k++)
                eddy_yield();
            eddy_scope_cancel(&s);
        }
        EDDY_CHECK(result == 0 || result == -ECANCELED);
        cancelled += result != 0;
        EDDY_CHECK_EQ(eddy_path_exists(to), result == 0);
        if (!on_sim())
            EDDY_CHECK_EQ(scratch_count(scratch("")), result == 0 ? 2 : 1);
        (void)eddy_path_remove(to);
    }
    EDDY_CHECK(cancelled > 0);
}

EDDY_TEST(errors_tell_what_to_mend)
{
    struct eddy_error error = { 0 };
    const struct eddy_copy_options *o = EDDY_OPT(copy, .error = &error);

    EDDY_CHECK_ERR(copy(o), -ENOENT);
    EDDY_CHECK(strstr(error.text, "/from") != NULL);
    EDDY_CHECK_EQ(eddy_path_mkdir(scratch("d"), 0700, 0), 0);
    EDDY_CHECK_ERR(eddy_file_copy(scratch("d"), scratch("to"), o), -EISDIR);
    if (on_sim())
        return;
    EDDY_CHECK_EQ(mkfifo(scratch("from"), 0600), 0);
    EDDY_CHECK_ERR(copy(o), -EINVAL);
    EDDY_CHECK(strstr(error.text, "no plain file") != NULL);
    EDDY_CHECK_EQ(eddy_path_remove(scratch("from")), 0);
    fill();
    EDDY_CHECK_ERR(eddy_file_copy(scratch("from"), scratch("no/to"), o), -ENOENT);
    EDDY_CHECK(strstr(error.text, "/no/to") != NULL);
    if (!scratch_mount(scratch("m"), false))
        return;
    EDDY_CHECK_ERR(eddy_file_copy(scratch("from"), scratch("m/to"), o), -ENOSPC);
    EDDY_CHECK_EQ(scratch_count(scratch("m")), 0);
    scratch_put(scratch("from"), "fits"); /* to another disk */
    EDDY_CHECK_EQ(eddy_file_copy(scratch("from"), scratch("m/to"), o), 0);
    scratch_has(scratch("m/to"), "fits");
    scratch_unmount(scratch("m"));
}

EDDY_TEST(every_failure_is_an_error_and_leaves_nothing)
{
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_OP };

    fill();
    EDDY_CHECK_EQ(copy(NULL), 0);
    EDDY_CHECK_EQ(eddy_path_remove(scratch("to")), 0);
    for (size_t i = 0; i < 2; i++)
        for (struct eddy_fault f = eddy_fault_each(kinds[i]); eddy_fault_next(&f);) {
            int r = copy(NULL);
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            EDDY_CHECK(r == 0 || fired);
            EDDY_CHECK_EQ(eddy_path_exists(scratch("to")), r == 0);
            if (!on_sim())
                EDDY_CHECK_EQ(scratch_count(scratch("")), r == 0 ? 2 : 1);
            (void)eddy_path_remove(scratch("to"));
        }
    for (int k = 1; scratch_fail(k); k++) {
        int r = copy(NULL);
        scratch_fail(0);
        EDDY_CHECK(r == 0 || r == -EIO);
        EDDY_CHECK_EQ(eddy_path_exists(scratch("to")), r == 0);
        (void)eddy_path_remove(scratch("to"));
    }
}
