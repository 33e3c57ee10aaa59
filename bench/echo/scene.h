/*
 * bench/echo/scene.h - a TCP echo: one connection, messages of one byte to a mebibyte
 *
 * scene.c listens, and starts the other side: a plain blocking client on the other core, the same for
 * all, which sends a message, waits until all of it has come back, and takes the time. One file for
 * each library echoes.
 */
#ifndef BENCH_ECHO_SCENE_H
#define BENCH_ECHO_SCENE_H

/* The library's part: echo whatever comes to whoever connects, for ever. */
extern const char *const stack_name;
void stack_echo(int listener);

#endif
