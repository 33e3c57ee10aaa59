/*
 * dns/decode.c - the records in a message of a name server
 *
 * c-ares has matched the message to its question, by id, question and server. Its own decoders
 * leave out the TTLs, and the SOA that says how long a "no" holds; so records are walked here, each
 * bound looked at, and what is hard, names that are compressed, is expanded by c-ares.
 *
 * Two passes over the message: one that counts, one that writes.
 */
#include "base/memory.h"
#include "dns/room.h"

#include <ares.h>
#include <stdlib.h>

enum { HEAD = 12, TYPE_SOA = 6, CLASS_IN = 1, RCODE_NXDOMAIN = 3 };

/* A record in the message, and what goes before its name. */
struct rr {
    unsigned type, class_of;
    uint32_t ttl_s;
    const unsigned char *data;
    unsigned len;
};

struct reader {
    const unsigned char *message, *at, *end;
    int len;
};

static unsigned u16(const unsigned char *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t u32(const unsigned char *p)
{
    return (uint32_t)u16(p) << 16 | u16(p + 2);
}

/* A name at @p, as text that c-ares owns; @ret_used may be NULL. */
static int expand(const struct reader *r, const unsigned char *p, char **ret_name, long *ret_used)
{
    long used;

    if (p >= r->end)
        return -EDDY_ERESOLVER;
    int status = ares_expand_name(p, r->message, r->len, ret_name, &used);
    if (status != ARES_SUCCESS)
        return status == ARES_ENOMEM ? -ENOMEM : -EDDY_ERESOLVER;
    if (ret_used)
        *ret_used = used;
    return 0;
}

static int skip_name(struct reader *r)
{
    /* No expansion needed: labels up to a pointer or the root. */
    while (r->at < r->end) {
        const unsigned n = *r->at;
        const unsigned skip = n >= 0xc0 ? 2 : n + 1;
        if (skip > r->end - r->at)
            break;
        r->at += skip;
        if (n == 0 || n >= 0xc0)
            return 0;
    }
    return -EDDY_ERESOLVER;
}

static int next(struct reader *r, struct rr *ret)
{
    int x = skip_name(r);

    if (x < 0)
        return x;
    if (r->end - r->at < 10)
        return -EDDY_ERESOLVER;
    *ret = (struct rr){ .type = u16(r->at),
                        .class_of = u16(r->at + 2),
                        .ttl_s = u32(r->at + 4),
                        .data = r->at + 10,
                        .len = u16(r->at + 8) };
    if (ret->ttl_s > INT32_MAX) /* RFC 2181 8 */
        ret->ttl_s = 0;
    if (ret->len > (size_t)(r->end - ret->data))
        return -EDDY_ERESOLVER;
    r->at = ret->data + ret->len;
    return 0;
}

/* --- the data of a record -------------------------------------------------------------------- */

/* Bytes before the name in the data of these types; -1: there is no name in it. */
static int name_offset(unsigned type)
{
    switch (type) {
    case EDDY_DNS_NS:
    case EDDY_DNS_CNAME:
    case EDDY_DNS_PTR: return 0;
    case EDDY_DNS_MX: return 2;
    case EDDY_DNS_SRV: return 6;
    default: return -1;
    }
}

static int write_name(const struct reader *r, const struct rr *rr, unsigned before, char *to)
{
    char *name;

    if (rr->len <= before)
        return -EDDY_ERESOLVER;
    int x = expand(r, rr->data + before, &name, NULL);
    if (x < 0)
        return x;
    size_t len = strlen(name);
    if (to)
        memcpy(to, name, len);
    ares_free_string(name);
    return (int)len;
}

/* The strings of a TXT, one behind the other. */
static int write_txt(const struct rr *rr, char *to)
{
    int len = 0;

    for (unsigned i = 0; i < rr->len;) {
        unsigned n = rr->data[i++];
        if (n > rr->len - i)
            return -EDDY_ERESOLVER;
        if (to)
            memcpy(to + len, rr->data + i, n);
        len += (int)n;
        i += n;
    }
    return len;
}

/* Its text to @to (NULL: only count), and how many bytes that are. */
static int write_data(const struct reader *r, const struct rr *rr, char *to)
{
    int before = name_offset(rr->type);

    if (before >= 0)
        return write_name(r, rr, (unsigned)before, to);
    if (rr->type == EDDY_DNS_TXT)
        return write_txt(rr, to);
    if ((rr->type == EDDY_DNS_A && rr->len != 4) || (rr->type == EDDY_DNS_AAAA && rr->len != 16))
        return -EDDY_ERESOLVER;
    if (to && rr->len)
        memcpy(to, rr->data, rr->len);
    return (int)rr->len;
}

static void write_numbers(const struct rr *rr, struct eddy_record *to)
{
    to->type = (uint16_t)rr->type;
    to->ttl_s = rr->ttl_s;
    if (rr->type == EDDY_DNS_MX || rr->type == EDDY_DNS_SRV)
        to->priority = (uint16_t)u16(rr->data);
    if (rr->type == EDDY_DNS_SRV) {
        to->weight = (uint16_t)u16(rr->data + 2);
        to->port = (uint16_t)u16(rr->data + 4);
    }
}

/* --- the sections ---------------------------------------------------------------------------- */

struct sum {
    size_t count, bytes;
    uint32_t ttl_s; /* the least, CNAMEs on the way included */
};

/* Over the answer section, of @count records. To @to, or only the sum. */
static int walk(struct reader r, unsigned count, unsigned type, struct dns_answer *to, char *text,
                struct sum *ret, const unsigned char **ret_end)
{
    struct sum sum = { .ttl_s = UINT32_MAX };
    struct rr rr;

    for (; count > 0; count--) {
        int x = next(&r, &rr);
        if (x < 0)
            return x;
        bool is_wanted = rr.type == type && sum.count < EDDY_RECORDS_MAX;
        if (rr.class_of != CLASS_IN || (!is_wanted && rr.type != EDDY_DNS_CNAME))
            continue;
        if (rr.ttl_s < sum.ttl_s)
            sum.ttl_s = rr.ttl_s;
        if (!is_wanted)
            continue;
        x = write_data(&r, &rr, to ? text + sum.bytes : NULL);
        if (x < 0)
            return x;
        if (to) {
            struct eddy_record *record = &to->at[sum.count];
            write_numbers(&rr, record);
            record->text = text + sum.bytes;
            record->len = (size_t)x;
            text[sum.bytes + (size_t)x] = '\0';
        }
        sum.bytes += (size_t)x + 1;
        sum.count++;
    }
    *ret = sum;
    *ret_end = r.at;
    return 0;
}

/* RFC 2308 5: the SOA in the authority section, its own TTL or the minimum it tells. -1: none. */
static int64_t negative_ttl_s(struct reader r, unsigned count)
{
    struct rr rr;

    for (; count > 0 && next(&r, &rr) == 0; count--) {
        if (rr.type != TYPE_SOA || rr.class_of != CLASS_IN || rr.len < 22)
            continue;
        uint32_t minimum = u32(rr.data + rr.len - 4);
        return minimum < rr.ttl_s ? minimum : rr.ttl_s;
    }
    return -1;
}

static int decode_no(const struct reader *r, bool is_name, unsigned authority,
                     struct dns_answer **ret_answer)
{
    struct dns_answer *a = dns_answer_failed(-EDDY_ENONAME,
                                             is_name ? "no record of that type" : "no such name");
    if (!a)
        return -ENOMEM;
    int64_t ttl_s = negative_ttl_s(*r, authority);
    a->no_data = is_name;
    a->timed = ttl_s >= 0;
    a->ttl_ms = ttl_s > 0 ? ttl_s * 1000 : 0;
    *ret_answer = a;
    return 0;
}

int dns_decode(const unsigned char *message, int len, unsigned type, struct dns_answer **ret_answer)
{
    struct reader r = { .message = message, .len = len };
    struct sum sum;
    char *text;

    if (!message || len < HEAD)
        return -EDDY_ERESOLVER;
    r.at = message + HEAD;
    r.end = message + len;
    unsigned questions = u16(message + 4), answers = u16(message + 6), authority = u16(message + 8);
    for (; questions > 0; questions--) {
        int x = skip_name(&r);
        if (x < 0)
            return x;
        if (r.end - r.at < 4)
            return -EDDY_ERESOLVER;
        r.at += 4;
    }
    const unsigned char *end;
    int x = walk(r, answers, type, NULL, NULL, &sum, &end);
    if (x < 0)
        return x;
    if (!sum.count) {
        r.at = end;
        return decode_no(&r, (message[3] & 15) != RCODE_NXDOMAIN, authority, ret_answer);
    }
    struct dns_answer *a = dns_answer_new(sum.count, sum.bytes, &text);
    if (!a)
        return -ENOMEM;
    x = walk(r, answers, type, a, text, &sum, &end);
    if (x < 0) {
        dns_answer_put(a);
        return x;
    }
    a->ttl_ms = (int64_t)sum.ttl_s * 1000;
    a->timed = true;
    *ret_answer = a;
    return 0;
}
