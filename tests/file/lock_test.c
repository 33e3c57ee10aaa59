/*
 * lock_test.c - advisory locks of open files
 *
 * backends: select poll epoll uring
 * threads: yes
 */
#include "scratch.h"

#include "base/sys.h"

#include <eddy/lock.h>
#include <eddy/loop.h>

#include <signal.h>
#include <sys/wait.h>

void eddy_check_teardown(void)
{
    eddy__sys.lock = eddy__sys_kernel.lock;
    scratch_clean();
}

static struct eddy_file *opened(int flags)
{
    struct eddy_file *f = NULL;

    EDDY_CHECK_EQ(eddy_file_open(scratch("f"), flags | O_CREAT, 0600, &f), 0);
    return f;
}

EDDY_TEST(a_lock_excludes_another_open)
{
    EDDY_OWN(eddy_file) a = opened(O_RDWR);
    EDDY_OWN(eddy_file) b = opened(O_RDWR);

    EDDY_CHECK_EQ(eddy_file_lock(a, NULL), 0);
    EDDY_CHECK_EQ(eddy_file_lock(a, NULL), 0); /* ours already */
    EDDY_CHECK_ERR(eddy_file_try_lock(b, NULL), -EBUSY);
    EDDY_CHECK_ERR(eddy_file_try_lock(b, EDDY_OPT(lock, .shared = true)), -EBUSY);
    EDDY_CHECK_EQ(eddy_file_unlock(a, NULL), 0);
    EDDY_CHECK_EQ(eddy_file_unlock(a, NULL), 0);
    EDDY_CHECK_EQ(eddy_file_try_lock(b, NULL), 0);
}

EDDY_TEST(shared_locks_stand_together)
{
    EDDY_OWN(eddy_file) a = opened(O_RDONLY);
    EDDY_OWN(eddy_file) b = opened(O_RDWR);

    EDDY_CHECK_EQ(eddy_file_lock(a, EDDY_OPT(lock, .shared = true)), 0);
    EDDY_CHECK_EQ(eddy_file_lock(b, EDDY_OPT(lock, .shared = true)), 0);
    EDDY_CHECK_ERR(eddy_file_try_lock(b, NULL), -EBUSY);
    EDDY_CHECK_EQ(eddy_file_unlock(a, NULL), 0);
    EDDY_CHECK_EQ(eddy_file_try_lock(b, NULL), 0); /* from shared to exclusive */
    EDDY_CHECK_ERR(eddy_file_try_lock(a, NULL), -EBADF);
}

EDDY_TEST(ranges_apart_do_not_meet)
{
    EDDY_OWN(eddy_file) a = opened(O_RDWR);
    EDDY_OWN(eddy_file) b = opened(O_RDWR);

    EDDY_CHECK_EQ(eddy_file_lock(a, EDDY_OPT(lock, .offset = 10, .len = 10)), 0);
    EDDY_CHECK_EQ(eddy_file_lock(b, EDDY_OPT(lock, .offset = 20, .len = 5)), 0);
    EDDY_CHECK_ERR(eddy_file_try_lock(b, EDDY_OPT(lock, .offset = 19)), -EBUSY);
    EDDY_CHECK_EQ(eddy_file_unlock(a, EDDY_OPT(lock, .offset = 15)), 0);
    EDDY_CHECK_EQ(eddy_file_lock(b, EDDY_OPT(lock, .offset = 15)), 0);
    EDDY_CHECK_ERR(eddy_file_try_lock(b, EDDY_OPT(lock, .offset = 14)), -EBUSY);
    EDDY_CHECK_ERR(eddy_file_lock(b, EDDY_OPT(lock, .offset = -1)), -EINVAL);
    EDDY_CHECK_ERR(eddy_file_lock(b, EDDY_OPT(lock, .len = -1)), -EINVAL);
    EDDY_CHECK_ERR(eddy_file_unlock(b, EDDY_OPT(lock, .len = -1)), -EINVAL);
}

