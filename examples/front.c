/* A page that fetches three slow pages at once; `make run` serves it. PORT, HOST and BACKEND say
 * where and how, UPSTREAM=http://host:port/path which page, instead of the slow ones made here. */
#include <eddy.h>
#include <stdio.h>
#include <stdlib.h>

static char url[3][300];
static struct eddy_http_server *slow_server;

static int slow_page(struct eddy_request *req, struct eddy_reply *reply)
{
    int number = eddy_request_param(req, "n").ptr[0] - '0';
    int r = eddy_sleep(200 + 250 * number); /* only this task waits */
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
    "<!doctype html><meta charset=utf-8><title>eddy</title><style>body{max-width:42em;margin:auto;"
    "font:17px Georgia}i{display:block;height:.5em;background:#4a90a4}</style>";

static int front(struct eddy_request *req, struct eddy_reply *reply)
{
    struct page page[3] = { 0 };
    int64_t began = eddy_now_ns();
    EDDY_SCOPE(grabs, .timeout_ms = 10000); /* last: closed first, so page[] outlives it */
    for (int i = 0; i < 3; i++)
        EDDY_GO(&grabs, grab, .url = url[i], .arena = req->arena, .into = &page[i]);
    int r = eddy_join(&grabs); /* the first failure, once all have stopped */
    int all_ms = (int)((eddy_now_ns() - began) / 1000000) + 1, sum_ms = 0;
    if (r == -ECANCELED)
        return r; /* the visitor has left, or we are closing */
    eddy_reply_header(reply, "Content-Type", "text/html; charset=utf-8");
    eddy_reply_printf(reply, "%s<h1>%d pages in %d ms</h1><dl>", head, r < 0 ? 0 : 3, all_ms);
    for (int i = 0; i < 3; i++) {
        struct eddy_slice text = r < 0 ? eddy_slice_of(page[i].error.text) : page[i].answer.body;
        eddy_reply_printf(reply, "<dt><b>%d ms</b> %d<i style='width:%d%%'></i><dd>", page[i].ms,
                          page[i].answer.status, page[i].ms * 100 / all_ms);
        for (size_t at = 0; at < text.len && at < 400; at++) /* text, and no markup of others' */
            eddy_reply_printf(reply, strchr("<>&", text.ptr[at]) ? "&#%d;" : "%c", text.ptr[at]);
        sum_ms += page[i].ms;
    }
    if (r < 0)
        return r == -EDDY_EUPSTREAM_TIMEOUT ? 504 : 502;
    return eddy_reply_printf(reply, "</dl>One by one it would be %d ms.", sum_ms);
}

static int start(void)
{
    const char *upstream = getenv("UPSTREAM");
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address at;
    eddy_client_configure(EDDY_OPT(client, .open_per_host = 2000, .open_total = 2000));
    int r = eddy_listen("127.0.0.1:0", NULL, &door);
    if (r < 0 || (r = eddy_listener_address(door, &at)) < 0 ||
        (r = eddy_app_serve(&slow, door, NULL, &slow_server)) < 0)
        return r;
    eddy_disown(&door); /* the server's from now on */
    for (int i = 0; i < 3; i++)
        if (upstream && *upstream)
            snprintf(url[i], sizeof url[i], "%s", upstream);
        else
            snprintf(url[i], 300, "http://127.0.0.1:%d/%d", eddy_address_port(&at), i + 1);
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
    const char *host = getenv("HOST"), *port = getenv("PORT");
    char at[128]; /* as text, so that a typo in it is told by eddy_serve() */
    snprintf(at, sizeof at, "%s:%s", host && *host ? host : "127.0.0.1", port ? port : "8000");
    return eddy_serve(&app, EDDY_OPT(serve, .address = at, .backend = getenv("BACKEND"))) < 0;
}
