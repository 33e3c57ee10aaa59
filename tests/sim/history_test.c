/*
 * One seed is one history, of a whole program: a server that keeps notes in a file, three clients
 * on other machines who ask by its name, a network that loses and resets, offloaded work.
 *
 * backends: sim
 * seeds: yes
 * timeout: 120
 */
#include "town.h"

#include <eddy/fetch.h>
#include <eddy/http.h>
#include <eddy/loop.h>
#include <eddy/slice.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the server --------------------------------------------------------------------------------- */

static int notes_fd;
static int64_t notes_end;

static int length_of(void *arg)
{
    return (int)strlen(arg);
}

/* What a handler does runs where the server was made: there is the file. */
static int handle(struct eddy_request *req, struct eddy_reply *reply)
{
    char text[8192];

    if (req->body.len) {
        int64_t at = notes_end;
        notes_end += (int64_t)req->body.len;
        int r = town_write(notes_fd, req->body.ptr, req->body.len, at);
        if (r == 0)
            r = town_sync(notes_fd);
        return r < 0 ? r : eddy_reply_printf(reply, "kept %zu", req->body.len);
    }
    int fd = town_open("/notes", O_RDONLY);
    if (fd < 0)
        return fd;
    int n = town_read(fd, text, sizeof text - 1, 0);
    (void)town_close(fd);
    if (n < 0)
        return n;
    text[n] = '\0';
    return eddy_reply_printf(reply, "%d of %d", eddy_offload(length_of, text), n);
}

/* --- the clients -------------------------------------------------------------------------------- */

struct client_args {
    char *log;
    size_t cap;
    int number;
};

static void note(const struct client_args *a, const char *what, int r)
{
    size_t len = strlen(a->log);

    snprintf(a->log + len, a->cap - len, "%d %s %d at %" PRId64 "\n", a->number, what, r,
             eddy_now_ns());
}

static int client(struct client_args *a)
{
    for (int i = 0; i < 4; i++) {
        for (int tries = 0; tries < 5; tries++) {
            EDDY_AUTO(eddy_response) page = { 0 };
            int r = eddy_fetch(
                "http://notes.example/",
                EDDY_OPT(fetch, .timeout_ms = 3000, .body = eddy_slice_of("a note\n")), &page);
            note(a, "posts", r < 0 ? r : page.status);
            if (r == 0)
                break;
        }
        EDDY_AUTO(eddy_response) page = { 0 };
        int r = eddy_fetch("http://notes.example/", EDDY_OPT(fetch, .timeout_ms = 3000), &page);
        note(a, r == 0 ? page.body.ptr : "nothing", r < 0 ? r : page.status);
        r = eddy_sleep(10 * a->number);
        if (r < 0)
            return r;
    }
    return 0;
}
EDDY_TASK(client);

/* --- a history ---------------------------------------------------------------------------------- */

static const struct eddy_sim_fault weather[] = {
    { .kind = EDDY_SIM_LOSS, .per_mille = 20 },
    { .kind = EDDY_SIM_RESET, .to = "client2", .per_mille = 30 },
    { .kind = EDDY_SIM_PARTITION,
      .from = "notes.example",
      .to = "client1",
      .at_ms = 20,
      .until_ms = 500 },
};

static uint64_t history(uint64_t seed, char *log, size_t cap)
{
    EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = seed, EDDY_SIM_FAULTS(weather)));
    EDDY_OWN(eddy_http_server) server = NULL;
    EDDY_OWN(eddy_listener) door = NULL;

    log[0] = '\0';
    notes_end = 0;
    if (!EDDY_CHECK_EQ(eddy_sim_as(&sim, "notes.example"), 0) ||
        !EDDY_CHECK((notes_fd = town_open("/notes", O_RDWR | O_CREAT)) > 0) ||
        !EDDY_CHECK_EQ(eddy_listen(":80", NULL, &door), 0) ||
        !EDDY_CHECK_EQ(eddy_http_serve(door, handle, NULL, &server), 0))
        return 0;
    eddy_disown(&door);
    {
        EDDY_SCOPE(clients, .timeout_ms = 60000);
        for (int i = 1; i <= 3; i++) {
            char name[16];
            snprintf(name, sizeof name, "client%d", i);
            EDDY_CHECK_EQ(eddy_sim_as(&sim, name), 0);
            EDDY_GO(&clients, client, .log = log, .cap = cap, .number = i);
        }
        EDDY_CHECK_EQ(eddy_sim_as(&sim, NULL), 0);
        EDDY_CHECK_EQ(eddy_join(&clients), 0);
    }
    EDDY_CHECK(notes_end >= 84); /* twelve notes, some of them maybe twice */
    EDDY_CHECK_EQ(eddy_http_stop(server, 1000), 0);
    (void)town_close(notes_fd);
    return eddy_sim_hash(&sim);
}

EDDY_TEST(one_seed_is_one_history)
{
    static char first[16384], again[16384], last[16384];
    uint64_t last_hash = 0;

    for (EDDY_EACH_SEED(seed, 20)) {
        uint64_t hash = history(seed, first, sizeof first);
        void *shift = malloc(4096 *
                             (size_t)(seed % 32 + 1)); /* other addresses, the same history */
        EDDY_CHECK_EQ(history(seed, again, sizeof again), hash);
        EDDY_CHECK_STR(again, first);
        free(shift);
        EDDY_CHECK(hash != last_hash);
        EDDY_CHECK(strcmp(first, last) != 0);
        memcpy(last, first, sizeof last);
        last_hash = hash;
    }
}
