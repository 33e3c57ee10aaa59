/*
 * dns/channel.c - c-ares on a loop: its sockets, its timeouts
 *
 * c-ares gets its sockets from us, so that each has a record from birth: a POLL operation, one
 * shot, armed again after c-ares has read. What c-ares closes may still have a POLL pending; the
 * record then leaves the channel, waits for that completion, closes through the loop, and frees
 * itself. It no longer needs the channel for that, which may be gone.
 *
 * c-ares does not mind being told that a descriptor is readable when it is not: sockets are
 * non-blocking. It calls back from inside ares_process_fd(), from the question itself, and from
 * ares_destroy().
 */
#include "dns/channel.h"

#include "base/memory.h"
#include "base/sys.h"
#include "poller/poller.h"

#include <eddy/log.h>

#include <arpa/inet.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/time.h>

struct dns_socket {
    struct eddy_list link;
    struct dns_channel *channel; /* NULL: c-ares has closed it */
    struct eddy_loop *loop;
    struct eddy_op op; /* the POLL; at the end the CLOSE */
    unsigned wanted;   /* events */
    int fd;
    bool asked; /* the POLL's cancel is on its way */
};

static void watch(struct dns_socket *s);

/* --- sockets --------------------------------------------------------------------------------- */

static struct dns_socket *find(struct dns_channel *c, int fd)
{
    for (struct eddy_list *l = c->sockets.next; l != &c->sockets; l = l->next) {
        struct dns_socket *s = eddy_container_of(l, struct dns_socket, link);
        if (s->fd == fd)
            return s;
    }
    return NULL;
}

static void socket_closed(struct eddy_op *op, int res)
{
    struct dns_socket *s = op->ctx;

    (void)res;
    eddy__free(s, sizeof *s);
}

static void socket_end(struct dns_socket *s)
{
    eddy_op_close(&s->op, s->fd, socket_closed);
    s->op.ctx = s;
    if (eddy__op_submit(s->loop, &s->op))
        socket_closed(&s->op, 0);
}

