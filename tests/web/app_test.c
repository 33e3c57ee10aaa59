/*
 * An application behind its server: what a client sees of the router.
 */
#include "check.h"

#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/web.h>

#include <string.h>

static int page(struct eddy_request *req, struct eddy_reply *reply)
{
    return eddy_reply_printf(reply, "page of %s", req->app->name);
}

static int user(struct eddy_request *req, struct eddy_reply *reply)
{
    struct eddy_slice id = eddy_request_param(req, "id");

    EDDY_CHECK(eddy_request_param(req, "no").ptr == NULL);
    return eddy_reply_printf(reply, "user %.*s", EDDY_SLICE_ARG(id));
}

static const struct eddy_route routes[] = {
    EDDY_GET("/", page),
    EDDY_GET("/users/{id}", user),
    EDDY_PUT("/users/{id}", user),
};
EDDY_APP(shop, EDDY_ROUTES(routes), .limits.body = 10);

static const struct eddy_route bad_routes[] = { EDDY_GET("/{", page) };
EDDY_APP(bad, EDDY_ROUTES(bad_routes));

/* One request on a connection of its own: everything that came back. */
static void ask(struct eddy_http_server *server, const char *request, char *answer, size_t cap)
{
    struct eddy_transport *a, *b;
    EDDY_OWN(eddy_stream) s = NULL;
    size_t len = 0;
    ssize_t n;

    if (!EDDY_CHECK_EQ(eddy_transport_pair(0, &a, &b), 0))
        return;
    EDDY_CHECK_EQ(eddy_http_serve_transport(server, b), 0);
    EDDY_CHECK_EQ(eddy_stream_of(a, &s), 0);
    EDDY_CHECK_EQ(eddy_write_text(s, request), 0);
    EDDY_CHECK_EQ(eddy_stream_finish(s), 0);
    while ((n = eddy_read(s, answer + len, cap - len - 1)) > 0)
        len += (size_t)n;
    answer[len] = '\0';
}

EDDY_TEST(a_client_sees_the_routes)
{
    static const struct {
        const char *line, *want, *also;
    } cases[] = {
        { "GET /", "HTTP/1.1 200 ", "page of shop" },
        { "HEAD /", "HTTP/1.1 200 ", "Content-Length: 12\r\n" },
        { "GET /users/a%20b", "HTTP/1.1 200 ", "user a b" },
        { "GET /users/a%2", "HTTP/1.1 400 ", "" },
        { "GET /users/a?id=b", "HTTP/1.1 200 ", "user a" },
        { "GET /none", "HTTP/1.1 404 ", "\r\n\r\nNot Found" },
        { "POST /users/a", "HTTP/1.1 405 ", "Allow: GET, HEAD, PUT, OPTIONS\r\n" },
        { "BREW /users/a", "HTTP/1.1 405 ", "Allow: GET, HEAD, PUT, OPTIONS\r\n" },
        { "OPTIONS /users/a", "HTTP/1.1 204 ", "Allow: GET, HEAD, PUT, OPTIONS\r\n" },
        { "OPTIONS *", "HTTP/1.1 204 ", "Allow: GET, HEAD, PUT, OPTIONS\r\n" },
        { "OPTIONS /none", "HTTP/1.1 404 ", "" },
    };
    struct eddy_loop *loop;
    struct eddy_http_server *server;
    char request[128], answer[4096];

    EDDY_CHECK_EQ(eddy_loop_new(NULL, &loop), 0);
    EDDY_CHECK_EQ(eddy_app_serve(&shop, NULL, NULL, &server), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strcpy(request, cases[i].line);
        strcat(request, " HTTP/1.1\r\nHost: h\r\n\r\n");
        ask(server, request, answer, sizeof answer);
        bool ok = EDDY_CHECK(strncmp(answer, cases[i].want, strlen(cases[i].want)) == 0);
        ok = EDDY_CHECK(strstr(answer, cases[i].also) != NULL) && ok;
        if (!ok)
            EDDY_CHECK_FAIL("%s: %s", cases[i].line, answer);
    }
    /* The application's own limits hold, and the options' outrank them. */
    static const char post[] = "PUT /users/a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n"
                               "hello world";
    ask(server, post, answer, sizeof answer);
    EDDY_CHECK(strncmp(answer, "HTTP/1.1 413 ", 13) == 0);
    eddy_http_server_free(server);
    EDDY_CHECK_EQ(eddy_app_serve(&shop, NULL, EDDY_OPT(http, .limits.body = 11), &server), 0);
    ask(server, post, answer, sizeof answer);
    EDDY_CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) == 0);
    eddy_http_server_free(server);
    EDDY_CHECK_ERR(eddy_app_serve(&bad, NULL, NULL, &server), -EINVAL);
    eddy_loop_free(loop);
}
