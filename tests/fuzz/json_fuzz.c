/*
 * json_fuzz.c - JSON: judging, scanning and writing agree with each other
 */
#include "fuzz.h"

#include <eddy/json.h>

enum { ROOM = 1 << 16 };

static void inside(const struct eddy_json *in, struct eddy_slice s, const struct eddy_arena *arena)
{
    bool in_text = s.ptr >= in->text.ptr && s.ptr + s.len <= in->text.ptr + in->text.len;

    REQUIRE(in_text || (arena && !in->escaped));
}

static int copy_token(int token, const struct eddy_json *in, struct eddy_json_out *out,
                      struct eddy_arena *arena)
{
    char *key;

    switch (token) {
    case EDDY_JSON_OBJECT: return eddy_json_out_object(out);
    case EDDY_JSON_OBJECT_END: return eddy_json_out_object_end(out);
    case EDDY_JSON_ARRAY: return eddy_json_out_array(out);
    case EDDY_JSON_ARRAY_END: return eddy_json_out_array_end(out);
    case EDDY_JSON_KEY:
        key = eddy_arena_copy(arena, in->string.ptr, in->string.len);
        REQUIRE(key);
        return eddy_json_out_key(out, key); /* cut at a NUL: keys that differ may become equal */
    case EDDY_JSON_STRING: return eddy_json_out_string(out, in->string);
    case EDDY_JSON_INT: return eddy_json_out_int(out, in->integer);
    case EDDY_JSON_DOUBLE: return eddy_json_out_double(out, in->real);
    case EDDY_JSON_BOOL: return eddy_json_out_bool(out, in->boolean);
    default: return eddy_json_out_null(out);
    }
}

/* Scan @text, and write what it says into @to. Return: the scanner's last answer. */
static int rewrite(struct eddy_slice text, struct eddy_buffer *to, unsigned *ret_tokens)
{
    struct eddy_arena arena = EDDY_ARENA(1 << 20);
    struct eddy_error err = { 0 };
    struct eddy_json in = EDDY_JSON(text, &arena, &err);
    struct eddy_json_out out = EDDY_JSON_OUT(to);
    int token;

    *ret_tokens = 0;
    while ((token = eddy_json_next(&in)) > 0) {
        REQUIRE(in.offset < text.len && in.depth <= EDDY_JSON_DEPTH);
        if (token == EDDY_JSON_KEY || token == EDDY_JSON_STRING)
            inside(&in, in.string, &arena);
        REQUIRE(copy_token(token, &in, &out, &arena) == 0);
        ++*ret_tokens;
    }
    REQUIRE(eddy_json_next(&in) == token);
    REQUIRE(token == 0 || err.offset <= text.len);
    REQUIRE(token < 0 || eddy_json_out_done(&out) == 0);
    eddy_arena_done(&arena);
    return token;
}

/* Without an arena; and passing over what begins at every second token. */
static int scan_plainly(struct eddy_slice text, bool skip)
{
    struct eddy_json in = EDDY_JSON(text, NULL, NULL);
    int token, r = 0;

    for (unsigned n = 0; r == 0 && (token = eddy_json_next(&in)) != 0; n++) {
        if (token < 0)
            return token;
        if (token == EDDY_JSON_KEY || token == EDDY_JSON_STRING)
            inside(&in, in.string, NULL);
        if (skip && n % 2)
            r = eddy_json_skip(&in);
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *copy = fuzz_copy(data, len);
    struct eddy_slice text = { copy, len };
    struct eddy_buffer once = EDDY_BUFFER(8 * ROOM), twice = EDDY_BUFFER(8 * ROOM);
    struct eddy_error err = { 0 };
    unsigned tokens, again;

    if (len > ROOM) {
        free(copy);
        return 0;
    }
    int judged = eddy_json_check(text, 0, &err);
    int shallow = eddy_json_check(text, 2, NULL);
    REQUIRE(judged == 0 || (judged == -EDDY_ESYNTAX && err.offset <= len) ||
            (judged == -EDDY_EDEPTH && err.offset <= len));
    REQUIRE(shallow == judged || shallow == -EDDY_EDEPTH);

    int scanned = rewrite(text, &once, &tokens);
    /* What the scanner takes is JSON; and what is JSON it takes, but for numbers past a double. */
    REQUIRE(scanned != 0 || judged == 0);
    REQUIRE(judged == 0 || scanned < 0);
    REQUIRE(scan_plainly(text, false) == scanned);
    REQUIRE(scanned != 0 || scan_plainly(text, true) == 0);
    if (scanned == 0) {
        struct eddy_slice first = eddy_buffer_bytes(&once);
        REQUIRE(eddy_json_check(first, 0, NULL) == 0);
        REQUIRE(rewrite(first, &twice, &again) == 0 && again == tokens);
        REQUIRE(eddy_slice_eq(first, eddy_buffer_bytes(&twice)));
    }
    eddy_buffer_done(&once);
    eddy_buffer_done(&twice);
    free(copy);
    return 0;
}
