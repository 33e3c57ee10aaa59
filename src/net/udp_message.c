/*
 * net/udp_message.c - datagrams as the kernel's messages, and back
 *
 * Many go through one call of the kernel (recvmmsg, sendmmsg), in arrays that the socket keeps; where
 * there is no such call they go one by one. A datagram that is to be cut into segments is one message
 * with UDP_SEGMENT, as long as the kernel and the device take it, and else a message for each.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "net/udp.h"

#include <netinet/udp.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* Linux 4.18 */
#endif
#ifndef UDP_GRO
#define UDP_GRO 104 /* Linux 5.0 */
#endif

#define SEGMENTS_MAX 64           /* UDP_MAX_SEGMENTS of the older kernels */
#define SEGMENTS_BYTES_MAX 65487U /* 65535 less the headers of IPv6 and UDP */
#define BATCHES_A_TURN 16
#define EXPECTED_MIN 8

static struct udp_batch *batch_of(struct eddy_udp *u)
{
    if (!u->batch)
        u->batch = eddy__zalloc(sizeof *u->batch);
    return u->batch;
}

/* --- what came ---------------------------------------------------------------------------------- */

/* An IPv4 address in an IPv6 socket's clothes is told as what it is. */
static void told_address(struct eddy_address *a)
{
    struct sockaddr_in6 in6;

    if (a->len < sizeof in6 || a->storage.ss_family != AF_INET6)
        return;
    memcpy(&in6, &a->storage, sizeof in6);
    if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return;
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = in6.sin6_port };
    memcpy(&in.sin_addr, &in6.sin6_addr.s6_addr[12], sizeof in.sin_addr);
    memset(&a->storage, 0, sizeof in6);
    memcpy(&a->storage, &in, sizeof in);
    a->len = sizeof in;
}

static int int_of(const struct cmsghdr *c)
{
    int value = 0;
    size_t len = c->cmsg_len - CMSG_LEN(0);

    if (len == 1)
        return *(const unsigned char *)CMSG_DATA(c); /* IP_TOS is a byte */
    memcpy(&value, CMSG_DATA(c), len < sizeof value ? len : sizeof value);
    return value;
}

static void told_in(const struct cmsghdr *c, struct eddy_datagram *d)
{
    struct in_pktinfo info;
    struct sockaddr_in in = { .sin_family = AF_INET };

    memcpy(&info, CMSG_DATA(c), sizeof info);
    in.sin_addr = info.ipi_addr;
    memcpy(&d->local.storage, &in, sizeof in);
    d->local.len = sizeof in;
    d->interface = (unsigned)info.ipi_ifindex;
}

static void told_in6(const struct cmsghdr *c, struct eddy_datagram *d)
{
    struct in6_pktinfo info;
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    memcpy(&info, CMSG_DATA(c), sizeof info);
    in6.sin6_addr = info.ipi6_addr;
    if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&info.ipi6_addr))
        in6.sin6_scope_id = info.ipi6_ifindex;
    memcpy(&d->local.storage, &in6, sizeof in6);
    d->local.len = sizeof in6;
    d->interface = info.ipi6_ifindex;
    told_address(&d->local);
}

static void told_control(const struct eddy_udp *u, struct msghdr *m, struct eddy_datagram *d)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            told_in(c, d);
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
            told_in6(c, d);
        else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
                 (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS))
            d->tos = (uint8_t)int_of(c);
        else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
            d->segment_size = (unsigned)int_of(c);
    }
    if (d->local.len)
        eddy_address_set_port(&d->local, u->port);
}

static void told_message(const struct eddy_udp *u, struct msghdr *m, size_t len,
                         struct eddy_datagram *d)
{
    d->len = len;
    d->peer.len = m->msg_namelen;
    if (u->family == AF_INET6)
        told_address(&d->peer);
    d->truncated = (m->msg_flags & MSG_TRUNC) != 0;
    d->local.len = 0;
    d->interface = d->segment_size = 0;
    d->tos = 0;
    if (u->has_control)
        told_control(u, m, d);
}

