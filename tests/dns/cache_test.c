/*
 * The cache: what is kept, for how long, what is shared, and what goes first.
 *
 * backends: select poll epoll uring
 * faults: yes
 */
#include "base/fault.h"
#include "check.h"
#include "loop/loop.h"
#include "server.h"

#include <eddy/dns.h>
#include <eddy/task.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void __attribute__((constructor)) start(void)
{
    name_server_start();
}

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static struct eddy_dns_info info(void)
{
    struct eddy_dns_info i;

    eddy_dns_info(&i);
    return i;
}

/* How many questions the server gets for it. */
static unsigned cost(const char *host, const struct eddy_resolve_options *options, int want,
                     struct eddy_addresses *ret)
{
    const unsigned before = name_server_questions();

    EDDY_CHECK_ERR(eddy_resolve(eddy_slice_of(host), 80, options, ret), want);
    return name_server_questions() - before;
}

EDDY_TEST(answers_are_kept_for_their_ttl)
{
    struct eddy_addresses a;

    EDDY_CHECK_EQ(eddy_dns_setup(NULL), 0);
    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 2);
    EDDY_CHECK(!a.cached && a.ttl_s == 60 && a.via == EDDY_DNS_SERVERS && a.count == 2);
    EDDY_CHECK_EQ(cost("GOOD.test.", NULL, 0, &a), 0);
    EDDY_CHECK(a.cached && a.ttl_s > 50 && a.ttl_s <= 60 && a.count == 2);
    EDDY_CHECK_EQ(eddy_address_port(&a.at[1]), 80);
    /* Of both families each is kept: one alone costs nothing either. */
    EDDY_CHECK_EQ(cost("good.test", EDDY_OPT(resolve, .family = AF_INET), 0, &a), 0);
    EDDY_CHECK_EQ(info().hits, 3);
    EDDY_CHECK_EQ(info().misses, 2);
    EDDY_CHECK_EQ(info().servers, 2);
    EDDY_CHECK_EQ(info().entries, 2);
    EDDY_CHECK(info().bytes > 100 && info().waiting == 0);
    /* The least TTL on the way: the alias has 5 s. */
    EDDY_CHECK_EQ(cost("alias.test", EDDY_OPT(resolve, .family = AF_INET), 0, &a), 1);
    EDDY_CHECK_EQ(a.ttl_s, 5);
    EDDY_CHECK_EQ(cost("both.test", NULL, 0, &a), 2);
    EDDY_CHECK(a.count == 2 && a.ttl_s == 7);
    /* Nothing is kept for no time, and no longer than the bound. */
    EDDY_CHECK_EQ(cost("zero.test", EDDY_OPT(resolve, .family = AF_INET), 0, &a), 1);
    EDDY_CHECK_EQ(cost("zero.test", EDDY_OPT(resolve, .family = AF_INET), 0, &a), 1);
    EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .max_ttl_ms = 20, .max_negative_ttl_ms = 20)), 0);
    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 2);
    eddy_sleep(25);
    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 2);
}

EDDY_TEST(a_no_is_kept_as_the_soa_says)
{
    struct eddy_addresses a;
    struct eddy_error err = { 0 };

    EDDY_CHECK_EQ(cost("nx.test", NULL, -EDDY_ENONAME, &a), 2);
    EDDY_CHECK_EQ(cost("nx.test", EDDY_OPT(resolve, .error = &err), -EDDY_ENONAME, &a), 0);
    EDDY_CHECK(strstr(err.text, "no such name"));
    EDDY_CHECK_EQ(cost("six.test", EDDY_OPT(resolve, .family = AF_INET), -EDDY_ENONAME, &a), 1);
    EDDY_CHECK_EQ(cost("six.test", EDDY_OPT(resolve, .family = AF_INET), -EDDY_ENONAME, &a), 0);
    /* RFC 2308 5: without an SOA it is not to be kept. */
    EDDY_CHECK_EQ(cost("nosoa.test", NULL, -EDDY_ENONAME, &a), 2);
    EDDY_CHECK_EQ(cost("nosoa.test", NULL, -EDDY_ENONAME, &a), 2);
    EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .max_negative_ttl_ms = 20)), 0);
    EDDY_CHECK_EQ(cost("nx.test", NULL, -EDDY_ENONAME, &a), 2);
    eddy_sleep(25);
    EDDY_CHECK_EQ(cost("nx.test", NULL, -EDDY_ENONAME, &a), 2);
}

