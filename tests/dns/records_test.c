/*
 * Records: what a message says, in which order they are to be tried, and over which transport.
 *
 * backends: select poll epoll uring
 * faults: yes
 */
#include "base/fault.h"
#include "base/memory.h"
#include "check.h"
#include "dns/room.h"
#include "server.h"

#include <eddy/task.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((constructor)) start(void)
{
    name_server_start();
}

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
    name_server_settle();
}

/* --- the order ------------------------------------------------------------------------------- */

EDDY_TEST(srv_are_drawn_by_weight)
{
    unsigned first[5] = { 0 }, last[5] = { 0 };

    for (int i = 0; i < 2000; i++) {
        EDDY_AUTO(eddy_records) found = { 0 };
        if (!EDDY_CHECK_EQ(eddy_lookup_srv("srv.test", NULL, &found), 0) ||
            !EDDY_CHECK_EQ(found.count, 4))
            return;
        EDDY_CHECK(found.at[0].priority == 1 && found.at[0].port == 4 && i == found.cached * i);
        EDDY_CHECK_STR(found.at[0].text, "d.test");
        unsigned seen = 0;
        for (int k = 1; k < 4; k++) {
            EDDY_CHECK_EQ(found.at[k].priority, 10);
            seen |= 1U << found.at[k].port;
        }
        EDDY_CHECK_EQ(seen, 2 | 4 | 8);
        first[found.at[1].port]++;
        last[found.at[3].port]++;
    }
    /* Of 2000: weights 0, 60, 40. One in 101 begins with the weight of 0; bounds of five sigma. */
    EDDY_CHECK(first[1] > 0 && first[1] < 60);
    EDDY_CHECK(first[2] > 1080 && first[2] < 1300);
    EDDY_CHECK(first[3] > 680 && first[3] < 910);
    EDDY_CHECK(last[1] > 1800);
    EDDY_CHECK_EQ(name_server_questions(), 1); /* the draw is each call's own, the answer is not */
}

EDDY_TEST(mx_are_sorted_by_preference)
{
    unsigned a_first = 0;

    for (int i = 0; i < 400; i++) {
        EDDY_AUTO(eddy_records) found = { 0 };
        if (!EDDY_CHECK_EQ(eddy_lookup_mx("mx.test.", NULL, &found), 0) ||
            !EDDY_CHECK_EQ(found.count, 3))
            return;
        EDDY_CHECK(found.at[0].priority == 10 && found.at[1].priority == 10 &&
                   found.at[2].priority == 20);
        EDDY_CHECK_STR(found.at[2].text, "b.test");
        a_first += strcmp(found.at[0].text, "a.test") == 0;
    }
    EDDY_CHECK(a_first > 140 && a_first < 260);
}

EDDY_TEST(a_service_that_is_not_there_has_no_name)
{
    EDDY_AUTO(eddy_records) found = { 0 };
    struct eddy_error err = { 0 };

    EDDY_CHECK_ERR(eddy_lookup_srv("nosrv.test", EDDY_OPT(lookup, .error = &err), &found),
                   -EDDY_ENONAME);
    EDDY_CHECK(strstr(err.text, "no such service"));
    EDDY_CHECK_ERR(eddy_lookup_mx("nomx.test", EDDY_OPT(lookup, .error = &err), &found),
                   -EDDY_ENONAME);
    EDDY_CHECK(strstr(err.text, "no mail"));
    /* As it is, it can be looked at. */
    EDDY_CHECK_EQ(eddy_lookup("nomx.test", EDDY_DNS_MX, NULL, &found), 0);
    EDDY_CHECK(found.count == 1 && found.at[0].len == 0);
}

/* --- answers --------------------------------------------------------------------------------- */

EDDY_TEST(a_truncated_answer_comes_over_tcp)
{
    EDDY_AUTO(eddy_records) found = { 0 };
    const unsigned before = name_server_tcp();

    if (!EDDY_CHECK_EQ(eddy_lookup_txt("big.test", NULL, &found), 0) ||
        !EDDY_CHECK_EQ(found.count, 1) || !EDDY_CHECK_EQ(found.at[0].len, 765))
        return;
    EDDY_CHECK_EQ(name_server_tcp() - before, 1);
    EDDY_CHECK(found.at[0].text[0] == 'a' && found.at[0].text[254] == 'a' &&
               found.at[0].text[255] == 'b' && found.at[0].text[764] == 'c' &&
               found.at[0].text[765] == '\0');
}

