/*
 * The child of a fork: the parent's TLS connections are left alone, a context goes on in both.
 * Real processes. The child reports by its exit status: 0, or the line that failed.
 *
 * backends: select poll epoll uring
 */
#include "certs.h"
#include "check.h"
#include "loop/loop.h"
#include "secured.h"

#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/tls_connect.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            _exit(__LINE__ % 250 + 1);                                                             \
    } while (0)

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static void expect_fine(pid_t child)
{
    int status = -1;

    EDDY_CHECK(child > 0);
    EDDY_CHECK_EQ(waitpid(child, &status, 0), child);
    EDDY_CHECK(WIFEXITED(status));
    EDDY_CHECK_EQ(WEXITSTATUS(status), 0); /* else: the line + 1, modulo 250 */
}

/* One connection in memory: whether it was a resumed one; negative: why not. */
static int meet(struct eddy_tls *client, struct eddy_tls *server)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    struct eddy_transport *t[2], *over[2];
    struct eddy_tls_info info;
    char byte;

    int r = eddy_transport_pair(0, &t[0], &t[1]);
    if (r < 0 || (r = eddy_tls_wrap(client, t[0], "us.test", &over[0])) < 0 ||
        (r = eddy_tls_wrap(server, t[1], NULL, &over[1])) < 0 ||
        (r = eddy_stream_of(over[0], &a)) < 0 || (r = eddy_stream_of(over[1], &b)) < 0 ||
        (r = eddy_write(a, "x", 1)) < 0 || (r = eddy_read_exactly(b, &byte, 1)) < 0 ||
        (r = eddy_write(b, "y", 1)) < 0 || (r = eddy_read_exactly(a, &byte, 1)) < 0 ||
        (r = eddy_stream_info(a, EDDY_INFO_TLS, &info)) < 0)
        return r;
    return info.resumed;
}

EDDY_TEST(a_child_leaves_the_parents_connection_alone)
{
    struct secured s;
    char byte;

    EDDY_CHECK(cert_make("us.pem", "DNS:us.test", NULL, -1, 9));
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    if (!secured_meet(client, server, "us.test", true, &s))
        return;
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    EDDY_CHECK_EQ(eddy_stream_of(s.t[0], &a), 0);
    EDDY_CHECK_EQ(eddy_stream_of(s.t[1], &b), 0);

    pid_t child = fork();
    if (child == 0) {
        struct eddy_tls_info info;
        CHILD(eddy_write(a, "x", 1) == -EDDY_EFORKED);
        CHILD(eddy_read(b, &byte, 1) == -EDDY_EFORKED);
        CHILD(eddy_stream_finish(a) == -EDDY_EFORKED); /* no close-notify of ours */
        CHILD(eddy_stream_info(a, EDDY_INFO_TLS, &info) == -EDDY_EFORKED);
        CHILD(eddy_starttls(a, client, "us.test", NULL) == -EDDY_EFORKED);
        eddy_stream_free(a);
        eddy_stream_free(b);
        /* Contexts are for both: sessions and keys of tickets were made before the fork. */
        CHILD(meet(client, server) == 1);
        eddy_tls_free(client);
        eddy_tls_free(server);
        eddy_loop_free(eddy__loop());
        _exit(0);
    }
    expect_fine(child);
    EDDY_CHECK_EQ(eddy_write(a, "x", 1), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(b, &byte, 1), 0);
    EDDY_CHECK_EQ(eddy_write(b, "y", 1), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(a, &byte, 1), 0);
    EDDY_CHECK_EQ(byte, 'y');
    EDDY_CHECK_EQ(meet(client, server), 1);
}

EDDY_TEST(a_handshake_of_the_parents_is_refused_in_the_child_and_ends_in_the_parent)
{
    struct secured s;

    EDDY_CHECK(cert_make("us.pem", "DNS:us.test", NULL, -1, 9));
    EDDY_OWN(eddy_tls) server = server_of(EDDY_OPT(tls_server, .cert_file = "us.pem"));
    EDDY_OWN(eddy_tls) client = client_of(EDDY_OPT(tls_client, .ca_file = "us.pem"));
    if (!secured_begin(client, server, "us.test", false, &s))
        return;
    pid_t child = fork();
    if (child == 0) {
        struct eddy_error err = { 0 };
        CHILD(eddy_tls_handshake(s.t[0], &err) == -EDDY_EFORKED);
        CHILD(eddy_tls_handshake(s.t[1], NULL) == -EDDY_EFORKED);
        CHILD(err.text[0]);
        secured_drop(&s);
        CHILD(eddy_sleep(1) == 0);
        eddy_loop_free(eddy__loop());
        _exit(0);
    }
    expect_fine(child);
    EDDY_CHECK_EQ(eddy_tls_handshake(s.t[0], NULL), 0);
    EDDY_CHECK_EQ(eddy_tls_handshake(s.t[1], NULL), 0);
    secured_drop(&s);
}
