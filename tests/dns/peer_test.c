/*
 * A real name server: dnsmasq, on a port of its own of 127.0.0.1.
 *
 * backends: select poll epoll uring
 */
#include "check.h"
#include "loop/loop.h"

#include <eddy/dns.h>
#include <eddy/task.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BIG                                                                                        \
    "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789"           \
    "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789"           \
    "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"

static pid_t child;
static bool is_up;

static void run_dnsmasq(unsigned port)
{
    char port_option[32];

    snprintf(port_option, sizeof port_option, "--port=%u", port);
    char *const arguments[] = {
        "dnsmasq",
        "--keep-in-foreground",
        port_option,
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
        "--pid-file",
        "--user=",
        "--group=",
        "--log-facility=/dev/null",
        "--local=/test/",
        "--host-record=a.test,192.0.2.1,2001:db8::1,30",
        "--host-record=four.test,192.0.2.4,30",
        "--host-record=short.test,192.0.2.3,1",
        "--cname=www.test,a.test,20",
        "--srv-host=_imap._tcp.test,backup.test,143,20,0",
        "--srv-host=_imap._tcp.test,mail.test,993,10,5",
        "--mx-host=test,backup.test,20",
        "--mx-host=test,mail.test,10",
        "--txt-record=txt.test,v=spf1 -all",
        "--txt-record=big.test," BIG "," BIG "," BIG,
        "--local-ttl=30",
        NULL,
    };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/bin", 1);
    execvp("dnsmasq", arguments);
    _exit(127);
}

static bool answers(const struct sockaddr_in *at)
{
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(s, (const struct sockaddr *)at, sizeof *at) == 0;

    close(s);
    return ok;
}

/* A port that nobody has, for both UDP and TCP; somebody may be faster, then another is tried. */
static bool start_at_some_port(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;

    *at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = bind(s, (struct sockaddr *)at, sizeof *at) == 0 &&
              getsockname(s, (struct sockaddr *)at, &len) == 0;
    close(s);
    if (!ok || (child = fork()) < 0)
        return false;
    if (child == 0)
        run_dnsmasq(ntohs(at->sin_port));
    for (int i = 0; i < 1000; i++) {
        if (answers(at))
            return true;
        if (waitpid(child, NULL, WNOHANG) == child)
            break;
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    child = 0;
    return false;
}

/* Before anything is counted; it ends with the process. */
static void __attribute__((constructor)) start(void)
{
    struct sockaddr_in at;
    char text[64];

    for (int i = 0; i < 5 && !is_up; i++)
        is_up = start_at_some_port(&at);
    snprintf(text, sizeof text, "127.0.0.1:%u", is_up ? (unsigned)ntohs(at.sin_port) : 9);
    setenv("EDDY_NAMESERVERS", text, 1);
}

static void __attribute__((destructor)) stop(void)
{
    if (child > 0)
        kill(child, SIGKILL);
}

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
}

static bool is_there(void)
{
    return is_up || EDDY_CHECK_FAIL("dnsmasq does not run here: scripts/deps --test installs it");
}

EDDY_TEST(dnsmasq_tells_addresses)
{
    static const struct {
        const char *host;
        int family, want;
        const char *text; /* of the first address of that family */
        uint32_t ttl_s;
    } cases[] = {
        { "a.test", AF_INET, 0, "192.0.2.1:80", 30 },
        { "A.test.", AF_INET6, 0, "[2001:db8::1]:80", 30 },
        { "four.test", 0, 0, "192.0.2.4:80", 30 },
        { "www.test", AF_INET, 0, "192.0.2.1:80", 20 },
        { "four.test", AF_INET6, -EDDY_ENONAME, "no address", 0 },
        { "none.test", 0, -EDDY_ENONAME, "no such name", 0 },
    };

    if (!is_there())
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_addresses a = { 0 };
        struct eddy_error err = { 0 };
        char text[EDDY_ADDRESS_TEXT];
        int r = eddy_resolve(eddy_slice_of(cases[i].host), 80,
                             EDDY_OPT(resolve, .family = cases[i].family, .error = &err), &a);
        if (!EDDY_CHECK_ERR(r, cases[i].want))
            EDDY_CHECK_FAIL("%s: %s", cases[i].host, err.text);
        if (r < 0) {
            EDDY_CHECK(strstr(err.text, cases[i].text));
            continue;
        }
        EDDY_CHECK_STR(eddy_address_format(&a.at[0], text, sizeof text), cases[i].text);
        EDDY_CHECK(a.count == 1 && a.via == EDDY_DNS_SERVERS && a.ttl_s <= cases[i].ttl_s &&
                   a.ttl_s + 5 > cases[i].ttl_s);
    }
    struct eddy_addresses both;
    EDDY_CHECK_EQ(eddy_resolve(EDDY_SLICE("a.test"), 80, NULL, &both), 0);
    EDDY_CHECK_EQ(both.count, 2);
}

