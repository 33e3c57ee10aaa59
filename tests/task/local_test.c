/*
 * Task-locals and task names, rule by rule.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "check.h"

#include "base/fault.h"
#include "base/memory.h"

#include <eddy/local.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <errno.h>
#include <string.h>

EDDY_LOCAL(user);
EDDY_LOCAL(trace);

static int a, b, c;

EDDY_TEST(a_local_ends_with_its_scope)
{
    EDDY_CHECK(eddy_local_get(&user) == NULL);
    {
        EDDY_SCOPE(outer, .timeout_ms = 0);
        EDDY_CHECK_EQ(eddy_local_set(&user, &a), 0);
        EDDY_CHECK(eddy_local_get(&user) == &a);
        EDDY_CHECK(eddy_local_get(&trace) == NULL);
        {
            EDDY_SCOPE(inner, .timeout_ms = 0);
            EDDY_CHECK(eddy_local_get(&user) == &a);
            EDDY_CHECK_EQ(eddy_local_set(&user, &b), 0);
            EDDY_CHECK_EQ(eddy_local_set(&trace, &c), 0);
            EDDY_CHECK(eddy_local_get(&user) == &b);
        }
        EDDY_CHECK(eddy_local_get(&user) == &a);
        EDDY_CHECK(eddy_local_get(&trace) == NULL);
    }
    EDDY_CHECK(eddy_local_get(&user) == NULL);
}

/* Looks, after so many turns; then sets its own, and looks again. */
struct looker_args {
    int turns;
    void **saw;
    void *sets;
    void **then;
};

static int looker(struct looker_args *args)
{
    for (int i = 0; i < args->turns; i++) {
        int r = eddy_yield();
        if (r < 0)
            return r;
    }
    *args->saw = eddy_local_get(&user);
    if (args->sets) {
        EDDY_CHECK_EQ(eddy_local_set(&user, args->sets), 0);
        EDDY_SCOPE(inner, .timeout_ms = 0);
        int r = eddy_yield();
        *args->then = eddy_local_get(&user);
        return r;
    }
    return 0;
}
EDDY_TASK(looker);

EDDY_TEST(a_child_sees_its_scopes_locals)
{
    void *saw = NULL;
    EDDY_SCOPE(outer, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_local_set(&user, &a), 0);
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_GO(&s, looker, .saw = &saw);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK(saw == &a);
}

EDDY_TEST(a_child_sees_later_changes)
{
    void *saw = NULL;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_local_set(&user, &a), 0);
    EDDY_GO(&s, looker, .saw = &saw);
    EDDY_CHECK_EQ(eddy_local_set(&user, &b), 0);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK(saw == &b);
}

EDDY_TEST(a_child_changes_only_its_own)
{
    void *first = NULL, *then = NULL, *second = NULL;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_local_set(&user, &a), 0);
    EDDY_GO(&s, looker, .saw = &first, .sets = &b, .then = &then);
    EDDY_GO(&s, looker, .turns = 4, .saw = &second);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK(eddy_local_get(&user) == &a);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK(first == &a);
    EDDY_CHECK(then == &b); /* inside its own inner scope */
    EDDY_CHECK(second == &a);
}

struct nester_args {
    void **saw;
};

/* A task that sets a value of its own, and has a child in a scope of its own. */
static int nester(struct nester_args *args)
{
    EDDY_CHECK_EQ(eddy_local_set(&user, &b), 0);
    EDDY_SCOPE(s, .timeout_ms = 0);
    EDDY_SCOPE(t, .timeout_ms = 0);
    EDDY_GO(&t, looker, .saw = args->saw);
    return eddy_join(&t);
}
EDDY_TASK(nester);

EDDY_TEST(a_grandchild_sees_its_parents_own)
{
    void *saw = NULL;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_local_set(&user, &a), 0);
    EDDY_GO(&s, nester, .saw = &saw);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK(saw == &b);
}

EDDY_TEST(an_outer_scopes_child_sees_outer)
{
    void *saw = NULL;
    EDDY_SCOPE(outer, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_local_set(&user, &a), 0);
    {
        EDDY_SCOPE(inner, .timeout_ms = 0);
        EDDY_CHECK_EQ(eddy_local_set(&user, &b), 0);
        EDDY_GO(&outer, looker, .saw = &saw);
    }
    EDDY_CHECK_EQ(eddy_join(&outer), 0);
    EDDY_CHECK(saw == &a);
}

EDDY_TEST(setting_again_replaces)
{
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_local_set(&user, &a), 0);
    size_t before = eddy__memory_live();
    for (int i = 0; i < 100; i++)
        EDDY_CHECK_EQ(eddy_local_set(&user, i % 2 ? &a : &b), 0);
    EDDY_CHECK_EQ(eddy__memory_live(), before);
    EDDY_CHECK(eddy_local_get(&user) == &a);
}

