/*
 * net/inherit.c - sockets that somebody else has opened for this process: systemd's activation
 *
 * The descriptors stand from 3 on. Who they are for, how many they are and what they are called say
 * LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, which are read once and taken out of the environment,
 * so that children do not believe it is about them.
 *
 * O_NONBLOCK belongs to the open socket, which is shared with whoever opened it, so it is left as
 * it is. Where it is not set, the accept operation looks before it accepts.
 */
#include "base/sys.h"
#include "loop/debug.h"
#include "net/listener.h"

#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST 3
#define KNOWN_MAX 64
#define NAME_MAX_LEN 255

static struct {
    pthread_once_t once;
    unsigned count;
    struct {
        char name[NAME_MAX_LEN + 1];
        atomic_bool taken;
    } at[KNOWN_MAX];
} inherited = { .once = PTHREAD_ONCE_INIT };

/* --- the environment -------------------------------------------------------------------------- */

static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t value;

    return text && eddy_slice_u64(eddy_slice_of(text), &value) == 0 ? value : 0;
}

/* "web:web:admin", in the descriptors' order; who has none is "unknown", as in sd_listen_fds(3). */
static void take_names(const char *names)
{
    for (unsigned i = 0; i < inherited.count; i++) {
        size_t len = names ? strcspn(names, ":") : 0;
        snprintf(inherited.at[i].name, sizeof inherited.at[i].name, "%.*s",
                 len ? (int)(len < NAME_MAX_LEN ? len : NAME_MAX_LEN) : 7, len ? names : "unknown");
        if (names)
            names = names[len] ? names + len + 1 : NULL;
    }
}

static void read_environment(void)
{
    if (number_of("LISTEN_PID") != (uint64_t)getpid())
        return;
    const uint64_t told = number_of("LISTEN_FDS");
    inherited.count = told < KNOWN_MAX ? (unsigned)told : KNOWN_MAX;
    take_names(getenv("LISTEN_FDNAMES"));
    for (unsigned i = 0; i < inherited.count; i++)
        (void)eddy__sys.fcntl(FIRST + (int)i, F_SETFD, FD_CLOEXEC); /* told when it is wanted */
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
}

static bool has_name(unsigned i, const char *name)
{
    return !name || strcmp(inherited.at[i].name, name) == 0;
}

unsigned eddy_inherited_count(const char *name)
{
    unsigned count = 0;

    pthread_once(&inherited.once, read_environment);
    for (unsigned i = 0; i < inherited.count; i++)
        count += has_name(i, name);
    return count;
}

/* --- judging ---------------------------------------------------------------------------------- */

static int ask(int fd, int name, int *ret)
{
    socklen_t len = sizeof *ret;

    *ret = 0;
    return eddy__sys.getsockopt(fd, SOL_SOCKET, name, ret, &len);
}

/* A listening stream socket of a family we know; its address. */
static int judge(int fd, struct eddy_address *ret, struct eddy_error *err)
{
    struct eddy_address a = { .len = sizeof a.storage };
    const char *what = NULL;
    int type = 0, listens = 0;

    int r = ask(fd, SO_TYPE, &type);
    if (r == -EBADF)
        return eddy_error_set(err, r, 0, "descriptor %d is not open", fd);
    if (r >= 0)
        r = ask(fd, SO_ACCEPTCONN, &listens);
    if (r >= 0)
        r = eddy__sys.getsockname(fd, (struct sockaddr *)&a.storage, &a.len);
    if (r < 0 && r != -ENOTSOCK)
        return eddy_error_set(err, r, 0, "descriptor %d: %s", fd, eddy_strerror(r));
    int family = eddy_address_family(&a);
    if (r == -ENOTSOCK)
        what = "no socket at all";
    else if (type != SOCK_STREAM)
        what = "a socket for datagrams (ListenDatagram=; ListenStream= is wanted)";
    else if (!listens)
        what = "a connection (Accept=yes; Accept=no is wanted)";
    else if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        what = "neither TCP nor a Unix socket";
    if (what)
        return eddy_error_set(err, -ENOTSOCK, 0,
                              "descriptor %d is no listening stream socket: it is %s", fd, what);
    *ret = a;
    return 0;
}

static int check_options(const struct eddy_listen_options *o)
{
    const char *misfit = o->interface    ? ".interface"
                         : o->mode       ? ".mode"
                         : o->reuse_port ? ".reuse_port"
                         : o->v6_only    ? ".v6_only"
                                         : NULL;

    return !misfit ? 0
                   : eddy_error_set(o->error, -EINVAL, 0,
                                    "%s does not fit a socket that is open: who opens it sets it",
                                    misfit);
}

