/*
 * dns/room.h - what this room keeps for a loop, and the parts it is made of
 *
 * From the bottom up: an answer is what came to one question, counted, and does not change. The
 * cache has an entry for each name and type that was answered, or is being asked for. An ask is
 * one who waits at an entry. A host is all that it takes to get from a name to its addresses: the
 * hosts file, the search domains, one ask for each family. Public calls wait for an ask or a host.
 *
 * Answers are told from the loop's ready phase (room->soon), never from inside c-ares: so who is
 * told may ask again, withdraw, and end anything.
 */
#ifndef EDDY_DNS_ROOM_H
#define EDDY_DNS_ROOM_H

#include "loop/loop.h"
#include "loop/pool.h"

#include <eddy/dns.h>

#define DNS_NAME_MAX 255

/* A type of our own: all addresses of a name, as getaddrinfo(3) gives and sorts them. */
#define DNS_TYPE_SYSTEM 0

/* --- answers (answer.c, decode.c) ------------------------------------------------------------ */

struct dns_answer {
    unsigned refs;
    int status;      /* 0, -EDDY_ENONAME, -EDDY_ERESOLVER, -ENOMEM */
    const char *why; /* for people, when it is negative: a constant text */
    enum eddy_dns_via via;
    int64_t ttl_ms; /* from its arrival on; 0: not to be kept */
    int64_t until_ns;
    bool timed;   /* ttl_ms is what the server said */
    bool no_data; /* the name is there, but no record of that type */
    bool silent;  /* no server said anything: the next name would fare no better */
    size_t size;  /* of this block */
    size_t count;
    struct eddy_record at[]; /* an address is its 4 or 16 bytes (20: with its scope), not a text */
};

/* Room for @count records and @bytes of their texts, which begin at *ret_text. */
struct dns_answer *dns_answer_new(size_t count, size_t bytes, char **ret_text);
struct dns_answer *dns_answer_failed(int status, const char *why); /* NULL: no memory */
void dns_answer_put(struct dns_answer *a);

/* The records of @type in a message that c-ares has matched to the question; or that there are
 * none, with the TTL of that. -ENOMEM, -EDDY_ERESOLVER (it makes no sense). */
int dns_decode(const unsigned char *message, int len, unsigned type,
               struct dns_answer **ret_answer);

/* --- what the system's files say (files.c, hosts.c) ------------------------------------------ */

struct dns_stamp {
    bool exists;
    uint64_t inode;
    uint64_t size;
    int64_t mtime_ns;
};

struct dns_file {
    char *path; /* owned */
    struct dns_stamp stamp;
};

/* True if it is another than @f->stamp says, which is then brought up to date. */
bool dns_file_changed(struct dns_file *f);

/* All of it, terminated: freed with eddy__free(text, len + 1). -ENOENT, ..., -ENOMEM, -EFBIG. */
int dns_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len);

/* The line `hosts:` of nsswitch.conf. */
struct dns_sources {
    bool files, servers;
    bool servers_first;
    bool system;   /* something else stands there: getaddrinfo(3) is to be asked */
    char word[32]; /* what that was */
};
void dns_sources_parse(const char *text, struct dns_sources *ret);

/* `options timeout:` and `attempts:` of resolv.conf, which c-ares does not read; 0: not told. */
void dns_resolv_options(const char *text, int64_t *ret_timeout_ms, unsigned *ret_tries);

struct dns_hosts;
int dns_hosts_parse(const char *text, size_t len, struct dns_hosts **ret_hosts);
void dns_hosts_free(struct dns_hosts *h);

/* --- addresses (sort.c) ---------------------------------------------------------------------- */

struct dns_ip {
    uint8_t family; /* AF_INET, AF_INET6 */
    uint8_t bytes[16];
    uint32_t scope;
};

struct dns_ips {
    size_t count;
    struct dns_ip at[EDDY_ADDRESSES_MAX];
};

bool dns_ip_eq(const struct dns_ip *a, const struct dns_ip *b);
void dns_ip_to_address(const struct dns_ip *ip, uint16_t port, struct eddy_address *ret);
int dns_ip_of_sockaddr(const struct sockaddr *addr, struct dns_ip *ret);
int dns_hosts_find(const struct dns_hosts *h, const char *name, int family, struct dns_ips *ret);

/* By RFC 6724. @probe: ask the kernel from where each would be reached. */
void dns_sort(struct dns_ips *ips, bool probe);

/* --- the room (room.c) ----------------------------------------------------------------------- */

struct dns_settings {
    char *servers;      /* owned; NULL: resolv.conf's */
    int64_t timeout_ms; /* 0: resolv.conf's, or the default; so the next */
    unsigned tries;
    unsigned max_questions; /* under way at a time; one more waits for its turn */
    unsigned max_entries;
    size_t max_bytes;
    int64_t max_ttl_ms;
    int64_t max_negative_ttl_ms;
    int64_t untimed_ttl_ms;
    bool no_cache;
};

struct dns_channel;

struct dns_room {
    struct eddy_loop *loop;
    struct dns_settings set;
    struct dns_file resolv_conf, hosts_file, nsswitch;
    int64_t looked_ns; /* at the files; 0: never */
    struct dns_sources sources;
    struct dns_hosts *hosts;     /* NULL: nothing in it */
    struct dns_channel *channel; /* NULL: none yet */
    bool lost;                   /* see dns_room_is_lost() */
    struct eddy_list retired;    /* channels with questions that go on */
    /* The cache. */
    struct dns_entry **buckets;
    size_t bucket_count;
    struct eddy_list used;     /* entries with an answer, the one used last first */
    struct eddy_list detached; /* entries that are asked for, and out of the table */
    struct eddy_list answered; /* entries whose asks are to be told */
    struct eddy_list queued;   /* entries whose question has yet to be put */
    struct eddy_soon soon;
    struct eddy_dns_info counts;
    struct dns_answer *no_memory; /* made in time */
};

