/*
 * A page that fetches three slow pages at once; `make run` serves it. PORT, HOST and BACKEND say
 * where and how, UPSTREAM=http://host:port/path which page, instead of the slow ones made here.
 */
#include <eddy.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGES 3
static char url[PAGES][300];
static struct eddy_http_server *slow_server;

/* The slow pages, served by this same process on another port. */
static int slow_page(struct eddy_request *req, struct eddy_reply *reply)
{
    int number = eddy_request_param(req, "n").ptr[0] - '0';
    int r = eddy_sleep(200 + 250 * number);
    return r < 0 ? r : eddy_reply_printf(reply, "Page %d, which took its time.", number);
}
static const struct eddy_route slow_routes[] = { EDDY_GET("/{n}", slow_page) };
EDDY_APP(slow, EDDY_ROUTES(slow_routes));

struct page {
    struct eddy_response answer;
    struct eddy_error error;
    int ms;
};
struct grab_args {
    const char *url;
    struct eddy_arena *arena;
    struct page *into;
};

static int grab(struct grab_args *a)
{
    int64_t began = eddy_now_ns();
    int r = eddy_fetch(
        a->url, EDDY_OPT(fetch, .timeout_ms = 3000, .arena = a->arena, .error = &a->into->error),
        &a->into->answer);
    a->into->ms = (int)((eddy_now_ns() - began) / 1000000);
    return r;
}
EDDY_TASK(grab);

static const char head[] =
    "<!doctype html><html lang=en><meta charset=utf-8><title>eddy</title><style>"
    "body{font:17px/1.5 Georgia,serif;max-width:42em;margin:4em auto;padding:0 1em;color:#234}"
    "i{display:block;height:.5em;border-radius:.25em;background:#4a90a4}small{color:#789}"
    "pre{font:14px/1.4 monospace;background:#f2f6f7;padding:.7em 1em;overflow:auto}</style>";

/* The beginning of a body from elsewhere, so that it is text here and not markup. */
static void show(struct eddy_reply *reply, struct eddy_slice body)
{
    for (size_t i = 0; i < body.len && i < 400; i++)
        eddy_reply_printf(reply, strchr("<>&", body.ptr[i]) ? "&#%d;" : "%c", body.ptr[i]);
}

static int front(struct eddy_request *req, struct eddy_reply *reply)
{
    struct page page[PAGES] = { 0 };
    int64_t began = eddy_now_ns();
    EDDY_SCOPE(grabs, .timeout_ms = 10000); /* last: closed first, so page[] outlives it */

    for (int i = 0; i < PAGES; i++)
        EDDY_GO(&grabs, grab, .url = url[i], .arena = req->arena, .into = &page[i]);
    int r = eddy_join(&grabs); /* the first failure, once all have stopped */
    int all_ms = (int)((eddy_now_ns() - began) / 1000000);

    if (r == -ECANCELED)
        return r; /* the visitor has left, or we are closing */
    eddy_reply_header(reply, "Content-Type", "text/html; charset=utf-8");
    eddy_reply_printf(reply, "%s", head);
    for (int i = 0; r < 0 && i < PAGES; i++) {
        if (page[i].error.code != r)
            continue;
        int status = r == -EDDY_EUPSTREAM_TIMEOUT ? 504 : 502;
        eddy_reply_printf(reply, "<h1>%d: a page could not be fetched</h1><pre>", status);
        show(reply, eddy_slice_of(page[i].error.text));
        eddy_reply_printf(reply, "</pre><p>All else is well here.</p>");
        return status;
    }
    if (r < 0)
        return r;
    eddy_reply_printf(reply, "<h1>%d pages in %d ms</h1><p>One task each, all at once.", PAGES,
                      all_ms);
    for (int i = 0; i < PAGES; i++) {
        eddy_reply_printf(reply, "<p><b>%d ms</b> <small>%d, %zu bytes</small>", page[i].ms,
                          page[i].answer.status, page[i].answer.body.len);
        eddy_reply_printf(reply, "<i style='width:%d%%'></i><pre>",
                          page[i].ms * 100 / (all_ms > 0 ? all_ms : 1));
        show(reply, page[i].answer.body);
        eddy_reply_printf(reply, "</pre>");
    }
    return eddy_reply_printf(reply, "<p><small>One after the other: %d ms.</small>",
                             page[0].ms + page[1].ms + page[2].ms);
}

static int start(void)
{
    const char *upstream = getenv("UPSTREAM");
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address address;
    int r = 0;

    if (!upstream || !*upstream) {
        r = eddy_listen("127.0.0.1:0", NULL, &door);
        if (r == 0)
            r = eddy_listener_address(door, &address);
        if (r == 0)
            r = eddy_app_serve(&slow, door, NULL, &slow_server);
        if (r < 0)
            return r;
        (void)EDDY_TAKE(door); /* the server's from now on */
    }
    for (int i = 0; i < PAGES; i++)
        if (slow_server)
            snprintf(url[i], sizeof url[i], "http://127.0.0.1:%d/%d", eddy_address_port(&address),
                     i + 1);
        else
            snprintf(url[i], sizeof url[i], "%s", upstream);
    return 0;
}

static void stop(void)
{
    eddy_http_server_free(slow_server);
}

static const struct eddy_route routes[] = { EDDY_GET("/", front) };
EDDY_APP(app, EDDY_ROUTES(routes), .start = start, .stop = stop);

int main(void)
{
    const char *port = getenv("PORT");

    return eddy_serve(&app, EDDY_OPT(serve, .host = getenv("HOST"), .port = port ? atoi(port) : 0,
                                     .backend = getenv("BACKEND"))) < 0;
}
