/*
 * net/proxy_send.c - telling the other end who the client is, before anything else is said
 */
#include "net/options.h"
#include "task/wait.h"

#include <eddy/proxy.h>

/* Our own connection, where the caller named nobody: it is the client itself. */
static int complete(struct eddy_transport *t, struct eddy_proxy *p)
{
    if (p->local || p->source.len || p->destination.len)
        return 0;
    int r = eddy_transport_info(t, EDDY_INFO_LOCAL, &p->source);
    if (r == 0)
        r = eddy_transport_info(t, EDDY_INFO_PEER, &p->destination);
    return r;
}

int net_announce(struct eddy_transport *t, const struct eddy_proxy *header)
{
    struct eddy_proxy p = *header;
    char bytes[EDDY_PROXY_MAX];
    struct eddy_op op;
    int fd = -1;

    int r = complete(t, &p);
    if (r == 0)
        r = eddy_transport_info(t, EDDY_INFO_FD, &fd);
    if (r < 0)
        return r;
    ssize_t n = eddy_proxy_write(&p, bytes, sizeof bytes);
    if (n < 0)
        return (int)n;
    struct iovec iov = { bytes, (size_t)n };
    eddy_op_send(&op, fd, &iov, 1, NULL);
    r = eddy__op_wait(&op);
    return r < 0 ? r : 0;
}
