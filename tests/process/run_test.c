/*
 * Commands run to their end, and pipelines of them.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "children.h"

#include "base/fault.h"

#include <eddy/command.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SH(script) ((const char *const[]){ "sh", "-c", script, NULL })

EDDY_TEST(input_outputs_and_status)
{
    EDDY_AUTO(eddy_process_result) got = { .out_cut = true };

    if (is_sim()) {
        EDDY_CHECK_ERR(eddy_process_run(SH("true"), NULL, &got), -EDDY_ESIM);
        return;
    }
    EDDY_CHECK_ERR(eddy_process_run(SH("cat; echo bad >&2; exit 7"),
                                    EDDY_OPT(process, .input = "in\n", .input_len = 3), &got),
                   0);
    EDDY_CHECK_EQ(got.status.code, 7);
    EDDY_CHECK_STR(got.out.ptr, "in\n");
    EDDY_CHECK_EQ(got.out.len, 3);
    EDDY_CHECK_STR(got.err.ptr, "bad\n");
    EDDY_CHECK(!got.out_cut && !got.err_cut);
    eddy_process_result_done(&got);
    EDDY_CHECK(got.out.ptr == NULL);
    /* Nothing to read, nothing printed; and where outputs go elsewhere nothing is captured. */
    EDDY_CHECK_ERR(eddy_process_run(SH("cat"), NULL, &got), 0);
    EDDY_CHECK_STR(got.out.ptr, "");
    eddy_process_result_done(&got);
    EDDY_CHECK_ERR(
        eddy_process_run(SH("echo a; echo b >&2"),
                         EDDY_OPT(process, .out = EDDY_IO_FILE("run-out"), .err = EDDY_IO_STDOUT),
                         &got),
        0);
    EDDY_CHECK(got.out.ptr == NULL && got.err.ptr == NULL);
    EDDY_CHECK_ERR(eddy_process_run((const char *const[]){ "cat", "run-out", NULL },
                                    EDDY_OPT(process, .err = EDDY_IO_STDOUT), &got),
                   0);
    EDDY_CHECK_STR(got.out.ptr, "a\nb\n");
}

EDDY_TEST(what_is_for_spawn_is_refused)
{
    struct eddy_process_result got;

    EDDY_CHECK_ERR(eddy_process_run(SH("true"), EDDY_OPT(process, .pty = true), &got), -EINVAL);
    EDDY_CHECK_ERR(eddy_process_run(SH("true"), EDDY_OPT(process, .detach = true), &got), -EINVAL);
    EDDY_CHECK_ERR(eddy_process_run(SH("true"), EDDY_OPT(process, .out = EDDY_IO_PIPE), &got),
                   -EINVAL);
    EDDY_CHECK_ERR(
        eddy_process_run(SH("true"), EDDY_OPT(process, .in = EDDY_IO_NULL, .input = "x"), &got),
        -EINVAL);
    EDDY_CHECK_ERR(eddy_process_pipeline(NULL, 0, NULL, NULL, &got), -EINVAL);
}

/* More than any pipe holds, each way, in every order. */
EDDY_TEST(whatever_it_does_first_nothing_is_stuck)
{
    static const char *const scripts[] = {
        "cat",                                                    /* as it comes */
        "head -c 1000000 /dev/zero | tr '\\0' x; cat >/dev/null", /* writes first */
        "cat >/dev/null; head -c 1000000 /dev/zero | tr '\\0' x", /* reads first */
        "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero | tr '\\0' x; cat >/dev/null",
    };
    enum { MUCH = 1000000 };
    char *input = malloc(MUCH);

    memset(input, 'x', MUCH);
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0] && !is_sim(); i++) {
        EDDY_AUTO(eddy_process_result) got = { .out_cut = true };
        EDDY_CHECK_ERR(eddy_process_run(SH(scripts[i]),
                                        EDDY_OPT(process, .input = input, .input_len = MUCH), &got),
                       0);
        EDDY_CHECK_EQ(got.status.code, 0);
        EDDY_CHECK_EQ(got.out.len, MUCH);
        EDDY_CHECK(got.out.len == MUCH && memcmp(got.out.ptr, input, MUCH) == 0);
    }
    free(input);
}

