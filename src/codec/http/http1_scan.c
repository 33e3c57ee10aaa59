/*
 * codec/http/http1_scan.c - the end of a head, found while it arrives
 *
 * Each byte is judged once; what a call learned stays in the struct, so a head that comes a byte
 * at a time costs no more than one that comes whole. Line ends are not searched for: the search
 * is for the first control byte, which is either the CR that ends the line or an offence.
 *
 *     BEGIN --(one empty line)--> BEGIN_AGAIN --> START_LINE --> FIELD --> NAME --> VALUE
 *                                                                  ^                  |
 *                                                                  +------------------+
 *
 * What is refused here, and llhttp mostly lets pass: a line ended by LF alone, CR inside a line,
 * NUL and other controls, a blank before the colon, folded lines, empty names, two empty lines
 * before the start. At a CR that is the last byte so far, `at` stays on it.
 */
#include "codec/http/http1.h"
#include "codec/http/http1_chars.h"

#include <assert.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BEGIN, BEGIN_AGAIN, START_LINE, FIELD, NAME, VALUE };

#define HEAD_MAX (32u * 1024)
#define LINE_MAX (8u * 1024)

/* The index of the first byte below 0x20, or of DEL; or @end. A long value is most of a head, so
 * this is where the time goes: 16 bytes at a time where every processor of the kind can. */
static size_t find_control(const char *p, size_t at, size_t end)
{
#ifdef __SSE2__
    const __m128i blank = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f);

    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
        /* There is no unsigned comparison: the greater of a byte and 0x20 is the byte, or it is not. */
        __m128i high = _mm_cmpeq_epi8(_mm_max_epu8(bytes, blank), bytes);
        int fine = _mm_movemask_epi8(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, del), high));
        if (fine != 0xffff)
            return at + (size_t)__builtin_ctz(~(unsigned)fine);
    }
#else
    /* Eight: of both tests the lowest bit set is exact, borrows only spoil what lies above it. */
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

    for (; end - at >= 8; at += 8) {
        uint64_t word = eddy__load64(p + at);
        if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
            word = __builtin_bswap64(word);
        uint64_t del = word ^ (ones * 0x7f);
        uint64_t hit = (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & tops;
        if (hit)
            return at + (size_t)__builtin_ctzll(hit) / 8;
    }
#endif
    while (at < end && (unsigned char)p[at] >= 0x20 && p[at] != 0x7f)
        at++;
    return at;
}

static ssize_t refuse(struct eddy__http1_scan *s, size_t at, int code, const char *why)
{
    s->at = at;
    s->why = why;
    return code;
}

static ssize_t refuse_control(struct eddy__http1_scan *s, size_t at, char c)
{
    return refuse(s, at, -EDDY_EHTTP,
                  c == '\n'   ? "a line that ends in LF alone; lines end in CR LF"
                  : c == '\0' ? "a NUL byte"
                  : c == '\t' ? "a tab in the start line"
                              : "a control byte");
}

static ssize_t refuse_name(struct eddy__http1_scan *s, size_t at, char c)
{
    return refuse(s, at, -EDDY_EHTTP,
                  c == ' ' || c == '\t'    ? "a blank before a field's colon"
                  : c == '\r' || c == '\n' ? "a field line without a colon"
                                           : "a byte that a field's name may not hold");
}

/* The bytes ran out in mid-head. */
static ssize_t more(struct eddy__http1_scan *s, size_t at, size_t head_max, size_t line_max)
{
    s->at = at;
    if (s->state <= START_LINE && at - s->skipped > line_max)
        return refuse(s, at, -EDDY_EURI_TOOBIG, "a start line over the limit");
    if (at >= head_max)
        return refuse(s, at, -EDDY_EHEAD_TOOBIG, "a head over the limit");
    return 0;
}

/* Flat: one case a state. */
ssize_t eddy__http1_scan(struct eddy__http1_scan *s, const char *buf, size_t len,
                         const struct eddy__http1_limits *limits)
{
    const size_t head_max = limits && limits->head ? limits->head : HEAD_MAX;
    const size_t line_max = limits && limits->line ? limits->line : LINE_MAX;
    const size_t fields_max = limits && limits->headers ? limits->headers : EDDY__HTTP1_HEADERS;
    const size_t end = len < head_max ? len : head_max;
    size_t at = s->at;

    assert(at <= len);
    while (at < end) {
        switch (s->state) {
        case BEGIN:
        case BEGIN_AGAIN:
            if (buf[at] != '\r') {
                if (!eddy__http1_is(buf[at], EDDY__HTTP1_TOKEN))
                    return refuse(s, at, -EDDY_EHTTP, "a message that does not begin with a word");
                s->state = START_LINE;
                break;
            }
            if (s->state == BEGIN_AGAIN)
                return refuse(s, at, -EDDY_EHTTP, "empty lines before the start line");
            if (at + 1 == end)
                return more(s, at, head_max, line_max);
            if (buf[at + 1] != '\n')
                return refuse(s, at, -EDDY_EHTTP, "a CR without its LF");
            at += 2;
            s->skipped = 2;
            s->state = BEGIN_AGAIN;
            break;

        case FIELD:
            if (eddy__http1_is(buf[at], EDDY__HTTP1_TOKEN)) {
                if (s->fields >= fields_max)
                    return refuse(s, at, -EDDY_EHEAD_TOOBIG, "more fields than the limit");
                s->fields++;
                s->state = NAME;
                break;
            }
            if (buf[at] == '\r') {
                if (at + 1 == end)
                    return more(s, at, head_max, line_max);
                if (buf[at + 1] != '\n')
                    return refuse(s, at, -EDDY_EHTTP, "a CR without its LF");
                s->at = at + 2;
                return (ssize_t)s->at;
            }
            if (buf[at] == ' ' || buf[at] == '\t')
                return refuse(s, at, -EDDY_EHTTP, "a folded line: it begins with a blank");
            if (buf[at] == ':')
                return refuse(s, at, -EDDY_EHTTP, "a field without a name");
            return refuse_name(s, at, buf[at]);

        case NAME:
            at = eddy__http1_run(buf, at, end, EDDY__HTTP1_TOKEN);
            if (at == end)
                break;
            if (buf[at] != ':')
                return refuse_name(s, at, buf[at]);
            at++;
            s->state = VALUE;
            break;

        default: /* START_LINE and VALUE */
            at = find_control(buf, at, end);
            if (s->state == START_LINE && at - s->skipped > line_max)
                return refuse(s, at, -EDDY_EURI_TOOBIG, "a start line over the limit");
            if (at == end)
                break;
            if (buf[at] == '\t' && s->state == VALUE) {
                at++;
                break;
            }
            if (buf[at] != '\r')
                return refuse_control(s, at, buf[at]);
            if (at + 1 == end)
                return more(s, at, head_max, line_max);
            if (buf[at + 1] != '\n')
                return refuse(s, at, -EDDY_EHTTP, "a CR without its LF");
            at += 2;
            s->state = FIELD;
            break;
        }
    }
    return more(s, at, head_max, line_max);
}
