/*
 * terminal/keys.c - waiting for keys: bytes of the terminal through the decoder
 *
 * While the decoder holds the beginning of a key, the wait for the next byte has a time of its
 * own. A wait that is cancelled leaves decoder and bytes as they are, so the next one goes on
 * there.
 */
#include "task/wait.h"
#include "terminal/terminal.h"

#include <eddy/task.h>

/* More bytes: their number, 0 at the end, or an error. @ret_late: none came in a key's time. */
static ssize_t fill(struct eddy_terminal *t, bool *ret_late)
{
    ssize_t n;

    *ret_late = false;
    if (eddy_keys_held(&t->keys)) {
        EDDY_SCOPE(key, .timeout_ms = t->escape_ms);
        n = eddy_read(t->stream, t->bytes, sizeof t->bytes);
        *ret_late = n == -ETIMEDOUT;
    } else {
        n = eddy_read(t->stream, t->bytes, sizeof t->bytes);
    }
    if (n == -ECANCELED || n == -ETIMEDOUT) {
        /* By the caller's scope, if that has ended, and in its words. */
        int r = eddy__wait_check();
        if (r < 0) {
            *ret_late = false;
            return r;
        }
    }
    if (n > 0) {
        t->at = t->bytes;
        t->end = t->bytes + n;
    }
    return n;
}

static int next(struct eddy_terminal *t, struct eddy_key *ret_key)
{
    if (eddy_keys_decode(&t->keys, &t->at, t->end, ret_key)) {
        eddy__budget_spend();
        return 1;
    }
    while (!t->ended) {
        bool late;
        ssize_t n = fill(t, &late);
        if (n < 0 && !late)
            return (int)n;
        t->ended = n == 0;
        if (n > 0 && eddy_keys_decode(&t->keys, &t->at, t->end, ret_key))
            return 1;
        if (n <= 0 && eddy_keys_give_up(&t->keys, ret_key))
            return 1;
    }
    return eddy_keys_give_up(&t->keys, ret_key) ? 1 : 0;
}

int eddy_keys_next(struct eddy_terminal *t, struct eddy_key *ret_key)
{
    int r = eddy__wait_check();

    if (r == 0 && t->reading)
        r = -EBUSY;
    if (r == 0 && !t->stream)
        r = eddy_stream_of_fd(t->fd, -1, EDDY_OPT(fd, .borrow = true), &t->stream);
    if (r < 0)
        return r;
    t->reading = true;
    r = next(t, ret_key);
    t->reading = false;
    return r;
}
