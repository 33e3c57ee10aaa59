/*
 * Blocking work on threads: classes apart, bounds, taking back, and a seed's order in the simulator.
 *
 * backends: select poll epoll uring sim
 * threads: yes
 */
#include "check.h"

#include "base/fault.h"
#include "loop/pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

struct piece {
    struct eddy_work work;
    int number;
    sem_t *gate; /* run() waits at it */
    atomic_int *begun;
    int *trace; /* done() writes the numbers in their order */
    int *done;
    pthread_t ran_on;
};

static void run(struct eddy_work *w)
{
    struct piece *p = eddy_container_of(w, struct piece, work);

    p->ran_on = pthread_self();
    if (p->begun)
        atomic_fetch_add(p->begun, 1);
    if (p->gate)
        while (sem_wait(p->gate) != 0)
            ;
}

static void done(struct eddy_work *w)
{
    struct piece *p = eddy_container_of(w, struct piece, work);

    if (p->trace)
        p->trace[*p->done] = p->number;
    ++*p->done;
}

static void prepare(struct piece *p, int *count)
{
    *p = (struct piece){ .work = { .run = run, .done = done }, .done = count };
}

static void turn_until(struct eddy_loop *loop, const int *count, int want)
{
    while (*count < want)
        EDDY_CHECK(eddy_loop_turn(loop, -1) >= 0);
}

EDDY_TEST(work_runs_off_the_loop_and_comes_home_once)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct piece p;
    int count = 0;

    prepare(&p, &count);
    EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_FILES, &p.work), 0);
    EDDY_CHECK_EQ(count, 0);
    turn_until(loop, &count, 1);
    EDDY_CHECK_EQ(pthread_equal(p.ran_on, pthread_self()) != 0, is_sim());
    EDDY_CHECK(eddy_loop_turn(loop, 0) >= 0);
    EDDY_CHECK_EQ(count, 1);
}

/* Every class but one is full of work that does not end, and more of it waits. */
EDDY_TEST(a_class_full_of_slow_work_starves_no_other)
{
    enum { SLOW = 8 };
    static const enum eddy_work_class classes[] = { EDDY_WORK_NAMES, EDDY_WORK_FILES,
                                                    EDDY_WORK_USER };
    sem_t gate;

    if (is_sim())
        return; /* no threads, so none can be held */
    for (size_t quick = 0; quick < 3; quick++) {
        struct eddy_loop *loop;
        struct piece slow[3][SLOW], p;
        int slow_done = 0, count = 0;

        sem_init(&gate, 0, 0);
        if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .workers = 2), &loop), 0))
            return;
        for (size_t c = 0; c < 3; c++)
            for (size_t i = 0; i < SLOW && c != quick; i++) {
                prepare(&slow[c][i], &slow_done);
                slow[c][i].gate = &gate;
                EDDY_CHECK_EQ(eddy__work_submit(loop, classes[c], &slow[c][i].work), 0);
            }
        for (int i = 1; i <= 20; i++) {
            prepare(&p, &count);
            EDDY_CHECK_EQ(eddy__work_submit(loop, classes[quick], &p.work), 0);
            turn_until(loop, &count, i);
        }
        EDDY_CHECK_EQ(slow_done, 0);
        for (int i = 0; i < 2 * SLOW; i++)
            sem_post(&gate);
        turn_until(loop, &slow_done, 2 * SLOW);
        eddy_loop_free(loop);
        sem_destroy(&gate);
    }
}

EDDY_TEST(a_class_has_no_more_threads_than_its_bound_and_begins_in_order)
{
    enum { WORK = 9 };
    struct eddy_loop *loop;
    struct piece pieces[WORK];
    int trace[WORK], count = 0;
    atomic_int begun = 0;
    sem_t gate;

    if (is_sim())
        return;
    sem_init(&gate, 0, 0);
    if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .file_workers = 1), &loop), 0))
        return;
    for (int i = 0; i < WORK; i++) {
        prepare(&pieces[i], &count);
        pieces[i].number = i;
        pieces[i].trace = trace;
        pieces[i].gate = &gate;
        pieces[i].begun = &begun;
        EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_FILES, &pieces[i].work), 0);
    }
    for (int i = 0; i < WORK; i++) {
        EDDY_CHECK(atomic_load(&begun) <= i + 1);
        sem_post(&gate);
        turn_until(loop, &count, i + 1);
    }
    for (int i = 0; i < WORK; i++)
        EDDY_CHECK_EQ(trace[i], i);
    eddy_loop_free(loop);
    sem_destroy(&gate);
}

EDDY_TEST(queued_work_can_be_taken_back_and_begun_work_cannot)
{
    struct eddy_loop *loop;
    struct piece first, second;
    int count = 0;
    atomic_int begun = 0;
    sem_t gate;

    sem_init(&gate, 0, 0);
    if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .workers = 1), &loop), 0))
        return;
    prepare(&first, &count);
    prepare(&second, &count);
    first.begun = second.begun = &begun;
    first.gate = is_sim() ? NULL : &gate;
    EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_USER, &first.work), 0);
    while (atomic_load(&begun) == 0)
        EDDY_CHECK(eddy_loop_turn(loop, is_sim() ? -1 : 0) >= 0);
    EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_USER, &second.work), 0);
    EDDY_CHECK(eddy__work_withdraw(&second.work));
    EDDY_CHECK(!eddy__work_withdraw(&first.work));
    EDDY_CHECK_EQ(count, 0);
    sem_post(&gate);
    turn_until(loop, &count, 1);
    eddy_loop_free(loop);
    EDDY_CHECK_EQ(count, 1);
    EDDY_CHECK_EQ(atomic_load(&begun), 1);
    sem_destroy(&gate);
}

