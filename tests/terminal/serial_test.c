/*
 * serial_test.c - the rules of eddy/serial.h, over pseudo-terminals: this machine has no lines
 *
 * A pseudo-terminal keeps a speed and takes only eight bits without parity. What a real device
 * would take is shown through the table of system calls.
 *
 * backends: select poll epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"

#include <eddy/loop.h>
#include <eddy/serial.h>
#include <eddy/task.h>

#include <errno.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

struct device {
    int far; /* what is plugged into the other end */
    int near;
    char path[64];
};

static bool is_sim(void)
{
    return strcmp(eddy_check_backend(), "sim") == 0;
}

/* False under the simulator. */
static bool plug(struct device *d)
{
    if (is_sim())
        return false;
    if (openpty(&d->far, &d->near, d->path, NULL, NULL) < 0)
        abort();
    return true;
}

static void unplug(struct device *d)
{
    close(d->near);
    close(d->far);
}

EDDY_TEST(bytes_pass_as_they_are)
{
    EDDY_OWN(eddy_stream) line = NULL;
    static const char all[] = "\r\n\3\4\x11\x13\x1a\x7f\xff\x80 a";
    struct device d;
    char got[64];

    if (!plug(&d))
        return;
    EDDY_CHECK_EQ(eddy_serial_open(d.path, NULL, &line), 0);
    EDDY_CHECK_EQ(eddy_write(line, all, sizeof all), 0);
    EDDY_CHECK_EQ(read(d.far, got, sizeof got), (ssize_t)sizeof all);
    EDDY_CHECK_MEM(got, sizeof all, all, sizeof all);
    EDDY_CHECK_EQ(write(d.far, all, sizeof all), (ssize_t)sizeof all);
    EDDY_CHECK_EQ(eddy_read_exactly(line, got, sizeof all), 0);
    EDDY_CHECK_MEM(got, sizeof all, all, sizeof all);
    EDDY_CHECK_EQ(eddy_stream_close(line), 0);
    unplug(&d);
}

static struct termios device; /* what a device that takes all has been set to */

static int take_all(int fd, int when, const struct termios *t)
{
    (void)fd, (void)when;
    device = *t;
    return 0;
}

static int tell_all(int fd, struct termios *ret)
{
    (void)fd;
    *ret = device;
    return 0;
}

EDDY_TEST(what_is_asked_for_is_set)
{
    EDDY_OWN(eddy_stream) line = NULL;
    struct termios t;
    struct device d;

    if (!plug(&d))
        return;
    EDDY_CHECK_EQ(eddy_serial_open(d.path, EDDY_OPT(serial, .baud = 921600), &line), 0);
    EDDY_CHECK_EQ(tcgetattr(d.near, &t), 0);
    EDDY_CHECK_EQ(cfgetospeed(&t), B921600);
    EDDY_CHECK_EQ(t.c_lflag & (ECHO | ICANON | ISIG), 0);
    EDDY_CHECK_EQ(t.c_iflag & (IXON | IXOFF), 0);
    eddy_stream_free(EDDY_TAKE(line));

    eddy__sys.tcsetattr = take_all;
    eddy__sys.tcgetattr = tell_all;
    EDDY_CHECK_EQ(eddy_serial_open(d.path,
                                   EDDY_OPT(serial, .baud = 1200, .data_bits = 7, .stop_bits = 2,
                                            .parity = 'o', .rts_cts = true, .xon_xoff = true),
                                   &line),
                  0);
    EDDY_CHECK_EQ(cfgetospeed(&device), B1200);
    EDDY_CHECK_EQ(device.c_cflag & CSIZE, CS7);
    EDDY_CHECK((device.c_cflag & PARENB) && (device.c_cflag & PARODD));
    EDDY_CHECK((device.c_cflag & CSTOPB) && (device.c_cflag & CRTSCTS));
    EDDY_CHECK((device.c_cflag & CLOCAL) && (device.c_cflag & CREAD));
    EDDY_CHECK((device.c_iflag & IXON) && (device.c_iflag & IXOFF));
    EDDY_CHECK_EQ(eddy_serial_set(line, EDDY_OPT(serial, .parity = 'e')), 0);
    EDDY_CHECK_EQ(cfgetospeed(&device), B9600);
    EDDY_CHECK_EQ(device.c_cflag & (CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS), CS8 | PARENB);
    EDDY_CHECK_EQ(device.c_iflag & (IXON | IXOFF), 0);
    eddy__sys.tcsetattr = eddy__sys_kernel.tcsetattr;
    eddy__sys.tcgetattr = eddy__sys_kernel.tcgetattr;
    unplug(&d);
}

static void refused(const struct device *d, const struct eddy_serial_options *options,
                    const char *text)
{
    struct eddy_error err = { 0 };
    struct eddy_serial_options o = *options;
    struct eddy_stream *line = NULL;

    o.error = &err;
    EDDY_CHECK_ERR(eddy_serial_open(d->path, &o, &line), -EINVAL);
    EDDY_CHECK(line == NULL);
    EDDY_CHECK(strstr(err.text, text) != NULL);
}

static int tell_another_speed(int fd, struct termios *ret)
{
    int r = eddy__sys_kernel.tcgetattr(fd, ret);

    (void)cfsetspeed(ret, B300);
    return r;
}