EDDY_TEST(any_type_can_be_looked_up)
{
    EDDY_AUTO(eddy_records) found = { 0 };
    struct eddy_error err = { 0 };

    EDDY_CHECK_EQ(eddy_lookup("good.test", EDDY_DNS_A, NULL, &found), 0);
    EDDY_CHECK_EQ(found.count, 2);
    EDDY_CHECK_STR(found.at[0].text, "192.0.2.7");
    EDDY_CHECK(found.at[1].len == 9 && found.at[1].ttl_s == 60 && found.at[1].type == EDDY_DNS_A);
    eddy_records_done(&found);
    eddy_records_done(&found); /* twice is fine */
    EDDY_CHECK_EQ(eddy_lookup("six.test", EDDY_DNS_AAAA, NULL, &found), 0);
    EDDY_CHECK_STR(found.at[0].text, "2001:db8::7");
    eddy_records_done(&found);
    EDDY_CHECK_EQ(eddy_lookup("alias.test", EDDY_DNS_A, NULL, &found), 0);
    EDDY_CHECK(found.count == 1 && found.at[0].ttl_s == 5);
    eddy_records_done(&found);
    EDDY_CHECK_ERR(eddy_lookup("good.test", 65280, EDDY_OPT(lookup, .error = &err), &found),
                   -EDDY_ENONAME);
    EDDY_CHECK(strstr(err.text, "no record of that type"));
    EDDY_CHECK_ERR(eddy_lookup("nx.test", EDDY_DNS_TXT, EDDY_OPT(lookup, .error = &err), &found),
                   -EDDY_ENONAME);
    EDDY_CHECK(strstr(err.text, "no such name"));
    EDDY_CHECK_ERR(eddy_lookup("fail.test", EDDY_DNS_TXT, EDDY_OPT(lookup, .error = &err), &found),
                   -EDDY_ERESOLVER);
    EDDY_CHECK(strstr(err.text, "failed"));
    static const unsigned refused[] = { 0, 41, 128, 252, 255, 65536 };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        EDDY_CHECK_ERR(eddy_lookup("good.test", refused[i], NULL, &found), -EINVAL);
    char long_name[400];
    memset(long_name, 'x', sizeof long_name);
    long_name[399] = '\0';
    EDDY_CHECK_ERR(eddy_lookup_txt(long_name, NULL, &found), -EDDY_ENONAME);
    EDDY_CHECK_ERR(eddy_lookup_txt("", NULL, &found), -EDDY_ENONAME);
    EDDY_CHECK_ERR(eddy_lookup_txt(".", NULL, &found), -EDDY_ENONAME);
}

EDDY_TEST(the_name_of_an_address_is_asked_for_backwards)
{
    static const struct {
        const char *address, *question;
    } cases[] = {
        { "192.0.2.7", "? 7.2.0.192.in-addr.arpa;" },
        { "2001:db8::567:89ab", "? b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
                                ".ip6.arpa;" },
    };
    EDDY_AUTO(eddy_records) found = { 0 };
    struct eddy_address address;
    char log[512];

    name_server_log(log, sizeof log);
    for (size_t i = 0; i < 2; i++) {
        EDDY_CHECK_EQ(eddy_address_of_ip(eddy_slice_of(cases[i].address), 0, &address), 0);
        EDDY_CHECK_ERR(eddy_lookup_ptr(&address, NULL, &found), -EDDY_ENONAME);
        name_server_log(log, sizeof log);
        EDDY_CHECK_STR(log, cases[i].question);
    }
    EDDY_CHECK_EQ(eddy_address_parse("unix:/x", 0, &address, NULL), 0);
    EDDY_CHECK_ERR(eddy_lookup_ptr(&address, NULL, &found), -EINVAL);
}

/* --- messages -------------------------------------------------------------------------------- */

/* Hex with blanks, without a head: an answer of one question, and so many records. */
static int decode(const char *hex, int answers, int authority, int rcode, unsigned type,
                  struct dns_answer **ret)
{
    unsigned char message[512] = { 0,    1,
                                   0x81, (unsigned char)(0x80 | rcode),
                                   0,    1,
                                   0,    (unsigned char)answers,
                                   0,    (unsigned char)authority };
    int len = 12;

    for (; *(hex += strspn(hex, " ")); hex += 2) {
        unsigned byte;
        sscanf(hex, "%2x", &byte);
        message[len++] = (unsigned char)byte;
    }
    /* At the very end of a block of its own, for the sanitizer. */
    unsigned char *exact = eddy__alloc((size_t)len);
    memcpy(exact, message, (size_t)len);
    int r = dns_decode(exact, len, type, ret);
    eddy__free(exact, (size_t)len);
    return r;
}

#define QUESTION "0178 00 0001 0001 " /* x. A IN */

