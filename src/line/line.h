/*
 * line/line.h - reading lines, from inside
 */
#ifndef EDDY_LINE_LINE_H
#define EDDY_LINE_LINE_H

#include <eddy/buffer.h>
#include <eddy/line.h>
#include <eddy/stream.h>

#include <wchar.h>

struct line_editor;

struct eddy_line {
    struct line_editor *editor; /* NULL: there is no terminal */
    struct eddy_stream *in;
    char *history; /* a path, or NULL */
    size_t max_bytes;
    struct eddy_buffer line; /* the last one, and its end for the history's file */
    bool reading;
    bool too_long; /* the rest of such a line is still to come, without a terminal */
};

/* editor.c. A terminal's lines; @in is read from. */
int line_editor_new(struct eddy_stream *in, unsigned history_max, struct line_editor **ret_e);
void line_editor_free(struct line_editor *e);

/* 1: a line, appended to @line; 0: the end; -EINTR: Ctrl-C; or an error. Suspends. */
int line_editor_read(struct line_editor *e, const char *prompt, struct eddy_buffer *line);

/* Into the history; 1: it was, 0: not worth it (empty, or the one before again). */
int line_editor_remember(struct line_editor *e, const char *line, size_t len);

#endif
