/*
 * cli_test.c - the eddy command, as a person meets it
 *
 * timeout: 180
 */
#include "check.h"
#include "support/program.h"

#include <eddy/fetch.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void eddy_check_setup(void)
{
    program_bin = EDDY_BIN_DIR "/eddy";
    /* Its own, so that what is left behind can be seen; and what a person has not set. */
    mkdir("tmp", 0700);
    char here[3000];
    if (getcwd(here, sizeof here - 8))
        setenv("TMPDIR", strcat(here, "/tmp"), 1);
    unsetenv("EDDY_BACKEND");
    unsetenv("CC");
}

static int files_in_tmp(void)
{
    DIR *d = opendir("tmp");
    int count = 0;

    while (d && readdir(d))
        count++;
    if (d)
        closedir(d);
    return count - 2;
}

#define INCLUDE "#include <eddy.h>\n"
#define PAGE                                                                                       \
    "static int page(struct eddy_request *req, struct eddy_reply *reply)\n"                        \
    "{ (void)req; return eddy_reply_text(reply, \"Hello.\\n\"); }\n"
#define ROUTES "static const struct eddy_route routes[] = { EDDY_GET(\"/\", page) };\n"
#define APP "EDDY_APP(app, EDDY_ROUTES(routes));\n"
#define SLOW(ms)                                                                                   \
    "static int page(struct eddy_request *req, struct eddy_reply *reply)\n"                        \
    "{ (void)req; eddy_log(EDDY_LOG_WARNING, \"asked\"); int r = eddy_sleep(" ms ");\n"            \
    "  return r < 0 ? r : eddy_reply_text(reply, \"At last.\\n\"); }\n"

static const char hello[] = INCLUDE PAGE ROUTES APP;

/* --- words ---------------------------------------------------------------------------------------- */

EDDY_TEST(help_and_version_are_there)
{
    static struct program p;

    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("eddy", "--version")), 0);
    EDDY_CHECK_STR(p.text, "eddy " EDDY_VERSION "\n");
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("eddy", "--help")), 0);
    EDDY_CHECK(strncmp(p.text, "usage: eddy ", 12) == 0 && strstr(p.text, "\n   run "));
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("eddy", "help", "run")), 0);
    EDDY_CHECK(strncmp(p.text, "usage: eddy run ", 16) == 0 && strstr(p.text, "epoll"));
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("eddy", "run", "x.c", "--help")), 0);
    EDDY_CHECK(strncmp(p.text, "usage: eddy run ", 16) == 0);
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("eddy")), 1);
    EDDY_CHECK(strncmp(p.text, "usage: eddy ", 12) == 0);
}

