/*
 * check.c - runs the tests of one file, on cmocka
 *
 * cmocka keeps the list, the report and the exit status. What it would do by jumping (its assert_
 * family) is not used: a check only counts, and the verdict is given here, on the main stack, when
 * the test has returned. The last line is `check: N passed, N failed, N not run`, which
 * tools/test-run adds up; a program that dies prints none and counts as one failure.
 */
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From the library under test, where it is there yet. */
size_t eddy__memory_live(void) __attribute__((weak));
const char *eddy_strerrorname(int code) __attribute__((weak));

uint64_t eddy__sim_last_seed(bool forget) __attribute__((weak));

/* The loop that a test made by waiting in plain code is ended with the test, so that what it holds
 * is counted. Weak: a test of base or codec links no loop. */
struct eddy_loop;
struct eddy_loop *eddy__loop(void) __attribute__((weak));
void eddy_loop_free(struct eddy_loop *loop) __attribute__((weak));

enum {
    TESTS_MAX = 1024,
    DESCRIPTORS_MAX = 65536,
};

static struct eddy_check_test *first;
static struct eddy_check_test **last = &first;

/* The running test. Checks come from any thread, so the count is atomic. */
static atomic_uint failures;
static _Atomic(const char *) left_out;

/* Who runs, and under which of the simulator's seeds the first check failed; 0: under none. */
static const char *program, *running;
static _Atomic uint64_t failed_seed;

static unsigned passed, failed, not_run;
static bool open_before[DESCRIPTORS_MAX];

void eddy_check_register(struct eddy_check_test *test)
{
    *last = test;
    last = &test->next;
}

bool eddy_check_fail(const char *file, int line, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);

    /* One write per failure, so that threads do not interleave. */
    (void)fprintf(stdout, "%s:%d: %s\n", file, line, text);
    (void)fflush(stdout);
    if (atomic_fetch_add(&failures, 1) == 0)
        atomic_store(&failed_seed, eddy__sim_last_seed ? eddy__sim_last_seed(false) : 0);
    return false;
}

bool eddy_check_true(bool held, const char *text, const char *file, int line)
{
    return held || eddy_check_fail(file, line, "does not hold: %s", text);
}

bool eddy_check_eq(intmax_t a, intmax_t b, const char *a_text, const char *b_text, const char *file,
                   int line)
{
    if (a == b)
        return true;
    return eddy_check_fail(file, line, "%s is %jd (0x%jx), not %s, %jd (0x%jx)", a_text, a,
                           (uintmax_t)a, b_text, b, (uintmax_t)b);
}

bool eddy_check_str(const char *a, const char *b, const char *a_text, const char *b_text,
                    const char *file, int line)
{
    if (a == b || (a && b && strcmp(a, b) == 0))
        return true;
    return eddy_check_fail(file, line, "%s is \"%s\", not %s, \"%s\"", a_text, a ? a : "(null)",
                           b_text, b ? b : "(null)");
}

/* Up to 16 bytes around a place, readable where they can be. */
static void show_bytes(char *to, size_t cap, const unsigned char *bytes, size_t len, size_t at)
{
    size_t used = 0;

    to[0] = '\0';
    for (size_t i = at; i < len && i < at + 16 && used + 5 < cap; i++) {
        int n = bytes[i] >= ' ' && bytes[i] < 127
                    ? snprintf(to + used, cap - used, "%c", bytes[i])
                    : snprintf(to + used, cap - used, "\\x%02x", bytes[i]);
        used += (size_t)n;
    }
}

bool eddy_check_mem(const void *a, size_t a_len, const void *b, size_t b_len, const char *a_text,
                    const char *b_text, const char *file, int line)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    char x_shown[96];
    char y_shown[96];
    size_t at = 0;

    while (at < a_len && at < b_len && x[at] == y[at])
        at++;
    if (at == a_len && at == b_len)
        return true;

    show_bytes(x_shown, sizeof x_shown, x, a_len, at);
    show_bytes(y_shown, sizeof y_shown, y, b_len, at);
    return eddy_check_fail(file, line,
                           "%s (%zu bytes) and %s (%zu bytes) differ at %zu: \"%s\", \"%s\"",
                           a_text, a_len, b_text, b_len, at, x_shown, y_shown);
}

static const char *error_name(intmax_t r)
{
    if (r >= 0 || r < -100000)
        return "no error";
    if (eddy_strerrorname)
        return eddy_strerrorname((int)r);

    const char *name = strerrorname_np((int)-r);
    return name ? name : "unknown";
}

bool eddy_check_err(intmax_t r, intmax_t want, const char *r_text, const char *want_text,
                    const char *file, int line)
{
    if (r == want)
        return true;
    return eddy_check_fail(file, line, "%s is %jd (%s), not %s (%s)", r_text, r, error_name(r),
                           want_text, error_name(want));
}

void eddy_check_not_run(const char *why)
{
    atomic_store(&left_out, why);
}

unsigned long eddy_check_number(const char *variable, unsigned long otherwise)
{
    const char *text = getenv(variable);
    char *end = NULL;

    if (!text || !*text)
        return otherwise;
    unsigned long n = strtoul(text, &end, 10);
    return *end ? otherwise : n;
}

const char *eddy_check_backend(void)
{
    const char *name = getenv("EDDY_BACKEND");

    return name ? name : "";
}

/* Calls @each for every open descriptor but the one that reads the list. */
static void each_descriptor(void (*each)(int fd))
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return;

    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd < DESCRIPTORS_MAX)
            each(fd);
    }
    (void)closedir(dir);
}

