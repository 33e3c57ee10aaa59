/*
 * base/sys.c - the kernel's entries of the table
 *
 * Each is a fault point, the call, and the turn of -1 and errno into one number. They are plain
 * and alike on purpose: nothing is decided here.
 */
#include "base/sys.h"

#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#ifdef EDDY_HAVE_KQUEUE
#include <sys/event.h>
#endif
#include <sys/eventfd.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* At the head of an entry that tests can make fail. */
#define FAULT(code)                                                                                \
    do {                                                                                           \
        if (eddy_fault_here(EDDY_FAULT_SYS))                                                       \
            return -(code);                                                                        \
    } while (0)

/* Again while a signal interrupts it before it did anything. */
#define RETRY(result, call)                                                                        \
    do {                                                                                           \
        (result) = (call);                                                                         \
    } while ((result) < 0 && errno == EINTR)

static int answer(int r)
{
    return r < 0 ? -errno : r;
}

static int sys_close(int fd)
{
    /* EINTR: Linux has closed it; a second close could hit another thread's new descriptor. */
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

static int sys_fcntl(int fd, int command, int argument)
{
    FAULT(EIO);
    return answer(fcntl(fd, command, argument));
}

static int sys_eventfd(unsigned initial)
{
    FAULT(EMFILE);
    return answer(eventfd(initial, EFD_NONBLOCK | EFD_CLOEXEC));
}

static int sys_pipe(int ret_fd[2])
{
    FAULT(EMFILE);
    return answer(pipe2(ret_fd, O_CLOEXEC));
}

static ssize_t sys_read(int fd, void *buf, size_t len)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, read(fd, buf, len));
    return n < 0 ? -errno : n;
}

static ssize_t sys_write(int fd, const void *buf, size_t len)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, write(fd, buf, len));
    return n < 0 ? -errno : n;
}

static ssize_t sys_recv(int fd, void *buf, size_t len, int flags)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, recv(fd, buf, len, flags));
    return n < 0 ? -errno : n;
}

static ssize_t sys_send(int fd, const void *buf, size_t len, int flags)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, send(fd, buf, len, flags));
    return n < 0 ? -errno : n;
}

static ssize_t sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, sendmsg(fd, message, flags));
    return n < 0 ? -errno : n;
}

static ssize_t sys_recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t n;

    FAULT(EIO);
    RETRY(n, recvmsg(fd, message, flags));
    return n < 0 ? -errno : n;
}

static int sys_open(int dir, const char *path, int flags, unsigned mode)
{
    int r;

    FAULT(EMFILE);
    RETRY(r, openat(dir, path, flags | O_CLOEXEC, mode));
    return answer(r);
}

static ssize_t sys_pread(int fd, void *buf, size_t len, int64_t offset, int flags)
{
    ssize_t n;

    FAULT(EIO);
#ifdef __linux__
    const struct iovec iov = { buf, len };
    RETRY(n, preadv2(fd, &iov, 1, offset, flags));
#else
    if (flags)
        return -EOPNOTSUPP;
    RETRY(n, offset < 0 ? read(fd, buf, len) : pread(fd, buf, len, offset));
#endif
    return n < 0 ? -errno : n;
}

static ssize_t sys_pwrite(int fd, const void *buf, size_t len, int64_t offset, int flags)
{
    ssize_t n;

    FAULT(EIO);
#ifdef __linux__
    const struct iovec iov = { (void *)(uintptr_t)buf, len };
    RETRY(n, pwritev2(fd, &iov, 1, offset, flags));
#else
    if (flags)
        return -EOPNOTSUPP;
    RETRY(n, offset < 0 ? write(fd, buf, len) : pwrite(fd, buf, len, offset));
#endif
    return n < 0 ? -errno : n;
}

static int sys_fsync(int fd, bool data_only)
{
    int r;

    FAULT(EIO);
#ifdef __APPLE__
    (void)data_only;
    RETRY(r, fsync(fd));
#else
    RETRY(r, data_only ? fdatasync(fd) : fsync(fd));
#endif
    return answer(r);
}

