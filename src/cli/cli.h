/*
 * cli/cli.h - what the files of the eddy command share
 *
 * Statuses are as with other programs: 0 it went well, 1 it did not, 2 the command line was wrong.
 * What is the matter is said on standard error, by the one who returns the status.
 */
#ifndef EDDY_CLI_CLI_H
#define EDDY_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* --- options.c -------------------------------------------------------------------------------- */

struct cli_option {
    const char *name;   /* "--port" */
    const char **value; /* where its value goes; NULL: it has none */
    bool *given;        /* may be NULL */
};

/*
 * Options may stand anywhere, as --port 80 or --port=80; -- ends them. @table ends with a NULL
 * name. Words that are no options go to @words (at most @cap; one too many is an error).
 * 0, or CLI_USAGE with the mistake told.
 */
int cli_options(const char *command, char **argv, const struct cli_option *table,
                const char **words, size_t cap);

/* "eddy run: ..." on standard error, and how to get help. Returns CLI_USAGE. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "eddy run: ..." on standard error. Returns CLI_FAILED. */
int cli_fail(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- where things are: paths.c ---------------------------------------------------------------- */

struct cli_paths {
    char self[4096];    /* this program */
    char include[4096]; /* the folder that holds eddy.h */
    char lib[4096];     /* the folder that holds libeddy */
};

/* Found beside the running program: in a build tree or an installed one. 0, or CLI_FAILED. */
int cli_paths_find(struct cli_paths *ret);

/* --- compile.c -------------------------------------------------------------------------------- */

/* Compile @source to the shared object @object. 0, CLI_FAILED, or 128 and the number of the signal
 * that ended the compiler. */
int cli_compile(const struct cli_paths *paths, const char *source, const char *object);

/* --- run.c, object.c -------------------------------------------------------------------------- */

int cli_run(char **argv);

/* Hidden: eddy run-object OBJECT NAME SOURCE HOST PORT BACKEND, where "" is the default. */
int cli_run_object(char **argv);

#endif
