/*
 * http/request.c - what a handler may ask of its request
 */
#include "http/framework.h"
#include "http/server.h"

#include <eddy/address.h>

struct eddy_slice eddy_request_header(const struct eddy_request *req, const char *name)
{
    return eddy__http1_header(req->headers, req->header_count, eddy_slice_of(name));
}

struct eddy_slice eddy_request_param(const struct eddy_request *req, const char *name)
{
    struct eddy_slice want = eddy_slice_of(name);

    for (size_t i = 0; i < req->param_count; i++)
        if (eddy_slice_eq(req->params[i].name, want))
            return req->params[i].value;
    return (struct eddy_slice){ 0 };
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* WHATWG URL 5.1: '+' is a blank, %41 a byte, and a '%' that escapes nothing stands for itself. */
static char next_byte(struct eddy_slice *s)
{
    char c = s->ptr[0];
    size_t used = 1;

    if (c == '+') {
        c = ' ';
    } else if (c == '%' && s->len >= 3 && hex(s->ptr[1]) >= 0 && hex(s->ptr[2]) >= 0) {
        c = (char)(hex(s->ptr[1]) * 16 + hex(s->ptr[2]));
        used = 3;
    }
    s->ptr += used;
    s->len -= used;
    return c;
}

static bool decodes_to(struct eddy_slice encoded, struct eddy_slice want)
{
    size_t i = 0;

    while (encoded.len > 0) {
        if (i == want.len || next_byte(&encoded) != want.ptr[i])
            return false;
        i++;
    }
    return i == want.len;
}

struct eddy_slice eddy_request_query(const struct eddy_request *req, const char *name)
{
    struct eddy_slice want = eddy_slice_of(name);
    struct eddy_slice rest = req->query;

    while (rest.len > 0) {
        const char *amp = memchr(rest.ptr, '&', rest.len);
        struct eddy_slice field = { rest.ptr, amp ? (size_t)(amp - rest.ptr) : rest.len };
        rest.ptr += field.len + (amp ? 1 : 0);
        rest.len -= field.len + (amp ? 1 : 0);

        const char *equals = field.len ? memchr(field.ptr, '=', field.len) : NULL;
        struct eddy_slice key = { field.ptr, equals ? (size_t)(equals - field.ptr) : field.len };
        if (field.len == 0 || !decodes_to(key, want))
            continue;
        struct eddy_slice value = { field.ptr + key.len + (equals ? 1 : 0),
                                    field.len - key.len - (equals ? 1 : 0) };
        char *at = eddy_arena_alloc(req->arena, value.len + 1);
        if (!at)
            return (struct eddy_slice){ 0 };
        struct eddy_slice decoded = { at, 0 };
        while (value.len > 0)
            at[decoded.len++] = next_byte(&value);
        at[decoded.len] = '\0';
        return decoded;
    }
    return (struct eddy_slice){ 0 };
}

const char *eddy_request_peer(struct eddy_request *req)
{
    struct eddy_server_conn *conn = eddy_server_exchange_of_request(req)->conn;
    struct eddy_address peer;

    if (conn->phase == HTTP_CLOSED || eddy_transport_info(conn->t, EDDY_INFO_PEER, &peer) < 0)
        return "";
    char *text = eddy_arena_alloc(req->arena, EDDY_ADDRESS_TEXT);
    return text ? eddy_address_format(&peer, text, EDDY_ADDRESS_TEXT) : "";
}

const void *eddy_request_ctx(const struct eddy_request *req)
{
    return eddy_server_exchange_of_request(req)->conn->server->ctx;
}

void *eddy__request_owned(const struct eddy_request *req)
{
    return eddy_server_exchange_of_request(req)->conn->server->owned;
}
