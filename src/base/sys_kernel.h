/*
 * base/sys_kernel.h - what the kernel's entries of the table are made of; for sys*.c only
 *
 * Each entry is a fault point, the call, and the turn of -1 and errno into one number. They are
 * plain and alike on purpose: nothing is decided in them.
 */
#ifndef EDDY_BASE_SYS_KERNEL_H
#define EDDY_BASE_SYS_KERNEL_H

#include "base/fault.h"
#include "base/sys.h"

#include <errno.h>

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

static inline int answer(int r)
{
    return r < 0 ? -errno : r;
}

/* sys_socket.c */
ssize_t eddy_kernel_recv(int fd, void *buf, size_t len, int flags);
ssize_t eddy_kernel_send(int fd, const void *buf, size_t len, int flags);
ssize_t eddy_kernel_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t eddy_kernel_recvmsg(int fd, struct msghdr *message, int flags);
int eddy_kernel_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int eddy_kernel_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int eddy_kernel_socket(int family, int type, int protocol);
int eddy_kernel_socketpair(int family, int type, int ret_fd[2]);
int eddy_kernel_bind(int fd, const struct sockaddr *addr, socklen_t len);
int eddy_kernel_listen(int fd, int backlog);
int eddy_kernel_accept(int fd, struct sockaddr *addr, socklen_t *len);
int eddy_kernel_connect(int fd, const struct sockaddr *addr, socklen_t len);
int eddy_kernel_shutdown(int fd, int how);
int eddy_kernel_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int eddy_kernel_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int eddy_kernel_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
int eddy_kernel_getpeername(int fd, struct sockaddr *addr, socklen_t *len);

/* sys_file.c */
int eddy_kernel_open(int dir, const char *path, int flags, unsigned mode);
ssize_t eddy_kernel_pread(int fd, void *buf, size_t len, int64_t offset, int flags);
ssize_t eddy_kernel_pwrite(int fd, const void *buf, size_t len, int64_t offset, int flags);
int eddy_kernel_fsync(int fd, bool data_only);
#ifdef __linux__
int eddy_kernel_stat(int dir, const char *path, int flags, struct statx *ret);

/* sys_path.c */
int eddy_kernel_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int eddy_kernel_unlink(int dir, const char *path, int flags);
int eddy_kernel_mkdir(int dir, const char *path, unsigned mode);
int eddy_kernel_link(int from_dir, const char *from, int to_dir, const char *to, int flags);
int eddy_kernel_symlink(const char *target, int dir, const char *path);
ssize_t eddy_kernel_readlink(int dir, const char *path, char *buf, size_t cap);
int eddy_kernel_access(int dir, const char *path, int mode, int flags);
int eddy_kernel_chmod(int dir, const char *path, unsigned mode);
int eddy_kernel_chown(int dir, const char *path, uid_t uid, gid_t gid, int flags);
int eddy_kernel_utimes(int dir, const char *path, const struct timespec times[2], int flags);
int eddy_kernel_realpath(const char *path, char *ret_path);
int eddy_kernel_statvfs(const char *path, struct statvfs *ret);
ssize_t eddy_kernel_getdents(int fd, void *buf, size_t cap);
int64_t eddy_kernel_seek(int fd, int64_t offset, int whence);
int eddy_kernel_ftruncate(int fd, int64_t len);
int eddy_kernel_fallocate(int fd, int mode, int64_t offset, int64_t len);
int eddy_kernel_fadvise(int fd, int64_t offset, int64_t len, int advice);
ssize_t eddy_kernel_sendfile(int to, int from, int64_t offset, size_t len);
ssize_t eddy_kernel_splice(int from, int to, size_t len);
ssize_t eddy_kernel_copy_range(int from, int64_t from_offset, int to, int64_t to_offset,
                               size_t len);
int eddy_kernel_lock(int fd, struct flock *lock);
#endif

/* sys_wait.c */
int eddy_kernel_select(int nfds, fd_set *r, fd_set *w, fd_set *e, int64_t timeout_ns);
int eddy_kernel_poll(struct pollfd *fds, nfds_t count, int64_t timeout_ns);
#ifdef __linux__
int eddy_kernel_epoll_create(void);
int eddy_kernel_epoll_ctl(int epoll, int command, int fd, struct epoll_event *event);
int eddy_kernel_epoll_wait(int epoll, struct epoll_event *ret, int cap, int64_t timeout_ns);
int eddy_kernel_timerfd_create(void);
int eddy_kernel_timerfd_settime(int fd, int64_t when_ns);
int eddy_kernel_inotify(void);
int eddy_kernel_inotify_add(int fd, const char *path, uint32_t flags);
int eddy_kernel_inotify_remove(int fd, int id);
#endif
#ifdef EDDY_HAVE_KQUEUE
int eddy_kernel_kqueue(void);
int eddy_kernel_kevent(int kqueue, const struct kevent *changes, int count, struct kevent *ret,
                       int cap, int64_t timeout_ns);
#endif

/* sys_terminal.c */
int eddy_kernel_tcgetattr(int fd, struct termios *ret);
int eddy_kernel_tcsetattr(int fd, int when, const struct termios *attributes);
int eddy_kernel_window_size(int fd, struct winsize *ret);

/* sys_process.c */
int eddy_kernel_sigaction(int signo, const struct sigaction *action, struct sigaction *ret_old);
int eddy_kernel_pidfd_open(pid_t pid);
int eddy_kernel_waitpid(pid_t pid, int *ret_status, int options);
int eddy_kernel_reap(pid_t pid, int pidfd, bool wait, int *ret_status, struct rusage *ret_usage);
int eddy_kernel_kill(pid_t pid, int signo);
int eddy_kernel_pidfd_signal(int pidfd, int signo, bool group);
int eddy_kernel_pty(int ret_fd[2]);
int eddy_kernel_set_window_size(int fd, const struct winsize *size);

/* sys_child.c */
pid_t eddy_kernel_spawn(struct eddy_child *child, int *ret_pidfd);

#endif
