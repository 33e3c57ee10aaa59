/*
 * task/guard.c - see guard.h
 */
#include "task/guard.h"

#include "base/fault.h"
#include "base/sys.h"

#include <limits.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* Relaxed throughout: two threads may both probe, and find the same; the count is only a bound. */
static enum eddy_guard kind;
static size_t by_mprotect; /* guards that cost mappings now */
static size_t by_mprotect_max;

static bool kernel_can_read(const void *at)
{
    int fd[2];

    if (eddy__sys.pipe(fd) < 0)
        return true;
    ssize_t r = eddy__sys.write(fd[1], at, 1);
    eddy__sys.close(fd[0]);
    eddy__sys.close(fd[1]);
    return r == 1;
}

static enum eddy_guard probe(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    enum eddy_guard found = EDDY_GUARD_MPROTECT;
    char *trial = eddy__sys.mmap(2 * page);

    if (!trial)
        return found;
    trial[0] = trial[page] = 1;
    if (eddy__sys.madvise(trial, page, MADV_GUARD_INSTALL) == 0 && !kernel_can_read(trial) &&
        kernel_can_read(trial + page))
        found = EDDY_GUARD_MADVISE;
    eddy__sys.munmap(trial, 2 * page);
    return found;
}

/* The best that the kernel has. */
static enum eddy_guard best(void)
{
    enum eddy_guard g = __atomic_load_n(&kind, __ATOMIC_RELAXED);

    if (g == EDDY_GUARD_UNKNOWN) {
        int mappings = eddy__sys.mappings_max();
        /* Each costs two, its own and that of the stack behind it. */
        size_t max = mappings < 0 ? SIZE_MAX : (size_t)mappings / 4;
        __atomic_store_n(&by_mprotect_max, max, __ATOMIC_RELAXED);
        g = probe();
        __atomic_store_n(&kind, g, __ATOMIC_RELAXED);
    }
    return g;
}

/* Where it costs mappings: as long as there are enough. */
static enum eddy_guard affordable(enum eddy_guard g)
{
    return g == EDDY_GUARD_MPROTECT && __atomic_load_n(&by_mprotect, __ATOMIC_RELAXED) >=
                                           __atomic_load_n(&by_mprotect_max, __ATOMIC_RELAXED)
               ? EDDY_GUARD_CANARY
               : g;
}

enum eddy_guard eddy_guard_install(char *at, size_t len)
{
    enum eddy_guard g = best();

    /* Refused for this piece alone where the program has locked its memory. */
    if (g == EDDY_GUARD_MADVISE && eddy__sys.madvise(at, len, MADV_GUARD_INSTALL) < 0)
        g = EDDY_GUARD_MPROTECT;
    g = affordable(g);
    if (g != EDDY_GUARD_MPROTECT)
        return g;
    EDDY_FAULT_BENIGN_BEGIN(); /* a stack without a guard is better than no task */
    if (eddy__sys.mprotect(at, len, PROT_NONE) == 0)
        __atomic_add_fetch(&by_mprotect, 1, __ATOMIC_RELAXED);
    else
        g = EDDY_GUARD_CANARY;
    EDDY_FAULT_BENIGN_END();
    return g;
}

void eddy_guard_dropped(size_t count)
{
    __atomic_sub_fetch(&by_mprotect, count, __ATOMIC_RELAXED);
}

bool eddy_guard_is_intact(const char *at, size_t len)
{
    const uint64_t *word = (const uint64_t *)(const void *)at;
    uint64_t seen = 0;

    for (size_t i = 0; i < len / sizeof *word; i++)
        seen |= word[i];
    return seen == 0;
}

const char *eddy_guard_name(void)
{
    static const char *const names[] = { "", "madvise", "mprotect", "canary" };

    return names[affordable(best())];
}

void eddy_guard_forget(void)
{
    __atomic_store_n(&kind, EDDY_GUARD_UNKNOWN, __ATOMIC_RELAXED);
}
