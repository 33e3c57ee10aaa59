/*
 * tests/http/peer.h - a client with no opinion: raw bytes in and out, over any transport
 *
 * The server's end may go through an xor filter, and always goes through a counter, which can also
 * hold writes back or fail them.
 */
#ifndef EDDY_TESTS_HTTP_PEER_H
#define EDDY_TESTS_HTTP_PEER_H

#include <eddy/buffer.h>
#include <eddy/http.h>
#include <eddy/loop.h>
#include <eddy/transport.h>

struct tap;

struct peer {
    struct eddy_transport *t; /* the client's end; NULL once closed */
    struct tap *tap;          /* in front of the server's end; NULL once it is closed */
    struct eddy_buffer got;
    unsigned writes; /* of the server */
    bool ended, closed;
    int why;
    unsigned sending;
};

enum peer_way { PEER_PLAIN, PEER_XOR, PEER_WAYS };

extern struct eddy_loop *peer_loop; /* made by peer_begin() */

/* A loop (EDDY_BACKEND's; @sim: the simulator whatever that says) and a server without listener. */
struct eddy_http_server *peer_begin(eddy_handler_fn *handler,
                                    const struct eddy_http_options *options, bool sim);
void peer_end(struct eddy_http_server *server);

bool peer_open(struct peer *p, struct eddy_http_server *server, enum peer_way way);
void peer_close(struct peer *p); /* and wait until both ends are gone */
void peer_reset(struct peer *p); /* the server sees -ECONNRESET */
void peer_finish(struct peer *p);
void peer_send(struct peer *p, const char *data, size_t len);
void peer_say(struct peer *p, const char *text);

/* Turn the loop. True when it came before a bound of turns or @ms of the loop's clock. */
bool peer_got(struct peer *p, size_t bytes);
bool peer_got_text(struct peer *p, const char *text);
bool peer_saw_end(struct peer *p);
void peer_turns(unsigned turns);
void peer_pass(int64_t ms);            /* time on the loop's clock */
const char *peer_text(struct peer *p); /* what came, terminated */
unsigned peer_count(struct peer *p, const char *text);
void peer_forget(struct peer *p); /* what came so far */

/* Of the server's end: hold writes back until released; fail those to come. */
void peer_hold_writes(struct peer *p, bool hold);
void peer_fail_writes(struct peer *p, int error);
/* To the server, past the pair: in one piece, whatever its length. */
void peer_deliver(struct peer *p, const char *data, size_t len);

#endif
