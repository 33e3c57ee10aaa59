/*
 * eddy/http_types.h - the words that HTTP's server, client and framework share
 */
#ifndef EDDY_HTTP_TYPES_H
#define EDDY_HTTP_TYPES_H

#include <eddy/common.h>
#include <eddy/slice.h>

EDDY_BEGIN

/* One header field. Who owns the bytes is said by the call that hands it out. */
struct eddy_header {
    struct eddy_slice name, value; /* the value is trimmed */
};

/* The one list of methods; the enum and the table are made from it. */
#define EDDY_METHODS(X)                                                                            \
    X(GET) X(HEAD) X(POST) X(PUT) X(DELETE) X(PATCH) X(OPTIONS) X(CONNECT) X(TRACE)

/* Zero is a method that is not in the list; its text says which. */
enum eddy_method {
    EDDY_METHOD_OTHER,
#define EDDY_METHOD_ENUM(name) EDDY_METHOD_##name,
    EDDY_METHODS(EDDY_METHOD_ENUM)
#undef EDDY_METHOD_ENUM
        EDDY_METHOD_COUNT
};

/** eddy_method_text() - "GET" for EDDY_METHOD_GET
 * @method: any
 *
 * Return: a constant text; "OTHER" for what is not in the list.
 * Source: RFC 9110 9.   Since: 0.1 */
EDDY_API const char *eddy_method_text(enum eddy_method method);

/** eddy_method_of() - EDDY_METHOD_GET for "GET"
 * @text: compared with case, as methods are
 *
 * Return: the method, or EDDY_METHOD_OTHER.   Source: RFC 9110 9.1.   Since: 0.1 */
EDDY_API enum eddy_method eddy_method_of(struct eddy_slice text);

/** eddy_status_text() - the reason phrase of a status
 * @status: 100 to 599
 *
 * Return: a constant text, as "Not Found"; "" for one that is not registered.
 * Source: RFC 9110 15, IANA's registry.   Since: 0.1 */
EDDY_API const char *eddy_status_text(int status);

EDDY_END

#endif
