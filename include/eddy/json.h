/*
 * eddy/json.h - JSON as it passes by: a scanner that is asked for the next token, and a writer
 *
 * No tree. Strict RFC 8259: no comments, no trailing commas, UTF-8 only, one value in a text.
 * Nesting is bounded, and nothing recurses.
 *
 *     struct eddy_json in = EDDY_JSON(body, req->arena, &err);
 *     int r = eddy_json_next(&in);                    // EDDY_JSON_OBJECT
 *     while ((r = eddy_json_next(&in)) == EDDY_JSON_KEY) {
 *         if (eddy_slice_eq(in.string, EDDY_SLICE("id")) && eddy_json_next(&in) == EDDY_JSON_INT)
 *             id = in.integer;
 *         else
 *             eddy_json_skip(&in);
 *     }
 */
#ifndef EDDY_JSON_H
#define EDDY_JSON_H

#include <eddy/arena.h>
#include <eddy/buffer.h>
#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/slice.h>

EDDY_BEGIN

/* Objects and arrays inside each other, at most. */
#define EDDY_JSON_DEPTH 64

/* What eddy_json_next() answers, and where the value is. */
enum eddy_json_token {
    EDDY_JSON_END, /* the text is over, and was whole */
    EDDY_JSON_OBJECT,
    EDDY_JSON_OBJECT_END,
    EDDY_JSON_ARRAY,
    EDDY_JSON_ARRAY_END,
    EDDY_JSON_KEY,    /* .string */
    EDDY_JSON_STRING, /* .string */
    EDDY_JSON_INT,    /* .integer: no fraction, no exponent, fits in 64 bits */
    EDDY_JSON_DOUBLE, /* .real: every other number; integers past 64 bits too */
    EDDY_JSON_BOOL,   /* .boolean */
    EDDY_JSON_NULL
};

struct eddy_json {
    struct eddy_slice text;
    struct eddy_arena *arena; /* for strings with escapes; NULL: they are given as they stand */
    struct eddy_error *err;   /* may be NULL */

    /* Results, each valid behind the token that names it. */
    struct eddy_slice string; /* in the text, or decoded in the arena */
    int64_t integer;
    double real;
    bool boolean;
    bool escaped;  /* .string stands as in the text, escapes undone: there was no arena */
    size_t offset; /* where the last token began */

    /* The scanner's own. */
    size_t at;
    uint64_t objects; /* bit n: the container of depth n + 1 is an object */
    unsigned depth;
    unsigned state;
    unsigned last; /* the last token */
    int status;    /* the first error; it stays */
};

#ifndef __cplusplus
/* A scanner over @bytes (a slice that outlives it). */
#define EDDY_JSON(bytes, in_arena, error)                                                          \
    ((struct eddy_json){ .text = (bytes), .arena = (in_arena), .err = (error) })
#endif

/**
 * eddy_json_next() - the next token
 * @json: made by EDDY_JSON()
 *
 * Commas and colons are judged and passed over. After a key comes its value's token.
 *
 * Return: an enum eddy_json_token, 0 (EDDY_JSON_END) at the end and ever after, or, for good:
 *   -EDDY_ESYNTAX  not JSON, not UTF-8, or a number that no double holds or over 512 bytes
 *   -EDDY_EDEPTH   nested deeper than EDDY_JSON_DEPTH
 *   -ENOMEM        no room in the arena
 * Source: RFC 8259.   Since: 0.1
 */
EDDY_API int eddy_json_next(struct eddy_json *json);

/**
 * eddy_json_skip() - pass over what the last token began
 * @json: behind a key: its value; behind the start of an object or array: to its end; behind
 *        any other token: nothing
 *
 * Return: 0, or an error as eddy_json_next().   Source: none.   Since: 0.1
 */
EDDY_API int eddy_json_skip(struct eddy_json *json);

/**
 * eddy_json_check() - judge a whole text
 * @text:      borrowed
 * @max_depth: 1 to EDDY_JSON_DEPTH; 0 and more mean EDDY_JSON_DEPTH
 * @err:       what, and where; may be NULL
 *
 * Allocates nothing. Judges grammar only: a number may be larger than any double.
 *
 * Return: 0, -EDDY_ESYNTAX, -EDDY_EDEPTH.   Source: RFC 8259.   Since: 0.1
 */
