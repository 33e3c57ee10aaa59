/*
 * eddy/serial.h - serial lines: a stream with a speed
 *
 *     EDDY_OWN(eddy_stream) line = NULL;
 *     r = eddy_serial_open("/dev/ttyUSB0", EDDY_OPT(serial, .baud = 115200), &line);
 *     r = eddy_write_text(line, "AT\r");
 *     n = eddy_read_until(line, EDDY_SLICE("\r\n"), buf, sizeof buf);
 *
 * Bytes go through as they are: no echo, no line editing, no translation. Modem lines are not
 * waited for.
 *
 * What holds, with the test that shows it (tests/terminal/serial_test.c):
 *
 *  rule                                               test
 *  -------------------------------------------------  ---------------------------------------------
 *  Bytes pass both ways as they are                   bytes_pass_as_they_are
 *  Speed, bits, parity, flow control are set          what_is_asked_for_is_set
 *  What the device does not take is refused           what_the_device_does_not_take_is_refused
 *  Another setting may be made on the way             a_line_may_be_set_anew
 *  What is no terminal is refused, and says so        what_is_no_line_is_refused
 *  Looks at its scope first                           a_call_looks_at_its_scope_first
 *  The simulator has no devices                       the_simulator_refuses
 *  Failures at every step leave nothing open          every_failure_leaves_nothing_open
 */
#ifndef EDDY_SERIAL_H
#define EDDY_SERIAL_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/stream.h>

EDDY_BEGIN

struct eddy_serial_options {
    size_t size;              /* filled by EDDY_OPT(serial, ...) */
    unsigned baud;            /* bits a second, one of termios(3)'s: 50 to 4000000; 0: 9600 */
    unsigned data_bits;       /* 5 to 8; 0: 8 */
    unsigned stop_bits;       /* 1 or 2; 0: 1 */
    char parity;              /* 'n', 'e' (even), 'o' (odd); 0: none */
    bool rts_cts;             /* flow control by RTS and CTS */
    bool xon_xoff;            /* by Ctrl-S and Ctrl-Q, which then cannot be sent */
    struct eddy_error *error; /* what, where, how to mend it; may be NULL */
};

/**
 * eddy_serial_open() - open a serial line
 * @path:       of the device
 * @options:    EDDY_OPT(serial, .baud = 115200), may be NULL
 * @ret_stream: owned. When it is closed the device keeps its settings
 *
 * Suspends. Looks at its scope first. It does not become the controlling terminal. Cancelled:
 * nothing happened.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EINVAL  an option out of its range, or one the device does not take
 *   -ENOTTY  not a serial line     -ENOENT, -EACCES, -EBUSY, -EIO, ...  what open(2) says
 *   -EDDY_ESIM  the simulator has no devices
 *   -EMFILE, -ENOMEM, -ETIMEDOUT, -ECANCELED, -EDEADLK
 * Source: termios(3), pyserial's Serial.   Since: 0.1
 */
EDDY_API int eddy_serial_open(const char *path, const struct eddy_serial_options *options,
                              struct eddy_stream **ret_stream);

/** eddy_serial_set() - set an open line anew
 * @s:       of eddy_serial_open()
 * @options: all of them count, those left out as their defaults
 *
 * Does not suspend, and does not wait until what was written has left.
 *
 * Return: 0, -EINVAL, -ENOTTY, -EIO, -EBADF (closed).   Source: tcsetattr(3).   Since: 0.1 */
EDDY_API int eddy_serial_set(struct eddy_stream *s, const struct eddy_serial_options *options);

EDDY_END

#endif
