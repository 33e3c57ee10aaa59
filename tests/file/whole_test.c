/*
 * whole_test.c - a whole file read, and replaced
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

/* --- reading --------------------------------------------------------------------------------------- */

EDDY_TEST(read_all_reads_all_up_to_its_bound)
{
    static char text[300001];
    struct eddy_buffer bytes = EDDY_BUFFER(0);
    struct eddy_error error = { 0 };

    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = (char)('a' + i % 23);
    scratch_put(scratch("f"), text);
    EDDY_CHECK_EQ(eddy_file_read_all(scratch("f"), 300000, &bytes, NULL), 0);
    EDDY_CHECK_MEM(eddy_buffer_bytes(&bytes).ptr, eddy_buffer_bytes(&bytes).len, text, 300000);
    eddy_buffer_done(&bytes);
    bytes = EDDY_BUFFER(7);
    EDDY_CHECK_ERR(eddy_file_read_all(scratch("f"), 299999, &bytes, &error), -EDDY_ETOOBIG);
    EDDY_CHECK_EQ(bytes.max, 7); /* as it was */
    EDDY_CHECK_EQ(error.code, -EDDY_ETOOBIG);
    EDDY_CHECK(strstr(error.text, "/f") && strstr(error.text, "raise the bound"));
    scratch_put(scratch("empty"), "");
    EDDY_CHECK_EQ(eddy_file_read_all(scratch("empty"), 0, &bytes, NULL), 0);
    EDDY_CHECK_EQ(eddy_buffer_bytes(&bytes).len, 0);
    eddy_buffer_done(&bytes);
    EDDY_CHECK_ERR(eddy_file_read_all(scratch(""), 100, &bytes, NULL), -EISDIR);
    EDDY_CHECK_ERR(eddy_file_read_all(scratch("x"), 100, &bytes, &error), -ENOENT);
    EDDY_CHECK(strstr(error.text, "check the path") != NULL);
}

EDDY_TEST(read_all_needs_no_size)
{
    struct eddy_buffer bytes = EDDY_BUFFER(0);

    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_file_read_all("/proc/self/status", 1 << 20, &bytes, NULL), 0);
    EDDY_CHECK(eddy_buffer_bytes(&bytes).len > 100);
    EDDY_CHECK(strncmp(eddy_buffer_bytes(&bytes).ptr, "Name:", 5) == 0);
    eddy_buffer_done(&bytes);
    EDDY_CHECK_ERR(eddy_file_read_all("/proc/self/status", 100, &bytes, NULL), -EDDY_ETOOBIG);
    EDDY_CHECK_ERR(eddy_file_read_all("/dev/zero", 100000, &bytes, NULL), -EDDY_ETOOBIG);
}

/* --- replacing ------------------------------------------------------------------------------------- */

EDDY_TEST(a_file_is_made_or_replaced)
{
    EDDY_CHECK_EQ(eddy_path_mkdir(scratch("d"), 0700, 0), 0);
    EDDY_CHECK_EQ(eddy_file_replace(scratch("d/f"), "one", 3, NULL), 0);
    scratch_has(scratch("d/f"), "one");
    EDDY_CHECK_EQ(eddy_file_replace(scratch("d/f"), "", 0, NULL), 0);
    scratch_has(scratch("d/f"), "");
    EDDY_CHECK_EQ(
        eddy_file_replace(scratch("d/f"), "three", 5, EDDY_OPT(replace, .unsynced = true)), 0);
    scratch_has(scratch("d/f"), "three");
    EDDY_CHECK_ERR(eddy_file_replace(scratch("d/f"), "x", 1, EDDY_OPT(replace, .no_replace = true)),
                   -EEXIST);
    scratch_has(scratch("d/f"), "three");
    EDDY_CHECK_EQ(eddy_file_replace(scratch("d/g"), "g", 1, EDDY_OPT(replace, .no_replace = true)),
                  0);
    scratch_has(scratch("d/g"), "g");
    if (!on_sim())
        EDDY_CHECK_EQ(scratch_count(scratch("d")), 2); /* and no neighbour */
}

