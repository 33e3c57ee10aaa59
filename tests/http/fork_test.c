/*
 * Listeners, connections, files and servers of the parent's, in the child of a fork: they say
 * -EDDY_EFORKED, are ended by the child's cleanups, and the parent goes on with them undisturbed.
 * Real processes. The child reports by its exit status: 0, or the line that failed.
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include "loop/loop.h"

#include <eddy/address.h>
#include <eddy/file.h>
#include <eddy/http.h>
#include <eddy/net.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            _exit(__LINE__ % 250 + 1);                                                             \
    } while (0)

static void expect_fine(pid_t child)
{
    int status = -1;

    EDDY_CHECK(child > 0);
    EDDY_CHECK_EQ(waitpid(child, &status, 0), child);
    EDDY_CHECK(WIFEXITED(status));
    EDDY_CHECK_EQ(WEXITSTATUS(status), 0); /* else: the line + 1, modulo 250 */
}

/* An end of the child that shows that it can still wait, on a loop of its own. */
_Noreturn static void end_child(void)
{
    CHILD(eddy_sleep(1) == 0);
    eddy_loop_free(eddy__loop());
    _exit(0);
}

struct greet_args {
    struct eddy_listener *door;
    int *r;
};

static int greet(struct greet_args *a)
{
    EDDY_OWN(eddy_stream) peer = NULL;

    int r = eddy_accept(a->door, &peer);
    if (r == 0)
        r = eddy_write(peer, "hello", 5);
    *a->r = r;
    return 0;
}
EDDY_TASK(greet);

static void expect_greeting(const char *address)
{
    EDDY_OWN(eddy_stream) s = NULL;
    char text[5];

    EDDY_CHECK_EQ(eddy_connect(address, NULL, &s), 0);
    if (s)
        EDDY_CHECK(eddy_read_exactly(s, text, 5) == 0 && memcmp(text, "hello", 5) == 0);
}

EDDY_TEST(a_listener_of_the_parents_is_refused_in_the_child_and_stays_open_in_the_parent)
{
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_listener) idle = NULL;
    char path[64], address[80];
    int greeted = 1;

    snprintf(path, sizeof path, "/tmp/eddy-fork-%d.sock", (int)getpid());
    snprintf(address, sizeof address, "unix:%s", path);
    EDDY_CHECK_EQ(eddy_listen(address, NULL, &door), 0);
    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &idle), 0);
    EDDY_SCOPE(s, .timeout_ms = 20000);
    EDDY_GO(&s, greet, .door = door, .r = &greeted); /* waits in it, over the fork */
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    pid_t child = fork();
    if (child == 0) {
        EDDY_OWN(eddy_stream) peer = NULL;
        struct eddy_address a;
        CHILD(eddy_accept(door, &peer) == -EDDY_EFORKED);
        CHILD(eddy_accept(idle, &peer) == -EDDY_EFORKED);
        CHILD(eddy_listener_address(door, &a) == -EDDY_EFORKED);
        eddy_listener_free(door);
        eddy_listener_free(idle);
        CHILD(access(path, F_OK) == 0);
        end_child();
    }
    expect_fine(child);
    expect_greeting(address);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(greeted, 0);
}

struct reads_args {
    struct eddy_stream *s;
    ssize_t *got;
};

static int reads(struct reads_args *a)
{
    char byte;

    *a->got = eddy_read(a->s, &byte, 1);
    return 0;
}
EDDY_TASK(reads);

static void use_the_parents_stream(struct eddy_stream *s)
{
    struct eddy_address a;
    char byte;

    CHILD(eddy_read(s, &byte, 1) == -EDDY_EFORKED);
    CHILD(eddy_read_exactly(s, &byte, 1) == -EDDY_EFORKED);
    {
        EDDY_AUTO(eddy_lines) lines = eddy_lines(s, NULL);
        CHILD(!eddy_lines_next(&lines) && lines.status == -EDDY_EFORKED);
    }
    CHILD(eddy_write(s, "x", 1) == -EDDY_EFORKED);
    CHILD(eddy_stream_finish(s) == -EDDY_EFORKED);
    CHILD(eddy_stream_peer(s, &a) == -EDDY_EFORKED);
}