static ssize_t receive_message(struct eddy_udp *u, struct msghdr *m)
{
    const struct eddy_datagram_ops *sim = eddy_udp_simulated(u);

    return sim ? sim->receive(u->loop->driver, u->fd, m)
               : eddy__sys.recvmsg(u->fd, m, MSG_DONTWAIT);
}

int eddy_udp_do_receive(struct eddy_udp *u, struct udp_call *c)
{
    struct iovec iov = { c->buf, c->len };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (eddy_udp_has_kept(u)) {
        struct eddy_datagram d = { .ptr = c->buf, .cap = c->len };
        eddy_udp_take_kept(u, &d);
        if (c->from)
            *c->from = d.peer;
        return d.truncated ? -EMSGSIZE : (int)d.len;
    }
    if (c->from) {
        m.msg_name = &c->from->storage;
        m.msg_namelen = sizeof c->from->storage;
    }
    ssize_t n = receive_message(u, &m);
    if (n < 0) {
        u->is_drained = n == -EAGAIN;
        return (int)n;
    }
    if (c->from) {
        c->from->len = m.msg_namelen;
        told_address(c->from);
    }
    return (m.msg_flags & MSG_TRUNC) ? -EMSGSIZE : (int)n;
}

/* Where the kernel has no call for many. */
static int receive_one_by_one(struct eddy_udp *u, struct mmsghdr *headers, unsigned count)
{
    unsigned n = 0;

    for (; n < count; n++) {
        ssize_t r = receive_message(u, &headers[n].msg_hdr);
        if (r < 0)
            return n ? (int)n : (int)r;
        headers[n].msg_len = (unsigned)r;
    }
    return (int)n;
}

/* A message that is asked for costs its preparation, whether it comes or not: so twice as many as
 * came lately are. */
static void expect(struct eddy_udp *u, unsigned wanted, int n)
{
    if (n == (int)wanted && wanted == u->expected && wanted < UDP_BATCH)
        u->expected *= 2;
    else if (n > 0 && (unsigned)n * 4 <= u->expected && u->expected > EXPECTED_MIN)
        u->expected /= 2;
}

int eddy_udp_receive_batch(struct eddy_udp *u, struct eddy_datagram *at, size_t count)
{
    struct udp_batch *b = batch_of(u);

    if (!b)
        return -ENOMEM;
    if (!u->expected)
        u->expected = EXPECTED_MIN;
    const unsigned wanted = count < u->expected ? (unsigned)count : u->expected;
    for (unsigned i = 0; i < wanted; i++) {
        b->iovs[i] = (struct iovec){ at[i].ptr, at[i].cap };
        b->headers[i].msg_hdr = (struct msghdr){ .msg_name = &at[i].peer.storage,
                                                 .msg_namelen = sizeof at[i].peer.storage,
                                                 .msg_iov = &b->iovs[i],
                                                 .msg_iovlen = 1 };
        if (u->has_control) {
            b->headers[i].msg_hdr.msg_control = &b->controls[i];
            b->headers[i].msg_hdr.msg_controllen = sizeof b->controls[i];
        }
    }
    int n = eddy_udp_simulated(u) ? -ENOSYS
                                  : eddy__sys.recvmmsg(u->fd, b->headers, wanted, MSG_DONTWAIT);
    if (n == -ENOSYS)
        n = receive_one_by_one(u, b->headers, wanted);
    u->is_drained = n == -EAGAIN || (n >= 0 && n < (int)wanted);
    expect(u, wanted, n);
    for (int i = 0; i < n; i++)
        told_message(u, &b->headers[i].msg_hdr, b->headers[i].msg_len, &at[i]);
    return n;
}

int eddy_udp_do_receive_many(struct eddy_udp *u, struct udp_call *c)
{
    size_t n = 0;

    while (n < c->count && eddy_udp_has_kept(u))
        eddy_udp_take_kept(u, &c->at[n++]);
    return n ? (int)n : eddy_udp_receive_batch(u, c->at, c->count);
}

