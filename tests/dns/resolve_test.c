/*
 * Names: answers, refusals, silence, and a waiter that leaves.
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

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The server's socket lives as long as the process: made before anything is counted. */
static void __attribute__((constructor)) start(void)
{
    name_server_start();
}

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static int ask(const char *host, int family, char *text, size_t cap, struct eddy_error *err)
{
    struct eddy_addresses found;
    size_t len = 0;

    int r = eddy_resolve(eddy_slice_of(host), 80, EDDY_OPT(resolve, .family = family, .error = err),
                         &found);
    text[0] = '\0';
    for (size_t i = 0; r == 0 && i < found.count; i++) {
        char one[EDDY_ADDRESS_TEXT];
        eddy_address_format(&found.at[i], one, sizeof one);
        len += strlen(strncat(text, one, cap - len - 2));
        strcat(text, " ");
        len = strlen(text);
    }
    return r;
}

EDDY_TEST(names_have_the_addresses_that_the_server_says)
{
    static const struct {
        const char *host;
        int family, want;
        const char *text;
    } cases[] = {
        { "192.0.2.1", 0, 0, "192.0.2.1:80 " },
        { "::1", 0, 0, "[::1]:80 " },
        { "::1", AF_INET, -EDDY_ENONAME, "" },
        { "localhost", 0, 0, "[::1]:80 127.0.0.1:80 " },
        { "a.LocalHost.", AF_INET, 0, "127.0.0.1:80 " },
        { "six.test", 0, 0, "[2001:db8::7]:80 " },
        { "six.test", AF_INET, -EDDY_ENONAME, "" },
        { "nx.test", 0, -EDDY_ENONAME, "" },
        { "fail.test", 0, -EDDY_ERESOLVER, "" },
        { "", 0, -EDDY_ENONAME, "" },
    };
    char text[256];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_error err = { 0 };
        int r = ask(cases[i].host, cases[i].family, text, sizeof text, &err);
        if (!EDDY_CHECK_ERR(r, cases[i].want) || !EDDY_CHECK_STR(text, cases[i].text))
            EDDY_CHECK_FAIL("%s: %s", cases[i].host, err.text);
        if (r < 0)
            EDDY_CHECK(strstr(err.text, cases[i].host));
    }
    /* Two addresses: their order is the sorting's. */
    EDDY_CHECK_EQ(ask("good.test", 0, text, sizeof text, NULL), 0);
    EDDY_CHECK(strstr(text, "192.0.2.7:80 ") && strstr(text, "192.0.2.8:80 "));
}

EDDY_TEST(who_was_asked_is_told_when_that_failed)
{
    struct eddy_error err = { 0 };
    char text[256], want[64];

    snprintf(want, sizeof want, "(asked %s)", getenv("EDDY_NAMESERVERS"));
    EDDY_CHECK_ERR(ask("fail.test", 0, text, sizeof text, &err), -EDDY_ERESOLVER);
    if (!EDDY_CHECK(strstr(err.text, want)))
        EDDY_CHECK_FAIL("%s: %s", want, err.text);
    EDDY_CHECK_ERR(ask("nx.test", 0, text, sizeof text, &err), -EDDY_ENONAME);
    EDDY_CHECK(!strstr(err.text, "(asked "));
}

EDDY_TEST(localhost_is_never_asked_for)
{
    char text[256];
    unsigned before = name_server_questions();

    EDDY_CHECK_EQ(ask("localhost", 0, text, sizeof text, NULL), 0);
    EDDY_CHECK_EQ(ask("www.localhost", 0, text, sizeof text, NULL), 0);
    EDDY_CHECK_EQ(name_server_questions(), before);
}

