/*
 * eddy/dns.h - names to addresses, and what else name servers know, without blocking
 *
 *     struct eddy_addresses found;
 *     r = eddy_resolve(EDDY_SLICE("example.org"), 80, NULL, &found);
 *
 *     EDDY_AUTO(eddy_records) mail = { 0 };
 *     r = eddy_lookup_mx("example.org", NULL, &mail);
 *     for (size_t i = 0; i < mail.count; i++)
 *         printf("%u %s\n", mail.at[i].priority, mail.at[i].text);
 *
 * eddy_resolve() is true to the system. The line `hosts:` of nsswitch.conf(5) says where names come
 * from: for "files" and "dns", in either order, the hosts file is read and the name servers of
 * resolv.conf(5) are asked by c-ares; for a source that c-ares cannot serve (mdns, resolve,
 * myhostname, ldap, ...) getaddrinfo(3) is called on a thread of the loop's pool. Which it was
 * stands in the answer (.via), and in the log (debug). A change of these files is noticed within a
 * second. "localhost" and names under it are this machine, without asking anybody (RFC 6761). The
 * look-ups of records ask the name servers, whatever nsswitch.conf says, for names as they are.
 *
 * The environment variable EDDY_NAMESERVERS="127.0.0.1:5300,192.0.2.1" names other servers, as does
 * .servers of eddy_dns_setup(): then the hosts file and these are asked, and no other source. Each
 * server has 2 s for its answer, and two tries, unless resolv.conf says otherwise (its options
 * timeout: and attempts:).
 *
 * Each loop has a cache, bounded in entries and bytes. What was answered is kept for its TTL, and
 * that there is no such name or record for as long as the zone's SOA says (RFC 2308). What has no
 * TTL (getaddrinfo's answers, and those of the simulator's hosts) is not kept, unless
 * .untimed_ttl_ms says so; a failure of the servers never is. What several tasks ask for at one
 * time is asked once.
 *
 * Under the simulator (eddy/sim.h) names are those of its hosts, and records are refused.
 *
 * What holds, with the test that shows it (tests/dns/):
 *
 *  rule                                                 test
 *  ---------------------------------------------------  ------------------------------------------
 *  The addresses are those that the server says         names_have_the_addresses_that_the_...
 *  localhost is never asked for                         localhost_is_never_asked_for
 *  The hosts file is looked at before any server        the_hosts_file_is_looked_at_before_any_...
 *  ... or after, where nsswitch.conf says so            nsswitch_says_the_order,
 *                                                       the_hosts_file_is_first_or_last_as_told
 *  Other sources are getaddrinfo's, on a thread         other_sources_are_the_systems
 *  A changed resolv.conf, hosts, nsswitch.conf is seen  changed_files_are_noticed
 *  Search domains, ndots, a dot at the end              search_domains_are_tried
 *  Addresses are sorted by RFC 6724                     addresses_are_sorted
 *  A truncated answer is asked for again over TCP       a_truncated_answer_comes_over_tcp
 *  What was answered is kept for its TTL                answers_are_kept_for_their_ttl
 *  ... and a "no" for as long as the SOA says           a_no_is_kept_as_the_soa_says
 *  A failure of the servers is not kept                 failures_are_not_kept
 *  .no_cache asks again                                 no_cache_asks_again
 *  The cache is bounded: what was not used goes first   the_cache_is_bounded
 *  What many ask for at one time is asked once          one_question_for_many
 *  More than .max_questions wait for their turn         two_thousand_names_at_a_time
 *  A waiter that leaves drops the answer                a_waiter_that_leaves_drops_the_answer
 *  SRV by RFC 2782, MX by preference                    srv_are_drawn_by_weight,
 *                                                       mx_are_sorted_by_preference
 *  No name, no data and a failure are told apart        failures_are_told_apart
 *  Which servers failed is told                         who_was_asked_is_told_when_that_failed
 *  A call looks at its scope first                      a_cancelled_look_up_does_nothing
 *  A callback may not wait: -EDEADLK                    a_callback_gets_edeadlk
 */
