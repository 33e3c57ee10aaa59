/*
 * stream/socket_info.c - what a transport over a socket tells of its connection
 */
#include "base/memory.h"
#include "stream/socket_transport.h"

#include <eddy/address.h>

static int info_proxy(struct socket_transport *t, struct eddy_proxy *ret)
{
    struct eddy_driver *d = t->loop->driver;

    if (!t->told_peer)
        return -ENOENT;
    *ret = t->told_peer->header;
    return d->ops->address(d, t->fd, true, &ret->via.storage, &ret->via.len);
}

int socket_info(struct eddy_transport *base, enum eddy_transport_key key, void *ret_value)
{
    struct socket_transport *t = socket_transport_of(base);

    if (key == EDDY_INFO_FD) {
        *(int *)ret_value = t->fd;
        return 0;
    }
    if (key == EDDY_INFO_BUFFERED) {
        size_t cut = t->out.pending && t->writes.head ? (size_t)t->writes.head->scratch[0] : 0;
        *(size_t *)ret_value = eddy_writes_bytes(&t->writes) + cut;
        return 0;
    }
    if (key == EDDY_INFO_PROXY)
        return info_proxy(t, ret_value);
    if (key == EDDY_INFO_PEER && t->told_peer && t->told_peer->header.source.len) {
        *(struct eddy_address *)ret_value = t->told_peer->header.source;
        return 0;
    }
    if (key == EDDY_INFO_LOCAL || key == EDDY_INFO_PEER) {
        struct eddy_driver *d = t->loop->driver;
        struct eddy_address *a = ret_value;
        return d->ops->address(d, t->fd, key == EDDY_INFO_PEER, &a->storage, &a->len);
    }
    return -ENOENT;
}

int eddy_transport_set_proxy(struct eddy_transport *base, const struct eddy_proxy *header)
{
    struct socket_transport *t = socket_transport_of(base);
    struct told *told = eddy__alloc(sizeof *told + header->extensions.len);

    assert(eddy_transport_is_socket(base) && !t->told_peer);
    if (!told)
        return -ENOMEM;
    told->header = *header;
    if (header->extensions.len)
        memcpy(told->extensions, header->extensions.ptr, header->extensions.len);
    told->header.extensions.ptr = told->extensions;
    t->told_peer = told;
    return 0;
}