static bool open_after[DESCRIPTORS_MAX];

static void note_before(int fd)
{
    open_before[fd] = true;
}

static void note_after(int fd)
{
    open_after[fd] = true;
}

static void compare_descriptors(const char *name)
{
    /* On Linux a kqueue is a library, with descriptors of its own that a thread of it closes late. */
    if (strcmp(eddy_check_backend(), "kqueue") == 0)
        return;
    memset(open_after, 0, sizeof open_after);
    each_descriptor(note_after);

    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        char path[64];
        char target[256] = "?";

        if (open_before[fd] == open_after[fd])
            continue;
        if (open_before[fd]) {
            (void)eddy_check_fail(name, 0, "descriptor %d was closed and is not ours", fd);
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n > 0)
            target[n] = '\0';
        (void)eddy_check_fail(name, 0, "descriptor %d is still open: %s", fd, target);
    }
}

/* How a failure under the simulator is had again. */
static void print_replay(uint64_t seed)
{
    char line[1024];

    if (!seed)
        return;
    int n = snprintf(line, sizeof line, "replay: EDDY_BACKEND=sim EDDY_SEED=%" PRIu64 " %s %s\n",
                     seed, program, running);
    if (write(STDOUT_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1) < 0)
        return; /* nobody hears us */
}

/* An assertion of the library: the process ends, but says by which seed. */
static void aborted(int signo)
{
    print_replay(eddy__sim_last_seed ? eddy__sim_last_seed(false) : 0);
    (void)signal(signo, SIG_DFL);
    (void)raise(signo);
}

/* cmocka calls this for each test; what it was given is the test. */
/* EDDY_LEAVE_OUT names tests, with blanks between: what the machine that runs them cannot show
 * (tools/arm64). */
static bool is_unwanted(const char *name)
{
    const char *at = getenv("EDDY_LEAVE_OUT");
    size_t len = strlen(name);

    for (; at && (at = strstr(at, name)); at += len) {
        if ((at == getenv("EDDY_LEAVE_OUT") || at[-1] == ' ') && (!at[len] || at[len] == ' '))
            return true;
    }
    return false;
}

static void run_one(void **state)
{
    struct eddy_check_test *test = *state;

    running = test->name;
    if (eddy__sim_last_seed)
        (void)eddy__sim_last_seed(true);
    atomic_store(&failed_seed, 0);
    atomic_store(&failures, 0);
    atomic_store(&left_out, NULL);
    memset(open_before, 0, sizeof open_before);
    each_descriptor(note_before);
    size_t live_before = eddy__memory_live ? eddy__memory_live() : 0;

    if (is_unwanted(test->name))
        eddy_check_not_run("named by EDDY_LEAVE_OUT");
    else
        test->run();

    if (eddy_check_teardown)
        eddy_check_teardown();
    if (eddy__loop && eddy_loop_free && eddy__loop())
        eddy_loop_free(eddy__loop());
    compare_descriptors(test->name);
    size_t live_after = eddy__memory_live ? eddy__memory_live() : 0;
    if (live_after != live_before)
        (void)eddy_check_fail(test->name, 0, "%zu live allocations before, %zu after", live_before,
                              live_after);

    const char *why = atomic_load(&left_out);
    if (atomic_load(&failures) > 0) {
        print_replay(atomic_load(&failed_seed));
        failed++;
        fail();
    } else if (why) {
        (void)printf("not run: %s: %s\n", test->name, why);
        (void)fflush(stdout);
        not_run++;
        skip();
    }
    passed++;
}

/* A folder of this run alone, which it is in: two copies of one test share no file and no socket's
 * name. Where none can be made the tests run where they stand. */
static char folder[4096];

static void enter_folder(void)
{
    static const char name[] = "/run-XXXXXX";

    if (!getcwd(folder, sizeof folder - sizeof name)) {
        folder[0] = '\0';
        return;
    }
    memcpy(folder + strlen(folder), name, sizeof name);
    /* Others may enter: some tests run as somebody who is not root. */
    if (!mkdtemp(folder) || chmod(folder, 0755) < 0 || chdir(folder) < 0)
        folder[0] = '\0';
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    (void)remove(path);
    return 0;
}

/* Not at exit(): a child of a test that ends that way is not the run. */
static void leave_folder(void)
{
    if (folder[0])
        (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[TESTS_MAX];
    const char *filter = argc > 1 ? argv[1] : "";
    size_t count = 0;

    if (strcmp(filter, "--list") == 0) {
        for (const struct eddy_check_test *test = first; test; test = test->next)
            (void)puts(test->name);
        return 0;
    }

    for (struct eddy_check_test *test = first; test; test = test->next) {
        if (!strstr(test->name, filter))
            continue;
        if (count == TESTS_MAX) {
            (void)fprintf(stderr, "more than %d tests in one file\n", TESTS_MAX);
            return 1;
        }
        tests[count++] =
            (struct CMUnitTest){ .name = test->name, .test_func = run_one, .initial_state = test };
    }
    if (count == 0) {
        (void)fprintf(stderr, "no test is named like '%s'\n", filter);
        return 1;
    }

    program = argv[0];
    (void)signal(SIGABRT, aborted);
    /* A test that dies must not take what it printed with it. */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    enter_folder();
    if (eddy_check_setup)
        eddy_check_setup();
    int r = _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL);
    leave_folder();
    (void)printf("check: %u passed, %u failed, %u not run\n", passed, failed, not_run);
    return r || failed ? 1 : 0;
}
