/*
 * A map by (segment, field, chunk) and a list by time of use, under one lock that is held for a look-up and never while a
 * chunk is read. Two threads may so read the same chunk; the second finds the first's block there and drops its own.
 */
#include "store/dict_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/map.h"

typedef struct block_key {
    uint64_t segment; /* its serial */
    uint32_t field, chunk;
} block_key;

struct xt_dict_block {
    _Atomic(uint32_t) n_refs;
    block_key key;
    xt_dict_block *newer, *older; /* within the cache */
    xt_arena arena;
    xt_slice *entries;
    size_t bytes;
};

struct xt_dict_cache {
    pthread_mutex_t lock;
    xt_map blocks;
    xt_dict_block *newest, *oldest;
    size_t bytes, max_bytes;
};

static xt_slice key_slice(const block_key *key)
{
    return xt_slice_of((const char *)key, sizeof *key);
}

xt_dict_cache *xt_dict_cache_new(size_t max_bytes)
{
    xt_dict_cache *cache = calloc(1, sizeof *cache);

    if (!cache)
        return NULL;
    cache->max_bytes = max_bytes;
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

bool xt_dict_block_is(const xt_dict_block *block, const xt_segment *segment, xt_field field, uint32_t chunk)
{
    return block->key.segment == xt_segment_serial(segment) && block->key.field == (uint32_t)field &&
           block->key.chunk == chunk;
}

const xt_slice *xt_dict_block_entries(const xt_dict_block *block)
{
    return block->entries;
}

xt_dict_block *xt_dict_block_unref(xt_dict_block *block)
{
    if (block && atomic_fetch_sub_explicit(&block->n_refs, 1, memory_order_acq_rel) == 1) {
        xt_arena_fini(&block->arena);
        free(block);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ list */

static void list_take(xt_dict_cache *cache, xt_dict_block *block)
{
    *(block->newer ? &block->newer->older : &cache->newest) = block->older;
    *(block->older ? &block->older->newer : &cache->oldest) = block->newer;
    block->newer = block->older = NULL;
}

static void list_put(xt_dict_cache *cache, xt_dict_block *block)
{
    block->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = block;
    cache->newest = block;
}

static void oldest_drop(xt_dict_cache *cache)
{
    xt_dict_block *block = cache->oldest;

    xt_map_remove(&cache->blocks, key_slice(&block->key));
    list_take(cache, block);
    cache->bytes -= block->bytes;
    xt_dict_block_unref(block);
}

xt_dict_cache *xt_dict_cache_free(xt_dict_cache *cache)
{
    if (cache) {
        while (cache->oldest)
            oldest_drop(cache);
        xt_map_fini(&cache->blocks);
        pthread_mutex_destroy(&cache->lock);
        free(cache);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ use */

static xt_dict_block *find_locked(xt_dict_cache *cache, const block_key *key)
{
    xt_dict_block *block = xt_map_find(&cache->blocks, key_slice(key));

    if (block) {
        list_take(cache, block);
        list_put(cache, block);
        atomic_fetch_add_explicit(&block->n_refs, 1, memory_order_relaxed);
    }
    return block;
}

xt_dict_block *xt_dict_cache_find(xt_dict_cache *cache, const xt_segment *segment, xt_field field, uint32_t chunk)
{
    block_key key = {xt_segment_serial(segment), field, chunk};

    pthread_mutex_lock(&cache->lock);
    xt_dict_block *block = find_locked(cache, &key);
    pthread_mutex_unlock(&cache->lock);
    return block;
}

/* Where there is no memory for the map it is not kept, which is no failure. */
static xt_dict_block *keep_locked(xt_dict_cache *cache, xt_dict_block *block)
{
    xt_dict_block *there = find_locked(cache, &block->key);

    if (there) {
        xt_dict_block_unref(block);
        return there;
    }
    if (xt_map_put(&cache->blocks, key_slice(&block->key), block, NULL) < 0)
        return block;
    atomic_fetch_add_explicit(&block->n_refs, 1, memory_order_relaxed);
    list_put(cache, block);
    cache->bytes += block->bytes;
    while (cache->bytes > cache->max_bytes && cache->oldest != block)
        oldest_drop(cache);
    return block;
}

int xt_dict_cache_read(xt_dict_cache *cache, xt_segment_reader *reader, const xt_segment *segment, xt_field field,
                       uint32_t chunk, bool keep, xt_dict_block **ret, xt_problem *reterr_problem)
{
    xt_dict_block *block = calloc(1, sizeof *block);

    if (!block)
        return xt_error_origin(-ENOMEM);
    atomic_init(&block->n_refs, 1);
    block->key = (block_key){xt_segment_serial(segment), field, chunk};
    xt_arena_init(&block->arena, SIZE_MAX);
    int r = xt_segment_read_dict(reader, segment, field, chunk, false, &block->arena, &block->entries, reterr_problem);
    if (r != 0) {
        xt_dict_block_unref(block);
        return r;
    }
    block->bytes = block->arena.used_bytes + sizeof *block;
    if (keep) {
        pthread_mutex_lock(&cache->lock);
        block = keep_locked(cache, block);
        pthread_mutex_unlock(&cache->lock);
    }
    *ret = block;
    return 0;
}