static void polled(struct eddy_op *op, int res)
{
    struct dns_socket *s = op->ctx;
    struct dns_channel *c = s->channel;

    s->asked = false;
    if (!c) {
        socket_end(s);
        return;
    }
    if (res > 0) {
        unsigned events = (unsigned)res;
        const unsigned bad = EDDY_FAILED | EDDY_HANGUP;
        bool in = (events & (EDDY_READABLE | EDDY_READ_ENDED | bad)) && (s->wanted & EDDY_READABLE);
        bool out = (events & (EDDY_WRITABLE | bad)) && (s->wanted & EDDY_WRITABLE);
        int fd = s->fd;
        ares_process_fd(c->ares, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
        dns_channel_refresh(c);
        s = find(c, fd); /* c-ares may have closed it, and even have opened another */
    }
    if (s && res != -EBADF)
        watch(s);
}

/* Keep a POLL pending for what is wanted. */
static void watch(struct dns_socket *s)
{
    if (s->op.pending) {
        if (s->op.poll.events == s->wanted || s->asked)
            return; /* polled() comes back here */
        s->asked = true;
        if (!eddy__op_cancel(s->loop, &s->op))
            return;
        s->asked = false;
    }
    if (!s->wanted)
        return;
    eddy_op_poll(&s->op, s->fd, s->wanted, polled);
    s->op.ctx = s;
    if (eddy__op_submit(s->loop, &s->op) && s->op.res < 0)
        eddy_log(EDDY_LOG_WARNING, "a name server's socket cannot be waited for: %s",
                 eddy_strerror(s->op.res)); /* its timeout ends the question */
}

static void state_changed(void *ctx, ares_socket_t fd, int readable, int writable)
{
    struct dns_socket *s = find(ctx, fd);

    if (!s)
        return;
    s->wanted = (readable ? EDDY_READABLE : 0U) | (writable ? EDDY_WRITABLE : 0U);
    if (s->wanted)
        watch(s);
}

/* --- what c-ares calls in place of the system ------------------------------------------------ */

static ssize_t with_errno(ssize_t r)
{
    if (r >= 0)
        return r;
    errno = (int)-r;
    return -1;
}

static ares_socket_t socket_open(int family, int type, int protocol, void *ctx)
{
    struct dns_channel *c = ctx;
    struct dns_socket *s = eddy__zalloc(sizeof *s);

    if (!s)
        return (ares_socket_t)with_errno(-ENOMEM);
    int fd = eddy__sys.socket(family, type, protocol);
    if (fd < 0) {
        eddy__free(s, sizeof *s);
        return (ares_socket_t)with_errno(fd);
    }
    s->channel = c;
    s->loop = c->loop;
    s->fd = fd;
    eddy_list_push(&c->sockets, &s->link);
    return fd;
}

static int socket_close(ares_socket_t fd, void *ctx)
{
    struct dns_socket *s = find(ctx, fd);

    assert(s);
    eddy_list_remove(&s->link);
    s->channel = NULL;
    if (s->op.pending) {
        if (s->asked)
            return 0;
        s->asked = true;
        if (!eddy__op_cancel(s->loop, &s->op))
            return 0;
    }
    socket_end(s);
    return 0;
}

static int socket_connect(ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len,
                          void *ctx)
{
    (void)ctx;
    return (int)with_errno(eddy__sys.connect(fd, addr, len));
}

static ares_ssize_t socket_receive(ares_socket_t fd, void *buf, size_t len, int flags,
                                   struct sockaddr *from, ares_socklen_t *from_len, void *ctx)
{
    struct iovec iov = { buf, len };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    (void)ctx;
    if (from && from_len) {
        message.msg_name = from;
        message.msg_namelen = *from_len;
    }
    ssize_t n = eddy__sys.recvmsg(fd, &message, flags);
    if (n >= 0 && from && from_len)
        *from_len = message.msg_namelen;
    return with_errno(n);
}

static ares_ssize_t socket_send(ares_socket_t fd, const struct iovec *iov, int count, void *ctx)
{
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov,
                              .msg_iovlen = (size_t)count };

    (void)ctx;
    return with_errno(eddy__sys.sendmsg(fd, &message, MSG_NOSIGNAL));
}

static const struct ares_socket_functions socket_functions = {
    .asocket = socket_open,
    .aclose = socket_close,
    .aconnect = socket_connect,
    .arecvfrom = socket_receive,
    .asendv = socket_send,
};

/* --- time ------------------------------------------------------------------------------------ */

static void timed_out(struct eddy_timer *timer)
{
    struct dns_channel *c = eddy_container_of(timer, struct dns_channel, timer);

    ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    dns_channel_refresh(c);
}

void dns_channel_refresh(struct dns_channel *c)
{
    struct timeval room;
    struct timeval *t = ares_timeout(c->ares, NULL, &room);

    eddy__timer_stop(c->loop, &c->timer);
    if (!t)
        return;
    int64_t ns = (int64_t)t->tv_sec * 1000000000 + (int64_t)t->tv_usec * 1000;
    /* c-ares has a clock of its own: look a little later rather than twice. */
    eddy__timer_start(c->loop, &c->timer, eddy_loop_clock(c->loop) + ns + 1000000, timed_out);
}

/* --- making and ending ----------------------------------------------------------------------- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;

static void library_init(void)
{
    library_status = ares_library_init_mem(ARES_LIB_INIT_ALL, eddy__foreign_malloc,
                                           eddy__foreign_free, eddy__foreign_realloc);
}

/* What resolv.conf says beyond the servers, which only c-ares' own search uses. */
static int keep_search(struct dns_channel *c)
{
    struct ares_options options = { 0 };
    int mask;

    int status = ares_save_options(c->ares, &options, &mask);
    if (status != ARES_SUCCESS) {
        ares_destroy_options(&options); /* what it had copied before memory ran out */
        return status;
    }
    c->ndots = options.ndots > 0 ? (unsigned)options.ndots : 1;
    if ((mask & ARES_OPT_NDOTS) && options.ndots == 0)
        c->ndots = 0;
    for (int i = 0; i < options.ndomains && c->domain_count < DNS_DOMAINS_MAX; i++) {
        char *domain = eddy__strdup(options.domains[i]);
        if (!domain)
            status = ARES_ENOMEM;
        else
            c->domains[c->domain_count++] = domain;
    }
    ares_destroy_options(&options);
    return status;
}

