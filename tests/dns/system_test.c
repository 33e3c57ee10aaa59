/*
 * What the system says of names: its files, its other sources, and in which order addresses are
 * tried.
 *
 * backends: select poll epoll uring
 * threads: yes
 * faults: yes
 */
#include "base/fault.h"
#include "base/sys.h"
#include "check.h"
#include "dns/room.h"
#include "dns/system.h"
#include "server.h"

#include <eddy/log.h>
#include <eddy/task.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char nameservers[64];

static void __attribute__((constructor)) start(void)
{
    name_server_start();
    snprintf(nameservers, sizeof nameservers, "%s", getenv("EDDY_NAMESERVERS"));
}

void eddy_check_teardown(void)
{
    if (eddy__loop())
        eddy_loop_free(eddy__loop());
    eddy__sys = eddy__sys_kernel;
    eddy_dns_getaddrinfo = getaddrinfo;
    eddy_dns_freeaddrinfo = freeaddrinfo;
    setenv("EDDY_NAMESERVERS", nameservers, 1);
}

static struct eddy_dns_info info(void)
{
    struct eddy_dns_info i;

    eddy_dns_info(&i);
    return i;
}

/* Files of the test's own, in its working folder. */
static const char *write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    if (!EDDY_CHECK(f != NULL))
        return name;
    fputs(text, f);
    fclose(f);
    return name;
}

/* Its addresses as text; the error's name. */
static const char *addresses(const char *host, int family, struct eddy_addresses *a)
{
    static char text[512];
    size_t len = 0;

    int r = eddy_resolve(eddy_slice_of(host), 80, EDDY_OPT(resolve, .family = family), a);
    if (r < 0)
        return eddy_strerrorname(r);
    text[0] = '\0';
    for (size_t i = 0; i < a->count; i++) {
        char one[EDDY_ADDRESS_TEXT];
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "",
                                eddy_address_format(&a->at[i], one, sizeof one));
    }
    return text;
}

/* --- nsswitch.conf --------------------------------------------------------------------------- */

