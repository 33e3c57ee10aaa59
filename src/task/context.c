/*
 * task/context.c - making contexts and leaving them; the sanitizers hear of it
 */
#include "task/context.h"

#include <string.h>

void eddy_context_make(struct eddy_context *c, void *low, size_t size, void (*begin)(void *),
                       void *arg)
{
    memset(c, 0, sizeof *c);
    c->sp = eddy_switch_prepare(low, size, begin, arg);
#ifdef EDDY_ASAN
    c->low = low;
    c->size = size;
#endif
#ifdef EDDY_TSAN
    c->fiber = __tsan_create_fiber(0);
#endif
}

void eddy_context_of_thread(struct eddy_context *c)
{
    memset(c, 0, sizeof *c);
#ifdef EDDY_TSAN
    c->fiber = __tsan_get_current_fiber();
#endif
}

void eddy_context_leave(struct eddy_context *from, struct eddy_context *to)
{
#ifdef EDDY_ASAN
    __sanitizer_start_switch_fiber(NULL, to->low, to->size);
#endif
#ifdef EDDY_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    eddy_switch(&from->sp, to->sp);
    __builtin_unreachable();
}

void eddy_context_arrived(struct eddy_context *self, struct eddy_context *from)
{
#ifdef EDDY_ASAN
    __sanitizer_finish_switch_fiber(NULL, &from->low, &from->size);
#else
    (void)from;
#endif
    (void)self;
}

void eddy_context_done(struct eddy_context *c)
{
#ifdef EDDY_TSAN
    __tsan_destroy_fiber(c->fiber);
    c->fiber = NULL;
#else
    (void)c;
#endif
}

bool eddy_context_registers(const struct eddy_context *c, struct eddy_registers *ret_registers)
{
    return c->sp && eddy_switch_registers(c->sp, ret_registers);
}
