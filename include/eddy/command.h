/*
 * eddy/command.h - commands run to their end: input in, output out, how it ended
 *
 *     const char *const argv[] = { "git", "rev-parse", "HEAD", NULL };
 *     EDDY_AUTO(eddy_process_result) got = { 0 };
 *
 *     r = eddy_process_run(argv, EDDY_OPT(process, .timeout_ms = 5000), &got);
 *     if (r == 0 && got.status.code == 0)
 *         printf("%s", got.out.ptr);
 *
 * Both outputs are read while the input is written, so no command waits for us while we wait for
 * it. They are captured unless .out and .err say where they go; EDDY_IO_INHERIT: where ours go.
 *
 * What holds, with the test that shows it (tests/process/run_test.c):
 *
 *  rule                                            test
 *  ----------------------------------------------  -----------------------------------------------
 *  Input, both outputs and the status              input_outputs_and_status
 *  No deadlock, whatever it reads or writes first  whatever_it_does_first_nothing_is_stuck
 *  Who stops reading early is no failure           who_stops_reading_is_no_failure
 *  Too much output: killed, -EDDY_ETOOBIG          too_much_output_is_refused
 *  ... or cut and told, with .truncate             too_much_output_is_cut
 *  The time's end kills the group                  the_times_end_kills_the_group
 *  A cancelled run leaves no process               a_cancelled_run_leaves_no_process
 *  A pipeline joins commands, all statuses told    a_pipeline_joins_commands
 *  ... and a failure to start one ends the others  one_that_cannot_start_ends_the_others
 *  ... and a thousand-line flow is not held up     a_long_flow_goes_through
 *  ... and a file of errors holds those of all     errors_of_all_go_to_one_file
 *  Failures at every step leave nothing behind     every_failure_leaves_nothing_behind
 */
#ifndef EDDY_COMMAND_H
#define EDDY_COMMAND_H

#include <eddy/common.h>
#include <eddy/process.h>
#include <eddy/slice.h>

EDDY_BEGIN

/* What a command left. Zero before; ended by eddy_process_result_done(). */
struct eddy_process_result {
    struct eddy_process_status status; /* of the last command */
    struct eddy_slice out;             /* what it printed; a NUL stands behind it; NULL: nothing */
    struct eddy_slice err;             /* of all commands; likewise */
    bool out_cut;                      /* .truncate: there was more */
    bool err_cut;
    void *reserved[4];
};

/** eddy_process_result_done() - free what was captured
 * @result: safe twice
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_process_result_done(struct eddy_process_result *result);

/**
 * eddy_process_run() - run a command to its end
 * @argv:       as eddy_process_spawn()
 * @options:    of it, and .input, .max_output, .truncate, .timeout_ms; may be NULL
 * @ret_result: filled when 0 is returned; eddy_process_result_done() ends it
 *
 * Suspends until the command has ended and nobody holds its outputs any more: what it has left
 * running with them is waited for, too; then what is left of its group is ended. Looks at its scope
 * first. Its input is .input, or nothing;
 * outputs that are not set are captured. Cancelled: it may have done anything; the group has been
 * ended as a scope's end does it, and nothing of it is left running.
 *
 * Return: 0, whatever the status is; or negative, with a text in .error:
 *   -EDDY_ETOOBIG  it printed more than .max_output, and was ended
 *   -ETIMEDOUT     .timeout_ms passed, or the innermost deadline did
 *   -EINVAL        .pty, .detach, or EDDY_IO_PIPE: that is for eddy_process_spawn()
 *   and what eddy_process_spawn() and eddy_process_wait() say
 * Source: Python's subprocess.run, system(3).   Since: 0.1
 */
EDDY_API int eddy_process_run(const char *const *argv, const struct eddy_process_options *options,
                              struct eddy_process_result *ret_result);

/**
 * eddy_process_pipeline() - run commands joined by pipes, as a shell does
 * @commands:     @count argument lists: each one's output is the next one's input
 * @count:        1 to 64
 * @options:      for each of them: .in and .input of the first, .out of the last, .err of all
 * @ret_statuses: @count of them; may be NULL
 * @ret_result:   filled when 0 is returned; ended by eddy_process_result_done()
 *
 * Suspends. Looks at its scope first. All run at a time, each in a group of its own. Cancelled: as
 * eddy_process_run().
 *
 * Return: as eddy_process_run(); when one cannot be started the others are ended.
 * Source: sh(1).   Since: 0.1
 */
EDDY_API int eddy_process_pipeline(const char *const *const *commands, size_t count,
                                   const struct eddy_process_options *options,
                                   struct eddy_process_status *ret_statuses,
                                   struct eddy_process_result *ret_result);

EDDY_END

#endif
