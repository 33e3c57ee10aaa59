/*
 * program.c - see program.h
 */
#include "support/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000

const char *program_bin = "eddy";

static void become(int out, bool terminal, const char *const *argv)
{
    if (terminal) {
        setsid();
        ioctl(out, TIOCSCTTY, 0);
        dup2(out, 0);
    }
    dup2(out, 1);
    dup2(out, 2);
    execv(strcmp(argv[0], "eddy") == 0 ? program_bin : argv[0], (char **)(size_t)argv);
    _exit(127);
}

bool program_start(struct program *p, bool terminal, const char *const *argv)
{
    int end[2];

    memset(p, 0, sizeof *p);
    if (terminal ? openpty(&end[0], &end[1], NULL, NULL, NULL) : pipe(end))
        return false;
    fcntl(end[0], F_SETFD, FD_CLOEXEC);
    p->fd = end[0];
    p->pid = fork();
    if (p->pid == 0)
        become(end[1], terminal, argv);
    close(end[1]);
    return p->pid > 0;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Some more of what it says. 0: the end; -1: not in time. */
static ssize_t listen_to(struct program *p, int64_t until_ms)
{
    struct pollfd ready = { .fd = p->fd, .events = POLLIN };
    int64_t left = until_ms - now_ms();

    if (p->len >= sizeof p->text - 1 || left <= 0 || poll(&ready, 1, (int)left) <= 0)
        return -1;
    ssize_t n = read(p->fd, p->text + p->len, sizeof p->text - 1 - p->len);
    if (n < 0 && errno == EIO)
        n = 0; /* a terminal whose last user has gone */
    if (n > 0)
        p->len += (size_t)n;
    p->text[p->len] = '\0';
    return n;
}

bool program_await(struct program *p, const char *what)
{
    int64_t until = now_ms() + PATIENCE_MS;

    while (!strstr(p->text, what))
        if (listen_to(p, until) <= 0)
            return false;
    return true;
}

bool program_end(struct program *p)
{
    int64_t until = now_ms() + PATIENCE_MS;
    ssize_t n;
    int status;

    while ((n = listen_to(p, until)) > 0)
        continue;
    if (n < 0)
        kill(p->pid, SIGKILL);
    close(p->fd);
    if (waitpid(p->pid, &status, 0) < 0)
        return false;
    p->exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return n == 0;
}

int program_run(struct program *p, const char *const *argv)
{
    if (!program_start(p, false, argv))
        return -1;
    return program_end(p) ? p->exit : -1;
}

int program_port(const struct program *p)
{
    const char *at = strstr(p->text, "http://127.0.0.1:");

    return at ? atoi(at + strlen("http://127.0.0.1:")) : 0;
}

bool program_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    if (!f)
        return false;
    bool ok = fputs(text, f) >= 0;
    return fclose(f) == 0 && ok;
}
