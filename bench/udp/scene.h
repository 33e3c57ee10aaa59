/*
 * bench/udp/scene.h - datagrams one way, over the loopback, from a process that only sends
 *
 *     bench-udp-eddy MODE BYTES SECONDS [RATE]
 *
 * The sender writes 64 at a time by sendmmsg(2), as fast as it can or RATE a second. Printed are the
 * stack, the mode, the size, datagrams received a second, nanoseconds of the receiver's processor time
 * for each, and the share in a thousand that came at all.
 */
#ifndef BENCH_UDP_SCENE_H
#define BENCH_UDP_SCENE_H

#include <stdbool.h>
#include <stddef.h>

#define SCENE_ROOM 2048 /* for a datagram */

extern const char *const stack_name;
int stack_open(const char *mode); /* on 127.0.0.1: the port; 0: no such mode */
void stack_receive(void);         /* until scene_received() says false */

bool scene_received(size_t count); /* so many more */

#endif