EDDY_TEST(who_stops_reading_is_no_failure)
{
    enum { MUCH = 1000000 };
    char *input = calloc(1, MUCH);
    EDDY_AUTO(eddy_process_result) got = { .out_cut = true };

    if (!is_sim()) {
        EDDY_CHECK_ERR(eddy_process_run(SH("head -c 5 >/dev/null; exec <&-; echo done"),
                                        EDDY_OPT(process, .input = input, .input_len = MUCH), &got),
                       0);
        EDDY_CHECK_STR(got.out.ptr, "done\n");
    }
    free(input);
}

EDDY_TEST(too_much_output_is_refused)
{
    struct eddy_error error = { .text = "" };
    EDDY_AUTO(eddy_process_result) got = { .out_cut = false };

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_run(SH("while :; do echo more; done"),
                                    EDDY_OPT(process, .max_output = 1000, .error = &error), &got),
                   -EDDY_ETOOBIG);
    EDDY_CHECK(strstr(error.text, "more than 1000 bytes") != NULL);
    EDDY_CHECK(!have_children());
    EDDY_CHECK_ERR(
        eddy_process_run(SH("printf 12345 >&2"), EDDY_OPT(process, .max_output = 4), &got),
        -EDDY_ETOOBIG);
    EDDY_CHECK_ERR(
        eddy_process_run(SH("printf 12345 >&2"), EDDY_OPT(process, .max_output = 5), &got), 0);
    EDDY_CHECK_STR(got.err.ptr, "12345");
}

EDDY_TEST(too_much_output_is_cut)
{
    EDDY_AUTO(eddy_process_result) got = { .out_cut = false };

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_run(SH("head -c 1000000 /dev/zero | tr '\\0' x; printf abc >&2"),
                                    EDDY_OPT(process, .max_output = 3, .truncate = true), &got),
                   0);
    EDDY_CHECK_STR(got.out.ptr, "xxx");
    EDDY_CHECK(got.out_cut);
    EDDY_CHECK_STR(got.err.ptr, "abc");
    EDDY_CHECK(!got.err_cut);
    EDDY_CHECK_EQ(got.status.code, 0);
}

EDDY_TEST(the_times_end_kills_the_group)
{
    struct eddy_error error = { .text = "" };
    struct eddy_process_result got;

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_run(SH("sleep 1000 & sleep 1000"),
                                    EDDY_OPT(process, .timeout_ms = 30, .error = &error), &got),
                   -ETIMEDOUT);
    EDDY_CHECK(strstr(error.text, "longer than 30 ms") != NULL);
    EDDY_CHECK(!have_children());
    /* Deaf to SIGTERM, too. */
    EDDY_CHECK_ERR(eddy_process_run(SH("trap '' TERM; sleep 1000 & sleep 1000"),
                                    EDDY_OPT(process, .timeout_ms = 30, .grace_ms = 10), &got),
                   -ETIMEDOUT);
    EDDY_CHECK(!have_children());
}

EDDY_TEST(a_cancelled_run_leaves_no_process)
{
    struct eddy_process_result got;

    {
        EDDY_SCOPE(over, .timeout_ms = 0);
        eddy_scope_cancel(&over);
        EDDY_CHECK_ERR(eddy_process_run(SH("true"), NULL, &got), -ECANCELED);
    }
    if (is_sim())
        return;
    EDDY_SCOPE(late, .timeout_ms = 30);
    EDDY_CHECK_ERR(eddy_process_run(SH("sleep 1000"), NULL, &got), -ETIMEDOUT);
    EDDY_CHECK(!have_children());
}

#define COMMAND(...) ((const char *const[]){ __VA_ARGS__, NULL })

EDDY_TEST(a_pipeline_joins_commands)
{
    const char *const *const commands[] = { COMMAND("cat"), COMMAND("sort"),
                                            COMMAND("sh", "-c", "cat; echo err >&2; exit 3"),
                                            COMMAND("uniq", "-c") };
    struct eddy_process_status statuses[4];
    EDDY_AUTO(eddy_process_result) got = { .out_cut = false };

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_pipeline(commands, 4,
                                         EDDY_OPT(process, .input = "b\na\nb\n", .input_len = 6),
                                         statuses, &got),
                   0);
    EDDY_CHECK_STR(got.out.ptr, "      1 a\n      2 b\n");
    EDDY_CHECK_STR(got.err.ptr, "err\n");
    EDDY_CHECK_EQ(statuses[0].code, 0);
    EDDY_CHECK_EQ(statuses[2].code, 3);
    EDDY_CHECK_EQ(statuses[3].code, 0);
    EDDY_CHECK_EQ(got.status.code, 0);
}

