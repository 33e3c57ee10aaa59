/*
 * process/plan.c - from options to what the child does: arguments, environment, where the program is
 *
 * All of it lies in one arena, which lives until the program runs, and nothing is looked up on disk:
 * the list of places where the program might be is the child's to try.
 */
#include "process/process.h"

#include "base/sys.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAN_MAX ((size_t)64 << 20) /* the kernel takes 6 MiB of arguments and environment */

struct eddy_process_options process_options(const struct eddy_process_options *options)
{
    struct eddy_process_options o = { .size = sizeof o };

    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    return o;
}

/* --- environment ------------------------------------------------------------------------------------ */

static size_t count_of(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static size_t name_length(const char *entry)
{
    return strcspn(entry, "=");
}

static bool is_named(const char *const *list, const char *entry)
{
    size_t len = name_length(entry);

    for (; list && *list; list++)
        if (name_length(*list) == len && memcmp(*list, entry, len) == 0)
            return true;
    return false;
}

static int make_environment(struct plan *plan, const struct eddy_process_options *o)
{
    const char *const *base = o->env ? o->env : (const char *const *)environ;
    size_t n = 0;

    for (const char *const *a = o->env_add; a && *a; a++)
        if (!strchr(*a, '=') || **a == '=')
            return eddy_error_set(plan->error, -EINVAL, 0,
                                  "cannot run %.60s: \"%.40s\" of .env_add is not NAME=value",
                                  plan->name, *a);
    const char **env = eddy_arena_alloc(&plan->arena,
                                        (count_of(base) + count_of(o->env_add) + 1) * sizeof *env);
    if (!env)
        return -ENOMEM;
    for (; base && *base; base++)
        if (!is_named(o->env_remove, *base) && !is_named(o->env_add, *base))
            env[n++] = *base;
    for (const char *const *a = o->env_add; a && *a; a++)
        if (!is_named(a + 1, *a)) /* of several the last holds */
            env[n++] = *a;
    env[n] = NULL;
    plan->child.env = (char *const *)(uintptr_t)env;
    return 0;
}

/* --- the program --------------------------------------------------------------------------------------- */

static const char *path_of(char *const *env)
{
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    const char *ours = getenv("PATH");
    return ours ? ours : "/bin:/usr/bin";
}

/* An empty folder is the one the child works in, as ever. */
static int list_programs(struct plan *plan, const char *name)
{
    const char *at = path_of(plan->child.env);
    size_t n = 0, count = 2;

    for (const char *c = at; *c; c++)
        count += *c == ':';
    const char **programs = eddy_arena_alloc(&plan->arena, count * sizeof *programs);
    if (!programs)
        return -ENOMEM;
    for (;; at++) {
        size_t len = strcspn(at, ":");
        programs[n] = eddy_arena_printf(&plan->arena, "%.*s%s%s", (int)len, at, len ? "/" : "./",
                                        name);
        if (!programs[n++])
            return -ENOMEM;
        at += len;
        if (!*at)
            break;
    }
    programs[n] = NULL;
    plan->child.programs = programs;
    return 0;
}

static int find_program(struct plan *plan, const char *const *argv,
                        const struct eddy_process_options *o)
{
    const char *name = o->path ? o->path : argv[0];

    if (!o->path && *name && !strchr(name, '/'))
        return list_programs(plan, name);
    const char **one = eddy_arena_alloc(&plan->arena, 2 * sizeof *one);
    if (!one)
        return -ENOMEM;
    one[0] = name;
    one[1] = NULL;
    plan->child.programs = one;
    return 0;
}

/* --- the rest ---------------------------------------------------------------------------------------------- */

static int check_descriptor(struct plan *plan, int fd)
{
    int r = fd < 0 ? -EBADF : eddy__sys.fcntl(fd, F_GETFD, 0);

    if (r >= 0)
        return 0;
    return eddy_error_set(plan->error, r, 0,
                          "cannot run %.60s: descriptor %d, which it is to have, is not open",
                          plan->name, fd);
}

/* Behind the standard ones, sorted; those come from streams.c. */
static int list_descriptors(struct plan *plan, const struct eddy_process_options *o)
{
    struct eddy_child *c = &plan->child;

    if (o->fd_count > PROCESS_FDS_MAX)
        return eddy_error_set(plan->error, -EINVAL, 0,
                              "cannot run %.60s: %zu descriptors, over the limit of %d", plan->name,
                              o->fd_count, PROCESS_FDS_MAX);
    c->fds = plan->fds;
    c->fd_count = 3;
    for (int i = 0; i < 3; i++)
        c->fds[i] = (struct eddy_child_fd){ .fd = i, .as = i, .left = true };
    for (size_t i = 0; i < o->fd_count; i++) {
        int as = o->fds[i].as;
        unsigned at = c->fd_count;
        while (at > 3 && c->fds[at - 1].as >= as)
            at--;
        if (as < 3 || (at < c->fd_count && c->fds[at].as == as))
            return eddy_error_set(plan->error, -EINVAL, 0,
                                  "cannot run %.60s: descriptor %d is given twice, or is below 3 "
                                  "(those are .in, .out and .err)",
                                  plan->name, as);
        int r = check_descriptor(plan, o->fds[i].fd);
        if (r < 0)
            return r;
        memmove(&c->fds[at + 1], &c->fds[at], (c->fd_count - at) * sizeof *c->fds);
        c->fds[at] = (struct eddy_child_fd){ .fd = o->fds[i].fd, .as = as };
        c->fd_count++;
    }
    const struct eddy_process_io *io[] = { &o->in, &o->out, &o->err };
    for (int i = 0; i < 3; i++) {
        int r = io[i]->kind == EDDY_IO_KIND_FD ? check_descriptor(plan, io[i]->fd) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int list_limits(struct plan *plan, const struct eddy_process_options *o)
{
    struct eddy_child_limit *limits = eddy_arena_alloc(&plan->arena,
                                                       (o->limit_count + 1) * sizeof *limits);

    if (!limits)
        return -ENOMEM;
    for (size_t i = 0; i < o->limit_count; i++)
        limits[i] = (struct eddy_child_limit){ o->limits[i].resource, o->limits[i].limit };
    plan->child.limits = limits;
    plan->child.limit_count = o->limit_count;
    return 0;
}

static void take_attributes(struct eddy_child *c, const struct eddy_process_options *o)
{
    static const uint8_t group[] = { [EDDY_PROCESS_OWN_GROUP] = EDDY_CHILD_OWN_GROUP,
                                     [EDDY_PROCESS_OUR_GROUP] = EDDY_CHILD_OUR_GROUP,
                                     [EDDY_PROCESS_OWN_SESSION] = EDDY_CHILD_OWN_SESSION };

    c->folder = o->folder;
    c->keep_fds = o->keep_fds;
    c->terminal = o->pty;
    c->group = o->pty ? EDDY_CHILD_OWN_SESSION : group[o->group];
    c->set_umask = o->set_umask;
    c->umask = o->umask;
    c->nice = o->nice;
    if (o->user) {
        c->set_user = true;
        c->uid = o->user->uid;
        c->gid = o->user->gid;
        c->groups = o->user->groups;
        c->group_count = o->user->group_count;
    }
}

static int check_options(struct plan *plan, const char *const *argv,
                         const struct eddy_process_options *o)
{
    const char *why = NULL;

    if (!argv || !argv[0])
        why = "it has no name: argv[0] is NULL";
    else if ((unsigned)o->group > EDDY_PROCESS_OWN_SESSION)
        why = ".group is unknown";
    else if (o->pty && (o->in.kind || o->out.kind || o->err.kind))
        why = "with .pty all three streams are the terminal: leave .in, .out and .err";
    else if ((unsigned)o->in.kind >= EDDY_IO_KIND_STDOUT ||
             (unsigned)o->out.kind >= EDDY_IO_KIND_STDOUT ||
             (unsigned)o->err.kind > EDDY_IO_KIND_STDOUT)
        why = "a standard stream goes where it cannot: EDDY_IO_STDOUT is for .err";
    if (!why)
        return 0;
    return eddy_error_set(plan->error, -EINVAL, 0, "cannot run %.60s: %s", plan->name, why);
}

int plan_make(struct plan *plan, const char *const *argv, const struct eddy_process_options *o)
{
    *plan = (struct plan){ .arena = EDDY_ARENA(PLAN_MAX),
                           .own = { -1, -1, -1 },
                           .terminal = { -1, -1 },
                           .name = o->path           ? o->path
                                   : argv && argv[0] ? argv[0]
                                                     : "a program",
                           .error = o->error };
    int r = check_options(plan, argv, o);
    if (r < 0)
        return r;
    assert(argv);
    plan->child.argv = (char *const *)(uintptr_t)argv;
    take_attributes(&plan->child, o);
    r = make_environment(plan, o);
    if (r == 0)
        r = find_program(plan, argv, o);
    if (r == 0)
        r = list_limits(plan, o);
    if (r == 0)
        r = list_descriptors(plan, o);
    if (r == -ENOMEM)
        eddy_error_set(plan->error, r, 0, "cannot run %.60s: out of memory", plan->name);
    return r;
}

void plan_done(struct plan *plan)
{
    for (int i = 0; i < 3; i++)
        if (plan->own[i] >= 0)
            eddy__sys.close(plan->own[i]);
    for (int i = 0; i < 2; i++)
        if (plan->terminal[i] >= 0)
            eddy__sys.close(plan->terminal[i]);
    eddy_arena_done(&plan->arena);
}
