/*
 * file/pool_call.c - what the ring has no entry for: a blocking call on the pool's threads for files
 */
#include "file/inside.h"
#include "task/offload.h"

static int on_thread(const char *what, bool steadily, int (*fn)(void *arg), void *arg)
{
    int r = eddy__wait_check();

    if (r < 0 && !(steadily && (r == -ECANCELED || r == -ETIMEDOUT)))
        return r;
    r = eddy__sim_refuse(eddy__loop(), what);
    return r < 0 ? r : eddy__offload(EDDY_WORK_FILES, what, steadily, fn, arg);
}

int eddy_file_on_thread(const char *what, int (*fn)(void *arg), void *arg)
{
    return on_thread(what, false, fn, arg);
}

int eddy_file_on_thread_steadily(const char *what, int (*fn)(void *arg), void *arg)
{
    return on_thread(what, true, fn, arg);
}
