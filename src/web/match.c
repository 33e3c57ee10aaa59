/*
 * web/match.c - a path to its handler
 *
 * A path without parameters is found whole, by one hash. Otherwise it is cut into segments and
 * walked down the tree: the constant edge first, then the parameter; when a way ends in nothing, or
 * lacks the method, the next one is tried. Segments are decoded before they are compared, so /caf%C3%A9
 * is what the table calls by its letters, and a %2F is never a separator.
 */
#include "web/router.h"

struct walk {
    const struct router *router;
    enum eddy_method method;
    const struct eddy_slice *segment;
    unsigned count;
    struct router_match *ret;
};

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 2.1. A NUL is refused: what cannot be a C string would be cut by whoever makes it one. */
static int decode(struct eddy_slice *s, struct eddy_arena *arena)
{
    char *out = eddy_arena_alloc(arena, s->len + 1);
    size_t len = 0;

    if (!out)
        return -ENOMEM;
    for (size_t i = 0; i < s->len; i++) {
        char c = s->ptr[i];
        if (c == '%') {
            if (s->len - i < 3 || hex(s->ptr[i + 1]) < 0 || hex(s->ptr[i + 2]) < 0)
                return -EDDY_EURL;
            c = (char)(hex(s->ptr[i + 1]) * 16 + hex(s->ptr[i + 2]));
            i += 2;
            if (c == '\0')
                return -EDDY_EURL;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    *s = (struct eddy_slice){ out, len };
    return 0;
}

/* How many segments, or one more than @cap when there are too many for any route. */
static int split(struct eddy_slice path, struct eddy_slice *segment, unsigned cap,
                 struct eddy_arena *arena, unsigned *ret_count)
{
    unsigned count = 0;
    const char *at = path.ptr;
    const char *end = path.ptr + path.len;

    while (at < end) {
        at++; /* the '/' */
        const char *slash = memchr(at, '/', (size_t)(end - at));
        struct eddy_slice s = { at, (size_t)((slash ? slash : end) - at) };
        if (s.len > 0 && memchr(s.ptr, '%', s.len)) {
            int r = decode(&s, arena);
            if (r < 0)
                return r;
        }
        if (count < cap)
            segment[count] = s;
        count++;
        at = slash ? slash : end;
    }
    *ret_count = count;
    return 0;
}

static const struct router_node *constant_step(const struct router *router,
                                               const struct router_node *from,
                                               struct eddy_slice segment)
{
    size_t at = router_edge_at(router, from->number, segment);

    for (; router->edges[at].from; at = (at + 1) & router->edge_mask)
        if (router->edges[at].from == from && eddy_slice_eq(router->edges[at].segment, segment))
            return router->edges[at].to;
    return NULL;
}

static bool take_leaf(const struct router_leaf *leaf, enum eddy_method method,
                      struct router_match *ret)
{
    ret->allowed |= leaf->methods;
    if (!leaf->handler[method])
        return false;
    ret->handler = leaf->handler[method];
    ret->names = leaf->names[method];
    return true;
}

/* True once a handler is found. Recursion is bounded by the depth of the tree. */
static bool walk_down(const struct walk *w, const struct router_node *node, unsigned i,
                      unsigned params)
{
    if (i == w->count) {
        if (!node->leaf || !take_leaf(node->leaf, w->method, w->ret))
            return false;
        w->ret->count = params;
        return true;
    }
    const struct router_node *next = constant_step(w->router, node, w->segment[i]);
    if (next && walk_down(w, next, i + 1, params))
        return true;
    if (!node->param || w->segment[i].len == 0)
        return false;
    w->ret->values[params] = w->segment[i];
    return walk_down(w, node->param, i + 1, params + 1);
}

int eddy_router_match(const struct router *router, enum eddy_method method, struct eddy_slice path,
                      struct eddy_arena *arena, struct router_match *ret)
{
    struct eddy_slice segment[ROUTER_SEGMENTS];
    unsigned count;

    ret->handler = NULL;
    ret->allowed = 0;
    ret->count = 0;
    size_t at = router_hash(path, 0) & router->exact_mask;
    for (; router->exact[at].path.ptr; at = (at + 1) & router->exact_mask)
        if (eddy_slice_eq(router->exact[at].path, path)) {
            if (take_leaf(router->exact[at].leaf, method, ret))
                return 0;
            break;
        }

    if (path.len == 0 || path.ptr[0] != '/')
        return -ENOENT;
    int r = split(path, segment, router->depth, arena, &count);
    if (r < 0)
        return r;
    struct walk w = { router, method, segment, count, ret };
    if (count <= router->depth && walk_down(&w, router->root, 0, 0))
        return 0;
    return -ENOENT;
}
