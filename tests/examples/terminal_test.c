/*
 * The examples of terminals, devices and standard streams, as a person runs them: on a terminal,
 * and with recorded bytes through pipes.
 *
 * backends: select poll epoll uring
 */
#include "check.h"
#include "support/role.h"

#include <fcntl.h>
#include <linux/input.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const char *example(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/examples/%s", EDDY_BIN_DIR, name);
    return path;
}

static bool output_of(const char *command, char *text, size_t cap, size_t *ret_len)
{
    FILE *out = popen(command, "re");

    if (!EDDY_CHECK(out != NULL))
        return false;
    *ret_len = fread(text, 1, cap - 1, out);
    text[*ret_len] = '\0';
    return EDDY_CHECK_EQ(pclose(out), 0);
}

EDDY_TEST(keys_shows_what_is_typed_and_gives_the_terminal_back)
{
    struct winsize w = { .ws_row = 30, .ws_col = 90 };
    int pty[2];

    for (int i = 0; i < 2; i++) {
        if (!role_pty(pty))
            return;
        const struct termios before = role_modes(pty[1]);
        pid_t pid = role_on(example("keys"), pty);
        role_expect(pty[0], "type; Ctrl-C ends it\r\n");
        EDDY_CHECK_EQ(write(pty[0], "a\033[1;5A\033[<0;3;4M", 17 - 1), 16);
        role_expect(pty[0], "a\r\nCtrl+Up\r\nMouse: button 0 used at 3, 4\r\n");
        EDDY_CHECK_EQ(write(pty[0], "\033[200~pasted\033[201~", 18), 18);
        role_expect(pty[0], "Paste: 6 bytes\r\nPaste end\r\n");
        EDDY_CHECK_EQ(ioctl(pty[0], TIOCSWINSZ, &w), 0);
        role_expect(pty[0], "window: 90 x 30\r\n");
        if (i == 0)
            EDDY_CHECK_EQ(write(pty[0], "\3", 1), 1);
        else
            EDDY_CHECK_EQ(kill(pid, SIGTERM), 0);
        EDDY_CHECK_EQ(role_end(pid), i ? 128 + SIGTERM : 0);
        const struct termios after = role_modes(pty[1]);
        EDDY_CHECK(role_same(&before, &after));
        role_close(pty);
    }
}

EDDY_TEST(evdev_tells_recorded_events)
{
    static const struct input_event events[] = {
        { .type = EV_KEY, .code = KEY_A, .value = 1 },
        { .type = EV_SYN },
        { .type = EV_KEY, .code = KEY_A, .value = 0 },
        { .type = EV_REL, .code = REL_X, .value = -5 },
        { .type = EV_REL, .code = REL_WHEEL, .value = 1 },
        { .type = EV_KEY, .code = BTN_LEFT, .value = 1 },
        { .type = EV_ABS, .code = 0, .value = 77 },
    };
    char command[600], text[400];
    size_t len;

    int fd = open("recorded", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EDDY_CHECK_EQ(write(fd, events, sizeof events), sizeof events);
    EDDY_CHECK_EQ(close(fd), 0);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(command, sizeof command,
                       i ? "(cat recorded; sleep 0.1) | %s /dev/stdin" : "%s recorded",
                       example("evdev"));
        if (output_of(command, text, sizeof text, &len))
            EDDY_CHECK_STR(text, "key 30 down\nkey 30 up\nx by -5\nwheel by 1\n"
                                 "left button 272 down\naxis 0 at 77\n");
    }
    (void)unlink("recorded");
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

EDDY_TEST(sound_is_a_tone_and_keeps_time)
{
    static char samples[200000];
    char command[600];
    size_t len = 0;
    int crossings = 0;

    (void)snprintf(command, sizeof command, "%s - 100 0.5", example("sound"));
    int64_t start_ms = now_ms();
    if (!output_of(command, samples, sizeof samples, &len))
        return;
    EDDY_CHECK(now_ms() - start_ms >= 290); /* half a second, a fifth of one ahead */
    EDDY_CHECK_EQ(len, 48000);
    const int16_t *s = (const int16_t *)(const void *)samples;
    int16_t most = 0;
    for (size_t i = 1; i < len / 2; i++) {
        crossings += s[i - 1] < 0 && s[i] >= 0;
        most = s[i] > most ? s[i] : most;
    }
    EDDY_CHECK(crossings >= 49 && crossings <= 50); /* 100 Hz */
    EDDY_CHECK(most > 7900 && most < 8100);
    (void)snprintf(command, sizeof command, "%s /dev/null 440 0.01", example("sound"));
    output_of(command, samples, sizeof samples, &len);
    EDDY_CHECK_EQ(len, 0);
}

EDDY_TEST(mirror_holds_up_who_feeds_it)
{
    char command[600], text[4000];
    size_t len;

    (void)snprintf(command, sizeof command, "printf 'abc\\n\\nlast' | %s 5", example("mirror"));
    if (output_of(command, text, sizeof text, &len))
        EDDY_CHECK_STR(text, "cba\n\ntsal\n");

    int in[2], out[2];
    if (!EDDY_CHECK_EQ(pipe2(in, O_CLOEXEC | O_NONBLOCK) + pipe2(out, O_CLOEXEC), 0))
        return;
    EDDY_CHECK_EQ(fcntl(in[0], F_SETFL, 0), 0);
    pid_t pid = role_start(example("mirror"), (int[]){ in[0], out[1], 2 }, -1);
    EDDY_CHECK_EQ(close(in[0]) + close(out[1]), 0);
    /* 2 MB of lines: more than pipe, streams and channel hold, however slow a machine is. */
    size_t taken = 0;
    memset(text, 'x', sizeof text);
    for (size_t i = 99; i < sizeof text; i += 100)
        text[i] = '\n';
    for (int i = 0; i < 500; i++) {
        ssize_t n = write(in[1], text, sizeof text);
        if (n < 0)
            break;
        taken += (size_t)n;
    }
    EDDY_CHECK(taken < 500000);
    role_expect(out[0], "x\n");
    EDDY_CHECK_EQ(kill(pid, SIGTERM), 0);
    EDDY_CHECK_EQ(role_end(pid), 128 + SIGTERM);
    EDDY_CHECK_EQ(close(in[1]) + close(out[0]), 0);
}
