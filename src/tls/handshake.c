/*
 * tls/handshake.c - what a task does with the filter: wait for its handshake, ask what failed
 */
#include "tls/filter.h"

struct shaking {
    struct eddy_wait wait; /* first */
    struct tls_filter *f;
};

static void interrupted(struct eddy_wait *w, int why)
{
    ((struct shaking *)(void *)w)->f->shaker = NULL;
    eddy__wake(w, why);
}

int eddy_tls_handshake(struct eddy_transport *t, struct eddy_error *err)
{
    struct tls_filter *f = (struct tls_filter *)(void *)t;
    int r = eddy__loop_is_parents(f->loop) ? -EDDY_EFORKED : eddy__wait_check();

    assert(t->ops == &tls_ops);
    if (r == 0 && f->shaker)
        r = -EBUSY;
    if (r == 0 && !f->shaken) {
        r = f->failure.code;
        if (r == 0) {
            struct shaking s = { .wait = EDDY_WAIT(interrupted, "handshake"), .f = f };
            f->shaker = &s.wait;
            r = eddy__wait(&s.wait);
        }
    }
    if (r < 0 && err)
        *err = f->failure;
    if (r < 0 && err && !err->code)
        eddy_error_set(err, r, 0, "the TLS handshake did not end: %s", eddy_strerror(r));
    return r;
}

void eddy_tls_failure(const struct eddy_transport *t, struct eddy_error *ret_err)
{
    assert(t->ops == &tls_ops);
    *ret_err = ((const struct tls_filter *)(const void *)t)->failure;
}