EDDY_TEST(failures_are_not_kept)
{
    struct eddy_addresses a;

    EDDY_CHECK(cost("fail.test", EDDY_OPT(resolve, .family = AF_INET), -EDDY_ERESOLVER, &a) > 0);
    EDDY_CHECK(cost("fail.test", EDDY_OPT(resolve, .family = AF_INET), -EDDY_ERESOLVER, &a) > 0);
    EDDY_CHECK_EQ(info().entries, 0);
}

EDDY_TEST(failures_are_told_apart)
{
    static const struct {
        const char *host;
        int family, want;
        const char *text;
    } cases[] = {
        { "nx.test", 0, -EDDY_ENONAME, "no such name" },
        { "six.test", AF_INET, -EDDY_ENONAME, "no address" },
        { "fail.test", 0, -EDDY_ERESOLVER, "the name servers failed" },
        { "bad.test", AF_INET, -EDDY_ERESOLVER, "makes no sense" },
        { "", 0, -EDDY_ENONAME, "no name can be so" },
        { "a..test", 0, -EDDY_ENONAME, "no name can be so" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_addresses a;
        struct eddy_error err = { 0 };
        int r = eddy_resolve(eddy_slice_of(cases[i].host), 80,
                             EDDY_OPT(resolve, .family = cases[i].family, .error = &err), &a);
        if (!EDDY_CHECK_ERR(r, cases[i].want) || !EDDY_CHECK_ERR(err.code, r) ||
            !EDDY_CHECK(strstr(err.text, cases[i].text)))
            EDDY_CHECK_FAIL("%s: %s", cases[i].host, err.text);
    }
    struct eddy_error err = { 0 };
    struct eddy_addresses a;
    EDDY_CHECK_ERR(eddy_resolve(EDDY_SLICE("good.test"), 80,
                                EDDY_OPT(resolve, .family = AF_UNIX, .error = &err), &a),
                   -EINVAL);
    EDDY_CHECK(strstr(err.text, ".family"));
}

EDDY_TEST(no_cache_asks_again)
{
    struct eddy_addresses a;

    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 2);
    EDDY_CHECK_EQ(cost("good.test", EDDY_OPT(resolve, .no_cache = true), 0, &a), 2);
    EDDY_CHECK(!a.cached);
    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 0);
    EDDY_CHECK_EQ(info().entries, 2);
    EDDY_CHECK_EQ(eddy_dns_flush(), 2);
    EDDY_CHECK_EQ(info().entries, 0);
    EDDY_CHECK_EQ(info().bytes, 0);
    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 2);
    EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .no_cache = true)), 0);
    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 2);
    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 2);
    EDDY_CHECK_EQ(info().entries, 0);
}

EDDY_TEST(the_cache_is_bounded)
{
    const struct eddy_resolve_options *four = EDDY_OPT(resolve, .family = AF_INET);
    struct eddy_addresses a;
    char name[32];

    EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .max_entries = 100)), 0);
    for (int i = 1; i <= 150; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        EDDY_CHECK_EQ(cost(name, four, 0, &a), 1);
        EDDY_CHECK_EQ(cost("n1.test", four, 0, &a), 0); /* used again and again: it stays */
    }
    EDDY_CHECK_EQ(info().entries, 100);
    EDDY_CHECK_EQ(info().evicted, 50);
    EDDY_CHECK_EQ(cost("n150.test", four, 0, &a), 0);
    EDDY_CHECK_EQ(cost("n52.test", four, 0, &a), 0);
    EDDY_CHECK_EQ(cost("n51.test", four, 0, &a), 1);
    EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .max_bytes = 4096)), 0);
    for (int i = 1; i <= 50; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        EDDY_CHECK_EQ(cost(name, four, 0, &a), 1);
        EDDY_CHECK(info().bytes <= 4096);
    }
    EDDY_CHECK(info().entries > 4 && info().entries < 50);
}

struct ask_one_args {
    int *result;
    bool no_cache;
    const char *host; /* NULL: slow.test */
};

static int ask_one(struct ask_one_args *a)
{
    struct eddy_addresses found;

    *a->result = eddy_resolve(eddy_slice_of(a->host ? a->host : "slow.test"), 80,
                              EDDY_OPT(resolve, .family = AF_INET, .no_cache = a->no_cache),
                              &found);
    return 0;
}
EDDY_TASK(ask_one);

