/*
 * dns/question.h - a question under way, whoever is asked
 *
 * Its record is its own, because not every kind can be taken back: c-ares' cannot at all, a thread
 * that has begun neither. It outlives those who wait, and its answer goes to the cache. It may
 * outlive the room (entry is NULL then), and frees itself.
 */
#ifndef EDDY_DNS_QUESTION_H
#define EDDY_DNS_QUESTION_H

#include "dns/room.h"

struct dns_question {
    struct dns_room *room;   /* NULL: it has ended */
    struct dns_entry *entry; /* whose it is */
    size_t size;             /* of the record */
    enum eddy_dns_via via;
    bool (*withdraw)(
        struct dns_question *q); /* nobody waits: true if it was taken back, and freed */
};

/* It is over: frees the record and passes the answer on. NULL: no memory. */
void dns_question_over(struct dns_question *q, struct dns_answer *answer);

/* Put one; 0: dns_question_over() was called, or will be. Or negative: nothing was asked. */
int dns_question_servers(struct dns_room *room, struct dns_entry *e);
int dns_question_system(struct dns_room *room, struct dns_entry *e);
int dns_question_simulated(struct dns_room *room, struct dns_entry *e);

/* Its record, known to its room and entry. */
void *dns_question_new(struct dns_room *room, struct dns_entry *e, enum eddy_dns_via via,
                       size_t size);

#endif