#ifndef EDDY_DNS_H
#define EDDY_DNS_H

#include <eddy/address.h>
#include <eddy/common.h>
#include <eddy/error.h>

EDDY_BEGIN

/* More addresses than this of one name are left out. */
#define EDDY_ADDRESSES_MAX 16

/* Where an answer came from. */
enum eddy_dns_via {
    EDDY_DNS_HERE = 1,  /* a numeric host, or localhost: nobody was asked */
    EDDY_DNS_FILES,     /* the hosts file */
    EDDY_DNS_SERVERS,   /* name servers, by c-ares */
    EDDY_DNS_SYSTEM,    /* getaddrinfo(3), on a thread */
    EDDY_DNS_SIMULATED, /* the simulator's hosts */
};

struct eddy_addresses {
    size_t count;
    struct eddy_address at[EDDY_ADDRESSES_MAX]; /* in the order to be tried (RFC 6724) */
    enum eddy_dns_via via;
    bool cached;    /* nobody was asked: it was in the cache */
    uint32_t ttl_s; /* seconds for which it holds; 0: not told */
};

struct eddy_resolve_options {
    size_t size;              /* filled by EDDY_OPT(resolve, ...) */
    int family;               /* AF_INET or AF_INET6 only; 0: both */
    bool no_cache;            /* ask, whatever the cache has; it keeps the answer */
    struct eddy_error *error; /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_resolve() - the addresses of a host
 * @host:          a name, or a numeric address without brackets
 * @port:          set in every address
 * @options:       EDDY_OPT(resolve, .family = AF_INET), may be NULL
 * @ret_addresses: written on success; at least one
 *
 * Suspends, but for numeric hosts, localhost, the hosts file and what the cache has. Looks at its
 * scope first, for those, too. A name that ends with a dot is not searched for under the domains of
 * resolv.conf. Cancelled: nothing happened; the question may still be under way, and its answer is
 * kept in the cache.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EDDY_ENONAME    there is no such name, or it has no address of that family
 *   -EDDY_ERESOLVER  no server answered, or it failed
 *   -EINVAL          .family is neither of these
 *   -ENOMEM
 *   -ETIMEDOUT, -ECANCELED  see eddy/task.h            -EDEADLK  in a callback
 * Source: getaddrinfo(3), RFC 6761 6.3, RFC 6724.   Since: 0.1
 */
EDDY_API int eddy_resolve(struct eddy_slice host, uint16_t port,
                          const struct eddy_resolve_options *options,
                          struct eddy_addresses *ret_addresses);

/* --- records --------------------------------------------------------------------------------- */

/* Types of records; eddy_lookup() takes any number from 1 to 65535, but not the questions of 128
 * to 255 (ANY, AXFR, ...). */
enum eddy_dns_type {
    EDDY_DNS_A = 1,
    EDDY_DNS_NS = 2,
    EDDY_DNS_CNAME = 5,
    EDDY_DNS_PTR = 12,
    EDDY_DNS_MX = 15,
    EDDY_DNS_TXT = 16,
    EDDY_DNS_AAAA = 28,
    EDDY_DNS_SRV = 33,
};

/* More records than this of one answer are left out. */
#define EDDY_RECORDS_MAX 256

struct eddy_record {
    uint16_t type;     /* enum eddy_dns_type, or what was asked for */
    uint16_t priority; /* SRV, and the preference of an MX: the lowest is tried first */
    uint16_t weight;   /* SRV */
    uint16_t port;     /* SRV */
    uint32_t ttl_s;    /* seconds for which it holds */
    size_t len;        /* bytes of text, without the NUL behind it */
    /* The target of an SRV or CNAME, the host of an MX, NS or PTR, without a dot at the end (""
     * is the root: there is no such service, RFC 2782, RFC 7505); the strings of a TXT, one behind
     * the other; an address as text; for other types the record's data as it came. */
    const char *text;
};

/* What a look-up found. Start with { 0 }, end with eddy_records_done(), or EDDY_AUTO. */
struct eddy_records {
    size_t count;
    const struct eddy_record *at; /* in the order to be tried */
    bool cached;
    void *memory; /* the library's */
};

struct eddy_lookup_options {
    size_t size;              /* filled by EDDY_OPT(lookup, ...) */
    bool no_cache;            /* ask, whatever the cache has; it keeps the answer */
    struct eddy_error *error; /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_lookup() - the records of a name
 * @name:        absolute, a dot at the end or not; no search domain is tried
 * @type:        EDDY_DNS_TXT, or any other
 * @options:     EDDY_OPT(lookup, .error = &err), may be NULL
 * @ret_records: written on success, at least one record; ended by eddy_records_done(). What it held
 *   before is not looked at
 *
 * Suspends, but for what the cache has. Looks at its scope first. Cancelled: nothing happened; the
 * question may still be under way, and its answer is kept in the cache.
 *
 * Return: 0, or negative, with the text in options->error:
 *   -EDDY_ENONAME    there is no such name, or ("no record") it has none of that type
 *   -EDDY_ERESOLVER  no server answered, or it failed, or its answer makes no sense
 *   -EINVAL          @type is none that can be asked for
 *   -ENOMEM          -EDDY_ESIM  the simulator has no records
 *   -ETIMEDOUT, -ECANCELED  see eddy/task.h            -EDEADLK  in a callback
 * Source: RFC 1035.   Since: 0.1
 */
EDDY_API int eddy_lookup(const char *name, unsigned type, const struct eddy_lookup_options *options,
                         struct eddy_records *ret_records);

/**
 * eddy_lookup_srv() - where a service is: host and port, in the order to be tried
 * @name:        "_imaps._tcp.example.org"
 * @options:     as for eddy_lookup()
 * @ret_records: .text is the host, with .port; by priority, and within one drawn by weight, anew
 *   by every call
 *
 * Suspends, and is cancelled, as eddy_lookup().
 *
 * Return: as eddy_lookup(); a service that is told not to be there (one record, target ".") is
 * -EDDY_ENONAME.
 * Source: RFC 2782.   Since: 0.1
 */
EDDY_API int eddy_lookup_srv(const char *name, const struct eddy_lookup_options *options,
                             struct eddy_records *ret_records);

/**
 * eddy_lookup_mx() - who takes mail for a domain, in the order to be tried
 * @name:        a domain
 * @options:     as for eddy_lookup()
 * @ret_records: .text is the host, .priority its preference; equal ones in random order
 *
 * Suspends, and is cancelled, as eddy_lookup(). A domain without one takes mail by its own address
 * (RFC 5321 5.1): that is the caller's.
 *
 * Return: as eddy_lookup(); a domain that takes no mail (RFC 7505) is -EDDY_ENONAME.
 * Source: RFC 5321 5.1.   Since: 0.1
 */
EDDY_API int eddy_lookup_mx(const char *name, const struct eddy_lookup_options *options,
                            struct eddy_records *ret_records);

/**
 * eddy_lookup_txt() - texts that a domain tells
 * @name:        a domain
 * @options:     as for eddy_lookup()
 * @ret_records: .text and .len, which may be any bytes: the strings of one record stand together
 *
 * Suspends, and is cancelled, as eddy_lookup(). Long texts come over TCP.
 *
 * Return: as eddy_lookup().   Source: RFC 1464, RFC 7208 3.3.   Since: 0.1
 */
EDDY_API int eddy_lookup_txt(const char *name, const struct eddy_lookup_options *options,
                             struct eddy_records *ret_records);

/**
 * eddy_lookup_ptr() - the names of an address
 * @address:     IPv4 or IPv6; its port is not looked at
 * @options:     as for eddy_lookup()
 * @ret_records: .text is a name. Whoever has the address chose it: believe it when it resolves back
 *
 * Suspends, and is cancelled, as eddy_lookup().
 *
 * Return: as eddy_lookup(); -EINVAL for an address of another family.
 * Source: RFC 1035 3.5, RFC 3596 2.5.   Since: 0.1
 */
EDDY_API int eddy_lookup_ptr(const struct eddy_address *address,
                             const struct eddy_lookup_options *options,
                             struct eddy_records *ret_records);

/** eddy_records_done() - free what a look-up found; safe twice
 * @records: becomes empty
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_records_done(struct eddy_records *records);

/* --- the cache, and where this loop asks ------------------------------------------------------ */

struct eddy_dns_options {
    size_t size;         /* filled by EDDY_OPT(dns, ...) */
    const char *servers; /* "127.0.0.1:5300,[::1]:53"; NULL: $EDDY_NAMESERVERS, or resolv.conf's */
    const char *resolv_conf; /* NULL: /etc/resolv.conf */
    const char *hosts;       /* NULL: /etc/hosts */
    const char *nsswitch;    /* NULL: /etc/nsswitch.conf; where there is none, "files dns" holds */
    int64_t timeout_ms;      /* of each try at a server; 0: 2 s */
    unsigned tries;          /* at each server; 0: 2 */
    unsigned max_questions;  /* under way at a time, others wait their turn; 0: 128 */
    unsigned max_entries;    /* of the cache; 0: 1024 */
    size_t max_bytes;        /* of the cache; 0: 1 MiB */
    int64_t max_ttl_ms;      /* a longer TTL is cut to it; 0: an hour */
    int64_t max_negative_ttl_ms; /* the same of "no such name"; 0: 5 min */
    int64_t untimed_ttl_ms;      /* keep what has no TTL for so long; 0: it is not kept */
    bool no_cache;               /* keep nothing */
    struct eddy_error *error;    /* where the text of a failure goes; may be NULL */
};

/**
 * eddy_dns_setup() - choose how this thread's loop resolves names
 * @options: EDDY_OPT(dns, .servers = "127.0.0.1:5300"), texts copied; NULL: the defaults again
 *
 * Does not suspend. Empties the cache. Questions that are under way go on as they were asked.
 *
 * Return: 0, or negative, with the text in options->error, and nothing changed:
 *   -EINVAL  .servers is not a list of addresses, or a time is negative
 *   -ENOMEM, or why this thread has no loop
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_dns_setup(const struct eddy_dns_options *options);

/** eddy_dns_flush() - forget all answers in this loop's cache
 *
 * Return: how many there were.   Source: resolvectl(1) flush-caches.   Since: 0.1 */
EDDY_API size_t eddy_dns_flush(void);

struct eddy_dns_info {
    size_t entries;   /* in the cache */
    size_t bytes;     /* which they take */
    size_t waiting;   /* questions under way */
    uint64_t hits;    /* answered by the cache */
    uint64_t misses;  /* were not */
    uint64_t shared;  /* of the misses: joined a question under way */
    uint64_t servers; /* questions put to the name servers, by c-ares */
    uint64_t system;  /* calls of getaddrinfo(3) */
    uint64_t evicted; /* entries that had to go before their time */
    uint64_t reloads; /* times a file of the system's was read anew */
};

/** eddy_dns_info_sized() - what eddy_dns_info() calls with the size that its caller knows
 * @ret_info: its first @size bytes are filled; what this library does not know is zero
 * @size:     of the struct in the caller's header
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
EDDY_API void eddy_dns_info_sized(struct eddy_dns_info *ret_info, size_t size);

/** eddy_dns_info() - what this loop's resolver has done
 * @ret_info: filled; zero where this thread has asked for no name yet
 *
 * Return: nothing.   Source: none.   Since: 0.1 */
static inline void eddy_dns_info(struct eddy_dns_info *ret_info)
{
    eddy_dns_info_sized(ret_info, sizeof *ret_info);
}

EDDY_END

#endif
