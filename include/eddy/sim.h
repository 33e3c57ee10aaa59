/*
 * eddy/sim.h - test a program against a network, disks and clocks that are made up from one seed
 *
 *     EDDY_AUTO(eddy_sim) sim = eddy_sim_start(EDDY_OPT(sim, .seed = 1));
 *     eddy_sim_as(&sim, "example.org");
 *     ... listen on ":80", spawn the tasks of a server ...
 *     eddy_sim_as(&sim, NULL);
 *     eddy_sim_partition(&sim, "example.org", NULL);
 *     r = eddy_fetch("http://example.org/", NULL, &page);     -EDDY_EUPSTREAM_TIMEOUT, at once
 *
 * The program is not changed: this thread's loop is. What holds, with the test that shows it
 * (tests/sim/, datagrams in tests/net/udp_sim_test.c):
 *
 *  Seed     all order, all delays, all randomness come from it:   one_seed_is_one_history
 *           one seed is one history, hashed by eddy_sim_hash()
 *  Clocks   time stands still while code runs and jumps when all  an_hour_takes_no_time
 *           wait for it; the wall clock can be set apart from it  the_wall_clock_is_set_alone
 *  Order    what is ready at one time runs in any order           ready_tasks_run_in_any_order
 *  Hosts    "" is the machine plain code starts on, and has       names_come_from_hosts
 *           10.0.0.1 and fd00::1; the next one has 10.0.0.2, and
 *           so on, and its name. Wildcard, loopback and Unix
 *           addresses are each host's own. Who spawns a task
 *           passes his host on to it                              tasks_inherit_their_host
 *  Network  0.05 to 5 ms each way, bytes in order in pieces of
 *           any size. What does not get through is sent again
 *           after 0.2, 0.4 ... 120 s: held, not lost, for 924 s,  a_partition_holds_bytes
 *           then the sender gets -EDDY_EPEER_TIMEOUT. A connect
 *           is tried seven times and fails so after 127 s         a_connect_gives_up_after_127_s
 *  Datagrams  each has its own delay, so they overtake each other
 *                                                        datagrams_overtake_each_other
 *           What does not get through is lost             a_partition_loses_datagrams
 *           Where nobody is, a connected sender hears it  a_refusal_comes_a_round_trip_later
 *  Disks    one a host, with the files of eddy/file.h. A crash    a_crash_keeps_what_was_synced
 *           keeps what was synced, and any of the other 512-byte
 *           sectors; a new file is there for certain once it was
 *           synced (its directory need not be), a new name when   a_rename_is_lost_unless_its_...
 *           its directory was: of what changed names the last     (tests/file/crash_test.c)
 *           any number is taken back. Directories are there when
 *           they were made, or a file in them is
 *  Crashes  every call of a host that is down fails with          a_crash_is_heard_when_it_answers
 *           -ENETDOWN or -EIO, and its connections and files
 *           stay dead after a restart: end its scope and start
 *           it anew. Peers hear nothing, until they send and it
 *           is up: -ECONNRESET
 *  TLS      contexts made under the simulator are seeded, too,    tls_is_seeded
 *           and are refused on a real loop
 *
 * What it does not do, descriptors of others, processes, terminals, it refuses: -EDDY_ESIM, and
 * one line in the log names it. Work given to eddy_offload() runs on this thread.
 *
 * The environment: a .seed of 0 is $EDDY_SEED, or 1. A loop made with EDDY_BACKEND=sim is a
 * simulated one too, with one host.
 */
#ifndef EDDY_SIM_H
#define EDDY_SIM_H

#include <eddy/common.h>
#include <eddy/error.h>

EDDY_BEGIN

struct eddy_loop;

enum eddy_sim_fault_kind {
    EDDY_SIM_LATENCY = 1, /* of a piece of bytes, a look-up, the disk: .min_us to .max_us */
    EDDY_SIM_LOSS,        /* of tries to connect, and pieces, which are sent again; and datagrams */
    EDDY_SIM_REFUSE,      /* of connections to .to's .port (0: any), at once: -ECONNREFUSED */
    EDDY_SIM_PARTITION,   /* nothing gets through, in this direction, between two hosts */
    EDDY_SIM_RESET,       /* by a piece of bytes, of its connection */
    EDDY_SIM_SHORT,       /* reads and writes of sockets and files: 1 to 3 bytes */
    EDDY_SIM_BANDWIDTH,   /* .bytes_per_s of a direction of a connection */
    EDDY_SIM_NAME,        /* look-ups of .to fail: .error, or -EDDY_ERESOLVER */
    EDDY_SIM_DISK,        /* reads, writes, syncs on .to's disk fail: .error, or -EIO */
    EDDY_SIM_DUPLICATE,   /* of datagrams: they arrive twice */
};

