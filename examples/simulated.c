/*
 * simulated.c - a test of a client that tries again, against a server that is cut off for a while
 *
 * The client is the program under test, and knows nothing of it: fetch_with_patience() is what one
 * would ship. The network, the two machines and all time are eddy's simulator. Nothing is waited
 * for in fact, and each seed is another network: other delays, another order of everything.
 *
 *     ./simulated             a hundred seeds
 *     EDDY_SEED=17 ./simulated    the one that failed, again and again the same
 */
#include <eddy.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the program under test ------------------------------------------------------------------ */

static int fetch_with_patience(const char *url, struct eddy_response *page)
{
    int64_t pause_ms = 100;

    for (int tries = 1;; tries++, pause_ms *= 2) {
        int r = eddy_fetch(url, EDDY_OPT(fetch, .timeout_ms = 1000), page);
        if (r == 0 || tries == 6)
            return r;
        r = eddy_sleep(pause_ms);
        if (r < 0)
            return r;
    }
}

static int hello(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req;
    return eddy_reply_printf(reply, "hello\n");
}

/* --- the test -------------------------------------------------------------------------------- */

/* For the first two seconds nothing gets through; afterwards some connections do not. */
static const struct eddy_sim_fault weather[] = {
    { .kind = EDDY_SIM_PARTITION, .to = "example.org", .until_ms = 2000 },
    { .kind = EDDY_SIM_LOSS, .to = "example.org", .per_mille = 50 },
};

static int one_network(struct eddy_sim *sim)
{
    EDDY_AUTO(eddy_response) page = { 0 };
    EDDY_OWN(eddy_http_server) server = NULL;
    EDDY_OWN(eddy_listener) door = NULL;

    int r = eddy_sim_as(sim, "example.org"); /* the server is made over there ... */
    if (r == 0)
        r = eddy_listen(":80", NULL, &door);
    if (r == 0)
        r = eddy_http_serve(door, hello, NULL, &server);
    if (r < 0)
        return r;
    eddy_disown(&door);
    eddy_sim_as(sim, NULL); /* ... and asked from here */

    r = fetch_with_patience("http://example.org/", &page);
    if (r == 0 && eddy_sim_clock_ms(sim) < 2000)
        r = -EBADMSG; /* it cannot have an answer yet */
    return r;
}

int main(void)
{
    uint64_t first = 1, last = 100;
    int64_t longest_ms = 0;
    char replay[256];

    if (getenv("EDDY_SEED"))
        first = last = strtoull(getenv("EDDY_SEED"), NULL, 10);
    for (uint64_t seed = first; seed <= last; seed++) {
        EDDY_AUTO(eddy_sim)
        sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed, EDDY_SIM_FAULTS(weather)));
        int r = sim.status < 0 ? sim.status : one_network(&sim);
        if (r < 0) {
            printf("%s\nreplay: %s\n", eddy_strerror(r),
                   eddy_sim_replay(&sim, replay, sizeof replay));
            return 1;
        }
        int64_t took_ms = eddy_sim_clock_ms(&sim);
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
    }
    printf("%" PRIu64 " networks, the slowest answer came after %" PRId64 " ms\n", last - first + 1,
           longest_ms);
    return 0;
}
