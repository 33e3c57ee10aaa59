/*
 * changes_test.c - the rules of eddy/changes.h
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"

#include <eddy/changes.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* A folder of its own, and a watch; false under the simulator. */
static bool begin(struct eddy_changes **c)
{
    if (is_sim())
        return false;
    strcpy(folder, "/tmp/eddy-changes-XXXXXX");
    if (!mkdtemp(folder))
        abort();
    return EDDY_CHECK_EQ(eddy_changes_open(c), 0);
}

static const char *in(const char *name)
{
    static char path[4][128];
    static int which;
    char *to = path[which++ % 4];

    (void)snprintf(to, sizeof path[0], "%s/%s", folder, name);
    return to;
}

static void finish(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    EDDY_CHECK_EQ(system(command), 0);
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in(name), "a");

    if (!f || fputs(text, f) < 0 || fclose(f) < 0)
        abort();
}

/* The next change is this one. */
static void expect(struct eddy_changes *c, unsigned what, const char *name)
{
    struct eddy_change change = { .name = "" };
    EDDY_SCOPE(patience, .timeout_ms = 10000);

    if (!EDDY_CHECK_EQ(eddy_changes_next(c, &change), 0))
        return;
    EDDY_CHECK_EQ(change.what, what);
    EDDY_CHECK_STR(change.name, name);
}

static void expect_nothing(struct eddy_changes *c)
{
    struct eddy_change change;
    EDDY_SCOPE(patience, .timeout_ms = 5);

    EDDY_CHECK_ERR(eddy_changes_next(c, &change), -ETIMEDOUT);
}

EDDY_TEST(what_happens_in_a_folder_is_told)
{
    EDDY_OWN(eddy_changes) c = NULL;
    struct eddy_change change;
    int id = -1;

    if (!begin(&c))
        return;
    EDDY_CHECK_EQ(eddy_changes_add(c, folder, 0, &id), 0);
    write_file("one", "text");
    EDDY_CHECK_EQ(eddy_changes_next(c, &change), 0);
    EDDY_CHECK_EQ(change.what, EDDY_CHANGE_CREATED);
    EDDY_CHECK_STR(change.name, "one");
    EDDY_CHECK_STR(change.path, folder);
    EDDY_CHECK_EQ(change.id, id);
    EDDY_CHECK(!change.is_folder);
    EDDY_CHECK_EQ(change.cookie, 0);
    expect(c, EDDY_CHANGE_MODIFIED, "one");
    expect(c, EDDY_CHANGE_CLOSED, "one");
    EDDY_CHECK_EQ(chmod(in("one"), 0600), 0);
    expect(c, EDDY_CHANGE_ATTRIBUTES, "one");
    EDDY_CHECK_EQ(mkdir(in("two"), 0700), 0);
    EDDY_CHECK_EQ(eddy_changes_next(c, &change), 0);
    EDDY_CHECK_EQ(change.what, EDDY_CHANGE_CREATED);
    EDDY_CHECK(change.is_folder);
    EDDY_CHECK_EQ(unlink(in("one")), 0);
    expect(c, EDDY_CHANGE_REMOVED, "one");
    finish();
}

EDDY_TEST(what_happens_to_a_file_is_told)
{
    EDDY_OWN(eddy_changes) c = NULL;

    if (!begin(&c))
        return;
    write_file("one", "");
    EDDY_CHECK_EQ(
        eddy_changes_add(c, in("one"), EDDY_CHANGE_MODIFIED | EDDY_CHANGE_RENAMED_FROM, NULL), 0);
    write_file("one", "text");
    expect(c, EDDY_CHANGE_MODIFIED, "");
    EDDY_CHECK_EQ(chmod(in("one"), 0600), 0); /* not asked for */
    EDDY_CHECK_EQ(rename(in("one"), in("two")), 0);
    expect(c, EDDY_CHANGE_RENAMED_FROM, "");
    finish();
}

EDDY_TEST(a_renaming_has_one_cookie)
{
    EDDY_OWN(eddy_changes) c = NULL;
    struct eddy_change from, to;

    if (!begin(&c))
        return;
    write_file("one", "");
    EDDY_CHECK_EQ(eddy_changes_add(c, folder, 0, NULL), 0);
    EDDY_CHECK_EQ(rename(in("one"), in("two")), 0);
    EDDY_CHECK_EQ(eddy_changes_next(c, &from), 0);
    EDDY_CHECK_EQ(from.what, EDDY_CHANGE_RENAMED_FROM);
    EDDY_CHECK_STR(from.name, "one");
    EDDY_CHECK_EQ(eddy_changes_next(c, &to), 0);
    EDDY_CHECK_EQ(to.what, EDDY_CHANGE_RENAMED_TO);
    EDDY_CHECK_STR(to.name, "two");
    EDDY_CHECK(from.cookie && from.cookie == to.cookie);
    finish();
}