/* --- what goes ------------------------------------------------------------------------------------ */

static int send_message(struct eddy_udp *u, const struct msghdr *m)
{
    const struct eddy_datagram_ops *sim = eddy_udp_simulated(u);
    ssize_t n = sim ? sim->send(u->loop->driver, u->fd, m)
                    : eddy__sys.sendmsg(u->fd, m, MSG_DONTWAIT | MSG_NOSIGNAL);

    return n < 0 ? (int)n : 0;
}

static void set_name(struct msghdr *m, const struct eddy_address *to)
{
    m->msg_name = (void *)(uintptr_t)&to->storage;
    m->msg_namelen = to->len;
}

int eddy_udp_do_send(struct eddy_udp *u, struct udp_call *c)
{
    struct iovec iov = { c->buf, c->len };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (c->to)
        set_name(&m, c->to);
    return send_message(u, &m);
}

/* Control data grows at the end of what the message has. */
static void add_control(struct msghdr *m, struct udp_control *control, int level, int type,
                        const void *value, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)(control->bytes + m->msg_controllen);

    assert(m->msg_controllen + CMSG_SPACE(len) <= sizeof *control);
    memset(c, 0, CMSG_SPACE(len));
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), value, len);
    m->msg_control = control;
    m->msg_controllen += CMSG_SPACE(len);
}