EDDY_TEST(errors_of_all_go_to_one_file)
{
    const char *const *const commands[] = { COMMAND("sh", "-c", "echo from the first >&2"),
                                            COMMAND("sh", "-c", "cat; echo second >&2") };
    EDDY_AUTO(eddy_process_result) got = { .out_cut = false };

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_pipeline(commands, 2,
                                         EDDY_OPT(process, .err = EDDY_IO_FILE("run-errors")), NULL,
                                         &got),
                   0);
    EDDY_CHECK(got.err.ptr == NULL);
    eddy_process_result_done(&got);
    EDDY_CHECK_ERR(eddy_process_run(COMMAND("cat", "run-errors"), NULL, &got), 0);
    EDDY_CHECK_STR(got.out.ptr, "from the first\nsecond\n");
    eddy_process_result_done(&got);
    struct eddy_error error = { .text = "" };
    EDDY_CHECK_ERR(eddy_process_pipeline(
                       commands, 2,
                       EDDY_OPT(process, .err = EDDY_IO_FILE("no/such/folder"), .error = &error),
                       NULL, &got),
                   -ENOENT);
    EDDY_CHECK(strstr(error.text, "no/such/folder") != NULL);
}

/* Whoever has had enough ends those before by SIGPIPE, which is at its default there. */
EDDY_TEST(a_long_flow_goes_through)
{
    const char *const *const endless[] = { COMMAND("yes"), COMMAND("head", "-n", "100000"),
                                           COMMAND("wc", "-l") };
    struct eddy_process_status statuses[3];
    EDDY_AUTO(eddy_process_result) got = { .out_cut = false };

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_process_pipeline(endless, 3, NULL, statuses, &got), 0);
    EDDY_CHECK_STR(got.out.ptr, "100000\n");
    EDDY_CHECK_EQ(statuses[0].signo, SIGPIPE);
}

EDDY_TEST(one_that_cannot_start_ends_the_others)
{
    const char *const *const commands[] = { COMMAND("sleep", "1000"), COMMAND("no-such-program"),
                                            COMMAND("cat") };
    struct eddy_error error = { .text = "" };
    struct eddy_process_result got;

    if (is_sim())
        return;
    EDDY_CHECK_ERR(
        eddy_process_pipeline(commands, 3, EDDY_OPT(process, .error = &error), NULL, &got),
        -ENOENT);
    EDDY_CHECK_STR(error.text, "cannot run no-such-program: not found in PATH");
    EDDY_CHECK(!have_children());
}

EDDY_TEST(every_failure_leaves_nothing_behind)
{
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_SYS, EDDY_FAULT_OP };
    const char *const *const commands[] = { COMMAND("cat"), COMMAND("cat") };

    if (is_sim())
        return;
    for (size_t k = 0; k <= sizeof kinds / sizeof kinds[0]; k++) {
        for (struct eddy_fault f = eddy_fault_each(kinds[k ? k - 1 : 0]); eddy_fault_next(&f);) {
            EDDY_AUTO(eddy_process_result) got = { .out_cut = false };
            if (!k || (kinds[k - 1] == EDDY_FAULT_SYS && f.persistent))
                eddy_fault_stop(); /* warm, first; and no loop that can never wait again */
            int r = eddy_process_pipeline(
                commands, 2, EDDY_OPT(process, .input = "abc", .input_len = 3), NULL, &got);
            EDDY_CHECK(r == 0 || eddy_fault_fired(&f));
            if (r == 0 && !eddy_fault_fired(&f))
                EDDY_CHECK_STR(got.out.ptr, "abc");
            eddy_fault_stop();
            EDDY_CHECK(!have_children());
            if (!k)
                break;
        }
    }
}
