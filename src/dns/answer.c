/*
 * dns/answer.c - what came to a question: one block, counted
 */
#include "base/memory.h"
#include "dns/room.h"

struct dns_answer *dns_answer_new(size_t count, size_t bytes, char **ret_text)
{
    const size_t size = sizeof(struct dns_answer) + count * sizeof(struct eddy_record) + bytes;

    struct dns_answer *a = eddy__alloc(size);
    if (!a)
        return NULL;
    *a = (struct dns_answer){ .refs = 1, .size = size, .count = count };
    memset(a->at, 0, count * sizeof *a->at);
    *ret_text = (char *)&a->at[count];
    return a;
}

struct dns_answer *dns_answer_failed(int status, const char *why)
{
    char *text;

    struct dns_answer *a = dns_answer_new(0, 0, &text);
    if (a) {
        a->status = status;
        a->why = why;
    }
    return a;
}

void dns_answer_put(struct dns_answer *a)
{
    if (a && --a->refs == 0)
        eddy__free(a, a->size);
}
