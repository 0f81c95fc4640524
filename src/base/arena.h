/*
 * base/arena - memory that is given back all at once
 *
 * Shape:     a chain of blocks with a byte limit; every piece is 8-aligned.
 * Errors:    xt_arena_alloc and its kin return NULL (p == NULL in a slice) when the limit is passed or memory
 *            is out: an outcome the caller turns into "batch refused" or "query needs more than N".
 * Ownership: all pieces belong to the arena until reset or fini.
 * Threads:   one at a time.
 * Limits:    max_bytes of pieces (block overhead not counted); reset keeps up to keep_bytes of blocks for reuse, which
 *            may be set after init.
 *
 * Under AddressSanitizer free space is poisoned and pieces are kept apart by redzones.
 */
#pragma once
#include <stddef.h>

#include "base/slice.h"

typedef struct xt_arena_block xt_arena_block;

typedef struct xt_arena {
    xt_arena_block *head;  /* the block in use; older ones behind it */
    xt_arena_block *spare; /* empty ones, kept for reuse */
    size_t spare_bytes;
    size_t used_bytes;
    size_t max_bytes;
    size_t keep_bytes; /* of blocks kept by reset; 0: 1 MiB */
} xt_arena;

/* A mark to go back to: everything taken since is forgotten. */
typedef struct xt_arena_mark {
    xt_arena_block *block;
    size_t block_used;
    size_t used_bytes;
} xt_arena_mark;

void xt_arena_init(xt_arena *arena, size_t max_bytes);
void xt_arena_fini(xt_arena *arena);
void xt_arena_reset(xt_arena *arena);

XT_MUST_USE void *xt_arena_alloc(xt_arena *arena, size_t n_bytes);
/* Zeroed array; the product is checked. */
XT_MUST_USE void *xt_arena_array(xt_arena *arena, size_t n, size_t each_bytes);
/* A copy of s, with a NUL behind it for those who need one. p == NULL on failure. */
XT_MUST_USE xt_slice xt_arena_copy(xt_arena *arena, xt_slice s);

xt_arena_mark xt_arena_mark_get(const xt_arena *arena);
void xt_arena_mark_reset(xt_arena *arena, xt_arena_mark mark);

#define xt_arena_new(arena, type) ((type *)xt_arena_array((arena), 1, sizeof(type)))
