/*
 * dns/cache.c - what was answered, and what is being asked for: a table of names and types
 *
 * An entry lives while it has an answer that is kept, a question under way, or asks to be told. One
 * that has been detached (what it was asked of is no longer what should be) is found by nobody any
 * more, serves those who wait, and goes.
 */
#include "base/memory.h"
#include "dns/room.h"

#define BUCKETS_MIN 32

static uint32_t hash_of(const char *name, unsigned type)
{
    uint32_t h = 2166136261U ^ type;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619U;
    return h ^ h >> 15;
}

static size_t entry_size(const struct dns_entry *e)
{
    return sizeof *e + strlen(e->name) + 1;
}

static size_t bytes_of(const struct dns_entry *e)
{
    return entry_size(e) + (e->answer ? e->answer->size : 0);
}

static struct dns_entry **place_of(struct dns_room *room, uint32_t hash)
{
    return &room->buckets[hash & (room->bucket_count - 1)];
}

/* Twice the buckets; without memory the chains grow longer, which is no failure. */
static void grow(struct dns_room *room)
{
    const size_t count = room->bucket_count * 2;

    EDDY_FAULT_BENIGN_BEGIN();
    struct dns_entry **buckets = eddy__zalloc(count * sizeof(struct dns_entry *));
    EDDY_FAULT_BENIGN_END();
    if (!buckets)
        return;
    for (size_t i = 0; i < room->bucket_count; i++)
        for (struct dns_entry *e = room->buckets[i], *next; e; e = next) {
            next = e->next;
            e->next = buckets[e->hash & (count - 1)];
            buckets[e->hash & (count - 1)] = e;
        }
    eddy__free(room->buckets, room->bucket_count * sizeof(struct dns_entry *));
    room->buckets = buckets;
    room->bucket_count = count;
}

struct dns_entry *dns_cache_find(struct dns_room *room, const char *name, unsigned type)
{
    const uint32_t hash = hash_of(name, type);

