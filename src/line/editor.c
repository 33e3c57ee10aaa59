/*
 * line/editor.c - libedit on a task's stack
 *
 * libedit is written to block: in a callback that gets a key, and in writes to a FILE. Both are
 * ours and suspend the task, so its stack simply waits with libedit on it. The rest of the thread
 * runs meanwhile, and must not see what libedit needs: its locale, which is put in place for each
 * stay in it only (enter, leave), since how it draws a character depends on that.
 *
 * The terminal is made raw by eddy/terminal.h before libedit looks at it. So what libedit takes for
 * the ordinary state is raw already, and giving it back is the guard's business alone.
 */
#include "line/line.h"

#include "base/memory.h"
#include "codec/utf8.h"

#include <eddy/stdio.h>
#include <eddy/terminal.h>

#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

struct line_editor {
    EditLine *edit; /* made by the first read, when the terminal is raw */
    HistoryW *history;
    FILE *out;
    FILE *nothing;
    struct eddy_stream *in;
    locale_t utf8;
    locale_t before; /* the thread's, while libedit runs */
    wchar_t prompt[256];
    struct eddy_terminal_size size;
    unsigned rows; /* that libedit was told of for this line: never fewer than before */
    int why;       /* a read ended without a line: 0 the end, or an error */
    char bytes[64];
    size_t at, end; /* of what came, and no key was made of */
};

static void enter(struct line_editor *e)
{
    e->before = uselocale(e->utf8);
}

static void leave(struct line_editor *e)
{
    (void)uselocale(e->before);
}

/* --- characters ------------------------------------------------------------------------------- */

/* The character at @text and its length; 0: it is cut short. What is none becomes U+FFFD. */
static size_t from_utf8(const char *text, size_t len, wchar_t *ret)
{
    const unsigned char *c = (const unsigned char *)text;
    const size_t want = *c < 0x80 ? 1 : *c >= 0xf0 ? 4 : *c >= 0xe0 ? 3 : 2;
    size_t step = eddy__utf8_step(text, len);

    if (!step) {
        *ret = 0xfffd;
        return *c >= 0xc2 && *c < 0xf5 && len < want ? 0 : 1;
    }
    uint32_t code = step == 1 ? *c : *c & (0x7fu >> step);
    for (size_t i = 1; i < step; i++)
        code = code << 6 | (c[i] & 0x3fu);
    *ret = (wchar_t)code;
    return step;
}

static int append_utf8(struct eddy_buffer *b, uint32_t code)
{
    char c[4];
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    if (len == 1) {
        c[0] = (char)code;
    } else {
        for (size_t i = len; i-- > 1; code >>= 6)
            c[i] = (char)(0x80 | (code & 0x3f));
        c[0] = (char)((0xf00 >> len & 0xff) | code);
    }
    return eddy_buffer_append(b, c, len);
}

/* --- what libedit calls ----------------------------------------------------------------------- */

static struct line_editor *editor_of(EditLine *edit)
{
    void *e = NULL;

    el_wget(edit, EL_CLIENTDATA, &e);
    return e;
}

static wchar_t *prompt_of(EditLine *edit)
{
    return editor_of(edit)->prompt;
}

static void tell_size(struct line_editor *e, const wchar_t *what, unsigned count)
{
    wchar_t text[16];

    (void)swprintf(text, sizeof text / sizeof *text, L"%u", count);
    el_wset(e->edit, EL_SETTC, what, text, NULL);
}

/* el_resize() keeps the cursor where it was, which in fewer rows may be outside of its memory. So
 * the rows never become fewer while a line is edited; the next line begins with what they are. */
static void look_at_size(struct line_editor *e)
{
    struct eddy_terminal_size now;

    if (eddy_terminal_size(STDIN_FILENO, &now) < 0 ||
        (now.columns == e->size.columns && now.rows == e->size.rows))
        return;
    e->size = now;
    e->rows = now.rows > e->rows ? now.rows : e->rows;
    tell_size(e, L"li", e->rows);
    tell_size(e, L"co", now.columns > 1 ? now.columns : 80);
}

/* 1: a key, 0: the end of input. Suspends. */
static int get(EditLine *edit, wchar_t *ret)
{
    struct line_editor *e = editor_of(edit);

    for (;;) {
        size_t len = e->end - e->at;
        size_t step = len ? from_utf8(e->bytes + e->at, len, ret) : 0;
        if (step) {
            e->at += step;
            break;
        }
        memmove(e->bytes, e->bytes + e->at, len);
        e->at = 0;
        e->end = len;
        leave(e);
        ssize_t n = eddy_read(e->in, e->bytes + len, sizeof e->bytes - len);
        enter(e);
        if (n <= 0) {
            e->why = (int)n;
            return 0;
        }
        e->end += (size_t)n;
        look_at_size(e);
    }
    if (*ret != 3) /* Ctrl-C, which is no signal while the terminal is raw */
        return 1;
    e->why = -EINTR;
    return 0;
}

static ssize_t put(void *cookie, const char *bytes, size_t len)
{
    struct line_editor *e = cookie;

    leave(e);
    int r = eddy_write(eddy_stdout(), bytes, len);
    enter(e);
    return r < 0 ? 0 : (ssize_t)len;
}

