/*
 * replay.c - main() of a fuzzer where there is no fuzzing engine: each file of the folders given is
 * one input, and so is the empty one
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    INPUT_MAX = 1 << 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return -1;
    }

    /* As large as the input and no larger, so that reading past its end is seen. */
    uint8_t *all = malloc(INPUT_MAX);
    size_t len = all ? fread(all, 1, INPUT_MAX, file) : 0;
    (void)fclose(file);
    uint8_t *data = all ? realloc(all, len ? len : 1) : NULL;
    if (!data) {
        free(all);
        return -1;
    }
    (void)LLVMFuzzerTestOneInput(data, len);
    free(data);
    return 0;
}

static int replay_folder(const char *folder, unsigned *count)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        perror(folder);
        return -1;
    }

    int r = 0;
    const struct dirent *entry;
    while (r == 0 && (entry = readdir(dir))) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        r = replay(path);
        ++*count;
    }
    (void)closedir(dir);
    return r;
}

int main(int argc, char **argv)
{
    unsigned count = 1;

    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        if (replay_folder(argv[i], &count) < 0)
            return 1;
    }
    (void)printf("%u inputs replayed\n", count);
    return 0;
}
