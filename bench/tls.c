/*
 * bench/tls.c - TLS handshakes and bytes: a server, and a client that drives any server
 *
 *     bench-tls serve PORT CERT.pem [BACKEND]          / is small, /blob is 16 MiB
 *     bench-tls drive PORT full|resumed|bytes SECONDS  prints requests and bytes
 *
 * A request is a connection: handshake, GET, the answer, close-notify. Eight are under way at a
 * time; resumed ones use what an earlier one of the same task brought.
 */
#include <eddy/buffer.h>
#include <eddy/http.h>
#include <eddy/loop.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/tls_connect.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 8
#define BLOB ((size_t)16 << 20)

static char *blob;

static int fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench-tls: %s: %s\n", what, why);
    return 1;
}

/* --- serve ----------------------------------------------------------------------------------- */

static int handle(struct eddy_request *req, struct eddy_reply *reply)
{
    struct eddy_slice body = EDDY_SLICE("Hello, World!");

    if (eddy_slice_eq(req->path, EDDY_SLICE("/blob")))
        body = (struct eddy_slice){ blob, BLOB };
    return eddy_reply_static(reply, "text/plain", body);
}

static int serve(const char *port, const char *cert, const char *backend)
{
    struct eddy_loop *loop = NULL;
    struct eddy_listener *door = NULL;
    struct eddy_http_server *server = NULL;
    struct eddy_tls *tls = NULL;
    struct eddy_error err = { 0 };
    char address[64];

    blob = calloc(1, BLOB);
    (void)snprintf(address, sizeof address, "127.0.0.1:%s", port);
    int r = blob ? eddy_loop_new(EDDY_OPT(loop, .backend = backend), &loop) : -ENOMEM;
    if (r == 0)
        r = eddy_tls_server_new(EDDY_OPT(tls_server, .cert_file = cert), &tls, &err);
    if (r == 0)
        r = eddy_listen(address, EDDY_OPT(listen, .error = &err), &door);
    if (r == 0)
        r = eddy_http_serve(door, handle, EDDY_OPT(http, .tls = tls, .limits.reply = 2 * BLOB),
                            &server);
    if (r < 0)
        return fail("serve", err.text[0] ? err.text : eddy_strerror(r));
    return eddy_loop_run(loop) < 0;
}

/* --- drive ----------------------------------------------------------------------------------- */

struct figures {
    uint64_t requests, resumed, bytes;
};

struct drive_args {
    const char *address;
    const char *name; /* sessions are kept by name: each task has its own */
    const char *request;
    struct eddy_tls *tls;
    int64_t until_ns;
    struct figures *figures;
};

static int one(const struct drive_args *a, char *buf, size_t cap)
{
    EDDY_OWN(eddy_stream) s = NULL;
    struct eddy_error err = { 0 };
    struct eddy_tls_info info;
    ssize_t n;

    int r = eddy_tls_connect(a->tls, a->address,
                             EDDY_OPT(tls_connect, .server_name = a->name, .error = &err), &s);
    if (r == 0)
        r = eddy_write_text(s, a->request);
    if (r < 0)
        return fail("drive", err.text) - 2;
    (void)eddy_stream_info(s, EDDY_INFO_TLS, &info);
    a->figures->resumed += info.resumed;
    while ((n = eddy_read(s, buf, cap)) > 0)
        a->figures->bytes += (uint64_t)n;
    if (n < 0 && n != -EDDY_EEOF) /* some servers end without saying so in TLS */
        return fail("drive: read", eddy_strerror((int)n)) - 2;
    a->figures->requests++;
    return 0;
}

static int drive(struct drive_args *a)
{
    char *buf = malloc(65536);
    int r = buf ? 0 : -ENOMEM;

    while (r == 0 && eddy_now_ns() < a->until_ns)
        r = one(a, buf, 65536);
    free(buf);
    return r;
}
EDDY_TASK(drive);

static int drive_all(const char *port, const char *what, int seconds)
{
    static char names[CLIENTS][32];
    bool resumed = strcmp(what, "resumed") == 0;
    struct figures figures = { 0 };
    struct eddy_tls *tls = NULL;
    char address[64];

    int r = eddy_tls_client_new(EDDY_OPT(tls_client, .insecure = true, .no_resumption = !resumed,
                                         .min_version = EDDY_TLS_1_3),
                                &tls, NULL);
    if (r < 0)
        return fail("drive", eddy_strerror(r));
    (void)snprintf(address, sizeof address, "127.0.0.1:%s", port);
    int64_t began_ns = eddy_now_ns();
    {
        EDDY_SCOPE(clients, .timeout_ms = 0);
        for (int i = 0; i < CLIENTS; i++) {
            (void)snprintf(names[i], sizeof names[i], "c%d.bench", i);
            EDDY_GO(&clients, drive, .address = address, .name = names[i],
                    .request = strcmp(what, "bytes") == 0
                                   ? "GET /blob HTTP/1.0\r\nHost: bench\r\n\r\n"
                                   : "GET / HTTP/1.0\r\nHost: bench\r\n\r\n",
                    .tls = tls, .until_ns = began_ns + (int64_t)seconds * 1000000000,
                    .figures = &figures);
        }
        r = eddy_join(&clients);
    }
    double took = (double)(eddy_now_ns() - began_ns) / 1e9;
    printf("%llu %llu %.0f %llu\n", (unsigned long long)figures.requests,
           (unsigned long long)figures.bytes, (double)figures.requests / took,
           (unsigned long long)figures.resumed);
    eddy_tls_free(tls);
    return r < 0;
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3], argc > 4 ? argv[4] : NULL);
    if (argc == 5 && strcmp(argv[1], "drive") == 0)
        return drive_all(argv[2], argv[3], atoi(argv[4]));
    (void)fprintf(stderr, "bench-tls serve PORT CERT.pem [BACKEND]\n"
                          "bench-tls drive PORT full|resumed|bytes SECONDS\n");
    return 2;
}