EDDY_TEST(mistakes_are_named_with_what_was_meant)
{
    static const struct {
        const char *argv[7];
        int status;
        const char *says;
    } cases[] = {
        { { "rnu" }, 2, "no command `rnu`; did you mean `run`?" },
        { { "frobnicate" }, 2, "no command `frobnicate`\n" },
        { { "--versoin" }, 2, "no option `--versoin`; did you mean `--version`?" },
        { { "help", "runn" }, 2, "did you mean `run`?" },
        { { "run" }, 2, "which file?" },
        { { "run", "--prot", "1", "x.c" }, 2, "no option `--prot`; did you mean `--port`?" },
        { { "run", "--prot=1", "x.c" }, 2, "no option `--prot`; did you mean `--port`?" },
        { { "run", "--bakend", "epoll", "x.c" }, 2, "did you mean `--backend`?" },
        { { "run", "--zzz", "x.c" }, 2, "no option `--zzz`\n" },
        { { "run", "x.c", "--port" }, 2, "--port needs a value" },
        { { "run", "x.c", "--host=" }, 2, "--host needs a value that is not empty" },
        { { "run", "x.c", "--port", "http" }, 2, "from 0 to 65535, not `http`" },
        { { "run", "x.c", "--port", "65536" }, 2, "from 0 to 65535, not `65536`" },
        { { "run", "x.c", "--port", "-1" }, 2, "from 0 to 65535, not `-1`" },
        { { "run", "x.c", "y.c" }, 2, "one word too many: `y.c`" },
        { { "run", "absent.c" }, 1, "no file absent.c" },
        { { "run", "absent.c:app" }, 1, "no file absent.c" },
        { { "run", "absent.c:1app" }, 2, "`1app` is not a name in C" },
        { { "run", "." }, 1, ". is a folder" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct program p;
        const char *argv[9] = { "eddy" };
        memcpy(&argv[1], cases[i].argv, sizeof cases[i].argv);
        int r = program_run(&p, argv);
        if (!EDDY_CHECK_EQ(r, cases[i].status) || !EDDY_CHECK(strstr(p.text, cases[i].says)))
            EDDY_CHECK_FAIL("case %zu (%s %s): it said: %s", i, argv[1], argv[2] ? argv[2] : "",
                            p.text);
    }
}

/* --- files that cannot be served ------------------------------------------------------------------ */

EDDY_TEST(a_compile_error_is_shown_as_the_compiler_gave_it)
{
    static struct program ours, compilers;

    EDDY_CHECK(program_file("bad.c", INCLUDE "int x = ;\nint y = undeclared;\n"));
    EDDY_CHECK_EQ(program_run(&ours, PROGRAM_ARGV("eddy", "run", "bad.c")), 1);
    EDDY_CHECK_EQ(
        program_run(&compilers, PROGRAM_ARGV("/usr/bin/env", "cc", "-Wall", "-O1", "-fsyntax-only",
                                             "-I" EDDY_BIN_DIR "/../include", "bad.c")),
        1);
    EDDY_CHECK_STR(ours.text, compilers.text);
    EDDY_CHECK(strstr(ours.text, "expected expression"));
    EDDY_CHECK_EQ(files_in_tmp(), 0);
}

EDDY_TEST(a_name_that_nobody_defines_is_the_linkers_error)
{
    static struct program p;

    EDDY_CHECK(program_file("undefined.c",
                            INCLUDE "extern int absent(void);\n"
                                    "int f(void); int f(void) { return absent(); }\n"));
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("eddy", "run", "undefined.c")), 1);
    EDDY_CHECK(strstr(p.text, "undefined reference to `absent'"));
}

EDDY_TEST(a_file_without_an_application_is_shown_the_line_to_add)
{
    static struct program p;

    EDDY_CHECK(program_file("no.c",
                            INCLUDE PAGE "int keep(struct eddy_request *, struct eddy_reply *);\n"
                                         "int keep(struct eddy_request *a, struct eddy_reply *b)"
                                         "{ return page(a, b); }\n"
                                         "int function(void);int function(void) { return 1; }\n"
                                         "char small = 1;\n"));
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("eddy", "run", "no.c")), 1);
    EDDY_CHECK(strstr(p.text, "no.c has no application called `app`"));
    EDDY_CHECK(strstr(p.text, "\n    EDDY_APP(app, EDDY_ROUTES(routes));\n"));
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("eddy", "run", "no.c:function")), 1);
    EDDY_CHECK(strstr(p.text, "`function` in no.c is not an application"));
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("eddy", "run", "no.c:small")), 1);
    EDDY_CHECK(strstr(p.text, "`small` in no.c is not an application"));
    EDDY_CHECK_EQ(files_in_tmp(), 0);
}

EDDY_TEST(no_compiler_is_said_so)
{
    static struct program p;

    EDDY_CHECK(program_file("hello.c", hello));
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("/usr/bin/env", "CC=no-such-cc",
                                               EDDY_BIN_DIR "/eddy", "run", "hello.c")),
                  1);
    EDDY_CHECK(strstr(p.text, "the compiler `no-such-cc` cannot be started"));
    EDDY_CHECK_EQ(files_in_tmp(), 0);
}

/* --- serving -------------------------------------------------------------------------------------- */

/* Compiled, serving, and its port known. */
static bool serve(struct program *p, bool terminal, const char *file, const char *source)
{
    return EDDY_CHECK(program_file(file, source)) &&
           EDDY_CHECK(
               program_start(p, terminal, PROGRAM_ARGV("eddy", "run", "--port", "0", file))) &&
           (program_await(p, "Ctrl-C ends it") || EDDY_CHECK_FAIL("it said: %s", p->text)) &&
           EDDY_CHECK(program_port(p) > 0);
}

static int status_of(const struct program *p, char *body, size_t cap)
{
    char url[64];
    EDDY_AUTO(eddy_response) page = { 0 };

    snprintf(url, sizeof url, "http://127.0.0.1:%d/", program_port(p));
    int r = eddy_fetch(url, NULL, &page);
    if (body && r == 0)
        snprintf(body, cap, "%.*s", EDDY_SLICE_ARG(page.body));
    return r < 0 ? r : page.status;
}

