/*
 * dns/ask_system.c - questions that c-ares cannot answer: getaddrinfo(3) on a thread of the pool,
 * and the names of a driver that makes up its network
 */
#include "base/memory.h"
#include "dns/question.h"
#include "dns/system.h"

#include <netinet/in.h>

int (*eddy_dns_getaddrinfo)(const char *, const char *, const struct addrinfo *,
                            struct addrinfo **) = getaddrinfo;
void (*eddy_dns_freeaddrinfo)(struct addrinfo *) = freeaddrinfo;

/* Addresses as an answer: of sockaddrs, which @next gives one after the other. */
static struct dns_answer *answer_of(const struct dns_ips *ips)
{
    enum { EACH = 21 };
    char *text;

    struct dns_answer *a = dns_answer_new(ips->count, ips->count * EACH, &text);
    for (size_t i = 0; a && i < ips->count; i++, text += EACH) {
        const struct dns_ip *ip = &ips->at[i];
        memset(text, 0, EACH);
        memcpy(text, ip->bytes, 16);
        memcpy(text + 16, &ip->scope, 4);
        a->at[i] = (struct eddy_record){
            .type = ip->family == AF_INET ? EDDY_DNS_A : EDDY_DNS_AAAA,
            .text = text,
            .len = ip->family == AF_INET ? 4 : 20,
        };
    }
    return a;
}

static void forget(struct dns_question *q)
{
    q->entry->question = NULL;
    q->room->counts.waiting--;
    eddy__free(q, q->size);
}

/* --- getaddrinfo(3) -------------------------------------------------------------------------- */

struct system_question {
    struct dns_question q; /* first */
    struct eddy_work work;
    struct addrinfo *found;
    int status;
    char name[];
};

static void run(struct eddy_work *w)
{
    struct system_question *own = eddy_container_of(w, struct system_question, work);
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

    own->status = eddy_dns_getaddrinfo(own->name, NULL, &hints, &own->found);
}

static struct dns_answer *answer_of_system(struct system_question *own)
{
    struct dns_ips ips = { .count = 0 };

    for (struct addrinfo *ai = own->found; ai && ips.count < EDDY_ADDRESSES_MAX; ai = ai->ai_next)
        if (dns_ip_of_sockaddr(ai->ai_addr, &ips.at[ips.count]) == 0)
            ips.count++;
    switch (own->status) {
    case 0:
        return ips.count ? answer_of(&ips) : dns_answer_failed(-EDDY_ENONAME, "no address of IP");
    case EAI_NONAME: return dns_answer_failed(-EDDY_ENONAME, "no such name");
#ifdef EAI_NODATA
    case EAI_NODATA: return dns_answer_failed(-EDDY_ENONAME, "no address");
#endif
    case EAI_MEMORY: return NULL;
    default: return dns_answer_failed(-EDDY_ERESOLVER, gai_strerror(own->status));
    }
}

static void done(struct eddy_work *w)
{
    struct system_question *own = eddy_container_of(w, struct system_question, work);

    struct dns_answer *answer = answer_of_system(own);
    if (own->found)
        eddy_dns_freeaddrinfo(own->found);
    dns_question_over(&own->q, answer);
}

static bool withdraw_work(struct dns_question *q)
{
    struct system_question *own = (struct system_question *)(void *)q;

    if (!eddy__work_withdraw(&own->work))
        return false;
    forget(q);
    return true;
}

int dns_question_system(struct dns_room *room, struct dns_entry *e)
{
    const size_t len = strlen(e->name);

    struct system_question *own = dns_question_new(room, e, EDDY_DNS_SYSTEM, sizeof *own + len + 1);
    if (!own)
        return -ENOMEM;
    memcpy(own->name, e->name, len + 1);
    own->work = (struct eddy_work){ .run = run, .done = done };
    own->q.withdraw = withdraw_work;
    int r = eddy__work_submit(room->loop, EDDY_WORK_NAMES, &own->work);
    if (r < 0) {
        forget(&own->q);
        return r == -ENOMEM ? r : -EDDY_ERESOLVER;
    }
    room->counts.system++;
    return 0;
}

/* --- the simulator's hosts ------------------------------------------------------------------- */

struct simulated_question {
    struct dns_question q; /* first */
    struct eddy_op op;
    struct eddy_lookup lookup;
    struct sockaddr_storage found[EDDY_ADDRESSES_MAX];
    char name[];
};

static void looked_up(struct eddy_op *op, int res)
{
    struct simulated_question *own = op->ctx;
    struct dns_ips ips = { .count = 0 };
    struct dns_answer *answer;

    for (int i = 0; i < res; i++)
        if (dns_ip_of_sockaddr((const struct sockaddr *)&own->found[i], &ips.at[ips.count]) == 0)
            ips.count++;
    if (res > 0)
        answer = answer_of(&ips);
    else if (res == -ENOMEM)
        answer = NULL;
    else if (res == -EDDY_ENONAME)
        answer = dns_answer_failed(res, "no such name");
    else
        answer = dns_answer_failed(-EDDY_ERESOLVER, "the simulator says so");
    dns_question_over(&own->q, answer);
}

static bool withdraw_op(struct dns_question *q)
{
    struct simulated_question *own = (struct simulated_question *)(void *)q;

    if (!eddy__op_cancel(q->room->loop, &own->op))
        return false;
    forget(q);
    return true;
}

int dns_question_simulated(struct dns_room *room, struct dns_entry *e)
{
    /* Of the key, the name (host.c). */
    const char *name = strchr(e->name, '/') + 1;
    const size_t len = strlen(name);

    struct simulated_question *own = dns_question_new(room, e, EDDY_DNS_SIMULATED,
                                                      sizeof *own + len + 1);
    if (!own)
        return -ENOMEM;
    memcpy(own->name, name, len + 1);
    own->lookup = (struct eddy_lookup){ .name = own->name,
                                        .family = e->type == EDDY_DNS_A ? AF_INET : AF_INET6,
                                        .cap = EDDY_ADDRESSES_MAX,
                                        .ret = own->found };
    own->q.withdraw = withdraw_op;
    eddy_op_lookup(&own->op, &own->lookup, looked_up);
    own->op.ctx = own;
    if (eddy__op_submit(room->loop, &own->op))
        looked_up(&own->op, own->op.res);
    return 0;
}
