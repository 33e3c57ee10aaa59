/*
 * line.h - what every lock with a line owes those who stand in it
 *
 * The rules that mutex, write lock, read lock and semaphore share, each as a check of one lock
 * that one task can have at a time. The tests are named for the rule, and the lock.
 */
#ifndef EDDY_TESTS_TASK_LINE_H
#define EDDY_TESTS_TASK_LINE_H

struct line {
    void *lock;
    int (*take)(void *lock);
    void (*give)(void *lock);
};

void line_is_first_come_first_served(const struct line *l);
void line_looks_at_its_scope_first(const struct line *l);
void line_cancelled_is_out_of_line(const struct line *l);
void line_handed_over_is_held(const struct line *l);
void line_free_spends_a_try(const struct line *l);
void line_in_a_callback_is_edeadlk(const struct line *l);

#endif
