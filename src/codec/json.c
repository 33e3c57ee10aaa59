/*
 * codec/json.c - the scanner: one token a call, no recursion, one bit of memory for each level
 *
 * The grammar is five states: what may stand at `at`, blanks aside.
 *
 *     VALUE         a value: at the start, behind ':' and behind ',' in an array
 *     FIRST_VALUE   a value or ']'
 *     KEY           a key: behind ',' in an object
 *     FIRST_KEY     a key or '}'
 *     AFTER         behind a value: ',' or the container's end; at depth 0 the end of the text
 *
 * A key's colon is taken with the key. Behind the first error the scanner only repeats it.
 */
#include "codec/json_inside.h"
#include "codec/utf8.h"

#include <assert.h>

enum { VALUE, FIRST_VALUE, KEY, FIRST_KEY, AFTER };

struct scan {
    struct eddy_json *json;
    const char *p;
    size_t end;
    unsigned max_depth;
    bool judge_only; /* neither decode nor convert */
};

static int refuse(struct scan *s, size_t at, const char *why)
{
    s->json->status = eddy_error_set(s->json->err, -EDDY_ESYNTAX, at, "%s, at byte %zu",
                                     at >= s->end ? "the text ends too early" : why, at);
    return s->json->status;
}

static size_t skip_blanks(const struct scan *s, size_t at)
{
    while (at < s->end &&
           (s->p[at] == ' ' || s->p[at] == '\n' || s->p[at] == '\r' || s->p[at] == '\t'))
        at++;
    return at;
}

