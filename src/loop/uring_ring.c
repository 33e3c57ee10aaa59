/*
 * loop/uring_ring.c - the ring itself: opening it, its buffers, who is pending on a descriptor
 */
#include "base/memory.h"
#include "base/sanitize.h"
#include "base/sys.h"
#include "loop/backend.h"
#include "loop/uring.h"
#include "poller/poller.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

enum {
    ENTRIES = 512,
    COMPLETIONS = 8192,
    BUFFERS = 512,
    SHORT_ENTRIES = 8,
    SHORT_COMPLETIONS = 16,
    SHORT_BUFFERS = 8
};

/* --- sides of descriptors ------------------------------------------------------------------ */

unsigned eddy_uring_sides_of(const struct eddy_op *op)
{
    switch (op->kind) {
    case EDDY_OP_ACCEPT:
    case EDDY_OP_RECV:
    case EDDY_OP_LEND: return EDDY_URING_READ;
    case EDDY_OP_SEND: return EDDY_URING_WRITE;
    case EDDY_OP_POLL:
        return ((op->poll.events & EDDY_READABLE) ? EDDY_URING_READ : 0U) |
               ((op->poll.events & EDDY_WRITABLE) ? EDDY_URING_WRITE : 0U);
    default: /* CONNECT makes its own, CLOSE allows no other, files take any number */ return 0;
    }
}

int eddy_uring_sides_take(struct eddy_uring *u, int fd, unsigned sides)
{
    if (fd < 0)
        return -EBADF;
    if ((size_t)fd >= u->sides_cap) {
        size_t cap = u->sides_cap ? u->sides_cap : 64;
        while (cap <= (size_t)fd)
            cap *= 2;
        uint8_t *grown = eddy__resize(u->sides, u->sides_cap, cap);
        if (!grown)
            return -ENOMEM;
        memset(grown + u->sides_cap, 0, cap - u->sides_cap);
        u->sides = grown;
        u->sides_cap = cap;
    }
    if (u->sides[fd] & sides)
        return -EBUSY;
    u->sides[fd] = (uint8_t)(u->sides[fd] | sides);
    return 0;
}

void eddy_uring_sides_release(struct eddy_uring *u, int fd, unsigned sides)
{
    if (!sides)
        return; /* CLOSE: it took none */
    assert((size_t)fd < u->sides_cap && (u->sides[fd] & sides) == sides);
    u->sides[fd] = (uint8_t)(u->sides[fd] & ~sides);
}

/* --- buffers ------------------------------------------------------------------------------- */

void eddy_uring_buffer_give(struct eddy_uring *u, unsigned id)
{
    unsigned len = u->short_io ? eddy_uring_few(u) : EDDY_URING_BUFFER_LEN;

    eddy_poison(eddy_uring_buffer(u, id), EDDY_URING_BUFFER_LEN);
    io_uring_buf_ring_add(u->buffers, eddy_uring_buffer(u, id), len, (unsigned short)id,
                          io_uring_buf_ring_mask(u->buffer_count), 0);
    io_uring_buf_ring_advance(u->buffers, 1);
}

static int buffers_open(struct eddy_uring *u)
{
    u->buffer_count = u->short_io ? SHORT_BUFFERS : BUFFERS;

    size_t ring_len = u->buffer_count * sizeof(struct io_uring_buf);
    ring_len = (ring_len + 4095) & ~(size_t)4095;
    u->buffer_map_len = ring_len + (size_t)u->buffer_count * EDDY_URING_STRIDE;
    u->buffer_map = eddy__sys.mmap(u->buffer_map_len);
    if (!u->buffer_map)
        return -ENOMEM;
    u->buffers = u->buffer_map;
    u->buffer_memory = (char *)u->buffer_map + ring_len;

    struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)u->buffers,
                                    .ring_entries = u->buffer_count,
                                    .bgid = EDDY_URING_GROUP };
    int r = io_uring_register_buf_ring(&u->ring, &reg, 0);
    if (r < 0)
        return r;
    u->features |= EDDY_RING_BUFFERS;
    io_uring_buf_ring_init(u->buffers);
    for (unsigned id = 0; id < u->buffer_count; id++)
        eddy_uring_buffer_give(u, id);
    return 0;
}

/* --- open and close ------------------------------------------------------------------------ */

int (*eddy_uring_setup)(unsigned entries, struct io_uring *ring,
                        struct io_uring_params *p) = io_uring_queue_init_params;

/* liburing unmaps a ring by a system call of its own, which TSan does not see: to it, the next
 * ring at that address is the same memory. So one ring's end is ordered before another's begin. */
static atomic_uint rings_closed;

/* Of the two that forbid it with the same error, which. */
static const char *who_forbids(void)
{
    char word = '0';
    int fd = eddy__sys.open(AT_FDCWD, "/proc/sys/kernel/io_uring_disabled", O_RDONLY, 0);

    if (fd >= 0) {
        (void)eddy__sys.read(fd, &word, 1);
        eddy__sys.close(fd);
    }
    return word == '2'   ? "io_uring is switched off: sysctl kernel.io_uring_disabled is 2"
           : word == '1' ? "sysctl kernel.io_uring_disabled is 1, and this process is not in "
                           "kernel.io_uring_group"
                         : "a seccomp filter forbids io_uring, as those of containers do";
}

