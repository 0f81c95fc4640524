/*
 * query/groups - counts per tuple of values: the state of one thread
 *
 * Shape:     a hash table of up to XT_QUERY_MAX_BY values (query/keys) and which of them are absent.
 * Errors:    XT_KEYS_E_FULL, -ENOMEM.
 */
#pragma once
#include "query/keys.h"

typedef struct xt_group {
    uint64_t values[XT_QUERY_MAX_BY]; /* 0 where absent */
    uint32_t absent;                  /* bit k */
    uint64_t count;
} xt_group;

typedef struct xt_groups {
    xt_keys *keys; /* charged for what is held here */
    xt_group *items;
    size_t n, cap;
    uint32_t *slots; /* place in items + 1; 0: free */
    size_t n_slots;
} xt_groups;

void xt_groups_fini(xt_groups *groups);
/* The group's place in items, entered with a count of 0 when it is new. */
XT_MUST_USE int xt_groups_place(xt_groups *groups, const xt_group *key, size_t *ret);
XT_MUST_USE int xt_groups_add(xt_groups *groups, const xt_group *key, uint64_t count);
/* The key will be placed soon: first its slot, some keys later its item are fetched to the processor's cache. */
void xt_groups_expect(const xt_groups *groups, const xt_group *key);
void xt_groups_expect_item(const xt_groups *groups, const xt_group *key);
