/* Which ports are open: ./scan [FIRST [LAST [HOST]]], all of this machine unless told. A task for each
 * port, 200 at a time, a second each; the answers come in order because a table has them. */
#include <eddy.h>
#include <stdio.h>
#include <stdlib.h>

static struct eddy_semaphore at_a_time = EDDY_SEMAPHORE_INIT(200);
static bool open_port[65536];

struct knock_args {
    const char *host;
    unsigned port;
};

static int knock(struct knock_args *a)
{
    EDDY_PERMITTED(turn, &at_a_time);
    EDDY_OWN(eddy_stream) s = NULL;
    char address[300];

    if (turn < 0)
        return turn;
    snprintf(address, sizeof address, "%s:%u", a->host, a->port);
    int r = eddy_connect(address, EDDY_OPT(connect, .timeout_ms = 1000), &s);
    open_port[a->port] = r == 0;
    /* Closed, or nobody answers: that is what we ask. No descriptor left is a failure. */
    return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EDDY_ENONAME ? r : 0;
}
EDDY_TASK(knock);

static int knock_at_all(const char *host, unsigned first, unsigned last)
{
    EDDY_SCOPE(all, .timeout_ms = 0);

    for (unsigned port = first; port <= last; port++) {
        int r = EDDY_GO(&all, knock, .host = host, .port = port);
        if (r < 0)
            return r;
        if (port % 1000 == 0)
            eddy_yield(); /* those that are there may begin */
    }
    return eddy_join(&all);
}

int main(int argc, char **argv)
{
    unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    unsigned long last = argc > 2 ? strtoul(argv[2], NULL, 10) : argc > 1 ? first : 65535;
    unsigned count = 0;

    if (first < 1 || last > 65535 || first > last) {
        fprintf(stderr, "usage: scan [FIRST [LAST [HOST]]], ports from 1 to 65535\n");
        return 2;
    }
    int r = knock_at_all(argc > 3 ? argv[3] : "127.0.0.1", (unsigned)first, (unsigned)last);
    for (unsigned long port = first; port <= last; port++) {
        count += open_port[port];
        if (open_port[port])
            printf("%lu\n", port);
    }
    if (r < 0)
        fprintf(stderr, "scan: %s\n", eddy_strerror(r));
    else
        printf("%u of %lu are open\n", count, last - first + 1);
    return r < 0;
}