static const char *refusal(int r)
{
    switch (r) {
    case -EPERM: return who_forbids();
    case -ENOSYS: return "this kernel has no io_uring, or a seccomp filter hides it";
    case -EACCES: return "a security module (SELinux, AppArmor) forbids io_uring";
    case -EINVAL: return "this kernel's io_uring is older than Linux 6.0";
    case -ENOMEM: return "no memory for io_uring's queues, or RLIMIT_MEMLOCK is too low for them";
    case -EMFILE:
    case -ENFILE: return "no descriptor is left for an io_uring";
    default: return "io_uring_setup failed";
    }
}

static int ring_open(struct eddy_uring *u, const char **why)
{
    static const unsigned tries[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
            IORING_SETUP_TASKRUN_FLAG, /* Linux 6.1 */
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    };
    int r = -EINVAL;

    for (size_t i = 0; i < sizeof tries / sizeof *tries && r == -EINVAL; i++) {
        struct io_uring_params p = {
            .flags = tries[i] | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
            .cq_entries = u->short_io ? SHORT_COMPLETIONS : COMPLETIONS,
        };
        r = eddy_uring_setup(u->entries, &u->ring, &p);
    }
    if (r < 0) {
        *why = refusal(r);
        return r;
    }
    u->ring_open = true;
    u->cq_mask = *u->ring.cq.kring_mask;
    (void)atomic_load(&rings_closed);
    if (u->ring.flags & IORING_SETUP_SINGLE_ISSUER)
        u->features |= EDDY_RING_SINGLE_ISSUER;
    if (u->ring.flags & IORING_SETUP_DEFER_TASKRUN)
        u->features |= EDDY_RING_DEFER_TASKRUN;
    u->has_taskrun_flag = (u->ring.flags & IORING_SETUP_TASKRUN_FLAG) != 0;
    /* Saves looking the ring up at every call; a convenience, so it may fail. */
    (void)io_uring_register_ring_fd(&u->ring);
    return 0;
}

static int probe(struct eddy_uring *u, const char **why)
{
    /* SEND_ZC is not used: it came with Linux 6.0, as did multishot receive, which has no
     * opcode of its own to be probed. */
    static const int needed[] = {
        IORING_OP_ACCEPT,  IORING_OP_CONNECT, IORING_OP_RECV,           IORING_OP_SEND,
        IORING_OP_SENDMSG, IORING_OP_CLOSE,   IORING_OP_ASYNC_CANCEL,   IORING_OP_POLL_ADD,
        IORING_OP_SEND_ZC, IORING_OP_TIMEOUT, IORING_OP_TIMEOUT_REMOVE, IORING_OP_OPENAT,
        IORING_OP_READ,    IORING_OP_WRITE,   IORING_OP_FSYNC,          IORING_OP_STATX,
    };
    const unsigned features = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
                              IORING_FEAT_FAST_POLL;
    struct io_uring_probe *p = io_uring_get_probe_ring(&u->ring);
    bool all = p && (u->ring.features & features) == features;

    for (size_t i = 0; all && i < sizeof needed / sizeof *needed; i++)
        all = io_uring_opcode_supported(p, needed[i]);
    u->has_names = all && io_uring_opcode_supported(p, IORING_OP_RENAMEAT) &&
                   io_uring_opcode_supported(p, IORING_OP_UNLINKAT) &&
                   io_uring_opcode_supported(p, IORING_OP_MKDIRAT) &&
                   io_uring_opcode_supported(p, IORING_OP_SYMLINKAT) &&
                   io_uring_opcode_supported(p, IORING_OP_LINKAT);
    io_uring_free_probe(p);
    if (!all) {
        *why = "this kernel's io_uring lacks operations that Linux 6.0 has";
        return -EOPNOTSUPP;
    }
    u->features |= EDDY_RING_MULTISHOT | EDDY_RING_NODROP;
    return 0;
}

void eddy_uring_ring_close(struct eddy_uring *u)
{
    if (u->ring_open) {
        atomic_fetch_add(&rings_closed, 1);
        io_uring_queue_exit(&u->ring);
    }
    if (u->event_fd >= 0)
        eddy__sys.close(u->event_fd);
    if (u->told_fd >= 0)
        eddy__sys.close(u->told_fd);
    if (u->buffer_map) {
        eddy_unpoison(u->buffer_map, u->buffer_map_len);
        eddy__sys.munmap(u->buffer_map, u->buffer_map_len);
    }
    eddy__free(u->sides, u->sides_cap);
    eddy__free(u->headers, u->entries * sizeof *u->headers);
}

int eddy_uring_ring_open(struct eddy_uring *u, const char **why)
{
    u->entries = u->short_io ? SHORT_ENTRIES : ENTRIES;
    u->headers = eddy__zalloc(u->entries * sizeof *u->headers);
    if (!u->headers)
        return -ENOMEM;

    int r = ring_open(u, why);
    if (r < 0)
        return r;
    r = probe(u, why);
    if (r < 0)
        return r;
    r = buffers_open(u);
    if (r < 0) {
        *why = "io_uring's buffer ring could not be registered";
        return r;
    }
    u->event_fd = eddy__sys.eventfd(0);
    return u->event_fd < 0 ? u->event_fd : 0;
}
