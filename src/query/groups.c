/* Groups stand in an array in order of appearance, and the table holds their places, at most half of it. */
#include "query/groups.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_SLOTS 256

void xt_groups_fini(xt_groups *groups)
{
    free(groups->items);
    free(groups->slots);
    *groups = (xt_groups){0};
}

static uint64_t hash_of(const xt_group *key)
{
    uint64_t h = key->absent;

    for (size_t k = 0; k < XT_QUERY_MAX_BY; k++) {
        h = (h ^ key->values[k]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return h;
}

static bool is_same(const xt_group *a, const xt_group *b)
{
    return a->absent == b->absent && memcmp(a->values, b->values, sizeof a->values) == 0;
}

/* The slot of the key, or a free one. */
static size_t slot_of(const xt_groups *groups, const xt_group *key)
{
    size_t i = hash_of(key) & (groups->n_slots - 1);

    while (groups->slots[i] && !is_same(&groups->items[groups->slots[i] - 1], key))
        i = (i + 1) & (groups->n_slots - 1);
    return i;
}

void xt_groups_expect(const xt_groups *groups, const xt_group *key)
{
    if (groups->n_slots)
        __builtin_prefetch(&groups->slots[hash_of(key) & (groups->n_slots - 1)]);
}

void xt_groups_expect_item(const xt_groups *groups, const xt_group *key)
{
    uint32_t place = groups->n_slots ? groups->slots[hash_of(key) & (groups->n_slots - 1)] : 0;

    if (place)
        __builtin_prefetch(&groups->items[place - 1]);
}

static int grow(xt_groups *groups)
{
    size_t n_slots = groups->n_slots ? 2 * groups->n_slots : FIRST_SLOTS, cap = n_slots / 2;
    size_t more = (cap - groups->cap) * sizeof *groups->items + (n_slots - groups->n_slots) * sizeof *groups->slots;

    if (groups->n == XT_QUERY_MAX_GROUPS || !xt_keys_charge(groups->keys, more))
        return XT_KEYS_E_FULL;
    uint32_t *slots = calloc(n_slots, sizeof *slots);
    xt_group *items = slots ? realloc(groups->items, cap * sizeof *items) : NULL;
    if (!items) {
        free(slots);
        return xt_error_origin(-ENOMEM);
    }
    free(groups->slots);
    groups->items = items;
    groups->slots = slots;
    groups->cap = cap;
    groups->n_slots = n_slots;
    for (size_t i = 0; i < groups->n; i++)
        groups->slots[slot_of(groups, &groups->items[i])] = (uint32_t)i + 1;
    return 0;
}

int xt_groups_place(xt_groups *groups, const xt_group *key, size_t *ret)
{
    size_t i = groups->n_slots ? slot_of(groups, key) : 0;

    if (!groups->n_slots || !groups->slots[i]) {
        if (groups->n == groups->cap) {
            int r = grow(groups);
            if (r)
                return r;
            i = slot_of(groups, key);
        }
        groups->items[groups->n] = *key;
        groups->items[groups->n].count = 0;
        groups->slots[i] = (uint32_t)++groups->n;
    }
    *ret = groups->slots[i] - 1;
    return 0;
}

int xt_groups_add(xt_groups *groups, const xt_group *key, uint64_t count)
{
    size_t place;
    int r = xt_groups_place(groups, key, &place);

    if (r == 0)
        groups->items[place].count += count;
    return r;
}
