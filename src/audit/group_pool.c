/*
 * The first block of a group holds a common event; each further one doubles up to 64 KiB, so that no group takes
 * much more than it needs and a big one needs few blocks. Nothing in a block moves, and one pass frees all.
 */
#include "audit/group_pool.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BLOCK_BYTES 4096u
#define N_CLASSES         XT_GROUP_BLOCK_CLASSES
#define POOL_MAX_BYTES    (1u << 20)
#define POOL_MAX_GROUPS   256
#define FIRST_RECORDS     16

struct xt_block {
    xt_block *next;
    uint32_t class; /* N_CLASSES: not pooled */
    size_t cap, used;
    char bytes[];
};

static xt_block *block_new(xt_group_pool *pool, uint32_t class, size_t need)
{
    size_t cap = (size_t)FIRST_BLOCK_BYTES << class;
    while (class < N_CLASSES && cap - sizeof(xt_block) < need)
        cap = (size_t)FIRST_BLOCK_BYTES << ++class;
    if (class == N_CLASSES)
        cap = sizeof(xt_block) + need;
    xt_block *b = class < N_CLASSES ? pool->blocks[class] : NULL;
    if (b) {
        pool->blocks[class] = b->next;
        pool->n_block_bytes -= cap;
    } else {
        b = malloc(cap);
        if (!b)
            return NULL;
    }
    b->class = class;
    b->cap = cap - sizeof(xt_block);
    b->used = 0;
    return b;
}

static void block_free(xt_group_pool *pool, xt_block *b)
{
    size_t bytes = b->cap + sizeof(xt_block);
    if (b->class == N_CLASSES || pool->n_block_bytes + bytes > POOL_MAX_BYTES) {
        free(b);
        return;
    }
    b->next = pool->blocks[b->class];
    pool->blocks[b->class] = b;
    pool->n_block_bytes += bytes;
}

/* Room for n bytes in the group, or NULL. */
static char *group_reserve(xt_group_pool *pool, xt_open_group *g, size_t n)
{
    xt_block *b = g->blocks;
    if (!b || b->cap - b->used < n) {
        uint32_t class = !b ? 0 : b->class + 1 < N_CLASSES ? b->class + 1 : N_CLASSES - 1;
        b = block_new(pool, class, n);
        if (!b)
            return NULL;
        b->next = g->blocks;
        g->blocks = b;
    }
    char *p = b->bytes + b->used;
    b->used += n;
    return p;
}

static void group_destroy(xt_open_group *g)
{
    if (g)
        free(g->records);
    free(g);
}

static xt_open_group *group_alloc(xt_group_pool *pool)
{
    xt_open_group *g = pool->groups;
    if (g) {
        pool->groups = g->chain;
        pool->n_groups--;
        return g;
    }
    g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->cap_records = FIRST_RECORDS;
    g->records = malloc(FIRST_RECORDS * sizeof *g->records);
    if (!g->records) {
        group_destroy(g);
        return NULL;
    }
    return g;
}

static int group_grow(xt_open_group *g)
{
    if (g->n_records < g->cap_records)
        return 0;
    xt_record *records = realloc(g->records, 2 * g->cap_records * sizeof *records);
    if (!records)
        return -ENOMEM;
    g->records = records;
    g->cap_records *= 2;
    return 0;
}

void xt_group_pool_fini(xt_group_pool *pool)
{
    for (xt_open_group *g = pool->groups, *next; g; g = next) {
        next = g->chain;
        group_destroy(g);
    }
    for (size_t class = 0; class < N_CLASSES; class ++) {
        for (xt_block *b = pool->blocks[class], *next; b; b = next) {
            next = b->next;
            free(b);
        }
    }
}

xt_open_group *xt_group_pool_take(xt_group_pool *pool)
{
    xt_open_group *g = group_alloc(pool);
    if (!g)
        return NULL;
    *g = (xt_open_group){.records = g->records, .cap_records = g->cap_records};
    xt_list_init(&g->order);
    xt_list_init(&g->titled);
    return g;
}

void xt_group_pool_give(xt_group_pool *pool, xt_open_group *group)
{
    for (xt_block *b = group->blocks, *next; b; b = next) {
        next = b->next;
        block_free(pool, b);
    }
    group->blocks = NULL;
    if (pool->n_groups >= POOL_MAX_GROUPS || group->cap_records > 16 * FIRST_RECORDS) {
        group_destroy(group);
        return;
    }
    group->chain = pool->groups;
    pool->groups = group;
    pool->n_groups++;
}

int xt_group_pool_copy(xt_group_pool *pool, xt_open_group *group, const xt_record *record, xt_slice node)
{
    size_t n_body = record->body.n, n_enriched = record->enriched.n;
    if (group_grow(group) < 0)
        return xt_error_origin(-ENOMEM);
    char *text = group_reserve(pool, group, n_body + n_enriched);
    if (!text)
        return xt_error_origin(-ENOMEM);
    if (n_body > 0)
        memcpy(text, record->body.p, n_body);
    if (n_enriched > 0)
        memcpy(text + n_body, record->enriched.p, n_enriched);
    xt_record *copy = &group->records[group->n_records++];
    *copy = *record;
    copy->node = node;
    copy->body.p = text;
    copy->enriched.p = text + n_body;
    return 0;
}
