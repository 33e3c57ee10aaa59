/*
 * eddy/stdio.h - the process's own streams: standard input, output, errors
 *
 *     char line[256];
 *     ssize_t n = eddy_read(eddy_stdin(), line, sizeof line);
 *     eddy_print("%zd bytes\n", n);
 *
 * They are streams like any other (eddy/stream.h), whatever stands behind them: a terminal, a
 * pipe, a file, a socket, /dev/null. Each loop makes its own when they are first asked for, and
 * ends them with itself. Nothing is buffered: what a write has returned for is in the kernel, and
 * an exit flushes nothing because there is nothing to flush. Of what comes in only that is taken
 * which somebody has asked to read, so a program that is started next finds the rest (a pipe's or
 * a file's; one read(2) is what a terminal gives at once). stdio.h of the C library knows nothing
 * of these: use one of both.
 *
 * What holds, with the test that shows it (tests/terminal/stdio_test.c, on every driver):
 *
 *  rule                                                  test
 *  ----------------------------------------------------  -----------------------------------------
 *  They work whatever they are                           streams_work_whatever_they_are
 *  O_NONBLOCK is as it was, also while they are used     o_nonblock_is_never_touched
 *   and after a kill
 *  One that was closed when the program began is -EBADF  what_was_closed_at_the_start_stays_so
 *   and stays so when its number is given to another
 *  They are borrowed: freeing the loop leaves them open  the_descriptors_outlive_the_loop
 *  A full pipe holds up the task that writes, no other   a_full_pipe_holds_up_its_writer_only
 *  A cancelled write breaks a stream only until it is    a_cancelled_print_leaves_the_next_one
 *   asked for again
 *  eddy_print() writes all at once, one after another    lines_of_many_tasks_stay_whole
 *  Who reads a terminal in the background is stopped    who_reads_in_the_background_is_stopped
 *  A callback may not wait: -EDEADLK                     a_callback_gets_edeadlk
 *  Without memory each call says so                      every_failed_allocation_is_told
 *  The simulator refuses them                            the_simulator_has_none
 */
#ifndef EDDY_STDIO_H
#define EDDY_STDIO_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/stream.h>

EDDY_BEGIN

/**
 * eddy_stdin() - standard input of the process, as a stream
 *
 * Of the loop of this thread, made when first asked for; one made anew where a cancelled write had
 * broken the last one. Reads as eddy_read() says; it is not written to (-EPIPE).
 *
 * Return: borrowed, until the loop ends; never NULL and never to be freed. Where it cannot be had
 * every call on it says why: -EBADF (0 was closed when the program began), -EDDY_ESIM, -ENOMEM.
 * Source: stdin(3).   Since: 0.1
 */
EDDY_API struct eddy_stream *eddy_stdin(void);

/** eddy_stdout() - standard output of the process, as a stream
 *
 * As eddy_stdin(). A write waits while the reader does not read; without a reader it is -EPIPE.
 * What is read of it is the end.
 *
 * Return: as eddy_stdin().   Source: stdout(3).   Since: 0.1 */
EDDY_API struct eddy_stream *eddy_stdout(void);

/** eddy_stderr() - where a process tells of errors, as a stream
 *
 * Return: as eddy_stdin().   Source: stderr(3).   Since: 0.1 */
EDDY_API struct eddy_stream *eddy_stderr(void);

/**
 * eddy_print() - write a formatted text to standard output
 * @format: printf's; %n is refused by compilers, and the text may have 16 MiB
 *
 * Suspends until all of it is in the kernel. Looks at its scope first. Several tasks may print at a
 * time: each text leaves as one piece, and the next one after it. Cancelled: a part of it may have
 * been written; later calls work.
 *
 * Return: 0; -EPIPE (nobody reads), -EBADF (closed), -ENOSPC, ... as eddy_write(); -EBUSY (a task
 * is in an eddy_write() of the same stream); -ENOMEM;
 * -EDDY_ETOOBIG; -EINVAL (@format); -EDDY_ESIM; -EDEADLK (a callback), -ECANCELED, -ETIMEDOUT.
 * Source: printf(3).   Since: 0.1
 */
EDDY_API int eddy_print(const char *format, ...) EDDY_PRINTF(1, 2);

/** eddy_print_error() - the same to standard error
 * @format: as of eddy_print()
 *
 * Suspends, looks at its scope and is cancelled as eddy_print().
 *
 * Return: as eddy_print().   Source: none.   Since: 0.1 */
EDDY_API int eddy_print_error(const char *format, ...) EDDY_PRINTF(1, 2);

EDDY_END

#endif
