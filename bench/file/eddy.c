/* bench/file/eddy.c - the scene on eddy: a task a reader; EDDY_BACKEND says by what */
#include "scene.h"

#include <eddy/file.h>
#include <eddy/task.h>

#include <stdio.h>
#include <stdlib.h>

const char *const stack_name = "eddy";

struct reader_args {
    struct eddy_file *f;
    int index;
};

static int reader(struct reader_args *a)
{
    for (int64_t at; (at = scene_next()) >= 0;)
        scene_check(a->index, at, eddy_file_read(a->f, scene_buffer(a->index), SCENE_BLOCK, at));
    return 0;
}
EDDY_TASK(reader);

void stack_run(void)
{
    EDDY_OWN(eddy_file) f = NULL;

    int r = eddy_file_open(scene_path, scene_flags, 0, &f);
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", scene_path, eddy_strerror(r));
        exit(1);
    }
    EDDY_SCOPE(readers, .timeout_ms = 0);
    for (int i = 0; i < scene_depth; i++)
        EDDY_GO(&readers, reader, .f = f, .index = i);
    if (eddy_join(&readers) < 0)
        exit(1);
}
