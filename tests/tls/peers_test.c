/*
 * Real peers: curl and openssl s_client against ours, ours against openssl s_server.
 *
 * backends: select poll epoll uring
 * timeout: 120
 */
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/address.h>
#include <eddy/http.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/tls_connect.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static bool make_certificates(void)
{
    static bool made;

    if (!made)
        made = EDDY_CHECK(cert_make("root.pem", "DNS:root.test", NULL, -1, 9)) &&
               EDDY_CHECK(cert_make("other.pem", "DNS:other.test", NULL, -1, 9)) &&
               EDDY_CHECK(cert_make("a.pem", "DNS:a.test,IP:127.0.0.1", "root.pem", -1, 9)) &&
               EDDY_CHECK(cert_make("b.pem", "DNS:*.b.test", "root.pem", -1, 9)) &&
               EDDY_CHECK(cert_make("alice.pem", "DNS:alice.test", "root.pem", -1, 9));
    return made;
}

/* --- programs -------------------------------------------------------------------------------- */

struct program {
    char command[1024];
    char out[16384];
    int status; /* of the exit */
};

/* On another thread, while the loop serves. */
static int run_program(void *arg)
{
    struct program *p = arg;
    FILE *in = popen(p->command, "r");

    if (!in)
        return -EBADMSG;
    size_t len = fread(p->out, 1, sizeof p->out - 1, in);
    p->out[len] = '\0';
    int status = pclose(in);
    p->status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
    return 0;
}

__attribute__((format(printf, 2, 3))) static int run(struct program *p, const char *format, ...)
{
    size_t at = (size_t)snprintf(p->command, sizeof p->command, "exec 2>&1; ");
    va_list args;

    va_start(args, format);
    vsnprintf(p->command + at, sizeof p->command - at, format, args);
    va_end(args);
    EDDY_CHECK_EQ(eddy_offload(run_program, p), 0);
    return p->status;
}

static bool is_there(const char *program)
{
    struct program p;

    if (run(&p, "command -v %s", program) == 0)
        return true;
    return EDDY_CHECK_FAIL("%s is missing: scripts/deps --test installs it", program);
}

static bool says(const struct program *p, const char *text)
{
    if (strstr(p->out, text))
        return true;
    return EDDY_CHECK_FAIL("\"%s\" is not in what `%s` said: %s", text, p->command, p->out);
}

/* --- ours: a server that tells what it knows of the connection ------------------------------- */

struct tell_args {
    struct eddy_stream *s;
};

static int tell(struct tell_args *a)
{
    EDDY_OWN(eddy_stream) s = a->s;
    struct eddy_tls_info info;
    char line[256], text[1024];

    if (eddy_read_until(s, EDDY_SLICE("\n"), line, sizeof line) < 0 ||
        eddy_stream_info(s, EDDY_INFO_TLS, &info) < 0)
        return -EBADMSG;
    snprintf(text, sizeof text, "told: %s alpn=%s sni=%s peer=%s %s\n", info.version, info.alpn,
             info.server_name, info.peer.subject, info.resumed ? "resumed" : "full");
    int r = eddy_write_text(s, text);
    return r < 0 ? r : eddy_stream_finish(s);
}
EDDY_TASK(tell);

struct serve_args {
    struct eddy_listener *door;
    struct eddy_tls *tls;
};

static int serve(struct serve_args *a)
{
    EDDY_SCOPE(peers, .isolate = true);

    for (;;) {
        EDDY_OWN(eddy_stream) s = NULL;
        int r = eddy_tls_accept(a->tls, a->door, &s);
        if (r < 0)
            return r;
        if (EDDY_GO(&peers, tell, .s = s) == 0)
            eddy_disown(&s);
    }
}
EDDY_TASK(serve);

static int open_door(struct eddy_listener **ret_door)
{
    struct eddy_address at;

    if (!EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, ret_door), 0) ||
        !EDDY_CHECK_EQ(eddy_listener_address(*ret_door, &at), 0))
        return 0;
    return eddy_address_port(&at);
}

static const struct eddy_tls_cert more[] = { { .cert_file = "b.pem" } };

