/*
 * crash_test.c - what a crash of the machine leaves of names and of whole files, on simulated disks
 *
 * The crash comes after every step of the disk's, one after the other, and for many seeds: a step is
 * when the simulated time goes on.
 *
 * backends: sim
 * seeds: yes
 */
#include "scratch.h"

#include <eddy/sim.h>

#define LEN 3000 /* six sectors: torn, if it is not synced */

static char old_text[LEN + 1], new_text[LEN + 1];

static void __attribute__((constructor)) fill(void)
{
    memset(old_text, 'o', LEN);
    memset(new_text, 'n', LEN);
}

enum { NONE, OLD, NEW, TORN };

static int what_is_there(const char *path)
{
    struct eddy_buffer bytes = EDDY_BUFFER(0);
    int is = TORN;

    int r = eddy_file_read_all(path, 1 << 20, &bytes, NULL);
    if (r < 0)
        return EDDY_CHECK_ERR(r, -ENOENT) ? NONE : TORN;
    const struct eddy_slice now = eddy_buffer_bytes(&bytes);
    if (now.len == LEN && memcmp(now.ptr, old_text, LEN) == 0)
        is = OLD;
    if (now.len == LEN && memcmp(now.ptr, new_text, LEN) == 0)
        is = NEW;
    eddy_buffer_done(&bytes);
    return is;
}

/* A machine that runs @job in a task, and crashes @after_ms; then what is there is asked. */
struct job_args {
    int *result;
    int (*run)(void);
};

static int job(struct job_args *a)
{
    *a->result = a->run();
    return 0;
}
EDDY_TASK(job);

#define RUNNING 1

/* 0: the job was over before the crash. */
static bool crash_in(uint64_t seed, int64_t after_ms, int (*before)(void), int (*run)(void),
                     int *ret_result, int *ret_left)
{
    /* Every step of the disk takes so long that a crash, on a millisecond, comes after each. */
    static const struct eddy_sim_fault slow[] = {
        { .kind = EDDY_SIM_LATENCY, .to = "", .min_us = 1000, .max_us = 2000 },
    };
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed, EDDY_SIM_FAULTS(slow)));
    int result = RUNNING;

    EDDY_CHECK_EQ(before(), 0);
    {
        EDDY_SCOPE(machine, .isolate = true);
        EDDY_GO(&machine, job, .result = &result, .run = run);
        EDDY_CHECK_EQ(eddy_sleep(after_ms), 0);
        *ret_result = result;
        EDDY_CHECK_EQ(eddy_sim_crash(&sim, NULL), 0);
    }
    EDDY_CHECK_EQ(eddy_sim_restart(&sim, NULL), 0);
    *ret_left = what_is_there("d/f");
    return *ret_result == RUNNING;
}

static int have_old(void)
{
    int r = eddy_path_mkdir("d", 0755, 0);

    if (r == 0)
        r = eddy_path_sync("/");
    return r < 0 ? r : eddy_file_replace("d/f", old_text, LEN, NULL);
}

static int have_none(void)
{
    int r = eddy_path_mkdir("d", 0755, 0);

    return r < 0 ? r : eddy_path_sync("/");
}

static int replace(void)
{
    return eddy_file_replace("d/f", new_text, LEN, NULL);
}

/* Whether each test has its own number of seeds, so that all that may happen does. */
static bool all_seeds(void)
{
    return !getenv("EDDY_SEED") && !getenv("EDDY_SEEDS");
}

EDDY_TEST(a_crash_leaves_the_old_or_the_new)
{
    unsigned seen[4] = { 0 }, midway = 0;

    for (EDDY_EACH_SEED(seed, 30))
        for (int64_t ms = 0; ms < 100; ms++) {
            int result, left;
            midway += crash_in(seed, ms, have_old, replace, &result, &left);
            seen[left]++;
            EDDY_CHECK(left == OLD || left == NEW);
            if (result == 0)
                EDDY_CHECK_EQ(left, NEW); /* what was replaced survives a crash */
            if (result < 0)
                EDDY_CHECK_FAIL("seed %d: %s", (int)seed, eddy_strerror(result));
            if (result != RUNNING)
                break;
        }
    EDDY_CHECK(!all_seeds() || (seen[OLD] > 30 && seen[NEW] > 30 && midway > 200));
}

EDDY_TEST(what_was_replaced_survives_a_crash)
{
    for (EDDY_EACH_SEED(seed, 200)) {
        int result, left;
        crash_in(seed, 300, have_none, replace, &result, &left);
        EDDY_CHECK_EQ(result, 0);
        EDDY_CHECK_EQ(left, NEW);
    }
}

/* Without the two syncs it is whole to readers, but a crash takes what it can: else the tests above
 * would pass on a disk that forgets nothing. */
static int replace_unsynced(void)
{
    return eddy_file_replace("d/f", new_text, LEN, EDDY_OPT(replace, .unsynced = true));
}

