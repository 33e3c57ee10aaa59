/*
 * web/app.c - an application on a server: the router in front of its handlers
 */
#include "http/framework.h"
#include "web/router.h"

#include <eddy/log.h>

/* "GET, HEAD, POST": RFC 9110 10.2.1. HEAD and OPTIONS are answered without being named. */
static int add_allow(struct eddy_request *req, struct eddy_reply *reply, unsigned methods)
{
    char *text = eddy_arena_alloc(req->arena, EDDY_METHOD_COUNT * 10);
    size_t len = 0;

    if (!text)
        return -ENOMEM;
    if (methods & 1u << EDDY_METHOD_GET)
        methods |= 1u << EDDY_METHOD_HEAD;
    methods |= 1u << EDDY_METHOD_OPTIONS;
    for (int m = 1; m < EDDY_METHOD_COUNT; m++) {
        if (!(methods & 1u << m))
            continue;
        struct eddy_slice name = eddy_slice_of(eddy_method_text((enum eddy_method)m));
        if (len > 0) {
            memcpy(text + len, ", ", 2);
            len += 2;
        }
        memcpy(text + len, name.ptr, name.len);
        len += name.len;
    }
    return eddy__reply_field(reply, EDDY_SLICE("Allow"), (struct eddy_slice){ text, len });
}

static int without_handler(struct eddy_request *req, struct eddy_reply *reply,
                           const struct router *router, unsigned allowed)
{
    bool options = req->method == EDDY_METHOD_OPTIONS;

    /* OPTIONS * asks about the server as a whole: RFC 9110 9.3.7. */
    if (options && eddy_slice_eq(req->path, EDDY_SLICE("*")))
        allowed = router->methods;
    if (!allowed)
        return 404;
    int r = add_allow(req, reply, allowed);
    if (r < 0)
        return r;
    return options ? 204 : 405;
}

static int dispatch(struct eddy_request *req, struct eddy_reply *reply)
{
    const struct router *router = eddy__request_owned(req);
    struct router_match match;

    int r = eddy_router_match(router, req->method, req->path, req->arena, &match);
    if (r == -ENOENT)
        return without_handler(req, reply, router, match.allowed);
    if (r < 0)
        return r;
    if (match.count > 0) {
        struct eddy_param *params = eddy_arena_alloc(req->arena, match.count * sizeof *req->params);
        if (!params)
            return -ENOMEM;
        for (unsigned i = 0; i < match.count; i++)
            params[i] = (struct eddy_param){ match.names[i], match.values[i] };
        req->params = params;
        req->param_count = match.count;
    }
    return match.handler(req, reply);
}

/* Programs compiled against an older header have a shorter struct. */
static struct eddy_app app_of(const struct eddy_app *app)
{
    struct eddy_app own = { 0 };

    memcpy(&own, app, app->size < sizeof own ? app->size : sizeof own);
    return own;
}

#define LIMIT_OF(options, app, field)                                                              \
    if (!(options)->limits.field)                                                                  \
    (options)->limits.field = (app)->limits.field

static struct eddy_http_options merge(const struct eddy_http_options *options,
                                      const struct eddy_app *app)
{
    struct eddy_http_options own = { 0 };

    if (options)
        memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    own.size = sizeof own;
    LIMIT_OF(&own, app, head);
    LIMIT_OF(&own, app, headers);
    LIMIT_OF(&own, app, body);
    LIMIT_OF(&own, app, reply);
    LIMIT_OF(&own, app, connections);
    LIMIT_OF(&own, app, head_timeout_ms);
    LIMIT_OF(&own, app, body_timeout_ms);
    LIMIT_OF(&own, app, handler_timeout_ms);
    LIMIT_OF(&own, app, idle_timeout_ms);
    LIMIT_OF(&own, app, write_timeout_ms);
    LIMIT_OF(&own, app, requests);
    return own;
}

static void free_router(void *router)
{
    eddy_router_free(router);
}

int eddy_app_serve(const struct eddy_app *app, struct eddy_listener *listener,
                   const struct eddy_http_options *options, struct eddy_http_server **ret)
{
    struct eddy_app own = app_of(app);
    struct eddy_http_options merged = merge(options, &own);
    struct eddy_error err;
    struct router *router;

    int r = eddy_router_new(&own, &err, &router);
    if (r < 0) {
        eddy_log(EDDY_LOG_ERROR, "application %s: %s", own.name ? own.name : "?", err.text);
        return r == -EEXIST ? -EINVAL : r;
    }
    merged.app = app;
    r = eddy__http_serve_owned(listener, dispatch, &merged, router, free_router, ret);
    if (r < 0)
        eddy_router_free(router);
    return r;
}

int eddy_app_check(const struct eddy_app *app, struct eddy_error *err)
{
    struct eddy_app own = app_of(app);
    struct router *router;

    int r = eddy_router_new(&own, err, &router);
    if (r == 0)
        eddy_router_free(router);
    return r;
}
