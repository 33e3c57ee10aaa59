/*
 * role.h - parts that this test program plays when it starts itself anew: with descriptors 0, 1 and 2,
 * and a terminal, as a test has laid them out
 *
 *     ROLE(echo) { ...; return 0; }
 *
 *     pid_t pid = role_start("echo", (int[]){ end[0], other[1], -1 }, -1);   // -1: closed
 *     EDDY_CHECK_EQ(role_end(pid), 0);
 *
 * A role runs before main(), and its number is the exit status of the process.
 */
#ifndef EDDY_TESTS_TERMINAL_ROLE_H
#define EDDY_TESTS_TERMINAL_ROLE_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#define ROLE(name)                                                                                 \
    static int name##_role(void);                                                                  \
    static void __attribute__((constructor)) name##_play_(void)                                    \
    {                                                                                              \
        role_play(#name, name##_role);                                                             \
    }                                                                                              \
    static int name##_role(void)

void role_play(const char *name, int (*run)(void));

/* @fds become 0, 1 and 2 (-1: closed). @terminal, if not -1, becomes the controlling terminal of a
 * session of its own. A @name that is a path is another program. */
pid_t role_start(const char *name, const int fds[3], int terminal);

/* The status as a shell tells it: 0.., or 128 + the signal. */
int role_end(pid_t pid);

/* A pseudo-terminal: [0] the one who shows it, [1] the one that programs have. */
bool role_pty(int ret[2]);

void role_close(const int pty[2]);

/* The part on a terminal of its own. */
pid_t role_on(const char *name, const int pty[2]);

/* How the terminal is set. */
struct termios role_modes(int fd);
bool role_same(const struct termios *a, const struct termios *b);
bool role_is_raw(int fd);
bool role_becomes_raw(int fd); /* waits for it */

/* All that a raw terminal can switch on, and what is written for it. */
#define ALL_ON .screen = true, .hide_cursor = true, .paste = true, .focus = true, .mouse = true
#define ON "\033[?1049h\033[?25l\033[?2004h\033[?1004h\033[?1002h\033[?1006h"
#define OFF "\033[?1006l\033[?1002l\033[?1004l\033[?2004l\033[?25h\033[?1049l"

/* Wait until @text has come from @fd (what came before it is skipped). False: it did not, within a
 * minute. */
bool role_expect(int fd, const char *text);

#endif
