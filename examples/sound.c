/*
 * sound.c - a tone, as samples for a sound device, or for whatever plays them
 *
 *     sound /dev/dsp 440           a second of it
 *     sound - 440 3 | aplay -f S16_LE -r 48000
 *
 * A device takes samples as it plays them, so writing waits; a pipe takes all it is given. So the
 * program keeps the time itself, too: it is never more than a fifth of a second ahead.
 */
#include <eddy.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define RATE 48000
#define CHUNK 480 /* samples: 10 ms */
#define AHEAD_MS 200

/* A sine by its difference equation, which needs no library: x[n+1] = (2 - w^2) x[n] - x[n-1]. */
struct tone {
    double factor, now, before;
};

static struct tone tone_of(double hertz)
{
    const double w = 2 * 3.14159265358979 * hertz / RATE;

    return (struct tone){ .factor = 2 - w * w, .now = 8000 * w, .before = 0 };
}

static void fill(struct tone *t, int16_t samples[CHUNK])
{
    for (int i = 0; i < CHUNK; i++) {
        double next = t->factor * t->now - t->before;
        t->before = t->now;
        t->now = next;
        double loud = t->before > 16000 ? 16000 : t->before < -16000 ? -16000 : t->before;
        samples[i] = (int16_t)loud;
    }
}

static int play(struct eddy_stream *out, double hertz, double seconds)
{
    struct tone tone = tone_of(hertz);
    const int64_t start_ns = eddy_now_ns();
    const long chunks = (long)(seconds * RATE / CHUNK + 0.5);
    int16_t samples[CHUNK];

    for (long i = 0; i < chunks; i++) {
        fill(&tone, samples);
        int r = eddy_write(out, samples, sizeof samples);
        int64_t ahead_ms = i * 1000 * CHUNK / RATE - (eddy_now_ns() - start_ns) / 1000000;
        if (r == 0 && ahead_ms > AHEAD_MS)
            r = eddy_sleep(ahead_ms - AHEAD_MS);
        if (r < 0)
            return r;
    }
    return 0;
}

int main(int argc, char **argv)
{
    EDDY_OWN(eddy_stream) device = NULL;
    const char *path = argc > 1 ? argv[1] : "-";
    double hertz = argc > 2 ? strtod(argv[2], NULL) : 440;
    int r = 0;

    if (strcmp(path, "-") != 0) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        r = fd < 0 ? -errno : eddy_stream_of_fd(-1, fd, NULL, &device);
    }
    if (r == 0)
        r = play(device ? device : eddy_stdout(), hertz, argc > 3 ? strtod(argv[3], NULL) : 1);
    if (r < 0)
        eddy_print_error("sound: %s: %s\n", path, eddy_strerror(r));
    return r < 0;
}
