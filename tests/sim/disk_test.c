/*
 * The disks of simulated hosts: what files do, and what a crash leaves of them.
 *
 * backends: sim
 */
#include "town.h"

#include <eddy/loop.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static int stat_of(const char *path, struct statx *x)
{
    struct eddy_file_op f;

    eddy_op_stat(&f, AT_FDCWD, path, 0, x, NULL);
    return eddy__op_wait(&f.op);
}

EDDY_TEST(files_are_opened_as_open_says)
{
    static const struct {
        const char *path;
        int flags, want; /* 0: opened */
    } steps[] = {
        { "a", O_RDONLY, -ENOENT },
        { "", O_RDONLY, -ENOENT },
        { "a", O_RDWR | O_CREAT | O_EXCL, 0 },
        { "a", O_RDWR | O_CREAT | O_EXCL, -EEXIST },
        { "/x/.././a", O_RDONLY, 0 },
        { "../a", O_WRONLY, 0 },
        { "a", O_RDONLY | O_DIRECTORY, -ENOTDIR },
        { "a/b", O_RDWR | O_CREAT, -ENOTDIR },
        { "d/e/f", O_RDWR | O_CREAT, 0 }, /* directories need not be made */
        { "d/e", O_RDONLY, 0 },
        { "/", O_RDONLY | O_DIRECTORY, 0 },
        { "d", O_RDWR, -EISDIR },
        { "d", O_RDWR | O_CREAT, -EISDIR },
        { "d", O_RDONLY | O_CREAT | O_EXCL, -EEXIST },
        { "d/x", O_RDONLY, -ENOENT },
    };
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int fd = town_open(steps[i].path, steps[i].flags);
        if (steps[i].want ? fd != steps[i].want : fd < 0)
            EDDY_CHECK_FAIL("step %zu, %s: %d", i, steps[i].path, fd);
        if (fd >= 0)
            EDDY_CHECK_EQ(town_close(fd), 0);
    }
    char long_path[300];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    EDDY_CHECK_ERR(town_open(long_path, O_RDONLY), -ENAMETOOLONG);
}

EDDY_TEST(bytes_go_where_they_are_written)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(NULL);
    char buf[100];
    struct statx x;

    int fd = town_open("f", O_RDWR | O_CREAT);
    EDDY_CHECK_EQ(town_write(fd, "hello", 5, 3), 0);
    EDDY_CHECK_EQ(town_read(fd, buf, sizeof buf, 0), 8);
    EDDY_CHECK_MEM(buf, 8, "\0\0\0hello", 8);
    EDDY_CHECK_EQ(town_read(fd, buf, sizeof buf, 100), 0);
    EDDY_CHECK_EQ(town_write(fd, "ab", 2, -1), 0);
    EDDY_CHECK_EQ(town_read(fd, buf, 3, -1), 3);
    EDDY_CHECK_MEM(buf, 3, "\0he", 3);
    EDDY_CHECK_EQ(town_close(fd), 0);
    EDDY_CHECK_EQ(eddy_sleep(5000), 0);
    fd = town_open("f", O_WRONLY | O_APPEND);
    EDDY_CHECK_ERR(town_read(fd, buf, 1, 0), -EBADF);
    EDDY_CHECK_EQ(town_write(fd, "!", 1, 0), 0);
    EDDY_CHECK_EQ(town_close(fd), 0);
    EDDY_CHECK_EQ(stat_of("f", &x), 0);
    EDDY_CHECK_EQ(x.stx_size, 9);
    EDDY_CHECK_EQ(x.stx_mode, S_IFREG | 0644);
    EDDY_CHECK_EQ(x.stx_mtime.tv_sec, 1704067205);
    EDDY_CHECK_EQ(stat_of("/", &x), 0);
    EDDY_CHECK(S_ISDIR(x.stx_mode));
    EDDY_CHECK_ERR(stat_of("g", &x), -ENOENT);
    EDDY_CHECK_ERR(stat_of("f/g", &x), -ENOTDIR);
    fd = town_open("f", O_RDWR | O_TRUNC);
    EDDY_CHECK_EQ(town_read(fd, buf, 1, 0), 0);
    struct eddy_file_op f;
    eddy_op_stat(&f, fd, "", 0, &x, NULL);
    EDDY_CHECK_EQ(eddy__op_wait(&f.op), 0);
    EDDY_CHECK_EQ(x.stx_size, 0);
    EDDY_CHECK_EQ(town_close(fd), 0);
}