EDDY_TEST(a_rename_is_lost_unless_its_folder_is_synced)
{
    unsigned seen[4] = { 0 };

    for (EDDY_EACH_SEED(seed, 200)) {
        int result, left;
        crash_in(seed, 300, have_old, replace_unsynced, &result, &left);
        EDDY_CHECK_EQ(result, 0);
        seen[left]++;
    }
    EDDY_CHECK_EQ(seen[NONE], 0); /* a rename is there or is not, but never half */
    EDDY_CHECK(!all_seeds() || (seen[OLD] > 20 && seen[TORN] > 20));
}

static int rename_synced_file(void)
{
    EDDY_OWN(eddy_file) f = NULL;

    int r = eddy_file_open("d/neighbour", O_WRONLY | O_CREAT, 0644, &f);
    if (r == 0)
        r = eddy_file_write(f, new_text, LEN, 0);
    if (r == 0)
        r = eddy_file_sync(f);
    if (r == 0)
        r = eddy_path_rename("d/neighbour", "d/f", 0);
    if (r == 0)
        r = eddy_file_sync(f); /* of the file: tells nothing of the folder */
    eddy_file_close(EDDY_TAKE(f));
    return r;
}

EDDY_TEST(a_files_sync_is_not_its_folders)
{
    unsigned seen[4] = { 0 };

    for (EDDY_EACH_SEED(seed, 100)) {
        int result, left;
        crash_in(seed, 300, have_old, rename_synced_file, &result, &left);
        EDDY_CHECK_EQ(result, 0);
        seen[left]++;
    }
    EDDY_CHECK_EQ(seen[NONE] + seen[TORN], 0);
    EDDY_CHECK(!all_seeds() || (seen[OLD] > 10 && seen[NEW] > 10));
}

/* --- other names -------------------------------------------------------------------------------- */

static int many_names(void)
{
    int r = eddy_path_link("d/f", "d/second");

    if (r == 0)
        r = eddy_path_mkdir("d/sub", 0755, 0);
    if (r == 0)
        r = eddy_path_rename("d/second", "d/sub/moved", 0);
    if (r == 0)
        r = eddy_path_rename("d/sub", "d/other", 0);
    if (r == 0)
        r = eddy_path_remove("d/f");
    return r;
}

/* What stands is always what stood after some step: nothing comes before what it came after. */
EDDY_TEST(names_come_back_in_their_order)
{
    unsigned states[6] = { 0 };

    for (EDDY_EACH_SEED(seed, 200)) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));

        EDDY_CHECK_EQ(have_old(), 0);
        EDDY_CHECK_EQ(many_names(), 0);
        EDDY_CHECK_EQ(eddy_sim_crash(&sim, NULL), 0);
        EDDY_CHECK_EQ(eddy_sim_restart(&sim, NULL), 0);
        const int first = what_is_there("d/f") == OLD, second = what_is_there("d/second") == OLD,
                  moved = what_is_there("d/sub/moved") == OLD,
                  other = what_is_there("d/other/moved") == OLD, sub = eddy_path_exists("d/sub");
        int state = -1;
        if (first && !second && !sub && !moved && !other)
            state = 0;
        else if (first && second && !sub)
            state = 1;
        else if (first && second && sub)
            state = 2;
        else if (first && !second && moved)
            state = 3;
        else if (first && !sub && other)
            state = 4;
        else if (!first && !sub && other)
            state = 5;
        if (EDDY_CHECK(state >= 0))
            states[state]++;
    }
    for (int i = 0; i < 6; i++)
        EDDY_CHECK(!all_seeds() || states[i] > 10);
}

EDDY_TEST(a_synced_folder_keeps_its_names)
{
    for (EDDY_EACH_SEED(seed, 50)) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));

        EDDY_CHECK_EQ(have_old(), 0);
        EDDY_CHECK_EQ(many_names(), 0);
        EDDY_CHECK_EQ(eddy_path_sync("d"), 0);
        EDDY_CHECK_EQ(eddy_path_rename("d/other/moved", "d/f", 0), 0);
        EDDY_CHECK_EQ(eddy_path_sync("d"), 0);
        EDDY_CHECK_EQ(eddy_sim_crash(&sim, NULL), 0);
        EDDY_CHECK_EQ(eddy_sim_restart(&sim, NULL), 0);
        EDDY_CHECK_EQ(what_is_there("d/f"), OLD);
        EDDY_CHECK_EQ(eddy_path_exists("d/other"), 1);
        EDDY_CHECK_EQ(eddy_path_exists("d/other/moved"), 0);
        EDDY_CHECK_EQ(eddy_path_exists("d/sub"), 0);
    }
}

/* What was removed gives its room back when it is wanted; so a small disk can be replaced on for ever. */
EDDY_TEST(a_disk_is_not_filled_by_what_was_removed)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .disk_bytes = 3 * LEN));

    for (int i = 0; i < 1000; i++)
        EDDY_CHECK_EQ(eddy_file_replace("f", i % 2 ? old_text : new_text, LEN,
                                        EDDY_OPT(replace, .unsynced = true)),
                      0);
    EDDY_CHECK_EQ(what_is_there("f"), OLD);
}
