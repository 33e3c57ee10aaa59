/*
 * net/race.c - a name's addresses, tried beside each other: RFC 8305
 *
 * One task runs the race; what happens meanwhile (addresses come, an attempt ends, a time is over)
 * only stirs it, and it looks at everything anew: what is due to be started, whether somebody has
 * won, whether all have lost. An attempt is a CONNECT operation. When it is over, the others are
 * cancelled and waited for, and what connected all the same is closed.
 *
 * Addresses that come while it goes on stand where sorting puts them, and those of the family that
 * was not tried last come next.
 */
#include "net/race.h"

#include "base/memory.h"
#include "dns/room.h"
#include "task/wait.h"

#include <netinet/in.h>
#include <stdio.h>

enum { RESOLUTION_DELAY_MS = 50, ATTEMPT_DELAY_MS = 250, ATTEMPT_DELAY_MIN_MS = 10 };
#define ATTEMPTS_MAX (2 * EDDY_ADDRESSES_MAX)
#define MS INT64_C(1000000)

struct attempt {
    struct eddy_op op;
    struct race *race;
    struct eddy_address address;
    struct dns_ip ip;
    bool over;
    int res;
};

struct race {
    struct eddy_loop *loop;
    const struct net_options *sockets;
    struct eddy_wait *wait; /* of the task, while it waits */
    bool stirred;           /* something happened since it last looked */
    struct dns_host host;
    struct dns_ips ips; /* what was found so far, sorted */
    size_t known;       /* how many that were when it was sorted */
    uint16_t port;
    int first_family;
    int64_t delay_ns;
    int64_t begin_ns; /* the resolution delay is over; 0: it has not begun */
    int64_t next_ns;  /* the next attempt may be started beside those under way */
    struct eddy_timer timer;
    unsigned trying;
    size_t count; /* of attempts */
    struct attempt at[ATTEMPTS_MAX];
};

/* --- what happens ---------------------------------------------------------------------------- */

static void stir(struct race *r)
{
    r->stirred = true;
    if (r->wait && !r->wait->done)
        eddy__wake(r->wait, 0);
}

static void host_changed(struct dns_host *h)
{
    stir(eddy_container_of(h, struct race, host));
}

static void time_over(struct eddy_timer *t)
{
    stir(eddy_container_of(t, struct race, timer));
}

static void ended(struct eddy_op *op, int res)
{
    struct attempt *a = eddy_container_of(op, struct attempt, op);

    a->over = true;
    a->res = res;
    a->race->trying--;
    if (res < 0)
        a->race->next_ns = 0; /* the next one at once */
    stir(a->race);
}

/* --- what is next ---------------------------------------------------------------------------- */

static bool is_tried(const struct race *r, const struct dns_ip *ip)
{
    for (size_t i = 0; i < r->count; i++)
        if (dns_ip_eq(&r->at[i].ip, ip))
            return true;
    return false;
}

static const struct dns_ip *untried(const struct race *r, int family)
{
    for (size_t i = 0; i < r->ips.count; i++)
        if ((!family || r->ips.at[i].family == family) && !is_tried(r, &r->ips.at[i]))
            return &r->ips.at[i];
    return NULL;
}

/* The families take turns. */
static const struct dns_ip *next_of(struct race *r)
{
    const size_t known = r->host.found[0].count + r->host.found[1].count;

    if (known != r->known) {
        dns_host_sorted(&r->host, &r->ips);
        r->known = known;
    }
    if (r->count == ATTEMPTS_MAX)
        return NULL;
    int family = r->first_family;
    if (r->count)
        family = r->at[r->count - 1].ip.family == AF_INET ? AF_INET6 : AF_INET;
    const struct dns_ip *ip = family ? untried(r, family) : NULL;
    return ip ? ip : untried(r, 0);
}

/* The addresses of one family are enough to begin with, of the other only after a while. */
static bool has_begun(struct race *r, int64_t now_ns)
{
    const int first = r->first_family == AF_INET;

    if (r->count || r->host.over || (r->host.have[first] && r->host.found[first].count))
        return true;
    if (!r->host.have[!first] || !r->host.found[!first].count)
        return false;
    if (!r->begin_ns)
        r->begin_ns = now_ns + RESOLUTION_DELAY_MS * MS;
    return now_ns >= r->begin_ns;
}

static void try_next(struct race *r, const struct dns_ip *ip, int64_t now_ns)
{
    struct attempt *a = &r->at[r->count++];

    *a = (struct attempt){ .race = r, .ip = *ip };
    dns_ip_to_address(ip, r->port, &a->address);
    r->next_ns = now_ns + r->delay_ns;
    net_connect_op(&a->op, &a->address, r->sockets, ended);
    r->trying++;
    if (eddy__op_submit(r->loop, &a->op))
        ended(&a->op, a->op.res);
}

static struct attempt *winner(struct race *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->at[i].over && r->at[i].res >= 0)
            return &r->at[i];
    return NULL;
}

/* --- why nobody won -------------------------------------------------------------------------- */

