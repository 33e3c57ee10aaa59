/*
 * dns/lookup.c - the public calls for records: a task that waits for one answer, and its own copy
 *
 * The copy is one block: the records, in the order to be tried, and their texts behind them.
 */
#include "base/memory.h"
#include "dns/room.h"
#include "task/wait.h"

#include <netinet/in.h>
#include <stdio.h>

/* The task that waits, on its stack. */
struct seeker {
    struct eddy_wait wait; /* first */
    struct dns_ask ask;
    struct dns_room *room;
    struct eddy_records *records;
    int result;
    const char *why;
};

/* --- the copy -------------------------------------------------------------------------------- */

struct memory {
    size_t size;
    struct eddy_record at[];
};

/* Addresses are told as text. */
static size_t text_of(const struct eddy_record *from, char *buf, size_t cap)
{
    struct dns_ip ip = { .family = from->type == EDDY_DNS_A ? AF_INET : AF_INET6 };
    struct eddy_address address;

    memcpy(ip.bytes, from->text, from->len);
    dns_ip_to_address(&ip, 0, &address);
    eddy_address_format(&address, buf, cap);
    char *begin = buf + (buf[0] == '['), *end = strrchr(buf, buf[0] == '[' ? ']' : ':');
    memmove(buf, begin, (size_t)(end - begin));
    buf[end - begin] = '\0';
    return (size_t)(end - begin);
}

static bool is_address(const struct eddy_record *r)
{
    return r->type == EDDY_DNS_A || r->type == EDDY_DNS_AAAA;
}

static int copy(const struct dns_answer *a, uint32_t left_s, struct eddy_records *ret)
{
    size_t size = sizeof(struct memory) + a->count * sizeof(struct eddy_record);

    for (size_t i = 0; i < a->count; i++)
        size += is_address(&a->at[i]) ? EDDY_ADDRESS_TEXT : a->at[i].len + 1;
    struct memory *m = eddy__alloc(size);
    if (!m)
        return -ENOMEM;
    m->size = size;
    char *text = (char *)&m->at[a->count];
    for (size_t i = 0; i < a->count; i++) {
        struct eddy_record *to = &m->at[i];
        *to = a->at[i];
        to->text = text;
        if (is_address(to)) {
            to->len = text_of(&a->at[i], text, EDDY_ADDRESS_TEXT);
        } else {
            memcpy(text, a->at[i].text, to->len);
            text[to->len] = '\0';
        }
        text += to->len + 1;
        if (to->ttl_s > left_s)
            to->ttl_s = left_s;
    }
    ret->memory = m;
    ret->at = m->at;
    ret->count = a->count;
    return 0;
}

void eddy_records_done(struct eddy_records *records)
{
    struct memory *m = records->memory;

    if (m)
        eddy__free(m, m->size);
    *records = (struct eddy_records){ .count = 0 };
}

/* --- the order ------------------------------------------------------------------------------- */

static struct eddy_record *records_of(struct eddy_records *records)
{
    return ((struct memory *)records->memory)->at;
}

/* 0..sides-1, of the loop's randomness: the simulator's comes from its seed. */
static uint32_t roll(struct eddy_loop *loop, uint32_t sides)
{
    uint32_t dice = 0;

    if (sides > 1)
        loop->driver->ops->random(loop->driver, &dice, sizeof dice);
    return (uint32_t)(((uint64_t)dice * sides) >> 32);
}

static void sort_by_priority(struct eddy_record *at, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct eddy_record one = at[i];
        size_t k = i;
        for (; k > 0 && at[k - 1].priority > one.priority; k--)
            at[k] = at[k - 1];
        at[k] = one;
    }
}

/* RFC 2782, of those of one priority: the running sum of the weights that reaches a number drawn
 * from 0 to their total; those of weight 0 stand before the others, and so have 0 to themselves. */
static size_t pick(struct eddy_loop *loop, const struct eddy_record *at, size_t count)
{
    uint32_t total = 0, zeros = 0, sum = 0;

    for (size_t i = 0; i < count; i++) {
        total += at[i].weight;
        zeros += at[i].weight == 0;
    }
    const uint32_t drawn = roll(loop, total + 1);
    uint32_t nth = drawn == 0 && zeros ? roll(loop, zeros) : UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        sum += at[i].weight;
        if (nth != UINT32_MAX ? at[i].weight == 0 && nth-- == 0 : at[i].weight && sum >= drawn)
            return i;
    }
    return 0;
}

/* By priority, and those of one priority by weight; MX have none, so by chance. */
static void put_in_order(struct eddy_loop *loop, struct eddy_records *records)
{
    struct eddy_record *at = records_of(records);

    sort_by_priority(at, records->count);
    for (size_t first = 0, end; first < records->count; first = end) {
        for (end = first + 1; end < records->count && at[end].priority == at[first].priority;)
            end++;
        for (size_t i = first; i + 1 < end; i++) {
            size_t k = i + pick(loop, &at[i], end - i);
            struct eddy_record one = at[k];
            memmove(&at[i + 1], &at[i], (k - i) * sizeof *at);
            at[i] = one;
        }
    }
}

/* --- asking ---------------------------------------------------------------------------------- */

static int take(struct seeker *s, const struct dns_answer *a, bool cached)
{
    int64_t left_ns = a->until_ns - eddy_loop_clock(s->room->loop);

    s->why = a->why;
    if (a->status < 0)
        return a->status;
    int r = copy(a, left_ns > 0 ? (uint32_t)((left_ns + 999999999) / 1000000000) : 0, s->records);
    s->records->cached = cached;
    return r;
}

