/*
 * bench/file/scene.c - play the scene: bench-file-<library> FILE [MiB] [cached|direct] [DEPTH] [READS]
 *
 * The file is made when it is not there: each block begins with its own number, which every read is
 * checked by. `cached`: it is read once beforehand. `direct`: O_DIRECT, past the cache.
 * Prints: name, mode, depth, reads a second, microseconds a read.
 */
#include "scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE ((size_t)1 << 20)
#define DEPTH_MAX 256

int scene_depth = 32;
const char *scene_path;
int scene_flags = O_RDONLY;

static int64_t blocks;
static long reads = 10000, given;
static uint64_t dice = 88172645463325252U; /* the same places for everybody */
static char *buffers;

int64_t scene_next(void)
{
    if (given == reads)
        return -1;
    given++;
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (int64_t)(dice % (uint64_t)blocks) * SCENE_BLOCK;
}

void *scene_buffer(int reader)
{
    return buffers + (size_t)reader * SCENE_BLOCK;
}

void scene_check(int reader, int64_t place, int64_t got)
{
    int64_t number;

    memcpy(&number, scene_buffer(reader), sizeof number);
    if (got == SCENE_BLOCK && number == place / SCENE_BLOCK)
        return;
    fprintf(stderr, "%s: at %lld: got %lld bytes, block %lld\n", stack_name, (long long)place,
            (long long)got, (long long)number);
    exit(1);
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void make(int64_t mib)
{
    struct stat about;
    char *piece = calloc(1, PIECE);

    blocks = mib * (int64_t)(PIECE / SCENE_BLOCK);
    if (stat(scene_path, &about) == 0 && about.st_size == mib * (int64_t)PIECE) {
        free(piece);
        return;
    }
    int fd = open(scene_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || !piece)
        die(scene_path);
    memset(piece, 0x5a, PIECE);
    for (int64_t i = 0; i < mib; i++) {
        for (size_t at = 0; at < PIECE; at += SCENE_BLOCK) {
            const int64_t number = i * (int64_t)(PIECE / SCENE_BLOCK) + (int64_t)(at / SCENE_BLOCK);
            memcpy(piece + at, &number, sizeof number);
        }
        if (write(fd, piece, PIECE) != (ssize_t)PIECE)
            die(scene_path);
    }
    if (fsync(fd) < 0)
        die(scene_path);
    close(fd);
    free(piece);
}

static void warm(void)
{
    char *piece = malloc(PIECE);
    int fd = open(scene_path, O_RDONLY);

    if (fd < 0 || !piece)
        die(scene_path);
    while (read(fd, piece, PIECE) > 0)
        ;
    close(fd);
    free(piece);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 3 ? argv[3] : "cached";

    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE [MiB] [cached|direct] [DEPTH] [READS]\n", argv[0]);
        return 2;
    }
    scene_path = argv[1];
    make(argc > 2 ? strtol(argv[2], NULL, 10) : 1024);
    if (argc > 4)
        scene_depth = (int)strtol(argv[4], NULL, 10);
    if (argc > 5)
        reads = strtol(argv[5], NULL, 10);
    if (scene_depth < 1 || scene_depth > DEPTH_MAX)
        scene_depth = 32;
    if (strcmp(mode, "direct") == 0)
        scene_flags |= O_DIRECT;
    else
        warm();
    buffers = aligned_alloc(SCENE_BLOCK, (size_t)DEPTH_MAX * SCENE_BLOCK);
    if (!buffers)
        die("memory");
    double began = now_s();
    stack_run();
    double took = now_s() - began;
    printf("%s %s %d %.0f %.2f\n", stack_name, mode, scene_depth, (double)reads / took,
           took * 1e6 / (double)reads);
    free(buffers);
    return 0;
}
