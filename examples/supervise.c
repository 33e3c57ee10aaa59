/* A process supervisor: ./supervise COMMAND... runs each by the shell and starts it again when it ends,
 * later and later if that comes at once. What they print is marked with their number. Ctrl-C or
 * SIGTERM ends all of them, and what they have started. */
#include <eddy.h>
#include <signal.h>
#include <stdio.h>

struct print_lines_args {
    struct eddy_stream *from;
    int number;
};

static int print_lines(struct print_lines_args *a)
{
    EDDY_AUTO(eddy_lines) in = eddy_lines(a->from, NULL);

    while (eddy_lines_next(&in)) {
        int r = eddy_print("%d| %.*s\n", a->number, EDDY_SLICE_ARG(in.line));
        if (r < 0)
            return r;
    }
    return in.status;
}
EDDY_TASK(print_lines);

struct keep_args {
    const char *command;
    int number;
};

static int run_once(const struct keep_args *a)
{
    const char *const argv[] = { "sh", "-c", a->command, NULL };
    EDDY_OWN(eddy_process) p = NULL;
    struct eddy_process_status status;
    struct eddy_error err = { 0 };
    char text[64];
    EDDY_SCOPE(printing, .isolate = true);

    int r = eddy_process_spawn(argv,
                               EDDY_OPT(process, .in = EDDY_IO_NULL, .out = EDDY_IO_PIPE,
                                        .err = EDDY_IO_STDOUT, .error = &err),
                               &p);
    if (r < 0) {
        eddy_print_error("%d: %s\n", a->number, err.code ? err.text : eddy_strerror(r));
        return r;
    }
    EDDY_GO(&printing, print_lines, .from = eddy_process_stdout(p), .number = a->number);
    r = eddy_join(&printing); /* all is said: whoever could write to it has ended */
    if (r == 0)
        r = eddy_process_wait(p, &status);
    if (r == 0)
        r = eddy_print("%d: %s\n", a->number, eddy_process_status_text(&status, text, sizeof text));
    return r;
}

static int keep(struct keep_args *a)
{
    int64_t pause_ms = 100;

    for (;;) {
        int64_t start = eddy_now_ns();
        int r = run_once(a);
        if (r < 0)
            return r;
        pause_ms = eddy_now_ns() - start > 5000000000 ? 100
                   : pause_ms < 10000                 ? pause_ms * 2
                                                      : 20000;
        r = eddy_sleep(pause_ms);
        if (r < 0)
            return r;
    }
}
EDDY_TASK(keep);

static int keep_all(char **commands)
{
    EDDY_SCOPE(all, .isolate = true); /* left, it ends them: each has two seconds for it */
    int signo;

    for (int i = 0; commands[i]; i++) {
        int r = EDDY_GO(&all, keep, .command = commands[i], .number = i + 1);
        if (r < 0)
            return r;
    }
    return eddy_signal_wait(EDDY_SIGNAL(SIGINT) | EDDY_SIGNAL(SIGTERM), &signo);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: supervise COMMAND...\n");
        return 2;
    }
    int r = keep_all(argv + 1);
    eddy_print("all ended%s%s\n", r < 0 ? ": " : "", r < 0 ? eddy_strerror(r) : "");
    return r < 0;
}