EDDY_TEST(close_drops_the_lock)
{
    struct eddy_file *a = opened(O_RDWR);
    EDDY_OWN(eddy_file) b = opened(O_RDWR);
    struct eddy_file *c = opened(O_RDWR);

    EDDY_CHECK_EQ(eddy_file_lock(a, NULL), 0);
    EDDY_CHECK_EQ(eddy_file_close(c), 0); /* another open: drops nothing of a's */
    EDDY_CHECK_ERR(eddy_file_try_lock(b, NULL), -EBUSY);
    EDDY_CHECK_EQ(eddy_file_close(a), 0);
    EDDY_CHECK_EQ(eddy_file_try_lock(b, NULL), 0);
}

/* --- waiting -------------------------------------------------------------------------------------- */

struct locker_args {
    struct eddy_file *f;
    int *ret;
};

static int locker(struct locker_args *a)
{
    *a->ret = eddy_file_lock(a->f, NULL);
    return 0;
}
EDDY_TASK(locker);

static unsigned tries;

static int lock_counted(int fd, struct flock *lock)
{
    __atomic_add_fetch(&tries, 1, __ATOMIC_RELAXED); /* on a thread of the pool */
    return eddy__sys_kernel.lock(fd, lock);
}

static unsigned tries_now(void)
{
    return __atomic_load_n(&tries, __ATOMIC_RELAXED);
}

/* More waiters than the pool has threads: and still others work on files. */
EDDY_TEST(waiting_for_a_lock_holds_up_nobody)
{
    struct eddy_file *f[16];
    EDDY_OWN(eddy_file) a = opened(O_RDWR);
    int ret[16];

    tries = 0;
    eddy__sys.lock = lock_counted;
    EDDY_CHECK_EQ(eddy_file_lock(a, NULL), 0);
    for (int i = 0; i < 16; i++) {
        f[i] = opened(O_RDWR);
        ret[i] = 1;
    }
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        for (int i = 0; i < 16; i++)
            EDDY_GO(&s, locker, .f = f[i], .ret = &ret[i]);
        while (tries_now() < 40) {
            EDDY_CHECK_EQ(eddy_sleep(1), 0);
            EDDY_CHECK_EQ(eddy_file_chmod(a, 0600), 0); /* through the same threads */
        }
        for (int i = 0; i < 16; i++)
            EDDY_CHECK_EQ(ret[i], 1);
        EDDY_CHECK_EQ(eddy_file_unlock(a, NULL), 0);
        int had = 0;
        while (!had) {
            EDDY_CHECK_EQ(eddy_sleep(1), 0);
            for (int i = 0; i < 16; i++)
                had += ret[i] == 0;
        }
        EDDY_CHECK_EQ(had, 1);
        eddy_scope_cancel(&s);
    }
    for (int i = 0; i < 16; i++) {
        EDDY_CHECK(ret[i] == 0 || ret[i] == -ECANCELED);
        EDDY_CHECK_EQ(eddy_file_close(f[i]), 0);
    }
}

/* A slow machine asks less often, never more. */
EDDY_TEST(who_waits_asks_less_and_less_often)
{
    EDDY_OWN(eddy_file) a = opened(O_RDWR);
    EDDY_OWN(eddy_file) b = opened(O_RDWR);
    int ret = 1;

    EDDY_CHECK_EQ(eddy_file_lock(a, NULL), 0);
    tries = 0;
    eddy__sys.lock = lock_counted;
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        const int64_t began = eddy_now_ns();
        EDDY_GO(&s, locker, .f = b, .ret = &ret);
        EDDY_CHECK_EQ(eddy_sleep(200), 0);
        eddy_scope_cancel(&s);
        EDDY_CHECK(tries_now() > 1);
        EDDY_CHECK(tries_now() < 9 + (eddy_now_ns() - began) / 32000000);
    }
}

