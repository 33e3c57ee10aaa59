/*
 * Errors that the headers name and that need a kernel of another mood, or a fork, to be seen.
 *
 * backends: select poll epoll uring
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/task.h>
#include <eddy/unix.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    eddy__sys = eddy__sys_kernel;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static int answer;

static int bind_says(int fd, const struct sockaddr *addr, socklen_t len)
{
    (void)fd;
    (void)addr;
    (void)len;
    return answer;
}

static int socket_says(int family, int type, int protocol)
{
    (void)family;
    (void)type;
    (void)protocol;
    return answer;
}

static int pair_says(int family, int type, int ret_fd[2])
{
    (void)family;
    (void)type;
    (void)ret_fd;
    return answer;
}

static ssize_t sendmsg_says(int fd, const struct msghdr *message, int flags)
{
    (void)fd;
    (void)message;
    (void)flags;
    return answer;
}

EDDY_TEST(what_the_kernel_says_is_returned_with_a_text)
{
    static const struct {
        const char *address;
        int answer;
        const char *says;
    } cases[] = {
        { "127.0.0.1:80", -EACCES, "below 1024" },
        { "unix:/none/of/ours", -EACCES, "folder" },
        { "127.0.0.1:0", -EADDRNOTAVAIL, "no such address" },
        { "127.0.0.1:0", -EADDRINUSE, "ss -ltnp" },
        { "unix:@x", -EADDRINUSE, "ss -lxp" },
        { "127.0.0.1:0", -EIO, "cannot listen on 127.0.0.1:0" },
    };
    struct eddy_listener *door = NULL;
    struct eddy_stream *a = NULL, *b = NULL;
    struct eddy_error err = { 0 };

    eddy_loop_current();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        eddy__sys.bind = bind_says;
        answer = cases[i].answer;
        EDDY_CHECK_ERR(eddy_listen(cases[i].address, EDDY_OPT(listen, .error = &err), &door),
                       cases[i].answer);
        if (!EDDY_CHECK(strstr(err.text, cases[i].says) != NULL))
            printf("%s\n", err.text);
    }
    static const int rooms[] = { -EMFILE, -ENFILE, -ENOMEM };
    for (size_t i = 0; i < 3; i++) {
        answer = rooms[i];
        eddy__sys.socket = socket_says;
        eddy__sys.socketpair = pair_says;
        EDDY_CHECK_ERR(eddy_listen("127.0.0.1:0", NULL, &door), rooms[i]);
        EDDY_CHECK_ERR(eddy_connect("127.0.0.1:1", NULL, &a), rooms[i]);
        EDDY_CHECK_ERR(eddy_unix_pair(&a, &b), rooms[i]);
    }
}

EDDY_TEST(too_many_descriptors_on_their_way)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    int fd = 0;

    if (!EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0))
        return;
    eddy__sys.sendmsg = sendmsg_says;
    answer = -ETOOMANYREFS;
    EDDY_CHECK_ERR(eddy_unix_send_fds(a, "x", 1, &fd, 1), -ETOOMANYREFS);
    eddy__sys = eddy__sys_kernel;
    EDDY_CHECK_EQ(eddy_write(a, "x", 1), 0); /* nothing had gone */
}

/* In the child of a fork all of it is the parent's: told, freed, and nobody waits. */
static bool child_is_told(struct eddy_listener *door, struct eddy_listener *proxied,
                          struct eddy_stream *a, struct eddy_stream *tcp)
{
    struct eddy_credentials who;
    size_t count;
    char buf[4];
    int fd = 0;

    bool good = EDDY_CHECK_ERR(eddy_listener_detach(door), -EDDY_EFORKED);
    good &= EDDY_CHECK_ERR(eddy_stream_set_tcp(tcp, EDDY_OPT(tcp, .abort = EDDY_ON)),
                           -EDDY_EFORKED);
    good &= EDDY_CHECK_ERR(eddy_stream_peer_credentials(a, &who), -EDDY_EFORKED);
    good &= EDDY_CHECK_ERR(eddy_unix_receive_fds(a, buf, 4, &fd, 1, &count), -EDDY_EFORKED);
    int r = eddy_unix_send_fds(a, "x", 1, &fd, 1);
    good &= EDDY_CHECK(r == -EDDY_EFORKED || r == -EDEADLK);
    eddy_listener_free(proxied);
    eddy_listener_free(door);
    return good;
}

EDDY_TEST(in_a_fork_all_is_the_parents)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_listener) proxied = NULL;
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    EDDY_OWN(eddy_stream) tcp = NULL;
    EDDY_OWN(eddy_stream) slow = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    struct eddy_address address;
    char text[EDDY_ADDRESS_TEXT];
    int status = -1;

    EDDY_CHECK_EQ(eddy_unix_pair(&a, &b), 0);
    EDDY_CHECK_EQ(eddy_listen("unix:eddy-fork.sock", NULL, &door), 0);
    EDDY_CHECK_EQ(
        eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .proxy = EDDY_PROXY_REQUIRED), &proxied), 0);
    EDDY_CHECK_EQ(eddy_listener_address(proxied, &address), 0);
    eddy_address_format(&address, text, sizeof text);
    EDDY_CHECK_EQ(eddy_connect(text, NULL, &slow), 0);
    struct eddy_proxy p = { .version = 1 };
    EDDY_CHECK_EQ(eddy_connect(text, EDDY_OPT(connect, .proxy_header = &p), &tcp), 0);
    if (!EDDY_CHECK_EQ(eddy_accept(proxied, &server), 0))
        return;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        bool good = child_is_told(EDDY_TAKE(door), EDDY_TAKE(proxied), a, tcp);
        fflush(stdout);
        _exit(good ? 0 : 1);
    }
    EDDY_CHECK_EQ(waitpid(child, &status, 0), child);
    EDDY_CHECK_EQ(status, 0);
    /* And here it goes on. */
    EDDY_CHECK_EQ(eddy_write_text(slow, "PROXY UNKNOWN\r\n"), 0);
    eddy_stream_free(EDDY_TAKE(server));
    EDDY_CHECK_EQ(eddy_accept(proxied, &server), 0);
}

/* A header read while operations fail: whoever it belongs to is dropped, and the door goes on. */
static int meet(void)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    struct eddy_proxy p = { .version = 2 };
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT];
    EDDY_SCOPE(patience, .timeout_ms = 150);

    int r = eddy_listen("127.0.0.1:0",
                        EDDY_OPT(listen, .proxy = EDDY_PROXY_REQUIRED, .proxy_from = "127.0.0.1",
                                 .tcp = EDDY_OPT(tcp, .keep_idle_s = 5)),
                        &door);
    if (r == 0)
        r = eddy_listener_address(door, &a);
    if (r == 0)
        r = eddy_connect(eddy_address_format(&a, text, sizeof text),
                         EDDY_OPT(connect, .timeout_ms = 100, .proxy_header = &p,
                                  .source = "127.0.0.1", .tcp = EDDY_OPT(tcp, .abort = EDDY_ON)),
                         &client);
    if (r == 0)
        r = eddy_accept(door, &server);
    return r;
}

EDDY_TEST(every_failed_operation_and_call_is_told)
{
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_OP, EDDY_FAULT_SYS };

    EDDY_CHECK_EQ(meet(), 0);
    for (size_t i = 0; i < 2; i++)
        for (struct eddy_fault f = eddy_fault_each(kinds[i]); eddy_fault_next(&f);) {
            int r = meet();
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            EDDY_CHECK(fired || r == 0);
            for (int k = 0; k < 30; k++)
                eddy_yield();
            eddy_sleep(1);
        }
}
