/*
 * loop/default.c - which backend is the default: a rule, made of a kernel's version and features
 *
 * io_uring wins only done in one way: one issuer, deferred task work, multishot receives out of a
 * ring of buffers. Where any of that is missing it loses against epoll, so it is no default there,
 * though whoever asks for it by name gets it. The figures are in bench/README.md.
 */
#include "loop/backend.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define KERNEL(major, minor) ((major)*1000 + (minor))

/* One word decides whether the first row takes part. It does: with a server that has slack a request
 * costs 0.9 of what it costs on epoll, with one that is saturated 0.8. The features are there since
 * Linux 6.1; 6.18 is the oldest kernel that all of it was run on. */
#define URING_BY_DEFAULT true

bool eddy_default_uring = URING_BY_DEFAULT;

/* Best first: each, the kernel it wants and what of io_uring. 0: anything will do. */
static const struct rule {
    const char *backend;
    unsigned since;
    unsigned ring;
} rules[] = {
    { "uring", KERNEL(6, 18), EDDY_RING_ALL },
    { "epoll", 0, 0 },  /* Linux */
    { "kqueue", 0, 0 }, /* the BSDs, macOS */
    { "poll", 0, 0 },   /* any POSIX system */
    { "select", 0, 0 }, /* where poll fails, descriptors below FD_SETSIZE only */
};

/* What to say of the first feature that is missing. */
static const struct {
    unsigned ring;
    const char *text;
} missing[] = {
    { EDDY_RING_BUFFERS, "this kernel's io_uring has no rings of provided buffers" },
    { EDDY_RING_MULTISHOT, "this kernel's io_uring has no multishot accept and receive" },
    { EDDY_RING_NODROP, "this kernel's io_uring drops completions that find no room" },
    { EDDY_RING_SINGLE_ISSUER, "this kernel's io_uring knows no single issuer" },
    { EDDY_RING_DEFER_TASKRUN, "this kernel's io_uring cannot defer task work" },
};

const char *eddy_default_name(unsigned i)
{
    const unsigned at = i + (eddy_default_uring ? 0 : 1);

    return at < sizeof rules / sizeof rules[0] ? rules[at].backend : NULL;
}

const char *eddy_default_objection(const char *backend, const struct eddy_kernel *kernel)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].backend, backend) != 0)
            continue;
        if (kernel->version < rules[i].since)
            return "this kernel is older than Linux 6.18, the oldest that io_uring is the default "
                   "on";
        for (size_t k = 0; k < sizeof missing / sizeof missing[0]; k++)
            if (rules[i].ring & missing[k].ring & ~kernel->ring)
                return missing[k].text;
        return NULL;
    }
    return "it is nobody's default";
}

unsigned eddy_kernel_version(void)
{
    struct utsname name;
    char *rest;

    if (uname(&name) < 0 || strcmp(name.sysname, "Linux") != 0)
        return 0;
    unsigned long major = strtoul(name.release, &rest, 10);
    unsigned long minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
    return KERNEL((unsigned)major, (unsigned)minor);
}
