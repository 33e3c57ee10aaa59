/*
 * cli/compile.c - one C file to a shared object
 *
 * The compiler writes to our own standard error, untouched: colours, carets and all. Unresolved
 * names are an error here (-z defs), where the linker can say which line uses them, instead of at
 * dlopen(), where nobody can.
 */
#include "cli/cli.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 64

struct args {
    char *at[ARGS_MAX + 1];
    size_t count;
};

static void add(struct args *a, const char *word)
{
    if (a->count < ARGS_MAX)
        a->at[a->count++] = (char *)(size_t)word;
}

/* $CC may be several words: "ccache gcc -m32". */
static void add_words(struct args *a, char *words)
{
    for (char *save, *w = strtok_r(words, " \t", &save); w && a->count < ARGS_MAX / 2;
         w = strtok_r(NULL, " \t", &save))
        add(a, w);
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return cli_fail("run", "lost sight of the compiler: %s", strerror(errno));
    if (WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return WEXITSTATUS(status) == 0 ? CLI_OK : CLI_FAILED;
}

int cli_compile(const struct cli_paths *paths, const char *source, const char *object)
{
    static const char *const flags[] = {
        "-g",          "-O1", "-Wall", "-fPIC", "-shared", "-pthread", "-fstack-clash-protection",
        "-Wl,-z,defs",
    };
    static const char *const libraries[] = {
        "-leddy-serve", "-leddy-web", "-leddy-http", "-leddy-tls", "-leddy",
    };
    const char *cc = getenv("CC");
    char words[1024];
    char include[4096 + 2];
    char lib[4096 + 2];
    char rpath[4096 + 16];
    struct args a = { .count = 0 };
    pid_t pid;

    snprintf(words, sizeof words, "%s", cc && cc[strspn(cc, " \t")] ? cc : "cc");
    snprintf(include, sizeof include, "-I%s", paths->include);
    snprintf(lib, sizeof lib, "-L%s", paths->lib);
    snprintf(rpath, sizeof rpath, "-Wl,-rpath,%s", paths->lib);
    add_words(&a, words);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        add(&a, flags[i]);
    add(&a, include);
    add(&a, "-o");
    add(&a, object);
    /* Whatever the file is called, it is C. */
    add(&a, "-x");
    add(&a, "c");
    add(&a, source);
    add(&a, "-x");
    add(&a, "none");
    add(&a, lib);
    add(&a, rpath);
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++)
        add(&a, libraries[i]);

    int error = posix_spawnp(&pid, a.at[0], NULL, NULL, a.at, environ);
    if (error)
        return cli_fail("run",
                        "the compiler `%s` cannot be started: %s; install one (apt-get install "
                        "gcc), or name yours in CC",
                        a.at[0], strerror(error));
    return wait_for(pid);
}