/* This loop's, made when there is none. -ENOMEM. */
int dns_room_of(struct eddy_loop *loop, struct dns_room **ret_room);

/* Who is asked, as a text: "127.0.0.53"; "" where nobody was yet. */
const char *dns_room_servers(const struct eddy_loop *loop);

/* Whether $EDDY_NAMESERVERS makes no sense. (What eddy_dns_setup() is told it looks at itself.) */
bool dns_room_is_lost(const struct eddy_loop *loop);

/* Look at the files, at most once a second. -ENOMEM, -EDDY_ERESOLVER. */
int dns_room_refresh(struct dns_room *room);

/* The channel to ask, made when there is none. -ENOMEM, -EDDY_ERESOLVER. */
int dns_room_channel(struct dns_room *room, struct dns_channel **ret_channel);
void dns_room_sweep(struct dns_room *room); /* end retired channels that nobody waits for */

/* --- the cache (cache.c) --------------------------------------------------------------------- */

struct dns_question;

struct dns_entry {
    struct dns_entry *next;        /* in its bucket */
    struct eddy_list link;         /* in room->used, ->detached */
    struct eddy_list told;         /* in room->answered, ->queued */
    struct eddy_list asks;         /* of struct dns_ask: who waits */
    struct dns_answer *answer;     /* kept; NULL: none */
    struct dns_answer *fresh;      /* just come, to be told to the asks */
    struct dns_question *question; /* under way */
    uint32_t hash;
    uint16_t type;
    bool queued;   /* in room->queued */
    bool telling;  /* its asks are being told */
    bool detached; /* nobody finds it any more: freed when its question is over */
    char name[];   /* lower case, no dot at the end */
};

struct dns_entry *dns_cache_find(struct dns_room *room, const char *name, unsigned type);
int dns_cache_have(struct dns_room *room, const char *name, unsigned type,
                   struct dns_entry **ret_entry);
const struct dns_answer *dns_cache_hit(struct dns_room *room, struct dns_entry *e);
/* The answer has come: keep it if it may be kept, and tell it soon. */
void dns_cache_answer(struct dns_room *room, struct dns_entry *e, struct dns_answer *answer);
void dns_cache_release(struct dns_room *room,
                       struct dns_entry *e);         /* free it if nothing holds it */
void dns_cache_end_questions(struct dns_room *room); /* all but c-ares', which ends its own */
size_t dns_cache_flush(struct dns_room *room, bool questions_too);
void dns_cache_free(struct dns_room *room);

/* --- questions (ask.c, ask_ares.c ...) ------------------------------------------------------- */

/* One who waits for the answer to one question. */
struct dns_ask {
    /* From the loop's ready phase, once; @answer is borrowed until it returns. */
    void (*done)(struct dns_ask *ask, const struct dns_answer *answer, bool cached);
    struct eddy_list link;   /* self-linked: not asking */
    struct dns_entry *entry; /* NULL: not asking */
    int index;               /* the owner's */
};

/* 1: *ret_answer is what the cache has, borrowed until the caller waits. 0: done() will be called,
 * unless it is withdrawn. Or negative: nothing was asked. */
int dns_ask(struct dns_room *room, const char *name, unsigned type, bool no_cache,
            struct dns_ask *ask, const struct dns_answer **ret_answer);
void dns_ask_withdraw(struct dns_room *room, struct dns_ask *ask);
void dns_ask_queued(struct dns_room *room); /* put what waits for its turn, if there is room */

void dns_question_end(struct dns_question *q); /* the room ends: nobody wants the answer */

/* --- hosts (host.c) -------------------------------------------------------------------------- */

/* From a name to addresses. Placed by the caller, for as long as it takes. */
struct dns_host {
    /* The caller's, set before dns_host_start(). */
    void (*changed)(struct dns_host *h); /* more was found, or it is over; from the ready phase */
    int family;                          /* 0: both */
    bool no_cache;
    /* What was found: [0] IPv6, [1] IPv4; not sorted. */
    bool over;
    bool have[2]; /* that family is settled */
    struct dns_ips found[2];
    bool sorted; /* `order` holds all of both, sorted by whoever answered */
    struct dns_ips order;
    int status;
    const char *why;
    enum eddy_dns_via via;
    bool cached;
    uint32_t ttl_s;
    /* host.c's. */
    struct dns_room *room;
    struct dns_ask ask[2];
    unsigned step; /* which of the names is asked for */
    unsigned asking;
    bool no_data, silent, system, files_last;
    int failure; /* -EDDY_ERESOLVER or -ENOMEM, of one of the questions */
    const char *failure_why;
    const char *no_why;
    char name[DNS_NAME_MAX + 1];
};

/* 1: over already. 0: changed() will be called. Or negative: -ENOMEM, -EDDY_ERESOLVER (with
 * h->why), -EDDY_ENONAME. */
int dns_host_start(struct dns_host *h, struct eddy_slice host);
void dns_host_stop(struct dns_host *h); /* changed() will not be called any more; safe twice */

/* All that was found so far, sorted. */
void dns_host_sorted(const struct dns_host *h, struct dns_ips *ret);

int dns_explain(struct eddy_error *err, int r, struct eddy_slice name, const char *why);

#endif