static int hex4(const struct scan *s, size_t at)
{
    int value = 0;

    if (s->end - at < 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = s->p[i], low = (char)(c | 0x20);
        int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static size_t put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The escape at @at (its backslash): its length in the text, or negative. Surrogates come in
 * pairs: one alone has no UTF-8. @ret_code is the character. */
static int escape(struct scan *s, size_t at, unsigned *ret_code)
{
    static const char letters[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";

    if (at + 1 >= s->end)
        return refuse(s, s->end, "");
    char c = s->p[at + 1];
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        *ret_code = (unsigned char)meaning[letter - letters];
        return 2;
    }
    if (c != 'u')
        return refuse(s, at, "an escape that JSON does not have");

    int high = hex4(s, at + 2);
    if (high < 0)
        return refuse(s, at, "a \\u without four hex digits");
    *ret_code = (unsigned)high;
    if (high < 0xd800 || high > 0xdfff)
        return 6;
    int low = high < 0xdc00 && s->end - at >= 12 && s->p[at + 6] == '\\' && s->p[at + 7] == 'u'
                  ? hex4(s, at + 8)
                  : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return refuse(s, at, "half of a surrogate pair");
    *ret_code = 0x10000 + ((unsigned)(high - 0xd800) << 10) + (unsigned)(low - 0xdc00);
    return 12;
}

/* The text from @from to @to was judged; its escapes are undone into the arena. */
static int decode(struct scan *s, size_t from, size_t to)
{
    struct eddy_json *json = s->json;
    char *out = eddy_arena_alloc(json->arena, to - from);
    size_t len = 0;

    if (!out) {
        json->status = eddy_error_set(json->err, -ENOMEM, from, "no memory for a string");
        return json->status;
    }
    for (size_t at = from; at < to;) {
        const char *slash = memchr(s->p + at, '\\', to - at);
        size_t plain = slash ? (size_t)(slash - s->p) - at : to - at;
        memcpy(out + len, s->p + at, plain);
        len += plain;
        at += plain;
        if (slash) {
            unsigned code = 0;
            at += (size_t)escape(s, at, &code);
            len += put_utf8(out + len, code);
        }
    }
    assert(len <= to - from);
    json->string = (struct eddy_slice){ out, len };
    return 0;
}

/* From the opening quote; *ret_next is behind the closing one. */
static int string(struct scan *s, size_t at, size_t *ret_next)
{
    const size_t from = at + 1;
    bool escaped = false;

    for (at = from;;) {
        at = eddy__json_plain(s->p, at, s->end);
        if (at == s->end)
            return refuse(s, at, "");
        if (s->p[at] == '"')
            break;
        if (s->p[at] == '\\') {
            unsigned code;
            int len = escape(s, at, &code);
            if (len < 0)
                return len;
            at += (size_t)len;
            escaped = true;
            continue;
        }
        if ((unsigned char)s->p[at] < 0x20)
            return refuse(s, at, "a control character in a string (escape it)");
        while (at < s->end && (unsigned char)s->p[at] >= 0x80) {
            size_t step = eddy__utf8_step(s->p + at, s->end - at);
            if (!step)
                return refuse(s, at, "bytes that are not UTF-8");
            at += step;
        }
    }
    *ret_next = at + 1;
    if (s->judge_only)
        return 0;
    s->json->escaped = escaped && !s->json->arena;
    s->json->string = (struct eddy_slice){ s->p + from, at - from };
    return escaped && s->json->arena ? decode(s, from, at) : 0;
}

/* Digits from @at on, into the number; *ret_next is behind them. False: there is none. */
static bool digits(const struct scan *s, size_t at, struct eddy__json_number *n, size_t *ret_next)
{
    const size_t from = at;

    for (; at < s->end && s->p[at] >= '0' && s->p[at] <= '9'; at++) {
        uint64_t digit = (uint64_t)(s->p[at] - '0');
        if (n->digits > (UINT64_MAX - digit) / 10)
            n->exact = false;
        else if (n->exact)
            n->digits = n->digits * 10 + digit;
    }
    *ret_next = at;
    return at > from;
}

/* "e-12" at @at; *ret_next is behind it. */
static bool exponent(const struct scan *s, size_t at, int64_t *ret_value, size_t *ret_next)
{
    struct eddy__json_number e = { .exact = true };
    bool minus = false;

    at++;
    if (at < s->end && (s->p[at] == '+' || s->p[at] == '-'))
        minus = s->p[at++] == '-';
    if (!digits(s, at, &e, ret_next))
        return false;
    int64_t value = e.exact && e.digits < 1000000 ? (int64_t)e.digits : 1000000;
    *ret_value = minus ? -value : value;
    return true;
}

static int finish_number(struct scan *s, struct eddy__json_number *n, bool whole)
{
    struct eddy_json *json = s->json;
    const uint64_t most = (uint64_t)INT64_MAX + n->negative;

    if (s->judge_only)
        return EDDY_JSON_DOUBLE;
    if (whole && n->exact && n->digits <= most) {
        json->integer = n->negative ? (int64_t)(0 - n->digits) : (int64_t)n->digits;
        return EDDY_JSON_INT;
    }
    if (eddy__json_to_double(n, &json->real) < 0)
        return refuse(s, json->offset, "a number that no double holds");
    return EDDY_JSON_DOUBLE;
}

static int number(struct scan *s, size_t at, size_t *ret_next)
{
    struct eddy__json_number n = { .exact = true };
    const size_t from = at;
    bool whole = true;

    if (s->p[at] == '-') {
        n.negative = true;
        at++;
    }
    const size_t first = at;
    if (!digits(s, at, &n, &at))
        return refuse(s, at, "neither a value nor a number");
    if (s->p[first] == '0' && at - first > 1)
        return refuse(s, first, "a number that begins with 0");
    if (at < s->end && s->p[at] == '.') {
        const size_t point = at + 1;
        whole = false;
        if (!digits(s, point, &n, &at))
            return refuse(s, at, "no digit behind the point");
        n.exponent = -(int64_t)(at - point);
    }
    if (at < s->end && (s->p[at] | 0x20) == 'e') {
        int64_t e;
        whole = false;
        if (!exponent(s, at, &e, &at))
            return refuse(s, at, "no digit in the exponent");
        n.exponent += e;
    }
    n.text = (struct eddy_slice){ s->p + from, at - from };
    *ret_next = at;
    return finish_number(s, &n, whole);
}

static int word(struct scan *s, size_t at, const char *text, size_t len, size_t *ret_next)
{
    if (s->end - at < len || memcmp(s->p + at, text, len) != 0)
        return refuse(s, at, "not a value: true, false, null, a number, a string, { or [");
    *ret_next = at + len;
    return 0;
}

static int begin(struct scan *s, size_t at, bool object)
{
    struct eddy_json *json = s->json;

    if (json->depth >= s->max_depth) {
        json->status = eddy_error_set(json->err, -EDDY_EDEPTH, at,
                                      "nested deeper than %u, at byte %zu", s->max_depth, at);
        return json->status;
    }
    const uint64_t bit = (uint64_t)1 << json->depth++;
    json->objects = object ? json->objects | bit : json->objects & ~bit;
    json->state = object ? FIRST_KEY : FIRST_VALUE;
    json->at = at + 1;
    return object ? EDDY_JSON_OBJECT : EDDY_JSON_ARRAY;
}

static int finish(struct scan *s, size_t at, bool object)
{
    assert(s->json->depth > 0);
    s->json->depth--;
    s->json->state = AFTER;
    s->json->at = at + 1;
    return object ? EDDY_JSON_OBJECT_END : EDDY_JSON_ARRAY_END;
}

static int value(struct scan *s, size_t at)
{
    struct eddy_json *json = s->json;
    int token, r = 0;

    if (at == s->end)
        return refuse(s, at, "");
    switch (s->p[at]) {
    case '{': return begin(s, at, true);
    case '[': return begin(s, at, false);
    case '"':
        r = string(s, at, &json->at);
        token = EDDY_JSON_STRING;
        break;
    case 't':
        r = word(s, at, "true", 4, &json->at);
        json->boolean = true;
        token = EDDY_JSON_BOOL;
        break;
    case 'f':
        r = word(s, at, "false", 5, &json->at);
        json->boolean = false;
        token = EDDY_JSON_BOOL;
        break;
    case 'n':
        r = word(s, at, "null", 4, &json->at);
        token = EDDY_JSON_NULL;
        break;
    default: token = r = number(s, at, &json->at); break;
    }
    json->state = AFTER;
    return r < 0 ? r : token;
}

static int key(struct scan *s, size_t at)
{
    if (at == s->end || s->p[at] != '"')
        return refuse(s, at, "no key: a string is due");
    int r = string(s, at, &at);
    if (r < 0)
        return r;
    at = skip_blanks(s, at);
    if (at == s->end || s->p[at] != ':')
        return refuse(s, at, "no ':' behind a key");
    s->json->at = at + 1;
    s->json->state = VALUE;
    return EDDY_JSON_KEY;
}

static int after(struct scan *s, size_t at)
{
    struct eddy_json *json = s->json;

    if (json->depth == 0)
        return at == s->end ? EDDY_JSON_END : refuse(s, at, "something behind the value");
    const bool object = json->objects >> (json->depth - 1) & 1;
    if (at < s->end && s->p[at] == (object ? '}' : ']'))
        return finish(s, at, object);
    if (at == s->end || s->p[at] != ',')
        return refuse(s, at, object ? "neither ',' nor '}'" : "neither ',' nor ']'");
    json->offset = at = skip_blanks(s, at + 1);
    return object ? key(s, at) : value(s, at);
}

static int next(struct scan *s)
{
    struct eddy_json *json = s->json;
    const size_t at = skip_blanks(s, json->at);
    const char c = at < s->end ? s->p[at] : '\0';

    json->offset = at;
    switch (json->state) {
    case FIRST_VALUE: return c == ']' ? finish(s, at, false) : value(s, at);
    case FIRST_KEY: return c == '}' ? finish(s, at, true) : key(s, at);
    case KEY: return key(s, at);
    case AFTER: return after(s, at);
    default: return value(s, at);
    }
}

int eddy_json_next(struct eddy_json *json)
{
    struct scan s = { json, json->text.ptr, json->text.len, EDDY_JSON_DEPTH, false };

    if (json->status < 0)
        return json->status;
    int r = next(&s);
    if (r >= 0)
        json->last = (unsigned)r;
    return r;
}

int eddy_json_skip(struct eddy_json *json)
{
    int r = json->status;

    if (r == 0 && json->last == EDDY_JSON_KEY)
        r = eddy_json_next(json);
    if (r < 0 || (json->last != EDDY_JSON_OBJECT && json->last != EDDY_JSON_ARRAY))
        return r < 0 ? r : 0;

    struct scan s = { json, json->text.ptr, json->text.len, EDDY_JSON_DEPTH, true };
    for (const unsigned outside = json->depth - 1; json->depth > outside;) {
        r = next(&s);
        if (r < 0)
            return r;
        json->last = (unsigned)r;
    }
    return 0;
}

int eddy_json_check(struct eddy_slice text, unsigned max_depth, struct eddy_error *err)
{
    struct eddy_json json = { .text = text, .err = err };
    struct scan s = { &json, text.ptr, text.len, EDDY_JSON_DEPTH, true };
    int r;

    if (max_depth && max_depth < EDDY_JSON_DEPTH)
        s.max_depth = max_depth;
    while ((r = next(&s)) > 0)
        ;
    return r;
}
