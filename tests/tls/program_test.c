/*
 * https as a program serves it: eddy_serve() with a certificate, read again on SIGHUP.
 *
 * backends: select poll epoll uring
 */
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/fetch.h>
#include <eddy/log.h>
#include <eddy/serve.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/tls_connect.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    eddy_log_to(NULL, NULL, EDDY_LOG_ERROR);
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static int said_fd = -1, real_stderr = -1;

static void listen_to_stderr(void)
{
    said_fd = memfd_create("said", 0);
    real_stderr = dup(2);
    dup2(said_fd, 2);
}

static const char *stop_listening(void)
{
    static char said[4096];

    fflush(stderr);
    dup2(real_stderr, 2);
    ssize_t n = pread(said_fd, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(real_stderr);
    close(said_fd);
    return said;
}

static int quick(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req;
    return eddy_reply_text(reply, "quick");
}

static const struct eddy_route routes[] = { EDDY_GET("/", quick) };
EDDY_APP(app, EDDY_ROUTES(routes));

struct serve_args {
    int port;
    int *result;
};

static int serve(struct serve_args *a)
{
    *a->result = eddy_serve(&app,
                            EDDY_OPT(serve, .port = a->port, .cert = "served.pem", .quiet = true));
    return 0;
}
EDDY_TASK(serve);

static int free_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    EDDY_CHECK_EQ(bind(fd, (struct sockaddr *)&in, len), 0);
    EDDY_CHECK_EQ(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    close(fd);
    return ntohs(in.sin_port);
}

/* Whose certificate is shown; waits until somebody listens, and until it is not @not. */
static const char *shown(struct eddy_tls *client, int port, const char * not, char buf[64])
{
    char address[32];

    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    for (int i = 0; i < 5000; i++) {
        EDDY_OWN(eddy_stream) s = NULL;
        struct eddy_tls_info info;
        if (eddy_tls_connect(client, address, NULL, &s) == 0 &&
            eddy_stream_info(s, EDDY_INFO_TLS, &info) == 0 &&
            strcmp(info.peer.subject, not ) != 0) {
            snprintf(buf, 64, "%.60s", info.peer.subject);
            return buf;
        }
        eddy_sleep(1);
    }
    return not ;
}

static bool certify(const char *cn)
{
    return cert_write(&(struct cert){ .file = "next.pem",
                                      .names = "IP:127.0.0.1",
                                      .cn = cn,
                                      .issuer = "root.pem",
                                      .to = 9,
                                      .from = -1 }) &&
           rename("next.pem", "served.pem") == 0;
}

EDDY_TEST(a_program_serves_https_and_reads_its_certificate_again)
{
    EDDY_AUTO(eddy_response) answer = { 0 };
    int port = free_port(), result = 1;
    char url[64], subject[64];

    EDDY_CHECK(cert_make("root.pem", "DNS:root.test", NULL, -1, 9));
    EDDY_CHECK(certify("before"));
    EDDY_OWN(eddy_tls)
    client = client_of(EDDY_OPT(tls_client, .ca_file = "root.pem", .no_resumption = true));
    EDDY_SCOPE(scope, .timeout_ms = 40000);
    EDDY_GO(&scope, serve, .port = port, .result = &result);
    EDDY_CHECK_STR(shown(client, port, "", subject), "CN=before");
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", port);
    EDDY_CHECK_EQ(eddy_fetch(url, EDDY_OPT(fetch, .tls = client), &answer), 0);
    EDDY_CHECK_EQ(answer.status, 200);

    EDDY_CHECK(certify("after"));
    raise(SIGHUP);
    EDDY_CHECK_STR(shown(client, port, "CN=before", subject), "CN=after");

    EDDY_CHECK_EQ(truncate("served.pem", 10), 0);
    listen_to_stderr();
    raise(SIGHUP);
    EDDY_CHECK_STR(shown(client, port, "", subject), "CN=after");
    EDDY_CHECK(strstr(stop_listening(), "the certificate stays as it was: served.pem"));

    raise(SIGTERM);
    EDDY_CHECK_EQ(eddy_join(&scope), 0);
    EDDY_CHECK_EQ(result, 0);
}

EDDY_TEST(a_program_without_its_certificate_does_not_start)
{
    listen_to_stderr();
    EDDY_CHECK_ERR(eddy_serve(&app, EDDY_OPT(serve, .port = -1, .cert = "missing.pem")), -ENOENT);
    EDDY_CHECK_ERR(eddy_serve(&app, EDDY_OPT(serve, .port = -1, .key = "missing.pem")), -EINVAL);
    EDDY_CHECK(strstr(stop_listening(),
                      "cannot serve https: missing.pem cannot be used as our certificate"));
}
