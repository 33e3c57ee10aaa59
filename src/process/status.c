/*
 * process/status.c - what is asked of a process without waiting
 */
#include "process/process.h"

#include <eddy/stream.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

pid_t eddy_process_pid(const struct eddy_process *p)
{
    return p->pid;
}

struct eddy_stream *eddy_process_stdin(struct eddy_process *p)
{
    return p->streams[p->has_terminal ? 1 : 0];
}

struct eddy_stream *eddy_process_stdout(struct eddy_process *p)
{
    return p->streams[1];
}

struct eddy_stream *eddy_process_stderr(struct eddy_process *p)
{
    return p->streams[2];
}

const char *eddy_process_status_text(const struct eddy_process_status *status, char *buf,
                                     size_t cap)
{
    if (!status->signo) {
        (void)snprintf(buf, cap, "exited with %d", status->code);
        return buf;
    }
    const char *name = sigabbrev_np(status->signo);
    (void)snprintf(buf, cap, "killed by %s%s (%d)%s", name ? "SIG" : "a signal", name ? name : "",
                   status->signo, status->core_dumped ? ", core dumped" : "");
    return buf;
}