EDDY_API int eddy_json_check(struct eddy_slice text, unsigned max_depth, struct eddy_error *err);

/* --- writing -------------------------------------------------------------------------------------
 *
 *     struct eddy_json_out out = EDDY_JSON_OUT(&buffer);
 *     eddy_json_out_object(&out);
 *     eddy_json_out_key(&out, "id");
 *     eddy_json_out_int(&out, 7);
 *     eddy_json_out_object_end(&out);
 *     r = eddy_json_out_done(&out);
 *
 * Commas and colons come by themselves. The first error stays, every later call returns it, and
 * eddy_json_out_done() tells it, so the calls in between need not be looked at: -ENOMEM,
 * -EDDY_ETOOBIG (the buffer's bound), -EDDY_EDEPTH, -EINVAL (a value where a key is due, an end
 * that does not match, a second value behind the first, a double that is not finite).
 */
struct eddy_json_out {
    struct eddy_buffer *to;
    uint64_t objects;
    unsigned depth;
    bool comma;     /* a value stands before this place */
    bool after_key; /* a key stands before this place */
    int status;
};

#ifndef __cplusplus
/* A writer that appends to @buffer (a struct eddy_buffer *). */
#define EDDY_JSON_OUT(buffer) ((struct eddy_json_out){ .to = (buffer) })
#endif

/** eddy_json_out_object() - begin an object
 * @out: where a value is due
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 4.   Since: 0.1 */
EDDY_API int eddy_json_out_object(struct eddy_json_out *out);

/** eddy_json_out_object_end() - end the innermost object
 * @out: not behind a key
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 4.   Since: 0.1 */
EDDY_API int eddy_json_out_object_end(struct eddy_json_out *out);

/** eddy_json_out_array() - begin an array
 * @out: where a value is due
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 5.   Since: 0.1 */
EDDY_API int eddy_json_out_array(struct eddy_json_out *out);

/** eddy_json_out_array_end() - end the innermost array
 * @out: in an array
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 5.   Since: 0.1 */
EDDY_API int eddy_json_out_array_end(struct eddy_json_out *out);

/** eddy_json_out_key() - a member's name
 * @out: in an object
 * @key: copied, escaped
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 4.   Since: 0.1 */
EDDY_API int eddy_json_out_key(struct eddy_json_out *out, const char *key);

/** eddy_json_out_string() - a string
 * @out:  where a value is due
 * @text: copied, escaped; a byte that is not UTF-8 becomes U+FFFD
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 7.   Since: 0.1 */
EDDY_API int eddy_json_out_string(struct eddy_json_out *out, struct eddy_slice text);

/** eddy_json_out_text() - a string, from a terminated one
 * @out:  where a value is due
 * @text: as eddy_json_out_string(); NULL writes null
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 7.   Since: 0.1 */
EDDY_API int eddy_json_out_text(struct eddy_json_out *out, const char *text);

/** eddy_json_out_int() - an integer
 * @out:   where a value is due
 * @value: any; JavaScript loses what is past 2^53
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 6.   Since: 0.1 */
EDDY_API int eddy_json_out_int(struct eddy_json_out *out, int64_t value);

/** eddy_json_out_double() - a number, with as few digits as read back the same
 * @out:   where a value is due
 * @value: finite
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 6.   Since: 0.1 */
EDDY_API int eddy_json_out_double(struct eddy_json_out *out, double value);

/** eddy_json_out_bool() - true or false
 * @out:   where a value is due
 * @value: which
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 3.   Since: 0.1 */
EDDY_API int eddy_json_out_bool(struct eddy_json_out *out, bool value);

/** eddy_json_out_null() - null
 * @out: where a value is due
 *
 * Return: 0, or the first error, as said above.   Source: RFC 8259 3.   Since: 0.1 */
EDDY_API int eddy_json_out_null(struct eddy_json_out *out);

/** eddy_json_out_done() - whether it is whole
 * @out: behind the last value
 *
 * Return: 0, the first error, or -EINVAL (something is not ended, or nothing was written).
 * Source: none.   Since: 0.1 */
EDDY_API int eddy_json_out_done(struct eddy_json_out *out);

EDDY_END

#endif
