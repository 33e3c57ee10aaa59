/*
 * What raw mode switches on, refusals, sizes, keys, over pseudo-terminals.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"
#include "support/role.h"

#include <eddy/loop.h>
#include <eddy/signal.h>
#include <eddy/stdio.h>
#include <eddy/task.h>
#include <eddy/terminal.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* --- what is switched on ---------------------------------------------------------------------- */

EDDY_TEST(what_was_switched_on_is_switched_off)
{
    static const struct {
        struct eddy_terminal_options options;
        const char *on, *off;
    } cases[] = {
        { { ALL_ON }, ON, OFF },
        { { .screen = true }, "\033[?1049h", "\033[?1049l" },
        { { .mouse = true, .paste = true },
          "\033[?2004h\033[?1002h\033[?1006h",
          "\033[?1006l\033[?1002l\033[?2004l" },
    };

    for (size_t i = 0; !is_sim() && i < sizeof cases / sizeof *cases; i++) {
        struct eddy_terminal *t = NULL;
        char got[200];
        int pty[2];
        if (!role_pty(pty) || !EDDY_CHECK_EQ(eddy_terminal_raw(pty[1], &cases[i].options, &t), 0))
            return;
        EDDY_CHECK_EQ(read(pty[0], got, sizeof got), strlen(cases[i].on));
        EDDY_CHECK(memcmp(got, cases[i].on, strlen(cases[i].on)) == 0);
        EDDY_CHECK(!(role_modes(pty[1]).c_lflag & ISIG));
        EDDY_CHECK(role_modes(pty[1]).c_oflag & OPOST);
        eddy_terminal_free(t);
        EDDY_CHECK_EQ(read(pty[0], got, sizeof got), strlen(cases[i].off));
        EDDY_CHECK(memcmp(got, cases[i].off, strlen(cases[i].off)) == 0);
        role_close(pty);
    }
}

EDDY_TEST(signals_of_keys_stay_where_asked_for)
{
    struct eddy_terminal *t = NULL;
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    EDDY_CHECK_EQ(eddy_terminal_raw(pty[1], EDDY_OPT(terminal, .signals = true), &t), 0);
    EDDY_CHECK(role_modes(pty[1]).c_lflag & ISIG);
    eddy_terminal_free(t);
    role_close(pty);
}

/* --- refusals --------------------------------------------------------------------------------- */