EDDY_TEST(a_file_is_compiled_and_served_until_ctrl_c)
{
    static struct program p;
    char body[64] = "";

    if (!serve(&p, false, "hello.c", hello))
        return;
    EDDY_CHECK(strstr(p.text, "eddy: serving `app` on http://127.0.0.1:"));
    EDDY_CHECK_EQ(status_of(&p, body, sizeof body), 200);
    EDDY_CHECK_STR(body, "Hello.\n");
    kill(p.pid, SIGINT);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
    EDDY_CHECK_EQ(files_in_tmp(), 0);
}

EDDY_TEST(the_program_in_the_readme_works)
{
    static struct program p;
    static char readme[32768];
    char body[64] = "";
    FILE *f = fopen(EDDY_TESTS_DIR "/../README.md", "r");

    if (!EDDY_CHECK(f))
        return;
    readme[fread(readme, 1, sizeof readme - 1, f)] = '\0';
    fclose(f);
    char *begin = strstr(readme, "```c\n");
    char *end = begin ? strstr(begin, "\n```\n") : NULL;
    if (!EDDY_CHECK(end))
        return;
    end[1] = '\0';
    if (!serve(&p, false, "readme.c", begin + 5))
        return;
    EDDY_CHECK(strncmp(p.text, "eddy: serving", 13) == 0); /* no warning before it */
    EDDY_CHECK_EQ(status_of(&p, body, sizeof body), 200);
    EDDY_CHECK(body[0] && strstr(end + 2, body)); /* the README shows what it answers */
    kill(p.pid, SIGINT);
    EDDY_CHECK(program_end(&p));
}

EDDY_TEST(a_main_in_the_file_is_not_called)
{
    static struct program p;

    if (!serve(&p, false, "main.c",
               INCLUDE "#include <stdlib.h>\n" PAGE ROUTES APP "int main(void) { abort(); }\n"))
        return;
    EDDY_CHECK_EQ(status_of(&p, NULL, 0), 200);
    kill(p.pid, SIGTERM);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
}

EDDY_TEST(an_application_of_another_name_is_found)
{
    static struct program p;

    EDDY_CHECK(
        program_file("shop.c", INCLUDE PAGE ROUTES "EDDY_APP(shop, EDDY_ROUTES(routes));\n"));
    EDDY_CHECK(program_start(&p, false,
                             PROGRAM_ARGV("eddy", "run", "shop.c:shop", "--port=0",
                                          "--backend=poll", "--host", "127.0.0.1")));
    EDDY_CHECK(program_await(&p, "(poll), Ctrl-C ends it"));
    EDDY_CHECK(strstr(p.text, "serving `shop` on"));
    EDDY_CHECK_EQ(status_of(&p, NULL, 0), 200);
    kill(p.pid, SIGINT);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
}

EDDY_TEST(a_port_in_use_is_said_with_how_to_mend_it)
{
    static struct program first, second;
    char port[16];

    if (!serve(&first, false, "hello.c", hello))
        return;
    snprintf(port, sizeof port, "%d", program_port(&first));
    EDDY_CHECK_EQ(program_run(&second, PROGRAM_ARGV("eddy", "run", "hello.c", "--port", port)), 1);
    EDDY_CHECK(strstr(second.text, "another program listens on 127.0.0.1:"));
    EDDY_CHECK(strstr(second.text, "--port"));
    EDDY_CHECK_EQ(program_run(&second, PROGRAM_ARGV("eddy", "run", "hello.c", "--backend", "epol")),
                  1);
    EDDY_CHECK(strstr(second.text, "no backend `epol`, did you mean `epoll`?"));
    EDDY_CHECK_EQ(status_of(&first, NULL, 0), 200);
    kill(first.pid, SIGINT);
    EDDY_CHECK(program_end(&first));
}

struct visit_args {
    const struct program *p;
    int *status;
};

static int visit(struct visit_args *a)
{
    *a->status = status_of(a->p, NULL, 0);
    return 0;
}
EDDY_TASK(visit);

/* A request runs, then @interrupt; what it got, and how long that took. */
static int status_after(struct program *p, void (*interrupt)(struct program *p), int64_t *ret_ms)
{
    int status = 1;
    EDDY_SCOPE(visitors, .timeout_ms = 20000);

    EDDY_GO(&visitors, visit, .p = p, .status = &status);
    for (int i = 0; i < 3000 && !strstr(p->text, "asked"); i++) {
        eddy_sleep(1); /* the visitor's turn; what the program says is read without waiting */
        if (i % 20 == 19)
            program_await(p, "asked");
    }
    int64_t began = eddy_now_ns();
    interrupt(p);
    EDDY_CHECK_EQ(eddy_join(&visitors), 0);
    *ret_ms = (eddy_now_ns() - began) / 1000000;
    return status;
}