/* What accepted connections inherit. */
static int set_tcp(int fd, int family, const struct eddy_listen_options *o)
{
    static const struct eddy_socket_setting no_delay = { IPPROTO_TCP, TCP_NODELAY, 1 };
    struct net_options options;

    int r = net_options_listen(o, &options, o->error);
    if (r < 0 || family == AF_UNIX)
        return r;
    r = eddy__sockets_set(fd, &no_delay, 1);
    if (r >= 0)
        r = eddy__sockets_set(fd, options.settings, options.socket.count);
    return r >= 0 ? 0 : eddy_error_set(o->error, r, 0, "descriptor %d: %s", fd, eddy_strerror(r));
}

static int listen_on(int fd, const struct eddy_listen_options *o,
                     struct eddy_listener **ret_listener)
{
    struct eddy_listener *l = NULL;
    struct eddy_address a;

    int r = eddy__sim_refuse(eddy_loop_current(), "inherited sockets");
    if (r < 0)
        return eddy_error_set(o->error, r, 0, "%s", eddy_strerror(r));
    r = judge(fd, &a, o->error);
    if (r == 0)
        r = check_options(o);
    if (r == 0)
        r = set_tcp(fd, eddy_address_family(&a), o);
    if (r == 0)
        r = net_listener_new(&a, o, &l);
    if (r < 0)
        return r;
    assert(l);
    (void)eddy__sys.fcntl(fd, F_SETFD, FD_CLOEXEC);
    int flags = eddy__sys.fcntl(fd, F_GETFL, 0);
    l->keep_path = true;
    l->is_blocking = flags < 0 || !(flags & O_NONBLOCK);
    l->fd = fd;
    *ret_listener = l;
    return 0;
}

/* --- taking ----------------------------------------------------------------------------------- */

static int take(unsigned i, const struct eddy_listen_options *o,
                struct eddy_listener **ret_listener)
{
    if (atomic_exchange(&inherited.at[i].taken, true))
        return eddy_error_set(o->error, -EBUSY, 0, "inherited socket %u is in use already", i);
    int r = listen_on(FIRST + (int)i, o, ret_listener);
    if (r < 0)
        atomic_store(&inherited.at[i].taken, false);
    return r;
}

static int none(const char *name, struct eddy_error *err)
{
    if (!inherited.count)
        return eddy_error_set(
            err, -ENOENT, 0,
            "no socket was opened for this process (LISTEN_FDS, LISTEN_PID): start "
            "it by a systemd .socket unit, or give an address");
    return eddy_error_set(err, -ENOENT, 0,
                          name ? "no (more) socket named %.40s was opened for this process: "
                                 "FileDescriptorName= in the .socket unit names it"
                               : "no more sockets%.0s were opened for this process",
                          name ? name : "");
}

int eddy_listen_inherited(const char *name, unsigned index,
                          const struct eddy_listen_options *options,
                          struct eddy_listener **ret_listener)
{
    struct eddy_listen_options o = { 0 };

    if (options)
        NET_OPTIONS_COPY(&o, options);
    if (!eddy_loop_current())
        return eddy_error_set(o.error, eddy__loop_refusal(), 0, "no event loop");
    (void)eddy_inherited_count(NULL);
    struct eddy_listener *l = NULL;
    unsigned i = 0;
    while (i < inherited.count && (!has_name(i, name) || index-- > 0))
        i++;
    int r = i < inherited.count ? take(i, &o, &l) : none(name, o.error);
    if (r < 0)
        return r;
    assert(l);
    eddy__debug_born(l->loop, l, "a listener");
    *ret_listener = l;
    return 0;
}

int net_listen_inherited(const char *address, const struct eddy_listen_options *options,
                         struct eddy_listener **ret_listener)
{
    const char *name = strchr(address, ':') + 1;
    uint64_t fd;

    if (address[0] == 'f') {
        if (eddy_slice_u64(eddy_slice_of(name), &fd) < 0 || fd > INT32_MAX)
            return eddy_error_set(options->error, -EINVAL, 3, "'%.40s' is no descriptor, as fd:3",
                                  address);
        return listen_on((int)fd, options, ret_listener);
    }
    if (!*name)
        name = NULL;
    (void)eddy_inherited_count(NULL);
    for (unsigned i = 0; i < inherited.count; i++)
        if (has_name(i, name) && !atomic_load(&inherited.at[i].taken))
            return take(i, options, ret_listener);
    return none(name, options->error);
}
