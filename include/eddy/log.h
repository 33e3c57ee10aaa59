/*
 * eddy/log.h - the one sink for what the library has to say; silent until it is set
 */
#ifndef EDDY_LOG_H
#define EDDY_LOG_H

#include <eddy/common.h>

EDDY_BEGIN

enum eddy_log_level { EDDY_LOG_DEBUG, EDDY_LOG_INFO, EDDY_LOG_WARNING, EDDY_LOG_ERROR };

/* @line is terminated, has no newline, and is valid until the sink returns. */
typedef void eddy_log_fn(void *ctx, enum eddy_log_level level, const char *line);

/**
 * eddy_log_to() - set where log lines go
 * @sink:    called from any thread, must not call eddy; NULL: nowhere, the default
 * @ctx:     handed back
 * @minimum: lines below it are not even formatted
 *
 * Return: nothing; it cannot fail.
 * Source: none.   Since: 0.1
 */
EDDY_API void eddy_log_to(eddy_log_fn *sink, void *ctx, enum eddy_log_level minimum);

/**
 * eddy_log_stderr() - a ready sink: "eddy: warning: text" on standard error
 * @ctx:   unused
 * @level: printed as a word
 * @line:  borrowed
 *
 * Return: nothing; a failed write is dropped.
 * Source: none.   Since: 0.1
 */
EDDY_API void eddy_log_stderr(void *ctx, enum eddy_log_level level, const char *line);

/**
 * eddy_log() - say something through the sink
 * @level:  below the minimum it is dropped
 * @format: printf's; lines over 1 KiB are cut
 *
 * Return: nothing. errno is left as it was.
 * Source: none.   Since: 0.1
 */
EDDY_API void eddy_log(enum eddy_log_level level, const char *format, ...) EDDY_PRINTF(2, 3);

EDDY_END

#endif