EDDY_TEST(nsswitch_says_the_order)
{
    static const struct {
        const char *text;
        struct dns_sources want;
    } cases[] = {
        { "", { .files = true, .servers = true } },
        { "passwd: files\nhosts: files dns\n", { .files = true, .servers = true } },
        { "HOSTS:\tdns files # as it was",
          { .files = true, .servers = true, .servers_first = true } },
        { "hosts: files", { .files = true } },
        { "  hosts:dns", { .servers = true, .servers_first = true } },
        { "#hosts: nis\nhosts: files dns", { .files = true, .servers = true } },
        { "hosts: files mdns4_minimal [NOTFOUND=return] dns",
          { .files = true, .servers = true, .system = true, .word = "mdns4_minimal" } },
        { "hosts: files [SUCCESS=return] dns",
          { .files = true, .servers = true, .system = true, .word = "[SUCCESS=return]" } },
        { "hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns",
          { .files = true, .servers = true, .system = true, .word = "mymachines" } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dns_sources got;
        const struct dns_sources *want = &cases[i].want;
        dns_sources_parse(cases[i].text, &got);
        if (!EDDY_CHECK(got.files == want->files && got.servers == want->servers &&
                        got.servers_first == want->servers_first && got.system == want->system) ||
            !EDDY_CHECK_STR(got.word, want->word))
            EDDY_CHECK_FAIL("%s", cases[i].text);
    }
}

/* The same name stands in the hosts file and is known to the server: who is believed? The test's
 * server is named, so no file is asked for the sources: the loop's own room is told them. */
EDDY_TEST(the_hosts_file_is_first_or_last_as_told)
{
    struct eddy_addresses a;
    struct dns_room *room;

    EDDY_CHECK_EQ(
        eddy_dns_setup(EDDY_OPT(dns, .hosts = write_file("hosts", "203.0.113.1 good.test\n"
                                                                  "203.0.113.2 nx.test\n"))),
        0);
    EDDY_CHECK_STR(addresses("Good.test.", 0, &a), "203.0.113.1:80");
    EDDY_CHECK(a.via == EDDY_DNS_FILES && !a.cached && a.ttl_s == 0);
    if (!EDDY_CHECK_EQ(dns_room_of(eddy_loop_current(), &room), 0))
        return;
    room->sources = (struct dns_sources){ .files = true, .servers = true, .servers_first = true };
    EDDY_CHECK_STR(addresses("good.test", AF_INET, &a), "192.0.2.7:80 192.0.2.8:80");
    EDDY_CHECK_EQ(a.via, EDDY_DNS_SERVERS);
    EDDY_CHECK_STR(addresses("nx.test", 0, &a), "203.0.113.2:80");
    room->sources = (struct dns_sources){ .servers = true, .servers_first = true };
    EDDY_CHECK_STR(addresses("nx.test", 0, &a), "EDDY_ENONAME");
    room->sources = (struct dns_sources){ .files = true };
    EDDY_CHECK_STR(addresses("good.test", 0, &a), "203.0.113.1:80");
    EDDY_CHECK_STR(addresses("both.test", 0, &a), "EDDY_ENONAME");
    unlink("hosts");
}

EDDY_TEST(the_hosts_file_is_read_as_hosts_5_says)
{
    static const char text[] = "# a comment\n"
                               "127.0.0.2\tone.test One alias.test # behind it, two.test\n"
                               "not-an-address three.test\n"
                               "::2 one.test\r\n"
                               "127.0.0.3 one.test\n"
                               "127.0.0.2 one.test\n"
                               "\n"
                               "  10.0.0.1   four.test.   ";
    struct eddy_addresses a;

    EDDY_CHECK_EQ(eddy_dns_setup(EDDY_OPT(dns, .hosts = write_file("hosts", text))), 0);
    EDDY_CHECK_STR(addresses("one.test", AF_INET, &a), "127.0.0.2:80 127.0.0.3:80");
    EDDY_CHECK_STR(addresses("one.test", AF_INET6, &a), "[::2]:80");
    EDDY_CHECK_STR(addresses("ONE", 0, &a), "127.0.0.2:80");
    EDDY_CHECK_STR(addresses("alias.test", 0, &a), "127.0.0.2:80");
    EDDY_CHECK_STR(addresses("four.test", 0, &a), "10.0.0.1:80");
    EDDY_CHECK(strcmp(addresses("two.test", AF_INET, &a), "EDDY_ENONAME") == 0);
    unlink("hosts");
}

/* --- other sources --------------------------------------------------------------------------- */

static pthread_t loop_thread;
static atomic_uint calls;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int fake_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                            struct addrinfo **ret)
{
    atomic_fetch_add(&calls, 1);
    EDDY_CHECK(!pthread_equal(pthread_self(), loop_thread));
    EDDY_CHECK(!service && hints->ai_family == AF_UNSPEC);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    if (strcmp(name, "printer.local") != 0)
        return strcmp(name, "none.local") == 0   ? EAI_NONAME
               : strcmp(name, "full.local") == 0 ? EAI_MEMORY
                                                 : EAI_AGAIN;
    struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
    struct addrinfo *second;
    int r = getaddrinfo("10.1.2.3", NULL, &numeric, ret);
    if (r != 0)
        return r;
    r = getaddrinfo("fe80::1%lo", NULL, &numeric, &second);
    if (r == 0)
        (*ret)->ai_next = second;
    return 0;
}

static int system_setup(int64_t untimed_ttl_ms)
{
    loop_thread = pthread_self();
    atomic_store(&calls, 0);
    eddy_dns_getaddrinfo = fake_getaddrinfo;
    unsetenv("EDDY_NAMESERVERS");
    return eddy_dns_setup(
        EDDY_OPT(dns, .untimed_ttl_ms = untimed_ttl_ms,
                 .nsswitch = write_file("nsswitch.conf", "hosts: files mdns4 dns\n")));
}

static char told[4096];
static void sink(void *ctx, enum eddy_log_level level, const char *line)
{
    (void)ctx;
    if (level == EDDY_LOG_DEBUG)
        snprintf(told + strlen(told), sizeof told - strlen(told), "%s\n", line);
}

