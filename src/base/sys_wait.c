/*
 * base/sys_wait.c - the kernel's entries of the table: waiting for readiness and for time
 */
#include "base/sys_kernel.h"

#include <stdlib.h>
#include <sys/epoll.h>
#ifdef EDDY_HAVE_KQUEUE
#include <fcntl.h>
#include <sys/event.h>
#endif
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000),
                              .tv_nsec = (long)(ns % 1000000000) };
}

int eddy_kernel_select(int nfds, fd_set *r, fd_set *w, fd_set *e, int64_t timeout_ns)
{
    struct timespec timeout = timespec_of(timeout_ns);

    FAULT(ENOMEM);
    return answer(pselect(nfds, r, w, e, timeout_ns < 0 ? NULL : &timeout, NULL));
}

int eddy_kernel_poll(struct pollfd *fds, nfds_t count, int64_t timeout_ns)
{
    struct timespec timeout = timespec_of(timeout_ns);

    FAULT(ENOMEM);
    return answer(ppoll(fds, count, timeout_ns < 0 ? NULL : &timeout, NULL));
}

#ifdef __linux__
int eddy_kernel_epoll_create(void)
{
    FAULT(EMFILE);
    return answer(epoll_create1(EPOLL_CLOEXEC));
}

int eddy_kernel_epoll_ctl(int epoll, int command, int fd, struct epoll_event *event)
{
    FAULT(ENOMEM);
    return answer(epoll_ctl(epoll, command, fd, event));
}

/* Where libc or the kernel knows no epoll_pwait2: whole milliseconds, rounded up. */
static int epoll_wait_ms(int epoll, struct epoll_event *ret, int cap, int64_t timeout_ns)
{
    int64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 > 0);

    return answer(epoll_wait(epoll, ret, cap, ms > INT32_MAX ? INT32_MAX : (int)ms));
}

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
static int epoll_wait_ns(int epoll, struct epoll_event *ret, int cap, int64_t timeout_ns)
{
    static bool unknown; /* to a kernel before 5.11, or to a sandbox; any thread may find out */
    struct timespec timeout = timespec_of(timeout_ns);

    if (!__atomic_load_n(&unknown, __ATOMIC_RELAXED)) {
        int n = epoll_pwait2(epoll, ret, cap, &timeout, NULL);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return answer(n);
        __atomic_store_n(&unknown, true, __ATOMIC_RELAXED);
    }
    return epoll_wait_ms(epoll, ret, cap, timeout_ns);
}
#else
#define epoll_wait_ns epoll_wait_ms
#endif

int eddy_kernel_epoll_wait(int epoll, struct epoll_event *ret, int cap, int64_t timeout_ns)
{
    FAULT(ENOMEM);
    if (timeout_ns <= 0)
        return answer(epoll_wait(epoll, ret, cap, timeout_ns < 0 ? -1 : 0));
    return epoll_wait_ns(epoll, ret, cap, timeout_ns);
}

int eddy_kernel_timerfd_create(void)
{
    FAULT(EMFILE);
    return answer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

int eddy_kernel_timerfd_settime(int fd, int64_t when_ns)
{
    const struct itimerspec when = { .it_value = { .tv_sec = (time_t)(when_ns / 1000000000),
                                                   .tv_nsec = (long)(when_ns % 1000000000) } };

    FAULT(EINVAL);
    return answer(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
}

int eddy_kernel_inotify(void)
{
    FAULT(EMFILE);
    return answer(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
}

int eddy_kernel_inotify_add(int fd, const char *path, uint32_t flags)
{
    FAULT(ENOSPC);
    return answer(inotify_add_watch(fd, path, flags));
}

int eddy_kernel_inotify_remove(int fd, int id)
{
    return answer(inotify_rm_watch(fd, id));
}
#endif

#ifdef EDDY_HAVE_KQUEUE
int eddy_kernel_kqueue(void)
{
    FAULT(EMFILE);
    int fd = kqueue();
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return answer(fd);
}

int eddy_kernel_kevent(int kqueue, const struct kevent *changes, int count, struct kevent *ret,
                       int cap, int64_t timeout_ns)
{
    struct timespec timeout = timespec_of(timeout_ns);

    FAULT(ENOMEM);
    return answer(kevent(kqueue, changes, count, ret, cap, timeout_ns < 0 ? NULL : &timeout));
}
#endif
