/*
 * eddy/descriptor.h - any descriptor: wait until it is ready, for libraries that do their own I/O
 *
 *     while (PQconnectPoll(db) == PGRES_POLLING_READING) {
 *         int ready = eddy_wait_fd(PQsocket(db), EDDY_READABLE);
 *         if (ready < 0)
 *             return ready;
 *     }
 *
 * A library with a non-blocking face of its own (libpq, libcurl, ALSA, a driver) says for which
 * descriptor and for what it waits; the task waits for it here, under its scope like everything
 * else. Callbacks use a watch (eddy/watch.h). What eddy reads and writes by itself needs neither.
 *
 * What holds, with the test that shows it (tests/task/descriptor_test.c, on every real backend):
 *
 *  rule                                               test
 *  -------------------------------------------------  ----------------------------------------------
 *  What is ready is told, now or when it comes        what_is_ready_is_told
 *  Of two events, what came is told                   of_two_events_what_came_is_told
 *  Nothing is taken: the bytes are all still there    nothing_is_taken
 *  One task for input, one for output                 a_second_waiter_is_busy
 *  A hang-up ends the wait                            a_hang_up_ends_the_wait
 *  Looks at its scope first; ends with it             a_scope_ends_the_wait
 *  What can always be read (a file) is ready at once  a_regular_file_is_ready
 *  Wrong use is an error                              wrong_use_is_an_error
 *  A callback may not wait                            a_callback_gets_edeadlk
 *  No watching past FD_SETSIZE by select              past_fd_setsize_is_the_backends_affair
 *  The simulator has no such descriptor               the_simulator_refuses
 */
#ifndef EDDY_DESCRIPTOR_H
#define EDDY_DESCRIPTOR_H

#include <eddy/common.h>
#include <eddy/poller.h>

EDDY_BEGIN

/**
 * eddy_wait_fd() - wait until a descriptor is ready
 * @fd:     borrowed until return: do not close it meanwhile. Blocking or not, it is left as it is
 * @events: EDDY_READABLE | EDDY_WRITABLE, not 0
 *
 * Suspends, for a turn of the loop at least. Looks at its scope first. Ready means that a call
 * will not block, not that it will succeed; another reader may be faster, so use non-blocking
 * calls. Cancelled: nothing happened.
 *
 * Return: what is ready: EDDY_READABLE, EDDY_WRITABLE, and unasked EDDY_HANGUP, EDDY_FAILED,
 * EDDY_READ_ENDED; or negative:
 *   -EINVAL    no event, or an unknown one     -EBADF   not open
 *   -EBUSY     another task or a watch waits for that already
 *   -ERANGE    past FD_SETSIZE, by select      -ENOMEM, -ENOSPC  no room in the kernel's set
 *   -EDDY_ESIM the simulator has no such descriptor
 *   -ETIMEDOUT, -ECANCELED, -EDEADLK           see eddy/task.h
 * Source: poll(2), asyncio's add_reader, gevent's wait_read.   Since: 0.1
 */
EDDY_API int eddy_wait_fd(int fd, unsigned events);

EDDY_END

#endif
