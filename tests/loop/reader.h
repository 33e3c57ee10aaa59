/*
 * reader.h - a reader that takes a text in every way there is
 *
 * Lent, paused by a cancel (from inside done() and from outside), received into memory, over and
 * over, each operation on fresh memory; every byte is compared with the one that was sent.
 */
#ifndef EDDY_TESTS_LOOP_READER_H
#define EDDY_TESTS_LOOP_READER_H

#include "drive.h"

struct reader {
    struct eddy_driver *d;
    int fd;
    unsigned dice;
    uint64_t at;
    char buf[700];
    unsigned busy;
    unsigned ended; /* the end of input, or an error */
    unsigned lends, pauses, receives;
    int res;
};

/* Submit the next operation. */
void reader_start(struct reader *r);
/* Read to the end, while a sender that does not care sends on. */
void read_all(struct eddy_driver *d, struct reader *r);
/* The `then` of a LEND whose ctx is a reader. */
void reader_lent(struct call *c, int res);

#endif