EDDY_TEST(a_burst_comes_in_order)
{
    EDDY_OWN(eddy_changes) c = NULL;
    char name[100];

    if (!begin(&c))
        return;
    EDDY_CHECK_EQ(eddy_changes_add(c, folder, EDDY_CHANGE_CREATED, NULL), 0);
    for (int i = 0; i < 300; i++) { /* more than one read brings */
        (void)snprintf(name, sizeof name,
                       "a-long-name-so-that-one-read-does-not-bring-them-all-------------------%d",
                       i);
        write_file(name, "");
    }
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name,
                       "a-long-name-so-that-one-read-does-not-bring-them-all-------------------%d",
                       i);
        expect(c, EDDY_CHANGE_CREATED, name);
    }
    expect_nothing(c);
    finish();
}

static struct eddy_change counted(struct eddy_changes *c, unsigned long *count)
{
    struct eddy_change change = { .what = 0 };
    EDDY_SCOPE(patience, .timeout_ms = 20000);

    while (eddy_changes_next(c, &change) == 0 && change.what != EDDY_CHANGE_LOST)
        ++*count;
    return change;
}

EDDY_TEST(too_much_is_told_as_lost)
{
    EDDY_OWN(eddy_changes) c = NULL;
    unsigned long most = 16384, count = 0;

    if (!begin(&c))
        return;
    FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (!f || fscanf(f, "%lu", &most) != 1 || most > 100000) {
        EDDY_CHECK_NOT_RUN("the kernel's bound of unread changes is not known, or large");
    } else {
        EDDY_CHECK_EQ(eddy_changes_add(c, folder, EDDY_CHANGE_CREATED | EDDY_CHANGE_REMOVED, NULL),
                      0);
        for (unsigned long i = 0; i <= most / 2 + 1; i++) {
            write_file("one", "");
            EDDY_CHECK_EQ(unlink(in("one")), 0);
        }
        struct eddy_change lost = counted(c, &count);
        EDDY_CHECK_EQ(lost.what, EDDY_CHANGE_LOST);
        EDDY_CHECK_EQ(lost.id, -1);
        EDDY_CHECK_EQ(count, most);
        write_file("two", ""); /* it goes on */
        expect(c, EDDY_CHANGE_CREATED, "two");
    }
    if (f)
        (void)fclose(f);
    finish();
}

EDDY_TEST(what_is_gone_tells_so_last)
{
    EDDY_OWN(eddy_changes) c = NULL;
    struct eddy_change change;
    int id;

    if (!begin(&c))
        return;
    EDDY_CHECK_EQ(mkdir(in("sub"), 0700), 0);
    EDDY_CHECK_EQ(eddy_changes_add(c, in("sub"), 0, &id), 0);
    EDDY_CHECK_EQ(rmdir(in("sub")), 0);
    expect(c, EDDY_CHANGE_REMOVED, "");
    EDDY_CHECK_EQ(eddy_changes_next(c, &change), 0);
    EDDY_CHECK_EQ(change.what, EDDY_CHANGE_GONE);
    EDDY_CHECK_EQ(change.id, id);
    EDDY_CHECK_STR(change.path, in("sub"));
    EDDY_CHECK_ERR(eddy_changes_remove(c, id), -ENOENT);
    EDDY_CHECK_EQ(mkdir(in("sub"), 0700), 0);
    expect_nothing(c);
    EDDY_CHECK_EQ(eddy_changes_add(c, in("sub"), 0, &id), 0); /* it may be watched again */
    finish();
}

EDDY_TEST(what_was_taken_out_is_silent)
{
    EDDY_OWN(eddy_changes) c = NULL;
    int id;

    if (!begin(&c))
        return;
    EDDY_CHECK_EQ(eddy_changes_add(c, folder, 0, &id), 0);
    write_file("one", "");
    EDDY_CHECK_EQ(eddy_changes_remove(c, id), 0);
    EDDY_CHECK_ERR(eddy_changes_remove(c, id), -ENOENT);
    write_file("two", "");
    expect_nothing(c);
    EDDY_CHECK_EQ(eddy_changes_add(c, folder, EDDY_CHANGE_CREATED, &id), 0);
    write_file("three", "");
    expect(c, EDDY_CHANGE_CREATED, "three");
    finish();
}

