/*
 * bench/pipes/scene.h - the classic pipe benchmark, as libevent's and libev's authors measured it
 *
 * N socket pairs, each watched for input. A few get a byte; whoever reads a byte writes one to the
 * next pair, until as many were written as there are pairs. The time is that of one byte read,
 * dispatched and passed on. scene.c plays it; one file for each library says how to watch. Every read
 * has room for more than comes, in all of them, so that it says that there is no more: who is told
 * once for each arrival need not ask again.
 */
#ifndef BENCH_PIPES_SCENE_H
#define BENCH_PIPES_SCENE_H

/* The library's part. */
extern const char *const stack_name;
void stack_open(int count);
void stack_watch(int index, int fd); /* then call scene_readable(index) while it is readable */
void stack_turn(void);               /* wait for something and handle it */

/* The scene's. */
void scene_readable(int index);

#endif
