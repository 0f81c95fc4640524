/* Open addressing, at most half full; a free slot has the group UINT32_MAX. */
#include "query/pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FREE        UINT32_MAX
#define FIRST_SLOTS 1024

void xt_pairs_fini(xt_pairs *pairs)
{
    free(pairs->slots);
    *pairs = (xt_pairs){.keys = pairs->keys};
}

static size_t slot_of(const xt_pairs *pairs, const xt_pair *pair)
{
    uint64_t h = (pair->value ^ (uint64_t)pair->group << 32 ^ pair->set) * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (h ^ h >> 32) & (pairs->n_slots - 1);

    while (pairs->slots[i].group != FREE && (pairs->slots[i].value != pair->value ||
                                             pairs->slots[i].group != pair->group || pairs->slots[i].set != pair->set))
        i = (i + 1) & (pairs->n_slots - 1);
    return i;
}

static int grow(xt_pairs *pairs)
{
    xt_pairs old = *pairs;
    size_t n_slots = old.n_slots ? 2 * old.n_slots : FIRST_SLOTS;

    if (pairs->keys && !xt_keys_charge(pairs->keys, (n_slots - old.n_slots) * sizeof *pairs->slots))
        return XT_KEYS_E_FULL;
    xt_pair *slots = malloc(n_slots * sizeof *slots);
    if (!slots)
        return xt_error_origin(-ENOMEM);
    memset(slots, 0xff, n_slots * sizeof *slots); /* FREE */
    pairs->slots = slots;
    pairs->n_slots = n_slots;
    for (size_t i = 0; i < old.n_slots; i++)
        if (old.slots[i].group != FREE)
            slots[slot_of(pairs, &old.slots[i])] = old.slots[i];
    free(old.slots);
    return 0;
}

int xt_pairs_add(xt_pairs *pairs, const xt_pair *pair, bool *ret_is_new)
{
    size_t i = pairs->n_slots ? slot_of(pairs, pair) : 0;

    *ret_is_new = false;
    if (pairs->n_slots && pairs->slots[i].group != FREE)
        return 0;
    if (2 * pairs->n >= pairs->n_slots) {
        int r = grow(pairs);
        if (r)
            return r;
        i = slot_of(pairs, pair);
    }
    pairs->slots[i] = *pair;
    pairs->n++;
    *ret_is_new = true;
    return 0;
}

static int by_group(const void *a, const void *b)
{
    const xt_pair *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

void xt_pairs_sort(xt_pairs *pairs)
{
    size_t n = 0;

    for (size_t i = 0; i < pairs->n_slots; i++)
        if (pairs->slots[i].group != FREE)
            pairs->slots[n++] = pairs->slots[i];
    if (n)
        qsort(pairs->slots, n, sizeof *pairs->slots, by_group);
}