EDDY_TEST(replace_keeps_mode_and_owner)
{
    struct eddy_file_info about;
    const mode_t mask = umask(022);

    EDDY_CHECK_EQ(eddy_file_replace(scratch("f"), "a", 1, NULL), 0);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("f"), 0, &about), 0);
    EDDY_CHECK_EQ(about.mode, 0644);
    umask(mask);
    if (on_sim())
        return;
    EDDY_CHECK_EQ(eddy_path_chmod(scratch("f"), 04711), 0);
    if (geteuid() == 0)
        EDDY_CHECK_EQ(eddy_path_chown(scratch("f"), 1111, 2222, 0), 0);
    EDDY_CHECK_EQ(eddy_path_chmod(scratch("f"), 04711), 0);
    EDDY_CHECK_EQ(eddy_file_replace(scratch("f"), "b", 1, NULL), 0);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("f"), 0, &about), 0);
    EDDY_CHECK_EQ(about.mode, 04711);
    if (geteuid() == 0) {
        EDDY_CHECK_EQ(about.uid, 1111);
        EDDY_CHECK_EQ(about.gid, 2222);
    }
    EDDY_CHECK_EQ(eddy_file_replace(scratch("f"), "c", 1, EDDY_OPT(replace, .mode = 0666)), 0);
    EDDY_CHECK_EQ(eddy_path_stat(scratch("f"), 0, &about), 0);
    EDDY_CHECK_EQ(about.mode, 0666); /* exactly, whatever the umask */
    EDDY_CHECK_EQ(eddy_path_symlink("f", scratch("l")), 0);
    EDDY_CHECK_EQ(eddy_file_replace(scratch("l"), "d", 1, NULL), 0); /* the link itself */
    scratch_has(scratch("f"), "c");
    EDDY_CHECK_EQ(eddy_path_stat(scratch("l"), EDDY_PATH_NO_FOLLOW, &about), 0);
    EDDY_CHECK_EQ(about.type, EDDY_FILE_REGULAR);
}

struct replacer_args {
    const char *path;
    char letter;
    int *ret;
};

#define LEN 20000

static int replacer(struct replacer_args *a)
{
    char text[LEN];

    memset(text, a->letter, sizeof text);
    int r = eddy_file_replace(a->path, text, sizeof text, NULL);
    if (a->ret)
        *a->ret = r;
    return a->ret ? 0 : r;
}
EDDY_TASK(replacer);

EDDY_TEST(readers_see_one_or_the_other)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s", scratch("f"));
    EDDY_CHECK_EQ(replacer(&(struct replacer_args){ .path = path, .letter = 'z' }), 0);
    EDDY_SCOPE(s, .timeout_ms = 0);
    for (int i = 0; i < 12; i++)
        EDDY_GO(&s, replacer, .path = path, .letter = (char)('a' + i));
    for (int i = 0; i < 40; i++) {
        struct eddy_buffer bytes = EDDY_BUFFER(0);
        if (!EDDY_CHECK_EQ(eddy_file_read_all(path, 1 << 20, &bytes, NULL), 0))
            break;
        const struct eddy_slice now = eddy_buffer_bytes(&bytes);
        EDDY_CHECK_EQ(now.len, LEN);
        for (size_t k = 0; k < now.len; k++)
            if (now.ptr[k] != now.ptr[0]) {
                EDDY_CHECK_FAIL("half of one and half of another");
                break;
            }
        eddy_buffer_done(&bytes);
    }
    EDDY_CHECK_EQ(eddy_join(&s), 0);
}

/* Whenever the cancel comes: what it returns is what is there. */
EDDY_TEST(a_cancelled_replace_changes_nothing)
{
    unsigned cancelled = 0, done = 0;
    char path[128];

    (void)snprintf(path, sizeof path, "%s", scratch("f"));
    for (int i = 0; i < 80; i++) {
        int result = 1;
        struct eddy_buffer bytes = EDDY_BUFFER(0);

        scratch_put(path, "old");
        {
            EDDY_SCOPE(s, .timeout_ms = 0);
            EDDY_GO(&s, replacer, .path = path, .letter = 'n', .ret = &result);
            for (int k = 0; k < i && result == 1; k++)
                on_sim() ? eddy_sleep(1) : eddy_yield();
            eddy_scope_cancel(&s);
        }
        EDDY_CHECK(result == 0 || result == -ECANCELED);
        cancelled += result != 0;
        done += result == 0;
        EDDY_CHECK_EQ(eddy_file_read_all(path, 1 << 20, &bytes, NULL), 0);
        EDDY_CHECK_EQ(eddy_buffer_bytes(&bytes).len, result ? 3 : LEN);
        eddy_buffer_done(&bytes);
        if (!on_sim())
            EDDY_CHECK_EQ(scratch_count(scratch("")), 1);
    }
    EDDY_CHECK(cancelled > 0);
    if (on_sim())
        EDDY_CHECK(done > 0);
}

