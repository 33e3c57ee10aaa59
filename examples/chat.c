/* A chat's server: ./chat [ADDRESS], 127.0.0.1:7001 unless told. What one says all are told. Who does not
 * read misses lines, and holds up nobody. chat_client.c is for a terminal; nc will do, too. */
#include <eddy.h>
#include <stdio.h>
#include <string.h>

static const struct eddy_framing line = { .kind = EDDY_FRAMING_LINE, .max_bytes = 500 };

struct text {
    char bytes[512];
};

static struct eddy_channel *members[100]; /* what each is to be told */

static void tell_all(const struct text *text)
{
    for (size_t i = 0; i < 100; i++)
        if (members[i])
            eddy_channel_try_send(members[i], text);
}

struct tell_args {
    struct eddy_stream *peer;
    struct eddy_channel *news;
};

static int tell(struct tell_args *a)
{
    struct text text;
    int r;

    while ((r = eddy_channel_receive(a->news, &text)) > 0)
        if ((r = eddy_frame_write(a->peer, &line, text.bytes, strlen(text.bytes))) < 0)
            break;
    return r;
}
EDDY_TASK(tell);

struct member_args {
    struct eddy_stream *peer;
};

static int member(struct member_args *a)
{
    EDDY_OWN(eddy_stream) peer = a->peer;
    EDDY_OWN(eddy_channel) news = NULL;
    size_t place = 0;

    while (place < 100 && members[place])
        place++;
    int r = place == 100
                ? -EBUSY
                : eddy_channel_new(sizeof(struct text), EDDY_OPT(channel, .capacity = 64), &news);
    if (r < 0)
        return r;
    members[place] = news;
    {
        EDDY_SCOPE(telling, .isolate = true); /* left with the last line, it ends with it */
        EDDY_GO(&telling, tell, .peer = peer, .news = news);
        EDDY_AUTO(eddy_frames) in = eddy_frames(peer, &line);
        while (eddy_frames_next(&in)) {
            struct text text;
            snprintf(text.bytes, sizeof text.bytes, "%.*s", EDDY_SLICE_ARG(in.message));
            tell_all(&text);
        }
        members[place] = NULL;
    }
    return 0;
}
EDDY_TASK(member);

static int serve(struct eddy_listener *door)
{
    EDDY_SCOPE(all, .isolate = true);
    struct eddy_stream *peer;
    int r;

    while ((r = eddy_accept(door, &peer)) == 0)
        if (EDDY_GO(&all, member, .peer = peer) < 0)
            eddy_stream_free(peer);
    return r;
}

int main(int argc, char **argv)
{
    EDDY_OWN(eddy_listener) door = NULL;
    const char *where = argc > 1 ? argv[1] : "127.0.0.1:7001";
    struct eddy_error err = { 0 };
    struct eddy_address at;
    char text[EDDY_ADDRESS_TEXT];

    int r = eddy_listen(where, EDDY_OPT(listen, .error = &err), &door);
    if (r == 0)
        r = eddy_listener_address(door, &at);
    if (r < 0)
        return eddy_print_error("chat: %s\n", err.text), 1;
    eddy_print("chat at %s\n", eddy_address_format(&at, text, sizeof text));
    return serve(door) < 0;
}
