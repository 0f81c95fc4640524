/*
 * audit/group_pool - the memory of groups that are being joined; used by joiner.c only
 *
 * Shape:     a group copies the text of its records into a chain of blocks; the pool keeps what was given back.
 * Errors:    NULL or -ENOMEM; the group is as it was before.
 * Ownership: take hands a group out, give takes it back with its blocks.
 * Limits:    the pool keeps at most 1 MiB of blocks and 256 groups.
 */
#pragma once
#include "audit/joiner.h"

typedef struct xt_link {
    struct xt_link *previous, *next;
} xt_link;

static inline void xt_list_init(xt_link *l)
{
    l->previous = l->next = l;
}

static inline bool xt_list_is_empty(const xt_link *l)
{
    return l->next == l;
}

static inline void xt_list_unlink(xt_link *l)
{
    l->previous->next = l->next;
    l->next->previous = l->previous;
    xt_list_init(l);
}

static inline void xt_list_insert(xt_link *after, xt_link *l)
{
    l->previous = after;
    l->next = after->next;
    l->next->previous = l;
    after->next = l;
}

static inline void xt_list_append(xt_link *list, xt_link *l)
{
    xt_list_insert(list->previous, l);
}

typedef struct xt_block xt_block;

typedef struct xt_open_group {
    xt_link order;               /* open groups by last record, or the finished queue */
    xt_link titled;              /* in its node's list while it waits for a later serial; else unlinked */
    struct xt_open_group *chain; /* in its slot of the table */
    uint64_t hash;
    struct node *node;
    int64_t time_ms;
    int64_t touched_ms;
    uint32_t serial;
    unsigned flags;
    bool has_proctitle;
    unsigned copy; /* of the log, that its first record is from */
    xt_record *records;
    size_t n_records, cap_records;
    size_t n_bytes; /* text and records, as counted against the limits */
    size_t n_dropped;
    xt_block *blocks; /* the one in use first */
} xt_open_group;

#define XT_GROUP_OF(l, member) ((xt_open_group *)(void *)((char *)(l)-offsetof(xt_open_group, member)))

#define XT_GROUP_BLOCK_CLASSES 5 /* 4, 8, 16, 32, 64 KiB; a longer record gets a block of its own */

typedef struct xt_group_pool {
    xt_block *blocks[XT_GROUP_BLOCK_CLASSES];
    size_t n_block_bytes;
    xt_open_group *groups; /* by chain */
    size_t n_groups;
} xt_group_pool;

/* A pool begins as {0}. */
void xt_group_pool_fini(xt_group_pool *pool);
/* An empty group in no list. */
XT_MUST_USE xt_open_group *xt_group_pool_take(xt_group_pool *pool);
/* The group is in no list any more. */
void xt_group_pool_give(xt_group_pool *pool, xt_open_group *group);
/* Appends a copy whose node is `node`, which outlives the group. */
XT_MUST_USE int xt_group_pool_copy(xt_group_pool *pool, xt_open_group *group, const xt_record *record, xt_slice node);
