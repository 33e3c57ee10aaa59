/*
 * sockets_test.c - listening sockets: what is inherited, and whose socket file may be removed
 */
#include "check.h"
#include "loop/driver.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const void *addr, size_t len)
{
    return eddy_sockets_listen(NULL, addr, (socklen_t)len, 8, NULL);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

EDDY_TEST(a_stale_socket_file_is_replaced_and_nothing_else)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    snprintf(un.sun_path, sizeof un.sun_path, "stale-%d.sock", (int)getpid());
    int first = listen_at(&un, sizeof un);
    if (!EDDY_CHECK(first >= 0))
        return;
    EDDY_CHECK_ERR(listen_at(&un, sizeof un), -EADDRINUSE); /* somebody answers */
    EDDY_CHECK(is_there(un.sun_path));
    close(first);
    EDDY_CHECK(is_there(un.sun_path)); /* now it is stale */
    int second = listen_at(&un, sizeof un);
    EDDY_CHECK(second >= 0);
    close(second);
    unlink(un.sun_path);

    close(open(un.sun_path, O_CREAT | O_WRONLY, 0600)); /* a plain file refuses connects too */
    EDDY_CHECK_ERR(listen_at(&un, sizeof un), -EADDRINUSE);
    EDDY_CHECK(is_there(un.sun_path));
    unlink(un.sun_path);
}

EDDY_TEST(accepted_sockets_inherit_nodelay)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_storage addr;
    socklen_t len, size = sizeof(int);
    int value = 0;

    int listener = listen_at(&in, sizeof in);
    if (!EDDY_CHECK(listener >= 0))
        return;
    EDDY_CHECK_EQ(eddy_sockets_address(NULL, listener, false, &addr, &len), 0);
    EDDY_CHECK_ERR(eddy_sockets_listen(NULL, (struct sockaddr *)&addr, len, 8, NULL), -EADDRINUSE);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    EDDY_CHECK_EQ(connect(client, (struct sockaddr *)&addr, len), 0);
    int server = accept(listener, NULL, NULL);
    EDDY_CHECK_EQ(getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    EDDY_CHECK(value != 0);
    close(server);
    close(client);
    close(listener);
}

EDDY_TEST(any_of_ipv6_takes_ipv4_too)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_storage addr;
    socklen_t len;

    int listener = listen_at(&any, sizeof any);
    if (listener == -EAFNOSUPPORT || listener == -EADDRNOTAVAIL) {
        EDDY_CHECK_NOT_RUN("this machine has no IPv6");
        return;
    }
    EDDY_CHECK_EQ(eddy_sockets_address(NULL, listener, false, &addr, &len), 0);
    in.sin_port = ((struct sockaddr_in6 *)&addr)->sin6_port;
    int client = socket(AF_INET, SOCK_STREAM, 0);
    EDDY_CHECK_EQ(connect(client, (struct sockaddr *)&in, sizeof in), 0);
    close(client);
    close(listener);
}

EDDY_TEST(several_may_share_a_port_if_all_say_so)
{
    const struct eddy_socket_options shared = { .reuse_port = true };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_storage addr;
    socklen_t len;

    int first = eddy_sockets_listen(NULL, (struct sockaddr *)&in, sizeof in, 8, &shared);
    EDDY_CHECK_EQ(eddy_sockets_address(NULL, first, false, &addr, &len), 0);
    int second = eddy_sockets_listen(NULL, (struct sockaddr *)&addr, len, 8, &shared);
    EDDY_CHECK(second >= 0);
    close(first);
    close(second);
}
