/*
 * framed_test.c - the rules of eddy/framed.h; most of them in memory, as a user tests a protocol
 *
 * backends: epoll uring sim
 * faults: yes
 */
#include "base/fault.h"
#include "check.h"
#include "ends.h"

#include <eddy/event.h>
#include <eddy/framed.h>
#include <eddy/loop.h>
#include <eddy/task.h>

#include <stdlib.h>
#include <string.h>

void eddy_check_teardown(void)
{
    ends_loop_free();
}

/* What a protocol was told: "[one][two]end closed 0". */
struct told {
    struct eddy_framed *f;
    struct eddy_stream *peer;
    char text[512];
    int pause_at, close_at, set_at, take_at; /* the message at which it does so */
    int messages, drained;
    struct eddy_event happened; /* anything was told */
    bool closed;
    struct eddy_transport *taken;
    struct eddy_buffer kept;
    int take_result;
};

#define AWAIT(told, condition)                                                                     \
    while (!(condition))                                                                           \
    await(told)

static void await(struct told *t)
{
    eddy_event_clear(&t->happened);
    EDDY_CHECK_EQ(eddy_event_wait(&t->happened), 0);
}

static void add(struct told *t, const char *text, size_t len)
{
    size_t at = strlen(t->text);

    eddy_event_set(&t->happened);
    if (EDDY_CHECK(at + len < sizeof t->text)) {
        memcpy(t->text + at, text, len);
        t->text[at + len] = '\0';
    }
}

static void on_message(void *ctx, struct eddy_framed *f, struct eddy_slice message)
{
    static const struct eddy_framing two = { .kind = EDDY_FRAMING_LENGTH, .prefix = 2 };
    struct told *t = ctx;

    add(t, "[", 1);
    add(t, message.ptr, message.len);
    add(t, "]", 1);
    t->messages++;
    if (t->messages == t->pause_at)
        eddy_framed_pause(f);
    if (t->messages == t->set_at)
        EDDY_CHECK_EQ(eddy_framed_set(f, &two), 0);
    if (t->messages == t->close_at)
        eddy_framed_close(f, -ECONNABORTED);
    if (t->messages == t->take_at)
        t->take_result = eddy_framed_take(f, &t->taken, &t->kept);
}

static void on_ended(void *ctx)
{
    add(ctx, "end ", 4);
}

static void on_drained(void *ctx)
{
    struct told *t = ctx;

    t->drained++;
    eddy_event_set(&t->happened);
}

static void on_closed(void *ctx, int why)
{
    struct told *t = ctx;
    const char *name = why ? eddy_strerrorname(why) : "0";

    add(t, "closed ", 7);
    add(t, name, strlen(name));
    t->closed = true;
    t->f = NULL;
}

static const struct eddy_framed_protocol protocol = {
    .size = sizeof(struct eddy_framed_protocol),
    .message = on_message,
    .ended = on_ended,
    .drained = on_drained,
    .closed = on_closed,
};

static bool open_told(enum ends_kind kind, struct told *t, const struct eddy_framed_options *o)
{
    struct eddy_transport *end[2];

    if (!ends_transports(kind, end))
        return false;
    int r = eddy_framed_new(end[0], &protocol, t, o, &t->f);
    if (!EDDY_CHECK_EQ(r, 0))
        return false;
    return EDDY_CHECK_EQ(eddy_stream_of(end[1], &t->peer), 0);
}

static void turn(void)
{
    for (int i = 0; i < 8; i++)
        eddy_yield();
}

/* End what is left of both sides. */
static void close_told(struct told *t)
{
    if (t->f)
        eddy_framed_close(t->f, 0);
    eddy_stream_free(t->peer);
    AWAIT(t, !t->f);
}

#define LINES EDDY_OPT(framed, .framing = { .kind = EDDY_FRAMING_LINE })

EDDY_TEST(messages_arrive_whole_and_in_order)
{
    static const char text[] = "one\r\ntwo\n\nfour\n";

    ENDS_EACH(kind)
    {
        for (size_t cut = 1; cut < sizeof text; cut += 3) {
            struct told t = { .messages = 0 };
            if (!open_told(kind, &t, LINES))
                return;
            eddy_framed_resume(t.f);
            for (size_t at = 0; at < sizeof text - 1; at += cut) {
                size_t n = cut < sizeof text - 1 - at ? cut : sizeof text - 1 - at;
                EDDY_CHECK_EQ(eddy_write(t.peer, text + at, n), 0);
                eddy_yield();
            }
            EDDY_CHECK_EQ(eddy_stream_finish(t.peer), 0);
            AWAIT(&t, strstr(t.text, "end"));
            close_told(&t);
            EDDY_CHECK_STR(t.text, "[one][two][][four]end closed 0");
        }
    }
}

