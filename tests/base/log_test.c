/* log_test.c - the sink */
#include "check.h"

#include <eddy/log.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

static char last[2048];
static enum eddy_log_level last_level;
static int lines;

static void keep(void *ctx, enum eddy_log_level level, const char *line)
{
    EDDY_CHECK(ctx == last);
    strncpy(last, line, sizeof last - 1);
    last_level = level;
    lines++;
    errno = EIO;
}

EDDY_TEST(the_sink_gets_lines_of_its_level_and_nothing_without_one)
{
    eddy_log(EDDY_LOG_ERROR, "nobody");
    eddy_log_to(keep, last, EDDY_LOG_WARNING);
    lines = 0;
    errno = ENOENT;
    eddy_log(EDDY_LOG_INFO, "below");
    EDDY_CHECK_EQ(lines, 0);
    eddy_log(EDDY_LOG_ERROR, "number %d", 7);
    EDDY_CHECK_EQ(errno, ENOENT);
    EDDY_CHECK_EQ(lines, 1);
    EDDY_CHECK_EQ(last_level, EDDY_LOG_ERROR);
    EDDY_CHECK_STR(last, "number 7");
    eddy_log_to(NULL, NULL, EDDY_LOG_DEBUG);
    eddy_log(EDDY_LOG_ERROR, "nobody");
    EDDY_CHECK_EQ(lines, 1);
}

EDDY_TEST(a_line_is_cut_and_cannot_be_forged)
{
    eddy_log_to(keep, last, EDDY_LOG_DEBUG);
    eddy_log(EDDY_LOG_DEBUG, "%s", "a\neddy: error: forged\r\x1b[0m");
    EDDY_CHECK_STR(last, "a eddy: error: forged  [0m");
    memset(last, 0, sizeof last);
    eddy_log(EDDY_LOG_DEBUG, "%3000d", 1);
    EDDY_CHECK_EQ(strlen(last), 1023);
    eddy_log_to(NULL, NULL, EDDY_LOG_DEBUG);
}

EDDY_TEST(the_ready_sink_writes_one_whole_line)
{
    char got[64];
    int ends[2];

    if (!EDDY_CHECK_EQ(pipe(ends), 0))
        return;
    int saved = dup(2);
    dup2(ends[1], 2);
    eddy_log_stderr(NULL, EDDY_LOG_WARNING, "mind the step");
    dup2(saved, 2);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], got, sizeof got);
    close(ends[0]);
    static const char want[] = "eddy: warning: mind the step\n";
    if (EDDY_CHECK(n > 0))
        EDDY_CHECK_MEM(got, (size_t)n, want, sizeof want - 1);
}
