/*
 * dns/room.c - what a loop has for names: its settings, what the files said, channels, the cache
 */
#include "dns/room.h"

#include "base/memory.h"
#include "dns/channel.h"

#include <eddy/log.h>

#include <stdlib.h>

enum { SERVER_TIMEOUT_MS = 2000, TRIES = 2, TRIES_MAX = 100 };
#define LOOK_EVERY_NS 1000000000
#define CONF_MAX ((size_t)1 << 20)
#define HOSTS_MAX ((size_t)64 << 20)

/* --- settings -------------------------------------------------------------------------------- */

static void drop(char **text)
{
    if (*text)
        eddy__free(*text, strlen(*text) + 1);
    *text = NULL;
}

static int copy(const char *text, const char *otherwise, char **ret)
{
    if (!text)
        text = otherwise;
    *ret = text ? eddy__strdup(text) : NULL;
    return text && !*ret ? -ENOMEM : 0;
}

static int64_t or_else(int64_t value, int64_t otherwise)
{
    return value ? value : otherwise;
}

/* What @o asks for, in @set and @path[3], all owned by the caller. */
static int settle(const struct eddy_dns_options *o, struct dns_settings *set, char *path[3])
{
    const char *servers = getenv("EDDY_NAMESERVERS");

    *set = (struct dns_settings){
        .timeout_ms = o->timeout_ms,
        .tries = o->tries < TRIES_MAX ? o->tries : TRIES_MAX,
        .max_questions = o->max_questions ? o->max_questions
                                          : 128, /* a burst that sockets have room for */
        .max_entries = o->max_entries ? o->max_entries : 1024,
        .max_bytes = o->max_bytes ? o->max_bytes : (size_t)1 << 20,
        .max_ttl_ms = or_else(o->max_ttl_ms, 3600000),
        .max_negative_ttl_ms = or_else(o->max_negative_ttl_ms, 300000),
        .untimed_ttl_ms = o->untimed_ttl_ms,
        .no_cache = o->no_cache,
    };
    path[0] = path[1] = path[2] = NULL;
    int r = copy(o->servers, servers && *servers ? servers : NULL, &set->servers);
    if (r == 0)
        r = copy(o->resolv_conf, "/etc/resolv.conf", &path[0]);
    if (r == 0)
        r = copy(o->hosts, "/etc/hosts", &path[1]);
    if (r == 0)
        r = copy(o->nsswitch, "/etc/nsswitch.conf", &path[2]);
    return r;
}

static void retire(struct dns_room *room)
{
    struct dns_channel *c = room->channel;

    room->channel = NULL;
    if (c)
        eddy_list_push(&room->retired, &c->link); /* the next sweep ends it, or a later one */
}

/* @set and @path become the room's; nothing can fail. */
static void apply(struct dns_room *room, struct dns_settings *set, char *path[3])
{
    struct dns_file *file[3] = { &room->resolv_conf, &room->hosts_file, &room->nsswitch };

    drop(&room->set.servers);
    room->set = *set;
    set->servers = NULL;
    for (int i = 0; i < 3; i++) {
        drop(&file[i]->path);
        *file[i] = (struct dns_file){ .path = path[i] };
        path[i] = NULL;
    }
    room->looked_ns = 0;
    dns_hosts_free(room->hosts);
    room->hosts = NULL;
    retire(room);
    dns_cache_flush(room, true);
}

/* --- what the files say ---------------------------------------------------------------------- */

/* Its text, or "" where there is none that can be read; *ret_size is to be freed. */
static int text_of(const struct dns_file *f, size_t max, char **ret_text, size_t *ret_len)
{
    static char nothing[1];

    int r = dns_file_read(f->path, max, ret_text, ret_len);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        if (r != -ENOENT)
            eddy_log(EDDY_LOG_WARNING, "%s cannot be read: %s", f->path, eddy_strerror(r));
        *ret_text = nothing;
        *ret_len = 0;
        return 0;
    }
    return 1;
}

static void text_free(char *text, size_t len, int r)
{
    if (r == 1)
        eddy__free(text, len + 1);
}

