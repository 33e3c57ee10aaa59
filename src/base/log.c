/*
 * base/log.c - the one sink
 *
 * Three words, written by eddy_log_to() and read at each line. The sink is stored last and loaded
 * first, so a line that meets a change sees either no sink or a whole one.
 */
#include "base/log.h"

#include "base/fault.h"
#include "base/sys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 1024

static eddy_log_fn *sink;
static void *sink_ctx;
static enum eddy_log_level sink_minimum;

void eddy_log_to(eddy_log_fn *to, void *ctx, enum eddy_log_level minimum)
{
    __atomic_store_n(&sink, NULL, __ATOMIC_SEQ_CST);
    __atomic_store_n(&sink_ctx, ctx, __ATOMIC_RELAXED);
    __atomic_store_n(&sink_minimum, minimum, __ATOMIC_RELAXED);
    __atomic_store_n(&sink, to, __ATOMIC_RELEASE);
}

void eddy__log_default(void)
{
    if (!__atomic_load_n(&sink, __ATOMIC_ACQUIRE))
        eddy_log_to(eddy_log_stderr, NULL, EDDY_LOG_WARNING);
}

void eddy_log_stderr(void *ctx, enum eddy_log_level level, const char *line)
{
    static const char *const words[] = { "debug", "info", "warning", "error" };
    char text[LINE_MAX_BYTES + 32];

    (void)ctx;
    int len = snprintf(text, sizeof text, "eddy: %s: %s\n", words[level & 3], line);
    if (len < 0)
        return;
    if ((size_t)len >= sizeof text) {
        len = (int)sizeof text - 1;
        text[len - 1] = '\n';
    }
    /* One write, so that lines of several threads and processes do not mix. A log that cannot
     * be written has nowhere to say so. */
    EDDY_FAULT_BENIGN_BEGIN();
    (void)eddy__sys.write(2, text, (size_t)len);
    EDDY_FAULT_BENIGN_END();
}

void eddy_log(enum eddy_log_level level, const char *format, ...)
{
    eddy_log_fn *to = __atomic_load_n(&sink, __ATOMIC_ACQUIRE);

    if (!to || level < __atomic_load_n(&sink_minimum, __ATOMIC_RELAXED))
        return;

    char line[LINE_MAX_BYTES];
    int saved = errno;
    va_list args;

    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len >= 0) {
        /* One call is one line: a peer's text must not be able to forge a second. */
        for (char *c = line; *c; c++)
            if ((unsigned char)*c < ' ' || *c == 0x7f)
                *c = ' ';
        to(__atomic_load_n(&sink_ctx, __ATOMIC_RELAXED), level, line);
    }
    errno = saved;
}