EDDY_TEST(errors_tell_what_to_mend)
{
    struct eddy_error error = { 0 };
    char long_name[300], text[70000];
    const struct eddy_replace_options *o = EDDY_OPT(replace, .error = &error);

    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    memset(text, 'x', sizeof text);
    EDDY_CHECK_ERR(eddy_file_replace("", "", 0, o), -ENOENT);
    EDDY_CHECK_ERR(eddy_file_replace(scratch(""), "", 0, o), -EISDIR);
    EDDY_CHECK_ERR(eddy_file_replace("a/", "", 0, o), -EISDIR);
    EDDY_CHECK_ERR(eddy_file_replace(".", "", 0, o), -EISDIR);
    EDDY_CHECK(strstr(error.text, "name a file") != NULL);
    EDDY_CHECK_ERR(eddy_file_replace(scratch(long_name), "", 0, o), -ENAMETOOLONG);
    EDDY_CHECK(strstr(error.text, "shorter") != NULL);
    if (on_sim())
        return;
    EDDY_CHECK_ERR(eddy_file_replace(scratch("no/f"), "", 0, o), -ENOENT);
    EDDY_CHECK(strstr(error.text, "/no/f: its folder:") != NULL);
    scratch_put(scratch("plain"), "");
    EDDY_CHECK_ERR(eddy_file_replace(scratch("plain/f"), "", 0, o), -ENOTDIR);
    EDDY_CHECK_EQ(mkfifo(scratch("fifo"), 0600), 0);
    EDDY_CHECK_ERR(eddy_file_replace(scratch("fifo"), "", 0, o), -EINVAL);
    EDDY_CHECK(strstr(error.text, "no plain file") != NULL);
    EDDY_CHECK_ERR(
        eddy_file_copy(scratch("plain"), scratch("fifo"), EDDY_OPT(copy, .error = &error)),
        -EINVAL);
    EDDY_CHECK_EQ(unlink(scratch("fifo")), 0);
    if (geteuid() != 0)
        EDDY_CHECK_ERR(eddy_file_replace("/etc/eddy", "", 0, o), -EACCES);
    if (!scratch_mount(scratch("m"), false))
        return;
    scratch_put(scratch("m/f"), "old");
    EDDY_CHECK_ERR(eddy_file_replace(scratch("m/f"), text, sizeof text, o), -ENOSPC);
    EDDY_CHECK(strstr(error.text, "disk is full; free some") != NULL);
    scratch_has(scratch("m/f"), "old");
    EDDY_CHECK_EQ(scratch_count(scratch("m")), 1);
    scratch_unmount(scratch("m"));
    if (!scratch_mount(scratch("m"), true))
        return;
    EDDY_CHECK_ERR(eddy_file_replace(scratch("m/f"), text, sizeof text, o), -EROFS);
    EDDY_CHECK(strstr(error.text, "read-only") != NULL);
    scratch_unmount(scratch("m"));
}

static int rename_plain(int a, const char *from, int b, const char *to, unsigned flags)
{
    return flags ? -EINVAL : eddy__sys_kernel.rename(a, from, b, to, flags);
}

EDDY_TEST(not_replacing_needs_no_help_of_rename)
{
    if (on_sim())
        return;
    eddy__sys.rename = rename_plain; /* as on file systems without RENAME_NOREPLACE */
    EDDY_CHECK_EQ(eddy_file_replace(scratch("f"), "f", 1, EDDY_OPT(replace, .no_replace = true)),
                  0);
    scratch_has(scratch("f"), "f");
    EDDY_CHECK_EQ(scratch_count(scratch("")), 1);
}

