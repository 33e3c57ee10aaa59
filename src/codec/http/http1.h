/*
 * codec/http/http1.h - HTTP/1.1 as bytes: heads in, bodies in, lines out
 *
 * No socket, no allocation. A head is read in two steps. eddy__http1_scan() finds its end while
 * the bytes arrive, looks at each byte once, and refuses a line as soon as it is seen to be wrong.
 * Once the head stands whole in memory of its own, eddy__http1_parse_request() takes it apart:
 * the request line here, the fields by llhttp, which is only the tokenizer; what a message may say
 * about its own length is judged by http1_rules.c. Each rule has a row in tests/codec/http1_rules_test.c.
 */
#ifndef EDDY_CODEC_HTTP_HTTP1_H
#define EDDY_CODEC_HTTP_HTTP1_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/http_types.h>
#include <eddy/slice.h>
#include <time.h>

/* --- the end of a head ------------------------------------------------------------------------- */

/* Bounds of a head; zero in a field means its default. */
struct eddy__http1_limits {
    size_t head;    /* bytes in all, start line included: 32 KiB; -EDDY_EHEAD_TOOBIG */
    size_t line;    /* bytes of the start line: 8 KiB; -EDDY_EURI_TOOBIG */
    size_t headers; /* fields: EDDY__HTTP1_HEADERS; -EDDY_EHEAD_TOOBIG */
};

#define EDDY__HTTP1_HEADERS 100

/* All zero to begin a head. One for each message. */
struct eddy__http1_scan {
    size_t at;       /* bytes judged; where the offending byte stands, after an error */
    uint32_t fields; /* field lines begun */
    uint8_t state;
    uint8_t skipped; /* 2 when an empty line stood before the start line (RFC 9112 2.2) */
    const char *why; /* after an error: a constant text */
};

/*
 * @buf holds the message from its first byte, and grows from call to call; it may move.
 *
 * Return: the head's length, 1 or more, its empty line included; 0: more is needed; -EDDY_EHTTP,
 * -EDDY_EHEAD_TOOBIG, -EDDY_EURI_TOOBIG, with s->why and s->at. @limits NULL: the defaults.
 */
EDDY_PRIVATE ssize_t eddy__http1_scan(struct eddy__http1_scan *s, const char *buf, size_t len,
                                      const struct eddy__http1_limits *limits);

/* --- what a head says -------------------------------------------------------------------------- */

/* Slices point into the head that was parsed. */
struct eddy__http1_head {
    /* requests */
    enum eddy_method method;
    struct eddy_slice method_text;
    struct eddy_slice target; /* as sent */
    struct eddy_slice path;   /* not decoded; "/" where an absolute target has none; "*" */
    struct eddy_slice query;  /* behind the '?' */
    struct eddy_slice host;   /* of an absolute target, else of Host; with its port; may be empty */

    /* responses */
    int status;
    struct eddy_slice reason;
    bool until_close; /* the body ends with the connection */
    bool no_body;     /* 1xx, 204, 304, or an answer to HEAD or CONNECT: whatever it says */

    /* both */
    int minor_version; /* 1 or 0 */
    struct eddy_header *headers;
    size_t header_count;
    int64_t content_length;    /* -1: not given; not set beside chunked */
    bool chunked;              /* the body is chunked */
    bool keep_alive;           /* the connection may be used again */
    bool expect_continue;      /* the client waits for 100 Continue (HTTP/1.1 only) */
    bool connection_upgrade;   /* Connection names "upgrade" ... */
    struct eddy_slice upgrade; /* ... and Upgrade says to what; .ptr NULL without either */
};

/* Whether a body follows: its length is content_length, or the chunks', or until_close. */
static inline bool eddy__http1_has_body(const struct eddy__http1_head *head)
{
    return !head->no_body && (head->chunked || head->content_length > 0 || head->until_close);
}

