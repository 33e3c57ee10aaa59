/*
 * eddy/web.h - the framework: routes as a constant table, an application as a constant
 *
 *     static const struct eddy_route routes[] = {
 *         EDDY_GET("/", main_page),
 *         EDDY_GET("/users/{id}", user),
 *         EDDY_POST("/users", new_user),
 *     };
 *     EDDY_APP(app, EDDY_ROUTES(routes));
 *
 * A path that no route has is 404; one that has it for other methods is 405 with Allow. HEAD is
 * answered by GET's handler, OPTIONS with Allow, unless the table says otherwise. {name} matches
 * one segment that is not empty; a constant segment outranks it. Cost does not grow with the
 * number of routes.
 */
#ifndef EDDY_WEB_H
#define EDDY_WEB_H

#include <eddy/http.h>

EDDY_BEGIN

struct eddy_route {
    enum eddy_method method;
    const char *path;
    eddy_handler_fn *handler;
};

struct eddy_app {
    size_t size;       /* of this struct */
    size_t route_size; /* of a row */
    const char *name;
    const struct eddy_route *routes;
    size_t route_count;
    /* Called in plain code or a task before the first request and after the last; may wait. A
     * negative result of start ends the program with its text. */
    int (*start)(void);
    void (*stop)(void);
    struct eddy_http_limits limits;
};

#ifndef __cplusplus
#define EDDY_ROUTE(verb, at, fn)                                                                   \
    {                                                                                              \
        .method = EDDY_METHOD_##verb, .path = (at), .handler = (fn)                                \
    }
#define EDDY_GET(at, fn) EDDY_ROUTE(GET, at, fn)
#define EDDY_POST(at, fn) EDDY_ROUTE(POST, at, fn)
#define EDDY_PUT(at, fn) EDDY_ROUTE(PUT, at, fn)
#define EDDY_PATCH(at, fn) EDDY_ROUTE(PATCH, at, fn)
#define EDDY_DELETE(at, fn) EDDY_ROUTE(DELETE, at, fn)

#define EDDY_ROUTES(table) .routes = (table), .route_count = sizeof(table) / sizeof((table)[0])

/* The application: a constant with external linkage, which `eddy run FILE.c` looks up. */
#define EDDY_APP(ident, ...)                                                                       \
    extern const struct eddy_app ident;                                                            \
    __attribute__((visibility("default")))                                                         \
    const struct eddy_app ident = { .size = sizeof(struct eddy_app),                               \
                                    .route_size = sizeof(struct eddy_route),                       \
                                    .name = #ident,                                                \
                                    __VA_ARGS__ }
#endif

/**
 * eddy_app_serve() - serve an application on a listener
 * @app:      constant
 * @listener: owned from now on when 0 is returned
 * @options:  may be NULL; its limits outrank the application's
 * @ret:      owned; a server of eddy/http.h
 *
 * Does not suspend. Does not call start or stop: eddy_serve() does.
 *
 * Return: 0, -ENOMEM, or -EINVAL (a bad route: the log says which and why).
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_app_serve(const struct eddy_app *app, struct eddy_listener *listener,
                            const struct eddy_http_options *options, struct eddy_http_server **ret);

/**
 * eddy_app_check() - judge an application's routes
 * @app: borrowed
 * @err: says which route and why; may be NULL
 *
 * Return: 0, -EINVAL (a path that does not begin with '/', a bad or repeated {name}, no handler),
 * -EEXIST (two routes of one method and shape).
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_app_check(const struct eddy_app *app, struct eddy_error *err);

EDDY_END

#endif