EDDY_TEST(what_the_device_does_not_take_is_refused)
{
    struct device d;

    if (!plug(&d))
        return;
    refused(&d, EDDY_OPT(serial, .data_bits = 7), "does not take these data bits");
    refused(&d, EDDY_OPT(serial, .parity = 'e'), "does not take these data bits");
    refused(&d, EDDY_OPT(serial, .baud = 12345), "12345 is no speed");
    refused(&d, EDDY_OPT(serial, .data_bits = 9), "9 data bits");
    refused(&d, EDDY_OPT(serial, .stop_bits = 3), "3 stop bits");
    refused(&d, EDDY_OPT(serial, .parity = 'x'), "parity is");
    eddy__sys.tcgetattr = tell_another_speed;
    refused(&d, EDDY_OPT(serial, .baud = 115200), "does not take this speed");
    eddy__sys.tcgetattr = eddy__sys_kernel.tcgetattr;
    unplug(&d);
}

EDDY_TEST(a_line_may_be_set_anew)
{
    EDDY_OWN(eddy_stream) line = NULL;
    struct termios t;
    struct device d;

    if (!plug(&d))
        return;
    EDDY_CHECK_EQ(eddy_serial_open(d.path, EDDY_OPT(serial, .baud = 300), &line), 0);
    EDDY_CHECK_EQ(eddy_serial_set(line, EDDY_OPT(serial, .baud = 57600)), 0);
    EDDY_CHECK_EQ(tcgetattr(d.near, &t), 0);
    EDDY_CHECK_EQ(cfgetospeed(&t), B57600);
    EDDY_CHECK_EQ(eddy_stream_close(line), 0);
    EDDY_CHECK_ERR(eddy_serial_set(line, NULL), -EBADF);
    unplug(&d);
}

EDDY_TEST(what_is_no_line_is_refused)
{
    struct eddy_error err = { 0 };
    struct eddy_stream *line;

    if (is_sim())
        return;
    EDDY_CHECK_ERR(eddy_serial_open("/dev/null", EDDY_OPT(serial, .error = &err), &line), -ENOTTY);
    EDDY_CHECK(strstr(err.text, "no serial line") != NULL);
    EDDY_CHECK_ERR(eddy_serial_open("/dev/tty-none", EDDY_OPT(serial, .error = &err), &line),
                   -ENOENT);
    EDDY_CHECK(strstr(err.text, "/dev/tty-none") != NULL);
    EDDY_CHECK_ERR(eddy_serial_open("/dev", EDDY_OPT(serial, .error = &err), &line), -EISDIR);
}

EDDY_TEST(a_call_looks_at_its_scope_first)
{
    struct eddy_stream *line;
    EDDY_SCOPE(over, .timeout_ms = 0);

    eddy_scope_cancel(&over);
    EDDY_CHECK_ERR(eddy_serial_open("/dev/tty-none", EDDY_OPT(serial, .baud = 1), &line),
                   -ECANCELED);
}

static void open_it(void *ctx)
{
    struct eddy_stream *line = NULL;

    *(int *)ctx = eddy_serial_open("/dev/tty-none", NULL, &line);
}

EDDY_TEST(a_callback_gets_edeadlk)
{
    int r = 0;

    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), open_it, &r), 0);
    while (r == 0)
        eddy_loop_turn(eddy_loop_current(), -1);
    EDDY_CHECK_ERR(r, -EDEADLK);
}

EDDY_TEST(who_may_not_and_who_has_no_room_is_told)
{
    struct eddy_stream *line;
    struct rlimit before;
    struct device d;

    if (!plug(&d))
        return;
    EDDY_CHECK_EQ(eddy_serial_open("/dev/tty-none", NULL, &line),
                  -ENOENT); /* the loop has its own */
    const int next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)next, before.rlim_max });
    EDDY_CHECK_ERR(eddy_serial_open(d.path, NULL, &line), -EMFILE);
    setrlimit(RLIMIT_NOFILE, &before);
    if (geteuid() == 0 && EDDY_CHECK_EQ(chmod(d.path, 0600), 0)) {
        EDDY_CHECK_EQ(seteuid(65534), 0);
        EDDY_CHECK_ERR(eddy_serial_open(d.path, NULL, &line), -EACCES);
        EDDY_CHECK_EQ(seteuid(0), 0);
    }
    unplug(&d);
}

EDDY_TEST(the_simulator_refuses)
{
    struct eddy_stream *line;

    if (is_sim())
        EDDY_CHECK_ERR(eddy_serial_open("/dev/ttyS0", NULL, &line), -EDDY_ESIM);
}

static int set_nothing(int fd, int when, const struct termios *t)
{
    (void)fd, (void)when, (void)t;
    return -EIO;
}

EDDY_TEST(every_failure_leaves_nothing_open)
{
    static const enum eddy_fault_kind kinds[] = { EDDY_FAULT_ALLOC, EDDY_FAULT_OP };
    struct eddy_error err = { 0 };
    struct eddy_stream *none;
    struct device d;

    if (!plug(&d))
        return;
    for (int i = 0; i < 2; i++) {
        for (struct eddy_fault f = eddy_fault_each(kinds[i]); eddy_fault_next(&f);) {
            struct eddy_stream *line = NULL;
            int r = eddy_serial_open(d.path, NULL, &line);
            EDDY_CHECK(r == 0 || eddy_fault_fired(&f));
            eddy_fault_stop();
            if (r == 0)
                eddy_stream_close(line);
            eddy_stream_free(line);
        }
    }
    eddy__sys.tcsetattr = set_nothing;
    EDDY_CHECK_ERR(eddy_serial_open(d.path, EDDY_OPT(serial, .error = &err), &none), -EIO);
    EDDY_CHECK(strstr(err.text, "cannot be set") != NULL);
    eddy__sys.tcsetattr = eddy__sys_kernel.tcsetattr;
    unplug(&d);
}
