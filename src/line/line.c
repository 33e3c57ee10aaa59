/*
 * line/line.c - which way lines come; their history and its file
 *
 * The file is text, a line a line. It is read when reading begins, and cut down then where it has
 * more lines than are kept; each new line is appended by one write, so programs may share it.
 */
#include "line/line.h"

#include "base/memory.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/file.h>
#include <eddy/stdio.h>
#include <eddy/terminal.h>
#include <eddy/whole_file.h>

#include <unistd.h>

#define HISTORY_BYTES ((size_t)4 << 20)
#define LINE_BYTES ((size_t)65536)

/* --- history ---------------------------------------------------------------------------------- */

/* Of @text, where its last @count lines begin; and how many it has more. */
static const char *last_lines(struct eddy_slice text, size_t count, size_t *ret_more)
{
    const char *at = text.ptr + text.len, *first = at;
    size_t lines = 0;

    while (at > text.ptr) {
        const char *before = at - 1;
        while (before > text.ptr && before[-1] != '\n')
            before--;
        if (lines++ < count)
            first = before;
        at = before;
    }
    *ret_more = lines > count ? lines - count : 0;
    return first;
}

static int remember_all(struct line_editor *e, const char *at, const char *end)
{
    int r = 0;

    while (at < end && r >= 0) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        r = line_editor_remember(e, at, (size_t)(stop - at));
        at = stop + 1;
    }
    return r < 0 ? r : 0;
}

static int load(struct eddy_line *l, unsigned max, struct eddy_error *err)
{
    struct eddy_buffer file = { 0 };
    size_t more = 0;

    int r = eddy_file_read_all(l->history, HISTORY_BYTES, &file, err);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    struct eddy_slice text = eddy_buffer_bytes(&file);
    const char *first = text.len ? last_lines(text, max, &more) : text.ptr;
    const char *end = text.ptr + text.len;
    if (more)
        r = eddy_file_replace(l->history, first, (size_t)(end - first), NULL);
    if (r >= 0)
        r = remember_all(l->editor, first, end);
    eddy_buffer_done(&file);
    return r;
}

/* The line is in ->line; its end is added, for the one write. */
static int save(struct eddy_line *l)
{
    struct eddy_file *f = NULL;

    int r = eddy_buffer_append(&l->line, "\n", 1);
    if (r == 0)
        r = eddy_file_open(l->history, O_WRONLY | O_CREAT | O_APPEND, 0600, &f);
    if (r < 0)
        return r;
    struct eddy_slice bytes = eddy_buffer_bytes(&l->line);
    r = eddy_file_write(f, bytes.ptr, bytes.len, 0);
    (void)eddy_file_close(f);
    return r;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* The rest of a line that was too long, with its end. */
static int skip_the_rest(struct eddy_line *l)
{
    char scrap[2048];

    while (l->too_long) {
        ssize_t n = eddy_read_until(l->in, EDDY_SLICE("\n"), scrap, sizeof scrap);
        l->too_long = n == -EDDY_ETOOBIG;
        if (n == -EDDY_ETOOBIG || n == -EDDY_EEOF) /* what came is taken: it has no end in it */
            n = eddy_read(l->in, scrap, sizeof scrap);
        if (n < 0) {
            l->too_long = true;
            return (int)n;
        }
    }
    return 0;
}

static int read_plain(struct eddy_line *l)
{
    int r = skip_the_rest(l);
    if (r < 0)
        return r;
    EDDY_AUTO(eddy_lines) lines = eddy_lines(l->in, EDDY_OPT(lines, .max_bytes = l->max_bytes));
    if (!eddy_lines_next(&lines)) {
        l->too_long = lines.status == -EDDY_ETOOBIG;
        return lines.status;
    }
    r = eddy_buffer_append(&l->line, lines.line.ptr, lines.line.len);
    return r < 0 ? r : 1;
}

static int read_edited(struct eddy_line *l, const char *prompt)
{
    int r = line_editor_read(l->editor, prompt ? prompt : "", &l->line);

    if (r == 1 && eddy_buffer_bytes(&l->line).len > l->max_bytes)
        r = -EDDY_ETOOBIG;
    return r;
}

int eddy_line_read(struct eddy_line *l, const char *prompt, struct eddy_slice *ret_line)
{
    int r = eddy__wait_check();

    if (r < 0)
        return r;
    if (l->reading)
        return -EBUSY;
    l->reading = true;
    eddy_buffer_take(&l->line, eddy_buffer_bytes(&l->line).len);
    r = l->editor ? read_edited(l, prompt) : read_plain(l);
    size_t len = eddy_buffer_bytes(&l->line).len;
    if (r == 1 && l->editor) {
        int kept = line_editor_remember(l->editor, eddy_buffer_bytes(&l->line).ptr, len);
        if (kept == 1 && l->history)
            kept = save(l);
        r = kept < 0 ? kept : 1;
    }
    l->reading = false;
    if (r == 1)
        *ret_line = (struct eddy_slice){ eddy_buffer_bytes(&l->line).ptr, len };
    return r;
}

static int open_line(const struct eddy_line_options *o, struct eddy_line *l)
{
    const unsigned max = o->max_history ? o->max_history : 1000;

    l->in = eddy_stdin();
    l->max_bytes = o->max_bytes ? o->max_bytes : LINE_BYTES;
    l->line = EDDY_BUFFER(l->max_bytes * 4 + 1); /* libedit's are counted when they are whole */
    int fd;
    int r = eddy_stream_info(l->in, EDDY_INFO_FD, &fd);
    if (r < 0) {
        char byte;
        r = (int)eddy_read(l->in, &byte, 1); /* which says why there is no stream */
        return eddy_error_set(o->error, r < 0 ? r : -EBADF, 0, "standard input cannot be read: %s",
                              eddy_strerror(r));
    }
    if (!eddy_terminal_is(STDIN_FILENO) || !eddy_terminal_is(STDOUT_FILENO))
        return 0;
    r = line_editor_new(l->in, max, &l->editor);
    if (r == 0 && o->history) {
        l->history = eddy__strdup(o->history);
        r = l->history ? load(l, max, o->error) : -ENOMEM;
    }
    return r;
}

int eddy_line_open(const struct eddy_line_options *options, struct eddy_line **ret_l)
{
    static const struct eddy_line_options none = { .size = sizeof none };

    int r = eddy__wait_check();
    if (r < 0)
        return r;
    r = eddy__sim_refuse(eddy__loop(), "terminals");
    if (r < 0)
        return r;
    struct eddy_line *l = eddy__zalloc(sizeof *l);
    if (!l)
        return -ENOMEM;
    r = open_line(options ? options : &none, l);
    if (r < 0)
        eddy_line_free(l);
    else
        *ret_l = l;
    return r;
}

void eddy_line_free(struct eddy_line *l)
{
    if (!l)
        return;
    assert(!l->reading && "a task reads a line");
    line_editor_free(l->editor);
    if (l->history)
        eddy__free(l->history, strlen(l->history) + 1);
    eddy_buffer_done(&l->line);
    eddy__free(l, sizeof *l);
}