EDDY_TEST(servers_that_make_no_sense_are_told)
{
    struct eddy_addresses a;
    EDDY_AUTO(eddy_records) mail = { 0 };
    struct eddy_error err = { 0 };

    setenv("EDDY_NAMESERVERS", "nonsense", 1);
    EDDY_CHECK_ERR(eddy_resolve(EDDY_SLICE("a.test"), 80, EDDY_OPT(resolve, .error = &err), &a),
                   -EDDY_ERESOLVER);
    if (!EDDY_CHECK(strstr(err.text, "EDDY_NAMESERVERS is not a list")))
        EDDY_CHECK_FAIL("%s", err.text);
    err.text[0] = '\0';
    EDDY_CHECK_ERR(eddy_lookup_mx("a.test", EDDY_OPT(lookup, .error = &err), &mail),
                   -EDDY_ERESOLVER);
    EDDY_CHECK(strstr(err.text, "EDDY_NAMESERVERS is not a list"));
}

EDDY_TEST(other_sources_are_the_systems)
{
    struct eddy_addresses a;
    struct eddy_error err = { 0 };

    told[0] = '\0';
    eddy_log_to(sink, NULL, EDDY_LOG_DEBUG);
    EDDY_CHECK_EQ(system_setup(0), 0);
    /* In its order, with the scope of a link-local address. */
    EDDY_CHECK_STR(addresses("printer.local", 0, &a), "10.1.2.3:80 [fe80::1%lo]:80");
    eddy_log_to(NULL, NULL, EDDY_LOG_ERROR);
    EDDY_CHECK(strstr(told, "getaddrinfo") && strstr(told, "mdns4"));
    EDDY_CHECK(a.via == EDDY_DNS_SYSTEM && !a.cached && a.ttl_s == 0);
    EDDY_CHECK_STR(addresses("printer.local", AF_INET6, &a), "[fe80::1%lo]:80");
    EDDY_CHECK_EQ(atomic_load(&calls), 2); /* it has no TTL: nothing is kept */
    EDDY_CHECK_EQ(info().system, 2);
    EDDY_CHECK_STR(addresses("none.local", 0, &a), "EDDY_ENONAME");
    EDDY_CHECK_STR(addresses("full.local", 0, &a), "ENOMEM");
    EDDY_CHECK_ERR(eddy_resolve(EDDY_SLICE("later.local"), 0, EDDY_OPT(resolve, .error = &err), &a),
                   -EDDY_ERESOLVER);
    EDDY_CHECK(strstr(err.text, gai_strerror(EAI_AGAIN)));
    EDDY_CHECK_EQ(system_setup(60000), 0);
    EDDY_CHECK_STR(addresses("printer.local", AF_INET, &a), "10.1.2.3:80");
    EDDY_CHECK_STR(addresses("printer.local", 0, &a), "10.1.2.3:80 [fe80::1%lo]:80");
    EDDY_CHECK(a.cached && a.via == EDDY_DNS_SYSTEM);
    EDDY_CHECK_EQ(atomic_load(&calls), 1);
    unlink("nsswitch.conf");
}

/* The real one, for whatever this machine's hosts file says. */
EDDY_TEST(the_systems_resolver_is_really_asked)
{
    char host[256] = "", line[512], address[64];
    struct eddy_addresses a;

    FILE *f = fopen("/etc/hosts", "r");
    while (f && !strchr(host, '.') && fgets(line, sizeof line, f))
        if (sscanf(line, "%63s %255s", address, host) != 2 || address[0] == '#' ||
            strstr(host, "localhost") || strchr(address, ':'))
            host[0] = '\0';
        else
            break;
    if (f)
        fclose(f);
    if (!host[0]) {
        EDDY_CHECK_NOT_RUN("/etc/hosts names nothing but localhost");
        return;
    }
    EDDY_CHECK_EQ(system_setup(0), 0);
    eddy_dns_getaddrinfo = getaddrinfo;
    strcat(address, ":80");
    EDDY_CHECK(strstr(addresses(host, AF_INET, &a), address));
    EDDY_CHECK_EQ(a.via, EDDY_DNS_SYSTEM);
    unlink("nsswitch.conf");
}

struct ask_one_args {
    const char *host;
    int *result;
};

