/*
 * Many datagrams by one call, segments, control data, and machines that lack some of it.
 *
 * backends: select poll epoll uring
 */
#include "base/sys.h"
#include "check.h"
#include "loop/loop.h"

#include <eddy/task.h>
#include <eddy/udp.h>

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COUNT 200

static char memory[COUNT][64];

void eddy_check_teardown(void)
{
    eddy__sys = eddy__sys_kernel;
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

/* Names in the abstract space are everybody's: ours has our number in it. */
static const char *abstract(const char *name)
{
    static char text[64];

    (void)snprintf(text, sizeof text, "unix:@eddy-udp-%s-%ld", name, (long)getpid());
    return text;
}

static bool open_two(const char *local, const struct eddy_udp_options *options,
                     struct eddy_udp **ret_server, struct eddy_udp **ret_client)
{
    struct eddy_address a;

    return EDDY_CHECK_EQ(eddy_udp_open(local, options, ret_server), 0) &&
           EDDY_CHECK_EQ(eddy_udp_address(*ret_server, &a), 0) &&
           EDDY_CHECK_EQ(eddy_udp_open(NULL, EDDY_OPT(udp, .peer = &a), ret_client), 0);
}

/* How often each entry of the table was called, and what it is to say instead of the kernel. */
static int calls_of_many, calls_of_one, no_many, segment_error;

static int counted_recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
    calls_of_many++;
    return no_many ? -ENOSYS : eddy__sys_kernel.recvmmsg(fd, m, count, flags);
}

static size_t longest_cut;

static bool is_cut(const struct msghdr *m)
{
    const struct cmsghdr *c = m->msg_controllen ? CMSG_FIRSTHDR(m) : NULL;

    return c && c->cmsg_level == IPPROTO_UDP;
}

/* From which IPv6 address a message wants to come. */
static struct in6_addr source;

static void note_source(const struct msghdr *m)
{
    const struct cmsghdr *c = m->msg_controllen ? CMSG_FIRSTHDR(m) : NULL;
    struct in6_pktinfo info;

    if (c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        memcpy(&info, CMSG_DATA(c), sizeof info);
        source = info.ipi6_addr;
    }
}

static int counted_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
    calls_of_many++;
    if (no_many)
        return -ENOSYS;
    for (unsigned i = 0; i < count; i++) {
        const struct msghdr *h = &m[i].msg_hdr;
        if (is_cut(h) && h->msg_iov->iov_len > longest_cut)
            longest_cut = h->msg_iov->iov_len;
        note_source(h);
    }
    unsigned n = 0;
    while (segment_error && n < count && !is_cut(&m[n].msg_hdr))
        n++;
    if (segment_error && n == 0)
        return segment_error;
    return eddy__sys_kernel.sendmmsg(fd, m, segment_error ? n : count, flags);
}

static ssize_t counted_sendmsg(int fd, const struct msghdr *m, int flags)
{
    calls_of_one++;
    return segment_error && is_cut(m) ? segment_error : eddy__sys_kernel.sendmsg(fd, m, flags);
}

static void count_calls(void)
{
    calls_of_many = calls_of_one = no_many = segment_error = 0;
    eddy__sys.recvmmsg = counted_recvmmsg;
    eddy__sys.sendmmsg = counted_sendmmsg;
    eddy__sys.sendmsg = counted_sendmsg;
}

static void number_them(struct eddy_datagram *d, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        d[i] = (struct eddy_datagram){ .ptr = memory[i], .cap = sizeof memory[i] };
        d[i].len = (size_t)snprintf(memory[i], sizeof memory[i], "number %zu", i);
    }
}

static void check_numbers(const struct eddy_datagram *d, size_t count, size_t from)
{
    char want[64];

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(want, sizeof want, "number %zu", from + i);
        EDDY_CHECK_MEM(d[i].ptr, d[i].len, want, strlen(want));
        EDDY_CHECK(!d[i].truncated);
        EDDY_CHECK_EQ(d[i].segment_size, 0);
    }
}

