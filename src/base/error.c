/*
 * base/error.c - the one table of codes, made from EDDY_ERRORS
 *
 * errno's own names and texts come from libc. Everything returned is constant.
 */
#include <eddy/error.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST 5000

static const struct row {
    const char *name;
    const char *text;
    int status;
} rows[] = {
#define ROW(name_, code_, text_, status_) [(code_)-FIRST] = { #name_, (text_), (status_) },
    EDDY_ERRORS(ROW)
#undef ROW
};

#define ROWS (sizeof rows / sizeof rows[0])

#define IN_RANGE(name_, code_, text_, status_)                                                     \
    static_assert((code_) >= FIRST && (status_) >= 400 && (status_) <= 599, #name_);
EDDY_ERRORS(IN_RANGE)
#undef IN_RANGE

/* NULL when @code is not one of ours. */
static const struct row *row_of(int code)
{
    if (code >= FIRST && (size_t)(code - FIRST) < ROWS && rows[code - FIRST].name)
        return &rows[code - FIRST];
    return NULL;
}

static int positive(int code)
{
    /* INT_MIN has no counterpart; it is no code either. */
    return code < 0 ? (code < -0x7fffffff ? 0x7fffffff : -code) : code;
}

#ifdef __GLIBC__
static const char *libc_name(int code)
{
    return strerrorname_np(code);
}
static const char *libc_text(int code)
{
    return strerrordesc_np(code);
}
#else
/* Elsewhere strerror() is all there is: its texts are constant for known codes. */
static const char *libc_name(int code)
{
    (void)code;
    return NULL;
}
static const char *libc_text(int code)
{
    return strerror(code);
}
#endif

const char *eddy_strerror(int code)
{
    code = positive(code);
    const struct row *row = row_of(code);
    const char *text = row ? row->text : libc_text(code);

    return text ? text : "unknown error";
}

const char *eddy_strerrorname(int code)
{
    code = positive(code);
    const struct row *row = row_of(code);
    const char *name = row ? row->name : code ? libc_name(code) : "0";

    return name ? name : "E?";
}

int eddy_error_status(int code)
{
    code = positive(code);
    const struct row *row = row_of(code);

    if (row)
        return row->status;
    switch (code) {
    case ENOENT: return 404;
    case EACCES:
    case EPERM: return 403;
    case EEXIST: return 409;
    case EBUSY:
    case ETIMEDOUT: return 503;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH: return 502;
    default: return 500;
    }
}

int eddy_error_set(struct eddy_error *err, int code, size_t offset, const char *format, ...)
{
    assert(code < 0);
    if (err) {
        va_list args;

        err->code = code;
        err->offset = offset;
        va_start(args, format);
        if (vsnprintf(err->text, sizeof err->text, format, args) < 0)
            err->text[0] = '\0';
        va_end(args);
    }
    return code;
}
