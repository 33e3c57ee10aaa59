/*
 * What a child is given: its standard streams, descriptors at given numbers, and nothing else.
 *
 * backends: select poll epoll uring sim
 * threads: yes
 */
#include "children.h"

#include "base/sanitize.h"

#include <eddy/loop.h>
#include <eddy/process.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void eddy_check_teardown(void)
{
    children_restore();
}

/* All of a stream, as a text. */
static const char *all_of(struct eddy_stream *s)
{
    static char text[4096];
    size_t len = 0;
    ssize_t n;

    while ((n = eddy_read(s, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    EDDY_CHECK_ERR(n, 0);
    text[len] = '\0';
    return text;
}

static int code_of(struct eddy_process *p)
{
    struct eddy_process_status status = { .code = -2 };

    EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
    return status.code;
}

static const char *content(const char *path)
{
    static char text[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);

    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return text;
}

#define SH(script) ((const char *const[]){ "sh", "-c", script, NULL })

EDDY_TEST(each_kind_of_standard_stream)
{
    if (is_sim())
        return;
    {
        EDDY_OWN(eddy_process) p = NULL;
        EDDY_CHECK_ERR(eddy_process_spawn(SH("read a; echo got $a; echo bad >&2"),
                                          EDDY_OPT(process, .in = EDDY_IO_PIPE, .out = EDDY_IO_PIPE,
                                                   .err = EDDY_IO_PIPE),
                                          &p),
                       0);
        EDDY_CHECK_ERR(eddy_write_text(eddy_process_stdin(p), "this\n"), 0);
        EDDY_CHECK_STR(all_of(eddy_process_stdout(p)), "got this\n");
        EDDY_CHECK_STR(all_of(eddy_process_stderr(p)), "bad\n");
        EDDY_CHECK_EQ(code_of(p), 0);
    }
    {
        EDDY_OWN(eddy_process) p = NULL;
        file_with("io-in", "from a file\n", 0644);
        EDDY_CHECK_ERR(
            eddy_process_spawn(SH("cat; echo bad >&2"),
                               EDDY_OPT(process, .in = EDDY_IO_FILE("io-in"),
                                        .out = EDDY_IO_FILE("io-out"), .err = EDDY_IO_STDOUT),
                               &p),
            0);
        EDDY_CHECK_EQ(code_of(p), 0);
        EDDY_CHECK_STR(content("io-out"), "from a file\nbad\n");
        EDDY_CHECK(eddy_process_stdin(p) == NULL && eddy_process_stdout(p) == NULL);
    }
    {
        EDDY_OWN(eddy_process) p = NULL;
        EDDY_CHECK_ERR(eddy_process_spawn(
                           SH("cat; echo more"),
                           EDDY_OPT(process, .in = EDDY_IO_NULL, .out = EDDY_IO_APPEND("io-out")),
                           &p),
                       0);
        EDDY_CHECK_EQ(code_of(p), 0);
        EDDY_CHECK_STR(content("io-out"), "from a file\nbad\nmore\n");
    }
    {
        EDDY_OWN(eddy_process) p = NULL;
        int in = open("io-in", O_RDONLY | O_CLOEXEC), out = open("io-out", O_RDWR | O_CLOEXEC);
        EDDY_CHECK_ERR(eddy_process_spawn(SH("cat; echo more >&2"),
                                          EDDY_OPT(process, .in = EDDY_IO_FD(in),
                                                   .out = EDDY_IO_PIPE, .err = EDDY_IO_FD(out)),
                                          &p),
                       0);
        EDDY_CHECK_STR(all_of(eddy_process_stdout(p)), "from a file\n");
        EDDY_CHECK_EQ(code_of(p), 0);
        EDDY_CHECK_EQ(fcntl(in, F_GETFD), FD_CLOEXEC); /* still ours, and as it was */
        close(in);
        close(out);
    }
}

EDDY_TEST(descriptors_at_given_numbers)
{
    if (is_sim())
        return;
    int a = open("/dev/null", O_RDWR | O_CLOEXEC),
        b = open("io-b", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    /* Each where the other stands, and one where it stands itself. */
    const struct eddy_process_fd swap[] = { { a, b }, { b, a }, { b, 77 } };
    char script[128];
    EDDY_OWN(eddy_process) p = NULL;
    EDDY_OWN(eddy_process) q = NULL;

    (void)snprintf(script, sizeof script, "echo x >&%d; readlink /proc/self/fd/%d", a, b);
    EDDY_CHECK_ERR(
        eddy_process_spawn(SH(script),
                           EDDY_OPT(process, .out = EDDY_IO_PIPE, .fds = swap, .fd_count = 3), &p),
        0);
    EDDY_CHECK_STR(all_of(eddy_process_stdout(p)), "/dev/null\n");
    EDDY_CHECK_EQ(code_of(p), 0);
    EDDY_CHECK_STR(content("io-b"), "x\n");
    const struct eddy_process_fd same[] = { { a, a } };
    (void)snprintf(script, sizeof script, "readlink /proc/self/fd/%d", a);
    EDDY_CHECK_ERR(
        eddy_process_spawn(SH(script),
                           EDDY_OPT(process, .out = EDDY_IO_PIPE, .fds = same, .fd_count = 1), &q),
        0);
    EDDY_CHECK_STR(all_of(eddy_process_stdout(q)), "/dev/null\n");
    EDDY_CHECK_EQ(code_of(q), 0);
    close(a);
    close(b);
}

/* What the child has open besides the folder it lists. */
static const char *open_in_child(bool keep_fds)
{
    EDDY_OWN(eddy_process) p = NULL;
    const char *const argv[] = { "ls", "/proc/self/fd", NULL };
    static char text[256];
    size_t len = 0;

    EDDY_CHECK_ERR(
        eddy_process_spawn(argv, EDDY_OPT(process, .out = EDDY_IO_PIPE, .keep_fds = keep_fds), &p),
        0);
    for (const char *c = all_of(eddy_process_stdout(p)); *c; c++)
        text[len++] = *c == '\n' ? ' ' : *c;
    text[len] = '\0';
    EDDY_CHECK_EQ(code_of(p), 0);
    return text;
}

EDDY_TEST(no_descriptor_leaks)
{
    if (is_sim())
        return;
    EDDY_CHECK_STR(open_in_child(false), "0 1 2 3 ");
    int leaky = dup(1); /* not close-on-exec */
    int high = fcntl(1, F_DUPFD, 500);
    EDDY_CHECK_STR(open_in_child(false), "0 1 2 3 ");
    char want[64];
    EDDY_CHECK(strstr(open_in_child(true), " 500 ") != NULL);
    (void)snprintf(want, sizeof want, " %d ", leaky);
    EDDY_CHECK(strstr(open_in_child(true), want) != NULL);
    close(high);
    close(leaky);
}

static atomic_bool enough;

static int spawn_until_enough(void)
{
    while (!atomic_load(&enough)) {
        EDDY_OWN(eddy_process) p = NULL;
        int r = eddy_process_spawn(
            SH("exit 0"),
            EDDY_OPT(process, .in = EDDY_IO_PIPE, .out = EDDY_IO_PIPE, .err = EDDY_IO_PIPE), &p);
        if (r == 0)
            r = eddy_process_wait(p, NULL);
        if (!EDDY_CHECK_ERR(r, 0))
            return r;
    }
    return 0;
}

static void *beside(void *arg)
{
    (void)arg;
    spawn_until_enough();
    return NULL;
}

EDDY_TEST(no_descriptor_leaks_beside_other_threads)
{
    pthread_t threads[2];

    if (is_sim())
        return;
#ifdef EDDY_TSAN
    if (strcmp(eddy_check_backend(), "uring") == 0) {
        EDDY_CHECK_NOT_RUN(
            "TSan does not see the ring close a descriptor whose number is used again");
        return;
    }
#endif
    /* Whoever started this test may have left something open. */
    char ours[256];
    (void)snprintf(ours, sizeof ours, "%s", open_in_child(true));
    atomic_store(&enough, false);
    for (int i = 0; i < 2; i++)
        EDDY_CHECK_EQ(pthread_create(&threads[i], NULL, beside, NULL), 0);
    for (int i = 0; i < 40; i++) {
        EDDY_CHECK_STR(open_in_child(false), "0 1 2 3 ");
        EDDY_CHECK_STR(open_in_child(true), ours); /* each is close-on-exec, too */
    }
    atomic_store(&enough, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

EDDY_TEST(a_child_may_close_its_streams_and_live_on)
{
    if (is_sim())
        return;
    EDDY_OWN(eddy_process) p = NULL;
    int gate[2];
    EDDY_CHECK_EQ(pipe2(gate, O_CLOEXEC), 0);
    EDDY_CHECK_ERR(
        eddy_process_spawn(SH("exec >&-; read x <&3; exit 6"),
                           EDDY_OPT(process, .in = EDDY_IO_NULL, .out = EDDY_IO_PIPE,
                                    .fds = &(struct eddy_process_fd){ gate[0], 3 }, .fd_count = 1),
                           &p),
        0);
    EDDY_CHECK_STR(all_of(eddy_process_stdout(p)), "");
    EDDY_CHECK_ERR(eddy_process_signal(p, 0), 0);
    close(gate[1]);
    EDDY_CHECK_EQ(code_of(p), 6);
    close(gate[0]);
}

EDDY_TEST(writing_to_one_that_reads_no_more_is_epipe)
{
    if (is_sim())
        return;
    EDDY_OWN(eddy_process) p = NULL;
    EDDY_CHECK_ERR(eddy_process_spawn(SH("exec <&-; echo; exec sleep 1000"),
                                      EDDY_OPT(process, .in = EDDY_IO_PIPE, .out = EDDY_IO_PIPE),
                                      &p),
                   0);
    char byte;
    EDDY_CHECK_EQ(eddy_read(eddy_process_stdout(p), &byte, 1), 1);
    EDDY_CHECK_ERR(eddy_write_text(eddy_process_stdin(p), "x"), -EPIPE);
}
