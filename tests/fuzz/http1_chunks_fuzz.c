/*
 * http1_chunks_fuzz.c - a chunked body: the same bytes and the same verdict however it is cut
 *
 * A reader of its own, slow and simple, says what the body is; ours must agree where both take it.
 */
#include "codec/http/http1.h"
#include "fuzz.h"

struct outcome {
    int result;
    size_t used;
    size_t body_len;
    uint64_t sum; /* over the body's bytes and their places */
    uint64_t body;
};

static void add(struct outcome *o, struct eddy_slice piece)
{
    for (size_t i = 0; i < piece.len; i++)
        o->sum = o->sum * 1099511628211u + (unsigned char)piece.ptr[i];
    o->body_len += piece.len;
}

/* Feed data[0..len) in one part, which stands at the end of memory of its own. */
static void feed(struct eddy__http1_chunks *c, const uint8_t *data, size_t len, struct outcome *o)
{
    char *part = fuzz_copy(data, len);
    size_t at = 0;

    for (;;) {
        struct eddy_slice piece = { NULL, 0 };
        size_t used = SIZE_MAX;
        o->result = eddy__http1_chunks_feed(c, part + at, len - at, &used, &piece);
        REQUIRE(used <= len - at);
        at += used;
        if (o->result != EDDY__HTTP1_CHUNKS_PIECE)
            break;
        REQUIRE(piece.len && piece.ptr >= part && piece.ptr + piece.len <= part + at);
        add(o, piece);
    }
    REQUIRE(o->result != EDDY__HTTP1_CHUNKS_MORE || at == len);
    REQUIRE((o->result < 0) == (c->why != NULL));
    o->used += at;
    o->body = c->body;
    free(part);
}

static struct outcome in_steps(const uint8_t *data, size_t len, size_t first, size_t step)
{
    struct eddy__http1_chunks c = { 0 };
    struct outcome o = { 0 };
    size_t at = 0, n = first;

    do {
        if (n > len - at)
            n = len - at;
        feed(&c, data + at, n, &o);
        at += n;
        n = step;
    } while (at < len && o.result == EDDY__HTTP1_CHUNKS_MORE);
    REQUIRE(o.body == o.body_len);
    return o;
}

/* Where the data of a well-formed body without extensions or trailers ends; 0: not such a one. */
static size_t simple_reader(const uint8_t *data, size_t len, struct outcome *o)
{
    size_t at = 0;

    for (;;) {
        size_t size = 0, digits = 0;
        for (; at < len && digits < 6; at++, digits++) {
            const char *hex = "0123456789abcdef0123456789ABCDEF", *d = strchr(hex, data[at]);
            if (!data[at] || !d)
                break;
            size = size * 16 + (size_t)(d - hex) % 16;
        }
        if (!digits || len - at < 2 || memcmp(data + at, "\r\n", 2) != 0)
            return 0;
        at += 2;
        if (len - at < 2 || size > len - at - 2)
            return 0;
        add(o, (struct eddy_slice){ (const char *)data + at, size });
        at += size;
        if (memcmp(data + at, "\r\n", 2) != 0)
            return 0;
        at += 2;
        if (!size)
            return at;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct outcome whole = in_steps(data, len, len, len ? len : 1);
    size_t step = len > 256 ? len / 32 : 1;

    for (size_t cut = 0; cut <= len; cut += step) {
        struct outcome two = in_steps(data, len, cut, len);
        REQUIRE(two.result == whole.result && two.sum == whole.sum && two.used == whole.used);
    }
    for (size_t n = 1; n <= 3; n++) {
        struct outcome few = in_steps(data, len, n, n);
        REQUIRE(few.result == whole.result && few.sum == whole.sum && few.used == whole.used);
    }
    struct outcome plain = { 0 };
    size_t end = simple_reader(data, len, &plain);
    if (end && whole.result == EDDY__HTTP1_CHUNKS_DONE)
        REQUIRE(whole.used == end && whole.sum == plain.sum);
    return 0;
}