EDDY_TEST(each_host_has_a_disk_of_its_own_and_it_fills)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .disk_bytes = 10000));
    static char block[6000];

    int fd = town_open("f", O_RDWR | O_CREAT);
    EDDY_CHECK_EQ(town_write(fd, block, sizeof block, 0), 0);
    EDDY_CHECK_ERR(town_write(fd, block, sizeof block, sizeof block), -ENOSPC);
    EDDY_CHECK_EQ(town_write(fd, block, sizeof block, 0), 0); /* what is there may be changed */
    EDDY_CHECK_EQ(town_close(fd), 0);
    EDDY_CHECK_EQ(eddy_sim_as(&sim, "b"), 0);
    EDDY_CHECK_ERR(town_open("f", O_RDONLY), -ENOENT);
    fd = town_open("f", O_RDWR | O_CREAT);
    EDDY_CHECK_EQ(town_write(fd, block, sizeof block, 0), 0);
    EDDY_CHECK_EQ(town_close(fd), 0);
    EDDY_CHECK_EQ(eddy_sim_as(&sim, NULL), 0);
    EDDY_CHECK_EQ(town_close(town_open("f", O_RDWR | O_TRUNC)), 0); /* gives room back */
    fd = town_open("g", O_RDWR | O_CREAT);
    EDDY_CHECK_EQ(town_write(fd, block, sizeof block, 0), 0);
    EDDY_CHECK_EQ(town_close(fd), 0);
}

EDDY_TEST(disks_fail_as_a_row_says)
{
    static const struct eddy_sim_fault rows[] = {
        { .kind = EDDY_SIM_DISK, .to = "", .at_ms = 1000, .until_ms = 2000 },
        { .kind = EDDY_SIM_DISK, .to = "", .at_ms = 2000, .error = -EROFS },
    };
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, EDDY_SIM_FAULTS(rows)));

    int fd = town_open("f", O_RDWR | O_CREAT);
    EDDY_CHECK_EQ(town_write(fd, "x", 1, 0), 0);
    EDDY_CHECK_EQ(eddy_sleep(1000), 0);
    EDDY_CHECK_ERR(town_write(fd, "x", 1, 0), -EIO);
    EDDY_CHECK_ERR(town_sync(fd), -EIO);
    EDDY_CHECK_EQ(eddy_sleep(1000), 0);
    EDDY_CHECK_ERR(town_sync(fd), -EROFS);
    EDDY_CHECK_EQ(town_close(fd), 0);
}

/* --- crashes --------------------------------------------------------------------------------- */

#define SIZE 4096 /* eight sectors */

/* What became of a file that was 'a' and synced, of which the first half was made 'b' and not. */
static unsigned crash(uint64_t seed)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
    char text[SIZE], found[SIZE + 1];
    unsigned torn = 0;

    memset(text, 'a', sizeof text);
    int fd = town_open("f", O_RDWR | O_CREAT);
    int other = town_open("new", O_RDWR | O_CREAT);
    EDDY_CHECK_EQ(town_write(fd, text, SIZE, 0), 0);
    EDDY_CHECK_EQ(town_sync(fd), 0);
    memset(text, 'b', sizeof text);
    EDDY_CHECK_EQ(town_write(fd, text, SIZE / 2, 0), 0);
    EDDY_CHECK_EQ(town_write(other, text, 1000, 0), 0);
    EDDY_CHECK_EQ(eddy_sim_crash(&sim, NULL), 0);
    EDDY_CHECK_ERR(town_sync(fd), -EIO);
    EDDY_CHECK_EQ(eddy_sim_restart(&sim, NULL), 0);
    EDDY_CHECK_ERR(town_sync(fd), -EIO); /* a descriptor stays dead */
    EDDY_CHECK_EQ(town_close(fd), 0);
    EDDY_CHECK_EQ(town_close(other), 0);

    fd = town_open("f", O_RDONLY);
    EDDY_CHECK_EQ(town_read(fd, found, sizeof found, 0), SIZE);
    for (int sector = 0; sector < 8; sector++) {
        char is = found[sector * 512];
        EDDY_CHECK(is == 'a' || (is == 'b' && sector < 4));
        for (int i = 0; i < 512; i++)
            EDDY_CHECK_EQ(found[sector * 512 + i], is);
        torn |= is == 'b' ? 1U << sector : 0;
    }
    EDDY_CHECK_EQ(town_close(fd), 0);
    fd = town_open("new", O_RDONLY);
    EDDY_CHECK(fd >= 0 || fd == -ENOENT);
    if (fd >= 0)
        EDDY_CHECK_EQ(town_close(fd), 0);
    return torn | (fd >= 0 ? 256 : 0);
}