static void batch(void)
{
    static struct eddy_datagram out[COUNT], in[COUNT];
    static char room[COUNT][64];
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct eddy_address a;

    if (!open_two("127.0.0.1:0", NULL, &server, &client))
        return;
    EDDY_CHECK_EQ(eddy_udp_address(client, &a), 0);
    number_them(out, COUNT);
    EDDY_CHECK_EQ(eddy_udp_send_many(client, out, COUNT), COUNT);
    EDDY_CHECK_EQ(out[COUNT - 1].sent, out[COUNT - 1].len);
    for (size_t i = 0; i < COUNT; i++)
        in[i] = (struct eddy_datagram){ .ptr = room[i], .cap = sizeof room[i] };
    size_t got = 0;
    int most = 0;
    while (got < COUNT) {
        int n = eddy_udp_receive_many(server, in + got, COUNT - got);
        if (!EDDY_CHECK(n > 0 && n <= 64))
            return;
        most = n > most ? n : most;
        got += (size_t)n;
    }
    EDDY_CHECK_EQ(most, 64); /* it asks for more when more come together */
    check_numbers(in, COUNT, 0);
    EDDY_CHECK(eddy_address_eq(&in[COUNT - 1].peer, &a));
    EDDY_SCOPE(patience, .timeout_ms = 5);
    EDDY_CHECK_ERR(eddy_udp_receive_many(server, in, COUNT), -ETIMEDOUT);
}

EDDY_TEST(a_batch_is_what_is_there)
{
    count_calls();
    batch();
    EDDY_CHECK(calls_of_many >= 8 && calls_of_many < 14); /* 4 each way, and what found nothing */
    EDDY_CHECK_EQ(calls_of_one, 0);
}

EDDY_TEST(without_the_call_for_many_they_go_one_by_one)
{
    count_calls();
    no_many = 1;
    batch();
    EDDY_CHECK_EQ(calls_of_one, COUNT);
}

EDDY_TEST(a_cut_one_of_a_batch_is_told)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    char room[3][4];
    struct eddy_datagram d[3];

    if (!open_two("127.0.0.1:0", NULL, &server, &client))
        return;
    for (int i = 0; i < 3; i++)
        d[i] = (struct eddy_datagram){ .ptr = room[i], .cap = sizeof room[i] };
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "one", 3), 0);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "seven", 5), 0);
    EDDY_CHECK_EQ(eddy_udp_send(client, NULL, "", 0), 0);
    EDDY_CHECK_EQ(eddy_udp_receive_many(server, d, 3), 3);
    EDDY_CHECK(!d[0].truncated && d[1].truncated && !d[2].truncated);
    EDDY_CHECK_EQ(d[1].len, 4);
    EDDY_CHECK_EQ(d[2].len, 0);
}

EDDY_TEST(a_batch_says_how_far_it_came)
{
    static char big[70000];
    static struct eddy_datagram d[COUNT];
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;

    if (!open_two("127.0.0.1:0", NULL, &server, &client))
        return;
    number_them(d, COUNT);
    d[150].ptr = big;
    d[150].len = sizeof big;
    EDDY_CHECK_EQ(eddy_udp_send_many(client, d, COUNT), 150);
    EDDY_CHECK_ERR(eddy_udp_send_many(client, d + 150, COUNT - 150), -EMSGSIZE);
    EDDY_CHECK_EQ(d[150].sent, 0);
    EDDY_CHECK_EQ(eddy_udp_send_many(client, d + 151, COUNT - 151), COUNT - 151);
}

struct send_them_args {
    struct eddy_udp *u;
    struct eddy_datagram *d;
    size_t count;
    int *result;
};

static int send_them(struct send_them_args *a)
{
    *a->result = eddy_udp_send_many(a->u, a->d, a->count);
    return 0;
}
EDDY_TASK(send_them);

