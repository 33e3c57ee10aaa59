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

#define ROLE(name)                                                                                 \
    static int name##_role(void);                                                                  \
    static void __attribute__((constructor)) name##_play_(void)                                    \
    {                                                                                              \
        role_play(#name, name##_role);                                                             \
    }                                                                                              \
    static int name##_role(void)

void role_play(const char *name, int (*run)(void));

/* @fds become 0, 1 and 2 (-1: closed). @terminal, if not -1, becomes the controlling terminal of a
 * session of its own. */
pid_t role_start(const char *name, const int fds[3], int terminal);

/* The status as a shell tells it: 0.., or 128 + the signal. */
int role_end(pid_t pid);

/* A pseudo-terminal: [0] the one who shows it, [1] the one that programs have. */
bool role_pty(int ret[2]);

/* Wait until @text has come from @fd (what came before it is skipped). False: it did not, within a
 * minute. */
bool role_expect(int fd, const char *text);

#endif