static int ask_one(struct ask_one_args *a)
{
    struct eddy_addresses found;

    *a->result = eddy_resolve(eddy_slice_of(a->host), 80, NULL, &found);
    return 0;
}
EDDY_TASK(ask_one);

EDDY_TEST(a_cancelled_call_of_the_system_holds_nobody)
{
    static const char *const host[] = { "printer.local", "b.local", "c.local", "printer.local" };
    int result[4] = { 1, 1, 1, 1 };

    EDDY_CHECK_EQ(system_setup(60000), 0);
    pthread_mutex_lock(&gate); /* two threads serve names: the third waits for one of them */
    {
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        for (int i = 0; i < 4; i++)
            EDDY_GO(&tasks, ask_one, .host = host[i], .result = &result[i]);
        while (atomic_load(&calls) < 2)
            eddy_sleep(1);
        EDDY_CHECK_EQ(info().waiting, 3);
        EDDY_CHECK_EQ(info().shared, 1);
        eddy_scope_cancel(&tasks);
        eddy_join(&tasks);
        for (int i = 0; i < 4; i++)
            EDDY_CHECK_ERR(result[i], -ECANCELED);
    }
    EDDY_CHECK_EQ(info().waiting, 2); /* what had not begun has been taken back */
    pthread_mutex_unlock(&gate);
    while (info().waiting)
        eddy_sleep(1);
    EDDY_CHECK_EQ(atomic_load(&calls), 2);
    struct eddy_addresses a;
    EDDY_CHECK_STR(addresses("printer.local", AF_INET, &a), "10.1.2.3:80");
    EDDY_CHECK(a.cached);
    unlink("nsswitch.conf");
}

/* The loop ends while a thread is in the system's resolver. */
EDDY_TEST(a_call_of_the_system_may_outlive_the_room)
{
    int result = 1;

    EDDY_CHECK_EQ(system_setup(0), 0);
    pthread_mutex_lock(&gate);
    {
        EDDY_SCOPE(tasks, .timeout_ms = 0);
        EDDY_GO(&tasks, ask_one, .host = "printer.local", .result = &result);
        while (atomic_load(&calls) < 1)
            eddy_sleep(1);
        eddy_scope_cancel(&tasks);
    }
    EDDY_CHECK_EQ(eddy_dns_setup(NULL), 0); /* the entry is found by nobody any more */
    pthread_mutex_unlock(&gate);
    eddy_check_teardown();
    unlink("nsswitch.conf");
}

/* --- files that change, search domains ------------------------------------------------------- */

EDDY_TEST(changed_files_are_noticed)
{
    struct eddy_addresses a;
    char log[512];

    EDDY_CHECK_EQ(
        eddy_dns_setup(EDDY_OPT(dns, .hosts = write_file("hosts", "10.0.0.1 x.test\n"),
                                .resolv_conf = write_file("resolv.conf", "search a.test\n"),
                                .nsswitch = "nowhere/nsswitch.conf")),
        0);
    EDDY_CHECK_STR(addresses("x.test", 0, &a), "10.0.0.1:80");
    EDDY_CHECK_STR(addresses("only", AF_INET, &a), "EDDY_ENONAME");
    EDDY_CHECK_STR(addresses("good.test", AF_INET, &a), "192.0.2.7:80 192.0.2.8:80");
    EDDY_CHECK_EQ(info().reloads, 0);
    write_file("hosts", "10.0.0.2 x.test\n");
    write_file("resolv.conf", "search a.test b.test\n");
    for (int i = 0; i < 100 && info().reloads < 2; i++) {
        eddy_sleep(50);
        addresses("x.test", 0, &a);
    }
    EDDY_CHECK_EQ(info().reloads, 2);
    EDDY_CHECK_STR(addresses("x.test", 0, &a), "10.0.0.2:80");
    EDDY_CHECK_STR(addresses("only", AF_INET, &a), "192.0.2.10:80");
    /* Another network, maybe: what was said there is forgotten. */
    name_server_log(log, sizeof log);
    EDDY_CHECK_STR(addresses("good.test", AF_INET, &a), "192.0.2.7:80 192.0.2.8:80");
    name_server_log(log, sizeof log);
    EDDY_CHECK_STR(log, "A good.test;");
    unlink("hosts");
    unlink("resolv.conf");
}