EDDY_TEST(what_a_message_says)
{
    static const struct {
        const char *name, *hex;
        int answers, authority, rcode;
        unsigned type;
        int want, status; /* of the decoder, of the answer */
        int64_t ttl_ms;
        size_t count;
    } cases[] = {
        { "one A", QUESTION "c00c 0001 0001 0000000a 0004 01020304", 1, 0, 0, 1, 0, 0, 10000, 1 },
        { "two, the least TTL",
          QUESTION "c00c 0001 0001 0000000a 0004 01020304 c00c 0001 0001 00000003 0004 01020305", 2,
          0, 0, 1, 0, 0, 3000, 2 },
        { "a TTL with its highest bit is 0 (RFC 2181 8)",
          QUESTION "c00c 0001 0001 80000000 0004 01020304", 1, 0, 0, 1, 0, 0, 0, 1 },
        { "of another class", QUESTION "c00c 0001 0003 0000000a 0004 01020304", 1, 0, 0, 1, 0,
          -EDDY_ENONAME, 0, 0 },
        { "of another type", QUESTION "c00c 001c 0001 0000000a 0004 01020304", 1, 0, 0, 1, 0,
          -EDDY_ENONAME, 0, 0 },
        { "no name, SOA's own TTL is less",
          QUESTION
          "c00c 0006 0001 00000005 0016 00 00 00000001 00000001 00000001 00000001 00000009",
          0, 1, 3, 1, 0, -EDDY_ENONAME, 5000, 0 },
        { "no data, SOA's minimum is less",
          QUESTION
          "c00c 0006 0001 00000009 0016 00 00 00000001 00000001 00000001 00000001 00000005",
          0, 1, 0, 1, 0, -EDDY_ENONAME, 5000, 0 },
        { "no SOA", QUESTION, 0, 0, 3, 1, 0, -EDDY_ENONAME, 0, 0 },
        { "an SOA that is cut",
          QUESTION "c00c 0006 0001 00000005 0015 00 00 00000001 00000001 00000001 00000001 000009",
          0, 1, 3, 1, 0, -EDDY_ENONAME, 0, 0 },
        { "an A of three bytes", QUESTION "c00c 0001 0001 0000000a 0003 010203", 1, 0, 0, 1,
          -EDDY_ERESOLVER, 0, 0, 0 },
        { "data behind the end", QUESTION "c00c 0001 0001 0000000a 0005 01020304", 1, 0, 0, 1,
          -EDDY_ERESOLVER, 0, 0, 0 },
        { "bytes of nobody", QUESTION "c00c ff00 0001 0000000a 0009 01020304", 1, 0, 0, 0xff00,
          -EDDY_ERESOLVER, 0, 0, 0 },
        { "the next record's name for its own",
          QUESTION
          "c00c 0021 0001 0000000a 0006 000100020003 c00c 0001 0001 0000000a 0004 01020304",
          2, 0, 0, 33, -EDDY_ERESOLVER, 0, 0, 0 },
        { "fewer records than told", QUESTION "c00c 0001 0001 0000000a 0004 01020304", 2, 0, 0, 1,
          -EDDY_ERESOLVER, 0, 0, 0 },
        { "a head that is cut", QUESTION "c00c 0001 0001 0000", 1, 0, 0, 1, -EDDY_ERESOLVER, 0, 0,
          0 },
        { "a pointer that is cut", QUESTION "c0", 1, 0, 0, 1, -EDDY_ERESOLVER, 0, 0, 0 },
        { "a label behind the end", QUESTION "3f78", 1, 0, 0, 1, -EDDY_ERESOLVER, 0, 0, 0 },
        { "a question that is cut", "0178 00 0001", 0, 0, 0, 1, -EDDY_ERESOLVER, 0, 0, 0 },
        { "a name that points at itself", QUESTION "c00c 0005 0001 0000000a 0002 c01f", 1, 0, 0, 5,
          -EDDY_ERESOLVER, 0, 0, 0 },
        { "a name of no bytes", QUESTION "c00c 0005 0001 0000000a 0000", 1, 0, 0, 5,
          -EDDY_ERESOLVER, 0, 0, 0 },
        { "a PTR", QUESTION "c00c 000c 0001 0000000a 0002 c00c", 1, 0, 0, 12, 0, 0, 10000, 1 },
        { "an SRV without room for its numbers", QUESTION "c00c 0021 0001 0000000a 0004 00010002",
          1, 0, 0, 33, -EDDY_ERESOLVER, 0, 0, 0 },
        { "a TXT", QUESTION "c00c 0010 0001 0000000a 0005 0161 02 6263", 1, 0, 0, 16, 0, 0, 10000,
          1 },
        { "a TXT of nothing", QUESTION "c00c 0010 0001 0000000a 0001 00", 1, 0, 0, 16, 0, 0, 10000,
          1 },
        { "a string longer than its TXT", QUESTION "c00c 0010 0001 0000000a 0003 03 6162", 1, 0, 0,
          16, -EDDY_ERESOLVER, 0, 0, 0 },
        { "what nobody knows", QUESTION "c00c ff00 0001 0000000a 0003 616263", 1, 0, 0, 0xff00, 0,
          0, 10000, 1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dns_answer *a = NULL;
        int r = decode(cases[i].hex, cases[i].answers, cases[i].authority, cases[i].rcode,
                       cases[i].type, &a);
        if (!EDDY_CHECK_ERR(r, cases[i].want) ||
            (a && (!EDDY_CHECK_ERR(a->status, cases[i].status) ||
                   !EDDY_CHECK_EQ(a->ttl_ms, cases[i].ttl_ms) ||
                   !EDDY_CHECK_EQ(a->count, cases[i].count))))
            EDDY_CHECK_FAIL("%s", cases[i].name);
        if (a && cases[i].type == 16 && a->at[0].len)
            EDDY_CHECK_MEM(a->at[0].text, a->at[0].len, "abc", 3);
        if (a && cases[i].type == 12)
            EDDY_CHECK_STR(a->at[0].text, "x");
        dns_answer_put(a);
    }
    struct dns_answer *a;
    EDDY_CHECK_ERR(dns_decode(NULL, 0, 1, &a), -EDDY_ERESOLVER);
    EDDY_CHECK_ERR(dns_decode((const unsigned char *)"short", 5, 1, &a), -EDDY_ERESOLVER);
}

/* --- the call -------------------------------------------------------------------------------- */

struct seek_args {
    int *result;
};

static int seek(struct seek_args *a)
{
    struct eddy_records found;

    *a->result = eddy_lookup("silent.test", EDDY_DNS_TXT, NULL, &found);
    return 0;
}
EDDY_TASK(seek);

EDDY_TEST(a_cancelled_look_up_does_nothing)
{
    EDDY_AUTO(eddy_records) found = { 0 };
    struct eddy_error err = { 0 };
    const unsigned before = name_server_questions();
    int result = 1;

    {
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, seek, .result = &result);
        while (name_server_questions() == before)
            eddy_sleep(1);
        eddy_scope_cancel(&tasks);
        eddy_join(&tasks);
        EDDY_CHECK_ERR(result, -ECANCELED);
        /* Its scope first, whatever the arguments, and though the cache has it. */
        struct eddy_address none = { 0 };
        EDDY_CHECK_ERR(eddy_lookup_txt("big.test", EDDY_OPT(lookup, .error = &err), &found),
                       -ECANCELED);
        EDDY_CHECK_ERR(err.code, -ECANCELED);
        EDDY_CHECK_ERR(eddy_lookup("x", 255, NULL, &found), -ECANCELED);
        EDDY_CHECK_ERR(eddy_lookup_ptr(&none, NULL, &found), -ECANCELED);
        EDDY_CHECK_EQ(found.count, 0);
    }
    EDDY_SCOPE(hasty, .timeout_ms = 5);
    EDDY_CHECK_ERR(eddy_lookup_txt("silent.test", NULL, &found), -ETIMEDOUT);
}

