/*
 * A piece is cut off the front block by adding to a counter. Blocks start at 64 KiB and double up to 1 MiB; a bigger
 * piece gets a block of its size. Blocks given back by reset (or by a mark) wait in `spare`, 1 MiB of them or as many as the owner wants,
 * so that a batch after a batch does not go to malloc at all.
 */
#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#ifndef __clang__ /* gcc believes that a function taking a pointer to const reads the fresh memory */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#define POISON(p, n)   __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#define REDZONE_BYTES  16
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#define REDZONE_BYTES  0
#endif

#define MIN_BLOCK_BYTES ((size_t)64 << 10)
#define MAX_BLOCK_BYTES ((size_t)1 << 20)
#define SPARE_BYTES     ((size_t)1 << 20)

struct xt_arena_block {
    xt_arena_block *next;
    size_t cap;
    size_t used;
    _Alignas(8) char bytes[];
};

void xt_arena_init(xt_arena *arena, size_t max_bytes)
{
    *arena = (xt_arena){.max_bytes = max_bytes};
}

static void block_free(xt_arena_block *block)
{
    UNPOISON(block->bytes, block->cap);
    free(block);
}

static void blocks_free(xt_arena_block *block)
{
    while (block) {
        xt_arena_block *next = block->next;
        block_free(block);
        block = next;
    }
}

void xt_arena_fini(xt_arena *arena)
{
    blocks_free(arena->head);
    blocks_free(arena->spare);
    *arena = (xt_arena){.max_bytes = arena->max_bytes, .keep_bytes = arena->keep_bytes};
}

static void block_put_back(xt_arena *arena, xt_arena_block *block)
{
    size_t keep = arena->keep_bytes ? arena->keep_bytes : SPARE_BYTES;

    if (arena->spare_bytes > keep || block->cap > keep - arena->spare_bytes) {
        block_free(block);
        return;
    }
    POISON(block->bytes, block->cap);
    block->used = 0;
    block->next = arena->spare;
    arena->spare = block;
    arena->spare_bytes += block->cap;
}

/* A spare block with room for n bytes, taken out of the list, or NULL. */
static xt_arena_block *spare_take(xt_arena *arena, size_t n)
{
    for (xt_arena_block **link = &arena->spare; *link; link = &(*link)->next) {
        xt_arena_block *block = *link;
        if (block->cap >= n) {
            *link = block->next;
            arena->spare_bytes -= block->cap;
            return block;
        }
    }
    return NULL;
}

static xt_arena_block *block_new(size_t cap)
{
    xt_arena_block *block = malloc(sizeof *block + cap);

    if (block) {
        *block = (xt_arena_block){.cap = cap};
        POISON(block->bytes, cap);
    }
    return block;
}

/* Puts a block with room for n bytes in front. */
static xt_arena_block *head_push(xt_arena *arena, size_t n)
{
    xt_arena_block *block = spare_take(arena, n);

    if (!block) {
        size_t cap = arena->head ? arena->head->cap * 2 : MIN_BLOCK_BYTES;
        cap = cap > MAX_BLOCK_BYTES ? MAX_BLOCK_BYTES : cap;
        block = block_new(cap < n ? n : cap);
    }
    if (block) {
        block->next = arena->head;
        arena->head = block;
    }
    return block;
}

void *xt_arena_alloc(xt_arena *arena, size_t n_bytes)
{
    if (n_bytes > arena->max_bytes || n_bytes > SIZE_MAX / 2)
        return NULL;
    size_t n = n_bytes ? (n_bytes + 7) & ~(size_t)7 : 8;
    if (n > arena->max_bytes - arena->used_bytes)
        return NULL;

    xt_arena_block *block = arena->head;
    if (!block || block->cap - block->used < n + REDZONE_BYTES) {
        block = head_push(arena, n + REDZONE_BYTES);
        if (!block)
            return NULL;
    }
    char *p = block->bytes + block->used;
    block->used += n + REDZONE_BYTES;
    arena->used_bytes += n;
    UNPOISON(p, n_bytes);
    return p;
}

void *xt_arena_array(xt_arena *arena, size_t n, size_t each_bytes)
{
    size_t n_bytes;

    if (__builtin_mul_overflow(n, each_bytes, &n_bytes))
        return NULL;
    void *p = xt_arena_alloc(arena, n_bytes);
    return p && n_bytes ? memset(p, 0, n_bytes) : p;
}

xt_slice xt_arena_copy(xt_arena *arena, xt_slice s)
{
    char *p = s.n < SIZE_MAX ? xt_arena_alloc(arena, s.n + 1) : NULL;

    if (!p)
        return XT_S_NULL;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return xt_slice_of(p, s.n);
}

xt_arena_mark xt_arena_mark_get(const xt_arena *arena)
{
    return (xt_arena_mark){arena->head, arena->head ? arena->head->used : 0, arena->used_bytes};
}

void xt_arena_mark_reset(xt_arena *arena, xt_arena_mark mark)
{
    while (arena->head != mark.block) {
        xt_arena_block *block = arena->head;
        assert(block);
        arena->head = block->next;
        block_put_back(arena, block);
    }
    if (arena->head) {
        POISON(arena->head->bytes + mark.block_used, arena->head->cap - mark.block_used);
        arena->head->used = mark.block_used;
    }
    arena->used_bytes = mark.used_bytes;
}

void xt_arena_reset(xt_arena *arena)
{
    xt_arena_mark_reset(arena, (xt_arena_mark){0});
}
