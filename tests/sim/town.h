/*
 * town.h - what the tests of the simulator share: a server on a host, and files by operation
 */
#ifndef EDDY_TESTS_SIM_TOWN_H
#define EDDY_TESTS_SIM_TOWN_H

#include "check.h"
#include "loop/file_op.h"
#include "task/wait.h"

#include <eddy/net.h>
#include <eddy/sim.h>
#include <eddy/task.h>

#include <string.h>

/* An accept loop that echoes; ends with its scope. Cut connections end alone. */
struct echo_args {
    struct eddy_stream *peer;
};
struct town_serve_args {
    struct eddy_listener *door;
};
extern const struct eddy_task_type town_serve_task;

/* Listen on @address on the host @name and echo there, in @scope. Afterwards plain code is on "". */
bool town_server(struct eddy_sim *sim, struct eddy_scope *scope, const char *name,
                 const char *address);

/* Write @text, and read it back. 0, or what failed first. */
int town_ask(struct eddy_stream *s, const char *text);

/* Operations on files, waited for. */
int town_open(const char *path, int flags);
int town_write(int fd, const char *bytes, size_t len, int64_t offset); /* all of it */
int town_read(int fd, char *buf, size_t cap, int64_t offset);          /* as much as there is */
int town_sync(int fd);
int town_close(int fd);

#endif