static void add_local(struct msghdr *m, struct udp_control *control, const struct eddy_datagram *d,
                      int family)
{
    if (family == AF_INET6) {
        struct in6_pktinfo info = { .ipi6_ifindex = d->interface };
        struct sockaddr_in6 in6;

        if (d->local.len) {
            memcpy(&in6, &d->local.storage, sizeof in6);
            info.ipi6_addr = in6.sin6_addr;
        }
        add_control(m, control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    } else {
        struct in_pktinfo info = { .ipi_ifindex = (int)d->interface };
        struct sockaddr_in in;

        if (d->local.len) {
            memcpy(&in, &d->local.storage, sizeof in);
            info.ipi_spec_dst = in.sin_addr;
        }
        add_control(m, control, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
}

static void add_controls(const struct eddy_udp *u, struct msghdr *m, struct udp_control *control,
                         const struct eddy_datagram *d, uint16_t segment)
{
    int tos = d->tos;
    int family = d->local.len  ? eddy_address_family(&d->local)
                 : d->peer.len ? eddy_address_family(&d->peer)
                               : u->family;

    if (family != AF_INET && family != AF_INET6)
        return;
    if (d->local.len || d->interface)
        add_local(m, control, d, family);
    if (tos && family == AF_INET6)
        add_control(m, control, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    else if (tos)
        add_control(m, control, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    if (segment)
        add_control(m, control, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
}

/* Whether segments may be left to the kernel. One too old for it would not know the control data,
 * and send all of it as one datagram: so it is asked first. */
static bool is_cutting(struct eddy_udp *u)
{
    int value;
    socklen_t len = sizeof value;

    if (!u->is_probed) {
        u->is_probed = true;
        u->is_cutting = u->family != AF_UNIX && !eddy_udp_simulated(u) &&
                        eddy__sys.getsockopt(u->fd, IPPROTO_UDP, UDP_SEGMENT, &value, &len) == 0;
    }
    return u->is_cutting;
}

/* How much of what is left of the call's datagram @at goes into one message; @ret_segment: and is
 * cut there, or 0. */
static size_t next_piece(struct eddy_udp *u, const struct udp_call *c, size_t at, size_t from,
                         uint16_t *ret_segment)
{
    const struct eddy_datagram *d = &c->at[at];
    const size_t left = d->len - from, segment = d->segment_size;

    *ret_segment = 0;
    if (!segment || left <= segment)
        return left;
    if (c->cut_here == at + 1 || segment > SEGMENTS_BYTES_MAX / 2 || !is_cutting(u))
        return segment;
    size_t most = SEGMENTS_BYTES_MAX / segment;
    if (most > SEGMENTS_MAX)
        most = SEGMENTS_MAX;
    *ret_segment = (uint16_t)segment;
    return left < most * segment ? left : most * segment;
}

static unsigned gather(struct eddy_udp *u, const struct udp_call *c, struct udp_batch *b)
{
    size_t at = c->done, from = c->at[at].sent;
    unsigned n = 0;

    while (n < UDP_BATCH && at < c->count) {
        const struct eddy_datagram *d = &c->at[at];
        uint16_t segment;
        size_t piece = next_piece(u, c, at, from, &segment);
        struct msghdr *m = &b->headers[n].msg_hdr;

        b->iovs[n] = (struct iovec){ (char *)d->ptr + from, piece };
        *m = (struct msghdr){ .msg_iov = &b->iovs[n], .msg_iovlen = 1 };
        if (d->peer.len)
            set_name(m, &d->peer);
        if (segment || d->tos || d->local.len || d->interface)
            add_controls(u, m, &b->controls[n], d, segment);
        n++;
        from += piece;
        if (from >= d->len) {
            at++;
            from = at < c->count ? c->at[at].sent : 0;
        }
    }
    return n;
}

static int send_one_by_one(struct eddy_udp *u, const struct mmsghdr *headers, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        int r = send_message(u, &headers[n].msg_hdr);
        if (r < 0)
            return n ? (int)n : r;
    }
    return (int)count;
}

/* The kernel did not take the first message because it was to be cut: no device can, or a segment is
 * longer than the device's packets. */
static bool is_refused_for_its_segments(struct eddy_udp *u, struct udp_call *c, size_t piece, int r)
{
    const struct eddy_datagram *d = &c->at[c->done];

    if (!d->segment_size || piece <= d->segment_size || c->cut_here == c->done + 1)
        return false;
    switch (r) {
    case -EIO:
    case -EOPNOTSUPP:
    case -ENOPROTOOPT: u->is_cutting = false; break;
    case -EINVAL:
    case -EMSGSIZE: break;
    default: return false;
    }
    c->cut_here = c->done + 1;
    return true;
}

/* One call of the kernel. */
static int send_batch(struct eddy_udp *u, struct udp_call *c, struct udp_batch *b)
{
    unsigned count = gather(u, c, b);
    int n = eddy_udp_simulated(u)
                ? -ENOSYS
                : eddy__sys.sendmmsg(u->fd, b->headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n == -ENOSYS)
        n = send_one_by_one(u, b->headers, count);
    if (n < 0)
        return is_refused_for_its_segments(u, c, b->iovs[0].iov_len, n) ? 0 : n;
    for (int i = 0; i < n; i++) {
        struct eddy_datagram *d = &c->at[c->done];
        d->sent += b->iovs[i].iov_len;
        if (d->sent >= d->len)
            c->done++;
    }
    return 0;
}

int eddy_udp_do_send_many(struct eddy_udp *u, struct udp_call *c)
{
    struct udp_batch *b = batch_of(u);
    int r = b ? 0 : -ENOMEM;

    /* So many, and the rest in the next turn: for what others have to do meanwhile. */
    for (int i = 0; r == 0 && c->done < c->count; i++)
        r = i < BATCHES_A_TURN ? send_batch(u, c, b) : -EAGAIN;
    return r < 0 && (r == -EAGAIN || !c->done) ? r : (int)c->done;
}

bool eddy_datagram_segment(const struct eddy_datagram *d, size_t index,
                           struct eddy_slice *ret_segment)
{
    const size_t size = d->segment_size ? d->segment_size : d->len;
    const size_t from = index * size;

    if (index > 0 && (!size || index >= (d->len + size - 1) / size))
        return false;
    *ret_segment = (struct eddy_slice){ (const char *)d->ptr + from,
                                        d->len - from < size ? d->len - from : size };
    return true;
}
