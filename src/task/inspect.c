/*
 * task/inspect.c - which tasks there are, and what each is at
 *
 * Every task is a child of a scope, and every scope hangs below the loop's root scope, shields too:
 * so a walk over the scopes, without recursion, meets each task once.
 */
#include "task/inspect.h"

#include <eddy/log.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static struct scope *scope_at(struct eddy_list *link)
{
    return eddy_container_of(link, struct scope, siblings);
}

/* In preorder; NULL behind the last one. */
static struct scope *next_scope(struct scope *top, struct scope *at)
{
    if (!eddy_list_is_empty(&at->subscopes))
        return scope_at(at->subscopes.next);
    for (; at != top; at = at->parent)
        if (at->siblings.next != &at->parent->subscopes)
            return scope_at(at->siblings.next);
    return NULL;
}

struct eddy_task *eddy_task_next(struct task_room *room, struct eddy_task_walk *walk)
{
    if (!walk->scope) {
        walk->scope = &room->root_scope;
        walk->link = &walk->scope->tasks;
    }
    while (walk->link->next == &walk->scope->tasks) {
        walk->scope = next_scope(&room->root_scope, walk->scope);
        if (!walk->scope)
            return NULL;
        walk->link = &walk->scope->tasks;
    }
    walk->link = walk->link->next;
    return eddy_container_of(walk->link, struct eddy_task, siblings);
}

enum eddy_task_state eddy_task_state(const struct eddy_task *t)
{
    if (t->loop->current == t)
        return EDDY_TASK_RUNNING;
    return t->wait ? EDDY_TASK_WAITING : EDDY_TASK_READY;
}

void eddy_task_describe(const struct eddy_task *t, int64_t now_ns, struct eddy_task_info *ret_info)
{
    const struct eddy_wait *w = t->wait;
    const struct eddy_op *op = w ? eddy_wait_op(w) : NULL;

    *ret_info = (struct eddy_task_info){
        .size = sizeof *ret_info,
        .id = t->id,
        .parent = t->born && t->born->owner ? t->born->owner->id : 0,
        .type = t->type->name,
        .file = t->site.file,
        .line = t->site.line,
        .state = eddy_task_state(t),
        .age_ns = now_ns - t->born_ns,
        .switches = t->switches,
        .busy_ns = t->busy_ns,
        .waits = w ? w->what : NULL,
        .waits_ns = w ? now_ns - w->since_ns : 0,
        .operation = op ? eddy__op_name(op->kind) : NULL,
        .fd = w ? w->fd : -1,
    };
    snprintf(ret_info->name, sizeof ret_info->name, "%s", eddy_task_name_of(t));
}

/* As eddy_address_format() has it, which is of a room that tasks do without. */
static void address(struct eddy_driver *d, int fd, bool peer, char *buf, size_t cap)
{
    struct sockaddr_storage storage;
    const struct sockaddr_in *v4 = (const void *)&storage;
    const struct sockaddr_in6 *v6 = (const void *)&storage;
    const struct sockaddr_un *un = (const void *)&storage;
    socklen_t len = sizeof storage;
    char host[INET6_ADDRSTRLEN];

    memset(&storage, 0, sizeof storage);
    if (d->ops->address(d, fd, peer, &storage, &len) < 0)
        return;
    switch (storage.ss_family) {
    case AF_INET:
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(buf, cap, "%s:%u", host, (unsigned)ntohs(v4->sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(buf, cap, "[%s]:%u", host, (unsigned)ntohs(v6->sin6_port));
        break;
    case AF_UNIX: {
        /* An abstract one begins with a zero byte; one without a name has no bytes at all. */
        bool abstract = len > offsetof(struct sockaddr_un, sun_path) && !un->sun_path[0];
        snprintf(buf, cap, "unix:%s%.*s", abstract ? "@" : "", (int)cap - 7,
                 un->sun_path + (abstract ? 1 : 0));
        break;
    }
    }
}

void eddy_task_addresses(struct eddy_loop *loop, struct eddy_task_info *info)
{
    if (info->fd < 0)
        return;
    address(loop->driver, info->fd, false, info->local, sizeof info->local);
    address(loop->driver, info->fd, true, info->peer, sizeof info->peer);
}

size_t eddy_tasks_each(struct eddy_loop *loop, const struct eddy_tasks_options *options,
                       bool (*fn)(void *ctx, const struct eddy_task_info *task), void *ctx)
{
    struct eddy_tasks_options o = { 0 };
    struct eddy_task_walk walk = { 0 };
    struct task_room *room = loop->slot[EDDY_SLOT_TASK];
    struct eddy_task *t;
    size_t told = 0;

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if (!room || eddy_loop_is_parents(loop))
        return 0;
    const int64_t now_ns = eddy_loop_clock(loop);
    while ((t = eddy_task_next(room, &walk))) {
        struct eddy_task_info info;

        if (o.max && told == o.max)
            break;
        eddy_task_describe(t, now_ns, &info);
        if (o.addresses)
            eddy_task_addresses(loop, &info);
        told++;
        if (!fn(ctx, &info))
            break;
    }
    return told;
}

void eddy_loop_watch(struct eddy_loop *loop, bool on)
{
    struct eddy_task_walk walk = { 0 };
    struct task_room *room = loop->slot[EDDY_SLOT_TASK];
    struct eddy_task *t;

    /* A time from before a pause must not be counted as one of running. */
    while (room && (t = eddy_task_next(room, &walk)))
        t->ran_ns = 0;
    loop->watched = on;
}

void eddy_tasks_left(struct task_room *room)
{
    struct eddy_task_walk walk = { 0 };
    struct eddy_task *t;

    while ((t = eddy_task_next(room, &walk)))
        eddy_log(EDDY_LOG_ERROR, "task %llu `%s`, spawned at %s:%d, was never joined",
                 (unsigned long long)t->id, eddy_task_name_of(t),
                 t->site.file ? t->site.file : "the library", t->site.line);
}