EDDY_TEST(search_domains_are_tried)
{
    static const struct {
        const char *conf, *host, *want, *log;
    } cases[] = {
        { "search a.test b.test", "only", "192.0.2.10:80", "A only.a.test;A only.b.test;" },
        { "search a.test b.test", "only.", "EDDY_ENONAME", "A only;" },
        { "search a.test b.test", "only.x", "192.0.2.10:80",
          "A only.x;A only.x.a.test;A only.x.b.test;" },
        { "search A.test. b.test\noptions ndots:2", "only.x", "192.0.2.10:80",
          "A only.x.a.test;A only.x.b.test;" },
        { "search a.test\noptions ndots:2", "good.test", "192.0.2.7:80 192.0.2.8:80",
          "A good.test.a.test;" },
        { "search a.test\noptions ndots:3", "nx.test", "EDDY_ENONAME",
          "A nx.test.a.test;A nx.test;" },
        { "search c.test", "good.test", "192.0.2.7:80 192.0.2.8:80", "A good.test;" },
        { "domain b.test", "only", "192.0.2.10:80", "A only.b.test;" },
        /* A server that fails for one does not end it; silence would. */
        { "search b.test a.test", "sick", "192.0.2.11:80", NULL },
    };
    struct eddy_addresses a;
    char log[512];

    name_server_log(log, sizeof log);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EDDY_CHECK_EQ(
            eddy_dns_setup(EDDY_OPT(dns, .resolv_conf = write_file("resolv.conf", cases[i].conf))),
            0);
        bool ok = EDDY_CHECK_STR(addresses(cases[i].host, AF_INET, &a), cases[i].want);
        name_server_log(log, sizeof log);
        if (cases[i].log)
            ok &= EDDY_CHECK_STR(log, cases[i].log);
        if (!ok)
            EDDY_CHECK_FAIL("%s with %s", cases[i].host, cases[i].conf);
    }
    /* Both families are of one name: "only.b.test" has no IPv6, and "only.x" is not looked at. */
    EDDY_CHECK_EQ(
        eddy_dns_setup(EDDY_OPT(dns, .resolv_conf = write_file("resolv.conf", "search b.test"))),
        0);
    EDDY_CHECK_STR(addresses("only", 0, &a), "192.0.2.10:80");
    name_server_log(log, sizeof log);
    EDDY_CHECK(strstr(log, "AAAA only.b.test;") && !strstr(log, "only;"));
    unlink("resolv.conf");
}

EDDY_TEST(resolv_conf_says_how_long_and_how_often)
{
    int64_t timeout_ms;
    unsigned tries;

    dns_resolv_options("nameserver 1.2.3.4\noptions rotate timeout:3 attempts:4\n", &timeout_ms,
                       &tries);
    EDDY_CHECK(timeout_ms == 3000 && tries == 4);
    dns_resolv_options("options timeout:99\n  options attempts:77 # x", &timeout_ms, &tries);
    EDDY_CHECK(timeout_ms == 30000 && tries == 5);
    dns_resolv_options("#options timeout:3\noptionsx timeout:3\noptions timeout:x", &timeout_ms,
                       &tries);
    EDDY_CHECK(timeout_ms == 0 && tries == 0);
}

/* --- the order of addresses ------------------------------------------------------------------ */

/* Of RFC 6724 10.2: to where, and from where the kernel would go; of two the first wins. */
struct way {
    const char *to, *from;
};
static const struct way ways[][2] = {
    { { "2001:db8:1::1", "2001:db8:1::2" }, { "198.51.100.121", "169.254.13.78" } },
    { { "198.51.100.121", "198.51.100.117" }, { "2001:db8:1::1", "fe80::1" } },
    { { "2001:db8:1::1", "2001:db8:1::2" }, { "10.1.2.3", "10.1.2.4" } },
    { { "fe80::1", "fe80::2" }, { "2001:db8:1::1", "2001:db8:1::2" } },
    { { "2001:db8:1::1", "2001:db8:1::2" }, { "2001:db8:3ffe::1", "2001:db8:3f44::2" } },
    { { "2002:c633:6401::1", "2002:c633:6401::2" }, { "2001:db8:1::1", "2002:c633:6401::2" } },
    { { "2001:db8:1::1", "2001:db8:1::2" }, { "2002:c633:6401::1", "2002:c633:6401::2" } },
    /* Out of reach is last, and IPv4 before a unique local address from elsewhere. */
    { { "10.1.2.3", "10.1.2.4" }, { "2001:db8:1::1", NULL } },
    { { "10.1.2.3", "10.1.2.4" }, { "fd00::1", "2001:db8:1::2" } },
    { { "::1", "::1" }, { "127.0.0.1", "127.0.0.1" } },
};
static const struct way *ways_now;
static struct dns_ip source_now;

