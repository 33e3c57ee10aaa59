/*
 * net/options.c - options of sockets: from what a program asks for to what the kernel is told
 */
#include "net/options.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* Portable names of what Linux alone has: a number that setsockopt() refuses. */
#ifndef TCP_USER_TIMEOUT
#define TCP_USER_TIMEOUT (-1)
#endif

/* --- TCP -------------------------------------------------------------------------------------- */

static bool is_setting(enum eddy_setting s)
{
    return s == EDDY_AS_IS || s == EDDY_ON || s == EDDY_OFF;
}

static int check_tcp(const struct eddy_tcp_options *t, struct eddy_error *err)
{
    /* The kernel's own bounds: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT. */
    if (t->keep_idle_s < 0 || t->keep_idle_s > 32767)
        return eddy_error_set(err, -EINVAL, 0, ".keep_idle_s is %d: 1 to 32767, or 0",
                              t->keep_idle_s);
    if (t->keep_interval_s < 0 || t->keep_interval_s > 32767)
        return eddy_error_set(err, -EINVAL, 0, ".keep_interval_s is %d: 1 to 32767, or 0",
                              t->keep_interval_s);
    if (t->keep_count < 0 || t->keep_count > 127)
        return eddy_error_set(err, -EINVAL, 0, ".keep_count is %d: 1 to 127, or 0", t->keep_count);
    if (t->user_timeout_ms < 0 || t->user_timeout_ms > INT32_MAX)
        return eddy_error_set(err, -EINVAL, 0, ".user_timeout_ms is %lld: 1 to 2147483647, or 0",
                              (long long)t->user_timeout_ms);
    if (!is_setting(t->no_delay) || !is_setting(t->keep_alive) || !is_setting(t->abort))
        return eddy_error_set(err, -EINVAL, 0,
                              ".no_delay, .keep_alive, .abort: EDDY_ON or EDDY_OFF, or 0");
    if (t->keep_alive == EDDY_OFF && (t->keep_idle_s || t->keep_interval_s || t->keep_count))
        return eddy_error_set(err, -EINVAL, 0, ".keep_alive is off, but its times are set");
    return 0;
}

static void add(struct eddy_socket_setting *ret, int *count, int level, int name, int value)
{
    assert(*count < NET_SETTINGS_MAX);
    ret[(*count)++] = (struct eddy_socket_setting){ level, name, value };
}

int net_tcp_settings(const struct eddy_tcp_options *tcp,
                     struct eddy_socket_setting ret[NET_SETTINGS_MAX], struct eddy_error *err)
{
    struct eddy_tcp_options t = { 0 };
    int count = 0;

    if (!tcp)
        return 0;
    NET_OPTIONS_COPY(&t, tcp);
    int r = check_tcp(&t, err);
    if (r < 0)
        return r;
    if (t.no_delay)
        add(ret, &count, IPPROTO_TCP, TCP_NODELAY, t.no_delay == EDDY_ON);
    if (t.keep_idle_s)
        add(ret, &count, IPPROTO_TCP, TCP_KEEPIDLE, t.keep_idle_s);
    if (t.keep_interval_s)
        add(ret, &count, IPPROTO_TCP, TCP_KEEPINTVL, t.keep_interval_s);
    if (t.keep_count)
        add(ret, &count, IPPROTO_TCP, TCP_KEEPCNT, t.keep_count);
    if (t.keep_alive || t.keep_idle_s || t.keep_interval_s || t.keep_count)
        add(ret, &count, SOL_SOCKET, SO_KEEPALIVE, t.keep_alive != EDDY_OFF);
    if (t.user_timeout_ms)
        add(ret, &count, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)t.user_timeout_ms);
    if (t.abort)
        add(ret, &count, SOL_SOCKET, SO_LINGER, t.abort == EDDY_ON);
    return count;
}

int eddy_stream_set_tcp(struct eddy_stream *s, const struct eddy_tcp_options *options)
{
    struct eddy_error *err = options ? options->error : NULL;
    struct eddy_socket_setting settings[NET_SETTINGS_MAX];
    struct eddy_address local;
    int fd = -1;

    int count = net_tcp_settings(options, settings, err);
    if (count < 0)
        return count;
    int r = eddy_stream_info(s, EDDY_INFO_FD, &fd);
    if (r == 0)
        r = eddy_stream_info(s, EDDY_INFO_LOCAL, &local);
    if (r == -EBADF || r == -EDDY_EFORKED)
        return eddy_error_set(err, r, 0, "the stream: %s", eddy_strerror(r));
    int family = r == 0 ? eddy_address_family(&local) : 0;
    if (family != AF_INET && family != AF_INET6)
        return eddy_error_set(err, -EOPNOTSUPP, 0, "not a TCP connection: it has no such options");
    if (net_is_sim(eddy__loop()))
        return 0;
    r = eddy__sockets_set(fd, settings, (unsigned)count);
    if (r < 0)
        return eddy_error_set(err, r, 0, "the options of a TCP connection: %s", eddy_strerror(r));
    return 0;
}