/*
 * @head:    @len bytes that eddy__http1_scan() found; must stay while @ret is used
 * @headers: caller's array of @cap; EDDY__HTTP1_HEADERS is enough for the default limits
 *
 * Return: 0, or
 *   -EDDY_EHTTP          400: broken line, framing, Host or target
 *   -EDDY_EHTTP_VERSION  505     -EDDY_EHTTP_CODING  501: a transfer coding other than chunked
 *   -EDDY_EEXPECT        417     -EDDY_EHEAD_TOOBIG  431: more fields than @cap
 * Close the connection after any of them. @ret is undefined after an error, but for minor_version.
 */
EDDY_PRIVATE int eddy__http1_parse_request(char *head, size_t len, struct eddy_header *headers,
                                           size_t cap, struct eddy__http1_head *ret,
                                           struct eddy_error *err);

/*
 * As above for a response. @method: what was asked (the answer to HEAD has no body, CONNECT's 2xx
 * neither).
 *
 * 1xx is a response like another: read on behind it (101 is the last). Where no_body is set,
 * content_length and chunked are what the head says of a body that is not sent.
 */
EDDY_PRIVATE int eddy__http1_parse_response(char *head, size_t len, enum eddy_method method,
                                            struct eddy_header *headers, size_t cap,
                                            struct eddy__http1_head *ret, struct eddy_error *err);

/* The first value of that name (without case); .ptr NULL when there is none. */
EDDY_PRIVATE struct eddy_slice eddy__http1_header(const struct eddy_header *headers, size_t count,
                                                  struct eddy_slice name);

/* Whether a comma-separated list holds the token, compared without case. */
EDDY_PRIVATE bool eddy__http1_list_has(struct eddy_slice list, struct eddy_slice token);

/* --- chunked bodies ---------------------------------------------------------------------------- */

/* All zero to begin a body. */
struct eddy__http1_chunks {
    uint64_t left;     /* of the chunk's data */
    uint64_t body;     /* data bytes given out so far */
    uint32_t line;     /* bytes of this size line, or of all trailers */
    uint32_t overhead; /* framing not paid for by data; see http1_chunks.c */
    uint8_t state;
    uint8_t digits;
    const char *why; /* after an error: a constant text */
};

enum eddy__http1_chunks_result {
    EDDY__HTTP1_CHUNKS_MORE,  /* all of the data was used; feed more */
    EDDY__HTTP1_CHUNKS_PIECE, /* *ret_piece is body, inside the data; call again with the rest */
    EDDY__HTTP1_CHUNKS_DONE   /* the body is over; what was not used belongs to the next message */
};

/*
 * *ret_used: bytes of @data that are done with; set always. Trailers are judged, and dropped.
 *
 * Return: an enum eddy__http1_chunks_result, or -EDDY_EHTTP with c->why (400; close).
 */
EDDY_PRIVATE int eddy__http1_chunks_feed(struct eddy__http1_chunks *c, const char *data, size_t len,
                                         size_t *ret_used, struct eddy_slice *ret_piece);

/* --- writing ----------------------------------------------------------------------------------- */

/* "HTTP/1.1 200 OK\r\n", constant; of an unregistered status, without a phrase, in @scratch. */
#define EDDY__HTTP1_STATUS_SCRATCH 16
EDDY_PRIVATE struct eddy_slice eddy__http1_status_line(int status,
                                                       char scratch[EDDY__HTTP1_STATUS_SCRATCH]);

/* 0, or -EINVAL: the name is not a token, or the value holds CR, LF, NUL or another control. */
EDDY_PRIVATE int eddy__http1_check_field(struct eddy_slice name, struct eddy_slice value);

/* The line before a chunk of @size bytes (not 0). Return: its length. */
#define EDDY__HTTP1_CHUNK_HEAD 18
EDDY_PRIVATE size_t eddy__http1_chunk_head(uint64_t size, char out[EDDY__HTTP1_CHUNK_HEAD]);
#define EDDY__HTTP1_CHUNK_END "\r\n"
#define EDDY__HTTP1_CHUNKS_LAST "0\r\n\r\n"

/* "Sun, 06 Nov 1994 08:49:37 GMT", not terminated. RFC 9110 5.6.7. */
#define EDDY__HTTP_DATE 29
EDDY_PRIVATE void eddy__http_date(time_t when, char out[EDDY__HTTP_DATE]);

#endif