static int read_nsswitch(struct dns_room *room)
{
    char *text;
    size_t len;

    int r = text_of(&room->nsswitch, CONF_MAX, &text, &len);
    if (r < 0)
        return r;
    dns_sources_parse(text, &room->sources);
    text_free(text, len, r);
    struct dns_sources *s = &room->sources;
    if (room->set.servers)
        *s = (struct dns_sources){ .files = true, .servers = true };
    if (s->system)
        eddy_log(EDDY_LOG_DEBUG, "names are looked up by getaddrinfo(3) on a thread: %s has \"%s\"",
                 room->nsswitch.path, s->word);
    else
        eddy_log(EDDY_LOG_DEBUG, "names are looked up in %s%s%s",
                 s->servers_first ? "the name servers" : "the hosts file",
                 s->files && s->servers ? ", then " : "",
                 !s->files || !s->servers ? ""
                 : s->servers_first       ? "the hosts file"
                                          : "the name servers");
    return 0;
}

static int read_hosts(struct dns_room *room)
{
    struct dns_hosts *hosts;
    char *text;
    size_t len;

    int r = text_of(&room->hosts_file, HOSTS_MAX, &text, &len);
    if (r < 0)
        return r;
    int x = dns_hosts_parse(text, len, &hosts);
    text_free(text, len, r);
    if (x < 0)
        return x;
    dns_hosts_free(room->hosts);
    room->hosts = hosts;
    return 0;
}

static int look(struct dns_room *room, struct dns_file *f, bool first,
                int (*act)(struct dns_room *room))
{
    const struct dns_stamp before = f->stamp;

    if (!dns_file_changed(f) && !first)
        return 0;
    int r = act(room);
    if (r < 0)
        f->stamp = before;
    else if (!first)
        room->counts.reloads++;
    return r;
}

static int forget_servers(struct dns_room *room)
{
    if (room->channel)
        eddy_log(EDDY_LOG_DEBUG, "%s has changed", room->resolv_conf.path);
    retire(room);
    dns_cache_flush(room, true); /* another network, maybe: what was said there does not hold */
    return 0;
}

int dns_room_refresh(struct dns_room *room)
{
    int64_t now_ns = eddy_loop_clock(room->loop);
    bool first = room->looked_ns == 0;

    if (eddy_driver_is_simulated(room->loop->driver) ||
        (!first && now_ns - room->looked_ns < LOOK_EVERY_NS))
        return 0;
    int r = look(room, &room->nsswitch, first, read_nsswitch);
    if (r == 0)
        r = look(room, &room->hosts_file, first, read_hosts);
    if (r == 0)
        r = look(room, &room->resolv_conf, first, forget_servers);
    if (r == 0)
        room->looked_ns = now_ns ? now_ns : 1;
    dns_room_sweep(room);
    return r;
}

/* --- channels -------------------------------------------------------------------------------- */

int dns_room_channel(struct dns_room *room, struct dns_channel **ret_channel)
{
    int64_t timeout_ms = 0;
    unsigned tries = 0;
    char *text;
    size_t len;

    if (room->channel) {
        *ret_channel = room->channel;
        return 0;
    }
    int r = text_of(&room->resolv_conf, CONF_MAX, &text, &len);
    if (r < 0)
        return r;
    dns_resolv_options(text, &timeout_ms, &tries);
    text_free(text, len, r);
    struct dns_channel_options options = {
        .servers = room->set.servers,
        .resolv_conf = room->resolv_conf.path,
        .timeout_ms = or_else(or_else(room->set.timeout_ms, timeout_ms), SERVER_TIMEOUT_MS),
        .tries = (unsigned)or_else((int64_t)or_else(room->set.tries, tries), TRIES),
    };
    r = dns_channel_new(room->loop, &options, &room->channel);
    room->lost = r == -EDDY_ERESOLVER && options.servers;
    if (r == 0)
        *ret_channel = room->channel;
    return r;
}

void dns_room_sweep(struct dns_room *room)
{
    for (struct eddy_list *l = room->retired.next, *next; l != &room->retired; l = next) {
        next = l->next;
        struct dns_channel *c = eddy_container_of(l, struct dns_channel, link);
        if (!c->questions)
            dns_channel_free(c);
    }
}

/* --- making and ending ----------------------------------------------------------------------- */

static void room_free(void *slot)
{
    struct dns_room *room = slot;
    char *path[3] = { room->resolv_conf.path, room->hosts_file.path, room->nsswitch.path };
    struct eddy_list *link;

    dns_channel_free(room->channel);
    while ((link = eddy_list_shift(&room->retired)))
        dns_channel_free(eddy_container_of(link, struct dns_channel, link));
    dns_cache_end_questions(room);
    dns_cache_free(room);
    dns_hosts_free(room->hosts);
    dns_answer_put(room->no_memory);
    for (int i = 0; i < 3; i++)
        drop(&path[i]);
    drop(&room->set.servers);
    eddy__free(room, sizeof *room);
}

