/*
 * script.c - see script.h
 */
#include "script.h"

#include <eddy/address.h>
#include <eddy/stream.h>

#include <stdio.h>

struct converse_args {
    struct script *s;
    struct eddy_stream *peer;
};

static void wait_for_the_end(struct eddy_stream *peer)
{
    char sink[512];

    while (eddy_read(peer, sink, sizeof sink) > 0)
        continue;
}

/* One connection: question, answer, question, ... */
static int converse(struct converse_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    struct script *s = a->s;
    enum script_then then = SCRIPT_KEEP;

    s->open++;
    while (then == SCRIPT_KEEP) {
        ssize_t n = eddy_read_until(peer, EDDY_SLICE("\r\n\r\n"), s->request,
                                    sizeof s->request - 1);
        if (n < 0)
            break;
        s->request[n] = '\0';
        const struct script_answer *answer = s->requests < s->count ? &s->answers[s->requests]
                                                                    : NULL;
        s->requests++;
        if (answer && answer->text &&
            eddy_write(peer, answer->text, answer->len ? answer->len : strlen(answer->text)) < 0)
            break;
        then = answer ? answer->then : SCRIPT_HANG;
    }
    if (then == SCRIPT_HANG)
        wait_for_the_end(peer);
    s->open--;
    return 0;
}
EDDY_TASK(converse);

struct answer_all_args {
    struct script *s;
};

static int answer_all(struct answer_all_args *a)
{
    EDDY_OWN(eddy_listener) door = a->s->door;
    EDDY_SCOPE(peers, .isolate = true);

    for (;;) {
        EDDY_OWN(eddy_stream) peer = NULL;
        int r = eddy_accept(door, &peer);
        if (r < 0)
            return r;
        a->s->connections++;
        if (EDDY_GO(&peers, converse, .s = a->s, .peer = peer) == 0)
            eddy_disown(&peer);
    }
}
EDDY_TASK(answer_all);

int script_start(struct script *s, struct eddy_scope *scope)
{
    EDDY_OWN(eddy_listener) door = NULL;
    struct eddy_address address;

    int r = eddy_listen("127.0.0.1:0", NULL, &door);
    if (r == 0)
        r = eddy_listener_address(door, &address);
    if (r < 0)
        return r;
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/", eddy_address_port(&address));
    s->door = door;
    r = EDDY_GO(scope, answer_all, .s = s);
    if (r == 0)
        eddy_disown(&door);
    return r;
}

bool script_await(const unsigned *value, unsigned want)
{
    for (int i = 0; i < 3000 && *(const volatile unsigned *)value != want; i++)
        if (eddy_sleep(1) < 0)
            break;
    return *(const volatile unsigned *)value == want;
}
