/* bench/file/libuv.c - the scene on libuv: uv_fs_read(), on its pool of threads */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

const char *const stack_name = "libuv";

struct reader {
    uv_fs_t req; /* first */
    int index;
    int64_t at;
};

static uv_loop_t loop;
static uv_file file;

static void next(struct reader *r);

static void was_read(uv_fs_t *req)
{
    struct reader *r = (struct reader *)(void *)req;
    const int64_t got = req->result;

    uv_fs_req_cleanup(req);
    scene_check(r->index, r->at, got);
    next(r);
}

static void next(struct reader *r)
{
    r->at = scene_next();
    if (r->at < 0)
        return;
    uv_buf_t buf = uv_buf_init(scene_buffer(r->index), SCENE_BLOCK);
    if (uv_fs_read(&loop, &r->req, file, &buf, 1, r->at, was_read) < 0)
        exit(1);
}

void stack_run(void)
{
    struct reader *readers = calloc((size_t)scene_depth, sizeof *readers);
    uv_fs_t req;

    uv_loop_init(&loop);
    file = uv_fs_open(&loop, &req, scene_path, scene_flags, 0, NULL);
    uv_fs_req_cleanup(&req);
    if (file < 0 || !readers)
        exit(1);
    for (int i = 0; i < scene_depth; i++) {
        readers[i].index = i;
        next(&readers[i]);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_fs_close(&loop, &req, file, NULL);
    uv_fs_req_cleanup(&req);
    uv_loop_close(&loop);
    free(readers);
}
