/*
 * sys/event.h - of kqueue(2), what poller/kqueue.c uses: enough to compile it where there is none
 *
 * Written from the manual pages of the BSDs. Nothing is linked with it.
 */
#ifndef EDDY_TESTS_SYS_EVENT_H
#define EDDY_TESTS_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned int fflags;
    int64_t data;
    void *udata;
};

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_CLEAR 0x0020
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

#define EV_SET(event, id, kind, flag, fflag, datum, user)                                          \
    (*(event) = (struct kevent){ .ident = (id),                                                    \
                                 .filter = (kind),                                                 \
                                 .flags = (flag),                                                  \
                                 .fflags = (fflag),                                                \
                                 .data = (datum),                                                  \
                                 .udata = (void *)(uintptr_t)(user) })

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int count, struct kevent *ret, int cap,
           const struct timespec *timeout);

#endif