EDDY_TEST(a_pause_holds_after_the_message)
{
    ENDS_EACH(kind)
    {
        struct told t = { .pause_at = 2 };
        if (!open_told(kind, &t, LINES))
            return;
        eddy_framed_resume(t.f);
        EDDY_CHECK_EQ(eddy_write_text(t.peer, "one\ntwo\nthree\nfo"), 0);
        AWAIT(&t, t.messages >= 2);
        EDDY_CHECK_EQ(eddy_write_text(t.peer, "ur\nfive"), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(t.peer), 0);
        turn();
        EDDY_CHECK_STR(t.text, "[one][two]");
        eddy_framed_resume(t.f);
        EDDY_CHECK_STR(t.text, "[one][two]"); /* from the loop only */
        AWAIT(&t, strstr(t.text, "end"));
        EDDY_CHECK_STR(t.text, "[one][two][three][four][five]end ");
        close_told(&t);
    }
}

EDDY_TEST(what_is_sent_leaves_in_order)
{
    ENDS_EACH(kind)
    {
        struct told t = { .messages = 0 };
        char message[16], got[64];
        if (!open_told(kind, &t, EDDY_OPT(framed, .framing = { .kind = EDDY_FRAMING_NETSTRING })))
            return;
        strcpy(message, "one");
        EDDY_CHECK_EQ(eddy_framed_send(t.f, message, 3), 0);
        strcpy(message, "twoo"); /* it was copied */
        EDDY_CHECK_EQ(eddy_framed_send(t.f, message, 4), 0);
        EDDY_CHECK_EQ(eddy_framed_send(t.f, "", 0), 0);
        EDDY_CHECK_EQ(eddy_read_exactly(t.peer, got, 16), 0);
        EDDY_CHECK_MEM(got, 16, "3:one,4:twoo,0:,", 16);
        EDDY_CHECK_ERR(eddy_framed_send(t.f, got, 70000), -EMSGSIZE);
        close_told(&t);
    }
}

static char much[300000];

EDDY_TEST(marks_tell_when_to_stop)
{
    ENDS_EACH(kind)
    {
        struct told t = { .messages = 0 };
        size_t sent = 0, got = 0;
        if (!open_told(kind, &t, EDDY_OPT(framed, .high = 30000, .low = 10000, .max = 1 << 24)))
            return;
        while (eddy_framed_send(t.f, much, 10000) == 0)
            sent += 10000;
        sent += 10000;
        EDDY_CHECK(eddy_framed_waiting(t.f) > 30000);
        EDDY_CHECK_EQ(t.drained, 0);
        EDDY_CHECK_EQ(eddy_framed_send(t.f, much, 1), 1); /* taken all the same */
        sent++;
        while (got < sent) {
            ssize_t n = eddy_read(t.peer, much, sizeof much);
            if (!EDDY_CHECK(n > 0))
                break;
            got += (size_t)n;
        }
        AWAIT(&t, t.drained);
        EDDY_CHECK_EQ(t.drained, 1);
        EDDY_CHECK_EQ(got, sent);
        turn();
        EDDY_CHECK_EQ(eddy_framed_waiting(t.f), 0);
        EDDY_CHECK_EQ(eddy_framed_send(t.f, much, 1), 0);
        close_told(&t);
    }
}

EDDY_TEST(over_the_bound_a_send_is_refused)
{
    struct told t = { .messages = 0 };
    int r;

    if (!open_told(ENDS_PAIR, &t, EDDY_OPT(framed, .high = 1000, .max = 20000)))
        return;
    while ((r = eddy_framed_send(t.f, much, 9000)) >= 0)
        ;
    EDDY_CHECK_ERR(r, -ENOBUFS);
    EDDY_CHECK(eddy_framed_waiting(t.f) <= 20000);
    EDDY_CHECK_EQ(eddy_framed_send(t.f, much, 1), 1); /* there is room for that */
    close_told(&t);
}

EDDY_TEST(finish_comes_behind_what_was_sent)
{
    ENDS_EACH(kind)
    {
        struct told t = { .messages = 0 };
        size_t got = 0;
        ssize_t n;
        if (!open_told(kind, &t, EDDY_OPT(framed, .max = 1 << 24)))
            return;
        for (int i = 0; i < 5; i++)
            EDDY_CHECK(eddy_framed_send(t.f, much, sizeof much) >= 0);
        eddy_framed_finish(t.f);
        eddy_framed_finish(t.f);
        EDDY_CHECK_ERR(eddy_framed_send(t.f, "x", 1), -EPIPE);
        while ((n = eddy_read(t.peer, much, sizeof much)) > 0)
            got += (size_t)n;
        EDDY_CHECK_EQ(n, 0);
        EDDY_CHECK_EQ(got, 5 * sizeof much);
        close_told(&t);
    }
}