#ifdef __linux__
static int sys_stat(int dir, const char *path, int flags, struct statx *ret)
{
    FAULT(EIO);
    return answer(statx(dir, path, flags | (*path ? 0 : AT_EMPTY_PATH),
                        STATX_BASIC_STATS | STATX_BTIME, ret));
}
#define STAT_KERNEL .stat = sys_stat,
#else
#define STAT_KERNEL
#endif

static int sys_socket(int family, int type, int protocol)
{
    FAULT(EMFILE);
    return answer(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

static int sys_socketpair(int family, int type, int ret_fd[2])
{
    FAULT(EMFILE);
    return answer(socketpair(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fd));
}

static int sys_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    FAULT(EIO);
    return answer(bind(fd, addr, len));
}

static int sys_listen(int fd, int backlog)
{
    FAULT(EIO);
    return answer(listen(fd, backlog));
}

static int sys_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    int r;

    FAULT(EMFILE);
    RETRY(r, accept4(fd, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return answer(r);
}

static int sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    FAULT(EIO);
    if (connect(fd, addr, len) == 0)
        return 0;
    /* Interrupted, a connect goes on by itself; a second call would say EALREADY. */
    return errno == EINTR ? -EINPROGRESS : -errno;
}

static int sys_shutdown(int fd, int how)
{
    FAULT(EIO);
    return answer(shutdown(fd, how));
}

static int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    FAULT(EIO);
    return answer(getsockopt(fd, level, name, value, len));
}

static int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    FAULT(EIO);
    return answer(setsockopt(fd, level, name, value, len));
}

static int sys_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    FAULT(EIO);
    return answer(getsockname(fd, addr, len));
}

static int sys_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    FAULT(EIO);
    return answer(getpeername(fd, addr, len));
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000),
                              .tv_nsec = (long)(ns % 1000000000) };
}

static int sys_select(int nfds, fd_set *r, fd_set *w, fd_set *e, int64_t timeout_ns)
{
    struct timespec timeout = timespec_of(timeout_ns);

    FAULT(ENOMEM);
    return answer(pselect(nfds, r, w, e, timeout_ns < 0 ? NULL : &timeout, NULL));
}

static int sys_poll(struct pollfd *fds, nfds_t count, int64_t timeout_ns)
{
    struct timespec timeout = timespec_of(timeout_ns);

    FAULT(ENOMEM);
    return answer(ppoll(fds, count, timeout_ns < 0 ? NULL : &timeout, NULL));
}

#ifdef __linux__
static int sys_epoll_create(void)
{
    FAULT(EMFILE);
    return answer(epoll_create1(EPOLL_CLOEXEC));
}

static int sys_epoll_ctl(int epoll, int command, int fd, struct epoll_event *event)
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

static int sys_epoll_wait(int epoll, struct epoll_event *ret, int cap, int64_t timeout_ns)
{
    FAULT(ENOMEM);
    if (timeout_ns <= 0)
        return answer(epoll_wait(epoll, ret, cap, timeout_ns < 0 ? -1 : 0));
    return epoll_wait_ns(epoll, ret, cap, timeout_ns);
}