EDDY_TEST(what_is_no_terminal_is_refused)
{
    struct eddy_terminal *t = NULL, *more[8] = { NULL };
    struct eddy_terminal_size size;
    struct eddy_error err = { 0 };
    int end[2], pty[2], many[9][2];

    if (is_sim() || !EDDY_CHECK_EQ(pipe2(end, O_CLOEXEC), 0) || !role_pty(pty))
        return;
    EDDY_CHECK(!eddy_terminal_is(end[0]) && !eddy_terminal_is(-1) && eddy_terminal_is(pty[1]));
    EDDY_CHECK_ERR(eddy_terminal_raw(end[0], EDDY_OPT(terminal, .error = &err), &t), -ENOTTY);
    EDDY_CHECK(strstr(err.text, "is no terminal"));
    EDDY_CHECK_ERR(eddy_terminal_raw(-1, NULL, &t), -EBADF);
    EDDY_CHECK_ERR(eddy_terminal_size(end[0], &size), -ENOTTY);
    EDDY_CHECK_ERR(eddy_terminal_resized(end[0], &size), -ENOTTY);
    role_close(end);
    EDDY_CHECK_ERR(eddy_terminal_size(end[0], &size), -EBADF);
    int only_read = open(ptsname(pty[0]), O_RDONLY | O_NOCTTY | O_CLOEXEC);
    EDDY_CHECK_ERR(eddy_terminal_raw(only_read, EDDY_OPT(terminal, .screen = true), &t), -EBADF);
    EDDY_CHECK_EQ(eddy_terminal_raw(only_read, NULL, &t), 0); /* nothing to write */
    EDDY_CHECK_ERR(eddy_terminal_raw(only_read, EDDY_OPT(terminal, .error = &err), more), -EBUSY);
    EDDY_CHECK(strstr(err.text, "raw already"));
    eddy_terminal_free(t);
    EDDY_CHECK_EQ(close(only_read), 0);
    for (int i = 0; i < 9 && role_pty(many[i]); i++)
        EDDY_CHECK_ERR(eddy_terminal_raw(many[i][1], NULL, i < 8 ? &more[i] : &t),
                       i < 8 ? 0 : -EBUSY);
    for (int i = 0; i < 9; i++) {
        eddy_terminal_free(i < 8 ? more[i] : NULL);
        EDDY_CHECK(!role_is_raw(many[i][1]));
        role_close(many[i]);
    }
    EDDY_CHECK_EQ(tcflow(pty[1], TCOOFF), 0); /* Ctrl-S */
    EDDY_CHECK_ERR(eddy_terminal_raw(pty[1], EDDY_OPT(terminal, .screen = true, .error = &err), &t),
                   -EAGAIN);
    EDDY_CHECK(strstr(err.text, "Ctrl-Q"));
    EDDY_CHECK(!role_is_raw(pty[1]));
    EDDY_CHECK_EQ(close(pty[0]), 0);
    EDDY_CHECK_ERR(eddy_terminal_raw(pty[1], NULL, &t), -EIO);
    EDDY_CHECK_ERR(eddy_terminal_size(pty[1], &size), -EIO);
    EDDY_CHECK_EQ(close(pty[1]), 0);
}

EDDY_TEST(the_simulator_has_no_terminals)
{
    struct eddy_terminal *t = NULL;
    struct eddy_terminal_size size = { 0, 0 };
    int pty[2];

    if (!is_sim() || !role_pty(pty))
        return;
    eddy_yield(); /* a loop */
    EDDY_CHECK(!eddy_terminal_is(pty[1]));
    EDDY_CHECK_ERR(eddy_terminal_raw(pty[1], NULL, &t), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_terminal_size(pty[1], &size), -EDDY_ESIM);
    EDDY_CHECK_ERR(eddy_terminal_resized(pty[1], &size), -EDDY_ESIM);
    role_close(pty);
}

EDDY_TEST(whatever_fails_leaves_it_as_it_was)
{
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_SYS };
    struct eddy_terminal *t = NULL;
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    const struct termios before = role_modes(pty[1]);
    for (size_t i = 0; i < 2; i++) {
        for (struct eddy_fault f = eddy_fault_each(kinds[i]); eddy_fault_next(&f);) {
            int r = eddy_terminal_raw(pty[1], NULL, &t);
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            EDDY_CHECK_ERR(r, !fired ? 0 : i ? -EIO : -ENOMEM);
            if (r == 0)
                eddy_terminal_free(t);
            const struct termios after = role_modes(pty[1]);
            EDDY_CHECK(role_same(&before, &after));
            struct sigaction now;
            sigaction(SIGHUP, NULL, &now);
            EDDY_CHECK(now.sa_handler == SIG_DFL);
        }
    }
    role_close(pty);
}

/* --- sizes ------------------------------------------------------------------------------------ */

struct resizing_args {
    struct eddy_terminal_size *size;
    int *result;
};

static int resizing(struct resizing_args *a)
{
    *a->result = eddy_terminal_resized(0, a->size);
    return 0;
}
EDDY_TASK(resizing);

