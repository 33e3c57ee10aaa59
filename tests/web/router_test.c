/*
 * Routes: which handler a path finds, and what a table is refused for.
 */
#include "check.h"
#include "web/router.h"

#include <eddy/loop.h>
#include <stdio.h>
#include <stdlib.h>

static int a(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req, (void)reply;
    return 200;
}

static int b(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req, (void)reply;
    return 201;
}

static int c(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req, (void)reply;
    return 202;
}

static const struct eddy_route routes[] = {
    EDDY_GET("/", a),
    EDDY_GET("/users", a),
    EDDY_POST("/users", b),
    EDDY_GET("/users/{id}", b),
    EDDY_GET("/users/me", c),
    EDDY_DELETE("/users/{name}", c),
    EDDY_GET("/users/{id}/posts/{post}", a),
    EDDY_GET("/caf\xc3\xa9/{x}", a),
    EDDY_GET("/dir/", a),
};

#define BIT(m) (1u << EDDY_METHOD_##m)

EDDY_TEST(a_path_finds_its_handler)
{
    static const struct {
        enum eddy_method method;
        const char *path;
        int r;
        eddy_handler_fn *handler;
        const char *params; /* name=value, ... */
        unsigned allowed;
    } cases[] = {
        { EDDY_METHOD_GET, "/", 0, a, "", 0 },
        { EDDY_METHOD_HEAD, "/", 0, a, "", 0 },
        { EDDY_METHOD_GET, "/users", 0, a, "", 0 },
        { EDDY_METHOD_POST, "/users", 0, b, "", 0 },
        { EDDY_METHOD_PUT, "/users", -ENOENT, NULL, "", BIT(GET) | BIT(POST) },
        { EDDY_METHOD_GET, "/users/42", 0, b, "id=42 ", 0 },
        { EDDY_METHOD_GET, "/users/a%20b%2Fc", 0, b, "id=a b/c ", 0 },
        { EDDY_METHOD_GET, "/users/me", 0, c, "", 0 },
        { EDDY_METHOD_GET, "/users/m%65", 0, c, "", 0 },
        { EDDY_METHOD_DELETE, "/users/me", 0, c, "name=me ", 0 },
        { EDDY_METHOD_PUT, "/users/me", -ENOENT, NULL, "", BIT(GET) | BIT(DELETE) },
        { EDDY_METHOD_GET, "/users/me/posts/7", 0, a, "id=me post=7 ", 0 },
        { EDDY_METHOD_GET, "/users//posts/7", -ENOENT, NULL, "", 0 },
        { EDDY_METHOD_GET, "/users/", -ENOENT, NULL, "", 0 },
        { EDDY_METHOD_GET, "/dir", -ENOENT, NULL, "", 0 },
        { EDDY_METHOD_GET, "/dir/", 0, a, "", 0 },
        { EDDY_METHOD_GET, "/caf%C3%A9/1", 0, a, "x=1 ", 0 },
        { EDDY_METHOD_GET, "/users/%4", -EDDY_EURL, NULL, "", 0 },
        { EDDY_METHOD_GET, "/users/%zz", -EDDY_EURL, NULL, "", 0 },
        { EDDY_METHOD_GET, "/users/a%00b", -EDDY_EURL, NULL, "", 0 },
        { EDDY_METHOD_GET, "/a/b/c/d/e/f/g/h/i/j/k", -ENOENT, NULL, "", 0 },
        { EDDY_METHOD_OTHER, "/users", -ENOENT, NULL, "", BIT(GET) | BIT(POST) },
        { EDDY_METHOD_OPTIONS, "*", -ENOENT, NULL, "", 0 },
    };
    static const struct eddy_app app = { .size = sizeof app,
                                         .route_size = sizeof(struct eddy_route),
                                         EDDY_ROUTES(routes) };
    struct router *router;

    if (!EDDY_CHECK_EQ(eddy_router_new(&app, NULL, &router), 0))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_arena arena = EDDY_ARENA(4096);
        struct router_match match;
        char params[128] = "";
        int r = eddy_router_match(router, cases[i].method, eddy_slice_of(cases[i].path), &arena,
                                  &match);
        bool ok = EDDY_CHECK_ERR(r, cases[i].r);
        for (unsigned n = 0; r == 0 && n < match.count; n++)
            snprintf(params + strlen(params), sizeof params - strlen(params), "%.*s=%.*s ",
                     EDDY_SLICE_ARG(match.names[n]), EDDY_SLICE_ARG(match.values[n]));
        ok = EDDY_CHECK_STR(params, cases[i].params) && ok;
        if (r == 0)
            ok = EDDY_CHECK(match.handler == cases[i].handler) && ok;
        else if (r == -ENOENT)
            ok = EDDY_CHECK_EQ(match.allowed, cases[i].allowed) && ok;
        if (!ok)
            EDDY_CHECK_FAIL("%s %s", eddy_method_text(cases[i].method), cases[i].path);
        eddy_arena_done(&arena);
    }
    eddy_router_free(router);
}