/* @a has a reader that waits, @b has none. */
static void share(struct eddy_stream *a, struct eddy_stream *b)
{
    ssize_t got = 0;

    EDDY_SCOPE(s, .timeout_ms = 20000);
    EDDY_GO(&s, reads, .s = a, .got = &got);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    pid_t child = fork();
    if (child == 0) {
        use_the_parents_stream(a);
        use_the_parents_stream(b);
        CHILD(eddy_stream_close(b) == -EDDY_EFORKED);
        eddy_stream_free(b);
        eddy_stream_free(a);
        end_child();
    }
    expect_fine(child);
    EDDY_CHECK_EQ(eddy_write(b, "x", 1), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(got, 1);
}

EDDY_TEST(a_stream_of_the_parents_is_refused_in_the_child_and_goes_on_in_the_parent)
{
    EDDY_OWN(eddy_stream) a = NULL;
    EDDY_OWN(eddy_stream) b = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address address;
    char text[EDDY_ADDRESS_TEXT];

    EDDY_CHECK_EQ(eddy_stream_pair(&a, &b), 0);
    share(a, b);
    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0);
    EDDY_CHECK_EQ(eddy_listener_address(door, &address), 0);
    EDDY_CHECK_EQ(eddy_connect(eddy_address_format(&address, text, sizeof text), NULL, &client), 0);
    EDDY_CHECK_EQ(eddy_accept(door, &server), 0);
    share(client, server);
}

EDDY_TEST(a_file_of_the_parents_is_refused_in_the_child_and_closed_there)
{
    EDDY_OWN(eddy_file) f = NULL;
    char path[] = "/tmp/eddy-fork-XXXXXX", byte = 'x';

    int fd = mkstemp(path);
    close(fd);
    EDDY_CHECK_EQ(eddy_file_open(path, O_RDWR, 0, &f), 0);
    EDDY_CHECK_EQ(eddy_file_write(f, &byte, 1, 0), 0);
    pid_t child = fork();
    if (child == 0) {
        CHILD(eddy_file_read(f, &byte, 1, 0) == -EDDY_EFORKED);
        CHILD(eddy_file_write(f, "y", 1, 0) == -EDDY_EFORKED);
        CHILD(eddy_file_sync(f) == -EDDY_EFORKED);
        CHILD(eddy_file_size(f) == -EDDY_EFORKED);
        CHILD(eddy_file_close(f) == 0);
        end_child();
    }
    expect_fine(child);
    EDDY_CHECK(eddy_file_read(f, &byte, 1, 0) == 1 && byte == 'x');
    unlink(path);
}

static int hello(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req;
    return eddy_reply_text(reply, "hello");
}

EDDY_TEST(a_server_of_the_parents_is_refused_in_the_child_and_serves_in_the_parent)
{
    EDDY_OWN(eddy_http_server) server = NULL;
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    struct eddy_address address;
    char text[EDDY_ADDRESS_TEXT], head[12];

    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", NULL, &door), 0);
    EDDY_CHECK_EQ(eddy_listener_address(door, &address), 0);
    EDDY_CHECK_EQ(eddy_http_serve(door, hello, NULL, &server), 0);
    eddy_disown(&door);
    EDDY_CHECK_EQ(eddy_connect(eddy_address_format(&address, text, sizeof text), NULL, &client), 0);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    pid_t child = fork();
    if (child == 0) {
        CHILD(eddy_http_stop(server, 100) == -EDDY_EFORKED);
        eddy_http_server_free(server);
        end_child();
    }
    expect_fine(child);
    EDDY_CHECK_EQ(eddy_write(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), 0);
    EDDY_CHECK_EQ(eddy_read_exactly(client, head, sizeof head), 0);
    EDDY_CHECK(memcmp(head, "HTTP/1.1 200", sizeof head) == 0);
}
