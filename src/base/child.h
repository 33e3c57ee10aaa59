/*
 * base/child.h - what a new process does between its birth and its program: an order, as plain data
 *
 * Everything is prepared by the parent, so that the child, which may share the parent's memory until
 * it runs its program (vfork), allocates nothing, looks nothing up, and touches no library's state.
 *
 * Signals to their defaults; session or group; terminal; descriptors; limits, niceness, umask;
 * groups, gid, uid; folder; no signal blocked; the first program of the list that can be run.
 */
#ifndef EDDY_BASE_CHILD_H
#define EDDY_BASE_CHILD_H

#include <eddy/common.h>

#include <sys/resource.h>

enum eddy_child_step {
    EDDY_CHILD_RUNS, /* nothing failed */
    EDDY_CHILD_BIRTH,
    EDDY_CHILD_GROUP,
    EDDY_CHILD_TERMINAL,
    EDDY_CHILD_DESCRIPTOR,
    EDDY_CHILD_LIMIT,
    EDDY_CHILD_NICE,
    EDDY_CHILD_USER,
    EDDY_CHILD_FOLDER,
    EDDY_CHILD_PROGRAM
};

enum eddy_child_group { EDDY_CHILD_OUR_GROUP, EDDY_CHILD_OWN_GROUP, EDDY_CHILD_OWN_SESSION };

struct eddy_child_fd {
    int fd; /* of the parent */
    int as;
    bool left; /* fd is `as`: left as it is, closed or close-on-exec or not */
};

struct eddy_child_limit {
    int resource;
    struct rlimit limit;
};

/* What went wrong where, from the child. */
struct eddy_child_failure {
    int step;       /* enum eddy_child_step */
    int error;      /* negative */
    unsigned index; /* of fds, limits or programs */
};

struct eddy_child {
    const char *const *programs; /* tried in this order, NULL at the end */
    char *const *argv;
    char *const *env;
    const char *folder;        /* NULL: the parent's */
    struct eddy_child_fd *fds; /* sorted by `as`, each once; scratch for the child */
    unsigned fd_count;
    bool keep_fds; /* or all others are closed */
    bool forked;   /* tests: as where a clone is refused, or copies */
    bool terminal; /* descriptor 0, when all are in place, is to be its controlling terminal */
    bool set_user;
    bool set_umask;
    uint8_t group; /* enum eddy_child_group */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    const struct eddy_child_limit *limits;
    size_t limit_count;
    mode_t umask;
    int nice;                          /* added */
    struct eddy_child_failure failure; /* written when the birth fails */
    bool ran;                          /* the child's: it shares this memory */
    int report;                        /* the child's: a pipe for the failure, where it does not */
};

#endif