EDDY_TEST(a_long_batch_leaves_others_their_turn)
{
    enum { MANY = 5000 };
    static struct eddy_datagram d[MANY];
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    int result = 0;

    if (!open_two("127.0.0.1:0", NULL, &server, &client))
        return;
    for (size_t i = 0; i < MANY; i++)
        d[i] = (struct eddy_datagram){ .ptr = memory[0], .len = 1 };
    EDDY_SCOPE(sender, .timeout_ms = 20000);
    EDDY_GO(&sender, send_them, .u = client, .d = d, .count = MANY, .result = &result);
    EDDY_CHECK_EQ(eddy_yield(), 0);
    EDDY_CHECK_EQ(result, 0);
    EDDY_CHECK(d[0].sent && !d[MANY - 1].sent); /* 1024 at the start, as many by the loop */
    EDDY_CHECK_EQ(eddy_join(&sender), 0);
    EDDY_CHECK_EQ(result, MANY);
}

/* A Unix peer has room for some of them; then the scope ends. */
EDDY_TEST(a_cancelled_batch_says_how_far_it_came)
{
    enum { MANY = 2000 };
    static struct eddy_datagram d[MANY], in[COUNT];
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    int result = 0, got = 0;

    if (!open_two(abstract("batch"), NULL, &server, &client))
        return;
    for (size_t i = 0; i < MANY; i++)
        d[i] = (struct eddy_datagram){ .ptr = memory[0], .len = 1 };
    {
        EDDY_SCOPE(sender, .timeout_ms = 20000);
        EDDY_GO(&sender, send_them, .u = client, .d = d, .count = MANY, .result = &result);
        EDDY_CHECK_EQ(eddy_sleep(5), 0);
    }
    EDDY_CHECK(result > 0 && result < MANY);
    EDDY_CHECK_EQ(d[result - 1].sent, 1);
    EDDY_CHECK_EQ(d[result].sent, 0);
    for (size_t i = 0; i < COUNT; i++)
        in[i] = (struct eddy_datagram){ .ptr = memory[i], .cap = 64 };
    for (;;) {
        EDDY_SCOPE(patience, .timeout_ms = 20);
        int n = eddy_udp_receive_many(server, in, COUNT);
        if (n < 0)
            break;
        got += n;
    }
    EDDY_CHECK_EQ(got, result);
    /* And waited for, all of them arrive. */
    result = got = 0;
    EDDY_SCOPE(sender, .timeout_ms = 20000);
    EDDY_GO(&sender, send_them, .u = client, .d = d, .count = MANY, .result = &result);
    while (got < MANY) {
        int n = eddy_udp_receive_many(server, in, COUNT);
        if (!EDDY_CHECK(n > 0))
            return;
        got += n;
    }
    EDDY_CHECK_EQ(eddy_join(&sender), 0);
    EDDY_CHECK_EQ(result, MANY);
}

/* --- segments --------------------------------------------------------------------------------------- */

#define SEGMENT 1000
#define SEGMENTS 150 /* more than one message holds */

static char bytes[SEGMENT * SEGMENTS + 7];

static void fill_bytes(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i / SEGMENT + i % 251);
}

/* All of it, in segments, each a datagram, the last one of 7 bytes; and one behind it. */
static void check_segments(struct eddy_udp *server)
{
    static char buf[2000];

    for (size_t i = 0; i <= SEGMENTS; i++) {
        EDDY_SCOPE(patience, .timeout_ms = 20000);
        const size_t want = i < SEGMENTS ? SEGMENT : 7;
        ssize_t n = eddy_udp_receive(server, buf, sizeof buf, NULL);
        if (!EDDY_CHECK_EQ(n, want) || !EDDY_CHECK_MEM(buf, want, bytes + i * SEGMENT, want))
            return;
    }
    EDDY_CHECK_EQ(eddy_udp_receive(server, buf, sizeof buf, NULL), 4);
}

static void send_segments(const char *local)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct eddy_datagram d[2] = {
        { .ptr = bytes, .len = sizeof bytes, .segment_size = SEGMENT },
        { .ptr = memory[0], .len = 4, .segment_size = SEGMENT },
    };

    int result = 0;
    fill_bytes();
    if (!open_two(local, EDDY_OPT(udp, .receive_buffer = 1 << 20), &server, &client))
        return;
    EDDY_SCOPE(sender, .timeout_ms = 20000);
    EDDY_GO(&sender, send_them, .u = client, .d = d, .count = 2, .result = &result);
    check_segments(server);
    EDDY_CHECK_EQ(eddy_join(&sender), 0);
    EDDY_CHECK_EQ(result, 2);
    EDDY_CHECK_EQ(d[0].sent, sizeof bytes);
    EDDY_CHECK_EQ(d[1].sent, 4);
}