static void answered(struct dns_ask *ask, const struct dns_answer *a, bool cached)
{
    struct seeker *s = eddy_container_of(ask, struct seeker, ask);

    eddy__wake(&s->wait, take(s, a, cached));
}

static void interrupted(struct eddy_wait *w, int why)
{
    struct seeker *s = (struct seeker *)(void *)w;

    dns_ask_withdraw(s->room, &s->ask);
    eddy__wake(w, why);
}

/* Absolute, lower case, without the dot at its end. */
static int name_of(const char *name, char buf[DNS_NAME_MAX + 1])
{
    size_t len = strlen(name);

    if (len && name[len - 1] == '.')
        len--;
    if (!len || len > DNS_NAME_MAX)
        return -EDDY_ENONAME;
    for (size_t i = 0; i < len; i++)
        buf[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    buf[len] = '\0';
    return 0;
}

static int seek(struct seeker *s, const char *name, unsigned type, bool no_cache)
{
    const struct dns_answer *a = NULL;
    char key[DNS_NAME_MAX + 1];

    int r = name_of(name, key);
    if (r < 0) {
        s->why = "no name can be so";
        return r;
    }
    r = eddy__sim_refuse(eddy__loop(), "records of name servers");
    if (r < 0)
        return r;
    r = dns_room_of(eddy__loop(), &s->room);
    if (r == 0)
        r = dns_room_refresh(s->room);
    if (r < 0)
        return r;
    r = dns_ask(s->room, key, type, no_cache, &s->ask, &a);
    if (r < 0)
        return r;
    return a ? take(s, a, true) : eddy__wait(&s->wait);
}

static bool is_type(unsigned type)
{
    return type >= 1 && type <= 65535 && (type < 128 || type > 255) && type != 41;
}

static int look_up(const char *name, unsigned type, const struct eddy_lookup_options *options,
                   struct eddy_records *ret_records)
{
    struct eddy_error *err = options ? options->error : NULL;
    struct eddy_records records = { .count = 0 };
    struct seeker s = { .wait = EDDY_WAIT(interrupted, "look-up"),
                        .ask = { .done = answered },
                        .records = &records };

    if (!eddy_loop_current())
        return dns_explain(err, eddy__loop_refusal(), eddy_slice_of(name), NULL);
    int r = eddy__wait_check();
    if (r == 0 && !is_type(type))
        return eddy_error_set(err, -EINVAL, 0, "no record has the type %u: 1 to 127, 256 to 65535",
                              type);
    if (r == 0)
        r = seek(&s, name, type, options && options->no_cache);
    if (r < 0)
        return dns_explain(err, r, eddy_slice_of(name), s.why);
    *ret_records = records;
    return 0;
}

/* As look_up(), in the order to be tried; one record that says there is nothing is none. */
static int look_up_ordered(const char *name, unsigned type,
                           const struct eddy_lookup_options *options,
                           struct eddy_records *ret_records)
{
    int r = look_up(name, type, options, ret_records);
    if (r < 0)
        return r;
    if (ret_records->count == 1 && ret_records->at[0].len == 0) {
        eddy_records_done(ret_records);
        return dns_explain(options ? options->error : NULL, -EDDY_ENONAME, eddy_slice_of(name),
                           type == EDDY_DNS_MX ? "it takes no mail" : "it has no such service");
    }
    put_in_order(eddy__loop(), ret_records);
    return 0;
}

/* --- the public calls ------------------------------------------------------------------------ */

int eddy_lookup(const char *name, unsigned type, const struct eddy_lookup_options *options,
                struct eddy_records *ret_records)
{
    return look_up(name, type, options, ret_records);
}

int eddy_lookup_srv(const char *name, const struct eddy_lookup_options *options,
                    struct eddy_records *ret_records)
{
    return look_up_ordered(name, EDDY_DNS_SRV, options, ret_records);
}

int eddy_lookup_mx(const char *name, const struct eddy_lookup_options *options,
                   struct eddy_records *ret_records)
{
    return look_up_ordered(name, EDDY_DNS_MX, options, ret_records);
}

int eddy_lookup_txt(const char *name, const struct eddy_lookup_options *options,
                    struct eddy_records *ret_records)
{
    return look_up(name, EDDY_DNS_TXT, options, ret_records);
}

int eddy_lookup_ptr(const struct eddy_address *address, const struct eddy_lookup_options *options,
                    struct eddy_records *ret_records)
{
    static const char hex[] = "0123456789abcdef";
    struct dns_ip ip;
    char name[80], *at = name;

    if (!address->len || dns_ip_of_sockaddr((const struct sockaddr *)&address->storage, &ip) < 0) {
        int r = eddy_loop_current() ? eddy__wait_check() : eddy__loop_refusal();
        return eddy_error_set(options ? options->error : NULL, r < 0 ? r : -EINVAL, 0,
                              "only IPv4 and IPv6 addresses have names");
    }
    if (ip.family == AF_INET) {
        snprintf(name, sizeof name, "%u.%u.%u.%u.in-addr.arpa", ip.bytes[3], ip.bytes[2],
                 ip.bytes[1], ip.bytes[0]);
    } else {
        for (int i = 15; i >= 0; i--) {
            *at++ = hex[ip.bytes[i] & 15];
            *at++ = '.';
            *at++ = hex[ip.bytes[i] >> 4];
            *at++ = '.';
        }
        memcpy(at, "ip6.arpa", 9);
    }
    return look_up(name, EDDY_DNS_PTR, options, ret_records);
}
