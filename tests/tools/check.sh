#!/bin/sh
# tests/check.c fails what it must: a check that does not hold, a descriptor left open, memory left
# behind; it goes on after a failure, and it leaves out what cannot run. Arguments: source, compiler.
set -eu
source=$1 compiler=$2

if ! pkg-config --exists cmocka; then
    echo "not run: check: cmocka is missing"
    exit 77
fi

cat >bad.c <<'C'
#include "check.h"
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static size_t live;
size_t eddy__memory_live(void);
size_t eddy__memory_live(void) { return live; }

static int left_open = -1;
void eddy_check_teardown(void)
{
    /* Called before the counting: what this closes is no leak. */
    if (left_open >= 0)
        close(left_open);
    left_open = -1;
}

static void *elsewhere(void *unused)
{
    EDDY_CHECK_EQ(1, 2);
    return unused;
}

EDDY_TEST(good)
{
    EDDY_CHECK(EDDY_CHECK(1) && EDDY_CHECK_EQ('a', 97) && EDDY_CHECK_STR(NULL, NULL));
    EDDY_CHECK_MEM("ab", 2, "ab", 2);
    EDDY_CHECK_ERR(-ENOENT, -ENOENT);
}
EDDY_TEST(good_with_teardown) { left_open = dup(1); }
EDDY_TEST(unequal) { EDDY_CHECK_EQ(1, 2); EDDY_CHECK_STR("a", "b"); }
EDDY_TEST(unequal_bytes) { EDDY_CHECK_MEM("abc", 3, "abd", 3); }
EDDY_TEST(wrong_error) { EDDY_CHECK_ERR(-ENOENT, -EPERM); }
EDDY_TEST(leaks_a_descriptor) { EDDY_CHECK(dup(1) >= 0); }
EDDY_TEST(leaks_memory) { live++; }
EDDY_TEST(fails_on_another_thread)
{
    pthread_t thread;
    EDDY_CHECK_EQ(pthread_create(&thread, NULL, elsewhere, NULL), 0);
    pthread_join(thread, NULL);
}
EDDY_TEST(cannot_run) { EDDY_CHECK_NOT_RUN("no such kernel"); }
C

# shellcheck disable=SC2046 # pkg-config's answer is a list of words
"$compiler" -std=gnu17 -D_GNU_SOURCE -I"$source/tests" bad.c "$source/tests/check.c" -o bad \
    $(pkg-config --cflags --libs cmocka) -pthread

failures=0
status=0
./bad >out 2>&1 || status=$?
expect() {
    if ! grep -qF -- "$1" out; then
        echo "missing: $1"
        failures=1
    fi
}
expect 'check: 2 passed, 6 failed, 1 not run'
expect '1 is 1 (0x1), not 2, 2 (0x2)'
expect '"a" is "a", not "b", "b"'
expect 'differ at 2: "c", "d"'
expect '-ENOENT is -2 (ENOENT), not -EPERM (EPERM)'
expect 'leaks_a_descriptor:0: descriptor'
expect 'leaks_memory:0: 0 live allocations before, 1 after'
expect 'not run: cannot_run: no such kernel'
[ "$status" -ne 0 ] || { echo "status is 0 in spite of failures"; failures=1; }

./bad good >out 2>&1 || { echo "the good tests alone fail"; failures=1; }
expect 'check: 2 passed, 0 failed, 0 not run'
EDDY_LEAVE_OUT='goo good_with_teardown' ./bad good >out 2>&1 || { echo "a test left out fails"; failures=1; }
expect 'check: 1 passed, 0 failed, 1 not run'
expect 'not run: good_with_teardown: named by EDDY_LEAVE_OUT'
./bad --list >out
expect 'leaks_memory'
if ./bad no_such_test >out 2>&1; then
    echo "a filter that matches nothing passes"
    failures=1
fi

[ $failures -eq 0 ] || { cat out; exit 1; }
echo "check.c judges as it should"
