/*
 * evdev.c - a keyboard or a mouse, read from the kernel
 *
 *     evdev /dev/input/event0      what its keys and moves are; or of a file or pipe of recorded
 *     events
 *
 * Whatever has a descriptor is a stream: a device waits until somebody moves it, a recording ends.
 */
#include <eddy.h>

#include <fcntl.h>
#include <linux/input.h>
#include <string.h>

static const char *name_of(const struct input_event *e)
{
    static const char *const axes[] = { [REL_X] = "x", [REL_Y] = "y", [REL_WHEEL] = "wheel" };

    if (e->type == EV_KEY && e->code >= BTN_MOUSE && e->code <= BTN_MIDDLE)
        return e->code == BTN_LEFT    ? "left button"
               : e->code == BTN_RIGHT ? "right button"
                                      : "middle";
    if (e->type == EV_KEY)
        return "key";
    return e->code < sizeof axes / sizeof *axes && axes[e->code] ? axes[e->code] : "axis";
}

static int show(const struct input_event *e)
{
    static const char *const done[] = { "up", "down", "held" };

    switch (e->type) {
    case EV_KEY:
        return eddy_print("%s %u %s\n", name_of(e), e->code,
                          done[e->value >= 0 && e->value < 3 ? e->value : 2]);
    case EV_REL: return eddy_print("%s by %d\n", name_of(e), e->value);
    case EV_ABS: return eddy_print("axis %u at %d\n", e->code, e->value);
    default: return 0; /* EV_SYN: what was told until here happened at once */
    }
}

int main(int argc, char **argv)
{
    EDDY_OWN(eddy_stream) device = NULL;
    struct eddy_error error = { 0 };
    struct input_event event;

    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        eddy_print_error("usage: evdev DEVICE (%s)\n", argc == 2 ? strerror(errno) : "which?");
        return 2;
    }
    int r = eddy_stream_of_fd(fd, -1, EDDY_OPT(fd, .error = &error), &device);
    if (r < 0) {
        eddy_print_error("evdev: %s\n", error.text);
        return 1;
    }
    while ((r = eddy_read_exactly(device, &event, sizeof event)) == 0)
        if ((r = show(&event)) < 0)
            break;
    if (r == -EDDY_EEOF)
        return 0;
    eddy_print_error("evdev: %s\n", eddy_strerror(r));
    return 1;
}