static int no_segments(int fd, int level, int name, void *value, socklen_t *len)
{
    return level == IPPROTO_UDP ? -ENOPROTOOPT
                                : eddy__sys_kernel.getsockopt(fd, level, name, value, len);
}

EDDY_TEST(segments_are_cut_by_whoever_can)
{
    static const char *const where[] = { "127.0.0.1:0", "[::1]:0" };

    for (size_t i = 0; i < 2; i++) {
        count_calls();
        send_segments(where[i]);
        EDDY_CHECK(calls_of_many <= 2);
        EDDY_CHECK_EQ(longest_cut, 64 * SEGMENT); /* older kernels take no more */
        /* A kernel that does not know of it. */
        eddy__sys.getsockopt = no_segments;
        send_segments(where[i]);
        eddy__sys.getsockopt = eddy__sys_kernel.getsockopt;
        /* A device that cannot; a segment that is longer than its packets. */
        segment_error = -EIO;
        send_segments(where[i]);
        segment_error = -EINVAL;
        send_segments(where[i]);
        no_many = 1;
        send_segments(where[i]);
        segment_error = 0;
        send_segments(where[i]);
    }
    count_calls();
    send_segments(abstract("segments")); /* it waits for room among them */
}

EDDY_TEST(joined_segments_are_told)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    static char room[4][65536];
    struct eddy_datagram out = { .ptr = bytes, .len = 10 * SEGMENT + 7, .segment_size = SEGMENT };
    struct eddy_datagram in[4] = { 0 };
    struct eddy_slice s;
    size_t got = 0;
    char byte;

    fill_bytes();
    if (!open_two("127.0.0.1:0", EDDY_OPT(udp, .gro = true), &server, &client))
        return;
    EDDY_CHECK_ERR(eddy_udp_receive(server, &byte, 1, NULL), -EINVAL);
    EDDY_CHECK_EQ(eddy_udp_send_many(client, &out, 1), 1);
    while (got < out.len) {
        for (int i = 0; i < 4; i++)
            in[i] = (struct eddy_datagram){ .ptr = room[i], .cap = sizeof room[i] };
        int n = eddy_udp_receive_many(server, in, 4);
        if (!EDDY_CHECK(n > 0))
            return;
        for (int i = 0; i < n; i++)
            for (size_t k = 0; eddy_datagram_segment(&in[i], k, &s); k++) {
                const size_t want = out.len - got < SEGMENT ? out.len - got : SEGMENT;
                EDDY_CHECK_MEM(s.ptr, s.len, bytes + got, want);
                got += s.len;
            }
    }
    EDDY_CHECK_EQ(got, out.len);
    EDDY_CHECK_EQ(in[0].segment_size,
                  SEGMENT); /* on loopback this kernel leaves it as it was sent */
}

EDDY_TEST(segments_of_one_that_was_not_joined)
{
    struct eddy_datagram d = { .ptr = memory[0], .len = 9 };
    struct eddy_slice s = { NULL, 0 };

    EDDY_CHECK(eddy_datagram_segment(&d, 0, &s));
    EDDY_CHECK_EQ(s.len, 9);
    EDDY_CHECK(!eddy_datagram_segment(&d, 1, &s));
    d.len = 0;
    EDDY_CHECK(eddy_datagram_segment(&d, 0, &s)); /* an empty one is one, too */
    EDDY_CHECK_EQ(s.len, 0);
    EDDY_CHECK(!eddy_datagram_segment(&d, 1, &s));
    d.len = 9;
    d.segment_size = 3;
    EDDY_CHECK(eddy_datagram_segment(&d, 2, &s));
    EDDY_CHECK_EQ(s.len, 3);
    EDDY_CHECK(!eddy_datagram_segment(&d, 3, &s));
}

/* --- control data ------------------------------------------------------------------------------------ */