/* Texts can do without it: no memory is no matter. */
static void keep_servers(struct dns_channel *c)
{
    struct ares_addr_port_node *servers = NULL;
    size_t at = 0;

    if (ares_get_servers_ports(c->ares, &servers) != ARES_SUCCESS)
        return;
    for (const struct ares_addr_port_node *s = servers; s && at < sizeof c->servers; s = s->next) {
        char ip[INET6_ADDRSTRLEN] = "";
        inet_ntop(s->family, &s->addr, ip, sizeof ip);
        const bool six = s->family == AF_INET6 && s->udp_port;
        at += (size_t)snprintf(c->servers + at, sizeof c->servers - at, "%s%s%s%s", at ? ", " : "",
                               six ? "[" : "", ip, six ? "]" : "");
        if (s->udp_port && at < sizeof c->servers)
            at += (size_t)snprintf(c->servers + at, sizeof c->servers - at, ":%d", s->udp_port);
    }
    ares_free_data(servers);
}

static int open_ares(struct dns_channel *c, const struct dns_channel_options *wanted)
{
    char lookups[] = "b"; /* the servers; the hosts file is ours */
    struct ares_options options = {
        .timeout = wanted->timeout_ms < INT_MAX ? (int)wanted->timeout_ms : INT_MAX,
        .tries = (int)wanted->tries,
        .lookups = lookups,
        .sock_state_cb = state_changed,
        .sock_state_cb_data = c,
        .resolvconf_path = (char *)(uintptr_t)wanted->resolv_conf,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_RESOLVCONF;

#ifdef ARES_OPT_QUERY_CACHE
    options.qcache_max_ttl = 0; /* the cache is ours */
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    int status = ares_init_options(&c->ares, &options, mask);
    if (status != ARES_SUCCESS) {
        c->ares = NULL;
        return status;
    }
    if (wanted->servers) {
        status = ares_set_servers_ports_csv(c->ares, wanted->servers);
        if (status != ARES_SUCCESS) {
            eddy_log(EDDY_LOG_ERROR, "\"%s\" is not a list of name servers' addresses",
                     wanted->servers);
            return status;
        }
    }
    ares_set_socket_functions(c->ares, &socket_functions, c);
    keep_servers(c);
    return keep_search(c);
}

int dns_channel_new(struct eddy_loop *loop, const struct dns_channel_options *options,
                    struct dns_channel **ret_channel)
{
    pthread_once(&library_once, library_init);
    if (library_status != ARES_SUCCESS)
        return -EDDY_ERESOLVER;
    struct dns_channel *c = eddy__zalloc(sizeof *c);
    if (!c)
        return -ENOMEM;
    c->loop = loop;
    eddy_list_init(&c->sockets);
    eddy_list_init(&c->link);
    int status = open_ares(c, options);
    if (status != ARES_SUCCESS) {
        dns_channel_free(c);
        return status == ARES_ENOMEM ? -ENOMEM : -EDDY_ERESOLVER;
    }
    *ret_channel = c;
    return 0;
}

void dns_channel_free(struct dns_channel *c)
{
    if (!c)
        return;
    eddy_list_remove(&c->link);
    eddy__timer_stop(c->loop, &c->timer);
    if (c->ares)
        ares_destroy(c->ares);
    assert(eddy_list_is_empty(&c->sockets) && c->questions == 0);
    for (unsigned i = 0; i < c->domain_count; i++)
        eddy__free(c->domains[i], strlen(c->domains[i]) + 1);
    eddy__free(c, sizeof *c);
}
