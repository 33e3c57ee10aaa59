/*
 * task/sweep.c - looking through the idle stacks, in pieces; stack.h tells why and when
 *
 * A sweep takes the list of each class in its turn and sorts it into the chunks, by which
 * neighbours are known. Then it looks at one stack after the other: it stays warm, and is in the
 * list again, or is to be cold. When all are chosen those are returned. What a task needs
 * meanwhile comes from the list, then from the sweep's hands.
 *
 * An iteration of the loop does SLICE stacks' work of it, about half a millisecond; the loop does
 * not sleep until it is done.
 */
#include "task/stack.h"

#include "base/sys.h"

#include <eddy/log.h>

#include <sys/mman.h>
#include <unistd.h>

#define SLICE 512
#define SWEEP_AFTER_NS INT64_C(1000000000)
#define PAGES 4096 /* asked for with one call */

void eddy_stack_stuck(struct eddy_stack_pool *p)
{
    if (!p->stuck)
        eddy_log(EDDY_LOG_WARNING, "the kernel takes no memory of idle stacks back: is it locked?");
    p->stuck = true;
}

/* How many bytes of [low, low + len) are in memory: of the first @deep, and of the others. All, if
 * the kernel does not tell. */
static void resident(char *low, size_t len, size_t deep, size_t ret_bytes[2])
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char in_memory[PAGES];

    ret_bytes[0] = ret_bytes[1] = 0;
    for (size_t at = 0; at < len;) {
        size_t part = len - at < PAGES * page ? len - at : PAGES * page;
        if (eddy__sys.mincore(low + at, part, in_memory) < 0) {
            ret_bytes[0] = deep;
            ret_bytes[1] = len - deep;
            return;
        }
        for (size_t i = 0; i < part / page; i++, at += page)
            if (in_memory[i] & 1)
                ret_bytes[at >= deep] += page;
    }
}

/* What a warm stack holds, after what lies deep was returned. */
static size_t measure(struct eddy_stack_pool *p, struct eddy_stack *s)
{
    size_t usable = s->class->usable, bytes[2];
    size_t deep = usable > EDDY_STACK_KEEP ? usable - EDDY_STACK_KEEP : 0;
    char *low = eddy_stack_low(s);

    resident(low, usable, deep, bytes);
    if (bytes[0] > 0 && !p->stuck) {
        if (eddy__sys.madvise(low, deep, MADV_DONTNEED) == 0)
            bytes[0] = 0;
        else
            eddy_stack_stuck(p);
    }
    return bytes[0] + bytes[1];
}

/* Whether it stays warm; with what it counts is told in s->bytes. */
static bool stays(struct eddy_stack_pool *p, struct eddy_stack *s)
{
    const size_t most = p->bound - p->bound / 4;

    if (p->stuck)
        return true;
    if (p->kept >= most)
        return false;
    if (s->bytes == s->class->usable)
        s->bytes = measure(p, s);
    if (p->kept + s->bytes > most && !p->stuck)
        return false;
    p->kept += s->bytes;
    return true;
}

static void take_list(struct eddy_stack_pool *p)
{
    struct eddy_stack_class *c = &p->classes[p->at];

    p->todo = c->warm;
    p->chunk = NULL;
    c->warm = NULL;
}

void eddy_stack_sweep_begin(struct eddy_stack_pool *p)
{
    assert(!p->sweeping);
    p->sweeping = true;
    p->kept = 0;
    p->at = 0;
    take_list(p);
    eddy_stack_watch(p);
}

bool eddy_stack_sweep(struct eddy_stack_pool *p, size_t budget)
{
    assert(p->sweeping);
    for (;;) {
        struct eddy_stack_class *c = &p->classes[p->at];
        struct eddy_stack *s;
        while ((s = p->todo) && budget) {
            p->todo = s->next;
            eddy_stack_sort(p, s);
            budget--;
        }
        if (budget && c->idle)
            budget = eddy_stack_choose_some(p, c, budget, stays);
        if (budget && c->cooling)
            budget = eddy_stack_return_some(p, c, budget);
        if (budget == 0)
            return true;
        if (++p->at == EDDY_STACK_CLASSES)
            break;
        take_list(p);
    }
    p->sweeping = false;
    p->wanted = p->kept + p->bound / 4;
    eddy_stack_watch(p);
    return false;
}

/* --- when -------------------------------------------------------------------------------------------- */

static void go_on(struct eddy_soon *soon)
{
    struct eddy_stack_pool *p = eddy_container_of(soon, struct eddy_stack_pool, soon);

    if (eddy_stack_sweep(p, SLICE))
        eddy__soon(p->loop, soon, go_on);
}

static void fire(struct eddy_timer *t)
{
    struct eddy_stack_pool *p = eddy_container_of(t, struct eddy_stack_pool, timer);

    eddy_stack_sweep_begin(p);
    eddy__soon(p->loop, &p->soon, go_on);
}

/* Whether to sweep, by and by. If the kernel takes nothing back there is no use in it. */
static bool is_due(struct eddy_stack_pool *p)
{
    return p->loop && !p->sweeping && !p->stuck && !eddy_timer_is_armed(&p->timer) &&
           p->bytes > p->wanted;
}

void eddy_stack_watch(struct eddy_stack_pool *p)
{
    if (is_due(p))
        eddy__timer_start(p->loop, &p->timer, p->loop->now_ns + SWEEP_AFTER_NS, fire);
    bool waits = !p->loop || p->sweeping || p->stuck || eddy_timer_is_armed(&p->timer);
    p->attention = p->bare ? 0 : waits ? SIZE_MAX : p->wanted;
}

void eddy_stack_notice(struct eddy_stack_pool *p, struct eddy_stack *s)
{
    if (p->bare && eddy_stack_has_run_over(s) && p->overrun)
        p->overrun(s);
    eddy_stack_watch(p);
}
