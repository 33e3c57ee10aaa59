/*
 * base/quiet.h - a call that may raise SIGPIPE, without it
 *
 *     struct eddy_quiet quiet;
 *     eddy_quiet_begin(&quiet);
 *     ssize_t n = sendfile(...);
 *     eddy_quiet_end(&quiet, n == -EPIPE);
 *
 * For calls that take no MSG_NOSIGNAL. The signal is this thread's, so it is blocked for the call and
 * taken back; one that was pending before, which only a signal that was blocked before can be, stays.
 */
#ifndef EDDY_BASE_QUIET_H
#define EDDY_BASE_QUIET_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

struct eddy_quiet {
    sigset_t before, pending;
};

static inline void eddy_quiet_begin(struct eddy_quiet *q)
{
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigemptyset(&q->pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &q->before);
    if (sigismember(&q->before, SIGPIPE))
        sigpending(&q->pending);
}

static inline void eddy_quiet_end(struct eddy_quiet *q, bool raised)
{
    const struct timespec now = { .tv_sec = 0 };
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (raised && !sigismember(&q->pending, SIGPIPE))
        while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &q->before, NULL);
}

#endif
