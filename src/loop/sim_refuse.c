/*
 * loop/sim_refuse.c - what the simulator does not do: -EDDY_ESIM, and the log hears of it once
 */
#include "base/sys.h"
#include "loop/loop.h"
#include "loop/sim.h"

#include <eddy/log.h>

#include <fcntl.h>
#include <string.h>

int eddy_sim_refused(struct sim *s, const char *what)
{
    for (size_t i = 0; i < sizeof s->refused / sizeof s->refused[0]; i++) {
        if (s->refused[i] && strcmp(s->refused[i], what) == 0)
            break;
        if (!s->refused[i]) {
            s->refused[i] = what;
            eddy_log(EDDY_LOG_WARNING, "the simulator does not do %s", what);
            break;
        }
    }
    return -EDDY_ESIM;
}

int eddy__sim_refuse(struct eddy_loop *loop, const char *what)
{
    if (!eddy_driver_is_simulated(loop->driver))
        return 0;
    return eddy_sim_refused(eddy_sim_of(loop->driver), what);
}

/* A descriptor that is none of ours. */
int eddy_sim_not_ours(struct sim *s, int fd)
{
    bool is_open = fd >= 0 && fd < SIM_FD && eddy__sys.fcntl(fd, F_GETFD, 0) >= 0;

    return is_open ? eddy_sim_refused(s, "descriptors of others") : -EBADF;
}