ROLE(resized)
{
    struct eddy_terminal_size size = { 0, 0 }, none = { 1, 1 };
    int r = eddy_terminal_size(0, &size), cancelled = 0;

    if (r < 0 || size.columns != 80 || size.rows != 24)
        return 1;
    if (eddy_terminal_resized(0, &none) < 0 || none.columns != 80) /* it differs already */
        return 2;
    {
        EDDY_SCOPE(soon, .timeout_ms = 5);
        if (eddy_terminal_resized(0, &size) != -ETIMEDOUT)
            return 3;
        if (eddy_terminal_resized(0, &none) != -ETIMEDOUT) /* looks at its scope first */
            return 4;
    }
    {
        EDDY_SCOPE(two, .isolate = true);
        EDDY_GO(&two, resizing, .size = &none, .result = &cancelled);
        eddy_yield();
    }
    if (cancelled != -ECANCELED)
        return 5;
    (void)!write(1, "now", 3);
    r = eddy_terminal_resized(0, &size);
    (void)!write(1, "done", 4);
    return r < 0 ? -r : size.columns == 100 && size.rows == 50 ? 0 : 6;
}

EDDY_TEST(a_change_of_size_is_told)
{
    struct winsize w = { .ws_row = 24, .ws_col = 80 };
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    EDDY_CHECK_EQ(ioctl(pty[0], TIOCSWINSZ, &w), 0);
    pid_t pid = role_on("resized", pty);
    role_expect(pty[0], "now");
    w = (struct winsize){ .ws_row = 50, .ws_col = 100 };
    EDDY_CHECK_EQ(ioctl(pty[0], TIOCSWINSZ, &w), 0);
    EDDY_CHECK_EQ(role_end(pid), 0);
    role_close(pty);
}

static void *take_winch(void *ctx)
{
    /* A loop of its own on this thread. */
    *(int *)ctx = eddy_terminal_resized(((int *)ctx)[1], &(struct eddy_terminal_size){ 0, 0 });
    return NULL;
}

static void ignore(void *ctx, int signo)
{
    (void)ctx, (void)signo;
}