/* One row of what goes wrong. The last row that fits, and of those the newest, counts. */
struct eddy_sim_fault {
    enum eddy_sim_fault_kind kind;
    const char *from;     /* who sends, connects, looks up; NULL: any */
    const char *to;       /* whom to; NULL: any */
    int64_t at_ms;        /* from when on, by eddy_sim_clock_ms() */
    int64_t until_ms;     /* 0: for ever */
    unsigned per_mille;   /* how often; 0: always */
    uint16_t port;        /* REFUSE */
    int family;           /* AF_INET or AF_INET6: of connections and look-ups only these; 0: all */
    int error;            /* NAME, DISK: negative */
    int64_t min_us;       /* LATENCY */
    int64_t max_us;       /* LATENCY; 0: as min_us */
    uint64_t bytes_per_s; /* BANDWIDTH */
};

struct eddy_sim_options {
    size_t size;                         /* filled by EDDY_OPT(sim, ...) */
    uint64_t seed;                       /* 0: $EDDY_SEED, or 1 */
    const struct eddy_sim_fault *faults; /* copied; EDDY_SIM_FAULTS(rows) fills these three */
    size_t fault_count;
    size_t fault_size;
    size_t disk_bytes; /* of each host's disk: more is -ENOSPC; 0: 64 MiB */
};

#define EDDY_SIM_FAULTS(rows)                                                                      \
    .faults = (rows), .fault_count = sizeof(rows) / sizeof((rows)[0]),                             \
    .fault_size = sizeof((rows)[0])

/* Placed by the caller; all but what is told here is the library's. */
struct eddy_sim {
    size_t size;
    int status;    /* 0, or why there is no simulation: then every call below returns it */
    uint64_t seed; /* by which it runs */
    uint64_t hash; /* of what happened, once it is over */
    void *opaque[8];
};

/**
 * eddy_sim_start() - make this thread's loop a simulated one
 * @options: EDDY_OPT(sim, .seed = 7), may be NULL
 *
 * Declare it with EDDY_AUTO before what runs in it, so that it ends last.
 *
 * Return: the simulation; its .status is 0, or -EBUSY (this thread has a loop), -ENOMEM, -EMFILE,
 * -EINVAL (a row of .faults).
 * Source: turmoil's Sim.   Since: 0.1
 */
EDDY_API struct eddy_sim eddy_sim_start(const struct eddy_sim_options *options);

/** eddy_sim_done() - end the simulation and its loop; EDDY_AUTO(eddy_sim) calls it
 * @sim: safe twice, and when its start failed. No task may live
 *
 * Return: nothing; sim->hash is final.   Source: none.   Since: 0.1 */
EDDY_API void eddy_sim_done(struct eddy_sim *sim);

/** eddy_sim_clock_ms() - virtual time since the start
 * @sim: started
 *
 * Return: milliseconds, rounded down.   Source: none.   Since: 0.1 */
EDDY_API int64_t eddy_sim_clock_ms(const struct eddy_sim *sim);

/** eddy_sim_hash() - a hash of all that has happened
 * @sim: started, or done
 *
 * Kinds, descriptors, lengths and times; no content, no address.
 *
 * Return: the hash: equal for equal seeds.   Source: madsim's check of determinism.   Since: 0.1 */
EDDY_API uint64_t eddy_sim_hash(const struct eddy_sim *sim);

/** eddy_sim_seed() - the seed by which it runs
 * @sim: started, or done
 *
 * Return: the seed.   Source: none.   Since: 0.1 */
EDDY_API uint64_t eddy_sim_seed(const struct eddy_sim *sim);

/**
 * eddy_sim_replay() - the command that runs this history again
 * @sim: started, or done
 * @buf: filled: "EDDY_BACKEND=sim EDDY_SEED=17 ./my_test retries"
 * @cap: bytes; a longer text is cut
 *
 * It does that for programs that leave .seed to the environment.
 *
 * Return: @buf.   Source: none.   Since: 0.1
 */
