/*
 * terminal/terminal.h - a raw terminal from inside
 */
#ifndef EDDY_TERMINAL_TERMINAL_H
#define EDDY_TERMINAL_TERMINAL_H

#include "terminal/guard.h"

#include <eddy/keys.h>
#include <eddy/stream.h>
#include <eddy/terminal.h>

struct eddy_terminal {
    struct eddy_guard *guard;
    struct eddy_stream *stream; /* made by the first eddy_keys_next() */
    struct eddy_keys keys;
    int fd;
    unsigned escape_ms;
    bool reading; /* a task is in eddy_keys_next() */
    bool ended;
    const char *at; /* in `bytes`, what is not decoded yet */
    const char *end;
    char bytes[256];
};

#endif