EDDY_TEST(openssl_s_client_speaks_with_our_server)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct program p;

    if (!make_certificates() || !is_there("openssl"))
        return;
    EDDY_OWN(eddy_tls)
    tls = server_of(EDDY_OPT(tls_server, .cert_file = "a.pem", .certs = more, .cert_count = 1,
                             .alpn = "other,http/1.1", .client_ca_file = "root.pem",
                             .client_optional = true));
    int port = open_door(&door);
    EDDY_SCOPE(tasks, .isolate = true);
    EDDY_GO(&tasks, serve, .door = door, .tls = tls);
    for (int i = 2; i <= 3; i++) {
        char client[256];
        snprintf(client, sizeof client,
                 "printf 'hello\\n' | timeout 20 openssl s_client -connect 127.0.0.1:%d -CAfile "
                 "root.pem -verify_return_error -ign_eof -tls1_%d",
                 port, i);
        EDDY_CHECK_EQ(run(&p,
                          "%s -servername x.b.test -verify_hostname x.b.test -alpn http/1.1 "
                          "-sess_out session.%d",
                          client, i),
                      0);
        says(&p, "Verify return code: 0 (ok)");
        says(&p, "subject=CN = b.pem");
        says(&p, "ALPN protocol: http/1.1");
        says(&p, i == 2 ? "told: TLSv1.2 alpn=http/1.1 sni=x.b.test peer= full"
                        : "told: TLSv1.3 alpn=http/1.1 sni=x.b.test peer= full");
        EDDY_CHECK_EQ(run(&p, "%s -servername x.b.test -sess_in session.%d", client, i), 0);
        says(&p, "Reused, TLSv1.");
        says(&p, "sni=x.b.test peer= resumed");
        EDDY_CHECK_EQ(run(&p, "%s -noservername -cert alice.pem -key alice.pem", client), 0);
        says(&p, "sni= peer=CN=alice.pem full");
        EDDY_CHECK(run(&p, "%s -cert other.pem -key other.pem </dev/null", client) != 0 || i == 3);
        EDDY_CHECK(!strstr(p.out, "told:"));
    }
    /* An older one, and who would have to trust another. */
    EDDY_CHECK(run(&p,
                   "timeout 20 openssl s_client -connect 127.0.0.1:%d -tls1_1 -cipher "
                   "DEFAULT@SECLEVEL=0 </dev/null",
                   port) != 0);
    says(&p, "alert protocol version");
    EDDY_CHECK(run(&p,
                   "timeout 20 openssl s_client -connect 127.0.0.1:%d -CAfile other.pem "
                   "-verify_return_error </dev/null",
                   port) != 0);
}

static int hello(struct eddy_request *req, struct eddy_reply *reply)
{
    return eddy_reply_printf(reply, "hello %.*s", (int)req->path.len, req->path.ptr);
}

EDDY_TEST(curl_fetches_over_https_from_our_server)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_http_server *server = NULL;
    struct program p;
    char pin[45];

    if (!make_certificates() || !is_there("curl"))
        return;
    EDDY_OWN(eddy_tls)
    tls = server_of(EDDY_OPT(tls_server, .cert_file = "a.pem", .certs = more, .cert_count = 1,
                             .alpn = "http/1.1"));
    int port = open_door(&door);
    if (!port ||
        !EDDY_CHECK_EQ(eddy_http_serve(door, hello, EDDY_OPT(http, .tls = tls), &server), 0))
        return;
    door = NULL;
    char curl[128];
    snprintf(curl, sizeof curl, "timeout 20 curl -sS -m 15 --connect-to ::127.0.0.1:%d", port);
    static const char *const versions[] = { "--tlsv1.3", "--tls-max 1.2", "" };
    for (size_t i = 0; i < 3; i++) {
        EDDY_CHECK_EQ(run(&p, "%s %s --cacert root.pem https://x.b.test/one https://a.test/two",
                          curl, versions[i]),
                      0);
        says(&p, "hello /one");
        says(&p, "hello /two");
    }
    /* What a pin is, it and we say alike. */
    EDDY_CHECK_EQ(
        run(&p, "%s -k --pinnedpubkey sha256//%s https://a.test/", curl, cert_pin("a.pem", pin)),
        0);
    EDDY_CHECK_EQ(run(&p, "%s --cacert other.pem https://a.test/", curl), 60);
    EDDY_CHECK_EQ(run(&p, "%s --cacert root.pem https://wrong.test/", curl), 60);
    /* Plain HTTP to the port of https. */
    EDDY_CHECK(run(&p, "%s http://127.0.0.1:%d/", curl, port) != 0);
    eddy_http_server_free(server);
}

