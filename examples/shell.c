/*
 * shell.c - commands joined by pipes, as a shell runs them
 *
 *     shell 'ps ax | sort -k 4 | tail -n 3'
 *
 * The words of a command are split at blanks; there are no quotes. Prints what the last command
 * printed, what any of them complained of, and how each ended, unless it ended well. A pipeline that
 * takes longer than ten seconds, or prints more than a MiB, is ended: all of its processes.
 */
#include <eddy.h>

#include <stdio.h>
#include <string.h>

#define COMMANDS 16
#define WORDS 32

/* Split @text in place at blanks: words[], with NULL behind the last. */
static size_t split(char *text, const char **words)
{
    char *rest = NULL;
    size_t n = 0;

    for (char *w = strtok_r(text, " \t\n", &rest); w && n < WORDS;
         w = strtok_r(NULL, " \t\n", &rest))
        words[n++] = w;
    words[n] = NULL;
    return n;
}

static int run(char *line)
{
    const char *words[COMMANDS][WORDS + 1];
    const char *const *commands[COMMANDS];
    struct eddy_process_status statuses[COMMANDS];
    struct eddy_error error = { .text = "" };
    EDDY_AUTO(eddy_process_result) got = { .out_cut = false };
    char *rest = NULL, text[64];
    size_t count = 0;

    for (char *c = strtok_r(line, "|", &rest); c && count < COMMANDS;
         c = strtok_r(NULL, "|", &rest)) {
        if (!split(c, words[count]))
            return fprintf(stderr, "shell: a command without a name\n"), 2;
        commands[count] = words[count];
        count++;
    }
    int r = eddy_process_pipeline(commands, count,
                                  EDDY_OPT(process, .timeout_ms = 10000, .max_output = 1 << 20,
                                           .in = EDDY_IO_INHERIT, .error = &error),
                                  statuses, &got);
    if (r < 0)
        return fprintf(stderr, "shell: %s\n", error.text), 127;

    fwrite(got.out.ptr, 1, got.out.len, stdout);
    fflush(stdout);
    fwrite(got.err.ptr, 1, got.err.len, stderr);
    for (size_t i = 0; i < count; i++)
        if (statuses[i].code != 0)
            fprintf(stderr, "shell: %s %s\n", commands[i][0],
                    eddy_process_status_text(&statuses[i], text, sizeof text));
    return got.status.code >= 0 ? got.status.code : 128 + got.status.signo;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: shell 'COMMAND | COMMAND ...'\n"), 2;
    return run(argv[1]);
}