EDDY_TEST(one_question_for_many)
{
    const unsigned before = name_server_questions();
    struct eddy_addresses a;
    int result[100];

    EDDY_SCOPE(tasks, .timeout_ms = 0);
    for (int i = 0; i < 100; i++)
        EDDY_GO(&tasks, ask_one, .result = &result[i], .no_cache = i % 2);
    while (name_server_questions() == before)
        eddy_sleep(1);
    EDDY_CHECK_EQ(info().waiting, 1);
    EDDY_CHECK_EQ(eddy_dns_flush(), 0); /* what is under way is as fresh as it gets */
    name_server_release();
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    for (int i = 0; i < 100; i++)
        EDDY_CHECK_EQ(result[i], 0);
    EDDY_CHECK_EQ(name_server_questions() - before, 1);
    EDDY_CHECK_EQ(info().shared, 99);
    EDDY_CHECK_EQ(cost("slow.test", EDDY_OPT(resolve, .family = AF_INET), 0, &a), 0);
}

EDDY_TEST(a_question_that_waits_its_turn_can_be_left)
{
    const unsigned before = name_server_questions();
    int slow = 1, left = 1, stays = 1;
    char log[512];

    name_server_log(log, sizeof log);
    EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .max_questions = 1)), 0);
    EDDY_SCOPE(tasks, .timeout_ms = 0);
    EDDY_GO(&tasks, ask_one, .result = &slow);
    while (name_server_questions() == before)
        eddy_sleep(1);
    EDDY_GO(&tasks, ask_one, .result = &stays, .host = "good.test");
    {
        EDDY_SCOPE(leavers, .timeout_ms = 0);
        EDDY_GO(&leavers, ask_one, .result = &left, .host = "n1.test");
        eddy_yield();
        eddy_yield();
        EDDY_CHECK_EQ(info().misses, 3);
        EDDY_CHECK_EQ(info().servers, 1);
        eddy_scope_cancel(&leavers);
    }
    EDDY_CHECK_ERR(left, -ECANCELED);
    name_server_release();
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    EDDY_CHECK(slow == 0 && stays == 0);
    name_server_log(log, sizeof log);
    EDDY_CHECK_STR(log, "A slow.test;A good.test;");
}

/* What was asked of other servers is told to who waits, and to nobody else. */
EDDY_TEST(a_new_set_up_drops_what_is_under_way)
{
    const unsigned before = name_server_questions();
    int result = 1;

    EDDY_SCOPE(tasks, .timeout_ms = 0);
    EDDY_GO(&tasks, ask_one, .result = &result);
    while (name_server_questions() == before)
        eddy_sleep(1);
    EDDY_CHECK_EQ(eddy_dns_setup(NULL), 0);
    name_server_release();
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    EDDY_CHECK_EQ(result, 0);
    EDDY_CHECK_EQ(info().entries, 0);
}

EDDY_TEST(a_set_up_that_makes_no_sense_is_refused)
{
    struct eddy_error err = { 0 };
    struct eddy_addresses a;

    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 2);
    EDDY_CHECK_ERR(eddy_dns_setup(EDDY_OPT(dns, .servers = "nonsense", .error = &err)), -EINVAL);
    EDDY_CHECK(strstr(err.text, "nonsense") && strstr(err.text, "127.0.0.1:53"));
    EDDY_CHECK_ERR(eddy_dns_setup(EDDY_OPT(dns, .timeout_ms = -1, .error = &err)), -EINVAL);
    EDDY_CHECK(strstr(err.text, "negative"));
    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 0); /* nothing has changed */
    EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .servers = getenv("EDDY_NAMESERVERS"))), 0);
    EDDY_CHECK_EQ(cost("good.test", NULL, 0, &a), 2);
}

EDDY_TEST(setting_up_survives_every_failed_allocation)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        struct eddy_loop *loop = eddy_loop_current();
        int r = loop ? eddy_dns_setup(EDDY_OPT(dns, .servers = "127.0.0.1:9")) : -ENOMEM;
        bool fired = eddy_fault_fired(&f);
        eddy_fault_stop();
        EDDY_CHECK(r == 0 || (fired && r == -ENOMEM)); /* c-ares does without some of it */
        eddy_check_teardown();
    }
}
