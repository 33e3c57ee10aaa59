/*
 * http/server_pool.c - what a loop keeps for its servers: blocks of one size, and the date
 *
 * Blocks are taken and given back last in, first out, because the last one is warm. A bounded
 * number is kept; the rest goes back to the allocator. All of it is freed with the loop.
 */
#include "http/server.h"

#include "base/sanitize.h"

#define KEPT_BLOCKS 512

static void pool_free(void *slot)
{
    struct eddy_server_pool *pool = slot;

    while (pool->free) {
        void *block = pool->free;
        pool->free = *(void **)block;
        eddy_unpoison(block, HTTP_BLOCK);
        eddy__free(block, HTTP_BLOCK);
    }
    eddy__free(pool, sizeof *pool);
}

struct eddy_server_pool *eddy_server_pool_of(struct eddy_loop *loop)
{
    if (loop->slot[EDDY_SLOT_SERVER])
        return loop->slot[EDDY_SLOT_SERVER];
    struct eddy_server_pool *pool = eddy__zalloc(sizeof *pool);
    if (!pool)
        return NULL;
    loop->slot[EDDY_SLOT_SERVER] = pool;
    loop->slot_free[EDDY_SLOT_SERVER] = pool_free;
    return pool;
}

void *eddy_server_block_take(struct eddy_server_pool *pool)
{
    void *block = pool->free;

    /* A fault is asked for even when the pool has a block: which of the two it is depends on
     * history, and a test that fails allocation k wants to reach this place. */
    if (eddy_fault_here(EDDY_FAULT_ALLOC))
        return NULL;
    if (!block)
        return eddy__alloc(HTTP_BLOCK);
    assert(pool->count > 0);
    pool->free = *(void **)block;
    pool->count--;
    eddy_unpoison(block, HTTP_BLOCK);
    return block;
}

void eddy_server_block_give(struct eddy_server_pool *pool, void *block)
{
    if (pool->count >= KEPT_BLOCKS) {
        eddy__free(block, HTTP_BLOCK);
        return;
    }
    *(void **)block = pool->free;
    pool->free = block;
    pool->count++;
    eddy_poison((char *)block + sizeof(void *), HTTP_BLOCK - sizeof(void *));
}

void eddy_server_date_refresh(struct eddy_server_pool *pool, struct eddy_loop *loop)
{
    const int64_t second = 1000000000;

    if (loop->now_ns < pool->date_until_ns)
        return;
    int64_t wall = loop->driver->ops->wall_ns(loop->driver);
    eddy__http_date((time_t)(wall / second), pool->date);
    pool->date_until_ns = loop->now_ns + second - wall % second;
    pool->date_serial++;
}