/* --- theirs ---------------------------------------------------------------------------------- */

struct s_server_args {
    const char *options;
    const char *log;
    struct program *p;
};

static int s_server(struct s_server_args *a)
{
    (void)run(a->p,
              "timeout 60 openssl s_server -accept 127.0.0.1:0 -www -naccept 5 -cert a.pem -key "
              "a.pem -cert2 b.pem -key2 b.pem -servername x.b.test %s </dev/null >%s",
              a->options, a->log);
    return 0;
}
EDDY_TASK(s_server);

/* The port it was given; 0: it said none. */
static int port_of(const char *log)
{
    for (int i = 0; i < 10000; i++) {
        FILE *in = fopen(log, "r");
        char line[128];
        int port = 0;
        while (in && port == 0 && fgets(line, sizeof line, in))
            if (strncmp(line, "ACCEPT 127.0.0.1:", 17) == 0 && strchr(line, '\n'))
                port = atoi(line + 17);
        if (in)
            (void)fclose(in);
        if (port)
            return port;
        eddy_sleep(1);
    }
    EDDY_CHECK_FAIL("s_server says no port: %s", log);
    return 0;
}

static int page(struct eddy_tls *tls, int port, const char *name, char *buf, size_t cap,
                struct eddy_error *err)
{
    EDDY_OWN(eddy_stream) s = NULL;
    char address[64];
    size_t len = 0;
    ssize_t n;

    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    buf[0] = '\0';
    int r = eddy_tls_connect(tls, address, EDDY_OPT(tls_connect, .server_name = name, .error = err),
                             &s);
    if (r == 0)
        r = eddy_write_text(s, "GET / HTTP/1.0\r\n\r\n");
    if (r < 0)
        return r;
    while ((n = eddy_read(s, buf + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    buf[len] = '\0';
    return (int)n; /* 0: a close-notify came */
}

EDDY_TEST(ours_speaks_with_openssl_s_server)
{
    struct program p;

    if (!make_certificates() || !is_there("openssl"))
        return;
    for (int i = 2; i <= 3; i++) {
        char log[32], options[64], text[8192];
        struct eddy_error err = { 0 };
        EDDY_OWN(eddy_tls)
        tls = client_of(
            EDDY_OPT(tls_client, .ca_file = "root.pem", .cert_file = "alice.pem", .alpn = "h9"));
        EDDY_OWN(eddy_tls) stranger = client_of(EDDY_OPT(tls_client, .ca_file = "other.pem"));
        snprintf(log, sizeof log, "s_server.%d", i);
        snprintf(options, sizeof options, "-tls1_%d -verify 2 -CAfile root.pem -alpn h9", i);
        (void)remove(log);
        EDDY_SCOPE(tasks, .isolate = true);
        EDDY_GO(&tasks, s_server, .options = options, .log = log, .p = &p);
        int port = port_of(log);
        if (!port)
            return;
        EDDY_CHECK_EQ(page(tls, port, "a.test", text, sizeof text, &err), 0);
        EDDY_CHECK(strstr(text, i == 2 ? "New, TLSv1.2" : "New, TLSv1.3"));
        EDDY_CHECK(strstr(text, "CN=alice.pem") || strstr(text, "CN = alice.pem"));
        EDDY_CHECK_EQ(page(tls, port, "a.test", text, sizeof text, &err), 0);
        EDDY_CHECK(strstr(text, i == 2 ? "Reused, TLSv1.2" : "Reused, TLSv1.3"));
        EDDY_CHECK_EQ(page(tls, port, "x.b.test", text, sizeof text, &err), 0);
        EDDY_CHECK(strstr(text, "New, "));
        EDDY_CHECK_ERR(page(tls, port, "else.test", text, sizeof text, &err), -EDDY_ECERT);
        EDDY_CHECK(strstr(err.text, "has a.test"));
        EDDY_CHECK_ERR(page(stranger, port, "a.test", text, sizeof text, &err), -EDDY_ECERT);
        EDDY_CHECK(strstr(err.text, "\"root.pem\" is not trusted"));
        EDDY_CHECK_EQ(eddy_join(&tasks), 0);
        EDDY_CHECK_EQ(p.status, 0);
    }
}
