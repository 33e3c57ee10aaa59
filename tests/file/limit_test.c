/*
 * limit_test.c - what the process may not have, and what files are not
 *
 * backends: select poll epoll uring
 * threads: yes
 */
#include "scratch.h"

#include "base/sys.h"

#include <eddy/buffer.h>
#include <eddy/changes.h>
#include <eddy/directory.h>

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct rlimit length, number; /* as they were; 0: not changed */

static void limit_length(rlim_t most)
{
    EDDY_CHECK_EQ(getrlimit(RLIMIT_FSIZE, &length), 0);
    EDDY_CHECK_EQ(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ most, length.rlim_max }), 0);
}

/* No number is left, so that the next open fails. */
static void use_up(void)
{
    int next = dup(0);

    close(next);
    EDDY_CHECK_EQ(getrlimit(RLIMIT_NOFILE, &number), 0);
    EDDY_CHECK_EQ(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)next, number.rlim_max }), 0);
}

static void no_limit(void)
{
    if (length.rlim_max)
        setrlimit(RLIMIT_FSIZE, &length);
    if (number.rlim_max)
        setrlimit(RLIMIT_NOFILE, &number);
    length = number = (struct rlimit){ 0, 0 };
}

void eddy_check_teardown(void)
{
    no_limit();
    eddy__sys.inotify = eddy__sys_kernel.inotify; /* the pool may still be using the rest */
    scratch_clean();
}

EDDY_TEST(a_file_longer_than_its_limit_is_efbig)
{
    static char page[8192];
    EDDY_OWN(eddy_file) f = NULL;

    signal(SIGXFSZ, SIG_IGN); /* else it ends the process */
    scratch_put(scratch("long"), "");
    EDDY_CHECK_EQ(eddy_file_open(scratch("long"), O_RDWR, 0, &f), 0);
    EDDY_CHECK_EQ(eddy_file_write(f, page, sizeof page, 0), 0);
    limit_length(4096);
    EDDY_CHECK_ERR(eddy_file_write(f, page, 1, 4096), -EFBIG);
    EDDY_CHECK_ERR(eddy_file_truncate(f, 10000), -EFBIG);
    EDDY_CHECK_ERR(eddy_file_preallocate(f, INT64_MAX, 1), -EFBIG);
    EDDY_CHECK_ERR(eddy_path_truncate(scratch("long"), 10000), -EFBIG);
    EDDY_CHECK_ERR(eddy_file_copy(scratch("long"), scratch("copy"), NULL), -EFBIG);
    EDDY_CHECK_ERR(eddy_file_replace(scratch("copy"), page, sizeof page, NULL), -EFBIG);
    no_limit();
    EDDY_CHECK_EQ(scratch_count(scratch("")), 1);
    eddy_file_close(EDDY_TAKE(f));
}

EDDY_TEST(without_a_descriptor_left_it_is_emfile)
{
    EDDY_AUTO(eddy_buffer) bytes = EDDY_BUFFER(10);
    EDDY_OWN(eddy_file) f = NULL;
    EDDY_OWN(eddy_directory) d = NULL;
    EDDY_OWN(eddy_changes) c = NULL;
    const char *path = scratch("f");

    scratch_put(path, "x");
    mkdir(scratch("tree"), 0700);
    use_up();
    EDDY_CHECK_ERR(eddy_file_open(path, O_RDONLY, 0, &f), -EMFILE);
    EDDY_CHECK_ERR(eddy_file_read_all(path, 10, &bytes, NULL), -EMFILE);
    EDDY_CHECK_ERR(eddy_file_copy(path, scratch("copy"), NULL), -EMFILE);
    EDDY_CHECK_ERR(eddy_file_temporary(EDDY_OPT(temporary, .folder = scratch("tree")), &f),
                   -EMFILE);
    EDDY_CHECK_ERR(eddy_directory_open(scratch("tree"), NULL, &d), -EMFILE);
    EDDY_CHECK_ERR(eddy_path_sync(scratch("tree")), -EMFILE);
    EDDY_CHECK_ERR(eddy_path_remove_tree(scratch("tree"), NULL), -EMFILE);
    EDDY_CHECK_ERR(eddy_changes_open(&c), -EMFILE);
    no_limit();
    EDDY_CHECK_EQ(scratch_count(scratch("")), 2);
}

EDDY_TEST(a_pipe_takes_no_advice)
{
    EDDY_OWN(eddy_file) f = NULL;

    EDDY_CHECK_EQ(mkfifo(scratch("pipe"), 0600), 0);
    EDDY_CHECK_EQ(eddy_file_open(scratch("pipe"), O_RDWR, 0, &f), 0);
    EDDY_CHECK_ERR(eddy_file_advise(f, 0, 0, POSIX_FADV_SEQUENTIAL), -ESPIPE);
    eddy_file_close(EDDY_TAKE(f));
}

