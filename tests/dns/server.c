#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { A = 1, CNAME = 5, SOA = 6, MX = 15, TXT = 16, AAAA = 28, SRV = 33 };
enum { NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3 };

static int fd = -1, tcp_fd = -1;
static atomic_uint questions, tcp_questions, tcp_open;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[8192];

static struct slow {
    unsigned char packet[512];
    size_t len;
    struct sockaddr_in from;
} slow[16];
static atomic_uint slow_count;

/* A question and, behind it, the answer as it grows. */
struct message {
    unsigned char bytes[4096];
    size_t len;
    char name[256];
    char label[64]; /* its first one */
    unsigned type;
    unsigned count; /* of records */
};

/* --- records --------------------------------------------------------------------------------- */

static void record(struct message *m, unsigned type, unsigned ttl, const void *data, size_t len)
{
    const unsigned char head[] = { 0xc0,
                                   12,
                                   0,
                                   (unsigned char)type,
                                   0,
                                   1,
                                   0,
                                   0,
                                   (unsigned char)(ttl >> 8),
                                   (unsigned char)ttl,
                                   (unsigned char)(len >> 8),
                                   (unsigned char)len };

    memcpy(m->bytes + m->len, head, sizeof head);
    memcpy(m->bytes + m->len + sizeof head, data, len);
    m->len += sizeof head + len;
    m->count++;
}

/* One with numbers, and a name in the domain of the question. */
static void named(struct message *m, unsigned type, const unsigned short *numbers, size_t count,
                  const char *label)
{
    unsigned char data[64];
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        data[len++] = (unsigned char)(numbers[i] >> 8);
        data[len++] = (unsigned char)numbers[i];
    }
    if (*label) {
        data[len++] = (unsigned char)strlen(label);
        memcpy(data + len, label, strlen(label));
        len += strlen(label);
        data[len++] = 0xc0; /* behind the first label of the question */
        data[len++] = (unsigned char)(13 + strlen(m->label));
    } else {
        data[len++] = 0;
    }
    record(m, type, 60, data, len);
}

static void put_srv(struct message *m)
{
    static const unsigned short rows[][3] = {
        { 10, 0, 1 }, { 10, 60, 2 }, { 10, 40, 3 }, { 1, 0, 4 }
    };
    static const char *const host[] = { "a", "b", "c", "d" };

    for (size_t i = 0; i < 4; i++)
        named(m, SRV, rows[i], 3, host[i]);
}

static void put_mx(struct message *m)
{
    named(m, MX, (unsigned short[]){ 20 }, 1, "b");
    named(m, MX, (unsigned short[]){ 10 }, 1, "a");
    named(m, MX, (unsigned short[]){ 10 }, 1, "c");
}

static void put_txt(struct message *m)
{
    unsigned char data[768];

    for (int i = 0; i < 3; i++) {
        data[i * 256] = 255;
        memset(data + i * 256 + 1, 'a' + i, 255);
    }
    record(m, TXT, 60, data, sizeof data);
}

static bool is(const struct message *m, const char *label)
{
    return strcmp(m->label, label) == 0;
}

static bool is_good(const struct message *m)
{
    return is(m, "good") || is(m, "slow") || (m->label[0] == 'n' && atoi(m->label + 1) > 0);
}