static int sys_timerfd_create(void)
{
    FAULT(EMFILE);
    return answer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

static int sys_timerfd_settime(int fd, int64_t when_ns)
{
    const struct itimerspec when = { .it_value = { .tv_sec = (time_t)(when_ns / 1000000000),
                                                   .tv_nsec = (long)(when_ns % 1000000000) } };

    FAULT(EINVAL);
    return answer(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
}
#endif

#ifdef EDDY_HAVE_KQUEUE
static int sys_kqueue(void)
{
    FAULT(EMFILE);
    int fd = kqueue();
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return answer(fd);
}

static int sys_kevent(int kqueue, const struct kevent *changes, int count, struct kevent *ret,
                      int cap, int64_t timeout_ns)
{
    struct timespec timeout = timespec_of(timeout_ns);

    FAULT(ENOMEM);
    return answer(kevent(kqueue, changes, count, ret, cap, timeout_ns < 0 ? NULL : &timeout));
}
#define KQUEUE_KERNEL .kqueue = sys_kqueue, .kevent = sys_kevent,
#else
#define KQUEUE_KERNEL
#endif

static void *sys_mmap(size_t len)
{
    if (eddy_fault_here(EDDY_FAULT_SYS))
        return NULL;
    void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    return addr == MAP_FAILED ? NULL : addr;
}

static int sys_munmap(void *addr, size_t len)
{
    return answer(munmap(addr, len));
}

static int sys_mprotect(void *addr, size_t len, int protection)
{
    FAULT(ENOMEM);
    return answer(mprotect(addr, len, protection));
}

static int sys_madvise(void *addr, size_t len, int advice)
{
    return answer(madvise(addr, len, advice));
}

static int sys_mincore(void *addr, size_t len, unsigned char *ret_pages)
{
    return answer(mincore(addr, len, (void *)ret_pages));
}

#ifdef __linux__
static int sys_name_memory(void *addr, size_t len, const char *name)
{
    const int set_vma = 0x53564d41, anon_name = 0; /* PR_SET_VMA, Linux 5.17 */

    return answer(prctl(set_vma, anon_name, (unsigned long)(uintptr_t)addr, len, name));
}

static int sys_mappings_max(void)
{
    char text[32] = "";
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        (void)close(fd);
    int max = n > 0 ? (int)strtol(text, NULL, 10) : 0;
    return max > 0 ? max : 65530; /* not told: what Linux starts with */
}
#else
static int sys_name_memory(void *addr, size_t len, const char *name)
{
    (void)addr, (void)len, (void)name;
    return -ENOSYS;
}

static int sys_mappings_max(void)
{
    return -ENOSYS;
}
#endif

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t); /* fails for no clock that POSIX demands */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t sys_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static int64_t sys_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

static int sys_random(void *buf, size_t len)
{
    char *at = buf;

    FAULT(EIO);
    while (len > 0) {
        ssize_t n;

        RETRY(n, getrandom(at, len, 0));
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sys_sigaction(int signo, const struct sigaction *action, struct sigaction *ret_old)
{
    FAULT(EIO);
    return answer(sigaction(signo, action, ret_old));
}

#define FILE_KERNEL                                                                                \
    .open = sys_open, .pread = sys_pread, .pwrite = sys_pwrite, .fsync = sys_fsync, STAT_KERNEL

static int sys_pidfd_open(pid_t pid)
{
    FAULT(EMFILE);
#ifdef SYS_pidfd_open
    return answer((int)syscall(SYS_pidfd_open, pid, 0));
#else
    (void)pid;
    return -ENOSYS;
#endif
}

static int sys_waitpid(pid_t pid, int *ret_status, int options)
{
    pid_t r;

    RETRY(r, waitpid(pid, ret_status, options));
    return answer(r);
}

#define KERNEL                                                                                     \
    {                                                                                              \
        KQUEUE_KERNEL.close = sys_close, .fcntl = sys_fcntl, .eventfd = sys_eventfd,               \
        .pipe = sys_pipe, .read = sys_read, .write = sys_write, .recv = sys_recv,                  \
        .send = sys_send, .sendmsg = sys_sendmsg, .recvmsg = sys_recvmsg, .socket = sys_socket,    \
        .socketpair = sys_socketpair, .bind = sys_bind, .listen = sys_listen,                      \
        .accept = sys_accept, .connect = sys_connect, .shutdown = sys_shutdown,                    \
        .getsockopt = sys_getsockopt, .setsockopt = sys_setsockopt,                                \
        .getsockname = sys_getsockname, .getpeername = sys_getpeername, .select = sys_select,      \
        .poll = sys_poll, .epoll_create = sys_epoll_create, .epoll_ctl = sys_epoll_ctl,            \
        .epoll_wait = sys_epoll_wait, .timerfd_create = sys_timerfd_create,                        \
        .timerfd_settime = sys_timerfd_settime, .mmap = sys_mmap, .munmap = sys_munmap,            \
        .mprotect = sys_mprotect, .madvise = sys_madvise, .mincore = sys_mincore,                  \
        .name_memory = sys_name_memory, .mappings_max = sys_mappings_max, .now_ns = sys_now_ns,    \
        .wall_ns = sys_wall_ns, .random = sys_random, .sigaction = sys_sigaction,                  \
        .pidfd_open = sys_pidfd_open, .waitpid = sys_waitpid, FILE_KERNEL                          \
    }

struct eddy_sys eddy__sys = KERNEL;
const struct eddy_sys eddy__sys_kernel = KERNEL;