EDDY_TEST(a_crash_keeps_what_was_synced)
{
    bool seen[512] = { 0 };
    unsigned kinds = 0, kept = 0;

    for (uint64_t seed = 1; seed <= 100; seed++) {
        unsigned torn = crash(seed);
        kinds += !seen[torn];
        seen[torn] = true;
        kept += torn >> 8;
        EDDY_CHECK_EQ(crash(seed), torn);
    }
    EDDY_CHECK(kinds > 20);             /* of 32 */
    EDDY_CHECK(kept > 25 && kept < 75); /* the file that was never synced */
}

/* A record is appended and synced, again and again; whenever the machine stops, every record that
 * was acknowledged is there. */
struct append_args {
    int fd;
    unsigned *acknowledged;
};

static int append(struct append_args *a)
{
    for (unsigned n = 0; n < 100; n++) {
        char record[64];
        memset(record, (char)('A' + n % 26), sizeof record);
        int r = town_write(a->fd, record, sizeof record, (int64_t)(n * sizeof record));
        if (r == 0)
            r = town_sync(a->fd);
        if (r < 0)
            return r;
        *a->acknowledged = n + 1;
    }
    return 0;
}
EDDY_TASK(append);

EDDY_TEST(a_log_loses_nothing_it_acknowledged)
{
    char found[64];

    for (uint64_t seed = 1; seed <= 50; seed++) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
        unsigned acknowledged = 0;
        int fd = town_open("log", O_RDWR | O_CREAT);
        {
            EDDY_SCOPE(s, .isolate = true);
            EDDY_GO(&s, append, .fd = fd, .acknowledged = &acknowledged);
            EDDY_CHECK_EQ(eddy_sleep((int64_t)(20 + seed * 3)), 0);
            EDDY_CHECK_EQ(eddy_sim_crash(&sim, ""), 0);
        }
        EDDY_CHECK_EQ(town_close(fd), 0);
        EDDY_CHECK_EQ(eddy_sim_restart(&sim, ""), 0);
        EDDY_CHECK(acknowledged > 0);
        fd = town_open("log", O_RDONLY);
        for (unsigned n = 0; n < acknowledged; n++) {
            EDDY_CHECK_EQ(town_read(fd, found, sizeof found, (int64_t)(n * sizeof found)), 64);
            EDDY_CHECK_EQ(found[0], 'A' + n % 26);
            EDDY_CHECK_EQ(found[63], 'A' + n % 26);
        }
        EDDY_CHECK_EQ(town_close(fd), 0);
    }
}

EDDY_TEST(a_cancelled_open_leaves_no_descriptor)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed));
        struct eddy_file_op f;

        eddy_op_open(&f, AT_FDCWD, "f", O_RDWR | O_CREAT, 0600, NULL);
        {
            EDDY_SCOPE(s, .timeout_ms = 1);
            for (int i = 0, r = 0; i < 40 && r >= 0; i++) {
                r = eddy__op_wait(&f.op);
                EDDY_CHECK(r >= 0 || r == -ETIMEDOUT);
                if (r >= 0) {
                    int late = town_close(r); /* its scope may have ended: then it is open still */
                    EDDY_SHIELD(farewell, .timeout_ms = 0);
                    if (late < 0)
                        EDDY_CHECK_EQ(town_close(r), 0);
                }
                eddy_op_open(&f, AT_FDCWD, "f", O_RDWR | O_CREAT, 0600, NULL);
            }
        }
        EDDY_CHECK_EQ(eddy__loop()->driver->pending, 0);
    }
}