EDDY_TEST(dnsmasq_tells_records)
{
    EDDY_AUTO(eddy_records) found = { 0 };
    struct eddy_address address;

    if (!is_there())
        return;
    if (EDDY_CHECK_EQ(eddy_lookup_srv("_imap._tcp.test", NULL, &found), 0) &&
        EDDY_CHECK_EQ(found.count, 2)) {
        EDDY_CHECK_STR(found.at[0].text, "mail.test");
        EDDY_CHECK(found.at[0].port == 993 && found.at[0].priority == 10 &&
                   found.at[0].weight == 5);
        EDDY_CHECK_STR(found.at[1].text, "backup.test");
    }
    eddy_records_done(&found);
    if (EDDY_CHECK_EQ(eddy_lookup_mx("test", NULL, &found), 0) && EDDY_CHECK_EQ(found.count, 2)) {
        EDDY_CHECK_STR(found.at[0].text, "mail.test");
        EDDY_CHECK_EQ(found.at[1].priority, 20);
    }
    eddy_records_done(&found);
    if (EDDY_CHECK_EQ(eddy_lookup_txt("txt.test", NULL, &found), 0))
        EDDY_CHECK_STR(found.at[0].text, "v=spf1 -all");
    eddy_records_done(&found);
    EDDY_CHECK_EQ(eddy_address_of_ip(EDDY_SLICE("192.0.2.1"), 0, &address), 0);
    if (EDDY_CHECK_EQ(eddy_lookup_ptr(&address, NULL, &found), 0))
        EDDY_CHECK_STR(found.at[0].text, "a.test");
    eddy_records_done(&found);
    EDDY_CHECK_EQ(eddy_address_of_ip(EDDY_SLICE("2001:db8::1"), 0, &address), 0);
    if (EDDY_CHECK_EQ(eddy_lookup_ptr(&address, NULL, &found), 0))
        EDDY_CHECK_STR(found.at[0].text, "a.test");
    eddy_records_done(&found);
    if (EDDY_CHECK_EQ(eddy_lookup("www.test", EDDY_DNS_CNAME, NULL, &found), 0))
        EDDY_CHECK_STR(found.at[0].text, "a.test");
    eddy_records_done(&found);
    EDDY_CHECK_ERR(eddy_lookup_srv("_none._tcp.test", NULL, &found), -EDDY_ENONAME);
}

/* More than 512 bytes, and no EDNS: so it came over TCP. */
EDDY_TEST(dnsmasq_truncates_and_tcp_has_it_all)
{
    EDDY_AUTO(eddy_records) found = { 0 };

    if (!is_there())
        return;
    if (EDDY_CHECK_EQ(eddy_lookup_txt("big.test", NULL, &found), 0))
        EDDY_CHECK_STR(found.at[0].text, BIG BIG BIG);
}

/* Real time: the TTL of a second has passed when it is asked for again. */
EDDY_TEST(a_ttl_of_a_second_is_over_after_it)
{
    struct eddy_addresses a;
    struct eddy_dns_info i;

    if (!is_there())
        return;
    for (int round = 0; round < 2; round++) {
        EDDY_CHECK_EQ(
            eddy_resolve(EDDY_SLICE("short.test"), 80, EDDY_OPT(resolve, .family = AF_INET), &a),
            0);
        EDDY_CHECK(!a.cached && a.ttl_s == 1);
        eddy_sleep(1001);
    }
    eddy_dns_info(&i);
    EDDY_CHECK_EQ(i.servers, 2);
}

struct one_of_many_args {
    int i;
    size_t *most;
};

static int one_of_many(struct one_of_many_args *a)
{
    struct eddy_addresses found;
    struct eddy_dns_info i;
    char name[32];

    snprintf(name, sizeof name, "x%d.test", a->i);
    int r = eddy_resolve(eddy_slice_of(name), 80, NULL, &found);
    eddy_dns_info(&i);
    if (i.waiting > *a->most)
        *a->most = i.waiting;
    return r == -EDDY_ENONAME ? 0 : r;
}
EDDY_TASK(one_of_many);

/* More questions than may be under way: they wait for their turn. */
EDDY_TEST(two_thousand_names_at_a_time)
{
    size_t most = 0;
    struct eddy_dns_info i;

    if (!is_there())
        return;
    EDDY_SCOPE(tasks, .timeout_ms = 0);
    for (int k = 0; k < 2000; k++)
        EDDY_GO(&tasks, one_of_many, .i = k, .most = &most);
    EDDY_CHECK_EQ(eddy_join(&tasks), 0);
    eddy_dns_info(&i);
    EDDY_CHECK(i.servers == 4000 && i.waiting == 0 && most > 100 && most <= 128);
}
