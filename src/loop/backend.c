/*
 * loop/backend.c - which driver serves a name, and what is done where none is given
 *
 * One name space: "select" "poll" "epoll" "kqueue" are pollers under the ready driver, "uring"
 * and "sim" are drivers. Who names one gets that or an error; who names none gets the first that
 * the rule in default.c lets through and that opens on this kernel. Why the ones before it were not
 * taken stands in the loop for eddy_loop_info(), and in the log: once, and as no warning.
 */
#include "loop/backend.h"
#include "loop/loop.h"
#include "poller/poller.h"
#ifdef EDDY_HAVE_URING
#include "loop/uring.h"
#endif

#include <eddy/log.h>

#include <stdio.h>
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

static const struct backend *find(const char *name)
{
    for (size_t i = 0; i < BACKENDS; i++)
        if (strcmp(backends[i].name, name) == 0)
            return &backends[i];
    return NULL;
}

atomic_bool eddy_default_told;

/* "uring: a seccomp filter ...": one after the other, as far as there is room. That nobody's choice
 * was not io_uring is how it is in every container: worth one quiet line, of the first loop. */
static void note(struct eddy_loop *loop, const struct backend *b, bool by_default, const char *why,
                 int r)
{
    const size_t len = strlen(loop->why);
    enum eddy_log_level level = EDDY_LOG_WARNING;

    snprintf(loop->why + len, sizeof loop->why - len, "%s%s: %s", len ? "; " : "", b->name, why);
    if (by_default && b->driver != &eddy_driver_ready) {
        if (atomic_exchange(&eddy_default_told, true))
            return;
        level = EDDY_LOG_INFO;
    }
    eddy_log(level, "backend %s is not available: %s (%s)", b->name, why, eddy_strerror(r));
}

static int open_one(struct eddy_loop *loop, const struct backend *b, bool by_default)
{
    const char *seed = getenv("EDDY_SEED");
    struct eddy_driver_config config = { .backend = b->name, .seed = loop->options.seed };
    const char *why = NULL;

    if (!config.seed && seed)
        config.seed = strtoull(seed, NULL, 0);
    if (!config.seed)
        config.seed = 1;
    int r = b->driver->open(&config, &loop->driver, &why);
    if (r < 0)
        note(loop, b, by_default, why ? why : eddy_strerror(r), r);
    return r;
}

/* One of the rule's, if the kernel has what the rule wants of it. */
static int open_default(struct eddy_loop *loop, const struct backend *b)
{
    struct eddy_kernel kernel = { eddy_kernel_version(), EDDY_RING_ALL };
    const char *objection = eddy_default_objection(b->name, &kernel);

    if (!objection) {
        int r = open_one(loop, b, true);
        if (r < 0)
            return r;
#ifdef EDDY_HAVE_URING
        if (b->driver == &eddy_driver_uring)
            kernel.ring = eddy_uring_of(loop->driver)->features;
#endif
        objection = eddy_default_objection(b->name, &kernel);
        if (!objection)
            return 0;
        loop->driver->ops->close(loop->driver);
        loop->driver = NULL;
    }
    note(loop, b, true, objection, -EDDY_EBACKEND);
    return -EDDY_EBACKEND;
}

int eddy_backend_open(struct eddy_loop *loop, const char *name)
{
    const struct backend *b;
    int r = -EDDY_EBACKEND;

    if (name) {
        b = find(name);
        if (!b) {
            eddy_log(EDDY_LOG_ERROR, "no backend is called %s; there are: %s", name,
                     eddy_backend_names());
            return -EDDY_EBACKEND;
        }
        r = open_one(loop, b, false);
        return r == 0 || r == -ENOMEM || r == -EMFILE ? r : -EDDY_EBACKEND;
    }
    for (unsigned i = 0; (name = eddy_default_name(i)); i++) {
        b = find(name);
        if (!b)
            continue; /* of another system, or not built */
        r = open_default(loop, b);
        /* What io_uring has no memory for another backend may; of the others that is an end. */
        if (r == 0 || (b->driver == &eddy_driver_ready && (r == -ENOMEM || r == -EMFILE)))
            return r;
    }
    return r;
}

const char *eddy_backend_names(void)
{
    return
#ifdef EDDY_HAVE_URING
        "uring "
#endif
#ifdef __linux__
        "epoll "
#elif defined(EDDY_HAVE_KQUEUE)
        "kqueue "
#endif
        "poll select sim";
}