/* All of 127/8 is this machine: asked at .7, it answers from .7, and the asker takes it. */
static void local_address(const char *bound, const char *asked)
{
    EDDY_OWN(eddy_udp) server = NULL;
    EDDY_OWN(eddy_udp) client = NULL;
    struct eddy_address a, to;
    char room[8], text[EDDY_ADDRESS_TEXT];
    struct eddy_datagram d = { .ptr = room, .cap = sizeof room };

    EDDY_CHECK_EQ(
        eddy_udp_open(bound, EDDY_OPT(udp, .packet_info = true, .tell_tos = true), &server), 0);
    EDDY_CHECK_EQ(eddy_udp_address(server, &a), 0);
    (void)snprintf(text, sizeof text, "%s:%u", asked, eddy_address_port(&a));
    EDDY_CHECK_EQ(eddy_address_parse(text, 0, &to, NULL), 0);
    EDDY_CHECK_EQ(eddy_udp_open(NULL, EDDY_OPT(udp, .connect = text), &client), 0);
    EDDY_CHECK_EQ(
        eddy_udp_send_many(client, &(struct eddy_datagram){ .ptr = "ask", .len = 3, .tos = 2 }, 1),
        1);
    EDDY_CHECK_EQ(eddy_udp_receive_many(server, &d, 1), 1);
    EDDY_CHECK_STR(eddy_address_format(&d.local, (char[EDDY_ADDRESS_TEXT]){ 0 }, EDDY_ADDRESS_TEXT),
                   text);
    EDDY_CHECK_EQ(d.interface, 1); /* the loopback is the first one of any Linux */
    EDDY_CHECK_EQ(d.tos, 2);
    /* The answer is the question, with another text. */
    EDDY_CHECK_EQ(eddy_udp_send_many(server, &d, 1), 1);
    EDDY_CHECK_EQ(eddy_udp_receive(client, room, sizeof room, &a), 3);
    EDDY_CHECK(eddy_address_eq(&a, &to));
}

EDDY_TEST(the_local_address_is_told_and_chosen)
{
    local_address("0.0.0.0:0", "127.0.0.7");
    local_address("[::]:0", "127.0.0.7");
    count_calls();
    local_address("[::]:0", "[::1]");
    EDDY_CHECK(IN6_IS_ADDR_LOOPBACK(&source)); /* there is no second one to see it by */
}

EDDY_TEST(options_are_set)
{
    static const struct eddy_udp_options refused[] = {
        { .size = sizeof refused[0], .ttl = 3 },
        { .size = sizeof refused[0], .packet_info = true },
        { .size = sizeof refused[0], .tell_tos = true },
        { .size = sizeof refused[0], .no_multicast_loop = true },
        { .size = sizeof refused[0], .multicast_ttl = 1 },
        { .size = sizeof refused[0], .multicast_interface = "lo" },
        { .size = sizeof refused[0], .interface = "lo" },
        { .size = sizeof refused[0], .v6_only = true },
    };
    EDDY_OWN(eddy_udp) first = NULL;
    EDDY_OWN(eddy_udp) second = NULL;
    struct eddy_error err = { 0 };
    struct eddy_address a;
    char text[EDDY_ADDRESS_TEXT];

    EDDY_CHECK_EQ(
        eddy_udp_open("127.0.0.1:0",
                      EDDY_OPT(udp, .reuse_port = true, .broadcast = true, .ttl = 3,
                               .interface = "lo", .receive_buffer = 100000, .send_buffer = 100000),
                      &first),
        0);
    EDDY_CHECK_EQ(eddy_udp_address(first, &a), 0);
    eddy_address_format(&a, text, sizeof text);
    EDDY_CHECK_EQ(eddy_udp_open(text, EDDY_OPT(udp, .reuse_port = true), &second), 0);
    EDDY_CHECK_EQ(eddy_udp_close(EDDY_TAKE(second)), 0);
    EDDY_CHECK_ERR(eddy_udp_open(text, EDDY_OPT(udp, .interface = "none0", .error = &err), &second),
                   -ENODEV);
    EDDY_CHECK(strstr(err.text, ".interface") != NULL);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        EDDY_CHECK_ERR(eddy_udp_open(abstract("o"), &refused[i], &second), -EINVAL);
}
