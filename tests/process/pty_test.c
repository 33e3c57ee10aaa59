/*
 * A child on a terminal of its own.
 *
 * backends: select poll epoll uring sim
 */
#include "children.h"

#include <eddy/loop.h>
#include <eddy/process.h>
#include <eddy/stream.h>
#include <eddy/task.h>

#include <signal.h>
#include <string.h>

#define SH(script) ((const char *const[]){ "sh", "-c", script, NULL })

/* Read until @text has come; what has come behind it is kept for the next. */
static bool comes(struct eddy_process *p, const char *text)
{
    static char seen[8192];
    size_t len = strlen(seen);
    char *at;

    while (!(at = strstr(seen, text))) {
        ssize_t n = eddy_read(eddy_process_stdout(p), seen + len, sizeof seen - 1 - len);
        if (n <= 0)
            return EDDY_CHECK_STR(seen, text);
        len += (size_t)n;
        seen[len] = '\0';
    }
    memmove(seen, at + strlen(text), strlen(at + strlen(text)) + 1);
    return true;
}

EDDY_TEST(a_child_has_a_terminal)
{
    struct eddy_process_status status;
    EDDY_OWN(eddy_process) p = NULL;

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_spawn(SH("test -t 0 && test -t 1 && test -t 2 && tty && stty size; "
                                         "read a < /dev/tty; echo [$a]; exit 4"),
                                      EDDY_OPT(process, .pty = true, .rows = 33, .cols = 111), &p),
                   0);
    EDDY_CHECK(eddy_process_stdin(p) == eddy_process_stdout(p));
    EDDY_CHECK(eddy_process_stderr(p) == NULL);
    EDDY_CHECK(comes(p, "33 111"));
    EDDY_CHECK_ERR(eddy_write_text(eddy_process_stdin(p), "typed\n"), 0);
    EDDY_CHECK(comes(p, "[typed]"));
    EDDY_CHECK_ERR(eddy_process_wait(p, &status), 0);
    EDDY_CHECK_EQ(status.code, 4);
}

EDDY_TEST(a_new_size_is_told)
{
    EDDY_OWN(eddy_process) p = NULL;

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_spawn(SH("stty size; trap 'stty size' WINCH; echo ready; "
                                         "while :; do sleep 0.01; done"),
                                      EDDY_OPT(process, .pty = true), &p),
                   0);
    EDDY_CHECK(comes(p, "24 80"));
    EDDY_CHECK(comes(p, "ready"));
    EDDY_CHECK_ERR(eddy_process_resize(p, 0, 5), -EINVAL);
    EDDY_CHECK_ERR(eddy_process_resize(p, 50, 132), 0);
    EDDY_CHECK(comes(p, "50 132"));
}

EDDY_TEST(ctrl_c_and_ctrl_d_are_typed)
{
    struct eddy_process_status status;
    EDDY_OWN(eddy_process) cat = NULL;
    EDDY_OWN(eddy_process) sleeper = NULL;

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_spawn((const char *const[]){ "cat", NULL },
                                      EDDY_OPT(process, .pty = true), &cat),
                   0);
    EDDY_CHECK_ERR(eddy_write_text(eddy_process_stdin(cat), "\4"), 0);
    EDDY_CHECK_ERR(eddy_process_wait(cat, &status), 0);
    EDDY_CHECK_EQ(status.code, 0);
    EDDY_CHECK_ERR(eddy_process_spawn(SH("echo up; exec sleep 1000"),
                                      EDDY_OPT(process, .pty = true), &sleeper),
                   0);
    EDDY_CHECK(comes(sleeper, "up"));
    EDDY_CHECK_ERR(eddy_write_text(eddy_process_stdin(sleeper), "\3"), 0);
    EDDY_CHECK_ERR(eddy_process_wait(sleeper, &status), 0);
    EDDY_CHECK_EQ(status.signo, SIGINT);
}

EDDY_TEST(the_childs_end_is_the_end)
{
    for (int i = 0; i < 20 && !is_sim(); i++) {
        EDDY_OWN(eddy_process) p = NULL;
        char text[64] = "";
        size_t len = 0;
        ssize_t n;

        EDDY_CHECK_ERR(eddy_process_spawn(SH("printf last"), EDDY_OPT(process, .pty = true), &p),
                       0);
        while ((n = eddy_read(eddy_process_stdout(p), text + len, sizeof text - 1 - len)) > 0)
            len += (size_t)n;
        EDDY_CHECK_ERR(n, 0);
        EDDY_CHECK_STR(text, "last");
        EDDY_CHECK_ERR(eddy_process_wait(p, NULL), 0);
    }
}

/* Its stream gave its descriptor back, which the next terminal has by now. */
EDDY_TEST(a_terminal_that_was_closed_has_no_size)
{
    static const char much[1 << 20];
    EDDY_OWN(eddy_process) deaf = NULL;
    EDDY_OWN(eddy_process) next = NULL;

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_spawn(SH("stty raw; echo up; trap '' HUP; sleep 1000"),
                                      EDDY_OPT(process, .pty = true, .grace_ms = -1), &deaf),
                   0);
    EDDY_CHECK(comes(deaf, "up"));
    {
        EDDY_SCOPE(patience, .timeout_ms = 20);
        EDDY_CHECK_ERR(eddy_write(eddy_process_stdin(deaf), much, sizeof much), -ETIMEDOUT);
    }
    EDDY_CHECK_ERR(eddy_sleep(20), 0);
    EDDY_CHECK_ERR(eddy_process_spawn(SH("read a; stty size"),
                                      EDDY_OPT(process, .pty = true, .rows = 30, .cols = 90),
                                      &next),
                   0);
    EDDY_CHECK_ERR(eddy_process_resize(deaf, 7, 7), -ENOTTY);
    EDDY_CHECK_ERR(eddy_write_text(eddy_process_stdin(next), "\n"), 0);
    EDDY_CHECK(comes(next, "30 90"));
}

/* It has room for 4 KiB and nobody who makes more. (select() tells of no hangup.) */
EDDY_TEST(writing_to_one_that_has_ended_fails)
{
    static const char much[1 << 20];
    EDDY_OWN(eddy_process) p = NULL;

    if (is_sim() || strcmp(eddy_check_backend(), "select") == 0)
        return;
    EDDY_CHECK_ERR(eddy_process_spawn(SH("stty raw"), EDDY_OPT(process, .pty = true), &p), 0);
    EDDY_CHECK_ERR(eddy_process_wait(p, NULL), 0);
    EDDY_SCOPE(patience, .timeout_ms = 5000);
    EDDY_CHECK_ERR(eddy_write(eddy_process_stdin(p), much, sizeof much), -EPIPE);
}
