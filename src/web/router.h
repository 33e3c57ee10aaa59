/*
 * web/router.h - a table of routes, compiled
 */
#ifndef EDDY_WEB_ROUTER_H
#define EDDY_WEB_ROUTER_H

#include <eddy/arena.h>
#include <eddy/web.h>

#define ROUTER_SEGMENTS 32 /* of a route, at most */

struct router_node;
struct router_edge;
struct router_exact;

/* Where a path ends: what each method does there. */
struct router_leaf {
    struct eddy_slice path;                      /* of the first route that made it, for messages */
    unsigned methods;                            /* bits of those the table names */
    eddy_handler_fn *handler[EDDY_METHOD_COUNT]; /* HEAD falls back to GET's */
    const struct eddy_slice *names[EDDY_METHOD_COUNT]; /* of the parameters, in their order */
    unsigned name_count[EDDY_METHOD_COUNT];
};

struct router_node {
    struct router_node *param; /* one segment, not empty; NULL: no such route */
    struct router_leaf *leaf;  /* NULL: no route ends here */
    unsigned number;           /* part of an edge's hash */
};

/* One constant segment: open addressing over (node, segment). */
struct router_edge {
    struct router_node *from, *to; /* from NULL: a free place */
    struct eddy_slice segment;
};

/* A whole path without parameters: one hash, one comparison. */
struct router_exact {
    struct eddy_slice path; /* .ptr NULL: a free place */
    struct router_leaf *leaf;
};

struct router {
    struct eddy_arena arena; /* everything below */
    struct router_node *root;
    unsigned nodes;
    unsigned depth;   /* segments of the longest route */
    unsigned methods; /* bits of all */
    struct router_edge *edges;
    size_t edge_mask;
    struct router_exact *exact;
    size_t exact_mask;
};

/* What a path and a method came to. */
struct router_match {
    eddy_handler_fn *handler; /* NULL: none */
    unsigned allowed;         /* bits of the methods the path has; 0: no such path */
    const struct eddy_slice *names;
    unsigned count;
    struct eddy_slice values[ROUTER_SEGMENTS];
};

int eddy_router_new(const struct eddy_app *app, struct eddy_error *err, struct router **ret);
void eddy_router_free(struct router *router);

/* 0, -ENOENT, -EDDY_EURL (a bad escape), -ENOMEM. Decoded segments live in @arena. */
int eddy_router_match(const struct router *router, enum eddy_method method, struct eddy_slice path,
                      struct eddy_arena *arena, struct router_match *ret);

/* Eight bytes at a time; the last ones overlap what was read before, or are few. */
static inline uint32_t router_hash(struct eddy_slice s, uint32_t seed)
{
    const uint64_t k = 0x9e3779b97f4a7c15u;
    uint64_t h = (seed + s.len) * k;
    uint64_t word = 0;

    for (size_t i = 0; i + 8 < s.len; i += 8) {
        memcpy(&word, s.ptr + i, 8);
        h = (h ^ word) * k;
        h ^= h >> 29;
    }
    if (s.len >= 8)
        memcpy(&word, s.ptr + s.len - 8, 8);
    else
        for (size_t i = 0; i < s.len; i++)
            word = word << 8 | (unsigned char)s.ptr[i];
    h = (h ^ word) * k;
    return (uint32_t)(h >> 32);
}

static inline size_t router_edge_at(const struct router *router, unsigned node,
                                    struct eddy_slice segment)
{
    return router_hash(segment, node * 2654435761u) & router->edge_mask;
}

#endif
