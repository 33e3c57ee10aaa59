#include "town.h"

#include <fcntl.h>

static int echo(struct echo_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    char buf[4096];
    ssize_t n;

    while ((n = eddy_read(peer, buf, sizeof buf)) > 0) {
        int r = eddy_write(peer, buf, (size_t)n);
        if (r < 0)
            return r;
    }
    return n < 0 ? (int)n : eddy_stream_finish(peer);
}
EDDY_TASK(echo);

static int town_serve(struct town_serve_args *a)
{
    EDDY_OWN(eddy_listener) door = a->door;
    EDDY_SCOPE(peers, .isolate = true);

    for (;;) {
        EDDY_OWN(eddy_stream) peer = NULL;
        int r = eddy_accept(door, &peer);
        if (r < 0)
            return r;
        if (EDDY_GO(&peers, echo, .peer = peer) == 0)
            eddy_disown(&peer);
    }
}
static int town_serve_call(void *args)
{
    return town_serve(args);
}
const struct eddy_task_type town_serve_task = { sizeof town_serve_task, "town_serve",
                                                town_serve_call, sizeof(struct town_serve_args) };

bool town_server(struct eddy_sim *sim, struct eddy_scope *scope, const char *name,
                 const char *address)
{
    struct eddy_listener *door = NULL;

    EDDY_CHECK_EQ(eddy_sim_as(sim, name), 0);
    bool good = EDDY_CHECK_EQ(eddy_listen(address, NULL, &door), 0);
    if (good && !EDDY_CHECK_EQ(EDDY_GO(scope, town_serve, .door = door), 0)) {
        eddy_listener_free(door);
        good = false;
    }
    EDDY_CHECK_EQ(eddy_sim_as(sim, NULL), 0);
    return good;
}

int town_ask(struct eddy_stream *s, const char *text)
{
    size_t len = strlen(text);
    char back[256];

    int r = eddy_write(s, text, len);
    if (r < 0)
        return r;
    r = (int)eddy_read_exactly(s, back, len);
    return r < 0 ? r : memcmp(back, text, len) == 0 ? 0 : -EBADMSG;
}

int town_open(const char *path, int flags)
{
    struct eddy_file_op f;

    eddy_op_open(&f, AT_FDCWD, path, flags, 0644, NULL);
    return eddy__op_wait(&f.op);
}

int town_write(int fd, const char *bytes, size_t len, int64_t offset)
{
    for (size_t at = 0; at < len;) {
        struct eddy_file_op f;
        eddy_op_write(&f, fd, bytes + at, len - at, offset < 0 ? -1 : offset + (int64_t)at, NULL);
        int r = eddy__op_wait(&f.op);
        if (r < 0)
            return r;
        at += (size_t)r;
    }
    return 0;
}

int town_read(int fd, char *buf, size_t cap, int64_t offset)
{
    size_t at = 0;

    while (at < cap) {
        struct eddy_file_op f;
        eddy_op_read(&f, fd, buf + at, cap - at, offset < 0 ? -1 : offset + (int64_t)at, NULL);
        int r = eddy__op_wait(&f.op);
        if (r < 0)
            return r;
        if (r == 0)
            break;
        at += (size_t)r;
    }
    return (int)at;
}

int town_sync(int fd)
{
    struct eddy_file_op f;

    eddy_op_fsync(&f, fd, false, NULL);
    return eddy__op_wait(&f.op);
}

int town_close(int fd)
{
    struct eddy_op op;

    eddy_op_close(&op, fd, NULL);
    return eddy__op_wait(&op);
}
