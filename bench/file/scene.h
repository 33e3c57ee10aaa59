/*
 * bench/file/scene.h - random reads of a file: what a stack has to do
 *
 * `scene_depth` readers, each of which takes the next place with scene_next() until it is negative, reads
 * SCENE_BLOCK bytes from there into scene_buffer(reader), and gives them to scene_check().
 */
#ifndef BENCH_FILE_SCENE_H
#define BENCH_FILE_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#define SCENE_BLOCK 4096

extern const char *const stack_name;
extern int scene_depth;
extern const char *scene_path;
extern int scene_flags; /* to open it with */

int64_t scene_next(void);
void *scene_buffer(int reader);
void scene_check(int reader, int64_t place, int64_t got);

void stack_run(void);

#endif