EDDY_TEST(a_full_queue_refuses)
{
    struct eddy_loop *loop;
    struct piece pieces[4];
    int count = 0;
    atomic_int begun = 0;
    sem_t gate;

    if (is_sim())
        return; /* nothing queues there */
    sem_init(&gate, 0, 0);
    if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .workers = 1, .work_queue = 2), &loop), 0))
        return;
    for (int i = 0; i < 4; i++) {
        prepare(&pieces[i], &count);
        pieces[i].gate = &gate;
        pieces[i].begun = &begun;
        EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_USER, &pieces[i].work),
                      i < 3 ? 0 : -EAGAIN);
        while (atomic_load(&begun) == 0)
            sched_yield();
    }
    /* What is queued for one class leaves the others their room. */
    prepare(&pieces[3], &count);
    EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_FILES, &pieces[3].work), 0);
    for (int i = 0; i < 3; i++)
        sem_post(&gate);
    turn_until(loop, &count, 4);
    eddy_loop_free(loop);
    sem_destroy(&gate);
}

EDDY_TEST(what_a_free_thread_takes_needs_no_room_in_the_queue)
{
    struct eddy_loop *loop;
    struct piece pieces[5];
    int count = 0;
    sem_t gate;

    sem_init(&gate, 0, 0);
    if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .workers = 4, .work_queue = 1), &loop), 0))
        return;
    for (int round = 1; round <= 2; round++) { /* no thread is there yet; all are, and idle */
        for (int i = 0; i < 5; i++) {
            prepare(&pieces[i], &count);
            pieces[i].gate = is_sim() ? NULL : &gate;
            EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_USER, &pieces[i].work), 0);
        }
        for (int i = 0; i < 5; i++)
            sem_post(&gate);
        turn_until(loop, &count, round * 5);
    }
    eddy_loop_free(loop);
    sem_destroy(&gate);
}

static void *open_gate(void *gate)
{
    sem_post(gate);
    return NULL;
}

EDDY_TEST(the_end_of_the_loop_waits_for_what_is_out)
{
    struct eddy_loop *loop;
    struct piece pieces[3];
    int count = 0;
    sem_t gate;
    pthread_t opener;

    sem_init(&gate, 0, 2);
    if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .workers = 1), &loop), 0))
        return;
    for (int i = 0; i < 3; i++) {
        prepare(&pieces[i], &count);
        pieces[i].gate = is_sim() ? NULL : &gate;
        EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_USER, &pieces[i].work), 0);
    }
    EDDY_CHECK_EQ(pthread_create(&opener, NULL, open_gate, &gate), 0);
    eddy_loop_free(loop);
    EDDY_CHECK_EQ(count, 3);
    pthread_join(opener, NULL);
    sem_destroy(&gate);
}

static void blocked_signals(struct eddy_work *w)
{
    sigset_t set;

    pthread_sigmask(SIG_SETMASK, NULL, &set);
    eddy_container_of(w, struct piece, work)->number = sigismember(&set, SIGTERM);
}

EDDY_TEST(threads_of_the_pool_take_no_signals)
{
    struct eddy_loop *loop = eddy_loop_current();
    struct piece p;
    int count = 0;

    if (is_sim())
        return;
    prepare(&p, &count);
    p.work.run = blocked_signals;
    EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_NAMES, &p.work), 0);
    turn_until(loop, &count, 1);
    EDDY_CHECK_EQ(p.number, 1);
}

static void simulate(uint64_t seed, int trace[20])
{
    struct eddy_loop *loop;
    struct piece pieces[20];
    int count = 0;

    if (!EDDY_CHECK_EQ(eddy_loop_new(EDDY_OPT(loop, .backend = "sim", .seed = seed), &loop), 0))
        return;
    for (int i = 0; i < 20; i++) {
        prepare(&pieces[i], &count);
        pieces[i].number = i;
        pieces[i].trace = trace;
        EDDY_CHECK_EQ(eddy__work_submit(loop, EDDY_WORK_USER, &pieces[i].work), 0);
    }
    turn_until(loop, &count, 20);
    eddy_loop_free(loop);
}

EDDY_TEST(in_the_simulator_the_seed_decides_the_order)
{
    int a[20], b[20], c[20];

    simulate(1, a);
    simulate(1, b);
    simulate(2, c);
    EDDY_CHECK_MEM(a, sizeof a, b, sizeof b);
    EDDY_CHECK(memcmp(a, c, sizeof a) != 0);
}

EDDY_TEST(without_memory_nothing_is_submitted)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        struct eddy_loop *loop;
        struct piece p;
        int count = 0;

        if (eddy_loop_new(NULL, &loop) < 0)
            continue;
        prepare(&p, &count);
        int r = eddy__work_submit(loop, EDDY_WORK_FILES, &p.work);
        EDDY_CHECK_EQ(r, eddy_fault_fired(&f) ? -ENOMEM : 0);
        eddy_fault_stop();
        eddy_loop_free(loop);
        EDDY_CHECK_EQ(count, r == 0);
    }
}