EDDY_TEST(a_cancelled_lock_is_not_taken)
{
    EDDY_OWN(eddy_file) a = opened(O_RDWR);
    EDDY_OWN(eddy_file) b = opened(O_RDWR);
    int ret = 1;

    tries = 0;
    eddy__sys.lock = lock_counted;
    EDDY_CHECK_EQ(eddy_file_lock(a, NULL), 0);
    {
        EDDY_SCOPE(s, .timeout_ms = 0);
        EDDY_GO(&s, locker, .f = b, .ret = &ret);
        while (tries_now() < 4)
            EDDY_CHECK_EQ(eddy_sleep(1), 0);
        eddy_scope_cancel(&s);
    }
    EDDY_CHECK_ERR(ret, -ECANCELED);
    EDDY_CHECK_EQ(eddy_file_unlock(a, NULL), 0);
    EDDY_CHECK_EQ(eddy_file_try_lock(a, NULL), 0); /* b never came to have it */
    {
        EDDY_SCOPE(late, .timeout_ms = 5);
        EDDY_CHECK_ERR(eddy_file_lock(b, NULL), -ETIMEDOUT);
        EDDY_CHECK_ERR(eddy_file_try_lock(b, NULL), -ETIMEDOUT);
        EDDY_CHECK_EQ(eddy_file_unlock(a, NULL), 0); /* this one is not cancelled */
    }
    EDDY_CHECK_EQ(eddy_file_try_lock(b, NULL), 0);
}

/* --- another process ------------------------------------------------------------------------------- */

EDDY_TEST(a_lock_excludes_another_process)
{
    EDDY_OWN(eddy_file) f = opened(O_RDWR);
    int up[2], down[2];
    char byte, path[512];

    (void)snprintf(path, sizeof path, "%s", scratch("f"));
    if (pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0)
        abort();
    pid_t child = fork();
    if (child == 0) { /* without eddy, as any other program */
        struct flock all = { .l_type = F_WRLCK };
        int fd = open(path, O_RDWR | O_CLOEXEC);
        bool locked = fd >= 0 && fcntl(fd, F_OFD_SETLKW, &all) == 0;
        (void)!write(up[1], locked ? "y" : "n", 1);
        (void)!read(down[0], &byte, 1);
        _exit(0); /* and drops it so */
    }
    EDDY_CHECK_EQ(read(up[0], &byte, 1), 1);
    EDDY_CHECK_EQ(byte, 'y');
    EDDY_CHECK_ERR(eddy_file_try_lock(f, NULL), -EBUSY);
    {
        EDDY_SCOPE(s, .timeout_ms = 20);
        EDDY_CHECK_ERR(eddy_file_lock(f, NULL), -ETIMEDOUT);
    }
    EDDY_CHECK_EQ(write(down[1], "x", 1), 1);
    EDDY_CHECK_EQ(eddy_file_lock(f, NULL), 0);
    EDDY_CHECK_EQ(waitpid(child, NULL, 0), child);
    close(up[0]), close(up[1]), close(down[0]), close(down[1]);
}

static int lock_none(int fd, struct flock *lock)
{
    (void)fd, (void)lock;
    return -ENOLCK;
}

static void use(void *ctx)
{
    EDDY_CHECK_ERR(eddy_file_lock(ctx, NULL), -EDEADLK);
    EDDY_CHECK_ERR(eddy_file_try_lock(ctx, NULL), -EDEADLK);
    EDDY_CHECK_ERR(eddy_file_unlock(ctx, NULL), -EDEADLK);
}

EDDY_TEST(a_callback_gets_edeadlk_and_no_locks_are_enolck)
{
    EDDY_OWN(eddy_file) f = opened(O_RDWR);

    in_callback(use, f);
    eddy__sys.lock = lock_none;
    EDDY_CHECK_ERR(eddy_file_lock(f, NULL), -ENOLCK);
    EDDY_CHECK_ERR(eddy_file_unlock(f, NULL), -ENOLCK);
}
