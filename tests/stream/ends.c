#include "ends.h"

#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/net.h>

#include <stdio.h>
#include <unistd.h>

static const char *const names[] = { "pair",         "tcp",   "unix",          "xor over pair",
                                     "xor over tcp", "pipes", "any descriptor" };

const char *ends_name(enum ends_kind kind)
{
    return names[kind];
}

bool ends_can(enum ends_kind kind)
{
    return kind < ENDS_PIPES || strcmp(eddy_check_backend(), "sim") != 0;
}

static bool descriptors(enum ends_kind kind, struct eddy_transport *ret[2])
{
    int a[2], b[2];

    if (kind == ENDS_ANY) {
        if (!EDDY_CHECK_EQ(eddy__sys.socketpair(AF_UNIX, SOCK_STREAM, a), 0))
            return false;
        b[0] = a[0], b[1] = a[1]; /* in and out are one */
        return EDDY_CHECK_EQ(eddy_transport_of_fd(a[0], b[0], NULL, &ret[0]), 0) &&
               EDDY_CHECK_EQ(eddy_transport_of_fd(b[1], a[1], NULL, &ret[1]), 0);
    }
    if (!EDDY_CHECK_EQ(eddy__sys.pipe(a), 0) || !EDDY_CHECK_EQ(eddy__sys.pipe(b), 0))
        return false;
    return EDDY_CHECK_EQ(eddy_transport_of_fd(a[0], b[1], NULL, &ret[0]), 0) &&
           EDDY_CHECK_EQ(eddy_transport_of_fd(b[0], a[1], NULL, &ret[1]), 0);
}

static bool sockets(const char *address, struct eddy_transport *ret[2])
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_stream *accepted;
    struct eddy_address at;
    struct eddy_buffer kept;
    char text[EDDY_ADDRESS_TEXT];

    if (!EDDY_CHECK_EQ(eddy_listen(address, NULL, &door), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0))
        return false;
    eddy_address_format(&at, text, sizeof text);
    if (!EDDY_CHECK_EQ(eddy__connect_transport(text, NULL, &ret[0]), 0) ||
        !EDDY_CHECK_EQ(eddy_accept(door, &accepted), 0))
        return false;
    bool taken = EDDY_CHECK_EQ(eddy_stream_take_transport(accepted, &ret[1], &kept), 0);
    eddy_stream_free(accepted);
    return taken;
}

bool ends_transports(enum ends_kind kind, struct eddy_transport *ret[2])
{
    bool ok;

    if (kind == ENDS_PAIR || kind == ENDS_XOR_PAIR) {
        ok = EDDY_CHECK_EQ(eddy_transport_pair(0, &ret[0], &ret[1]), 0);
    } else if (kind == ENDS_PIPES || kind == ENDS_ANY) {
        ok = descriptors(kind, ret);
    } else {
        char address[64];
        snprintf(address, sizeof address, "unix:/tmp/eddy-ends-%d.sock", (int)getpid());
        ok = sockets(kind == ENDS_UNIX ? address : "127.0.0.1:0", ret);
    }
    if (ok && (kind == ENDS_XOR_PAIR || kind == ENDS_XOR_TCP))
        for (int i = 0; i < 2; i++)
            ok = EDDY_CHECK_EQ(eddy_filter_xor(ret[i], 0x5a, &ret[i]), 0) && ok;
    return ok;
}

bool ends_open(enum ends_kind kind, struct ends *ret)
{
    struct eddy_transport *t[2];

    return ends_transports(kind, t) && EDDY_CHECK_EQ(eddy_stream_of(t[0], &ret->a), 0) &&
           EDDY_CHECK_EQ(eddy_stream_of(t[1], &ret->b), 0);
}

void ends_close(struct ends *ends)
{
    eddy_stream_free(ends->a);
    eddy_stream_free(ends->b);
    ends->a = ends->b = NULL;
}

void ends_loop_free(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}