EDDY_TEST(a_watch_in_the_child_of_a_fork_is_refused)
{
    EDDY_OWN(eddy_changes) c = NULL;
    struct eddy_change change;

    EDDY_CHECK_EQ(eddy_changes_open(&c), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(eddy_changes_next(c, &change) == -EDDY_EFORKED ? 0 : 1);
    int status = -1;
    EDDY_CHECK_EQ(waitpid(pid, &status, 0), pid);
    EDDY_CHECK_EQ(status, 0);
}

/* The superuser for a while is nobody. */
static bool be_nobody(void)
{
    if (geteuid() != 0) {
        EDDY_CHECK_NOT_RUN("only the superuser can be somebody else");
        return false;
    }
    return EDDY_CHECK_EQ(seteuid(65534), 0);
}

EDDY_TEST(names_that_one_may_not_touch_are_eacces)
{
    char text[PATH_MAX];
    struct eddy_file_info info;
    struct eddy_space space;
    const char *in = scratch("shut/f"), *shut = scratch("shut"), *g = scratch("g");
    const char *other = scratch("h");

    EDDY_CHECK_EQ(chmod(scratch(""), 0755), 0);
    EDDY_CHECK_EQ(mkdir(shut, 0700), 0);
    scratch_put(in, "x");
    scratch_put(g, "x");
    EDDY_CHECK_EQ(chmod(g, 0644), 0);
    if (!be_nobody())
        return;
    EDDY_CHECK_ERR(eddy_path_stat(in, 0, &info), -EACCES);
    EDDY_CHECK_ERR(eddy_path_exists(in), -EACCES);
    EDDY_CHECK_ERR(eddy_path_access(g, W_OK), -EACCES);
    EDDY_CHECK_ERR(eddy_path_rename(g, other, 0), -EACCES);
    EDDY_CHECK_ERR(eddy_path_link(in, other), -EACCES);
    EDDY_CHECK_ERR(eddy_path_symlink("f", other), -EACCES);
    EDDY_CHECK_ERR(eddy_path_readlink(in, text, sizeof text), -EACCES);
    EDDY_CHECK_ERR(eddy_path_mkdir(other, 0700, 0), -EACCES);
    EDDY_CHECK_ERR(eddy_path_remove(g), -EACCES);
    EDDY_CHECK_ERR(eddy_path_remove_tree(shut, NULL), -EACCES);
    EDDY_CHECK_ERR(eddy_path_truncate(g, 0), -EACCES);
    EDDY_CHECK_ERR(eddy_path_utimes(g, EDDY_TIME_NOW, EDDY_TIME_NOW, 0), -EACCES);
    EDDY_CHECK_ERR(eddy_path_utimes(g, 1, 1, 0), -EPERM);
    EDDY_CHECK_ERR(eddy_path_chmod(g, 0666), -EPERM);
    EDDY_CHECK_ERR(eddy_path_chown(g, 65534, (gid_t)-1, 0), -EPERM);
    EDDY_CHECK_ERR(eddy_path_real(in, text, sizeof text), -EACCES);
    EDDY_CHECK_ERR(eddy_path_space(in, &space), -EACCES);
    EDDY_CHECK_ERR(eddy_path_sync(in), -EACCES);
    EDDY_CHECK_EQ(seteuid(0), 0);
    EDDY_CHECK(scratch_has(in, "x"));
    EDDY_CHECK(scratch_has(g, "x"));
}

EDDY_TEST(files_that_one_may_not_touch_are_eacces_or_eperm)
{
    EDDY_AUTO(eddy_buffer) bytes = EDDY_BUFFER(10);
    EDDY_OWN(eddy_directory) d = NULL;
    EDDY_OWN(eddy_changes) c = NULL;
    EDDY_OWN(eddy_file) none = NULL;
    EDDY_OWN(eddy_file) f = NULL;
    const char *g = scratch("g"), *folder = scratch("");

    scratch_put(g, "x");
    EDDY_CHECK_EQ(chmod(g, 0600), 0);
    EDDY_CHECK_EQ(eddy_file_open(g, O_RDWR, 0, &f), 0);
    EDDY_CHECK_EQ(eddy_changes_open(&c), 0);
    EDDY_CHECK_EQ(chmod(folder, 0711), 0);
    if (!be_nobody())
        return;
    EDDY_CHECK_ERR(eddy_file_open(g, O_RDONLY, 0, &none), -EACCES);
    EDDY_CHECK_ERR(eddy_file_read_all(g, 10, &bytes, NULL), -EACCES);
    EDDY_CHECK_ERR(eddy_file_copy(g, scratch("h"), NULL), -EACCES);
    EDDY_CHECK_ERR(eddy_file_replace(scratch("h"), "", 0, NULL), -EACCES);
    EDDY_CHECK_ERR(eddy_file_temporary(EDDY_OPT(temporary, .folder = folder), &none), -EACCES);
    EDDY_CHECK_ERR(eddy_directory_open(folder, NULL, &d), -EACCES);
    EDDY_CHECK_ERR(eddy_changes_add(c, g, 0, NULL), -EACCES);
    EDDY_CHECK_ERR(eddy_file_chmod(f, 0666), -EPERM);
    EDDY_CHECK_ERR(eddy_file_chown(f, 65534, (gid_t)-1), -EPERM);
    EDDY_CHECK_ERR(eddy_file_utimes(f, 1, 1), -EPERM);
    EDDY_CHECK_EQ(seteuid(0), 0);
    eddy_file_close(EDDY_TAKE(f));
}

static int no_file_left(void)
{
    return -ENFILE;
}

static int no_watch_left(int fd, const char *path, uint32_t flags)
{
    (void)fd, (void)path, (void)flags;
    return -ENOSPC;
}

EDDY_TEST(what_inotify_has_no_room_for_is_told)
{
    EDDY_OWN(eddy_changes) c = NULL;

    eddy__sys.inotify = no_file_left;
    EDDY_CHECK_ERR(eddy_changes_open(&c), -ENFILE);
    eddy__sys.inotify = eddy__sys_kernel.inotify;
    eddy__sys.inotify_add = no_watch_left;
    EDDY_CHECK_EQ(eddy_changes_open(&c), 0);
    EDDY_CHECK_ERR(eddy_changes_add(c, scratch(""), 0, NULL), -ENOSPC);
}
