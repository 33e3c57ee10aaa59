/*
 * dns/ask.c - one who wants to know; one question for all who want to know the same at one time
 */
#include "base/memory.h"
#include "dns/channel.h"
#include "dns/question.h"

#include <arpa/nameser.h>

/* --- a question's record --------------------------------------------------------------------- */

void *dns_question_new(struct dns_room *room, struct dns_entry *e, enum eddy_dns_via via,
                       size_t size)
{
    struct dns_question *q = eddy__zalloc(size);

    if (!q)
        return NULL;
    *q = (struct dns_question){ .room = room, .entry = e, .size = size, .via = via };
    e->question = q;
    room->counts.waiting++;
    return q;
}

static void forget(struct dns_question *q)
{
    if (q->room) {
        q->entry->question = NULL;
        q->room->counts.waiting--;
    }
    eddy__free(q, q->size);
}

void dns_question_over(struct dns_question *q, struct dns_answer *answer)
{
    struct dns_room *room = q->room;
    struct dns_entry *e = q->entry;

    if (!room) {
        dns_answer_put(answer);
        eddy__free(q, q->size);
        return;
    }
    if (answer) {
        answer->via = q->via;
    } else {
        answer = room->no_memory;
        answer->refs++;
    }
    forget(q);
    dns_cache_answer(room, e, answer);
}

void dns_question_end(struct dns_question *q)
{
    struct dns_entry *e = q->entry;

    if (q->withdraw && q->withdraw(q))
        return;
    e->question = NULL;
    q->room->counts.waiting--;
    q->room = NULL;
    q->entry = NULL;
}

/* --- the name servers ------------------------------------------------------------------------ */

struct ares_question {
    struct dns_question q; /* first */
    struct dns_channel *channel;
    uint16_t type;
};

/* c-ares tells a server that failed (SERVFAIL, REFUSED) and one that cannot be reached alike. */
static const char *text_of(int status)
{
    switch (status) {
    case ARES_ECONNREFUSED: return "the name servers failed, or cannot be reached";
    case ARES_ETIMEOUT: return "no name server answered in time";
    case ARES_EBADRESP: return "the name server's answer makes no sense";
    default: return ares_strerror(status);
    }
}

static struct dns_answer *failure(int status)
{
    struct dns_answer *a = status == ARES_ENOMEM
                               ? NULL
                               : dns_answer_failed(-EDDY_ERESOLVER, text_of(status));
    if (a)
        a->silent = status != ARES_ESERVFAIL && status != ARES_ECONNREFUSED;
    return a;
}

static void answered(void *ctx, int status, int timeouts, unsigned char *message, int len)
{
    struct ares_question *own = ctx;
    struct dns_answer *answer = NULL;

    (void)timeouts;
    own->channel->questions--;
    switch (status) {
    case ARES_SUCCESS:
    case ARES_ENODATA:
    case ARES_ENOTFOUND: {
        int r = dns_decode(message, len, own->type, &answer);
        if (r < 0 && r != -ENOMEM)
            answer = failure(ARES_EBADRESP);
        break;
    }
    case ARES_EBADNAME: answer = dns_answer_failed(-EDDY_ENONAME, "no name can be so"); break;
    default: answer = failure(status); break;
    }
    dns_question_over(&own->q, answer);
}

int dns_question_servers(struct dns_room *room, struct dns_entry *e)
{
    struct dns_channel *c;

    int r = dns_room_channel(room, &c);
    if (r < 0)
        return r;
    struct ares_question *own = dns_question_new(room, e, EDDY_DNS_SERVERS, sizeof *own);
    if (!own)
        return -ENOMEM;
    own->channel = c;
    own->type = e->type;
    c->questions++;
    room->counts.servers++;
    /* May answer before it returns. */
    ares_query(c->ares, e->name, ns_c_in, e->type, answered, own);
    dns_channel_refresh(c);
    return 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

static int put(struct dns_room *room, struct dns_entry *e)
{
    if (room->counts.waiting >= room->set.max_questions) {
        e->queued = true;
        eddy_list_push(&room->queued, &e->told);
        return 0;
    }
    if (eddy_driver_is_simulated(room->loop->driver))
        return dns_question_simulated(room, e);
    if (e->type == DNS_TYPE_SYSTEM)
        return dns_question_system(room, e);
    return dns_question_servers(room, e);
}

void dns_ask_queued(struct dns_room *room)
{
    struct eddy_list *link;

    while (room->counts.waiting < room->set.max_questions &&
           (link = eddy_list_shift(&room->queued))) {
        struct dns_entry *e = eddy_container_of(link, struct dns_entry, told);
        e->queued = false;
        if (put(room, e) == 0)
            continue;
        room->no_memory->refs++; /* or no channel: it is the same to who waits */
        dns_cache_answer(room, e, room->no_memory);
    }
}

int dns_ask(struct dns_room *room, const char *name, unsigned type, bool no_cache,
            struct dns_ask *ask, const struct dns_answer **ret_answer)
{
    struct dns_entry *e;

    eddy_list_init(&ask->link);
    ask->entry = NULL;
    int r = dns_cache_have(room, name, type, &e);
    if (r < 0)
        return r;
    const struct dns_answer *hit = no_cache ? NULL : dns_cache_hit(room, e);
    if (hit) {
        room->counts.hits++;
        *ret_answer = hit;
        return 1;
    }
    room->counts.misses++;
    if (e->question || e->fresh || e->queued)
        room->counts.shared++;
    else
        r = put(room, e);
    if (r < 0) {
        dns_cache_release(room, e);
        return r;
    }
    ask->entry = e;
    eddy_list_push(&e->asks, &ask->link);
    return 0;
}

void dns_ask_withdraw(struct dns_room *room, struct dns_ask *ask)
{
    struct dns_entry *e = ask->entry;

    if (!e)
        return;
    ask->entry = NULL;
    eddy_list_remove(&ask->link);
    if (!eddy_list_is_empty(&e->asks))
        return;
    struct dns_question *q = e->question;
    if (e->queued) {
        e->queued = false;
        eddy_list_remove(&e->told);
        dns_cache_release(room, e);
    } else if (q && q->withdraw && q->withdraw(q)) {
        dns_cache_release(room, e);
    }
}