EDDY_TEST(a_cancelled_wait_loses_nothing)
{
    EDDY_OWN(eddy_changes) c = NULL;
    struct eddy_change change;

    if (!begin(&c))
        return;
    EDDY_CHECK_EQ(eddy_changes_add(c, folder, EDDY_CHANGE_CREATED, NULL), 0);
    expect_nothing(c);
    write_file("one", "");
    {
        EDDY_SCOPE(over, .timeout_ms = 0);
        eddy_scope_cancel(&over);
        EDDY_CHECK_ERR(eddy_changes_next(c, &change), -ECANCELED);
        EDDY_CHECK_ERR(eddy_changes_add(c, "/", 0, NULL), -ECANCELED);
    }
    expect(c, EDDY_CHANGE_CREATED, "one");
    finish();
}

struct wait_for_one_args {
    struct eddy_changes *c;
    struct eddy_change *ret;
};

static int wait_for_one(struct wait_for_one_args *a)
{
    return eddy_changes_next(a->c, a->ret);
}
EDDY_TASK(wait_for_one);

EDDY_TEST(a_second_reader_is_busy)
{
    EDDY_OWN(eddy_changes) c = NULL;
    struct eddy_change change = { .what = 0 }, second;

    if (!begin(&c))
        return;
    EDDY_CHECK_EQ(eddy_changes_add(c, folder, EDDY_CHANGE_CREATED, NULL), 0);
    EDDY_SCOPE(s, .timeout_ms = 10000);
    EDDY_GO(&s, wait_for_one, .c = c, .ret = &change);
    eddy_yield();
    EDDY_CHECK_ERR(eddy_changes_next(c, &second), -EBUSY);
    write_file("one", "");
    EDDY_CHECK_EQ(eddy_join(&s), 0);
    EDDY_CHECK_EQ(change.what, EDDY_CHANGE_CREATED);
    finish();
}

EDDY_TEST(errors_are_the_kernels)
{
    EDDY_OWN(eddy_changes) c = NULL;

    if (!begin(&c))
        return;
    write_file("one", "");
    EDDY_CHECK_ERR(eddy_changes_add(c, in("none"), 0, NULL), -ENOENT);
    EDDY_CHECK_ERR(eddy_changes_add(c, in("one/none"), 0, NULL), -ENOTDIR);
    EDDY_CHECK_ERR(eddy_changes_add(c, folder, 1024, NULL), -EINVAL);
    EDDY_CHECK_EQ(eddy_changes_add(c, folder, 0, NULL), 0);
    EDDY_CHECK_ERR(eddy_changes_add(c, folder, 0, NULL), -EEXIST);
    EDDY_CHECK_ERR(eddy_changes_remove(c, 4711), -ENOENT);
    finish();
}

static void use_it(void *ctx)
{
    struct eddy_changes **c = ctx;
    struct eddy_change change;

    EDDY_CHECK_ERR(eddy_changes_next(*c, &change), -EDEADLK);
    EDDY_CHECK_ERR(eddy_changes_add(*c, "/", 0, NULL), -EDEADLK);
    eddy_changes_free(EDDY_TAKE(*c));
}

EDDY_TEST(a_callback_gets_edeadlk)
{
    struct eddy_changes *c = NULL;

    if (!begin(&c))
        return;
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), use_it, &c), 0);
    while (c)
        eddy_loop_turn(eddy_loop_current(), -1);
    finish();
}

EDDY_TEST(the_simulator_refuses)
{
    struct eddy_changes *c = NULL;

    if (is_sim())
        EDDY_CHECK_ERR(eddy_changes_open(&c), -EDDY_ESIM);
}

EDDY_TEST(every_failure_leaves_nothing)
{
    static const enum eddy_fault_kind seams[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_OP };
    EDDY_OWN(eddy_changes) kept = NULL;

    if (!begin(&kept))
        return;
    for (int i = 0; i < 2; i++) {
        for (struct eddy_fault f = eddy_fault_each(seams[i]); eddy_fault_next(&f);) {
            struct eddy_changes *c = NULL;
            struct eddy_change change;
            int r = eddy_changes_open(&c);
            if (r == 0)
                r = eddy_changes_add(c, folder, 0, NULL);
            if (r == 0) {
                write_file("one", "x");
                r = eddy_changes_next(c, &change);
            }
            EDDY_CHECK(r == 0 || eddy_fault_fired(&f));
            eddy_fault_stop();
            eddy_changes_free(c);
        }
    }
    finish();
}