EDDY_TEST(another_loops_sigwinch_is_busy)
{
    pthread_t thread;
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    struct eddy_loop *loop = eddy_loop_current();
    EDDY_CHECK_EQ(eddy_loop_on_signal(loop, SIGWINCH, ignore, NULL), 0);
    int r[2] = { 0, pty[1] };
    EDDY_CHECK_EQ(pthread_create(&thread, NULL, take_winch, r), 0);
    EDDY_CHECK_EQ(pthread_join(thread, NULL), 0);
    EDDY_CHECK_ERR(r[0], -EBUSY);
    EDDY_CHECK_EQ(eddy_loop_on_signal(loop, SIGWINCH, NULL, NULL), 0);
    role_close(pty);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void type(int fd, const char *bytes)
{
    EDDY_CHECK_EQ(write(fd, bytes, strlen(bytes)), strlen(bytes));
}

static void expect_key(struct eddy_terminal *t, const char *want)
{
    struct eddy_key key = { 0 };
    char word[48];

    if (EDDY_CHECK_EQ(eddy_keys_next(t, &key), 1))
        EDDY_CHECK_STR(eddy_key_text(&key, word, sizeof word), want);
}

EDDY_TEST(keys_are_read_and_a_lone_escape_told)
{
    struct eddy_terminal *t = NULL;
    struct eddy_key key;
    int pty[2];

    if (is_sim() || !role_pty(pty) || !EDDY_CHECK_EQ(eddy_terminal_raw(pty[1], NULL, &t), 0))
        return;
    type(pty[0], "a\033[1;5A\033OP\xc3\xa9\3\r");
    expect_key(t, "a");
    expect_key(t, "Ctrl+Up");
    expect_key(t, "F1");
    expect_key(t, "U+00E9");
    expect_key(t, "Ctrl+c");
    expect_key(t, "Enter");
    type(pty[0], "\033");
    expect_key(t, "Escape");
    type(pty[0], "\033\033");
    expect_key(t, "Alt+Escape");
    type(pty[0], "x");
    expect_key(t, "x");
    type(pty[0], "z\033");
    expect_key(t, "z");
    EDDY_CHECK_EQ(close(pty[0]), 0); /* the terminal goes away: what was held, then the end */
    expect_key(t, "Escape");
    EDDY_CHECK_EQ(eddy_keys_next(t, &key), 0);
    EDDY_CHECK_EQ(eddy_keys_next(t, &key), 0);
    eddy_terminal_free(t);
    EDDY_CHECK_EQ(close(pty[1]), 0);
}

EDDY_TEST(the_time_of_an_escape_is_an_option)
{
    struct eddy_terminal *t = NULL;
    struct eddy_key key;
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    EDDY_CHECK_EQ(eddy_terminal_raw(pty[1], EDDY_OPT(terminal, .escape_ms = 3600000), &t), 0);
    type(pty[0], "\033");
    {
        EDDY_SCOPE(soon, .timeout_ms = 30);
        EDDY_CHECK_ERR(eddy_keys_next(t, &key), -ETIMEDOUT);
    }
    type(pty[0], "[A"); /* after a pause, and a wait that was cancelled */
    expect_key(t, "Up");
    eddy_terminal_free(t);
    role_close(pty);
}

struct reading_args {
    struct eddy_terminal *t;
    struct eddy_key *key;
    int *result;
};

static int reading(struct reading_args *a)
{
    *a->result = eddy_keys_next(a->t, a->key);
    return 0;
}
EDDY_TASK(reading);

EDDY_TEST(a_cancelled_wait_for_keys_loses_none)
{
    struct eddy_terminal *t = NULL;
    struct eddy_key key = { 0 };
    int pty[2], r = 0;

    if (is_sim() || !role_pty(pty) || !EDDY_CHECK_EQ(eddy_terminal_raw(pty[1], NULL, &t), 0))
        return;
    {
        EDDY_SCOPE(cancelled, .isolate = true);
        EDDY_GO(&cancelled, reading, .t = t, .key = &key, .result = &r);
        eddy_yield();
        eddy_yield();
        EDDY_CHECK_ERR(eddy_keys_next(t, &key), -EBUSY);
    }
    EDDY_CHECK_ERR(r, -ECANCELED);
    type(pty[0], "ab");
    {
        EDDY_SCOPE(over, .timeout_ms = 1);
        eddy_sleep(5);
        EDDY_CHECK_ERR(eddy_keys_next(t, &key), -ETIMEDOUT); /* though there are some */
    }
    expect_key(t, "a");
    expect_key(t, "b");
    eddy_terminal_free(t);
    role_close(pty);
}

static void keys_in_callback(void *ctx)
{
    struct eddy_key key;

    EDDY_CHECK_ERR(eddy_keys_next(ctx, &key), -EDEADLK);
    EDDY_CHECK_ERR(eddy_terminal_resized(0, &(struct eddy_terminal_size){ 0, 0 }), -EDEADLK);
}

EDDY_TEST(a_callback_may_not_wait)
{
    struct eddy_terminal *t = NULL;
    int pty[2];

    if (is_sim() || !role_pty(pty) || !EDDY_CHECK_EQ(eddy_terminal_raw(pty[1], NULL, &t), 0))
        return;
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), keys_in_callback, t), 0);
    eddy_sleep(5);
    eddy_terminal_free(t);
    role_close(pty);
}

EDDY_TEST(keys_without_memory_say_so)
{
    int pty[2];

    if (is_sim() || !role_pty(pty))
        return;
    eddy_yield();
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        struct eddy_terminal *t = NULL;
        struct eddy_key key;
        type(pty[0], "k");
        int r = eddy_terminal_raw(pty[1], NULL, &t);
        if (r == 0)
            r = eddy_keys_next(t, &key);
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        EDDY_CHECK_ERR(r, fired ? -ENOMEM : 1);
        eddy_terminal_free(t);
        if (eddy__loop())
            eddy_loop_free(eddy__loop());
        eddy_yield();
    }
    role_close(pty);
}
