/*
 * Linear probing: the entry is 32 bytes, so two share a cache line and a miss seldom touches a second line. The full
 * hash stands in the entry: keys are compared only when it is equal, and growing reads no key. A removed entry keeps
 * its place (XT_MAP_GONE) only where a later one may have been pushed past it; rehashing drops the rest.
 *
 * The seed is drawn once per process. Early at boot the kernel's generator may not be ready: then the bytes it gave
 * to every process at exec (AT_RANDOM) are used rather than waiting.
 */
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <xxhash.h>

#define XT_MAP_GONE ((void *)gone)
#define MIN_CAP     16

static char gone[1];

static uint64_t seed_make(_Atomic uint64_t *shared)
{
    uint64_t fresh = 0, was = 0;

    if (getrandom(&fresh, sizeof fresh, GRND_NONBLOCK) != (ssize_t)sizeof fresh && getauxval(AT_RANDOM))
        memcpy(&fresh, (const void *)getauxval(AT_RANDOM), sizeof fresh);
    fresh |= 1; /* 0 means "not drawn yet" */
    return atomic_compare_exchange_strong(shared, &was, fresh) ? fresh : was;
}

static inline uint64_t hash_key(xt_slice key)
{
    static _Atomic uint64_t shared;
    uint64_t seed = atomic_load_explicit(&shared, memory_order_relaxed);

    return XXH3_64bits_withSeed(key.p, key.n, seed ? seed : seed_make(&shared));
}

static inline bool is_live(const xt_map_entry *e)
{
    return e->value && e->value != XT_MAP_GONE;
}

/* The live entry of key, or NULL with *ret_place (may be NULL) where it would go. */
static xt_map_entry *probe(const xt_map *map, xt_slice key, uint64_t hash, xt_map_entry **ret_place)
{
    xt_map_entry *place = NULL;

    for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        xt_map_entry *e = &map->entries[i];
        if (!e->value) {
            if (ret_place)
                *ret_place = place ? place : e;
            return NULL;
        }
        if (e->value == XT_MAP_GONE)
            place = place ? place : e;
        else if (e->hash == hash && xt_slice_eq(e->key, key))
            return e;
    }
}

void xt_map_fini(xt_map *map)
{
    free(map->entries);
    *map = XT_MAP_INIT;
}

void xt_map_reset(xt_map *map)
{
    if (map->n_used)
        memset(map->entries, 0, map->cap * sizeof *map->entries);
    map->n = map->n_used = 0;
}

void *xt_map_find(const xt_map *map, xt_slice key)
{
    xt_map_entry *e = map->n ? probe(map, key, hash_key(key), NULL) : NULL;

    return e ? e->value : NULL;
}

/* A new table, at most half full with one more entry, without the removed ones. */
static int rehash(xt_map *map)
{
    size_t cap = MIN_CAP;

    while (cap / 2 < map->n + 1)
        cap *= 2;
    xt_map_entry *entries = calloc(cap, sizeof *entries);
    if (!entries)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < map->cap; i++) {
        if (!is_live(&map->entries[i]))
            continue;
        size_t to = map->entries[i].hash & (cap - 1);
        while (entries[to].value)
            to = (to + 1) & (cap - 1);
        entries[to] = map->entries[i];
    }
    free(map->entries);
    map->entries = entries;
    map->cap = cap;
    map->n_used = map->n;
    return 0;
}

int xt_map_put(xt_map *map, xt_slice key, void *value, void **ret_old)
{
    uint64_t hash = hash_key(key);
    xt_map_entry *place = NULL;
    void *old = NULL;

    assert(value && value != XT_MAP_GONE);
    if (map->n_used + 1 > map->cap / 4 * 3) {
        int r = rehash(map);
        if (r < 0)
            return xt_error_trace(r);
    }
    xt_map_entry *e = probe(map, key, hash, &place);
    if (e) {
        old = e->value;
    } else {
        e = place;
        map->n_used += !e->value;
        map->n++;
    }
    *e = (xt_map_entry){key, hash, value};
    if (ret_old)
        *ret_old = old;
    return 0;
}

void *xt_map_remove(xt_map *map, xt_slice key)
{
    xt_map_entry *e = map->n ? probe(map, key, hash_key(key), NULL) : NULL;

    if (!e)
        return NULL;
    void *old = e->value;
    *e = (xt_map_entry){.value = XT_MAP_GONE};
    map->n--;
    /* With a free neighbour nothing was pushed past this entry, nor past the removed ones just before it. */
    size_t i = (size_t)(e - map->entries);
    if (!map->entries[(i + 1) & (map->cap - 1)].value) {
        for (; map->entries[i].value == XT_MAP_GONE; i = (i - 1) & (map->cap - 1)) {
            map->entries[i].value = NULL;
            map->n_used--;
        }
    }
    return old;
}

xt_map_entry *xt_map_next(const xt_map *map, size_t *i)
{
    while (*i < map->cap) {
        xt_map_entry *e = &map->entries[(*i)++];
        if (is_live(e))
            return e;
    }
    return NULL;
}
