/*
 * bench/post/scene.h - from another thread to a callback of a loop
 *
 * asleep  one post at a time: the poster waits until its callback ran, and gives the loop time to
 *         fall asleep again; the time from the call to the callback
 * busy    a poster that never waits, to a loop that is kept turning; time for each post, both sides
 */
#ifndef BENCH_POST_SCENE_H
#define BENCH_POST_SCENE_H

#include <stdatomic.h>
#include <stdbool.h>

extern const char *const stack_name;
extern atomic_bool scene_ready; /* set by stack_run when posts may come */
void stack_run(void);           /* on its thread: open, set scene_ready, serve until stack_stop */
void stack_post(void);          /* any thread: have scene_posted() called on the loop's thread */
void stack_stop(void);          /* on the loop's thread */
void stack_busy(bool busy);     /* on the loop's thread: do not sleep from now on */

void scene_posted(void);

#endif
