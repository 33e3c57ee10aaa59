/*
 * base/list.h - a doubly linked ring whose links are embedded in what is listed
 *
 * The head is a link like the others, so insertion and removal have no special case. A link
 * that is in no list points at itself; removing it is harmless.
 */
#ifndef EDDY_BASE_LIST_H
#define EDDY_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct eddy_list {
    struct eddy_list *next;
    struct eddy_list *prev;
};

/* The struct that holds @link as its member @member. */
#define eddy_container_of(link, type, member)                                                      \
    ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void eddy_list_init(struct eddy_list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool eddy_list_is_empty(const struct eddy_list *l)
{
    return l->next == l;
}

/* Insert before @at; with the head as @at, that is at the end. */
static inline void eddy_list_insert(struct eddy_list *at, struct eddy_list *l)
{
    l->next = at;
    l->prev = at->prev;
    at->prev->next = l;
    at->prev = l;
}

static inline void eddy_list_push(struct eddy_list *head, struct eddy_list *l)
{
    eddy_list_insert(head, l);
}

static inline void eddy_list_push_front(struct eddy_list *head, struct eddy_list *l)
{
    eddy_list_insert(head->next, l);
}

static inline void eddy_list_remove(struct eddy_list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    eddy_list_init(l);
}

/* The first link, out of the list; NULL when it is empty. */
static inline struct eddy_list *eddy_list_shift(struct eddy_list *head)
{
    struct eddy_list *l = head->next;

    if (l == head)
        return NULL;
    eddy_list_remove(l);
    return l;
}

/* Move everything from @from to the empty list @to: dispatch swaps the ready list out first,
 * so callbacks may add and remove freely and each entry runs once. */
static inline void eddy_list_take_all(struct eddy_list *to, struct eddy_list *from)
{
    assert(eddy_list_is_empty(to));
    if (eddy_list_is_empty(from))
        return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    eddy_list_init(from);
}

#endif