EDDY_TEST(null_hides_the_outer_value)
{
    EDDY_SCOPE(outer, .timeout_ms = 0);
    EDDY_CHECK_EQ(eddy_local_set(&user, &a), 0);
    {
        EDDY_SCOPE(inner, .timeout_ms = 0);
        EDDY_CHECK_EQ(eddy_local_set(&user, NULL), 0);
        EDDY_CHECK(eddy_local_get(&user) == NULL);
    }
    EDDY_CHECK(eddy_local_get(&user) == &a);
}

EDDY_TEST(plain_codes_locals_are_everywhere)
{
    void *saw = NULL;
    struct eddy_scope *callbacks = NULL;

    EDDY_CHECK_EQ(eddy_local_set(&user, &c), 0);
    EDDY_CHECK_EQ(eddy_scope_new(NULL, &callbacks), 0);
    EDDY_GO(callbacks, looker, .saw = &saw);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK(saw == &c);
    eddy_scope_close(callbacks, NULL, NULL);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
}

static void in_callback(void *ctx)
{
    int *r = ctx;

    EDDY_CHECK(eddy_local_get(&user) == NULL);
    *r = eddy_local_set(&user, &a);
}

EDDY_TEST(a_callback_has_no_locals)
{
    int r = 0;
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_CHECK_EQ(eddy_local_set(&user, &a), 0);
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), in_callback, &r), 0);
    EDDY_CHECK_EQ(eddy_sleep(1), 0);
    EDDY_CHECK_ERR(r, -EDEADLK);
}

EDDY_TEST(a_local_survives_every_failed_allocation)
{
    EDDY_CHECK(eddy_loop_current() != NULL);
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        EDDY_SCOPE(s, .timeout_ms = 0);
        int r = eddy_local_set(&user, &a);
        EDDY_CHECK_EQ(r, eddy_fault_fired(&f) ? -ENOMEM : 0);
        EDDY_CHECK(eddy_local_get(&user) == (r < 0 ? NULL : &a));
    }
}

/* --- names --------------------------------------------------------------------------------------- */

struct named_args {
    const char *sets;
    char *was;
    char *is;
    int result;
};

static int named(struct named_args *args)
{
    strcpy(args->was, eddy_task_name());
    if (args->sets)
        eddy_task_set_name(args->sets);
    strcpy(args->is, eddy_task_name());
    return args->result;
}
EDDY_TASK(named);

static void note_name(void *ctx, const char *name, int error)
{
    (void)error;
    strcpy(ctx, name);
}

EDDY_TEST(a_task_has_a_name)
{
    char was[32], is[32], failed[32] = "";
    EDDY_SCOPE(s, .isolate = true, .on_fail = note_name, .ctx = failed);

    EDDY_GO(&s, named, .was = was, .is = is, .result = -EIO);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_STR(was, "named");
    EDDY_CHECK_STR(failed, "named");

    EDDY_GO_WITH(&s, EDDY_OPT(go, .name = "reaper"), named, .was = was, .is = is, .result = -EIO);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_STR(was, "reaper");
    EDDY_CHECK_STR(failed, "reaper");

    EDDY_GO_WITH(&s, EDDY_OPT(go, .name = "reaper"), named, .was = was, .is = is, .sets = "mower",
                 .result = -EIO);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_STR(is, "mower");
    EDDY_CHECK_STR(failed, "mower");
}

struct unnamed_args {
    char *is;
};

static int unnamed(struct unnamed_args *args)
{
    eddy_task_set_name("somebody");
    EDDY_CHECK_STR(eddy_task_name(), "somebody");
    eddy_task_set_name(NULL);
    strcpy(args->is, eddy_task_name());
    return 0;
}
EDDY_TASK(unnamed);

EDDY_TEST(no_name_is_that_of_the_function)
{
    char is[32] = "";
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO_WITH(&s, EDDY_OPT(go, .name = "x"), unnamed, .is = is);
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_STR(is, "unnamed");
    eddy_task_set_name(NULL);
    EDDY_CHECK_STR(eddy_task_name(), "main");
}

EDDY_TEST(a_name_is_cut_to_31_bytes)
{
    char was[32], is[32];
    EDDY_SCOPE(s, .timeout_ms = 0);

    EDDY_GO(&s, named, .was = was, .is = is, .sets = "0123456789012345678901234567890123456789");
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_STR(is, "0123456789012345678901234567890");
    EDDY_GO_WITH(&s, EDDY_OPT(go, .name = "x"), named, .was = was, .is = is, .sets = "");
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_STR(is, "named"); /* that of its function again */
    eddy_task_set_name("nobody");
    EDDY_CHECK_STR(eddy_task_name(), "main");
}
