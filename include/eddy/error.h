/*
 * eddy/error.h - what went wrong: a negative code, and where a text has a place, a text
 *
 * A call returns 0 or more, or a negative errno, or one of eddy's own codes, which start at
 * 5000 (the kernel's end at 4095). One table holds code, name, text and the HTTP status that
 * a handler's result becomes when nobody mapped it. There is no "last error".
 */
#ifndef EDDY_ERROR_H
#define EDDY_ERROR_H

#include <eddy/common.h>
#include <errno.h>

EDDY_BEGIN

/* name, code, text, HTTP status. The one list; the enum and the table are made from it. */
#define EDDY_ERRORS(X)                                                                             \
    X(EDDY_EPEER_TIMEOUT, 5000, "the peer stopped answering (TCP gave up)", 500)                   \
    X(EDDY_EEOF, 5001, "the connection ended before the message was complete", 502)                \
    X(EDDY_ETOOBIG, 5002, "larger than its limit", 413)                                            \
    X(EDDY_EHEAD_TOOBIG, 5003, "the header block is larger than its limit", 431)                   \
    X(EDDY_EURI_TOOBIG, 5004, "the request target is longer than its limit", 414)                  \
    X(EDDY_EURL, 5005, "not a URL that can be used here", 400)                                     \
    X(EDDY_ENONAME, 5006, "the name does not resolve", 502)                                        \
    X(EDDY_ERESOLVER, 5007, "the name server did not answer, or failed", 502)                      \
    X(EDDY_ETLS, 5008, "TLS failed", 502)                                                          \
    X(EDDY_ECERT, 5009, "the peer's certificate was refused", 502)                                 \
    X(EDDY_EBACKEND, 5010, "no such backend, or not available here: see EDDY_BACKEND", 500)        \
    X(EDDY_ESYNTAX, 5011, "the text breaks its grammar", 400)                                      \
    X(EDDY_EDEPTH, 5012, "nested deeper than the limit", 400)                                      \
    X(EDDY_EHTTP, 5013, "the message breaks HTTP's rules", 400)                                    \
    X(EDDY_EHTTP_VERSION, 5014, "an HTTP version that is not spoken here", 505)                    \
    X(EDDY_EHTTP_CODING, 5015, "a transfer coding that is not spoken here", 501)                   \
    X(EDDY_EBROKEN, 5016, "the object was left broken by a cancelled or failed call", 500)         \
    X(EDDY_EUPSTREAM_TIMEOUT, 5017, "the upstream took too long", 504)                             \
    X(EDDY_EUPSTREAM, 5018, "the upstream's answer could not be used", 502)                        \
    X(EDDY_EDRAINING, 5019, "shutting down, nothing new is accepted", 503)                         \
    X(EDDY_ESIM, 5020, "the simulator does not do this", 500)                                      \
    X(EDDY_EEXPECT, 5021, "an expectation that cannot be met", 417)                                \
    X(EDDY_EANSWER_TOOBIG, 5022, "the upstream's answer is larger than its limit", 502)            \
    X(EDDY_EFORKED, 5023, "it belongs to the parent process, this is a child", 500)

enum eddy_error_code {
#define EDDY_ERROR_ENUM(name, code, text, status) name = (code),
    EDDY_ERRORS(EDDY_ERROR_ENUM)
#undef EDDY_ERROR_ENUM
};

/* Why a text was refused: caller-owned, so never stale, and nothing to free. */
struct eddy_error {
    int code;       /* negative, as returned */
    size_t offset;  /* of the offending byte in what was judged */
    char text[160]; /* what, where, how to mend it; always terminated */
};

/**
 * eddy_strerror() - the text of a code
 * @code: negative or positive; errno's and eddy's
 *
 * Return: a constant text, never NULL. Safe from any thread and in signal handlers.
 * Source: strerror(3).   Since: 0.1
 */
EDDY_API const char *eddy_strerror(int code);

/**
 * eddy_strerrorname() - the name of a code, as "ECONNRESET" or "EDDY_EURL"
 * @code: negative or positive
 *
 * Return: a constant name; "0" for 0, "E?" for a code that is unknown.
 * Source: strerrorname_np(3).   Since: 0.1
 */
EDDY_API const char *eddy_strerrorname(int code);

/**
 * eddy_error_status() - the HTTP status that a handler's result becomes
 * @code: negative
 *
 * -ENOENT 404, -EACCES and -EPERM 403, -EEXIST 409, -EBUSY and -ETIMEDOUT 503, -ECONNREFUSED,
 * -EHOSTUNREACH and -ENETUNREACH 502 (a handler meets them as somebody's client), eddy's own by
 * their table, everything else 500.
 *
 * Return: a status from 400 to 599.
 * Source: RFC 9110 15.   Since: 0.1
 */
EDDY_API int eddy_error_status(int code);

/**
 * eddy_error_set() - fill an error object and return its code
 * @err:    may be NULL: then only the code is returned
 * @code:   negative
 * @offset: of the offending byte
 * @format: printf's; longer texts are cut
 *
 * Return: @code, so that `return eddy_error_set(...)` is one line.
 * Source: none, a convenience.   Since: 0.1
 */
EDDY_API int eddy_error_set(struct eddy_error *err, int code, size_t offset, const char *format,
                            ...) EDDY_PRINTF(4, 5);

EDDY_END

#endif
