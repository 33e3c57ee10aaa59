/*
 * task/local.c - values that belong to a scope
 *
 * A scope that a task has entered keeps what that task set in it; what a task set while its
 * innermost scope was the one it was born in, which it shares with its siblings, is kept by the
 * task itself. The walk outwards meets both: from a scope to its parent, and where that parent is
 * the scope in which the owner was born, through the owner's own values.
 */
#include "task/task.h"

#include "base/memory.h"

#include <eddy/local.h>

struct eddy_local_value {
    struct eddy_local_value *next;
    const struct eddy_local *key;
    void *value;
};

static struct eddy_local_value *find(struct eddy_local_value *v, const struct eddy_local *key)
{
    while (v && v->key != key)
        v = v->next;
    return v;
}

void eddy_locals_free(struct eddy_local_value **at)
{
    for (struct eddy_local_value *v; (v = *at);) {
        *at = v->next;
        eddy__free(v, sizeof *v);
    }
}

int eddy_local_set(const struct eddy_local *key, void *value)
{
    struct eddy_task *t = eddy_task_current();

    if (!t)
        return eddy_task_refusal();
    struct eddy_local_value **at = t->scope == t->born ? &t->locals : &t->scope->locals;
    struct eddy_local_value *v = find(*at, key);
    if (!v) {
        v = eddy__alloc(sizeof *v);
        if (!v)
            return -ENOMEM;
        v->key = key;
        v->next = *at;
        *at = v;
    }
    v->value = value;
    return 0;
}

void *eddy_local_get(const struct eddy_local *key)
{
    struct eddy_task *t = eddy_task_current();
    struct eddy_local_value *v = NULL;

    if (!t)
        return NULL;
    if (t->scope == t->born)
        v = find(t->locals, key);
    for (struct scope *s = t->scope; s && !v; s = s->parent) {
        v = find(s->locals, key);
        if (!v && s->owner && s->parent && s->parent == s->owner->born)
            v = find(s->owner->locals, key);
    }
    return v ? v->value : NULL;
}
