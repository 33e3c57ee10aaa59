/*
 * terminal/serial.c - a stream over a terminal device, set to a speed
 *
 * tcsetattr(3) succeeds when it could make any of the changes, though some libraries look at a few of
 * them, so what it made is read back.
 */
#include "base/sys.h"
#include "loop/file_op.h"
#include "loop/loop.h"
#include "task/wait.h"

#include <eddy/serial.h>

#include <fcntl.h>
#include <termios.h>

static const struct {
    unsigned baud;
    speed_t speed;
} speeds[] = {
    { 50, B50 },           { 75, B75 },           { 110, B110 },         { 134, B134 },
    { 150, B150 },         { 200, B200 },         { 300, B300 },         { 600, B600 },
    { 1200, B1200 },       { 1800, B1800 },       { 2400, B2400 },       { 4800, B4800 },
    { 9600, B9600 },       { 19200, B19200 },     { 38400, B38400 },     { 57600, B57600 },
    { 115200, B115200 },   { 230400, B230400 },
#ifdef B4000000
    { 460800, B460800 },   { 500000, B500000 },   { 576000, B576000 },   { 921600, B921600 },
    { 1000000, B1000000 }, { 1152000, B1152000 }, { 1500000, B1500000 }, { 2000000, B2000000 },
    { 2500000, B2500000 }, { 3000000, B3000000 }, { 3500000, B3500000 }, { 4000000, B4000000 },
#endif
};

static int find_speed(unsigned baud, speed_t *ret_speed)
{
    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++) {
        if (speeds[i].baud == (baud ? baud : 9600)) {
            *ret_speed = speeds[i].speed;
            return 0;
        }
    }
    return -EINVAL;
}

static int want(const struct eddy_serial_options *o, struct termios *t, struct eddy_error *err)
{
    static const tcflag_t sizes[] = { CS5, CS6, CS7, CS8 };
    unsigned data_bits = o->data_bits ? o->data_bits : 8;
    char parity = o->parity ? o->parity : 'n';
    speed_t speed;

    if (find_speed(o->baud, &speed) < 0)
        return eddy_error_set(err, -EINVAL, 0,
                              "%u is no speed of a serial line: one of 9600, 19200, 115200, ...",
                              o->baud);
    if (data_bits < 5 || data_bits > 8)
        return eddy_error_set(err, -EINVAL, 0, "%u data bits: 5 to 8 are possible", data_bits);
    if (o->stop_bits > 2)
        return eddy_error_set(err, -EINVAL, 0, "%u stop bits: 1 or 2 are possible", o->stop_bits);
    if (parity != 'n' && parity != 'e' && parity != 'o')
        return eddy_error_set(err, -EINVAL, 0, "parity is 'n', 'e' or 'o'");
    cfmakeraw(t);
    t->c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS);
    t->c_cflag |= (tcflag_t)(CLOCAL | CREAD) | sizes[data_bits - 5];
    if (parity != 'n')
        t->c_cflag |= PARENB | (parity == 'o' ? PARODD : 0);
    if (o->stop_bits == 2)
        t->c_cflag |= CSTOPB;
    if (o->rts_cts)
        t->c_cflag |= CRTSCTS;
    t->c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
    if (o->xon_xoff)
        t->c_iflag |= IXON | IXOFF;
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
    return cfsetspeed(t, speed) < 0 ? -EINVAL : 0;
}

static int set(int fd, const struct eddy_serial_options *options)
{
    const tcflag_t mine = CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS;
    struct eddy_serial_options o = { .baud = 0 };
    struct termios t, made = { 0 };

    if (options)
        o = *options;
    int r = eddy__sys.tcgetattr(fd, &t);
    if (r < 0)
        return eddy_error_set(o.error, r, 0, "no serial line: %s", eddy_strerror(r));
    r = want(&o, &t, o.error);
    if (r < 0)
        return r;
    r = eddy__sys.tcsetattr(fd, TCSANOW, &t);
    if (r == 0)
        r = eddy__sys.tcgetattr(fd, &made);
    if (r < 0 && r != -EINVAL)
        return eddy_error_set(o.error, r, 0, "the line cannot be set: %s", eddy_strerror(r));
    if (r == -EINVAL || (made.c_cflag & mine) != (t.c_cflag & mine))
        return eddy_error_set(
            o.error, -EINVAL, 0,
            "the device does not take these data bits, parity, stop bits or RTS/CTS");
    if (cfgetospeed(&made) != cfgetospeed(&t))
        return eddy_error_set(o.error, -EINVAL, 0, "the device does not take this speed");
    return 0;
}

int eddy_serial_open(const char *path, const struct eddy_serial_options *options,
                     struct eddy_stream **ret_stream)
{
    struct eddy_error *err = options ? options->error : NULL;
    struct eddy_file_op op;

    eddy_op_open(&op, AT_FDCWD, path, O_RDWR | O_NOCTTY | O_NONBLOCK, 0, NULL);
    int r = eddy__wait_check();
    if (r == 0)
        r = eddy__sim_refuse(eddy__loop(), "serial lines");
    if (r == 0)
        r = eddy__op_wait(&op.op);
    if (r < 0)
        return eddy_error_set(err, r, 0, "cannot open %.80s: %s", path, eddy_strerror(r));
    int fd = r;
    r = set(fd, options);
    if (r == 0)
        r = eddy_stream_of_fd(fd, fd, NULL, ret_stream);
    if (r < 0)
        eddy__sys.close(fd);
    return r;
}

int eddy_serial_set(struct eddy_stream *s, const struct eddy_serial_options *options)
{
    int fd;

    int r = eddy_stream_info(s, EDDY_INFO_FD, &fd);
    return r < 0 ? r : set(fd, options);
}
