/*
 * scratch.h - a folder of the test's own, on the real disk or the simulated one
 */
#ifndef EDDY_TESTS_FILE_SCRATCH_H
#define EDDY_TESTS_FILE_SCRATCH_H

#include "check.h"

#include <eddy/file.h>
#include <eddy/path.h>
#include <eddy/task.h>
#include <eddy/whole_file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path in the folder, which is made when first asked for; eight of them live at a time. "": itself. */
const char *scratch(const char *name);
bool on_sim(void);

/* A file with that text, through eddy. */
void scratch_put(const char *path, const char *text);
/* It has that text; NULL: it is not there. */
bool scratch_has(const char *path, const char *text);
/* How many names are in the real folder. */
int scratch_count(const char *path);
/* From now on the @k-th system call on files, made outside the ring, fails: -EIO; 0: none does. False:
 * the last time there were fewer than that. */
bool scratch_fail(int k);
bool scratch_failed(void);
/* For eddy_check_teardown(). */
void scratch_clean(void);

/* Run @fn once as a callback of the loop. */
void in_callback(void (*fn)(void *ctx), void *ctx);

/* A small file system of its own at @path (a tmpfs of 64 KiB), or false: not root, say so and leave out. */
bool scratch_mount(const char *path, bool read_only);
void scratch_unmount(const char *path);

#endif