static void one_ctrl_c(struct program *p)
{
    kill(p->pid, SIGINT);
}

static void two_ctrl_c(struct program *p)
{
    kill(p->pid, SIGINT);
    EDDY_CHECK(program_await(p, "Ctrl-C ends it now"));
    kill(p->pid, SIGINT);
}

static void ctrl_c_in_the_terminal(struct program *p)
{
    EDDY_CHECK_EQ(write(p->fd, "\x03", 1), 1);
}

/* The first visitor waits; those who come later do not. */
#define PATIENT                                                                                    \
    INCLUDE                                                                                        \
    "static int page(struct eddy_request *req, struct eddy_reply *reply)\n"                        \
    "{ static int seen; (void)req; if (seen++) return eddy_reply_text(reply, \"Hello.\\n\");\n"    \
    "  eddy_log(EDDY_LOG_WARNING, \"asked\"); int r = eddy_sleep(60000);\n"                        \
    "  return r < 0 ? r : eddy_reply_text(reply, \"At last.\\n\"); }\n" ROUTES APP

static void ctrl_backslash_then_two_ctrl_c(struct program *p)
{
    kill(p->pid, SIGQUIT);
    EDDY_CHECK(program_await(p, "eddy: end of the dump"));
    const char *dump = strstr(p->text, "eddy: dump of a loop (");
    const char *task = dump ? strstr(dump, "waiting for sleep, ") : NULL;
    if (!EDDY_CHECK(task))
        EDDY_CHECK_FAIL("it said: %s", p->text);
    else if (!strstr(dump, "no stacks"))
        EDDY_CHECK(strstr(task, "    eddy_sleep\n") && strstr(task, "    page\n"));
    EDDY_CHECK_EQ(status_of(p, NULL, 0), 200);
    two_ctrl_c(p);
}

EDDY_TEST(ctrl_backslash_dumps_all_tasks_and_serves_on)
{
    static struct program p;
    int64_t ms;

    if (!serve(&p, false, "patient.c", PATIENT))
        return;
    EDDY_CHECK_EQ(status_after(&p, ctrl_backslash_then_two_ctrl_c, &ms), 503);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
}

EDDY_TEST(running_requests_have_their_grace_and_then_503)
{
    static struct program p;
    int64_t ms;

    if (!serve(&p, false, "slow.c", INCLUDE SLOW("60000") ROUTES APP))
        return;
    EDDY_CHECK_EQ(status_after(&p, one_ctrl_c, &ms), 503);
    EDDY_CHECK(ms >= 1490 && ms < 5000);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
}

EDDY_TEST(a_second_ctrl_c_ends_them_at_once)
{
    static struct program p;
    int64_t ms;

    if (!serve(&p, false, "slow.c", INCLUDE SLOW("60000") ROUTES APP))
        return;
    EDDY_CHECK_EQ(status_after(&p, two_ctrl_c, &ms), 503);
    EDDY_CHECK(ms < 1400);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
}

EDDY_TEST(ctrl_c_in_a_terminal_counts_once)
{
    static struct program p;
    int64_t ms;

    if (!serve(&p, true, "brief.c", INCLUDE SLOW("400") ROUTES APP))
        return;
    EDDY_CHECK_EQ(status_after(&p, ctrl_c_in_the_terminal, &ms), 200);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
    EDDY_CHECK_EQ(files_in_tmp(), 0);
}

EDDY_TEST(a_crash_is_named_and_leaves_nothing)
{
    static struct program p;

    if (!serve(&p, false, "crash.c",
               INCLUDE "#include <signal.h>\n"
                       "static int page(struct eddy_request *req, struct eddy_reply *reply)\n"
                       "{ (void)req; (void)reply; return raise(SIGKILL); }\n" ROUTES APP))
        return;
    EDDY_CHECK(status_of(&p, NULL, 0) < 0);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 128 + SIGKILL);
    EDDY_CHECK(strstr(p.text, "the application was ended by signal 9"));
    EDDY_CHECK_EQ(files_in_tmp(), 0);
}
