/*
 * eddy/terminal.h - terminals: raw mode that is always given back, sizes, keys
 *
 *     EDDY_OWN(eddy_terminal) t = NULL;
 *     struct eddy_key key;
 *
 *     int r = eddy_terminal_raw(STDIN_FILENO, EDDY_OPT(terminal, .screen = true), &t);
 *     while (r == 0 && (r = eddy_keys_next(t, &key)) > 0)
 *         r = act_on(&key);
 *     return r;                 // the terminal is as it was
 *
 * A terminal that was changed is restored by eddy_terminal_free(), when the program exits (by
 * return or exit(3)), and by every signal that ends it and can be caught; a stop (SIGTSTP)
 * restores it, going on changes it again. For this the first eddy_terminal_raw() takes each such
 * signal whose action is the default; the last eddy_terminal_free() gives them back. A program's
 * own handler, or one that eddy sets (eddy/signal.h), is left alone: then the program decides. Of
 * faults (SIGSEGV, SIGABRT, ...) whatever handler stood there is called behind ours. What cannot
 * be helped: SIGKILL, SIGSTOP, _exit(2), and exec(3), before which a terminal must be freed. In
 * the child of a fork it is the parent's and is not touched.
 *
 * What holds, with the test that shows it (tests/terminal/raw_test.c and terminal_test.c):
 *
 *  rule                                                   test
 *  -----------------------------------------------------  -----------------------------------------
 *  Restored as it was, however the program ends           every_way_to_end_restores_the_terminal
 *  The signal still kills, with its own status            every_way_to_end_restores_the_terminal
 *  A program's own handlers are left alone                handlers_of_the_program_stay
 *  Stopped it is restored, going on it is raw again       a_stop_restores_and_going_on_is_raw_again
 *  A child of a fork does not touch it                    a_child_of_a_fork_leaves_it_raw
 *  Screen, cursor, paste, focus, mouse are restored, too  what_was_switched_on_is_switched_off
 *  Signals are given back by the last one                 the_last_one_gives_the_signals_back
 *  A change of size is told, also one that came before    a_change_of_size_is_told
 *  Keys come as they are typed, a lone ESC after a time   keys_are_read_and_a_lone_escape_told
 *  A call looks at its scope first, a cancelled one has   a_cancelled_wait_for_keys_loses_none
 *   lost no key
 *  What is no terminal is refused                         what_is_no_terminal_is_refused
 *  The simulator refuses terminals                        the_simulator_has_no_terminals
 */
#ifndef EDDY_TERMINAL_H
#define EDDY_TERMINAL_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/keys.h>

EDDY_BEGIN

struct eddy_terminal;

struct eddy_terminal_options {
    size_t size;  /* filled by EDDY_OPT(terminal, ...) */
    bool signals; /* Ctrl-C, Ctrl-\ and Ctrl-Z stay signals; else they are keys */
    bool screen;  /* the alternate screen */
    bool hide_cursor;
    bool paste;               /* what is pasted comes as EDDY_KEY_PASTE */
    bool focus;               /* EDDY_KEY_FOCUS_IN and _OUT */
    bool mouse;               /* EDDY_KEY_MOUSE: buttons, the wheel, moves while a button is held */
    unsigned escape_ms;       /* after which a lone ESC is the key; 0: 50 */
    struct eddy_error *error; /* what, where, how to mend it; may be NULL */
};

struct eddy_terminal_size {
    unsigned columns; /* 0: the terminal does not know */
    unsigned rows;
};

/** eddy_terminal_is() - whether a descriptor is a terminal
 * @fd: any
 *
 * Return: true or false.   Source: isatty(3).   Since: 0.1 */
EDDY_API bool eddy_terminal_is(int fd);

/**
 * eddy_terminal_raw() - put a terminal into raw mode, until it is freed or the program ends
 * @fd:      borrowed until eddy_terminal_free(); open for reading and writing where options switch
 *           something on
 * @options: EDDY_OPT(terminal, .screen = true), may be NULL
 * @ret_t:   owned; EDDY_OWN(eddy_terminal)
 *
 * Does not suspend. Bytes come as they are typed, without echo; output is not changed: a line still
 * ends with "\n".
 *
 * Return: 0; or negative, and nothing has changed:
 *   -ENOTTY  no terminal        -EBUSY   @fd is raw already, or eight terminals are
 *   -EBADF   not open           -EAGAIN  its output is held up (Ctrl-S), and options want to write
 *   -EIO     the other end is gone, or it is another job's     -EDDY_ESIM, -ENOMEM
 * Source: termios(3), cfmakeraw(3).   Since: 0.1
 */
EDDY_API int eddy_terminal_raw(int fd, const struct eddy_terminal_options *options,
                               struct eddy_terminal **ret_t);

/** eddy_terminal_free() - give the terminal back as it was
 * @t: NULL is fine; no call of another task may be under way
 *
 * Return: nothing.   Source: tcsetattr(3).   Since: 0.1 */
EDDY_API void eddy_terminal_free(struct eddy_terminal *t);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_terminal)
#endif

/**
 * eddy_keys_next() - wait for the next key
 * @t:       raw
 * @ret_key: written when 1 is returned; .text until the next call
 *
 * Suspends. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 1: a key; 0: the terminal is gone; or negative:
 *   -EBUSY  another task reads     -EDEADLK (a callback), -ECANCELED, -ETIMEDOUT     -ENOMEM
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_keys_next(struct eddy_terminal *t, struct eddy_key *ret_key);

/** eddy_terminal_size() - how large the window is
 * @fd:       a terminal
 * @ret_size: written on success
 *
 * Does not suspend.
 *
 * Return: 0; -ENOTTY, -EBADF, -EIO, -EDDY_ESIM.   Source: TIOCGWINSZ of ioctl_tty(2).   Since:
 * 0.1 */
EDDY_API int eddy_terminal_size(int fd, struct eddy_terminal_size *ret_size);

/**
 * eddy_terminal_resized() - wait until the window has another size
 * @fd:   a terminal; the process's own: the kernel tells no others (SIGWINCH)
 * @size: what the caller knows; the new size on success
 *
 * Suspends, unless the size differs already. Looks at its scope first. SIGWINCH is taken meanwhile.
 * Cancelled: nothing happened.
 *
 * Return: 0; -EBUSY (another loop has SIGWINCH); as eddy_terminal_size(); -EDEADLK (a callback),
 * -ECANCELED, -ETIMEDOUT.   Source: signal(7).   Since: 0.1
 */
EDDY_API int eddy_terminal_resized(int fd, struct eddy_terminal_size *size);

EDDY_END

#endif