/* The records of the answer; the code. */
static int put_answer(struct message *m)
{
    bool in_b = strstr(m->name, ".b.test") != NULL;

    if (is(m, "nx") || is(m, "nosoa") || (is(m, "only") && !in_b))
        return NXDOMAIN;
    if (is(m, "fail") || (is(m, "sick") && in_b))
        return SERVFAIL;
    if (m->type == A && is_good(m)) {
        record(m, A, 60, "\xc0\x00\x02\x07", 4);
        record(m, A, 60, "\xc0\x00\x02\x08", 4);
    } else if (m->type == A && is(m, "zero")) {
        record(m, A, 0, "\xc0\x00\x02\x07", 4);
    } else if (m->type == A && is(m, "both")) {
        record(m, A, 60, "\xc0\x00\x02\x09", 4);
    } else if (m->type == A && (is(m, "only") || is(m, "sick"))) {
        record(m, A, 60, is(m, "only") ? "\xc0\x00\x02\x0a" : "\xc0\x00\x02\x0b", 4);
    } else if (m->type == A && is(m, "bad")) {
        record(m, A, 60, "\xc0\x00\x02", 3);
    } else if (m->type == AAAA && (is(m, "six") || is(m, "both"))) {
        record(m, AAAA, is(m, "both") ? 7 : 60,
               is(m, "six") ? "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
                            : "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09",
               16);
    } else if (m->type == A && is(m, "alias")) {
        record(m, CNAME, 5, "\x04good\xc0\x12", 7);
        record(m, A, 60, "\xc0\x00\x02\x07", 4);
    } else if (m->type == SRV && is(m, "srv")) {
        put_srv(m);
    } else if (m->type == SRV && is(m, "nosrv")) {
        named(m, SRV, (unsigned short[]){ 0, 0, 0 }, 3, "");
    } else if (m->type == MX && is(m, "mx")) {
        put_mx(m);
    } else if (m->type == MX && is(m, "nomx")) {
        named(m, MX, (unsigned short[]){ 0 }, 1, "");
    } else if (m->type == TXT && is(m, "big")) {
        put_txt(m);
    }
    return NOERROR;
}

/* The message becomes its answer. */
static void answer(struct message *m, bool is_udp)
{
    static const unsigned char soa[] = { 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0,
                                         0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 60 };
    const size_t question = m->len;

    int code = put_answer(m);
    m->bytes[2] = 0x81; /* an answer; recursion was desired, and is available */
    m->bytes[3] = (unsigned char)(0x80 | code);
    m->bytes[7] = (unsigned char)m->count;
    m->bytes[11] = 0; /* no EDNS from us */
    if (is_udp && m->len > 512) {
        m->len = question;
        m->bytes[2] |= 2;
        m->bytes[7] = 0;
    } else if (!m->count && code != SERVFAIL && !is(m, "nosoa")) {
        record(m, SOA, 120, soa, sizeof soa);
        m->bytes[9] = 1;
    }
}

/* --- questions ------------------------------------------------------------------------------- */

static bool read_question(struct message *m)
{
    size_t at = 12, len = 0;

    m->count = 0;
    if (m->len < 17 || m->bytes[12] > 63)
        return false;
    memset(m->label, 0, sizeof m->label);
    memcpy(m->label, m->bytes + 13, m->bytes[12]);
    while (at < m->len && m->bytes[at] && len + m->bytes[at] + 2 < sizeof m->name) {
        memcpy(m->name + len, m->bytes + at + 1, m->bytes[at]);
        len += m->bytes[at];
        m->name[len++] = '.';
        at += (size_t)m->bytes[at] + 1;
    }
    m->name[len ? len - 1 : 0] = '\0';
    if (at + 5 > m->len)
        return false;
    m->type = (unsigned)m->bytes[at + 1] << 8 | m->bytes[at + 2];
    m->len = at + 5;
    return true;
}

static const char *type_name(unsigned type)
{
    return type == A      ? "A"
           : type == AAAA ? "AAAA"
           : type == TXT  ? "TXT"
           : type == MX   ? "MX"
           : type == SRV  ? "SRV"
                          : "?";
}

static void write_log(const struct message *m)
{
    pthread_mutex_lock(&log_lock);
    size_t len = strlen(log_text);
    snprintf(log_text + len, sizeof log_text - len, "%s %s;", type_name(m->type), m->name);
    pthread_mutex_unlock(&log_lock);
}