    if (!room->bucket_count)
        return NULL;
    for (struct dns_entry *e = *place_of(room, hash); e; e = e->next)
        if (e->hash == hash && e->type == type && strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

int dns_cache_have(struct dns_room *room, const char *name, unsigned type,
                   struct dns_entry **ret_entry)
{
    const size_t len = strlen(name);

    struct dns_entry *e = dns_cache_find(room, name, type);
    if (!e) {
        if (!room->bucket_count) {
            room->buckets = eddy__zalloc(BUCKETS_MIN * sizeof(struct dns_entry *));
            if (!room->buckets)
                return -ENOMEM;
            room->bucket_count = BUCKETS_MIN;
        }
        e = eddy__zalloc(sizeof *e + len + 1);
        if (!e)
            return -ENOMEM;
        memcpy(e->name, name, len + 1);
        e->type = (uint16_t)type;
        e->hash = hash_of(name, type);
        eddy_list_init(&e->link);
        eddy_list_init(&e->told);
        eddy_list_init(&e->asks);
        if (room->counts.entries >= room->bucket_count)
            grow(room);
        struct dns_entry **at = place_of(room, e->hash);
        e->next = *at;
        *at = e;
    }
    *ret_entry = e;
    return 0;
}

static void take_out(struct dns_room *room, struct dns_entry *e)
{
    struct dns_entry **at = place_of(room, e->hash);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
}

static void forget_answer(struct dns_room *room, struct dns_entry *e)
{
    if (!e->answer)
        return;
    room->counts.entries--;
    room->counts.bytes -= bytes_of(e);
    eddy_list_remove(&e->link);
    dns_answer_put(e->answer);
    e->answer = NULL;
}

void dns_cache_release(struct dns_room *room, struct dns_entry *e)
{
    if (e->answer || e->question || e->fresh || e->telling || !eddy_list_is_empty(&e->asks))
        return;
    if (!e->detached)
        take_out(room, e);
    eddy_list_remove(&e->link);
    eddy_list_remove(&e->told);
    eddy__free(e, entry_size(e));
}

const struct dns_answer *dns_cache_hit(struct dns_room *room, struct dns_entry *e)
{
    if (!e->answer)
        return NULL;
    if (e->answer->until_ns <= eddy_loop_clock(room->loop)) {
        forget_answer(room, e);
        return NULL;
    }
    eddy_list_remove(&e->link);
    eddy_list_push_front(&room->used, &e->link);
    return e->answer;
}

/* For how long it may be kept. */
static int64_t life_ms(const struct dns_room *room, const struct dns_answer *a)
{
    const struct dns_settings *set = &room->set;
    int64_t max = a->status == 0 ? set->max_ttl_ms : set->max_negative_ttl_ms;

    if (set->no_cache)
        return 0;
    int64_t life = a->timed ? a->ttl_ms : a->status == 0 ? set->untimed_ttl_ms : 0;
    return life < max ? life : max;
}

static void shrink(struct dns_room *room)
{
    while (room->counts.entries > room->set.max_entries ||
           room->counts.bytes > room->set.max_bytes) {
        struct dns_entry *e = eddy_container_of(room->used.prev, struct dns_entry, link);
        forget_answer(room, e);
        room->counts.evicted++;
        dns_cache_release(room, e);
    }
}

static void keep(struct dns_room *room, struct dns_entry *e, struct dns_answer *a)
{
    int64_t life = life_ms(room, a);

    forget_answer(room, e);
    a->until_ns = eddy_loop_clock(room->loop) + (a->timed ? a->ttl_ms : life) * 1000000;
    if (life <= 0 || e->detached)
        return;
    a->until_ns = eddy_loop_clock(room->loop) + life * 1000000;
    a->refs++;
    e->answer = a;
    room->counts.entries++;
    room->counts.bytes += bytes_of(e);
    eddy_list_push_front(&room->used, &e->link);
}

static void tell(struct eddy_soon *soon)
{
    struct dns_room *room = eddy_container_of(soon, struct dns_room, soon);
    struct eddy_list *link;

    while ((link = eddy_list_shift(&room->answered))) {
        struct dns_entry *e = eddy_container_of(link, struct dns_entry, told);
        struct dns_answer *a = e->fresh;
        struct eddy_list asks; /* who is told may ask anew, for the next answer */
        eddy_list_init(&asks);
        eddy_list_take_all(&asks, &e->asks);
        e->fresh = NULL;
        e->telling = true;
        while ((link = eddy_list_shift(&asks))) {
            struct dns_ask *ask = eddy_container_of(link, struct dns_ask, link);
            ask->entry = NULL;
            ask->done(ask, a, false);
        }
        e->telling = false;
        dns_answer_put(a);
        dns_cache_release(room, e);
    }
    dns_ask_queued(room);
    shrink(room);
    dns_room_sweep(room);
}

void dns_cache_answer(struct dns_room *room, struct dns_entry *e, struct dns_answer *answer)
{
    assert(!e->fresh && !e->question);
    keep(room, e, answer);
    e->fresh = answer;
    eddy_list_push(&room->answered, &e->told);
    eddy__soon(room->loop, &room->soon, tell);
}

static void detach(struct dns_room *room, struct dns_entry *e)
{
    take_out(room, e);
    e->detached = true;
    eddy_list_push(&room->detached, &e->link);
}

size_t dns_cache_flush(struct dns_room *room, bool questions_too)
{
    const size_t count = room->counts.entries;

    for (size_t i = 0; i < room->bucket_count; i++)
        for (struct dns_entry *e = room->buckets[i], *next; e; e = next) {
            next = e->next;
            forget_answer(room, e);
            if (questions_too && (e->question || e->fresh || e->telling))
                detach(room, e);
            else
                dns_cache_release(room, e);
        }
    return count;
}

static void end_question(struct dns_entry *e)
{
    if (e->question)
        dns_question_end(e->question);
}

void dns_cache_end_questions(struct dns_room *room)
{
    for (size_t i = 0; i < room->bucket_count; i++)
        for (struct dns_entry *e = room->buckets[i]; e; e = e->next)
            end_question(e);
    for (struct eddy_list *l = room->detached.next, *next; l != &room->detached; l = next) {
        next = l->next;
        struct dns_entry *e = eddy_container_of(l, struct dns_entry, link);
        end_question(e);
        dns_cache_release(room, e);
    }
}

/* The room ends: nobody waits any more, and no question is under way. */
void dns_cache_free(struct dns_room *room)
{
    struct eddy_list *link;

    eddy__soon_cancel(&room->soon);
    while ((link = eddy_list_shift(&room->answered))) {
        struct dns_entry *e = eddy_container_of(link, struct dns_entry, told);
        assert(eddy_list_is_empty(&e->asks));
        dns_answer_put(e->fresh);
        e->fresh = NULL;
        dns_cache_release(room, e);
    }
    dns_cache_flush(room, false);
    assert(eddy_list_is_empty(&room->detached));
    eddy__free(room->buckets, room->bucket_count * sizeof(struct dns_entry *));
}
