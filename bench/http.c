/*
 * bench/http.c - /plaintext and /json as the TechEmpower rules say
 *
 *   bench-http [--backend NAME] [--port N]
 *
 * Through the ordinary server and router; the JSON text is written anew for each request.
 */
#include <eddy/json.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/web.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int plaintext(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req;
    return eddy_reply_static(reply, "text/plain", EDDY_SLICE("Hello, World!"));
}

static int json(struct eddy_request *req, struct eddy_reply *reply)
{
    char *room = eddy_arena_alloc(req->arena, 64);
    /* A buffer over borrowed room: it is as large as it may become, so it never reallocates. */
    struct eddy_buffer buffer = { .ptr = room, .cap = 64, .max = 64 };
    struct eddy_json_out out = EDDY_JSON_OUT(&buffer);

    if (!room)
        return -ENOMEM;
    eddy_json_out_object(&out);
    eddy_json_out_key(&out, "message");
    eddy_json_out_text(&out, "Hello, World!");
    eddy_json_out_object_end(&out);
    int r = eddy_json_out_done(&out);
    return r < 0 ? r : eddy_reply_static(reply, "application/json", eddy_buffer_bytes(&buffer));
}

static const struct eddy_route routes[] = {
    EDDY_GET("/plaintext", plaintext),
    EDDY_GET("/json", json),
};

EDDY_APP(bench, EDDY_ROUTES(routes));

static void stop(void *loop, int signo)
{
    (void)signo;
    eddy_loop_stop(loop);
}

static int fail(const char *what, int r)
{
    fprintf(stderr, "bench-http: %s: %s\n", what, eddy_strerror(r));
    return 1;
}

int main(int argc, char **argv)
{
    const char *backend = NULL;
    int port = 8080;
    char address[32];

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--backend") == 0)
            backend = argv[i + 1];
        else if (strcmp(argv[i], "--port") == 0)
            port = atoi(argv[i + 1]);
    }
    eddy_log_to(eddy_log_stderr, NULL, EDDY_LOG_WARNING);

    struct eddy_loop *loop;
    int r = eddy_loop_new(EDDY_OPT(loop, .backend = backend), &loop);
    if (r < 0)
        return fail("loop", r);
    eddy_loop_on_signal(loop, SIGINT, stop, loop);
    eddy_loop_on_signal(loop, SIGTERM, stop, loop);

    struct eddy_listener *door;
    struct eddy_http_server *server;
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    r = eddy_listen(address, EDDY_OPT(listen, .backlog = 4096), &door);
    if (r < 0)
        return fail(address, r);
    r = eddy_app_serve(&bench, door, NULL, &server);
    if (r < 0)
        return fail("serve", r);

    struct eddy_loop_info info;
    eddy_loop_info(loop, &info);
    printf("bench-http: %s on http://%s\n", info.backend, address);
    fflush(stdout);
    eddy_loop_run(loop);
    eddy_http_server_free(server);
    eddy_loop_free(loop);
    return 0;
}
