/*
 * eddy/local.h - values that belong to a scope and are seen by all that runs inside it
 *
 *     EDDY_LOCAL(user_id);                       // a key: a constant, known by its address
 *
 *     static int handle(struct handle_args *a)
 *     {
 *         eddy_local_set(&user_id, &a->user);    // for this task and what it spawns
 *         return log_line("hello");
 *     }
 *
 *     static int log_line(const char *text)      // however deep inside
 *     {
 *         const struct user *user = eddy_local_get(&user_id);
 *         ...
 *     }
 *
 * A value is bound to the task's innermost scope: it holds until that scope is left, or, where
 * the task has entered none of its own, until the task ends. The look-up goes from the innermost
 * scope outwards, through the scope a task was born in to those around it; so what a child sees
 * is decided by the scope it lives in, not by who spawned it, and at the time of the look-up.
 * Nothing is copied at a spawn, and a value is never seen by what outlives its scope.
 *
 * What holds, with the test that shows it (tests/task/local_test.c, on every driver):
 *
 *  rule                                                          test
 *  ------------------------------------------------------------  -------------------------------
 *  A value holds until its scope is left                         a_local_ends_with_its_scope
 *  A child sees the values of the scope it is born in            a_child_sees_its_scopes_locals
 *  ... as they are when it looks, not when it was spawned        a_child_sees_later_changes
 *  What a child sets is not seen by parent or siblings           a_child_changes_only_its_own
 *  A child in an outer scope does not see inner ones             an_outer_scopes_child_sees_outer
 *  Setting again in one scope replaces; nothing grows            setting_again_replaces
 *  NULL hides the outer value                                    null_hides_the_outer_value
 *  Plain code's values are seen by every task of its loop        plain_codes_locals_are_everywhere
 *  A callback has no task: it sees and sets nothing              a_callback_has_no_locals
 */
#ifndef EDDY_LOCAL_H
#define EDDY_LOCAL_H

#include <eddy/common.h>

EDDY_BEGIN

/* A key. Two keys are the same when their addresses are. */
struct eddy_local {
    size_t size;      /* of this struct */
    const char *name; /* for people */
};

/* Declare a key of this file. For one that files share, write the definition without the static
 * (const struct eddy_local user_id = EDDY_LOCAL_INIT("user_id");) and an extern in a header. */
#define EDDY_LOCAL(key) static const struct eddy_local key = EDDY_LOCAL_INIT(#key)

/* clang-format off */
#define EDDY_LOCAL_INIT(name) { sizeof(struct eddy_local), (name) }
/* clang-format on */

/**
 * eddy_local_set() - bind a value to this task's innermost scope
 * @key:   static
 * @value: borrowed until the scope is left, or this task ends; NULL hides an outer one
 *
 * Does not suspend. Takes a few words of memory for the first value of a key in a scope, which
 * are given back when it is left.
 *
 * Return: 0; -ENOMEM; -EDEADLK: in a callback, which has no task.
 * Source: Python's ContextVar.set, trio's context of a task.   Since: 0.1
 */
EDDY_API int eddy_local_set(const struct eddy_local *key, void *value);

/** eddy_local_get() - the value of the innermost scope that has one
 * @key: static
 *
 * Does not suspend. Goes outwards scope by scope, so its price is their depth.
 *
 * Return: the value; NULL when there is none, and in a callback.
 * Source: Python's ContextVar.get.   Since: 0.1 */
EDDY_API void *eddy_local_get(const struct eddy_local *key);

EDDY_END

#endif
