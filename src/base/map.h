/*
 * base/map - hash map from bytes to a pointer
 *
 * Shape:     open addressing, power-of-two table, at most 3/4 full, seeded so that foreign keys cannot collide at will.
 * Errors:    put: -ENOMEM.
 * Ownership: keys and values are borrowed: they live as long as their entry. A value is never NULL.
 * Threads:   one at a time.
 */
#pragma once
#include "base/slice.h"

typedef struct xt_map_entry {
    xt_slice key;
    uint64_t hash;
    void *value; /* NULL: free; XT_MAP_GONE inside map.c: removed */
} xt_map_entry;

typedef struct xt_map {
    xt_map_entry *entries;
    size_t cap;
    size_t n;      /* live entries */
    size_t n_used; /* live and removed */
} xt_map;

#define XT_MAP_INIT ((xt_map){0})

void xt_map_fini(xt_map *map);
void xt_map_reset(xt_map *map);
void *xt_map_find(const xt_map *map, xt_slice key);
/* Inserts, or replaces key and value of an equal key; *ret_old (may be NULL) is what was replaced, or NULL. */
XT_MUST_USE int xt_map_put(xt_map *map, xt_slice key, void *value, void **ret_old);
/* The removed value, or NULL. */
void *xt_map_remove(xt_map *map, xt_slice key);
/* Iterates in no order: start with *i = 0. Removing the entry just returned is allowed, putting is not. */
xt_map_entry *xt_map_next(const xt_map *map, size_t *i);
