/*
 * task/stack.c - the classes, and what every task goes through: take and give. See stack.h
 *
 * Small classes are spans of a power of two with the guard inside, so that they divide a chunk
 * well; large ones have a power of two of usable bytes, because that is what is asked for.
 */
#include "task/stack.h"

#include "base/sanitize.h"

#include <string.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define GUARD (16 * KIB) /* a frame of code that does not probe its pages may be so large */
#define LARGEST (64 * 1024 * KIB)
#define SMALL 6 /* classes of small spans: 16 KiB to 512 KiB */

static_assert(sizeof(struct eddy_stack) % 16 == 0, "what lies below stays aligned");
static_assert(16 * KIB << EDDY_STACK_DEFAULT == 256 * KIB, "the default is what DESIGN says");
static_assert(1024 * KIB << (EDDY_STACK_CLASSES - SMALL - 1) == LARGEST, "the last class");

static size_t guard_of(unsigned class)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t guard = class < SMALL ? (16 * KIB << class) / 4 : GUARD;

    if (guard > GUARD)
        guard = GUARD;
    return guard > page ? guard : page;
}

static size_t usable_of(unsigned class)
{
    size_t guard = guard_of(class);

    if (class >= SMALL)
        return 1024 * KIB << (class - SMALL);
    /* Where pages are large, the smallest classes have no room for both. */
    return 16 * KIB << class > guard ? (16 * KIB << class) - guard : 0;
}

/* A task's record and arguments; the frame of a signal that comes while it runs, which is as large
 * as the processor's registers; a page for what it calls. */
static size_t least(void)
{
    size_t signal_frame = 4 * KIB;

#ifdef _SC_MINSIGSTKSZ
    long told = sysconf(_SC_MINSIGSTKSZ);
    if (told > (long)signal_frame)
        signal_frame = (size_t)told;
#endif
#if defined(EDDY_ASAN) || defined(EDDY_TSAN)
    return 64 * KIB; /* frames are several times as large */
#else
    return 2 * KIB + signal_frame + 4 * KIB;
#endif
}

struct eddy_stack_class *eddy_stack_class_of(struct eddy_stack_pool *p, size_t bytes)
{
    struct eddy_stack_class *c = p->classes;

    if (bytes > LARGEST)
        return NULL;
    if (bytes < p->least)
        bytes = p->least;
    while (c->usable < bytes)
        c++;
    return c;
}

void eddy_stack_pool_init(struct eddy_stack_pool *p, struct eddy_loop *loop, size_t bound)
{
    memset(p, 0, sizeof *p);
    for (unsigned i = 0; i < EDDY_STACK_CLASSES; i++) {
        p->classes[i].guard = guard_of(i);
        p->classes[i].usable = usable_of(i);
    }
    p->loop = loop;
    p->bound = bound ? bound : EDDY_STACK_POOL_BYTES;
    p->wanted = p->bound / 4;
    p->least = least();
    eddy_stack_watch(p);
}

void eddy_stack_pool_done(struct eddy_stack_pool *p)
{
    if (p->loop) {
        eddy__timer_stop(p->loop, &p->timer);
        eddy__soon_cancel(&p->soon);
    }
    for (unsigned i = 0; i < EDDY_STACK_CLASSES; i++) {
        assert(p->classes[i].live == 0);
        eddy_stack_drop_chunks(&p->classes[i]);
    }
    memset(p, 0, sizeof *p);
}

struct eddy_stack *eddy_stack_take(struct eddy_stack_pool *p, struct eddy_stack_class *c)
{
    struct eddy_stack *s = c->warm;

    if (eddy_fault_here(EDDY_FAULT_ALLOC))
        return NULL;
    if (s) {
        c->warm = s->next;
        p->bytes -= s->bytes;
    } else if (!(s = eddy_stack_make(p, c))) {
        return NULL;
    }
    c->live++;
    eddy_leak_root_add(eddy_stack_low(s), c->usable);
    return s;
}

void eddy_stack_give(struct eddy_stack_pool *p, struct eddy_stack *s)
{
    struct eddy_stack_class *c = s->class;

    assert(c->live > 0);
    eddy_leak_root_remove(eddy_stack_low(s), c->usable);
    /* Frames that were left without returning keep their red zones poisoned. */
    eddy_unpoison(eddy_stack_low(s), c->usable);
    s->bytes = c->usable;
    s->next = c->warm;
    c->warm = s;
    c->live--;
    p->bytes += c->usable;
    if (p->bytes > p->attention)
        eddy_stack_notice(p, s);
}
