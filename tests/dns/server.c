#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_AAAA = 28, NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3 };

static int fd = -1;
static atomic_uint questions;

static struct slow {
    unsigned char packet[512];
    ssize_t len;
    struct sockaddr_in from;
} slow[16];
static atomic_uint slow_count;

static size_t record(unsigned char *at, unsigned type, const void *data, size_t len)
{
    const unsigned char head[] = { 0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0,
                                   0,    60, 0, (unsigned char)len };

    memcpy(at, head, sizeof head);
    memcpy(at + sizeof head, data, len);
    return sizeof head + len;
}

/* The first label, and the type asked for. */
static void reply(unsigned char *p, size_t len, const struct sockaddr_in *to, const char *label)
{
    unsigned type = p[len - 3];
    unsigned count = 0;
    int code = NOERROR;

    if (strcmp(label, "nx") == 0)
        code = NXDOMAIN;
    else if (strcmp(label, "fail") == 0)
        code = SERVFAIL;
    else if ((strcmp(label, "good") == 0 || strcmp(label, "slow") == 0) && type == TYPE_A) {
        len += record(p + len, type, "\xc0\x00\x02\x07", 4);
        len += record(p + len, type, "\xc0\x00\x02\x08", 4);
        count = 2;
    } else if (strcmp(label, "six") == 0 && type == TYPE_AAAA) {
        len += record(p + len, type, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16);
        count = 1;
    }
    p[2] = 0x81; /* an answer; recursion was desired, and is available */
    p[3] = (unsigned char)(0x80 | code);
    p[7] = (unsigned char)count;
    p[11] = 0; /* no EDNS from us */
    sendto(fd, p, len, 0, (const struct sockaddr *)to, sizeof *to);
}

static void answer(unsigned char *p, size_t len, const struct sockaddr_in *from)
{
    char label[64] = { 0 };
    size_t at = 12;

    if (len < 17 || p[12] > 63)
        return;
    memcpy(label, p + 13, p[12]);
    while (at < len && p[at])
        at += (size_t)p[at] + 1;
    if (at + 5 > len || strcmp(label, "silent") == 0)
        return;
    len = at + 5;
    if (strcmp(label, "slow") == 0 && atomic_load(&slow_count) < 16) {
        struct slow *s = &slow[atomic_load(&slow_count)];
        memcpy(s->packet, p, len);
        s->len = (ssize_t)len;
        s->from = *from;
        atomic_fetch_add(&slow_count, 1);
        return;
    }
    reply(p, len, from, label);
}

static void *serve(void *unused)
{
    unsigned char packet[2048];

    (void)unused;
    for (;;) {
        struct sockaddr_in from;
        socklen_t from_len = sizeof from;
        ssize_t n = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
        if (n < 0)
            return NULL;
        atomic_fetch_add(&questions, 1);
        answer(packet, (size_t)n, &from);
    }
}

bool name_server_start(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    pthread_t thread;
    char text[64];

    if (fd >= 0)
        return true;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0 ||
        pthread_create(&thread, NULL, serve, NULL) != 0)
        return false;
    pthread_detach(thread);
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    return setenv("EDDY_NAMESERVERS", text, 1) == 0;
}

void name_server_release(void)
{
    while (atomic_load(&slow_count)) {
        struct slow *s = &slow[atomic_load(&slow_count) - 1];
        unsigned char packet[2048];
        memcpy(packet, s->packet, (size_t)s->len);
        reply(packet, (size_t)s->len, &s->from, "slow");
        atomic_fetch_sub(&slow_count, 1);
    }
}

unsigned name_server_questions(void)
{
    return atomic_load(&questions);
}