static ssize_t put_nowhere(void *cookie, const char *bytes, size_t len)
{
    (void)cookie, (void)bytes;
    return (ssize_t)len;
}

/* --- the editor ------------------------------------------------------------------------------- */

int line_editor_new(struct eddy_stream *in, unsigned history_max, struct line_editor **ret_e)
{
    struct line_editor *e = eddy__zalloc(sizeof *e);
    HistEventW event;

    if (!e)
        return -ENOMEM;
    e->in = in;
    e->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (!e->utf8) /* as the user has it, then */
        e->utf8 = newlocale(LC_CTYPE_MASK, "", NULL);
    e->out = fopencookie(e, "w", (cookie_io_functions_t){ .write = put });
    e->nothing = fopencookie(e, "w", (cookie_io_functions_t){ .write = put_nowhere });
    e->history = history_winit();
    if (!e->utf8 || !e->out || !e->nothing || !e->history ||
        history_w(e->history, &event, H_SETSIZE, (int)history_max) < 0) {
        line_editor_free(e);
        return -ENOMEM;
    }
    *ret_e = e;
    return 0;
}

void line_editor_free(struct line_editor *e)
{
    if (!e)
        return;
    if (e->edit) {
        el_wset(e->edit, EL_EDITMODE, 0); /* else it puts back the modes that it began in: raw */
        el_end(e->edit);
    }
    if (e->history)
        history_wend(e->history);
    if (e->nothing)
        (void)fclose(e->nothing);
    if (e->out)
        (void)fclose(e->out); /* nothing is left in it: libedit has flushed it */
    if (e->utf8)
        freelocale(e->utf8);
    eddy__free(e, sizeof *e);
}

static int make(struct line_editor *e)
{
    e->edit = el_init_fd("eddy", stdin, e->out, e->nothing, STDIN_FILENO, STDOUT_FILENO,
                         STDERR_FILENO);
    if (!e->edit)
        return -ENOMEM;
    el_wset(e->edit, EL_CLIENTDATA, e);
    el_wset(e->edit, EL_GETCFN, get);
    el_wset(e->edit, EL_PROMPT, prompt_of);
    el_wset(e->edit, EL_EDITOR, L"emacs");
    el_wset(e->edit, EL_SIGNAL, 0);
    el_wset(e->edit, EL_SETTY, L"-d", L"-isig", NULL); /* Ctrl-C is a key */
    /* And while it draws: it goes back to what it takes for the ordinary state between two keys. */
    el_wset(e->edit, EL_SETTY, L"-x", L"-isig", L"-icanon", L"-echo", NULL);
    el_wset(e->edit, EL_HIST, history_w, e->history);
    el_wset(e->edit, EL_BIND, L"^R", L"em-inc-search-prev", NULL);
    return 0;
}

static void set_prompt(struct line_editor *e, const char *prompt)
{
    size_t left = strlen(prompt), used = 0, step;

    while (left && used < sizeof e->prompt / sizeof *e->prompt - 1 &&
           (step = from_utf8(prompt, left, &e->prompt[used]))) {
        used++;
        prompt += step;
        left -= step;
    }
    e->prompt[used] = L'\0';
}

static int edit(struct line_editor *e, struct eddy_buffer *line)
{
    int count = 0, r = 0;

    e->why = 0;
    const wchar_t *text = el_wgets(e->edit, &count);
    if (!text || count <= 0 || e->why) {
        e->at = e->end; /* of a line that was given up nothing is left to be read */
        return e->why;
    }
    if (text[count - 1] == L'\n')
        count--;
    for (int i = 0; i < count && r == 0; i++)
        r = append_utf8(line, (uint32_t)text[i]);
    return r < 0 ? r : 1;
}

int line_editor_read(struct line_editor *e, const char *prompt, struct eddy_buffer *line)
{
    EDDY_OWN(eddy_terminal) t = NULL;

    int r = eddy_terminal_raw(STDIN_FILENO, NULL, &t);
    if (r < 0)
        return r;
    set_prompt(e, prompt);
    (void)eddy_terminal_size(STDIN_FILENO, &e->size);
    e->rows = e->size.rows ? e->size.rows : 24; /* what libedit takes for none */
    enter(e);
    if (!e->edit)
        r = make(e);
    else
        el_resize(e->edit); /* it may have changed between two lines */
    if (r == 0)
        r = edit(e, line);
    (void)fflush(e->out);
    leave(e);
    if (r <= 0 && (r == 0 || r == -EINTR))
        (void)eddy_write_text(eddy_stdout(), r ? "^C\n" : "\n");
    return r;
}

int line_editor_remember(struct line_editor *e, const char *line, size_t len)
{
    HistEventW event;
    size_t used = 0, step;

    if (len == 0)
        return 0;
    wchar_t *text = eddy__alloc((len + 1) * sizeof *text);
    if (!text)
        return -ENOMEM;
    for (size_t at = 0; at < len && (step = from_utf8(line + at, len - at, &text[used]));
         at += step)
        used++;
    text[used] = L'\0';
    bool again = history_w(e->history, &event, H_FIRST) >= 0 && wcscmp(event.str, text) == 0;
    int r = again ? 0 : history_w(e->history, &event, H_ENTER, text) < 0 ? -ENOMEM : 1;
    eddy__free(text, (len + 1) * sizeof *text);
    return r;
}
