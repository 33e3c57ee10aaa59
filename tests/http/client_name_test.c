/*
 * client_name_test.c - fetching from a host that has a name, or has none
 *
 * backends: select poll epoll uring
 */
#include "check.h"
#include "script.h"

#include <eddy/fetch.h>
#include <eddy/loop.h>

#include <stdio.h>
#include <string.h>

EDDY_TEST(a_name_that_does_not_resolve_is_said_so)
{
    struct eddy_error err = { 0 };
    EDDY_AUTO(eddy_response) page = { 0 };

    /* RFC 6761 6.4: .invalid has no names, whoever is asked; without a name server nobody is. */
    int r = eddy_fetch("http://no-such-host.invalid/",
                       EDDY_OPT(fetch, .timeout_ms = 20000, .error = &err), &page);
    EDDY_CHECK(r == -EDDY_ENONAME || r == -EDDY_ERESOLVER);
    EDDY_CHECK(strstr(err.text, "no-such-host.invalid"));
}

EDDY_TEST(localhost_is_this_machine_and_hosts_are_told_apart_without_case)
{
    static const struct script_answer answers[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", SCRIPT_KEEP, 0 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", SCRIPT_KEEP, 0 },
    };
    struct script s = SCRIPT(answers);
    char url[64];
    EDDY_AUTO(eddy_response) page = { 0 };
    EDDY_AUTO(eddy_response) again = { 0 };
    EDDY_SCOPE(servers, .isolate = true);

    EDDY_CHECK_EQ(script_start(&s, &servers), 0);
    snprintf(url, sizeof url, "http://localhost%s", strrchr(s.url, ':'));
    EDDY_CHECK_EQ(eddy_fetch(url, NULL, &page), 0);
    snprintf(url, sizeof url, "HTTP://LocalHost%s?x#y", strrchr(s.url, ':'));
    EDDY_CHECK_EQ(eddy_fetch(url, NULL, &again), 0);
    EDDY_CHECK_EQ(s.connections, 1);
    EDDY_CHECK(strncmp(s.request, "GET /?x HTTP/1.1\r\nHost: LocalHost:", 34) == 0);
}