/* Whatever this machine's hosts file says; most have a line for their own name. */
EDDY_TEST(the_hosts_file_is_looked_at_before_any_server)
{
    FILE *f = fopen("/etc/hosts", "r");
    char line[512], address[64], name[256], text[1024], want[80];
    unsigned before = name_server_questions(), found = 0;

    while (f && fgets(line, sizeof line, f)) {
        struct in_addr in;
        if (sscanf(line, "%63s %255s", address, name) != 2 ||
            inet_pton(AF_INET, address, &in) != 1 || strncmp(name, "localhost", 9) == 0)
            continue;
        snprintf(want, sizeof want, "%s:80 ", address);
        EDDY_CHECK_EQ(ask(name, AF_INET, text, sizeof text, NULL), 0);
        if (!EDDY_CHECK(strstr(text, want)))
            EDDY_CHECK_FAIL("%s has %s", name, text);
        found++;
    }
    if (f)
        fclose(f);
    EDDY_CHECK_EQ(name_server_questions(), before);
    if (!found)
        EDDY_CHECK_NOT_RUN("/etc/hosts names nothing but localhost");
}

struct ask_one_args {
    const char *host;
    int *result;
};

static int ask_one(struct ask_one_args *a)
{
    char text[256];

    *a->result = ask(a->host, 0, text, sizeof text, NULL);
    return 0;
}
EDDY_TASK(ask_one);

EDDY_TEST(a_waiter_that_leaves_drops_the_answer)
{
    int gone = 0, late = 0, stays = 1;
    {
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, ask_one, .host = "slow.test", .result = &gone);
        unsigned before = name_server_questions();
        while (name_server_questions() < before + 2)
            eddy_sleep(1);
        eddy_scope_cancel(&tasks);
        eddy_join(&tasks);
    }
    EDDY_CHECK_ERR(gone, -ECANCELED);
    {
        char text[64];
        EDDY_SCOPE(patience, .timeout_ms = 20);
        late = ask("silent.test", 0, text, sizeof text, NULL);
    }
    EDDY_CHECK_ERR(late, -ETIMEDOUT);
    EDDY_SCOPE(tasks, .timeout_ms = 0);
    unsigned before = name_server_questions();
    EDDY_GO(&tasks, ask_one, .host = "slow.test", .result = &stays);
    while (name_server_questions() < before + 2)
        eddy_sleep(1);
    eddy_sleep(5);
    name_server_release();
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    EDDY_CHECK_EQ(stays, 0);
}

EDDY_TEST(many_ask_at_once)
{
    int result[50];

    EDDY_SCOPE(tasks, .timeout_ms = 0);
    for (int i = 0; i < 50; i++)
        EDDY_GO(&tasks, ask_one, .host = i % 2 ? "good.test" : "nx.test", .result = &result[i]);
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    for (int i = 0; i < 50; i++)
        EDDY_CHECK_ERR(result[i], i % 2 ? 0 : -EDDY_ENONAME);
}

EDDY_TEST(a_silent_server_is_given_up)
{
    char text[64];
    struct eddy_error err = { 0 };

    if (strcmp(eddy_check_backend(), "epoll") != 0)
        return; /* it takes six seconds, and one of them shows it */
    int64_t start_ns = eddy_now_ns();
    EDDY_CHECK_ERR(ask("silent.test", AF_INET, text, sizeof text, &err), -EDDY_ERESOLVER);
    EDDY_CHECK(eddy_now_ns() - start_ns < INT64_C(20000000000));
}

/* c-ares tries again where memory failed it: that is not waited for. */
static int ask_within(int64_t ms, const char *host, char *text, size_t cap)
{
    if (!eddy_loop_current())
        return -ENOMEM;
    EDDY_SCOPE(patience, .timeout_ms = ms);
    return ask(host, AF_INET, text, cap, NULL);
}

EDDY_TEST(no_failed_allocation_crashes_or_leaks)
{
    char text[256];

    for (int round = 0; round < 2; round++) {
        const char *host = round ? "nx.test" : "good.test";
        for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
            int r = ask_within(f.k ? 50 : 5000, host, text, sizeof text);
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            EDDY_CHECK(fired || (f.k && r == -ETIMEDOUT) || r == (round ? -EDDY_ENONAME : 0));
            eddy_check_teardown(); /* the channel is made anew in each round */
        }
    }
}
