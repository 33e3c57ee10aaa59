/*
 * loop/backend.c - which driver serves a name, and which name is the default
 *
 * One name space: "select" "poll" "epoll" "kqueue" are pollers under the ready driver, "uring"
 * and "sim" are drivers. The default is a rule, not a setting: the first of the list below that
 * opens on this kernel.
 */
#include "loop/loop.h"
#include "poller/poller.h"

#include <eddy/log.h>

#include <stdlib.h>
#include <string.h>

static const struct backend {
    const char *name;
    const struct eddy_driver_ops *driver;
} backends[] = {
#ifdef __linux__
    { "epoll", &eddy_driver_ready },
#elif defined(EDDY_HAVE_KQUEUE)
    { "kqueue", &eddy_driver_ready },
#endif
    { "poll", &eddy_driver_ready },  { "select", &eddy_driver_ready },
#ifdef EDDY_HAVE_URING
    { "uring", &eddy_driver_uring },
#endif
    { "sim", &eddy_driver_sim },
};

#define BACKENDS (sizeof backends / sizeof backends[0])

static int open_one(struct eddy_loop *loop, const struct backend *b)
{
    const char *seed = getenv("EDDY_SEED");
    struct eddy_driver_config config = { .backend = b->name, .seed = loop->options.seed };
    const char *why = "";

    if (!config.seed && seed)
        config.seed = strtoull(seed, NULL, 0);
    if (!config.seed)
        config.seed = 1;
    int r = b->driver->open(&config, &loop->driver, &why);
    if (r < 0) {
        loop->why = why;
        eddy_log(EDDY_LOG_WARNING, "backend %s is not available: %s (%s)", b->name, why,
                 eddy_strerror(r));
    }
    return r;
}

int eddy_backend_open(struct eddy_loop *loop, const char *name)
{
    int r = -EDDY_EBACKEND;

    for (size_t i = 0; i < BACKENDS; i++) {
        if (name) {
            if (strcmp(backends[i].name, name) != 0)
                continue;
            r = open_one(loop, &backends[i]);
            return r == 0 || r == -ENOMEM || r == -EMFILE ? r : -EDDY_EBACKEND;
        } else if (backends[i].driver != &eddy_driver_sim) {
            r = open_one(loop, &backends[i]);
            if (r == 0 || r == -ENOMEM || r == -EMFILE)
                return r;
        }
    }
    if (name)
        eddy_log(EDDY_LOG_ERROR, "no backend is called %s; there are: %s", name,
                 eddy_backend_names());
    return r;
}

const char *eddy_backend_names(void)
{
    return
#ifdef __linux__
        "epoll "
#elif defined(EDDY_HAVE_KQUEUE)
        "kqueue "
#endif
        "poll select "
#ifdef EDDY_HAVE_URING
        "uring "
#endif
        "sim";
}
