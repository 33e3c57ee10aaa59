/*
 * base/sys.c - the table, and its entries for descriptors, memory, time and chance
 *
 * The others are in sys_*.c, by subject.
 */
#include "base/sys_kernel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

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

/* The table twice: one to replace entries in, one to restore from. */
/* clang-format off */
#define PLAIN                                               \
    .close = sys_close,                                     \
    .fcntl = sys_fcntl,                                     \
    .eventfd = sys_eventfd,                                 \
    .pipe = sys_pipe,                                       \
    .read = sys_read,                                       \
    .write = sys_write,                                     \
    .recv = eddy_kernel_recv,                               \
    .send = eddy_kernel_send,                               \
    .sendmsg = eddy_kernel_sendmsg,                         \
    .recvmsg = eddy_kernel_recvmsg,                         \
    .recvmmsg = eddy_kernel_recvmmsg,                       \
    .sendmmsg = eddy_kernel_sendmmsg,                       \
    .open = eddy_kernel_open,                               \
    .pread = eddy_kernel_pread,                             \
    .pwrite = eddy_kernel_pwrite,                           \
    .fsync = eddy_kernel_fsync,                             \
    .socket = eddy_kernel_socket,                           \
    .socketpair = eddy_kernel_socketpair,                   \
    .bind = eddy_kernel_bind,                               \
    .listen = eddy_kernel_listen,                           \
    .accept = eddy_kernel_accept,                           \
    .connect = eddy_kernel_connect,                         \
    .shutdown = eddy_kernel_shutdown,                       \
    .getsockopt = eddy_kernel_getsockopt,                   \
    .setsockopt = eddy_kernel_setsockopt,                   \
    .getsockname = eddy_kernel_getsockname,                 \
    .getpeername = eddy_kernel_getpeername,                 \
    .select = eddy_kernel_select,                           \
    .poll = eddy_kernel_poll,                               \
    .mmap = sys_mmap,                                       \
    .munmap = sys_munmap,                                   \
    .mprotect = sys_mprotect,                               \
    .madvise = sys_madvise,                                 \
    .mincore = sys_mincore,                                 \
    .name_memory = sys_name_memory,                         \
    .mappings_max = sys_mappings_max,                       \
    .now_ns = sys_now_ns,                                   \
    .wall_ns = sys_wall_ns,                                 \
    .random = sys_random,                                   \
    .sigaction = eddy_kernel_sigaction,                     \
    .tcgetattr = eddy_kernel_tcgetattr,                     \
    .tcsetattr = eddy_kernel_tcsetattr,                     \
    .window_size = eddy_kernel_window_size,                 \
    .pidfd_open = eddy_kernel_pidfd_open,                   \
    .waitpid = eddy_kernel_waitpid,                         \
    .spawn = eddy_kernel_spawn,                             \
    .reap = eddy_kernel_reap,                               \
    .kill = eddy_kernel_kill,                               \
    .pidfd_signal = eddy_kernel_pidfd_signal,               \
    .pty = eddy_kernel_pty,                                 \
    .set_window_size = eddy_kernel_set_window_size,
#ifdef __linux__
#define ONLY_LINUX                                          \
    .stat = eddy_kernel_stat,                               \
    .rename = eddy_kernel_rename,                           \
    .unlink = eddy_kernel_unlink,                           \
    .mkdir = eddy_kernel_mkdir,                             \
    .link = eddy_kernel_link,                               \
    .symlink = eddy_kernel_symlink,                         \
    .readlink = eddy_kernel_readlink,                       \
    .access = eddy_kernel_access,                           \
    .chmod = eddy_kernel_chmod,                             \
    .chown = eddy_kernel_chown,                             \
    .utimes = eddy_kernel_utimes,                           \
    .realpath = eddy_kernel_realpath,                       \
    .statvfs = eddy_kernel_statvfs,                         \
    .getdents = eddy_kernel_getdents,                       \
    .seek = eddy_kernel_seek,                               \
    .ftruncate = eddy_kernel_ftruncate,                     \
    .fallocate = eddy_kernel_fallocate,                     \
    .fadvise = eddy_kernel_fadvise,                         \
    .sendfile = eddy_kernel_sendfile,                       \
    .splice = eddy_kernel_splice,                           \
    .copy_range = eddy_kernel_copy_range,                   \
    .lock = eddy_kernel_lock,                               \
    .epoll_create = eddy_kernel_epoll_create,               \
    .epoll_ctl = eddy_kernel_epoll_ctl,                     \
    .epoll_wait = eddy_kernel_epoll_wait,                   \
    .inotify = eddy_kernel_inotify,                         \
    .inotify_add = eddy_kernel_inotify_add,                 \
    .inotify_remove = eddy_kernel_inotify_remove,           \
    .timerfd_create = eddy_kernel_timerfd_create,           \
    .timerfd_settime = eddy_kernel_timerfd_settime,
#else
#define ONLY_LINUX
#endif
#ifdef EDDY_HAVE_KQUEUE
#define ONLY_KQUEUE                                         \
    .kqueue = eddy_kernel_kqueue,                           \
    .kevent = eddy_kernel_kevent,
#else
#define ONLY_KQUEUE
#endif
/* clang-format on */

struct eddy_sys eddy__sys = { PLAIN ONLY_LINUX ONLY_KQUEUE };
const struct eddy_sys eddy__sys_kernel = { PLAIN ONLY_LINUX ONLY_KQUEUE };
