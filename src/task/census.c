/*
 * task/census.c - how deep stacks were used, by where their tasks were spawned
 *
 * Nothing is painted: a stack begins as pages that are not there, and is made so again after each
 * task. At a task's end the kernel tells which pages are there; in the lowest of them the lowest
 * byte that is not zero is where the task has been. (It may have been a little deeper, if all it
 * left there are zeros.) What counts is the distance from there to the stack's top: record and
 * arguments are in it, as they are in .stack_bytes.
 *
 * One table for the process, of a fixed size, behind a lock: this is a build for looking, not for
 * speed. Places that find no room are counted as one.
 */
#include "task/census.h"

#include "base/sanitize.h"
#include "base/sys.h"
#include "task/task.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACES 1024

struct place {
    struct eddy_site site;
    const char *name; /* of the function */
    size_t tasks;
    size_t deepest;
    size_t usable; /* of the stack that was used so */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct place places[PLACES];
static size_t place_count;

static struct place *place_of(const struct eddy_task *t)
{
    for (size_t i = 0; i < place_count; i++) {
        struct place *p = &places[i];
        if (p->site.line == t->site.line && p->site.file == t->site.file &&
            p->name == t->type->name)
            return p;
    }
    if (place_count == PLACES)
        return &places[PLACES - 1];
    struct place *p = &places[place_count++];
    *p = (struct place){ .site = t->site, .name = t->type->name };
    if (place_count == PLACES)
        *p = (struct place){ .name = "(other places)" };
    return p;
}

/* The lowest byte in [at, end) that is not zero, to a word; @end: all are. */
static char *lowest(char *at, char *end)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    while (at < end) {
        unsigned char there = 1;
        char *next = at + page < end ? at + page : end;
        if (eddy__sys.mincore(at, page, &there) == 0 && !(there & 1)) {
            at = next;
            continue;
        }
        for (; at < next; at += sizeof(uint64_t))
            if (*(const uint64_t *)(const void *)at)
                return at;
    }
    return end;
}

/* From @low to @end only zeros, and no pages but the last. */
static void wipe(char *low, char *end)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *last = end - (uintptr_t)end % page;

    if (last > low && eddy__sys.madvise(low, (size_t)(last - low), MADV_DONTNEED) < 0)
        last = low;
    memset(last, 0, (size_t)(end - last));
}

void eddy_census_note(const struct eddy_task *t)
{
    const struct eddy_stack *stack = eddy_task_stack(t);
    char *low = eddy_stack_low(stack), *end = t->args;

    eddy_unpoison(low, (size_t)(end - low));
    size_t depth = stack->class->usable - (size_t)(lowest(low, end) - low);
    wipe(low, end);
    pthread_mutex_lock(&lock);
    struct place *p = place_of(t);
    p->tasks++;
    if (depth > p->deepest) {
        p->deepest = depth;
        p->usable = stack->class->usable;
    }
    pthread_mutex_unlock(&lock);
}

static int deepest_first(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->deepest < y->deepest ? 1 : x->deepest > y->deepest ? -1 : 0;
}

int eddy_census_report(int fd)
{
    static const char head[] = "eddy census: stack bytes used at most, of how many; tasks; where\n";
    char line[512];

    pthread_mutex_lock(&lock);
    qsort(places, place_count < PLACES ? place_count : PLACES - 1, sizeof *places, deepest_first);
    int r = eddy_sys_write_all(fd, head, sizeof head - 1);
    for (size_t i = 0; r == 0 && i < place_count; i++) {
        const struct place *p = &places[i];
        int len = snprintf(line, sizeof line, "%9zu %9zu %9zu  %s:%d %s\n", p->deepest, p->usable,
                           p->tasks, p->site.file ? p->site.file : "(inside eddy)", p->site.line,
                           p->name);
        if (len >= (int)sizeof line) {
            len = sizeof line - 1;
            line[len - 1] = '\n';
        }
        r = eddy_sys_write_all(fd, line, (size_t)len);
    }
    if (r == 0)
        r = (int)place_count;
    pthread_mutex_unlock(&lock);
    return r;
}

void eddy_census_at_end(void)
{
    const char *wanted = getenv("EDDY_CENSUS_REPORT");

    if (wanted && *wanted && *wanted != '0')
        eddy_census_report(STDERR_FILENO);
}
