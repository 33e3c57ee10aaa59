/*
 * pipeline.c - channels between tasks: lines in, workers in the middle, one writer at the end
 *
 *     pipeline < FILE      each line with the count of its letters, and what took place in total
 *
 * Every channel is bounded, so a slow stage slows the ones before it, and memory stays where it
 * is. The end travels down the pipe by closing: the reader closes `lines`, the last worker
 * `counts`. If a stage fails, the scope cancels the others.
 */
#include <eddy.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WORKERS 4

struct line {
    int number;
    char text[120];
};

struct count {
    int number, letters;
};

struct pipe_args {
    struct eddy_channel *lines, *counts;
    int *workers; /* that still work */
};
#define read_lines_args pipe_args
#define count_letters_args pipe_args
#define write_counts_args pipe_args

static int read_lines(struct pipe_args *a)
{
    struct line line = { .number = 0 };
    int r = 0;

    while (r == 0 && fgets(line.text, sizeof line.text, stdin)) {
        line.number++;
        r = eddy_channel_send(a->lines, &line); /* copied; waits while the workers are behind */
    }
    eddy_channel_close(a->lines);
    return r;
}
EDDY_TASK(read_lines);

static int count_letters(struct pipe_args *a)
{
    struct line line;
    int r;

    while ((r = eddy_channel_receive(a->lines, &line)) > 0) {
        struct count count = { .number = line.number };
        for (const char *c = line.text; *c; c++)
            count.letters += isalpha((unsigned char)*c) != 0;
        if ((r = eddy_channel_send(a->counts, &count)) < 0)
            return r;
    }
    if (r == 0 && --*a->workers == 0)
        eddy_channel_close(a->counts);
    return r;
}
EDDY_TASK(count_letters);

static int write_counts(struct pipe_args *a)
{
    struct count count;
    int r, lines = 0, letters = 0;

    while ((r = eddy_channel_receive(a->counts, &count)) > 0) {
        printf("%6d: %d\n", count.number, count.letters);
        lines++;
        letters += count.letters;
    }
    printf("%d lines, %d letters\n", lines, letters);
    return r;
}
EDDY_TASK(write_counts);

int main(void)
{
    EDDY_OWN(eddy_channel) lines = NULL;
    EDDY_OWN(eddy_channel) counts = NULL;
    int workers = WORKERS;

    if (eddy_channel_new(sizeof(struct line), EDDY_OPT(channel, .capacity = 32), &lines) < 0 ||
        eddy_channel_new(sizeof(struct count), EDDY_OPT(channel, .capacity = 32), &counts) < 0)
        return 1;
    EDDY_SCOPE(stages, .timeout_ms = 0); /* last: closed first, so the channels outlive it */
    EDDY_GO(&stages, read_lines, .lines = lines);
    for (int i = 0; i < WORKERS; i++)
        EDDY_GO(&stages, count_letters, .lines = lines, .counts = counts, .workers = &workers);
    EDDY_GO(&stages, write_counts, .counts = counts);
    return eddy_join(&stages) < 0;
}
