/*
 * base/sys.h - the ONE table of system calls, clock and randomness
 *
 * Nothing in eddy's floors up to `net` calls the kernel but through this table, so a test can
 * replace an entry, and EDDY_FAULT_SYS can make the third accept fail. Every entry returns
 * what STYLE asks for: 0 or more, or a negative errno; none returns -1, none leaves the
 * answer in errno, and EINTR is retried where that cannot lose anything (not in waits).
 *
 * Thread-safe as long as nobody replaces entries; tests do, before they start threads.
 */
#ifndef EDDY_BASE_SYS_H
#define EDDY_BASE_SYS_H

#include <eddy/common.h>

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct eddy_child;
struct epoll_event;
struct kevent;
struct rusage;
struct statx;
struct statvfs;
struct flock;
struct termios;
struct winsize;

struct eddy_sys {
    /* descriptors; all made close-on-exec, sockets non-blocking too */
    int (*close)(int fd); /* never retried: the descriptor is gone whatever it says */
    int (*fcntl)(int fd, int command, int argument);
    int (*eventfd)(unsigned initial); /* non-blocking */
    int (*pipe)(int ret_fd[2]);       /* blocking ends; close-on-exec */

    /* bytes; the `flags` ones are for sockets */
    ssize_t (*read)(int fd, void *buf, size_t len);
    ssize_t (*write)(int fd, const void *buf, size_t len);
    ssize_t (*recv)(int fd, void *buf, size_t len, int flags);
    ssize_t (*send)(int fd, const void *buf, size_t len, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
    /* Many at once: how many; -ENOSYS where there is no such call. */
    int (*recvmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags);
    int (*sendmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags);

    /* files: what may wait for a disk. An offset of -1 is where the descriptor stands; flags are
     * preadv2(2)'s (RWF_NOWAIT), or 0, and -EOPNOTSUPP where there are none. */
    int (*open)(int dir, const char *path, int flags, unsigned mode); /* O_CLOEXEC is added */
    ssize_t (*pread)(int fd, void *buf, size_t len, int64_t offset, int flags);
    ssize_t (*pwrite)(int fd, const void *buf, size_t len, int64_t offset, int flags);
    int (*fsync)(int fd, bool data_only);
#ifdef __linux__
    int (*stat)(int dir, const char *path, int flags, struct statx *ret); /* "": of dir itself */

    /* names, and what files are like; a path of "" is dir itself, which may be a file */
    int (*rename)(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
    int (*unlink)(int dir, const char *path, int flags); /* AT_REMOVEDIR */
    int (*mkdir)(int dir, const char *path, unsigned mode);
    int (*link)(int from_dir, const char *from, int to_dir, const char *to, int flags);
    int (*symlink)(const char *target, int dir, const char *path);
    ssize_t (*readlink)(int dir, const char *path, char *buf, size_t cap);
    int (*access)(int dir, const char *path, int mode, int flags);
    int (*chmod)(int dir, const char *path, unsigned mode);
    int (*chown)(int dir, const char *path, uid_t uid, gid_t gid, int flags);
    int (*utimes)(int dir, const char *path, const struct timespec times[2], int flags);
    int (*realpath)(const char *path, char *ret_path); /* of PATH_MAX bytes */
    int (*statvfs)(const char *path, struct statvfs *ret);
    ssize_t (*getdents)(int fd, void *buf, size_t cap); /* struct dirent64, as they are packed */
    int64_t (*seek)(int fd, int64_t offset, int whence);
    int (*ftruncate)(int fd, int64_t len);
    int (*fallocate)(int fd, int mode, int64_t offset, int64_t len);
    int (*fadvise)(int fd, int64_t offset, int64_t len, int advice);
    ssize_t (*sendfile)(int to, int from, int64_t offset, size_t len); /* may raise SIGPIPE */
    ssize_t (*splice)(int from, int to,
                      size_t len); /* one is a pipe, which does not block; likewise */
    ssize_t (*copy_range)(int from, int64_t from_offset, int to, int64_t to_offset, size_t len);
    int (*lock)(int fd, struct flock *lock); /* of this open of the file; never waits */
#endif

    /* sockets */
    int (*socket)(int family, int type, int protocol); /* SOCK_NONBLOCK|SOCK_CLOEXEC are added */
    int (*socketpair)(int family, int type, int ret_fd[2]); /* likewise */
    int (*bind)(int fd, const struct sockaddr *addr, socklen_t len);
    int (*listen)(int fd, int backlog);
    int (*accept)(int fd, struct sockaddr *addr, socklen_t *len);       /* flags as socket() */
    int (*connect)(int fd, const struct sockaddr *addr, socklen_t len); /* -EINPROGRESS as it is */
    int (*shutdown)(int fd, int how);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
    int (*getsockname)(int fd, struct sockaddr *addr, socklen_t *len);
    int (*getpeername)(int fd, struct sockaddr *addr, socklen_t *len);

    /* waiting; timeout_ns < 0 waits for ever, it is rounded up, never down */
    int (*select)(int nfds, fd_set *r, fd_set *w, fd_set *e, int64_t timeout_ns);
    int (*poll)(struct pollfd *fds, nfds_t count, int64_t timeout_ns);
#ifdef __linux__
    int (*epoll_create)(void);
    int (*epoll_ctl)(int epoll, int command, int fd, struct epoll_event *event);
    int (*epoll_wait)(int epoll, struct epoll_event *ret, int cap, int64_t timeout_ns);
    int (*timerfd_create)(void);                     /* monotonic, non-blocking */
    int (*timerfd_settime)(int fd, int64_t when_ns); /* absolute, one shot */
    int (*inotify)(void);                            /* non-blocking */
    int (*inotify_add)(int fd, const char *path, uint32_t flags);
    int (*inotify_remove)(int fd, int id);
#endif

#ifdef EDDY_HAVE_KQUEUE
    int (*kqueue)(void);
    int (*kevent)(int kqueue, const struct kevent *changes, int count, struct kevent *ret, int cap,
                  int64_t timeout_ns);
#endif

    /* memory of stacks */
    void *(*mmap)(size_t len); /* private anonymous read-write, not reserved; NULL on failure */
    int (*munmap)(void *addr, size_t len);
    int (*mprotect)(void *addr, size_t len, int protection);
    int (*madvise)(void *addr, size_t len, int advice);
    int (*mincore)(void *addr, size_t len, unsigned char *ret_pages); /* bit 0: in memory */
    int (*name_memory)(void *addr, size_t len, const char *name);     /* in /proc/self/maps */
    int (*mappings_max)(void); /* how many a process may have; -ENOSYS: no such bound */

    /* time and chance */
    int64_t (*now_ns)(void);              /* CLOCK_MONOTONIC */
    int64_t (*wall_ns)(void);             /* CLOCK_REALTIME, since 1970 */
    int (*random)(void *buf, size_t len); /* getrandom(2) */

    int (*sigaction)(int signo, const struct sigaction *action, struct sigaction *ret_old);

    /* terminals; @when is tcsetattr(3)'s */
    int (*tcgetattr)(int fd, struct termios *ret); /* -ENOTTY: it is none */
    int (*tcsetattr)(int fd, int when, const struct termios *attributes);
    int (*window_size)(int fd, struct winsize *ret);

    /* children */
    int (*pidfd_open)(pid_t pid); /* readable when it has ended; -ENOSYS where there is none */
    int (*waitpid)(pid_t pid, int *ret_status, int options);
    /* Its number, with its pidfd or -1, when its program runs; or an error, with child->failure
     * set, and nothing is left of it. */
    pid_t (*spawn)(struct eddy_child *child, int *ret_pidfd);
    /* 1: it has ended and is gone; 0: it runs; -ECHILD: somebody else was told, or nobody will. */
    int (*reap)(pid_t pid, int pidfd, bool wait, int *ret_status, struct rusage *ret_usage);
    int (*kill)(pid_t pid, int signo);                     /* below 0: the group of that number */
    int (*pidfd_signal)(int pidfd, int signo, bool group); /* group: -EINVAL before Linux 6.9 */
    int (*pty)(int ret_fd[2]); /* the terminal's keeper and the terminal */
    int (*set_window_size)(int fd, const struct winsize *size);
};

/* The table in use; tests write to it. */
EDDY_PRIVATE extern struct eddy_sys eddy__sys;

/* All of a text, for reports: 0, or the error. */
static inline int eddy_sys_write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = eddy__sys.write(fd, text, len);
        if (n < 0)
            return (int)n;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The kernel's own, to restore from. */
EDDY_PRIVATE extern const struct eddy_sys eddy__sys_kernel;

#endif
