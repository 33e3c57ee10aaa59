/*
 * script.h - a server that says what a test wrote, byte for byte
 *
 *     static const struct script_answer answers[] = {
 *         { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", SCRIPT_KEEP },
 *     };
 *     EDDY_SCOPE(servers, .isolate = true);
 *     struct script s = SCRIPT(answers);
 *     script_start(&s, &servers);
 *     r = eddy_fetch(s.url, NULL, &page);
 *
 * The n-th request over all connections gets the n-th answer; requests past the last one get none.
 * Declare the script before the scope: its tasks use it until they end.
 */
#ifndef EDDY_TESTS_HTTP_SCRIPT_H
#define EDDY_TESTS_HTTP_SCRIPT_H

#include <eddy/net.h>
#include <eddy/task.h>

enum script_then {
    SCRIPT_KEEP,  /* read the next request */
    SCRIPT_CLOSE, /* end the connection */
    SCRIPT_HANG   /* say no more until the client ends the connection */
};

struct script_answer {
    const char *text; /* NULL: nothing */
    enum script_then then;
    size_t len; /* of text, where it holds NUL; 0: its length */
};

struct script {
    const struct script_answer *answers;
    size_t count;
    struct eddy_listener *door; /* the serving task's */
    char url[64];               /* "http://127.0.0.1:4711/" */
    char request[8192];         /* the last one's head */
    unsigned connections;       /* accepted so far */
    unsigned requests;          /* read so far */
    unsigned open;              /* now */
};

#define SCRIPT(table)                                                                              \
    {                                                                                              \
        .answers = (table), .count = sizeof(table) / sizeof((table)[0])                            \
    }

/* Listen on a free port, and serve in @scope until it ends. */
int script_start(struct script *s, struct eddy_scope *scope);

/* Sleep a millisecond at a time until *@value is @want; false after some seconds. */
bool script_await(const unsigned *value, unsigned want);

#endif
