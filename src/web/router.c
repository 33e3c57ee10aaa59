/*
 * web/router.c - compiling a table of routes
 *
 * Every route is a way through a tree of segments; the edges of all nodes stand in one hash, so a
 * step costs the same however many routes there are. Paths without parameters stand in a second
 * hash, whole. Everything lives in the router's arena; the rows' texts are constants and borrowed.
 */
#include "web/router.h"

#include "base/memory.h"

#define ROUTER_MAX_BYTES ((size_t)64 << 20)

/* One row, whatever size rows have in the program that made the table. */
static struct eddy_route row_of(const struct eddy_app *app, size_t i)
{
    struct eddy_route row = { 0 };
    size_t size = app->route_size < sizeof row ? app->route_size : sizeof row;

    memcpy(&row, (const char *)app->routes + i * app->route_size, size);
    return row;
}

static bool is_name(struct eddy_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.len > 0;
}

static bool is_constant(struct eddy_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 127 || strchr("{}?#%", s.ptr[i]))
            return false;
    return true;
}

/* The next segment of a path behind its '/'; false at the end. */
static bool next_segment(struct eddy_slice *rest, struct eddy_slice *ret)
{
    if (rest->len == 0 || rest->ptr[0] != '/')
        return false;
    const char *start = rest->ptr + 1;
    const char *slash = memchr(start, '/', rest->len - 1);
    size_t len = slash ? (size_t)(slash - start) : rest->len - 1;
    *ret = (struct eddy_slice){ start, len };
    rest->ptr = start + len;
    rest->len -= len + 1;
    return true;
}

struct parsed_route {
    struct eddy_slice segment[ROUTER_SEGMENTS]; /* a parameter's without its braces */
    bool is_param[ROUTER_SEGMENTS];
    unsigned count;
    unsigned params;
};

static int parse(const struct eddy_route *row, struct parsed_route *ret, struct eddy_error *err)
{
    struct eddy_slice rest = eddy_slice_of(row->path);
    struct eddy_slice s;

    *ret = (struct parsed_route){ 0 };
    if (row->method <= EDDY_METHOD_OTHER || row->method >= EDDY_METHOD_COUNT)
        return eddy_error_set(err, -EINVAL, 0, "route \"%s\": no such method", row->path);
    const char *verb = eddy_method_text(row->method);
    if (!row->path || row->path[0] != '/')
        return eddy_error_set(err, -EINVAL, 0, "route %s \"%s\": a path begins with '/'", verb,
                              row->path ? row->path : "");
    if (!row->handler)
        return eddy_error_set(err, -EINVAL, 0, "route %s %s: no handler", verb, row->path);
    while (next_segment(&rest, &s)) {
        size_t at = (size_t)(s.ptr - row->path);
        bool param = s.len > 0 && s.ptr[0] == '{';
        if (ret->count == ROUTER_SEGMENTS)
            return eddy_error_set(err, -EINVAL, at, "route %s %s: over %d segments", verb,
                                  row->path, ROUTER_SEGMENTS);
        if (param &&
            (s.ptr[s.len - 1] != '}' || !is_name((struct eddy_slice){ s.ptr + 1, s.len - 2 })))
            return eddy_error_set(err, -EINVAL, at,
                                  "route %s %s: a parameter is a whole segment, as {name}", verb,
                                  row->path);
        if (!param && !is_constant(s))
            return eddy_error_set(err, -EINVAL, at,
                                  "route %s %s: a character that no path segment has as it stands",
                                  verb, row->path);
        if (param)
            s = (struct eddy_slice){ s.ptr + 1, s.len - 2 };
        for (unsigned i = 0; param && i < ret->count; i++)
            if (ret->is_param[i] && eddy_slice_eq(ret->segment[i], s))
                return eddy_error_set(err, -EINVAL, at, "route %s %s: {%.*s} stands twice", verb,
                                      row->path, EDDY_SLICE_ARG(s));
        ret->is_param[ret->count] = param;
        ret->segment[ret->count++] = s;
        ret->params += param;
    }
    return 0;
}