/* --- listening and connecting ----------------------------------------------------------------- */

static int fill(struct net_options *ret, const struct eddy_tcp_options *tcp, const char *interface,
                struct eddy_error *err)
{
    int count = net_tcp_settings(tcp, ret->settings, err);

    if (count < 0)
        return count;
    if (interface && (!*interface || strlen(interface) > 15)) /* IFNAMSIZ with its NUL */
        return eddy_error_set(err, -EINVAL, 0, "'%.40s' is no name of an interface", interface);
    ret->socket.settings = ret->settings;
    ret->socket.count = (unsigned)count;
    ret->socket.interface = interface;
    return 0;
}

int net_options_listen(const struct eddy_listen_options *options, struct net_options *ret,
                       struct eddy_error *err)
{
    *ret = (struct net_options){ .socket = { .reuse_port = options->reuse_port,
                                             .v6_only = options->v6_only,
                                             .mode = options->mode } };
    if (options->mode > 07777)
        return eddy_error_set(err, -EINVAL, 0, ".mode is %o: 0 to 0777", options->mode);
    return fill(ret, options->tcp, options->interface, err);
}

static int parse_source(const char *text, struct eddy_address *ret, struct eddy_error *err)
{
    struct eddy_error why = { 0 };

    int r = eddy_address_of_ip(eddy_slice_of(text), 0, ret); /* "::1" */
    if (r == EDDY_ADDRESS_NAME)
        r = eddy_address_parse(text, 0, ret, &why);
    int family = r == 0 ? eddy_address_family(ret) : 0;
    if (family == AF_INET || family == AF_INET6)
        return 0;
    return eddy_error_set(err, -EINVAL, 0,
                          ".source is '%.60s': an address is wanted, as 10.0.0.1:0", text);
}

int net_options_connect(const struct eddy_connect_options *options, struct net_options *ret,
                        struct eddy_error *err)
{
    struct eddy_connect_options o = { 0 };

    *ret = (struct net_options){ 0 };
    if (!options)
        return 0;
    NET_OPTIONS_COPY(&o, options);
    int r = fill(ret, o.tcp, o.interface, err);
    ret->other = ret->socket;
    if (r == 0 && o.source)
        r = parse_source(o.source, &ret->source, err);
    if (r == 0 && o.source) {
        ret->socket.source = (const struct sockaddr *)&ret->source.storage;
        ret->socket.source_len = ret->source.len;
    }
    return r;
}

const struct eddy_socket_options *net_options_for(const struct net_options *o, int family)
{
    return eddy_address_family(&o->source) == family ? &o->socket : &o->other;
}

bool net_options_explain(struct eddy_error *err, int r, const struct net_options *o)
{
    const char *interface = o->socket.interface;
    char text[EDDY_ADDRESS_TEXT];

    if (interface && r == -EDDY_ESIM)
        eddy_error_set(err, r, 0,
                       "the simulator has no network interfaces: leave out .interface, or choose "
                       "another backend");
    else if (interface && r == -ENODEV)
        eddy_error_set(err, r, 0, "there is no interface %.16s: `ip link` names those there are",
                       interface);
    else if (interface && r == -EPERM)
        eddy_error_set(err, r, 0,
                       "not allowed to use .interface (%.16s): it needs CAP_NET_RAW (`setcap "
                       "cap_net_raw+ep PROGRAM`), or Linux 5.7",
                       interface);
    else if (o->source.len && r == -EADDRNOTAVAIL)
        eddy_error_set(err, r, 0, ".source is %s, but this machine has no such address",
                       eddy_address_format(&o->source, text, sizeof text));
    else if (o->source.len && r == -EADDRINUSE)
        eddy_error_set(err, r, 0, ".source is %s, whose port is in use: let it be 0",
                       eddy_address_format(&o->source, text, sizeof text));
    else
        return false;
    return true;
}
