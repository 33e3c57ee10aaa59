#include "secured.h"

#include "check.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <string.h>

#include "loop/loop.h"

static const struct eddy_protocol nobody = { .size = sizeof(struct eddy_protocol) };

bool sockets(struct eddy_transport *ret[2])
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) accepted = NULL;
    struct eddy_address at;
    struct eddy_buffer kept;
    char text[EDDY_ADDRESS_TEXT];

    return EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0) &&
           EDDY_CHECK_EQ(eddy_listener_address(door, &at), 0) &&
           EDDY_CHECK_EQ(
               eddy__connect_transport(eddy_address_format(&at, text, sizeof text), NULL, &ret[0]),
               0) &&
           EDDY_CHECK_EQ(eddy_accept(door, &accepted), 0) &&
           EDDY_CHECK_EQ(eddy_stream_take_transport(accepted, &ret[1], &kept), 0);
}

bool secured_begin(struct eddy_tls *client, struct eddy_tls *server, const char *host, bool pair,
                   struct secured *ret)
{
    *ret = (struct secured){ 0 };
    if (!client || !server)
        return false;
    if (pair ? !EDDY_CHECK_EQ(eddy_transport_pair(0, &ret->below[0], &ret->below[1]), 0)
             : !sockets(ret->below))
        return false;
    return EDDY_CHECK_EQ(eddy_tls_wrap(client, ret->below[0], host, &ret->t[0]), 0) &&
           EDDY_CHECK_EQ(eddy_tls_wrap(server, ret->below[1], NULL, &ret->t[1]), 0);
}

/* What one end hears, and how it ends. */
struct ear {
    struct eddy_transport *t;
    struct eddy_write write;
    struct iovec iov;
    struct eddy_error why;
    bool heard, closed, wrote;
};

static void received(void *ctx, const char *data, size_t len)
{
    struct ear *e = ctx;

    (void)data, (void)len;
    e->heard = true;
}

static void closed(void *ctx, int why)
{
    struct ear *e = ctx;

    (void)why;
    eddy_tls_failure(e->t, &e->why);
    e->closed = true;
}

static const struct eddy_protocol ear_protocol = { .size = sizeof(struct eddy_protocol),
                                                   .received = received,
                                                   .closed = closed };

static void written(struct eddy_write *w)
{
    eddy_container_of(w, struct ear, write)->wrote = true;
}

static bool is_over(const struct ear *e)
{
    return e->wrote && (e->heard || e->closed);
}

static void talk_both(struct secured *s)
{
    struct ear ear[2] = { { .t = s->t[0] }, { .t = s->t[1] } };

    for (int i = 0; i < 2; i++) {
        eddy_transport_use(s->t[i], &ear_protocol, &ear[i]);
        eddy_transport_resume(s->t[i]);
        ear[i].iov = (struct iovec){ (void *)(uintptr_t) "x", 1 };
        ear[i].write = (struct eddy_write){ .iov = &ear[i].iov, .count = 1, .done = written };
        ear[i].wrote = eddy_transport_write(s->t[i], &ear[i].write);
    }
    for (int n = 0; n < 20000 && !(is_over(&ear[0]) && is_over(&ear[1])); n++)
        eddy_sleep(n < 100 ? 0 : 1);
    EDDY_CHECK(is_over(&ear[0]) && is_over(&ear[1]));
    for (int i = 0; i < 2; i++) {
        if (ear[i].closed) {
            s->t[i] = NULL;
            s->r[i] = ear[i].why.code;
            s->err[i] = ear[i].why;
            continue;
        }
        eddy_transport_pause(s->t[i]);
        eddy_transport_use(s->t[i], NULL, NULL);
    }
}

bool secured_meet(struct eddy_tls *client, struct eddy_tls *server, const char *host, bool talk,
                  struct secured *ret)
{
    if (!secured_begin(client, server, host, false, ret))
        return false;
    for (int i = 0; i < 2; i++) {
        ret->r[i] = eddy_tls_handshake(ret->t[i], &ret->err[i]);
        if (ret->r[i] == 0)
            EDDY_CHECK_EQ(eddy_transport_info(ret->t[i], EDDY_INFO_TLS, &ret->info[i]), 0);
    }
    if (talk && ret->r[0] == 0)
        talk_both(ret);
    return true;
}

void secured_drop(struct secured *s)
{
    for (int i = 0; i < 2; i++) {
        if (!s->t[i])
            continue;
        eddy_transport_use(s->t[i], &nobody, NULL);
        eddy_transport_close(s->t[i], 0);
    }
}

struct eddy_tls *client_of(const struct eddy_tls_client_options *options)
{
    struct eddy_tls *tls = NULL;
    struct eddy_error err = { 0 };

    if (!EDDY_CHECK_EQ(eddy_tls_client_new(options, &tls, &err), 0))
        EDDY_CHECK_FAIL("%s", err.text);
    return tls;
}

struct eddy_tls *server_of(const struct eddy_tls_server_options *options)
{
    struct eddy_tls *tls = NULL;
    struct eddy_error err = { 0 };

    if (!EDDY_CHECK_EQ(eddy_tls_server_new(options, &tls, &err), 0))
        EDDY_CHECK_FAIL("%s", err.text);
    return tls;
}
