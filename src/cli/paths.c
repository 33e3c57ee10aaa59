/*
 * cli/paths.c - where headers and libraries are, relative to the running program
 *
 * A build tree is laid out as an installed one (bin, lib, include side by side), so one rule serves
 * both and a tree that was moved still works. The build says how lib and include are reached from
 * bin; what exists decides.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef EDDY_LIB_FROM_BIN
#define EDDY_LIB_FROM_BIN "../lib"
#endif
#ifndef EDDY_INCLUDE_FROM_BIN
#define EDDY_INCLUDE_FROM_BIN "../include"
#endif

static const char *const include_places[] = { EDDY_INCLUDE_FROM_BIN, "../include", "../../include",
                                              NULL };
static const char *const lib_places[] = { EDDY_LIB_FROM_BIN, "../lib", "../lib64", "..", NULL };

/* The first of @places under @bin that holds @file, as an absolute path. */
static bool search(const char *bin, const char *const *places, const char *file, char *ret)
{
    for (; *places; places++) {
        char folder[4096];
        char path[8192];
        snprintf(folder, sizeof folder, "%.3000s/%s", bin, *places);
        snprintf(path, sizeof path, "%s/%s", folder, file);
        if (access(path, R_OK) == 0 && realpath(folder, ret))
            return true;
    }
    return false;
}

int cli_paths_find(struct cli_paths *ret)
{
    char bin[4096];

    ssize_t len = readlink("/proc/self/exe", ret->self, sizeof ret->self - 1);
    if (len <= 0)
        return cli_fail("run", "cannot find out where this program is (/proc is not there)");
    ret->self[len] = '\0';
    snprintf(bin, sizeof bin, "%s", ret->self);
    *strrchr(bin, '/') = '\0';

    if (!search(bin, include_places, "eddy.h", ret->include))
        return cli_fail("run", "eddy.h is not where it should be: %s/%s", bin,
                        EDDY_INCLUDE_FROM_BIN);
    if (!search(bin, lib_places, "libeddy-serve.so", ret->lib))
        return cli_fail("run", "libeddy-serve.so is not where it should be: %s/%s", bin,
                        EDDY_LIB_FROM_BIN);
    return CLI_OK;
}