EDDY_API const char *eddy_sim_replay(const struct eddy_sim *sim, char *buf, size_t cap);

/* --- hosts ----------------------------------------------------------------------------------- */

/**
 * eddy_sim_host() - have a host
 * @sim:  started
 * @name: "" is the one that is always there; else up to 253 bytes, without case; copied
 *
 * The calls below, and rows of faults, make hosts they name for the first time, too.
 *
 * Return: 0 (also when there is one already), or -EINVAL, -ENOMEM, -ENOSPC (65534 hosts).
 * Source: turmoil's host().   Since: 0.1
 */
EDDY_API int eddy_sim_host(struct eddy_sim *sim, const char *name);

/**
 * eddy_sim_as() - be on a host: the code that runs, and the tasks it spawns from here on
 * @sim:  started
 * @name: NULL: the host plain code starts on, ""
 *
 * A task that calls it moves itself. What callbacks spawn is on the host where its scope was made.
 *
 * Return: 0, or as eddy_sim_host().   Source: turmoil's host().   Since: 0.1
 */
EDDY_API int eddy_sim_as(struct eddy_sim *sim, const char *name);

/**
 * eddy_sim_crash() - stop a host: connections, listeners and what was not synced are gone
 * @sim:  started
 * @name: NULL: ""
 *
 * Its tasks go on, and find that everything fails.
 *
 * Return: 0, or -ENOENT (no such host), -EALREADY (it is down).
 * Source: turmoil's crash().   Since: 0.1
 */
EDDY_API int eddy_sim_crash(struct eddy_sim *sim, const char *name);

/** eddy_sim_restart() - a host that crashed is up again, with what its disk has kept
 * @sim:  started
 * @name: NULL: ""
 *
 * Return: 0, or -ENOENT, -EALREADY (it is up).   Source: turmoil's bounce().   Since: 0.1 */
EDDY_API int eddy_sim_restart(struct eddy_sim *sim, const char *name);

/* --- faults ---------------------------------------------------------------------------------- */

/**
 * eddy_sim_fault() - have something go wrong, from now on or at its time
 * @sim:   started
 * @fault: one row; what it points to is copied
 *
 * Return: 0, or -EINVAL (no such kind, a time that ends before it begins, ...), -ENOMEM, -ENOSPC.
 * Source: none.   Since: 0.1
 */
EDDY_API int eddy_sim_fault(struct eddy_sim *sim, const struct eddy_sim_fault *fault);

/** eddy_sim_refuse() - connections to a port are refused from now on
 * @sim:  started
 * @to:   whose; NULL: everybody's
 * @port: 0: all
 *
 * Return: as eddy_sim_fault().   Source: none.   Since: 0.1 */
EDDY_API int eddy_sim_refuse(struct eddy_sim *sim, const char *to, uint16_t port);

/** eddy_sim_partition() - nothing gets through between two hosts, both ways, until it is healed
 * @sim: started
 * @a:   NULL: any
 * @b:   NULL: any
 *
 * Return: as eddy_sim_fault().   Source: turmoil's partition().   Since: 0.1 */
EDDY_API int eddy_sim_partition(struct eddy_sim *sim, const char *a, const char *b);

/** eddy_sim_heal() - undo eddy_sim_partition() of the same two, in either order
 * @sim: started
 * @a:   NULL: any
 * @b:   NULL: any
 *
 * What is held gets through when it is next sent again.
 *
 * Return: 0, or -ENOENT (there is none).   Source: turmoil's repair().   Since: 0.1 */
EDDY_API int eddy_sim_heal(struct eddy_sim *sim, const char *a, const char *b);

/** eddy_sim_cut() - reset all connections between two hosts, now
 * @sim: started
 * @a:   NULL: any
 * @b:   NULL: any
 *
 * Return: how many, or negative.   Source: none.   Since: 0.1 */
EDDY_API int eddy_sim_cut(struct eddy_sim *sim, const char *a, const char *b);

/** eddy_sim_set_wall() - set the wall clock: it jumps, monotonic time and timers do not
 * @sim:     started
 * @wall_ns: since 1970, UTC; at the start it is 2024-01-01T00:00:00Z
 *
 * Return: 0, or -EINVAL (negative).   Source: clock_settime(2).   Since: 0.1 */
EDDY_API int eddy_sim_set_wall(struct eddy_sim *sim, int64_t wall_ns);

EDDY_END

#endif