static void *arena_zalloc(struct eddy_arena *arena, size_t size)
{
    void *ptr = eddy_arena_alloc(arena, size);

    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

static struct router_node *node_new(struct router *router)
{
    struct router_node *node = arena_zalloc(&router->arena, sizeof *node);

    if (node)
        node->number = router->nodes++;
    return node;
}

/* The node behind @segment, made if there is none. */
static struct router_node *step(struct router *router, struct router_node *from,
                                struct eddy_slice segment, bool param)
{
    if (param) {
        if (!from->param)
            from->param = node_new(router);
        return from->param;
    }
    size_t at = router_edge_at(router, from->number, segment);
    for (; router->edges[at].from; at = (at + 1) & router->edge_mask) {
        struct router_edge *edge = &router->edges[at];
        if (edge->from == from && eddy_slice_eq(edge->segment, segment))
            return edge->to;
    }
    struct router_node *to = node_new(router);
    if (to)
        router->edges[at] = (struct router_edge){ from, to, segment };
    return to;
}

static int add_exact(struct router *router, struct eddy_slice path, struct router_leaf *leaf)
{
    size_t at = router_hash(path, 0) & router->exact_mask;

    for (; router->exact[at].path.ptr; at = (at + 1) & router->exact_mask)
        if (eddy_slice_eq(router->exact[at].path, path))
            return 0;
    router->exact[at] = (struct router_exact){ path, leaf };
    return 0;
}

static int set_handler(struct router *router, struct router_leaf *leaf,
                       const struct eddy_route *row, const struct parsed_route *route,
                       struct eddy_error *err)
{
    unsigned bit = 1u << row->method;
    unsigned n = 0;

    if (leaf->methods & bit)
        return eddy_error_set(err, -EEXIST, 0, "route %s %s: there is one already, %.*s",
                              eddy_method_text(row->method), row->path, EDDY_SLICE_ARG(leaf->path));
    struct eddy_slice *names = eddy_arena_alloc(&router->arena,
                                                (route->params + 1) * sizeof *names);
    if (!names)
        return -ENOMEM;
    for (unsigned i = 0; i < route->count; i++)
        if (route->is_param[i])
            names[n++] = route->segment[i];
    leaf->methods |= bit;
    leaf->handler[row->method] = row->handler;
    leaf->names[row->method] = names;
    leaf->name_count[row->method] = n;
    if (row->method == EDDY_METHOD_GET && !leaf->handler[EDDY_METHOD_HEAD]) {
        leaf->handler[EDDY_METHOD_HEAD] = row->handler;
        leaf->names[EDDY_METHOD_HEAD] = names;
        leaf->name_count[EDDY_METHOD_HEAD] = n;
    }
    router->methods |= bit;
    return 0;
}

static int add(struct router *router, const struct eddy_route *row, struct eddy_error *err)
{
    struct parsed_route route;
    struct router_node *node = router->root;

    int r = parse(row, &route, err);
    if (r < 0)
        return r;
    for (unsigned i = 0; node && i < route.count; i++)
        node = step(router, node, route.segment[i], route.is_param[i]);
    if (!node)
        return -ENOMEM;
    if (!node->leaf) {
        node->leaf = arena_zalloc(&router->arena, sizeof *node->leaf);
        if (!node->leaf)
            return -ENOMEM;
        node->leaf->path = eddy_slice_of(row->path);
    }
    if (route.count > router->depth)
        router->depth = route.count;
    r = set_handler(router, node->leaf, row, &route, err);
    if (r == 0 && route.params == 0)
        r = add_exact(router, eddy_slice_of(row->path), node->leaf);
    return r;
}

static size_t table_size(size_t entries)
{
    size_t size = 8;

    while (size < entries * 2)
        size *= 2;
    return size;
}

static int build(struct router *router, const struct eddy_app *app, struct eddy_error *err)
{
    size_t segments = 0;

    for (size_t i = 0; i < app->route_count; i++) {
        const char *path = row_of(app, i).path;
        for (; path && *path; path++)
            segments += *path == '/';
    }
    router->edge_mask = table_size(segments) - 1;
    router->exact_mask = table_size(app->route_count) - 1;
    router->edges = arena_zalloc(&router->arena, (router->edge_mask + 1) * sizeof *router->edges);
    router->exact = arena_zalloc(&router->arena, (router->exact_mask + 1) * sizeof *router->exact);
    router->root = node_new(router);
    if (!router->edges || !router->exact || !router->root)
        return -ENOMEM;
    for (size_t i = 0; i < app->route_count; i++) {
        struct eddy_route row = row_of(app, i);
        int r = add(router, &row, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int eddy_router_new(const struct eddy_app *app, struct eddy_error *err, struct router **ret)
{
    struct router *router = eddy__zalloc(sizeof *router);

    if (!router)
        return eddy_error_set(err, -ENOMEM, 0, "out of memory");
    router->arena = EDDY_ARENA(ROUTER_MAX_BYTES);
    int r = build(router, app, err);
    if (r < 0) {
        eddy_router_free(router);
        return r == -ENOMEM ? eddy_error_set(err, r, 0, "out of memory") : r;
    }
    *ret = router;
    return 0;
}

void eddy_router_free(struct router *router)
{
    if (!router)
        return;
    eddy_arena_done(&router->arena);
    eddy__free(router, sizeof *router);
}