EDDY_TEST(the_framing_may_be_changed)
{
    ENDS_EACH(kind)
    {
        struct told t = { .set_at = 1 };
        if (!open_told(kind, &t, LINES))
            return;
        eddy_framed_resume(t.f);
        EDDY_CHECK_EQ(eddy_write(t.peer, "BINARY\n\0\4one\n", 13), 0);
        AWAIT(&t, t.messages >= 2);
        EDDY_CHECK_STR(t.text, "[BINARY][one\n]");
        EDDY_CHECK_ERR(
            eddy_framed_set(t.f, &(struct eddy_framing){ .kind = EDDY_FRAMING_DELIMITER }),
            -EINVAL);
        close_told(&t);
    }
}

/* Half a message lies behind the upgrade, and more comes: a stream reads it all. */
static void upgrade(enum ends_kind kind, int pause_at)
{
    struct told t = { .take_at = 2, .pause_at = pause_at }, *p = &t;
    EDDY_OWN(eddy_stream) s = NULL;
    char got[16];

    if (!open_told(kind, p, LINES))
        return;
    eddy_framed_resume(t.f);
    EDDY_CHECK_EQ(eddy_write_text(t.peer, "one\nupgrade\nraw"), 0);
    if (pause_at) {
        AWAIT(&t, t.messages >= pause_at);
        eddy_framed_resume(t.f); /* now it is told from what was kept */
    }
    AWAIT(&t, t.messages >= 2);
    if (EDDY_CHECK_EQ(t.take_result, 0)) {
        t.f = NULL;
        EDDY_CHECK_EQ(eddy_stream_of_kept(t.taken, &t.kept, &s), 0);
        EDDY_CHECK_EQ(t.kept.end, 0);
        EDDY_CHECK_EQ(eddy_write_text(t.peer, " bytes"), 0);
        EDDY_CHECK_EQ(eddy_read_exactly(s, got, 9), 0);
        EDDY_CHECK_MEM(got, 9, "raw bytes", 9);
    }
    EDDY_CHECK_STR(t.text, "[one][upgrade]");
    close_told(&t);
}

EDDY_TEST(an_upgrade_keeps_every_byte)
{
    ENDS_EACH(kind)
    {
        upgrade(kind, 0);
        upgrade(kind, 1);
    }
}

EDDY_TEST(from_one_protocol_to_the_next_and_back)
{
    struct told t = { .take_at = 1 }, next = { .messages = 0 };

    if (!open_told(ENDS_PAIR, &t, LINES))
        return;
    EDDY_CHECK_EQ(eddy_framed_send(t.f, much, 60000), 0);
    EDDY_CHECK_EQ(eddy_framed_send(t.f, much, 60000), 0);
    struct eddy_transport *taken;
    struct eddy_buffer kept;
    EDDY_CHECK_ERR(eddy_framed_take(t.f, &taken, &kept), -EBUSY);
    for (int got = 0; got < 120004; got++) {
        char byte;
        EDDY_CHECK_EQ(eddy_read_exactly(t.peer, &byte, 1), 0);
    }
    turn();
    eddy_framed_resume(t.f);
    EDDY_CHECK_EQ(eddy_write_text(t.peer, "up\n3:one,"), 0);
    AWAIT(&t, t.messages >= 1);
    EDDY_CHECK_EQ(t.take_result, 0);
    t.f = NULL;
    EDDY_CHECK_EQ(eddy_framed_new(t.taken, &protocol, &next,
                                  EDDY_OPT(framed, .framing = { .kind = EDDY_FRAMING_NETSTRING },
                                           .kept = &t.kept),
                                  &next.f),
                  0);
    eddy_framed_resume(next.f);
    AWAIT(&next, next.messages >= 1);
    EDDY_CHECK_STR(next.text, "[one]");
    next.peer = t.peer;
    close_told(&next);
}

