/*
 * loop/symbol.c - what an address in the program is called
 */
#include "loop/backtrace.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void eddy__backtrace_name(uintptr_t pc, char *buf, size_t cap)
{
    uintptr_t at = pc - 1; /* a return address may be the next function's first byte */
    Dl_info module;

    if (eddy_backtrace_symbol(at, buf, cap)) {
        /* "doze.constprop.0" is what the compiler made of it: the reader knows doze(). */
        char *made = strchr(buf, '.');
        if (made && made != buf)
            *made = '\0';
        return;
    }
    if (dladdr((const void *)at, &module) == 0 || !module.dli_fname) {
        snprintf(buf, cap, "0x%zx", (size_t)at);
        return;
    }
    const char *base = strrchr(module.dli_fname, '/');
    snprintf(buf, cap, "%s+0x%zx", base ? base + 1 : module.dli_fname,
             (size_t)(at - (uintptr_t)module.dli_fbase));
}
