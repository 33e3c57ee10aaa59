/*
 * file_task_test.c - a task's operation on a file lives on its stack, which must outlive it
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include "loop/file_op.h"
#include "task/wait.h"

#include <eddy/task.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reading_args {
    int fd;
    int *ret;
};

/* The operation, its bytes and all that the driver knows of it stand on this stack. */
static int reading(struct reading_args *a)
{
    struct eddy_file_op f;
    char bytes[2000];

    eddy_op_read(&f, a->fd, bytes, sizeof bytes, -1, NULL);
    *a->ret = eddy__op_wait(&f.op);
    return 0;
}
EDDY_TASK(reading);

static int scribbling(void)
{
    volatile char frame[16000];

    memset((char *)(uintptr_t)frame, 0x5a, sizeof frame);
    eddy_yield();
    for (size_t i = 0; i < sizeof frame; i++)
        if (frame[i] != 0x5a)
            return EDDY_CHECK_FAIL("somebody writes to a stack that was given back"), -EIO;
    return 0;
}

EDDY_TEST(a_cancelled_operation_is_waited_for_before_its_frame_goes)
{
    char buf[16];
    int fd[2], res;

    if (pipe(fd) < 0)
        abort();
    for (int i = 0; i < 20; i++) {
        res = 1;
        {
            EDDY_SCOPE(s, .timeout_ms = 1);
            EDDY_CHECK_EQ(EDDY_GO(&s, reading, .fd = fd[0], .ret = &res), 0);
            eddy_join(&s);
        }
        EDDY_CHECK_ERR(res, -ETIMEDOUT);
        EDDY_CHECK_EQ(eddy__loop()->driver->pending, 0);
        EDDY_CHECK_EQ(write(fd[1], "not for the dead", 16), 16);
        scribbling();
        EDDY_CHECK_EQ(read(fd[0], buf, sizeof buf), 16);
    }
    close(fd[0]);
    close(fd[1]);
}