EDDY_TEST(closing_in_a_message_ends_it)
{
    ENDS_EACH(kind)
    {
        struct told t = { .close_at = 2 };
        char more;
        if (!open_told(kind, &t, LINES))
            return;
        eddy_framed_resume(t.f);
        EDDY_CHECK_EQ(eddy_write_text(t.peer, "one\ntwo\nthree\n"), 0);
        AWAIT(&t, t.closed);
        EDDY_CHECK_STR(t.text, "[one][two]closed ECONNABORTED");
        EDDY_CHECK(eddy_read(t.peer, &more, 1) <= 0);
        close_told(&t);
    }
}

EDDY_TEST(what_breaks_the_framing_closes)
{
    ENDS_EACH(kind)
    {
        struct told t = { .messages = 0 };
        if (!open_told(kind, &t, EDDY_OPT(framed, .framing = { .kind = EDDY_FRAMING_NETSTRING })))
            return;
        eddy_framed_resume(t.f);
        EDDY_CHECK_EQ(eddy_write_text(t.peer, "3:one,GET / HTTP/1.1\r\n"), 0);
        AWAIT(&t, t.closed);
        EDDY_CHECK_STR(t.text, "[one]closed EDDY_ESYNTAX");
        close_told(&t);
    }
}

EDDY_TEST(an_end_inside_a_message_closes)
{
    ENDS_EACH(kind)
    {
        struct told t = { .messages = 0 };
        if (!open_told(kind, &t, EDDY_OPT(framed, .framing = { .kind = EDDY_FRAMING_NETSTRING })))
            return;
        eddy_framed_resume(t.f);
        EDDY_CHECK_EQ(eddy_write_text(t.peer, "3:one,3:t"), 0);
        EDDY_CHECK_EQ(eddy_stream_finish(t.peer), 0);
        AWAIT(&t, t.closed);
        EDDY_CHECK_STR(t.text, "[one]closed EDDY_EEOF");
        close_told(&t);
    }
}

EDDY_TEST(after_the_end_calls_say_so)
{
    struct told t = { .messages = 0 };
    int fd;

    if (!open_told(ENDS_PAIR, &t, LINES))
        return;
    struct eddy_framed *f = t.f;
    EDDY_CHECK_ERR(eddy_framed_info(f, EDDY_INFO_TLS, &fd), -ENOENT);
    eddy_framed_close(f, 0);
    EDDY_CHECK_ERR(eddy_framed_send(f, "x", 1), -EBADF);
    EDDY_CHECK_ERR(eddy_framed_take(f, &t.taken, &t.kept), -EBADF);
    eddy_framed_close(f, -EIO);
    eddy_framed_resume(f);
    close_told(&t);
    EDDY_CHECK_STR(t.text, "closed 0");
}

EDDY_TEST(options_that_make_no_sense)
{
    struct eddy_transport *end[2];
    struct eddy_framed *f;

    EDDY_CHECK_EQ(eddy_transport_pair(0, &end[0], &end[1]), 0);
    EDDY_CHECK_ERR(
        eddy_framed_new(end[0], &protocol, NULL, EDDY_OPT(framed, .low = 5, .high = 4), &f),
        -EINVAL);
    EDDY_CHECK_ERR(
        eddy_framed_new(end[0], &protocol, NULL, EDDY_OPT(framed, .high = 5, .max = 4), &f),
        -EINVAL);
    EDDY_CHECK_ERR(eddy_framed_new(end[0], &protocol, NULL,
                                   EDDY_OPT(framed, .framing = { .kind = EDDY_FRAMING_DELIMITER }),
                                   &f),
                   -EINVAL);
    eddy_transport_close(end[0], 0);
    eddy_transport_close(end[1], 0);
    turn();
}

/* One exchange, in which the k-th allocation fails, for every k. */
static void exchange(void)
{
    struct told t = { .messages = 0 };
    struct eddy_transport *end[2];

    if (eddy_transport_pair(0, &end[0], &end[1]) < 0)
        return;
    if (eddy_stream_of(end[1], &t.peer) < 0) {
        eddy_fault_stop();
        eddy_transport_close(end[0], 0);
        eddy_transport_close(end[1], 0);
        turn();
        return;
    }
    if (eddy_framed_new(end[0], &protocol, &t, LINES, &t.f) < 0) {
        eddy_transport_close(end[0], 0);
        t.f = NULL;
    } else {
        eddy_framed_resume(t.f);
        eddy_framed_send(t.f, "one", 3);
        (void)eddy_write_text(t.peer, "two\nthr");
        turn();
        if (t.f)
            eddy_framed_send(t.f, much, 65536);
        (void)eddy_write_text(t.peer, "ee\n");
        turn();
    }
    eddy_fault_stop();
    close_told(&t);
    turn();
}

EDDY_TEST(every_failed_allocation)
{
    exchange();
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);)
        exchange();
}