int dns_room_of(struct eddy_loop *loop, struct dns_room **ret_room)
{
    struct dns_room *room = loop->slot[EDDY_SLOT_DNS];
    struct dns_settings set;
    char *path[3];

    if (room) {
        *ret_room = room;
        return 0;
    }
    room = eddy__zalloc(sizeof *room);
    if (!room)
        return -ENOMEM;
    room->loop = loop;
    eddy_list_init(&room->retired);
    eddy_list_init(&room->used);
    eddy_list_init(&room->detached);
    eddy_list_init(&room->answered);
    eddy_list_init(&room->queued);
    room->no_memory = dns_answer_failed(-ENOMEM, "out of memory");
    int r = room->no_memory ? settle(EDDY_OPT(dns, .no_cache = false), &set, path) : -ENOMEM;
    if (room->no_memory)
        apply(room, &set, path);
    if (r < 0) {
        room_free(room);
        return r;
    }
    loop->slot[EDDY_SLOT_DNS] = room;
    loop->slot_free[EDDY_SLOT_DNS] = room_free;
    *ret_room = room;
    return 0;
}

const char *dns_room_servers(const struct eddy_loop *loop)
{
    const struct dns_room *room = loop ? loop->slot[EDDY_SLOT_DNS] : NULL;

    return room && room->channel ? room->channel->servers : "";
}

bool dns_room_is_lost(const struct eddy_loop *loop)
{
    const struct dns_room *room = loop ? loop->slot[EDDY_SLOT_DNS] : NULL;

    return room && room->lost;
}

/* --- the public calls ------------------------------------------------------------------------ */

static int complain(const struct eddy_dns_options *o, int r, const char *text)
{
    return eddy_error_set(o->error, r, 0, "%s", text);
}

/* With a channel made of it: what c-ares does not take is told here, not by the first question. */
static int set_up(struct dns_room *room, const struct eddy_dns_options *o)
{
    struct dns_settings set;
    struct dns_channel *c = NULL;
    char *path[3];

    int r = settle(o, &set, path);
    if (r == 0 && set.servers && !eddy_driver_is_simulated(room->loop->driver)) {
        struct dns_channel_options options = { .servers = set.servers,
                                               .resolv_conf = path[0],
                                               .timeout_ms = SERVER_TIMEOUT_MS,
                                               .tries = TRIES };
        r = dns_channel_new(room->loop, &options, &c);
        dns_channel_free(c);
    }
    if (r == 0)
        apply(room, &set, path);
    else if (r == -EDDY_ERESOLVER)
        r = eddy_error_set(o->error, -EINVAL, 0,
                           "\"%.80s\" is not a list of name servers: write 127.0.0.1:53,[::1]:53",
                           set.servers);
    else
        complain(o, r, eddy_strerror(r));
    drop(&set.servers);
    for (int i = 0; i < 3; i++)
        drop(&path[i]);
    dns_room_sweep(room);
    return r;
}

int eddy_dns_setup(const struct eddy_dns_options *options)
{
    const struct eddy_dns_options *o = options ? options : EDDY_OPT(dns, .no_cache = false);
    struct eddy_loop *loop = eddy_loop_current();
    struct dns_room *room;

    if (!loop)
        return complain(o, eddy__loop_refusal(), eddy_strerror(eddy__loop_refusal()));
    if (o->timeout_ms < 0 || o->max_ttl_ms < 0 || o->max_negative_ttl_ms < 0 ||
        o->untimed_ttl_ms < 0)
        return complain(o, -EINVAL, "a time is negative: 0 asks for the default");
    int r = dns_room_of(loop, &room);
    if (r < 0)
        return complain(o, r, eddy_strerror(r));
    return set_up(room, o);
}

size_t eddy_dns_flush(void)
{
    struct eddy_loop *loop = eddy__loop();
    struct dns_room *room = loop ? loop->slot[EDDY_SLOT_DNS] : NULL;

    return room ? dns_cache_flush(room, false) : 0;
}

void eddy_dns_info_sized(struct eddy_dns_info *ret_info, size_t size)
{
    struct eddy_loop *loop = eddy__loop();
    const struct dns_room *room = loop ? loop->slot[EDDY_SLOT_DNS] : NULL;
    const size_t known = size < sizeof *ret_info ? size : sizeof *ret_info;

    memset(ret_info, 0, size);
    if (room)
        memcpy(ret_info, &room->counts, known);
}
