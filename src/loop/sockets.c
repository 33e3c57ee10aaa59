/*
 * loop/sockets.c - what the drivers on a real kernel share: sockets, names, clock, chance
 *
 * Nothing here waits. A listener's options are set before it listens, so that every socket it
 * accepts has inherited TCP_NODELAY and nobody needs a call per connection for it.
 */
#include "base/sys.h"
#include "loop/driver.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int set_flag(int fd, int level, int name, int value)
{
    return eddy__sys.setsockopt(fd, level, name, &value, sizeof value);
}

static bool is_tcp(const struct sockaddr *addr)
{
    return addr->sa_family == AF_INET || addr->sa_family == AF_INET6;
}

static bool is_ipv6_any(const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_in6 in6;

    if (addr->sa_family != AF_INET6 || len < sizeof in6)
        return false;
    memcpy(&in6, addr, sizeof in6);
    return IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
}

int eddy__sockets_set(int fd, const struct eddy_socket_setting *settings, unsigned count)
{
    int r = 0;

    for (unsigned i = 0; i < count && r >= 0; i++) {
        const struct eddy_socket_setting *s = &settings[i];
        const struct linger linger = { .l_onoff = s->value, .l_linger = 0 };
        r = s->level == SOL_SOCKET && s->name == SO_LINGER
                ? eddy__sys.setsockopt(fd, s->level, s->name, &linger, sizeof linger)
                : set_flag(fd, s->level, s->name, s->value);
    }
    return r;
}

#ifdef __linux__
static int set_interface(int fd, const char *name)
{
    return eddy__sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name));
}

/* connect() chooses the port: then the four numbers together must be unique, not this one alone. */
static int late_port(int fd)
{
    return set_flag(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
}
#else
static int set_interface(int fd, const char *name)
{
    (void)fd;
    (void)name;
    return -EOPNOTSUPP;
}

static int late_port(int fd)
{
    (void)fd;
    return 0;
}
#endif

/* What both those that listen and those that connect can have. */
static int set_options(int fd, const struct eddy_socket_options *o)
{
    int r = eddy__sockets_set(fd, o->settings, o->count);

    if (r >= 0 && o->interface)
        r = set_interface(fd, o->interface);
    if (r >= 0 && o->source) {
        (void)late_port(fd); /* without it there are fewer connections at a time, no more */
        r = eddy__sys.bind(fd, o->source, o->source_len);
    }
    return r;
}

int eddy_sockets_open(const struct sockaddr *addr, const struct eddy_socket_options *options)
{
    int fd = eddy__sys.socket(addr->sa_family, SOCK_STREAM, 0);

    if (fd < 0 || !is_tcp(addr))
        return fd;

    int r = set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (r >= 0 && options)
        r = set_options(fd, options);
    if (r < 0) {
        eddy__sys.close(fd);
        return r;
    }
    return fd;
}

static int set_listener_options(int fd, const struct sockaddr *addr, socklen_t len,
                                const struct eddy_socket_options *options)
{
    int r = 0;

    if (is_tcp(addr))
        r = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (r >= 0 && options && options->reuse_port && is_tcp(addr))
        r = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    /* "::" means every address of the machine, whatever net.ipv6.bindv6only says. */
    if (r >= 0 && is_ipv6_any(addr, len))
        r = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, options && options->v6_only);
    return r;
}

/* The path as a terminated text; false: an abstract name, or none. The kernel takes a path that
 * fills the array, without a terminator. */
static bool path_of(const struct sockaddr *addr, socklen_t len,
                    char ret_path[sizeof((struct sockaddr_un *)0)->sun_path + 1])
{
    struct sockaddr_un un = { 0 };

    if (addr->sa_family != AF_UNIX || len <= offsetof(struct sockaddr_un, sun_path))
        return false;
    memcpy(&un, addr, len < sizeof un ? len : sizeof un);
    memcpy(ret_path, un.sun_path, sizeof un.sun_path);
    ret_path[sizeof un.sun_path] = '\0';
    return ret_path[0] != '\0';
}

/*
 * A socket file whose server has died stays behind and keeps its address. It may go only if
 * nobody answers on it. A plain file refuses a connect with the same -ECONNREFUSED, hence the
 * look at its type first: nothing but a socket is ever removed.
 */
static bool remove_stale(const struct sockaddr *addr, socklen_t len)
{
    char path[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    struct stat st;

    if (!path_of(addr, len, path) || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;

    int fd = eddy__sys.socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return false;
    int r = eddy__sys.connect(fd, addr, len);
    eddy__sys.close(fd);
    return r == -ECONNREFUSED && unlink(path) == 0;
}

/* Between bind() and listen() nobody can connect yet, whatever the umask has left. */
static int set_mode(const struct sockaddr *addr, socklen_t len, unsigned mode)
{
    char path[sizeof((struct sockaddr_un *)0)->sun_path + 1];

    if (!mode || !path_of(addr, len, path) || chmod(path, (mode_t)mode) == 0)
        return 0;
    int r = -errno;
    unlink(path);
    return r;
}

int eddy_sockets_listen(struct eddy_driver *d, const struct sockaddr *addr, socklen_t len,
                        int backlog, const struct eddy_socket_options *options)
{
    (void)d;

    int fd = eddy_sockets_open(addr, options);
    if (fd < 0)
        return fd;

    int r = set_listener_options(fd, addr, len, options);
    if (r >= 0)
        r = eddy__sys.bind(fd, addr, len);
    if (r == -EADDRINUSE && remove_stale(addr, len))
        r = eddy__sys.bind(fd, addr, len);
    if (r >= 0 && options)
        r = set_mode(addr, len, options->mode);
    if (r >= 0)
        r = eddy__sys.listen(fd, backlog);
    if (r < 0) {
        eddy__sys.close(fd);
        return r;
    }
    return fd;
}

int eddy_sockets_shutdown(struct eddy_driver *d, int fd)
{
    (void)d;
    return eddy__sys.shutdown(fd, SHUT_WR);
}

int eddy_sockets_address(struct eddy_driver *d, int fd, bool peer,
                         struct sockaddr_storage *ret_addr, socklen_t *ret_len)
{
    struct sockaddr_storage addr = { 0 };
    socklen_t len = sizeof addr;
    (void)d;

    int r = peer ? eddy__sys.getpeername(fd, (struct sockaddr *)&addr, &len)
                 : eddy__sys.getsockname(fd, (struct sockaddr *)&addr, &len);
    if (r < 0)
        return r;
    *ret_addr = addr;
    *ret_len = len;
    return 0;
}

int64_t eddy_sockets_now_ns(struct eddy_driver *d)
{
    (void)d;
    return eddy__sys.now_ns();
}

int64_t eddy_sockets_wall_ns(struct eddy_driver *d)
{
    (void)d;
    return eddy__sys.wall_ns();
}

int eddy_sockets_random(struct eddy_driver *d, void *buf, size_t len)
{
    (void)d;
    return eddy__sys.random(buf, len);
}