static int in_callback[3];

static void call(void *ctx)
{
    struct eddy_records found;
    struct eddy_addresses a;

    (void)ctx;
    in_callback[0] = eddy_lookup_txt("big.test", NULL, &found);
    in_callback[1] = eddy_resolve(EDDY_SLICE("localhost"), 1, NULL, &a);
    in_callback[2] = 1;
}

EDDY_TEST(a_callback_gets_edeadlk)
{
    EDDY_CHECK_EQ(eddy_post(eddy_loop_current(), call, NULL), 0);
    while (!in_callback[2])
        eddy_yield();
    EDDY_CHECK_ERR(in_callback[0], -EDEADLK);
    EDDY_CHECK_ERR(in_callback[1], -EDEADLK);
}

EDDY_TEST(no_failed_allocation_leaks_a_record)
{
    static const char *const names[] = { "srv.test", "nosrv.test", "fail.test" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
            EDDY_AUTO(eddy_records) found = { 0 };
            int r = -ENOMEM;
            if (eddy_loop_current()) {
                EDDY_SCOPE(patience, .timeout_ms = f.k ? 50 : 5000);
                r = eddy_lookup_srv(names[i], NULL, &found);
            }
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            EDDY_CHECK(fired || (f.k && r == -ETIMEDOUT) ||
                       r == (i == 0   ? 0
                             : i == 1 ? -EDDY_ENONAME
                                      : -EDDY_ERESOLVER));
            eddy_check_teardown();
        }
    }
}