static ssize_t pwrite_quota(int fd, const void *buf, size_t len, int64_t offset, int flags)
{
    (void)fd, (void)buf, (void)len, (void)offset, (void)flags;
    return -EDQUOT;
}

static int chown_denied(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
    (void)dir, (void)path, (void)uid, (void)gid, (void)flags;
    return -EPERM;
}

EDDY_TEST(what_this_machine_has_not_is_told_too)
{
    struct eddy_error error = { 0 };
    const struct eddy_replace_options *o = EDDY_OPT(replace, .error = &error);

    if (on_sim())
        return;
    scratch_put(scratch("f"), "old");
    if (strcmp(eddy_check_backend(), "uring") != 0) { /* there the ring writes */
        eddy__sys.pwrite = pwrite_quota;
        EDDY_CHECK_ERR(eddy_file_replace(scratch("f"), "new", 3, o), -EDQUOT);
        EDDY_CHECK(strstr(error.text, "quota") != NULL);
        eddy__sys.pwrite = eddy__sys_kernel.pwrite;
    }
    if (geteuid() == 0) {
        EDDY_CHECK_EQ(eddy_path_chown(scratch("f"), 1111, 1111, 0), 0);
        eddy__sys.chown = chown_denied;
        EDDY_CHECK_ERR(eddy_file_replace(scratch("f"), "new", 3, o), -EPERM);
        EDDY_CHECK(strstr(error.text, "mode and owner") != NULL);
    }
    scratch_has(scratch("f"), "old");
    EDDY_CHECK_EQ(scratch_count(scratch("")), 1);
}

/* --- scopes, callbacks, faults ----------------------------------------------------------------------- */

static void all_fail(int want)
{
    struct eddy_buffer bytes = EDDY_BUFFER(0);
    struct eddy_file *f = NULL;
    char buf[16];

    EDDY_CHECK_ERR(eddy_file_read_all("", 0, &bytes, NULL), want);
    EDDY_CHECK_ERR(eddy_file_replace("", "", 0, NULL), want);
    EDDY_CHECK_ERR(eddy_file_copy("", "", NULL), want);
    EDDY_CHECK_ERR(eddy_file_temporary(EDDY_OPT(temporary, .prefix = "/"), &f), want);
    EDDY_CHECK_ERR(eddy_directory_temporary(EDDY_OPT(temporary, .nameless = true), buf, 0), want);
}

static void use_all(void *ctx)
{
    (void)ctx;
    all_fail(-EDEADLK);
}

EDDY_TEST(cancelled_and_in_callbacks_they_do_nothing)
{
    in_callback(use_all, NULL);
    EDDY_SCOPE(over, .timeout_ms = 0);
    eddy_scope_cancel(&over);
    all_fail(-ECANCELED);
}

/* What a failed replace leaves: the old file, or, when only the last step failed, the new one. */
static void check_after(int r, bool fired, const char *path)
{
    struct eddy_buffer bytes = EDDY_BUFFER(0);

    EDDY_CHECK(r == 0 || fired);
    EDDY_CHECK_EQ(eddy_file_read_all(path, 100, &bytes, NULL), 0);
    const struct eddy_slice now = eddy_buffer_bytes(&bytes);
    EDDY_CHECK(now.len == 3 && (memcmp(now.ptr, "new", 3) == 0 || (r < 0 && *now.ptr == 'o')));
    eddy_buffer_done(&bytes);
    if (!on_sim())
        EDDY_CHECK_EQ(scratch_count(scratch("")), 1);
    scratch_put(path, "old");
}

EDDY_TEST(a_replace_that_fails_changes_nothing)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s", scratch("f"));
    scratch_put(path, "old");
    if (!on_sim() && geteuid() == 0)
        EDDY_CHECK_EQ(eddy_path_chown(path, 1, 1, 0), 0);
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        int r = eddy_file_replace(path, "new", 3, NULL);
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        check_after(r, fired, path);
    }
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_OP); eddy_fault_next(&f);) {
        int r = eddy_file_replace(path, "new", 3, NULL);
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        check_after(r, fired, path);
    }
    for (int k = 1; scratch_fail(k); k++) {
        int r = eddy_file_replace(path, "new", 3, NULL);
        scratch_fail(0);
        check_after(r, r < 0, path);
    }
}
