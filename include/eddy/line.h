/*
 * eddy/line.h - lines that a person types, with editing and history (libeddy-line, on libedit)
 *
 *     EDDY_OWN(eddy_line) in = NULL;
 *     struct eddy_slice line;
 *
 *     int r = eddy_line_open(EDDY_OPT(line, .history = ".calc_history"), &in);
 *     while (r == 0 && (r = eddy_line_read(in, "> ", &line)) > 0)
 *         r = evaluate(line);
 *
 * At a terminal libedit edits (its Emacs keys, arrows, Ctrl-R), on the stack of the task that
 * reads: where it waits for a key the task suspends, so other tasks go on. Elsewhere (a pipe, a
 * file) lines are read as they come, without a prompt. While a line is edited the terminal is raw,
 * guarded as eddy/terminal.h says; between two lines it is as it was.
 *
 * What holds, with the test that shows it (tests/line/line_test.c):
 *
 *  rule                                                   test
 *  -----------------------------------------------------  -----------------------------------------
 *  A line is edited, and comes back in UTF-8              a_line_is_edited_at_a_terminal
 *  Other tasks go on while it is                          other_tasks_go_on_meanwhile
 *  Ctrl-C gives a line up, Ctrl-D (alone) is the end      ctrl_c_and_ctrl_d_are_told
 *  History is offered, and kept in a file                 history_is_kept_in_a_file
 *  It is bounded, the oldest go                           history_is_bounded
 *  Where there is no terminal lines are plainly read      lines_of_a_pipe_are_read_plainly
 *  A line over its bound is dropped, the next one comes   a_line_too_long_is_dropped
 *  The window may change its size                         a_window_may_change_its_size
 *                                                         a_line_may_need_more_than_the_window
 *  Cancelled, the terminal is as it was, and the next     a_cancelled_read_restores_the_terminal
 *   read begins anew
 *  The simulator refuses it                               the_simulator_refuses_it
 */
#ifndef EDDY_LINE_H
#define EDDY_LINE_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/slice.h>

EDDY_BEGIN

struct eddy_line;

struct eddy_line_options {
    size_t size;          /* filled by EDDY_OPT(line, ...) */
    const char *history;  /* a file of lines, made (0600) where there is none; NULL: none is kept */
    unsigned max_history; /* lines; 0: 1000 */
    size_t max_bytes;     /* of a line; 0: 64 KiB */
    struct eddy_error *error; /* what, where, how to mend it; may be NULL */
};

/**
 * eddy_line_open() - read lines from standard input, edited where it and standard output are a
 * terminal
 * @options: EDDY_OPT(line, .history = path), may be NULL
 * @ret_l:   owned; EDDY_OWN(eddy_line)
 *
 * Suspends while history is read. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 0; -ENOMEM (also libedit's: its memory is not eddy's hook's); -EBADF (0 is closed); what
 * reading the history says: -EACCES, -EISDIR, -EDDY_ETOOBIG (4 MiB), ...; -EDDY_ESIM; -EDEADLK,
 * -ECANCELED, -ETIMEDOUT.   Source: editline(3).   Since: 0.1
 */
EDDY_API int eddy_line_open(const struct eddy_line_options *options, struct eddy_line **ret_l);

/**
 * eddy_line_read() - the next line
 * @l:        of eddy_line_open()
 * @prompt:   shown at a terminal; may be NULL
 * @ret_line: without its end; valid until the next call
 *
 * Suspends; on the task's stack, of which libedit wants 64 KiB. Looks at its scope first. A line
 * that is not empty, and not the one before again, goes into the history. Cancelled: what was
 * typed is lost, the terminal is as it was.
 *
 * Return: 1: a line; 0: the end (Ctrl-D on an empty line); or negative:
 *   -EINTR         Ctrl-C: the line was given up; go on or stop
 *   -EDDY_ETOOBIG  longer than its bound: it is dropped, and the next read is of the next line
 *   -EBUSY         another task reads
 *   what eddy_read(), eddy_write(), eddy_terminal_raw() and writing the history file say; -EDEADLK,
 *   -ECANCELED, -ETIMEDOUT
 * Source: readline(3).   Since: 0.1
 */
EDDY_API int eddy_line_read(struct eddy_line *l, const char *prompt, struct eddy_slice *ret_line);

/** eddy_line_free() - end it
 * @l: NULL is fine; no read of another task may be under way
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_line_free(struct eddy_line *l);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_line)
#endif

EDDY_END

#endif
