/*
 * cli/run.c - eddy run: compile, serve in a child, clean up
 *
 *   look        the file, the port: mistakes are told before the compiler is started
 *   compile     into a private folder under $TMPDIR
 *   serve       in a child, which is this program again (object.c)
 *   clean up    the folder, whatever happened; then the child's status
 *
 * Signals. The child has a process group of its own, so a Ctrl-C of the terminal reaches us alone
 * and is forwarded, once for each time. In one group it would arrive twice, and a second SIGINT
 * means "now". If we are killed outright, the kernel ends the child.
 */
#include "cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
    char source[4096];
    char name[128];
    const char *host, *port, *backend; /* "": the default */
    struct cli_paths paths;
    char folder[4096];
    char object[4096 + 16];
};

/* --- look ----------------------------------------------------------------------------------------- */

static bool is_identifier(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

    return *text && strspn(text, letters) > 0 &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] ==
               '\0';
}

/* FILE or FILE:NAME; a file whose own name has a colon is found, too. */
static int take_apart(struct run *run, const char *word)
{
    assert(word);
    const char *colon = strrchr(word, ':');
    struct stat st;

    snprintf(run->name, sizeof run->name, "app");
    snprintf(run->source, sizeof run->source, "%s", word);
    if (!colon || stat(word, &st) == 0)
        return CLI_OK;
    if (!is_identifier(colon + 1))
        return cli_usage("run", "`%s` is not a name in C (behind the colon of %s)", colon + 1,
                         word);
    snprintf(run->name, sizeof run->name, "%s", colon + 1);
    snprintf(run->source, sizeof run->source, "%.*s", (int)(colon - word), word);
    return CLI_OK;
}

static int look_at_file(const char *source)
{
    struct stat st;

    if (stat(source, &st) < 0)
        return errno == ENOENT ? cli_fail("run", "there is no file %s", source)
                               : cli_fail("run", "%s: %s", source, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return cli_fail("run", "%s is a folder; name the C file in it", source);
    if (access(source, R_OK) < 0)
        return cli_fail("run", "%s cannot be read: %s", source, strerror(errno));
    return CLI_OK;
}

static int look_at_port(const char *text)
{
    char *end;

    if (!*text)
        return CLI_OK;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || *end || text[0] < '0' || text[0] > '9' || n > 65535)
        return cli_usage("run", "--port wants a number from 0 to 65535, not `%s`", text);
    return CLI_OK;
}

/* --- signals -------------------------------------------------------------------------------------- */

static const int forwarded[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define FORWARDED (sizeof forwarded / sizeof forwarded[0])

static volatile sig_atomic_t child; /* 0: none yet, or no longer */
static volatile sig_atomic_t came;  /* the last signal */

static void forward(int signo)
{
    int saved = errno;

    came = signo;
    if (child > 0)
        kill((pid_t)child, signo == SIGHUP ? SIGTERM : signo);
    errno = saved;
}

static void set_signals(void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FORWARDED; i++)
        sigaction(forwarded[i], &action, NULL);
}

static void block_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < FORWARDED; i++)
        sigaddset(&set, forwarded[i]);
    sigprocmask(how, &set, NULL);
}

/* --- the child -------------------------------------------------------------------------------------- */

static void become_child(const struct run *run, pid_t parent)
{
    const char *argv[] = { "eddy",    "run-object", run->object,  run->name, run->source,
                           run->host, run->port,    run->backend, NULL };

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(CLI_FAILED); /* it died before we asked to be told */
    set_signals(SIG_DFL);
    block_signals(SIG_UNBLOCK);
    execv(run->paths.self, (char **)(size_t)argv);
    cli_fail("run", "%s cannot be started: %s", run->paths.self, strerror(errno));
    _exit(CLI_FAILED);
}

static int child_status(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    cli_fail("run", "the application was ended by signal %d (%s)%s", WTERMSIG(status),
             strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
    return 128 + WTERMSIG(status);
}

static int serve_in_child(const struct run *run)
{
    pid_t parent = getpid();
    int status;

    /* Blocked over the fork: no signal may fall between the two, or reach a child that still has
     * our handler. */
    block_signals(SIG_BLOCK);
    if (came) {
        block_signals(SIG_UNBLOCK);
        return 128 + came;
    }
    pid_t pid = fork();
    if (pid == 0)
        become_child(run, parent);
    child = pid;
    block_signals(SIG_UNBLOCK);
    if (pid < 0)
        return cli_fail("run", "no process for the application: %s", strerror(errno));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return cli_fail("run", "lost sight of the application: %s", strerror(errno));
    child = 0;
    return child_status(status);
}

/* --- all of it -------------------------------------------------------------------------------------- */

static int make_folder(struct run *run)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(run->folder, sizeof run->folder, "%.4000s/eddy-run-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(run->folder))
        return cli_fail("run", "no folder for the compiled object in %s: %s",
                        tmp && *tmp ? tmp : "/tmp", strerror(errno));
    snprintf(run->object, sizeof run->object, "%s/app.so", run->folder);
    return CLI_OK;
}

static void remove_folder(const struct run *run)
{
    unlink(run->object);
    rmdir(run->folder);
}

static int compile_and_serve(struct run *run)
{
    set_signals(forward);
    int r = make_folder(run);
    if (r != CLI_OK)
        return r;
    r = cli_compile(&run->paths, run->source, run->object);
    if (r == CLI_OK)
        r = serve_in_child(run);
    remove_folder(run);
    return r;
}

int cli_run(char **argv)
{
    static struct run run = { .host = "", .port = "", .backend = "" };
    const struct cli_option table[] = {
        { "--host", &run.host, NULL },
        { "--port", &run.port, NULL },
        { "--backend", &run.backend, NULL },
        { NULL, NULL, NULL },
    };
    const char *file = NULL;

    int r = cli_options("run", argv, table, &file, 1);
    if (r == CLI_OK && !file)
        r = cli_usage("run", "which file? For example: eddy run hello.c");
    if (r == CLI_OK)
        r = look_at_port(run.port);
    if (r == CLI_OK)
        r = take_apart(&run, file);
    if (r == CLI_OK)
        r = look_at_file(run.source);
    if (r == CLI_OK)
        r = cli_paths_find(&run.paths);
    return r == CLI_OK ? compile_and_serve(&run) : r;
}
