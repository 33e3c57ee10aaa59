/*
 * codec/json_out.c - the writer: commas by themselves, one append for most values
 */
#include "codec/json_inside.h"
#include "codec/utf8.h"

#include <assert.h>
#include <math.h>

static int fail(struct eddy_json_out *out, int code)
{
    if (out->status == 0)
        out->status = code;
    return out->status;
}

static bool in_object(const struct eddy_json_out *out)
{
    return out->depth && (out->objects >> (out->depth - 1) & 1);
}

/* Whether a value (or, in @key, a key) may stand here. */
static int due(struct eddy_json_out *out, bool key)
{
    if (out->status < 0)
        return out->status;
    if (key ? !in_object(out) || out->after_key : in_object(out) && !out->after_key)
        return fail(out, -EINVAL);
    if (out->depth == 0 && out->comma)
        return fail(out, -EINVAL);
    return 0;
}

/* A comma if one is due, then @len bytes. */
static int put(struct eddy_json_out *out, const char *text, size_t len)
{
    char *at;
    const size_t comma = out->comma && !out->after_key;

    int r = eddy_buffer_room(out->to, len + comma, &at);
    if (r < 0)
        return fail(out, r);
    if (comma)
        *at = ',';
    memcpy(at + comma, text, len);
    eddy_buffer_grew(out->to, len + comma);
    out->comma = true;
    out->after_key = false;
    return 0;
}

static int put_value(struct eddy_json_out *out, const char *text, size_t len)
{
    int r = due(out, false);
    return r < 0 ? r : put(out, text, len);
}

static int begin(struct eddy_json_out *out, bool object)
{
    int r = due(out, false);
    if (r == 0 && out->depth == EDDY_JSON_DEPTH)
        r = fail(out, -EDDY_EDEPTH);
    if (r == 0)
        r = put(out, object ? "{" : "[", 1);
    if (r < 0)
        return r;
    assert(out->depth < EDDY_JSON_DEPTH);
    const uint64_t bit = (uint64_t)1 << out->depth++;
    out->objects = object ? out->objects | bit : out->objects & ~bit;
    out->comma = false;
    return 0;
}

static int end(struct eddy_json_out *out, bool object)
{
    if (out->status < 0)
        return out->status;
    if (!out->depth || in_object(out) != object || out->after_key)
        return fail(out, -EINVAL);
    out->comma = false;
    int r = put(out, object ? "}" : "]", 1);
    if (r == 0)
        out->depth--;
    return r;
}

int eddy_json_out_object(struct eddy_json_out *out)
{
    return begin(out, true);
}

int eddy_json_out_object_end(struct eddy_json_out *out)
{
    return end(out, true);
}

int eddy_json_out_array(struct eddy_json_out *out)
{
    return begin(out, false);
}

int eddy_json_out_array_end(struct eddy_json_out *out)
{
    return end(out, false);
}

/* What stands for the byte at @text, which no string holds plainly; *ret_used bytes of it. */
static int put_special(struct eddy_json_out *out, const char *text, size_t len, size_t *ret_used)
{
    static const char letters[] = "\"\\\b\f\n\r\t", named[] = "\"\\bfnrt";
    char escape[8] = "\\u00";
    const unsigned char c = (unsigned char)text[0];

    *ret_used = 1;
    if (c >= 0x80) {
        size_t step = eddy__utf8_step(text, len);
        if (!step)
            return eddy_buffer_append(out->to, "\xef\xbf\xbd", 3);
        *ret_used = step;
        return eddy_buffer_append(out->to, text, step);
    }
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        escape[1] = named[letter - letters];
        return eddy_buffer_append(out->to, escape, 2);
    }
    escape[4] = (char)('0' + (c >> 4));
    escape[5] = "0123456789abcdef"[c & 15];
    return eddy_buffer_append(out->to, escape, 6);
}

/* @text in quotes, and @behind. Room for the plain case is asked for once. */
static int put_string(struct eddy_json_out *out, struct eddy_slice text, const char *behind)
{
    const size_t comma = out->comma && !out->after_key, tail = strlen(behind);
    size_t at = eddy__json_plain(text.ptr, 0, text.len);
    char *room;

    int r = eddy_buffer_room(out->to, comma + 1 + text.len + 1 + tail, &room);
    if (r < 0)
        return fail(out, r);
    if (comma)
        *room++ = ',';
    *room++ = '"';
    if (at)
        memcpy(room, text.ptr, at);
    eddy_buffer_grew(out->to, comma + 1 + at);

    while (r == 0 && at < text.len) {
        size_t used;
        r = put_special(out, text.ptr + at, text.len - at, &used);
        at += used;
        size_t plain = eddy__json_plain(text.ptr, at, text.len);
        if (r == 0 && plain > at)
            r = eddy_buffer_append(out->to, text.ptr + at, plain - at);
        at = plain;
    }
    if (r == 0)
        r = eddy_buffer_append(out->to, "\"", 1);
    if (r == 0 && tail)
        r = eddy_buffer_append(out->to, behind, tail);
    if (r < 0)
        return fail(out, r);
    out->comma = true;
    out->after_key = false;
    return 0;
}

int eddy_json_out_key(struct eddy_json_out *out, const char *key)
{
    int r = due(out, true);
    if (r == 0)
        r = put_string(out, eddy_slice_of(key), ":");
    if (r == 0)
        out->after_key = true;
    return r;
}

int eddy_json_out_string(struct eddy_json_out *out, struct eddy_slice text)
{
    int r = due(out, false);
    return r < 0 ? r : put_string(out, text, "");
}

int eddy_json_out_text(struct eddy_json_out *out, const char *text)
{
    return text ? eddy_json_out_string(out, eddy_slice_of(text)) : eddy_json_out_null(out);
}

int eddy_json_out_int(struct eddy_json_out *out, int64_t value)
{
    char text[20];
    size_t at = sizeof text;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (value < 0)
        text[--at] = '-';
    return put_value(out, text + at, sizeof text - at);
}

int eddy_json_out_double(struct eddy_json_out *out, double value)
{
    char text[EDDY__JSON_DOUBLE];

    if (!isfinite(value))
        return fail(out, -EINVAL);
    return put_value(out, text, eddy__json_from_double(value, text));
}

int eddy_json_out_bool(struct eddy_json_out *out, bool value)
{
    return value ? put_value(out, "true", 4) : put_value(out, "false", 5);
}

int eddy_json_out_null(struct eddy_json_out *out)
{
    return put_value(out, "null", 4);
}

int eddy_json_out_done(struct eddy_json_out *out)
{
    if (out->status == 0 && (out->depth || !out->comma))
        out->status = -EINVAL;
    return out->status;
}
