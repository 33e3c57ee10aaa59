/*
 * cmocka.h - the few parts of cmocka that check.c calls, for a build whose machine has no cmocka
 *
 * Found first on the include path with -DEDDY_CHECK_PLAIN=ON, which a cross build uses. It keeps
 * cmocka's names, and the lines it prints as far as a reader or tools/test-run looks at them.
 */
#ifndef EDDY_TESTS_PLAIN_CMOCKA_H
#define EDDY_TESTS_PLAIN_CMOCKA_H

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    void *initial_state;
};

/* Where the running test goes back to: always from the main stack, see check.c. */
static jmp_buf plain_end;

enum { PLAIN_FAILED = 1, PLAIN_SKIPPED = 2 };

#define fail() longjmp(plain_end, PLAIN_FAILED)
#define skip() longjmp(plain_end, PLAIN_SKIPPED)

static inline int plain_run_one(struct CMUnitTest *test)
{
    int end = setjmp(plain_end);

    if (end == 0)
        test->test_func(&test->initial_state);
    return end;
}

/* Returns how many failed. */
static inline int _cmocka_run_group_tests(const char *group, struct CMUnitTest *tests, size_t count,
                                          int (*setup)(void **state), int (*teardown)(void **state))
{
    static const char *const verdict[] = { "[       OK ]", "[  FAILED  ]", "[  SKIPPED ]" };
    int failed = 0;

    (void)setup;
    (void)teardown;
    (void)printf("[==========] %s: %zu tests, without cmocka\n", group, count);
    for (size_t i = 0; i < count; i++) {
        (void)printf("[ RUN      ] %s\n", tests[i].name);
        int end = plain_run_one(&tests[i]);
        (void)printf("%s %s\n", verdict[end], tests[i].name);
        failed += end == PLAIN_FAILED;
    }
    return failed;
}

#endif
