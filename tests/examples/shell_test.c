/*
 * examples/shell.c, as a user builds and runs it.
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* What `shell 'LINE'` prints on both outputs; and its exit status. */
static const char *said(const char *line, int *ret_code)
{
    static char text[4096];
    char command[512];

    (void)snprintf(command, sizeof command, "%s/examples/shell '%s' 2>&1", EDDY_BIN_DIR, line);
    FILE *out = popen(command, "re");
    if (!EDDY_CHECK(out != NULL))
        return "";
    size_t n = fread(text, 1, sizeof text - 1, out);
    text[n] = '\0';
    *ret_code = WEXITSTATUS(pclose(out));
    return text;
}

EDDY_TEST(shell)
{
    int code = -1;

    EDDY_CHECK_STR(said("printf b\\na\\nb\\n | sort | uniq -c", &code), "      1 a\n      2 b\n");
    EDDY_CHECK_EQ(code, 0);
    EDDY_CHECK_STR(said("false | cat", &code), "shell: false exited with 1\n");
    EDDY_CHECK_EQ(code, 0);
    EDDY_CHECK_STR(said("yes | head -n 1", &code), "y\nshell: yes killed by SIGPIPE (13)\n");
    EDDY_CHECK_STR(said("true | no-such-program", &code),
                   "shell: cannot run no-such-program: not found in PATH\n");
    EDDY_CHECK_EQ(code, 127);
    EDDY_CHECK(strstr(said("yes", &code), "more than 1048576 bytes") != NULL);
    EDDY_CHECK_STR(said(" | cat", &code), "shell: a command without a name\n");
    EDDY_CHECK_EQ(code, 2);
}