static void *serve_udp(void *unused)
{
    struct message m;

    (void)unused;
    for (;;) {
        struct sockaddr_in from;
        socklen_t from_len = sizeof from;
        ssize_t n = recvfrom(fd, m.bytes, 512, 0, (struct sockaddr *)&from, &from_len);
        if (n < 0)
            return NULL;
        m.len = (size_t)n;
        if (!read_question(&m))
            continue;
        write_log(&m);
        if (is(&m, "slow") && atomic_load(&slow_count) < 16) {
            struct slow *s = &slow[atomic_load(&slow_count)];
            memcpy(s->packet, m.bytes, m.len);
            s->len = m.len;
            s->from = from;
            atomic_fetch_add(&slow_count, 1);
            atomic_fetch_add(&questions, 1);
            continue;
        }
        atomic_fetch_add(&questions, 1);
        if (is(&m, "silent"))
            continue;
        answer(&m, true);
        sendto(fd, m.bytes, m.len, 0, (const struct sockaddr *)&from, from_len);
    }
}

static bool read_all(int s, void *buf, size_t len)
{
    return recv(s, buf, len, MSG_WAITALL) == (ssize_t)len;
}

/* One connection after the other: what c-ares asks for is truncated answers only. */
static void *serve_tcp(void *unused)
{
    struct message m;

    (void)unused;
    for (;;) {
        int s = accept(tcp_fd, NULL, NULL);
        unsigned char head[2];
        if (s < 0)
            return NULL;
        atomic_fetch_add(&tcp_open, 1);
        while (read_all(s, head, 2)) {
            m.len = (size_t)head[0] << 8 | head[1];
            if (m.len > 512 || !read_all(s, m.bytes, m.len) || !read_question(&m))
                break;
            atomic_fetch_add(&questions, 1);
            atomic_fetch_add(&tcp_questions, 1);
            answer(&m, false);
            head[0] = (unsigned char)(m.len >> 8);
            head[1] = (unsigned char)m.len;
            send(s, head, 2, MSG_NOSIGNAL | MSG_MORE);
            send(s, m.bytes, m.len, MSG_NOSIGNAL);
        }
        close(s);
        atomic_fetch_sub(&tcp_open, 1);
    }
}

/* --- for the tests --------------------------------------------------------------------------- */

bool name_server_start(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    pthread_t thread;
    char text[64];

    if (fd >= 0)
        return true;
    /* The TCP port is the harder one to have: the UDP one of the same number is tried then. */
    for (int i = 0; i < 20 && fd < 0; i++) {
        at.sin_port = 0;
        tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (bind(tcp_fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(tcp_fd, 16) == 0 &&
            getsockname(tcp_fd, (struct sockaddr *)&at, &len) == 0 &&
            bind(fd, (struct sockaddr *)&at, sizeof at) == 0)
            break;
        close(fd);
        close(tcp_fd);
        fd = -1;
    }
    if (fd < 0 || pthread_create(&thread, NULL, serve_udp, NULL) != 0 ||
        pthread_detach(thread) != 0 || pthread_create(&thread, NULL, serve_tcp, NULL) != 0)
        return false;
    pthread_detach(thread);
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    return setenv("EDDY_NAMESERVERS", text, 1) == 0;
}

void name_server_release(void)
{
    while (atomic_load(&slow_count)) {
        struct slow *s = &slow[atomic_load(&slow_count) - 1];
        struct message m;
        memcpy(m.bytes, s->packet, s->len);
        m.len = s->len;
        if (read_question(&m)) {
            answer(&m, true);
            sendto(fd, m.bytes, m.len, 0, (const struct sockaddr *)&s->from, sizeof s->from);
        }
        atomic_fetch_sub(&slow_count, 1);
    }
}

unsigned name_server_questions(void)
{
    return atomic_load(&questions);
}

unsigned name_server_tcp(void)
{
    return atomic_load(&tcp_questions);
}

void name_server_settle(void)
{
    while (atomic_load(&tcp_open))
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

void name_server_log(char *text, size_t cap)
{
    pthread_mutex_lock(&log_lock);
    snprintf(text, cap, "%s", log_text);
    log_text[0] = '\0';
    pthread_mutex_unlock(&log_lock);
}
