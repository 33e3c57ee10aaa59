/*
 * codec/http/http1_write.c - names of methods and statuses, and the lines made from them
 */
#include "codec/http/http1.h"
#include "codec/http/http1_chars.h"

#include <assert.h>

/* IANA's registry, but for the two that are only reserved. */
#define STATUSES(X)                                                                                \
    X(100, "Continue")                                                                             \
    X(101, "Switching Protocols")                                                                  \
    X(102, "Processing")                                                                           \
    X(103, "Early Hints")                                                                          \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(203, "Non-Authoritative Information")                                                        \
    X(204, "No Content")                                                                           \
    X(205, "Reset Content")                                                                        \
    X(206, "Partial Content")                                                                      \
    X(207, "Multi-Status")                                                                         \
    X(208, "Already Reported")                                                                     \
    X(226, "IM Used")                                                                              \
    X(300, "Multiple Choices")                                                                     \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(305, "Use Proxy")                                                                            \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(402, "Payment Required")                                                                     \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(407, "Proxy Authentication Required")                                                        \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(416, "Range Not Satisfiable")                                                                \
    X(417, "Expectation Failed")                                                                   \
    X(418, "I'm a Teapot")                                                                         \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Content")                                                                \
    X(423, "Locked")                                                                               \
    X(424, "Failed Dependency")                                                                    \
    X(425, "Too Early")                                                                            \
    X(426, "Upgrade Required")                                                                     \
    X(428, "Precondition Required")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(451, "Unavailable For Legal Reasons")                                                        \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")                                                           \
    X(506, "Variant Also Negotiates")                                                              \
    X(507, "Insufficient Storage")                                                                 \
    X(508, "Loop Detected")                                                                        \
    X(511, "Network Authentication Required")

#define LINE(code, phrase) "HTTP/1.1 " #code " " phrase "\r\n"

/* A switch, not a table of 500 rows: it becomes one, with holes that cost nothing. */
struct eddy_slice eddy__http1_status_line(int status, char scratch[EDDY__HTTP1_STATUS_SCRATCH])
{
    switch (status) {
#define CASE(code, phrase)                                                                         \
    case code: return EDDY_SLICE(LINE(code, phrase));
        STATUSES(CASE)
#undef CASE
    default: break;
    }
    assert(status >= 100 && status <= 999);
    memcpy(scratch, "HTTP/1.1 xxx \r\n", 15);
    scratch[9] = (char)('0' + status / 100);
    scratch[10] = (char)('0' + status / 10 % 10);
    scratch[11] = (char)('0' + status % 10);
    return (struct eddy_slice){ scratch, 15 };
}

const char *eddy_status_text(int status)
{
    switch (status) {
#define CASE(code, phrase)                                                                         \
    case code: return phrase;
        STATUSES(CASE)
#undef CASE
    default: return "";
    }
}

const char *eddy_method_text(enum eddy_method method)
{
    static const char *const text[] = { "OTHER",
#define TEXT(name) #name,
                                        EDDY_METHODS(TEXT)
#undef TEXT
    };
    return (unsigned)method < EDDY_METHOD_COUNT ? text[method] : "OTHER";
}

#define IS(name) (memcmp(text.ptr, #name, sizeof(#name) - 1) == 0)

enum eddy_method eddy_method_of(struct eddy_slice text)
{
    switch (text.len) {
    case 3: return IS(GET) ? EDDY_METHOD_GET : IS(PUT) ? EDDY_METHOD_PUT : EDDY_METHOD_OTHER;
    case 4: return IS(POST) ? EDDY_METHOD_POST : IS(HEAD) ? EDDY_METHOD_HEAD : EDDY_METHOD_OTHER;
    case 5:
        return IS(PATCH) ? EDDY_METHOD_PATCH : IS(TRACE) ? EDDY_METHOD_TRACE : EDDY_METHOD_OTHER;
    case 6: return IS(DELETE) ? EDDY_METHOD_DELETE : EDDY_METHOD_OTHER;
    case 7:
        return IS(OPTIONS)   ? EDDY_METHOD_OPTIONS
               : IS(CONNECT) ? EDDY_METHOD_CONNECT
                             : EDDY_METHOD_OTHER;
    default: return EDDY_METHOD_OTHER;
    }
}

int eddy__http1_check_field(struct eddy_slice name, struct eddy_slice value)
{
    if (!name.len || eddy__http1_run(name.ptr, 0, name.len, EDDY__HTTP1_TOKEN) != name.len)
        return -EINVAL;
    if (eddy__http1_run(value.ptr, 0, value.len, EDDY__HTTP1_VALUE) != value.len)
        return -EINVAL;
    return 0;
}

size_t eddy__http1_chunk_head(uint64_t size, char out[EDDY__HTTP1_CHUNK_HEAD])
{
    assert(size > 0);
    size_t digits = (size_t)(67 - __builtin_clzll(size)) / 4;

    for (size_t i = digits; i > 0; i--, size >>= 4)
        out[i - 1] = "0123456789abcdef"[size & 15];
    memcpy(out + digits, "\r\n", 2);
    return digits + 2;
}

static void two_digits(char *out, int value)
{
    out[0] = (char)('0' + value / 10 % 10);
    out[1] = (char)('0' + value % 10);
}

/* Not strftime(): its names follow the program's locale, HTTP's do not. */
void eddy__http_date(time_t when, char out[EDDY__HTTP_DATE])
{
    struct tm tm = { 0 };

    /* A year past 9999 has no form; gmtime_r() fails only far beyond. */
    if (!gmtime_r(&when, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
        when = 0;
        gmtime_r(&when, &tm);
    }
    memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", EDDY__HTTP_DATE);
    memcpy(out, &"SunMonTueWedThuFriSat"[tm.tm_wday * 3], 3);
    two_digits(out + 5, tm.tm_mday);
    memcpy(out + 8, &"JanFebMarAprMayJunJulAugSepOctNovDec"[tm.tm_mon * 3], 3);
    two_digits(out + 12, (tm.tm_year + 1900) / 100);
    two_digits(out + 14, (tm.tm_year + 1900) % 100);
    two_digits(out + 17, tm.tm_hour);
    two_digits(out + 20, tm.tm_min);
    two_digits(out + 23, tm.tm_sec);
}
