/*
 * program.h - run a program as a person would, and read what it says
 */
#ifndef EDDY_TESTS_SUPPORT_PROGRAM_H
#define EDDY_TESTS_SUPPORT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct program {
    pid_t pid;
    int fd;   /* where its standard output and error come out; in a terminal: the other end */
    int exit; /* set by program_end(): its status, or 128 and the signal that ended it */
    size_t len;
    char text[16384]; /* all it has said so far, terminated */
};

/* The eddy command just built: a test file knows where (EDDY_BIN_DIR), this one does not. */
extern const char *program_bin;

/* @argv[0] is a path; "eddy" means the one just built. @terminal: give it one of its own. */
bool program_start(struct program *p, bool terminal, const char *const *argv);

/* Read on until @what was said; false when it ends, or after 20 s. */
bool program_await(struct program *p, const char *what);

/* Read to the end, and wait for it. False after 20 s: then it was killed. */
bool program_end(struct program *p);

/* Start and end: its status. */
int program_run(struct program *p, const char *const *argv);

/* The port in "http://127.0.0.1:4711" of what it said; 0: none. */
int program_port(const struct program *p);

/* Write @text to a new file @name in this folder. */
bool program_file(const char *name, const char *text);

#define PROGRAM_ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

#endif