EDDY_TEST(a_bad_table_is_refused_by_route_and_reason)
{
    static const struct {
        struct eddy_route rows[2];
        int r;
        const char *says;
    } cases[] = {
        { { EDDY_GET("users", a), EDDY_GET("/x", a) }, -EINVAL, "users" },
        { { EDDY_GET("/x", NULL), EDDY_GET("/y", a) }, -EINVAL, "no handler" },
        { { EDDY_GET("/{a}/{a}", a), EDDY_GET("/y", a) }, -EINVAL, "twice" },
        { { EDDY_GET("/{}", a), EDDY_GET("/y", a) }, -EINVAL, "{name}" },
        { { EDDY_GET("/{1a}", a), EDDY_GET("/y", a) }, -EINVAL, "{name}" },
        { { EDDY_GET("/{a", a), EDDY_GET("/y", a) }, -EINVAL, "{name}" },
        { { EDDY_GET("/{", a), EDDY_GET("/y", a) }, -EINVAL, "{name}" },
        { { EDDY_GET("/x{a}", a), EDDY_GET("/y", a) }, -EINVAL, "/x{a}" },
        { { EDDY_GET("/a?b", a), EDDY_GET("/y", a) }, -EINVAL, "/a?b" },
        { { EDDY_GET("/x", a), EDDY_GET("/x", b) }, -EEXIST, "GET /x" },
        { { EDDY_GET("/x/{a}", a), EDDY_GET("/x/{b}", b) }, -EEXIST, "/x/{a}" },
        { { EDDY_GET(NULL, a), EDDY_GET("/x", b) }, -EINVAL, "begins with" },
        { { { .path = "/x", .handler = a }, EDDY_GET("/x", b) }, -EINVAL, "method" },
        { { EDDY_GET("/x/{a}", a), EDDY_POST("/x/{b}", b) }, 0, NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_app app = { .size = sizeof app,
                                .route_size = sizeof(struct eddy_route),
                                .routes = cases[i].rows,
                                .route_count = 2 };
        struct eddy_error err = { 0 };
        bool ok = EDDY_CHECK_ERR(eddy_app_check(&app, &err), cases[i].r);
        if (cases[i].says)
            ok = EDDY_CHECK(strstr(err.text, cases[i].says) != NULL) && ok;
        if (!ok)
            EDDY_CHECK_FAIL("case %zu: %s", i, err.text);
    }
}

EDDY_TEST(a_thousand_routes_each_find_their_own)
{
    static char paths[1000][32];
    static struct eddy_route rows[1000];
    struct eddy_app app = {
        .size = sizeof app, .route_size = sizeof rows[0], .routes = rows, .route_count = 1000
    };
    struct router *router;

    for (int i = 0; i < 1000; i++) {
        snprintf(paths[i], sizeof paths[i], i % 2 ? "/r%d/x" : "/r%d/{p}", i);
        rows[i] = (struct eddy_route){ EDDY_METHOD_GET, paths[i], i % 3 ? a : b };
    }
    if (!EDDY_CHECK_EQ(eddy_router_new(&app, NULL, &router), 0))
        return;
    for (int i = 0; i < 1000; i++) {
        struct eddy_arena arena = EDDY_ARENA(4096);
        struct router_match match;
        char path[32];
        snprintf(path, sizeof path, "/r%d/x", i);
        EDDY_CHECK_EQ(
            eddy_router_match(router, EDDY_METHOD_GET, eddy_slice_of(path), &arena, &match), 0);
        EDDY_CHECK(match.handler == (i % 3 ? a : b));
        eddy_arena_done(&arena);
    }
    eddy_router_free(router);
}
