/*
 * forward_test.c - eddy_forward() that is cancelled at any moment; the rest is in transfer_test.c
 *
 * backends: select poll epoll uring sim
 */
#include "check.h"

#include <eddy/task.h>
#include <eddy/transfer.h>

struct send_and_cancel_args {
    struct eddy_stream *s;
    struct eddy_scope *scope;
    int turns;
};

static int send_and_cancel(struct send_and_cancel_args *a)
{
    int r = eddy_write(a->s, "abc", 3);

    for (int i = 0; i < a->turns; i++)
        eddy_yield();
    eddy_scope_cancel(a->scope);
    return r;
}
EDDY_TASK(send_and_cancel);

/* Also where the bytes have been read when the cancel comes, and nothing of them is written. */
EDDY_TEST(what_was_not_passed_on_waits)
{
    for (int turns = 0; turns < 8; turns++) {
        struct eddy_stream *a[2], *b[2];
        char buf[4] = "";
        int64_t moved = 0;

        EDDY_CHECK_EQ(eddy_stream_pair(&a[0], &a[1]), 0);
        EDDY_CHECK_EQ(eddy_stream_pair(&b[0], &b[1]), 0);
        {
            EDDY_SCOPE(s, .timeout_ms = 20000);
            EDDY_GO(&s, send_and_cancel, .s = a[0], .scope = &s, .turns = turns);
            EDDY_CHECK_ERR(eddy_forward(a[1], b[0], &moved), -ECANCELED);
        }
        EDDY_CHECK(moved == 0 || moved == 3);
        EDDY_CHECK_EQ(eddy_read_exactly(moved ? b[1] : a[1], buf, 3), 0);
        EDDY_CHECK_STR(buf, "abc");
        for (int i = 0; i < 2; i++) {
            eddy_stream_free(a[i]);
            eddy_stream_free(b[i]);
        }
    }
}