static struct dns_ip ip_of(const char *text)
{
    struct eddy_address address;
    struct dns_ip ip = { 0 };

    EDDY_CHECK_EQ(eddy_address_of_ip(eddy_slice_of(text), 0, &address), 0);
    dns_ip_of_sockaddr((const struct sockaddr *)&address.storage, &ip);
    return ip;
}

static int fake_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct dns_ip to;

    (void)fd;
    (void)len;
    dns_ip_of_sockaddr(addr, &to);
    for (int i = 0; i < 2; i++) {
        struct dns_ip ip = ip_of(ways_now[i].to);
        if (memcmp(&ip, &to, sizeof ip) != 0)
            continue;
        if (!ways_now[i].from)
            return -ENETUNREACH;
        source_now = ip_of(ways_now[i].from);
    }
    return 0;
}

static int fake_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    struct eddy_address address;

    (void)fd;
    dns_ip_to_address(&source_now, 1, &address);
    memcpy(addr, &address.storage, address.len);
    *len = address.len;
    return 0;
}

EDDY_TEST(addresses_are_sorted)
{
    eddy__sys.connect = fake_connect;
    eddy__sys.getsockname = fake_getsockname;
    for (size_t i = 0; i < 2 * sizeof ways / sizeof *ways; i++) {
        ways_now = ways[i / 2];
        struct dns_ip first = ip_of(ways_now[0].to), second = ip_of(ways_now[1].to);
        struct dns_ips ips = { .count = 2,
                               .at = { i % 2 ? second : first, i % 2 ? first : second } };
        dns_sort(&ips, true);
        if (!EDDY_CHECK(memcmp(&ips.at[0], &first, sizeof first) == 0 &&
                        memcmp(&ips.at[1], &second, sizeof second) == 0))
            EDDY_CHECK_FAIL("%s is to be before %s", ways_now[0].to, ways_now[1].to);
    }
    /* IPv4 alone stays as it came, and costs no socket. */
    eddy__sys.connect = NULL;
    struct dns_ips ips = { .count = 2, .at = { ip_of("192.0.2.8"), ip_of("10.0.0.1") } };
    dns_sort(&ips, true);
    EDDY_CHECK(ips.at[0].bytes[0] == 192);
}

EDDY_TEST(reading_the_files_survives_every_failure)
{
    for (int kind = 0; kind < 2; kind++) {
        for (struct eddy_fault f = eddy_fault_each(kind ? EDDY_FAULT_SYS : EDDY_FAULT_ALLOC);
             eddy_fault_next(&f);) {
            struct eddy_addresses a;
            write_file("hosts", "10.0.0.1 x.test y.test\n");
            int r = eddy_loop_current() ? eddy_dns_setup(EDDY_OPT(dns, .hosts = "hosts",
                                                                  .timeout_ms = 20, .tries = 1))
                                        : -ENOMEM;
            if (r == 0)
                r = eddy_resolve(EDDY_SLICE("x.test"), 80, EDDY_OPT(resolve, .family = AF_INET6),
                                 &a);
            if (r == -EDDY_ENONAME || r == -EDDY_ERESOLVER)
                r = eddy_resolve(EDDY_SLICE("x.test"), 80, NULL, &a);
            bool fired = eddy_fault_fired(&f);
            eddy_fault_stop();
            EDDY_CHECK(r == 0 || fired);
            eddy_check_teardown();
        }
    }
    unlink("hosts");
}