/* How much an error tells of what is wrong: of several, the one to return. */
static int weight(int error)
{
    switch (error) {
    case -ENETUNREACH:
    case -EADDRNOTAVAIL:
    case -EAFNOSUPPORT: return 0; /* this machine has no way there: so it is with a whole family */
    case -EHOSTUNREACH: return 1;
    case -EDDY_EPEER_TIMEOUT: return 2;
    case -ECONNREFUSED:
    case -ECONNRESET: return 4; /* somebody is there, and says so */
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM: return 5; /* no address is to blame */
    default: return 3;
    }
}

static int worst(const struct race *r)
{
    int error = r->host.status < 0 ? r->host.status : -EDDY_ENONAME;

    for (size_t i = 0; i < r->count; i++)
        if (r->at[i].over && (i == 0 || weight(r->at[i].res) >= weight(error)))
            error = r->at[i].res;
    return error;
}

static void report(const struct race *r, struct net_race_report *to)
{
    size_t len = 0;

    *to = (struct net_race_report){ .tried = (unsigned)r->count, .why = r->host.why };
    for (size_t i = 0; i < r->count; i++) {
        char buf[EDDY_ADDRESS_TEXT];
        eddy_address_format(&r->at[i].address, buf, sizeof buf);
        *strrchr(buf, buf[0] == '[' ? ']' : ':') = '\0'; /* without the port */
        const char *text = buf + (buf[0] == '[');
        const size_t room = sizeof to->addresses - len - (i + 1 < r->count ? 14 : 1);
        if (strlen(text) + 2 > room) {
            snprintf(to->addresses + len, sizeof to->addresses - len, ", %zu more", r->count - i);
            return;
        }
        len += (size_t)snprintf(to->addresses + len, sizeof to->addresses - len, "%s%s",
                                len ? ", " : "", text);
    }
}

/* --- the race -------------------------------------------------------------------------------- */

static void interrupted(struct eddy_wait *w, int why)
{
    eddy__wake(w, why);
}

/* Until something happens. */
static int wait_for_more(struct race *r, int64_t until_ns)
{
    struct eddy_wait w = EDDY_WAIT(interrupted, r->trying ? "connect" : "resolve");

    if (r->stirred) {
        r->stirred = false;
        return eddy__wait_check();
    }
    if (until_ns)
        eddy__timer_start(r->loop, &r->timer, until_ns, time_over);
    r->wait = &w;
    int x = eddy__wait(&w);
    r->wait = NULL;
    r->stirred = false;
    eddy__timer_stop(r->loop, &r->timer);
    return x;
}

/* The winner's descriptor, or why there is none. */
static int run(struct race *r)
{
    for (;;) {
        struct attempt *won = winner(r);
        if (won)
            return won->res;
        const int64_t now_ns = eddy_loop_clock(r->loop);
        int64_t until_ns = 0;
        if (!has_begun(r, now_ns)) {
            until_ns = r->begin_ns;
        } else {
            const struct dns_ip *next = next_of(r);
            if (next && (!r->trying || now_ns >= r->next_ns)) {
                try_next(r, next, now_ns);
                continue;
            }
            if (next)
                until_ns = r->next_ns;
            else if (!r->trying && r->host.over)
                return worst(r);
        }
        int x = wait_for_more(r, until_ns);
        if (x < 0 && (won = winner(r)))
            return won->res; /* completion wins */
        if (x < 0)
            return x;
    }
}

/* The others are cancelled, and waited for; what connected all the same is closed. */
static void end(struct race *r, int fd)
{
    dns_host_stop(&r->host);
    eddy__timer_stop(r->loop, &r->timer);
    for (size_t i = 0; i < r->count; i++) {
        struct attempt *a = &r->at[i];
        if (!a->over && eddy__op_cancel(r->loop, &a->op))
            ended(&a->op, a->op.res);
    }
    while (r->trying) {
        struct eddy_wait w = EDDY_WAIT(NULL, "connect");
        r->wait = &w;
        eddy__wait(&w);
        r->wait = NULL;
    }
    for (size_t i = 0; i < r->count; i++)
        if (r->at[i].res >= 0 && r->at[i].res != fd)
            net_close_and_wait(r->loop, r->at[i].res);
}

static void settle(struct race *r, const struct eddy_connect_options *o)
{
    int64_t delay_ms = o && o->attempt_delay_ms ? o->attempt_delay_ms : ATTEMPT_DELAY_MS;

    if (delay_ms < ATTEMPT_DELAY_MIN_MS)
        delay_ms = ATTEMPT_DELAY_MIN_MS;
    r->loop = eddy__loop();
    r->delay_ns = delay_ms < INT32_MAX ? delay_ms * MS : INT32_MAX * MS;
    r->first_family = o ? o->first_family : 0;
    r->host.family = o ? o->family : 0;
    r->host.changed = host_changed;
}

int net_race(struct eddy_slice host, uint16_t port, const struct eddy_connect_options *options,
             const struct net_options *sockets, struct net_race_report *ret_report)
{
    struct race *r = eddy__zalloc(sizeof *r);

    *ret_report = (struct net_race_report){ .tried = 0 };
    if (!r)
        return -ENOMEM;
    settle(r, options);
    r->sockets = sockets;
    r->port = port;
    int x = dns_host_start(&r->host, host);
    if (x >= 0)
        x = run(r);
    if (x < 0)
        report(r, ret_report);
    end(r, x);
    eddy__free(r, sizeof *r);
    return x;
}
