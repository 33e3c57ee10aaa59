/* Mail over SMTP with STARTTLS: ./mail SERVER:PORT '<FROM>' '<TO>' [CA_FILE] < MESSAGE. The connection is secured
 * before anything of the mail is said, or nothing is said at all; a minute for the whole of it. */
#include <eddy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct eddy_framing line = { .kind = EDDY_FRAMING_LINE, .max_bytes = 1000 };

/* The code of a reply, whose lines but the last have a '-' behind it. */
static int reply(struct eddy_stream *s, char text[512])
{
    EDDY_AUTO(eddy_frames) in = eddy_frames(s, &line);

    while (eddy_frames_next(&in)) {
        snprintf(text, 512, "%.*s", EDDY_SLICE_ARG(in.message));
        if (in.message.len < 4 || in.message.ptr[3] != '-')
            return atoi(text);
    }
    snprintf(text, 512, "%s", eddy_strerror(in.status ? in.status : -EDDY_EEOF));
    return in.status ? in.status : -EDDY_EEOF;
}

/* Say it, and expect a reply of that hundred. */
static int say(struct eddy_stream *s, int hundred, const char *command, const char *argument)
{
    char text[512];

    snprintf(text, sizeof text, "%s%s", command, argument);
    int r = *text ? eddy_frame_write(s, &line, text, strlen(text)) : 0;
    if (r < 0)
        return r;
    int code = reply(s, text);
    if (code / 100 == hundred)
        return 0;
    fprintf(stderr, "mail: \"%s\" was answered: %s\n", command, text);
    return code < 0 ? code : -EPROTO;
}

static int send_message(struct eddy_stream *s)
{
    EDDY_AUTO(eddy_lines) in = eddy_lines(eddy_stdin(), NULL);
    char text[1000];
    int r = 0;

    while (r == 0 && eddy_lines_next(&in)) {
        int len = snprintf(text, sizeof text, "%s%.*s",
                           in.line.len && *in.line.ptr == '.' ? "." : "", EDDY_SLICE_ARG(in.line));
        r = len < 1000 ? eddy_frame_write(s, &line, text, (size_t)len) : -EDDY_ETOOBIG;
    }
    return r < 0 ? r : in.status < 0 ? in.status : say(s, 2, ".", "");
}

static int mail(char **argv, struct eddy_tls *tls, struct eddy_error *err)
{
    EDDY_OWN(eddy_stream) s = NULL;
    char host[256];
    EDDY_SCOPE(job, .timeout_ms = 60000);

    snprintf(host, sizeof host, "%.*s", (int)strcspn(argv[1], ":"), argv[1]);
    int r = eddy_connect(argv[1], EDDY_OPT(connect, .default_port = 587, .error = err), &s);
    if (r == 0)
        r = say(s, 2, "", "");
    if (r == 0)
        r = say(s, 2, "EHLO ", "localhost");
    if (r == 0)
        r = say(s, 2, "STARTTLS", "");
    if (r == 0)
        r = eddy_starttls(s, tls, host, err);
    if (r == 0)
        r = say(s, 2, "EHLO ", "localhost");
    if (r == 0)
        r = say(s, 2, "MAIL FROM:", argv[2]);
    if (r == 0)
        r = say(s, 2, "RCPT TO:", argv[3]);
    if (r == 0)
        r = say(s, 3, "DATA", "");
    if (r == 0)
        r = send_message(s);
    return r < 0 ? r : say(s, 2, "QUIT", "");
}

int main(int argc, char **argv)
{
    EDDY_OWN(eddy_tls) tls = NULL;
    struct eddy_error err = { 0 };

    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: mail SERVER:PORT '<FROM>' '<TO>' [CA_FILE] < MESSAGE\n");
        return 2;
    }
    int r = eddy_tls_client_new(EDDY_OPT(tls_client, .ca_file = argc > 4 ? argv[4] : NULL), &tls,
                                &err);
    if (r == 0)
        r = mail(argv, tls, &err);
    if (r < 0)
        fprintf(stderr, "mail: not sent: %s\n", err.code ? err.text : eddy_strerror(r));
    return r < 0;
}
