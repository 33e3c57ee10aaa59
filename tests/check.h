/*
 * check.h - how a test is written
 *
 *     EDDY_TEST(slice_of_nothing_is_empty)
 *     {
 *         if (!EDDY_CHECK(slice.ptr != NULL))
 *             return;
 *         EDDY_CHECK_EQ(slice.len, 0);
 *     }
 *
 * A test registers itself; main() stands in check.c and runs all of a file, or those whose name
 * contains its first argument. A check that fails prints where and what, marks the running test as
 * failed, and goes on. It never jumps: tests run code on coroutine stacks, and a jump off one would
 * leave it live for ever. Each check is an expression, true when it held, so a test can return.
 * Checks may be made from any task and any thread.
 *
 * After each test the process must own what it owned before: open descriptors and eddy's live
 * allocations are counted, and a difference fails the test. A file that keeps something alive
 * between tests on purpose (a pool) ends it in eddy_check_teardown(), called before the counting; the
 * loop of the thread is ended after that, too.
 *
 * A program runs in a fresh folder of its own, which goes with it: a relative path is nobody else's.
 * What does not lie in a folder (a port, an abstract socket) is chosen by the system or bears the
 * process's number; and how long something takes is never a test's verdict, unless the machine is
 * given seconds for what takes it microseconds.
 */
#ifndef EDDY_TESTS_CHECK_H
#define EDDY_TESTS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define EDDY_TEST(name)                                                                            \
    static void name(void);                                                                        \
    static void __attribute__((constructor)) name##_register_(void)                                \
    {                                                                                              \
        static struct eddy_check_test test_ = { #name, name, NULL };                               \
        eddy_check_register(&test_);                                                               \
    }                                                                                              \
    static void name(void)

/* The condition holds. */
#define EDDY_CHECK(cond) eddy_check_true((cond) ? true : false, #cond, __FILE__, __LINE__)

/* Two integers (or characters, or pointers) are equal; both are printed when they are not. */
#define EDDY_CHECK_EQ(a, b) eddy_check_eq((intmax_t)(a), (intmax_t)(b), #a, #b, __FILE__, __LINE__)

/* Two strings are equal; NULL equals only NULL. */
#define EDDY_CHECK_STR(a, b) eddy_check_str((a), (b), #a, #b, __FILE__, __LINE__)

/* Two runs of bytes are equal in length and content; the first difference is shown. */
#define EDDY_CHECK_MEM(a, alen, b, blen)                                                           \
    eddy_check_mem((a), (alen), (b), (blen), #a, #b, __FILE__, __LINE__)

/* A result is this error: EDDY_CHECK_ERR(r, -ENOENT). Names are printed, not numbers alone. */
#define EDDY_CHECK_ERR(r, want)                                                                    \
    eddy_check_err((intmax_t)(r), (intmax_t)(want), #r, #want, __FILE__, __LINE__)

/* This machine cannot run the test: it is reported by name, with the reason, and counted as left
 * out, unless a check has failed already. The test returns after it. */
#define EDDY_CHECK_NOT_RUN(why) eddy_check_not_run(why)

/* Fail with a text of one's own, as printf makes it. */
#define EDDY_CHECK_FAIL(...) eddy_check_fail(__FILE__, __LINE__, __VA_ARGS__)

/* A number from the environment (EDDY_SEEDS), or what is given when it is not set. */
unsigned long eddy_check_number(const char *variable, unsigned long otherwise);

/* for (EDDY_EACH_SEED(seed, 20)): seeds 1 to EDDY_SEEDS, or to what is given when it is not set; or
 * EDDY_SEED alone, when that is: as the line `replay:` of a failed test says. */
#define EDDY_EACH_SEED(seed, otherwise)                                                            \
    uint64_t seed = eddy_check_number("EDDY_SEED", 1),                                             \
             seed##_last = eddy_check_number(getenv("EDDY_SEED") ? "EDDY_SEED" : "EDDY_SEEDS",     \
                                             (otherwise));                                         \
    seed <= seed##_last;                                                                           \
    seed++

/* The backend this run is for (EDDY_BACKEND), or "" when the test runs once for all. */
const char *eddy_check_backend(void);

/* Defined by a test file that prepares the folder it runs in, before the first test. */
void eddy_check_setup(void) __attribute__((weak));

/* Defined by a test file that has something to end after each test. */
void eddy_check_teardown(void) __attribute__((weak));

/* Behind the macros. */
struct eddy_check_test {
    const char *name;
    void (*run)(void);
    struct eddy_check_test *next;
};
void eddy_check_register(struct eddy_check_test *test);
bool eddy_check_true(bool held, const char *text, const char *file, int line);
bool eddy_check_eq(intmax_t a, intmax_t b, const char *a_text, const char *b_text, const char *file,
                   int line);
bool eddy_check_str(const char *a, const char *b, const char *a_text, const char *b_text,
                    const char *file, int line);
bool eddy_check_mem(const void *a, size_t a_len, const void *b, size_t b_len, const char *a_text,
                    const char *b_text, const char *file, int line);
bool eddy_check_err(intmax_t r, intmax_t want, const char *r_text, const char *want_text,
                    const char *file, int line);
bool eddy_check_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void eddy_check_not_run(const char *why);

#endif
