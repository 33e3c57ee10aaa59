/*
 * loop/debug.c - see debug.h
 *
 * Births stand in a table by their object's address. What a table has no memory for is not reported:
 * a debug aid must not make a program fail that works without.
 */
#include "loop/debug.h"
#include "loop/backtrace.h"

#include "base/log.h"
#include "base/memory.h"
#include "loop/stall.h"

#include <eddy/inspect.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024 /* a power of two */
#define FRAMES 12
#define REFUSALS 32 /* told apart; a server refuses the same callback thousands of times */
#define LINE_MAX_BYTES 512

struct birth {
    struct eddy_list link; /* in its bucket */
    const void *object;
    const char *what;
    uint8_t frames;
    struct eddy_frame frame[FRAMES];
};

struct eddy_debug {
    struct eddy_list buckets[BUCKETS];
    uintptr_t refused[REFUSALS]; /* where from */
};

/* --- lines ---------------------------------------------------------------------------------------- */

/* Below these a stack is the same for everybody. */
static bool is_the_loops(const char *name)
{
    return strcmp(name, "eddy__loop_iterate") == 0 || strcmp(name, "begin") == 0 ||
           strcmp(name, "eddy_switch_begin") == 0;
}

/* Above these: what of ours a call went through, on its way to the function that took note. */
static bool is_inside(const char *name)
{
    return strncmp(name, "eddy__", 6) == 0;
}

void eddy_debug_line(const struct eddy_frame *frame, size_t count, char *buf, size_t cap)
{
    size_t len = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < count && len + 1 < cap; i++) {
        char name[96];
        eddy__backtrace_name(frame[i].pc, name, sizeof name);
        if (is_the_loops(name))
            break;
        if (len == 0 && is_inside(name))
            continue;
        int n = snprintf(buf + len, cap - len, "%s%s", len ? " < " : "", name);
        len += n > 0 ? (size_t)n : 0;
    }
}

/* --- births --------------------------------------------------------------------------------------- */

static struct eddy_list *bucket_of(struct eddy_debug *debug, const void *object)
{
    return &debug->buckets[(uintptr_t)object / 16 & (BUCKETS - 1)];
}

static struct birth *find(struct eddy_debug *debug, const void *object)
{
    struct eddy_list *bucket = bucket_of(debug, object);

    for (struct eddy_list *l = bucket->next; l != bucket; l = l->next) {
        struct birth *b = eddy_container_of(l, struct birth, link);
        if (b->object == object)
            return b;
    }
    return NULL;
}

static void forget(struct birth *b)
{
    eddy_list_remove(&b->link);
    eddy__free(b, sizeof *b);
}

void eddy__debug_note_birth(struct eddy_loop *loop, const void *object, const char *what)
{
    struct birth *b;

    EDDY_FAULT_BENIGN_BEGIN();
    b = eddy__alloc(sizeof *b);
    EDDY_FAULT_BENIGN_END();
    if (!b)
        return;
    assert(!find(loop->debug, object));
    b->object = object;
    b->what = what;
    b->frames = (uint8_t)eddy__backtrace_here(b->frame, FRAMES);
    eddy_list_push(bucket_of(loop->debug, object), &b->link);
}

void eddy__debug_note_end(struct eddy_loop *loop, const void *object)
{
    struct birth *b = find(loop->debug, object);

    if (b)
        forget(b);
}

static void tell(const struct birth *b, const char *mistake)
{
    char line[LINE_MAX_BYTES];

    eddy_debug_line(b->frame, b->frames, line, sizeof line);
    eddy_log(EDDY_LOG_WARNING, "%s %s; made by %s", b->what, mistake,
             line[0] ? line : "somebody (no stacks)");
}

void eddy__debug_complain(struct eddy_loop *loop, const void *object, const char *mistake)
{
    struct birth *b = loop->debug ? find(loop->debug, object) : NULL;

    if (!b)
        return;
    tell(b, mistake);
    forget(b);
}

/* --- refusals ------------------------------------------------------------------------------------- */

void eddy__debug_note_refusal(struct eddy_loop *loop)
{
    struct eddy_frame frame[FRAMES];
    char line[LINE_MAX_BYTES];

    size_t count = eddy__backtrace_here(frame, FRAMES);
    uintptr_t from = 1; /* what all are without stacks: told once */
    for (size_t i = 0; i < count && i < 4; i++)
        from = from * 31 + frame[i].pc; /* the call, and who made it */
    uintptr_t *seen = &loop->debug->refused[from % REFUSALS];
    if (*seen == from)
        return;
    *seen = from;
    eddy_debug_line(frame, count, line, sizeof line);
    eddy_log(EDDY_LOG_WARNING, "a callback made a call that would wait (EDEADLK): %s",
             line[0] ? line : "somewhere (no stacks)");
}

/* --- begin and end --------------------------------------------------------------------------------- */

static bool is_asked_for(const struct eddy_loop *loop)
{
    const char *text = getenv("EDDY_DEBUG");

    return loop->options.debug || (text && *text && strcmp(text, "0") != 0);
}

void eddy_debug_begin(struct eddy_loop *loop)
{
    const char *stall = getenv("EDDY_DEBUG_STALL_MS");

    if (!is_asked_for(loop))
        return;
    (void)eddy__backtrace_is_there(); /* what it opens is then there before anybody counts */
    eddy__log_default();
    EDDY_FAULT_BENIGN_BEGIN();
    loop->debug = eddy__alloc(sizeof *loop->debug);
    EDDY_FAULT_BENIGN_END();
    if (!loop->debug)
        return;
    memset(loop->debug->refused, 0, sizeof loop->debug->refused);
    for (size_t i = 0; i < BUCKETS; i++)
        eddy_list_init(&loop->debug->buckets[i]);
    int64_t stall_ms = loop->options.stall_ms ? loop->options.stall_ms
                                              : (stall ? strtoll(stall, NULL, 10) : 0);
    int r = eddy_stall_watch(loop, stall_ms);
    if (r < 0)
        eddy_log(EDDY_LOG_WARNING, "stalls will not be reported: %s", eddy_strerror(r));
}

void eddy_debug_end(struct eddy_loop *loop)
{
    struct eddy_debug *debug = loop->debug;

    if (loop->stall)
        (void)eddy_stall_watch(loop, -1);
    if (!debug)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (!eddy_list_is_empty(&debug->buckets[i])) {
            struct birth *b = eddy_container_of(debug->buckets[i].next, struct birth, link);
            tell(b, "was never closed");
            forget(b);
        }
    }
    loop->debug = NULL;
    eddy__free(debug, sizeof *debug);
}
