/*
 * haproxy_test.c - the PROXY protocol with the program it was made for: HAProxy
 *
 * One process of it, with a front that takes what we announce and tells a server of ours the same,
 * in version 1 or 2, with what version 2 can carry besides. So all ways are its word, not ours.
 *
 * backends: select poll epoll uring
 */
#include "check.h"

#include <eddy/address.h>
#include <eddy/net.h>
#include <eddy/task.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* @send: "send-proxy" or "send-proxy-v2 proxy-v2-options ...". Its front is a Unix socket here. */
static pid_t start_haproxy(const char *folder, const char *server, const char *send)
{
    char path[128];

    snprintf(path, sizeof path, "%s/cfg", folder);
    FILE *f = fopen(path, "w");
    if (!f)
        abort();
    fprintf(f,
            "global\n  nbthread 1\n  log stderr format raw daemon emerg\n"
            "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 10s\n"
            "  timeout server 10s\n"
            "frontend front\n  bind unix@%s/front accept-proxy\n  unique-id-format eddy-7\n"
            "  default_backend back\n"
            "backend back\n  server ours %s %s\n",
            folder, server, send);
    fclose(f);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execl("/usr/sbin/haproxy", "haproxy", "-db", "-f", path, (char *)NULL);
        _exit(127);
    }
    return child;
}

static int announce(const char *address, const struct eddy_proxy *p, struct eddy_stream **ret)
{
    int r;

    do
        r = eddy_connect(address, EDDY_OPT(connect, .proxy_header = p), ret);
    while ((r == -ECONNREFUSED || r == -ENOENT) && eddy_sleep(10) == 0);
    return r;
}

/* What we say comes back as what it says. */
static void round_trip(const char *send, unsigned ours, unsigned its, const char *from,
                       const char *to, struct eddy_proxy *ret, char extensions[256])
{
    char folder[] = "/tmp/eddy-haproxy-XXXXXX", text[EDDY_ADDRESS_TEXT], address[64], path[64];
    EDDY_OWN(eddy_listener) door = NULL;
    EDDY_OWN(eddy_stream) client = NULL;
    EDDY_OWN(eddy_stream) server = NULL;
    struct eddy_proxy p = { .version = ours };
    struct eddy_address a;
    char buf[5] = "";
    EDDY_SCOPE(patience, .timeout_ms = 20000);

    *ret = (struct eddy_proxy){ .version = 0 };
    EDDY_CHECK_EQ(eddy_address_parse(from, 0, &p.source, NULL), 0);
    EDDY_CHECK_EQ(eddy_address_parse(to, 0, &p.destination, NULL), 0);
    EDDY_CHECK_EQ(eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .proxy = EDDY_PROXY_REQUIRED), &door),
                  0);
    if (!door || !mkdtemp(folder))
        return;
    EDDY_CHECK_EQ(eddy_listener_address(door, &a), 0);
    pid_t child = start_haproxy(folder, eddy_address_format(&a, text, sizeof text), send);
    snprintf(address, sizeof address, "unix:%s/front", folder);
    EDDY_CHECK_EQ(announce(address, &p, &client), 0);
    if (client && EDDY_CHECK_EQ(eddy_write(client, "hello", 5), 0) &&
        EDDY_CHECK_EQ(eddy_accept(door, &server), 0)) {
        EDDY_CHECK_EQ(eddy_read_exactly(server, buf, 5), 0);
        EDDY_CHECK_MEM(buf, 5, "hello", 5);
        EDDY_CHECK_EQ(eddy_stream_peer(server, &a), 0);
        EDDY_CHECK_STR(eddy_address_format(&a, text, sizeof text), from);
        EDDY_CHECK_EQ(eddy_stream_info(server, EDDY_INFO_PROXY, ret), 0);
        EDDY_CHECK_EQ(ret->version, its);
        EDDY_CHECK(eddy_address_eq(&ret->destination, &p.destination));
        if (EDDY_CHECK(ret->extensions.len <= 256) && ret->extensions.len)
            ret->extensions.ptr = memcpy(extensions, ret->extensions.ptr, ret->extensions.len);
    }
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    snprintf(path, sizeof path, "%s/cfg", folder);
    unlink(path);
    unlink(address + 5);
    rmdir(folder);
}

static bool have_haproxy(void)
{
    if (access("/usr/sbin/haproxy", X_OK) == 0)
        return true;
    EDDY_CHECK_FAIL("haproxy is missing: scripts/deps --test installs it");
    return false;
}

EDDY_TEST(version_1_goes_both_ways)
{
    struct eddy_proxy got;
    char extensions[256];

    if (!have_haproxy())
        return;
    round_trip("send-proxy", 1, 1, "203.0.113.5:1111", "192.0.2.9:80", &got, extensions);
    round_trip("send-proxy", 2, 1, "[2001:db8::5]:1111", "[2001:db8::9]:80", &got, extensions);
}

EDDY_TEST(version_2_goes_both_ways)
{
    struct eddy_proxy got;
    struct eddy_slice value = { 0 };
    char extensions[256];

    if (!have_haproxy())
        return;
    round_trip("send-proxy-v2", 2, 2, "203.0.113.5:1111", "192.0.2.9:80", &got, extensions);
    round_trip("send-proxy-v2 proxy-v2-options crc32c,unique-id", 1, 2, "[2001:db8::5]:1111",
               "[2001:db8::9]:80", &got, extensions);
    EDDY_CHECK(got.checksum); /* computed by another hand, and right */
    EDDY_CHECK_EQ(eddy_proxy_extension(&got, EDDY_PROXY_UNIQUE_ID, &value), 0);
    EDDY_CHECK_MEM(value.ptr, value.len, "eddy-7", 6);
}
